//! Picks a part of a JSON document by a path.
//!
//! # References
//! The path syntax of the Go library GJSON, which Telegraf's options take. What there is here: keys
//! with wildcards, indices, `#`, `#(…)` and `#(…)#`, pipes, lists `[a,b]` and `{a,b}`, and the
//! modifiers below.

mod find;
mod scan;

pub use find::Found;
pub use scan::{Child, Children, Kind, unescaped};

use super::go::parse_float;

/// A compiled path.
#[derive(Debug, Clone, PartialEq)]
pub struct JsonPath {
    steps: Vec<Step>,
}

/// Why a path is none, or none that is known here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonPathError {
    /// A query in parentheses does not end.
    #[error("missing closing parenthesis in {0:?}")]
    Unclosed(String),
    /// A part of the syntax that is not there.
    #[error("{0:?} is not supported by this version")]
    Unsupported(String),
    /// It has more parts, behind each other or inside of each other, than anybody writes.
    #[error("path has too many parts")]
    TooLong,
}

/// How deep paths can stand inside of paths, in lists and conditions.
const MOST_DEPTH: usize = 100;

/// How many steps a path can have.
const MOST_STEPS: usize = 1_000;

#[derive(Debug, Clone, PartialEq)]
enum Step {
    /// A key of an object, or an index of an array.
    Key(Key),
    /// `#`: the number of elements, or what the rest of the path finds in each.
    Each,
    /// `#(…)`: the first element for which the condition holds.
    First(Condition),
    /// `#(…)#`: all elements for which the condition holds.
    All(Condition),
    /// `|`: ends what is done to each element.
    Pipe,
    Modifier(Modifier),
    /// `[a,b]` or `{"x":a,b}`: a list or an object made of what several paths find.
    Lists {
        is_object: bool,
        parts: Vec<Part>,
    },
}

/// One of the paths in a list, and its key if the list is an object.
#[derive(Debug, Clone, PartialEq)]
struct Part {
    /// A text in quotes.
    key: String,
    path: JsonPath,
}

#[derive(Debug, Clone, PartialEq)]
enum Key {
    Text(String),
    Wildcards(Vec<Wildcard>),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Wildcard {
    Char(char),
    One,
    Run,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Modifier {
    This,
    Reverse,
    Flatten,
    Keys,
    Values,
    Ugly,
    Valid,
    ToText,
    FromText,
}

/// What an element has to be.
#[derive(Debug, Clone, PartialEq)]
struct Condition {
    /// Where in the element to look; itself if empty.
    path: JsonPath,
    test: Option<(Comparison, Operand)>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Like,
    NotLike,
}

/// What an element is compared with.
#[derive(Debug, Clone, PartialEq)]
struct Operand {
    text: String,
    /// The text as a number; zero if it is none.
    number: f64,
    /// What is asked about the element in place of its value.
    nature: Option<Nature>,
}

/// What `~` asks about an element.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Nature {
    Existing,
    Null,
    True,
    False,
}

/// Signs of comparisons; of two that begin alike the longer comes first.
const COMPARISONS: [(&str, Comparison); 9] = [
    ("==", Comparison::Equal),
    ("=", Comparison::Equal),
    ("!=", Comparison::NotEqual),
    ("!%", Comparison::NotLike),
    ("<=", Comparison::LessOrEqual),
    ("<", Comparison::Less),
    (">=", Comparison::GreaterOrEqual),
    (">", Comparison::Greater),
    ("%", Comparison::Like),
];

impl JsonPath {
    /// Compiles a path.
    ///
    /// # Errors
    /// If it is none, or has parts that there are not here.
    pub fn new(path: &str) -> Result<JsonPath, JsonPathError> {
        JsonPath::within(path, 0)
    }

