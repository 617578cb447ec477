//! `"…".format(…)`.

use super::super::failure::{Outcome, fail};
use super::super::run::Machine;
use super::super::value::Value;
use super::call::Call;
use super::strings::of;
use crate::plugin::Quoted;

/// How the fields of a format are numbered.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Numbering {
    Unknown,
    /// `{}`, with how many there were.
    Automatic(usize),
    /// `{0}`.
    Manual,
}

pub(super) fn format(machine: &mut Machine, call: Call<'_>) -> Outcome {
    let text = of(&call);
    let mut out = String::with_capacity(text.len() + 16);
    let mut numbering = Numbering::Unknown;
    let mut rest = &*text;
    loop {
        let open = rest.find('{');
        push_literal(&mut out, &rest[..open.unwrap_or(rest.len())])?;
        let Some(open) = open else { break };
        rest = &rest[open + 1..];
        if let Some(behind) = rest.strip_prefix('{') {
            out.push('{');
            rest = behind;
            continue;
        }
        let Some((field, behind)) = rest.split_once('}') else {
            fail!("format: unmatched '{{' in format")
        };
        rest = behind;
        push_field(&mut out, field, &mut numbering, machine, &call)?;
    }
    Ok(Value::text(out))
}

/// Appends what is between fields, where `}}` stands for `}`.
fn push_literal(out: &mut String, mut literal: &str) -> Outcome<()> {
    while let Some((before, behind)) = literal.split_once('}') {
        let Some(behind) = behind.strip_prefix('}') else { fail!("format: single '}}' in format") };
        out.push_str(before);
        out.push('}');
        literal = behind;
    }
    out.push_str(literal);
    Ok(())
}

fn push_field(
    out: &mut String,
    field: &str,
    numbering: &mut Numbering,
    machine: &Machine,
    call: &Call<'_>,
) -> Outcome<()> {
    let (name, conversion, spec) = match field.split_once('!') {
        None => {
            let (name, spec) = field.split_once(':').unwrap_or((field, ""));
            (name, "s", spec)
        }
        Some((name, conversion)) => {
            let (conversion, spec) = conversion.split_once(':').unwrap_or((conversion, ""));
            (name, conversion, spec)
        }
    };
    let value = value_of(name, numbering, call)?;
    if !spec.is_empty() {
        fail!("format spec features not supported in replacement fields: {spec}")
    }
    match conversion {
        "s" => out.push_str(&machine.str(value)),
        "r" => out.push_str(&machine.repr(value)),
        other => fail!("format: unknown conversion {}", Quoted::new(other)),
    }
    Ok(())
}

fn value_of<'a>(name: &str, numbering: &mut Numbering, call: &Call<'a>) -> Outcome<&'a Value> {
    let number = if name.is_empty() {
        let next = match *numbering {
            Numbering::Unknown => 0,
            Numbering::Automatic(next) => next,
            Numbering::Manual => fail!(
                "format: cannot switch from manual field specification to automatic field numbering"
            ),
        };
        *numbering = Numbering::Automatic(next + 1);
        next
    } else if name.bytes().all(|digit| digit.is_ascii_digit()) {
        if let Numbering::Automatic(_) = numbering {
            fail!(
                "format: cannot switch from automatic field numbering to manual field specification"
            )
        }
        *numbering = Numbering::Manual;
        name.parse().unwrap_or(usize::MAX)
    } else {
        return named(name, call);
    };
    match call.get(number) {
        Some(value) => Ok(value),
        None => fail!("format: tuple index out of range"),
    }
}

fn named<'a>(name: &str, call: &Call<'a>) -> Outcome<&'a Value> {
    if let Some((_, value)) = call.named.iter().find(|(key, _)| **key == *name) {
        return Ok(value);
    }
    if name.contains('.') {
        fail!("format: attribute syntax x.y is not supported in replacement fields: {name}")
    }
    if name.contains('[') {
        fail!("format: element syntax a[i] is not supported in replacement fields: {name}")
    }
    if name.contains('{') {
        fail!("format: nested replacement fields not supported")
    }
    fail!("format: keyword {name} not found")
}
