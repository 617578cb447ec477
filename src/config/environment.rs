//! Environment variables in text: `$VAR`, `${VAR}`, `${VAR:-default}` and their relatives.
//!
//! # References
//! The interpolation of the Compose specification, as Telegraf uses it: what names no variable
//! that is set stays as it is, so that a regular expression's `${1}` survives. Corners follow the
//! Go library `compose-go` version 1.20 that Telegraf is built with.

use super::variables::{Braces, Empty, Found, Operator, Scanner};
use crate::plugin::settings::{Data, Position, Table, Value};

/// How deep defaults can stand inside defaults; deeper ones are left alone.
const MAX_DEPTH: usize = 64;

/// When variables are replaced, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Handling {
    /// Inside string values of the parsed text.
    #[default]
    Strict,
    /// Anywhere in the text, before it is parsed: `--non-strict-env-handling`.
    NonStrict,
}

/// Whether a doubled sign stands for a single one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Dialect {
    /// `$$` is a `$`.
    #[default]
    Current,
    /// `$$` is nothing special: `--old-env-behavior`.
    Old,
}

/// A variable that the text asks for with `?` is not there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("required variable {variable} is missing a value{}{reason}", if .reason.is_empty() { "" } else { ": " })]
pub struct MissingVariable {
    /// Its name.
    pub variable: String,
    /// What the text says about it.
    pub reason: String,
}

/// Finds the values of variables.
pub type Lookup<'l> = dyn Fn(&str) -> Option<String> + 'l;

/// Text after substitution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Substituted {
    /// The text.
    pub text: String,
    /// Whether anything was put in.
    pub changed: bool,
}

/// Puts the values of variables into `text`.
///
/// # Errors
/// If a required variable is missing, with the byte offset in `text` where it is asked for.
pub fn substitute(
    text: &str,
    dialect: Dialect,
    lookup: &Lookup<'_>,
) -> Result<Substituted, (usize, MissingVariable)> {
    let mut result = Substituted { text: String::with_capacity(text.len()), changed: false };
    let mut scanner = Scanner::new(text, dialect);
    while let Some((literal, found)) = scanner.next() {
        result.text.push_str(literal);
        let start = scanner.at - found.source().len();
        let value = match found {
            Found::Sign => Some("$".to_owned()),
            Found::Plain { name, .. } => lookup(name),
            Found::Invalid { .. } => None,
            Found::Braces(braces) => match expand(braces, dialect, lookup, 0) {
                Ok(value) => Some(value),
                Err(Unexpanded::Invalid) => None,
                Err(Unexpanded::Missing(missing)) => return Err((start, missing)),
            },
        };
        match value {
            Some(value) => {
                result.text.push_str(&value);
                result.changed = true;
            }
            None => result.text.push_str(found.source()),
        }
    }
    result.text.push_str(scanner.rest());
    Ok(result)
}

/// Puts the values of variables into all string values of a table, at every depth.
///
/// All variables that are required and missing go to `missing`, with the places of the strings.
pub(super) fn substitute_table(
    table: &mut Table,
    dialect: Dialect,
    lookup: &Lookup<'_>,
    missing: &mut Vec<(Position, MissingVariable)>,
) {
    for entry in table.entries_mut() {
        substitute_value(&mut entry.value, dialect, lookup, missing);
    }
}

fn substitute_value(
    value: &mut Value,
    dialect: Dialect,
    lookup: &Lookup<'_>,
    missing: &mut Vec<(Position, MissingVariable)>,
) {
    match &mut value.data {
        Data::String { text, substituted } if text.contains('$') => {
            match substitute(text, dialect, lookup) {
                Ok(result) => (*text, *substituted) = (result.text, result.changed),
                Err((_, variable)) => missing.push((value.position, variable)),
            }
        }
        Data::Array(values) => {
            values.iter_mut().for_each(|value| substitute_value(value, dialect, lookup, missing));
        }
        Data::Table(table) => substitute_table(table, dialect, lookup, missing),
        _ => {}
    }
}

/// Why `${…}` was not expanded.
enum Unexpanded {
    /// It is malformed somewhere inside, and stays as it is.
    Invalid,
    Missing(MissingVariable),
}