    /// Compiles a path that stands inside of so many others.
    fn within(path: &str, depth: usize) -> Result<JsonPath, JsonPathError> {
        if depth > MOST_DEPTH {
            return Err(JsonPathError::TooLong);
        }
        let mut steps = Vec::new();
        let mut rest = path;
        while !rest.is_empty() {
            if steps.len() >= MOST_STEPS {
                return Err(JsonPathError::TooLong);
            }
            let (step, after) = step(rest, depth)?;
            steps.push(step);
            rest = match after.strip_prefix('|') {
                Some(behind_pipe) => {
                    steps.push(Step::Pipe);
                    behind_pipe
                }
                None if after.is_empty() => after,
                None => after
                    .strip_prefix('.')
                    .ok_or_else(|| JsonPathError::Unsupported(rest.to_owned()))?,
            };
        }
        Ok(JsonPath { steps })
    }

    /// The part of a document, which must be valid, that the path leads to.
    pub fn find<'j>(&self, json: &'j str) -> Option<Found<'j>> {
        find::find(json, &self.steps)
    }
}

/// Reads a step up to the dot or pipe behind it.
fn step(path: &str, depth: usize) -> Result<(Step, &str), JsonPathError> {
    if path.starts_with(['{', '[']) {
        return lists(path, depth);
    }
    if path.starts_with("..") || path.starts_with('!') {
        return Err(JsonPathError::Unsupported(path.to_owned()));
    }
    if let Some(query) = path.strip_prefix("#(") {
        let end = closing(query).ok_or_else(|| JsonPathError::Unclosed(path.to_owned()))?;
        let condition = condition(&query[..end], depth)?;
        let after = &query[end + 1..];
        return Ok(match after.strip_prefix('#') {
            Some(after) => (Step::All(condition), after),
            None => (Step::First(condition), after),
        });
    }
    let end = first_unescaped(path, |c| matches!(c, '.' | '|')).unwrap_or(path.len());
    let (text, after) = path.split_at(end);
    let step = match text {
        "#" => Step::Each,
        "@this" => Step::Modifier(Modifier::This),
        "@reverse" => Step::Modifier(Modifier::Reverse),
        "@flatten" => Step::Modifier(Modifier::Flatten),
        "@keys" => Step::Modifier(Modifier::Keys),
        "@values" => Step::Modifier(Modifier::Values),
        "@ugly" => Step::Modifier(Modifier::Ugly),
        "@valid" => Step::Modifier(Modifier::Valid),
        "@tostr" => Step::Modifier(Modifier::ToText),
        "@fromstr" => Step::Modifier(Modifier::FromText),
        text if text.starts_with('@') => return Err(JsonPathError::Unsupported(text.to_owned())),
        text => Step::Key(key(text)),
    };
    Ok((step, after))
}

/// Where the parenthesis, bracket or brace that is open at the start closes.
fn closing(text: &str) -> Option<usize> {
    let (mut depth, mut quoted, mut escaped) = (1_usize, false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            '(' | '[' | '{' if !quoted => depth += 1,
            ')' | ']' | '}' if !quoted => {
                depth -= 1;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

/// The first character that is one of those asked for and has no backslash before it.
fn first_unescaped(text: &str, is_wanted: impl Fn(char) -> bool) -> Option<usize> {
    let mut escaped = false;
    text.char_indices().find_map(|(at, c)| {
        let found = !escaped && is_wanted(c);
        escaped = !escaped && c == '\\';
        found.then_some(at)
    })
}

fn key(text: &str) -> Key {
    let wildcards = wildcards(text);
    let plain = |wildcard: &Wildcard| match wildcard {
        Wildcard::Char(c) => Some(*c),
        _ => None,
    };
    match wildcards.iter().map(plain).collect() {
        Some(text) => Key::Text(text),
        None => Key::Wildcards(wildcards),
    }
}

fn wildcards(text: &str) -> Vec<Wildcard> {
    let mut wildcards = Vec::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        wildcards.push(match c {
            '*' => Wildcard::Run,
            '?' => Wildcard::One,
            '\\' => Wildcard::Char(chars.next().unwrap_or('\\')),
            c => Wildcard::Char(c),
        });
    }
    wildcards
}

fn condition(text: &str, depth: usize) -> Result<Condition, JsonPathError> {
    // Signs within the parentheses of a path belong to the path.
    let mut from = 0;
    let sign = loop {
        let Some(at) =
            first_unescaped(&text[from..], |c| matches!(c, '=' | '!' | '<' | '>' | '%' | '('))
        else {
            break None;
        };
        let at = from + at;
        if text[at..].starts_with('(') {
            let inner = &text[at + 1..];
            let end = closing(inner).ok_or_else(|| JsonPathError::Unclosed(text.to_owned()))?;
            from = at + 1 + end + 1;
        } else {
            break Some(at);
        }
    };
    let Some(at) = sign else {
        return Ok(Condition { path: JsonPath::within(text.trim(), depth + 1)?, test: None });
    };
    let (path, rest) = text.split_at(at);
    let (comparison, value) = COMPARISONS
        .iter()
        .find_map(|(sign, comparison)| rest.strip_prefix(sign).map(|value| (*comparison, value)))
        .ok_or_else(|| JsonPathError::Unsupported(text.to_owned()))?;
    let path = JsonPath::within(path.trim(), depth + 1)?;
    Ok(Condition { path, test: Some((comparison, operand(value.trim()))) })
}

fn operand(text: &str) -> Operand {
    let is_quoted = text.len() >= 2 && text.starts_with('"') && text.ends_with('"');
    let nature = match text {
        "~*" => Some(Nature::Existing),
        "~null" => Some(Nature::Null),
        "~true" => Some(Nature::True),
        "~false" => Some(Nature::False),
        _ => None,
    };
    let text = match nature {
        Some(_) => "true".to_owned(),
        None if is_quoted => scan::unescaped(text).into_owned(),
        None => text.to_owned(),
    };
    Operand { number: parse_float(&text).unwrap_or(0.0), text, nature }
}

/// Takes the parts of a list, which begins with a bracket or brace, off a path.
fn lists(path: &str, depth: usize) -> Result<(Step, &str), JsonPathError> {
    let unclosed = || JsonPathError::Unclosed(path.to_owned());
    let end = closing(&path[1..]).ok_or_else(unclosed)?;
    let (inner, after) = (&path[1..=end], &path[end + 2..]);
    let is_object = path.starts_with('{');
    let mut parts = Vec::new();
    for part in split_parts(inner) {
        let part = part.trim();
        let named = part.strip_prefix('"').and_then(|rest| {
            let end = first_unescaped(rest, |c| c == '"')?;
            Some((&part[..end + 2], rest[end + 1..].strip_prefix(':')?))
        });
        let (key, path) = match named {
            Some((key, path)) => (key.to_owned(), path),
            None => (format!("\"{}\"", last_name(part)), part),
        };
        parts.push(Part { key, path: JsonPath::within(path.trim(), depth + 1)? });
    }
    Ok((Step::Lists { is_object, parts }, after))
}

/// Splits at commas that are neither in quotes nor within brackets.
fn split_parts(text: &str) -> Vec<&str> {
    let (mut parts, mut start, mut depth, mut quoted, mut escaped) =
        (Vec::new(), 0, 0_usize, false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            '(' | '[' | '{' if !quoted => depth += 1,
            ')' | ']' | '}' if !quoted => depth = depth.saturating_sub(1),
            ',' if !quoted && depth == 0 => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

/// The last key of a path, which is what an object made of paths has for a key.
fn last_name(path: &str) -> &str {
    let name = path.rsplit(['.', '|']).next().unwrap_or(path);
    let is_simple = name.chars().all(|c| {
        c > ' ' && !matches!(c, '[' | ']' | '{' | '}' | '(' | ')' | '#' | '|' | '!' | '"' | '\\')
    });
    if is_simple { name } else { "_" }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn document() -> Value {
        json!({
            "name": {"first": "Tom", "last": "Anderson"},
            "age": 37,
            "children": ["Sara", "Alex", "Jack"],
            "fav.movie": "Deer Hunter",
            "nested": [[1, 2], [3]],
            "friends": [
                {"first": "Dale", "last": "Murphy", "age": 44, "nets": ["ig", "fb", "tw"]},
                {"first": "Roger", "last": "Craig", "age": 68, "nets": ["fb", "tw"]},
                {"first": "Jane", "last": "Murphy", "age": 47, "nets": ["ig", "tw"]}
            ]
        })
    }

    fn find(path: &str) -> Option<Value> {
        let json = document().to_string();
        let found = JsonPath::new(path).unwrap().find(&json)?;
        Some(serde_json::from_str(&found.raw).unwrap())
    }

    #[test]
    fn paths_lead_where_gjson_says() {
        for (path, expected) in [
            ("name.last", json!("Anderson")),
            ("age", json!(37)),
            ("children.#", json!(3)),
            ("children.1", json!("Alex")),
            ("child*.2", json!("Jack")),
            ("c?ildren.0", json!("Sara")),
            ("fav\\.movie", json!("Deer Hunter")),
            ("friends.#.first", json!(["Dale", "Roger", "Jane"])),
            ("friends.1.last", json!("Craig")),
            ("friends.#(last==\"Murphy\").first", json!("Dale")),
            ("friends.#(last==\"Murphy\")#.first", json!(["Dale", "Jane"])),
            ("friends.#(age>45)#.last", json!(["Craig", "Murphy"])),
            ("friends.#(first%\"D*\").last", json!("Murphy")),
            ("friends.#(first!%\"D*\").last", json!("Craig")),
            ("friends.#(nets.#(==\"fb\"))#.first", json!(["Dale", "Roger"])),
            ("friends.#(age)#.age", json!([44, 68, 47])),
            ("children.#(!=\"Sara\")#", json!(["Alex", "Jack"])),
            ("friends.#.first|0", json!("Dale")),
            ("friends.#(age>45)#|#", json!(2)),
            ("children|@reverse", json!(["Jack", "Alex", "Sara"])),
            ("nested.@flatten", json!([1, 2, 3])),
            ("name.@keys", json!(["first", "last"])),
            ("name.@values.0", json!("Tom")),
            ("@this.age", json!(37)),
            ("name.@this.last", json!("Anderson")),
            ("{name.first,\"a\":age,none}", json!({"first": "Tom", "a": 37})),
            ("name.[last,first]", json!(["Anderson", "Tom"])),
            ("friends.#.{first,\"n\":nets.#}|0.n", json!(3)),
            ("children.@tostr.@fromstr.0", json!("Sara")),
            ("friends.#(age>=~true).age", json!(44)),
        ] {
            assert_eq!(find(path), Some(expected), "{path}");
        }
        for path in ["nosuch", "name.nosuch", "children.3", "age.x", "friends.#(age>100)", "name.#"]
        {
            assert_eq!(find(path), None, "{path}");
        }
    }

    #[test]
    fn a_path_may_be_only_so_long_and_deep() {
        for path in [
            "[".repeat(200) + &"]".repeat(200),
            "#(".repeat(200) + &")".repeat(200),
            "a.".repeat(2_000),
        ] {
            assert_eq!(JsonPath::new(&path).err(), Some(JsonPathError::TooLong), "{path}");
        }
        assert!(JsonPath::new(&("[".repeat(50) + "a" + &"]".repeat(50))).is_ok());
    }

    #[test]
    fn what_is_not_there_is_refused_by_name() {
        for path in ["#(a)é", "!1", "..#", "@pretty"] {
            assert!(matches!(JsonPath::new(path), Err(JsonPathError::Unsupported(_))), "{path}");
        }
        assert!(matches!(JsonPath::new("a.#(b==1"), Err(JsonPathError::Unclosed(_))));
    }

    proptest! {
        #[test]
        fn no_path_makes_it_panic(path in r#"[a-c.#()|*?\\"=<>!%@1é]{0,24}"#) {
            if let Ok(query) = JsonPath::new(&path) {
                query.find(&document().to_string());
            }
        }
    }
}