/// Works out `${name…}` and what follows it up to the last brace of the line.
///
/// Everything inside is stricter than outside: variables that are not set are empty there, and
/// one malformed part leaves the whole as it is.
fn expand(
    braces: Braces<'_>,
    dialect: Dialect,
    lookup: &Lookup<'_>,
    depth: usize,
) -> Result<String, Unexpanded> {
    if depth == MAX_DEPTH {
        return Err(Unexpanded::Invalid);
    }
    // Arguments always follow the current rules.
    let argument = expand_text(braces.argument, Dialect::Current, lookup, depth + 1)?;
    let value = lookup(braces.name);
    let is_there = |empty: Empty| {
        value.as_ref().is_some_and(|value| empty == Empty::IsValue || !value.is_empty())
    };
    let mut result = match braces.operator {
        Operator::Default(empty) if !is_there(empty) => argument,
        Operator::Replacement(empty) if is_there(empty) => argument,
        Operator::Required(empty) if !is_there(empty) => {
            let variable = braces.name.to_owned();
            return Err(Unexpanded::Missing(MissingVariable { variable, reason: argument }));
        }
        _ => value.unwrap_or_default(),
    };
    result.push_str(&expand_text(braces.tail, dialect, lookup, depth + 1)?);
    Ok(result)
}

fn expand_text(
    text: &str,
    dialect: Dialect,
    lookup: &Lookup<'_>,
    depth: usize,
) -> Result<String, Unexpanded> {
    let mut result = String::new();
    let mut scanner = Scanner::new(text, dialect);
    while let Some((literal, found)) = scanner.next() {
        result.push_str(literal);
        match found {
            Found::Sign => result.push('$'),
            Found::Plain { name, .. } => result.push_str(&lookup(name).unwrap_or_default()),
            Found::Invalid { .. } => return Err(Unexpanded::Invalid),
            Found::Braces(braces) => {
                // Its tail is the rest of this very line, which needs no deeper level.
                scanner.at -= braces.tail.len();
                let braces = Braces { tail: "", ..braces };
                result.push_str(&expand(braces, dialect, lookup, depth)?);
            }
        }
    }
    result.push_str(scanner.rest());
    Ok(result)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn variable(name: &str) -> Option<String> {
        let value = match name {
            "SET" => "v",
            "EMPTY" => "",
            "A_B1" => "ab",
            "other" => "o",
            "PCT" => "${SET}",
            "D" => "a$$b",
            _ => return None,
        };
        Some(value.to_owned())
    }

    fn check(text: &str, dialect: Dialect, expected: Result<&str, &str>) {
        let result = substitute(text, dialect, &variable)
            .map(|result| result.text)
            .map_err(|(_, missing)| missing.to_string());
        let expected = expected.map(str::to_owned).map_err(|missing| {
            let (name, reason) = missing.split_at(missing.find(':').unwrap_or(missing.len()));
            format!("required variable {name} is missing a value{reason}")
        });
        assert_eq!(result, expected, "{text}");
    }

    /// What Telegraf 1.40 made of each when it was run.
    #[test]
    fn variables_are_replaced_as_telegraf_does_it() {
        for (text, expected) in [
            ("$SET", Ok("v")),
            ("${SET}", Ok("v")),
            ("$$SET", Ok("$SET")),
            ("$$$SET", Ok("$v")),
            ("$$", Ok("$")),
            ("$", Ok("$")),
            ("a$", Ok("a$")),
            ("${UNSET}", Ok("${UNSET}")),
            ("$UNSET", Ok("$UNSET")),
            ("${UNSET:-d}", Ok("d")),
            ("${UNSET-d}", Ok("d")),
            ("${EMPTY:-d}", Ok("d")),
            ("${EMPTY-d}", Ok("")),
            ("${SET:-d}", Ok("v")),
            ("${SET-d}", Ok("v")),
            ("${SET:+a}", Ok("a")),
            ("${SET+a}", Ok("a")),
            ("${UNSET:+a}", Ok("")),
            ("${UNSET+a}", Ok("")),
            ("${EMPTY:+a}", Ok("")),
            ("${EMPTY+a}", Ok("a")),
            ("${Q:?must set}", Err("Q: must set")),
            ("${Q?must set}", Err("Q: must set")),
            ("${EMPTY:?must}", Err("EMPTY: must")),
            ("${EMPTY?must}", Ok("")),
            ("${Q:?}", Err("Q")),
            ("${SET:?x}", Ok("v")),
            ("${SET?x}", Ok("v")),
            ("${UNSET:-${SET}}", Ok("v")),
            ("${UNSET:-${ALSO:-deep}}", Ok("deep")),
            ("${UNSET:-$SET}", Ok("v")),
            ("${UNSET:-${ALSO}}", Ok("")),
            ("${UNSET:-$ALSO}", Ok("")),
            ("${1}", Ok("${1}")),
            ("$1", Ok("$1")),
            ("${}", Ok("${}")),
            ("${ X }", Ok("${ X }")),
            ("${X", Ok("${X")),
            ("${SET", Ok("${SET")),
            ("$SETy", Ok("$SETy")),
            ("x$SETy", Ok("x$SETy")),
            ("${set}", Ok("${set}")),
            ("$Other", Ok("$Other")),
            ("$other", Ok("o")),
            ("${A_B1}", Ok("ab")),
            ("$A_B1.x", Ok("ab.x")),
            ("$PCT", Ok("${SET}")),
            ("$D", Ok("a$$b")),
            ("${UNSET:-}", Ok("")),
            ("${UNSET-}", Ok("")),
            ("${UNSET:-a}b}", Ok("ab}")),
            ("${UNSET:-a}${SET}", Ok("av")),
            ("${UNSET}${SET}", Ok("${UNSET}v")),
            ("${SET}${SET}", Ok("vv")),
            ("${SET}${UNSET}", Ok("v${UNSET}")),
            ("${UNSET:-a}-${SET}", Ok("a-v")),
            ("${UNSET:-a} $SET ${UNSET:-b}", Ok("a v b")),
            ("${UNSET:-a b:+c}", Ok("a b:+c")),
            ("${SET-a:+b}", Ok("v")),
            ("${SET+a:-b}", Ok("a:-b")),
            ("${UNSET-a?b}", Ok("a?b")),
            ("${UNSET:-a?b}", Ok("a?b")),
            ("${UNSET:?a-b}", Err("UNSET: a-b")),
            ("${UNSET?a:-b}", Err("UNSET: a:-b")),
            ("${UNSET:-$$x}", Ok("$x")),
            ("${UNSET:-$1}", Ok("$1")),
            ("${UNSET:-${1}}", Ok("${UNSET:-${1}}")),
            ("${UNSET:-${X}", Ok("${UNSET:-${X}")),
            ("${SET:x}", Ok("${SET:x}")),
            ("${SET!}", Ok("${SET!}")),
            ("${SET/a/b}", Ok("${SET/a/b}")),
            ("${SET:-a}}", Ok("v}")),
            ("{$SET}", Ok("{v}")),
            ("$${SET}", Ok("${SET}")),
            ("$$$${SET}", Ok("$${SET}")),
            ("${SET}}", Ok("v}")),
            ("${_}", Ok("${_}")),
            ("$_", Ok("$_")),
            ("${UNSET:-{a}}", Ok("{a}")),
            ("${UNSET:-{a}", Ok("{a")),
            ("${UNSET:-#}", Ok("#")),
            ("${1} ${SET}", Ok("${1} v")),
            ("${SET:-${1}}", Ok("${SET:-${1}}")),
            ("${UNSET:- d }", Ok(" d ")),
            ("${UNSET:=d}", Ok("${UNSET:=d}")),
            ("${UNSET:-d}$", Ok("d$")),
            ("$SET$SET", Ok("vv")),
            ("${UNSET} ${UNSET:-d}", Ok("${UNSET} d")),
            ("${SET} ${UNSET:-d}", Ok("v d")),
            ("${UNSET:-d} ${UNSET}", Ok("d ")),
            ("${SET:-d} ${UNSET}", Ok("v ")),
            ("${UNSET:-d} ${SET} }", Ok("d v }")),
            ("${UNSET:-a:-b}", Ok("a:-b")),
            ("${EMPTY}", Ok("")),
            ("${EMPTY}x${SET}", Ok("xv")),
            ("${Q:?a} ${SET}", Err("Q: a")),
            ("${SET:?a} ${Q:?b}", Err("Q: b")),
            ("ś${SET}ć", Ok("śvć")),
            ("$SETś", Ok("vś")),
            ("${SETś}", Ok("${SETś}")),
            ("$ſet", Ok("$ſet")),
            ("${ſET}", Ok("${ſET}")),
            ("$Kx", Ok("$Kx")),
            ("${UNSET:-ś}", Ok("ś")),
            ("${UNSET:?}", Err("UNSET")),
            ("${UNSET?}", Err("UNSET")),
            ("${UNSET+${Q:?deep}}", Err("Q: deep")),
            ("${SET:-${Q:?deep}}", Err("Q: deep")),
            (r"\$SET", Ok(r"\v")),
            (r"\${SET}", Ok(r"\v")),
            (r"${UNSET:-a\}b}", Ok(r"a\b}")),
            ("${SET} text } and ${UNSET:-d} more }", Ok("v text } and d more }")),
            ("${SET} text }", Ok("v text }")),
            ("${SET}:-x}", Ok("v:-x}")),
            ("${UNSET}:-x}", Ok("${UNSET}:-x}")),
            ("$UNSET:-x", Ok("$UNSET:-x")),
            ("${UNSET} - }", Ok("${UNSET} - }")),
            ("${UNSET} a-b } ${SET}", Ok("${UNSET} a-b } v")),
            ("${SET} a-b } ${SET}", Ok("v a-b } v")),
            ("$SET a-b } ${SET}", Ok("v a-b } v")),
            ("${SET+x} ${UNSET} }", Ok("x  }")),
            ("${UNSET+x} ${UNSET} }", Ok("  }")),
            ("${UNSET-${UNSET}}", Ok("")),
            ("${UNSET-$UNSET}", Ok("")),
            ("${UNSET+y}", Ok("")),
        ] {
            check(text, Dialect::Current, expected);
        }
        check("${UNSET:-x\ny}", Dialect::Current, Ok("${UNSET:-x\ny}"));
        check("${UNSET:-x}\n${SET:-y}", Dialect::Current, Ok("x\nv"));
    }

    #[test]
    fn the_old_dialect_knows_no_doubled_sign() {
        for (text, expected) in [
            ("$$SET", Ok("$v")),
            ("$$$SET", Ok("$$v")),
            ("$$", Ok("$$")),
            ("$${SET}", Ok("$v")),
            ("$$$${SET}", Ok("$$$v")),
            ("${UNSET:-$$x}", Ok("$x")),
            ("${SET}", Ok("v")),
            ("${UNSET}", Ok("${UNSET}")),
            ("${UNSET:-d}", Ok("d")),
        ] {
            check(text, Dialect::Old, expected);
        }
    }

    #[test]
    fn a_missing_variable_is_placed() {
        let (offset, _) = substitute("ż ${SET} ${Q:?}", Dialect::Current, &variable).unwrap_err();
        assert_eq!(offset, "ż ${SET} ".len());
    }

    #[test]
    fn text_made_to_be_slow_is_not() {
        let is_made = |text: &str, expected: &str| {
            let result = substitute(text, Dialect::Current, &variable).unwrap();
            // Not assert_eq, which would print all of it.
            assert!(result.text == expected, "{} …", &text[..20]);
        };
        let deep = "${A:-".repeat(50_000) + &"}".repeat(50_000);
        is_made(&deep, &deep);
        let open = "${A:-".repeat(50_000);
        is_made(&open, &open);
        let wide = "${A:-x}".repeat(50_000);
        is_made(&wide, &"x".repeat(50_000));
        // One malformed part leaves all of the line as it is.
        let broken = wide + "${1}";
        is_made(&broken, &broken);
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[${}A:?+\\-SET1ż \n]{0,60}") {
            for dialect in [Dialect::Current, Dialect::Old] {
                let _ = substitute(&text, dialect, &variable);
            }
        }

        #[test]
        fn text_without_a_sign_stays(text in "[^$]{0,60}") {
            let result = substitute(&text, Dialect::Current, &variable).unwrap();
            prop_assert_eq!(result, Substituted { text, changed: false });
        }
    }
}
