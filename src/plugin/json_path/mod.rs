//! Picks a part of a document by a path.
//!
//! # References
//! The path syntax of the Go library GJSON, which Telegraf's `json_query` takes. What there is here:
//! keys with wildcards, indices, `#`, `#(…)` and `#(…)#`, pipes, and the modifiers below.

use serde_json::Value;

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
}

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

#[derive(Debug, Clone, PartialEq)]
enum Operand {
    Text(String),
    Number(f64),
    Boolean(bool),
    Null,
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
    pub fn new(path: &str) -> Result<JsonPath, JsonPathError> {
        let mut steps = Vec::new();
        let mut rest = path;
        while !rest.is_empty() {
            let (step, after) = step(rest)?;
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

    /// The part of `value` that the path leads to.
    pub fn find(&self, value: &Value) -> Option<Value> {
        find(value, &self.steps)
    }
}

/// Reads a step up to the dot or pipe behind it.
fn step(path: &str) -> Result<(Step, &str), JsonPathError> {
    if path.starts_with("..") || path.starts_with(['{', '[', '!']) {
        return Err(JsonPathError::Unsupported(path.to_owned()));
    }
    if let Some(query) = path.strip_prefix("#(") {
        let end = closing(query).ok_or_else(|| JsonPathError::Unclosed(path.to_owned()))?;
        let condition = condition(&query[..end])?;
        let after = &query[end + 1..];
        return Ok(match after.strip_prefix('#') {
            Some(after) => (Step::All(condition), after),
            None => (Step::First(condition), after),
        });
    }
    let end = unescaped(path, |c| matches!(c, '.' | '|')).unwrap_or(path.len());
    let (text, after) = path.split_at(end);
    let step = match text {
        "#" => Step::Each,
        "@this" => Step::Modifier(Modifier::This),
        "@reverse" => Step::Modifier(Modifier::Reverse),
        "@flatten" => Step::Modifier(Modifier::Flatten),
        "@keys" => Step::Modifier(Modifier::Keys),
        "@values" => Step::Modifier(Modifier::Values),
        text if text.starts_with('@') => return Err(JsonPathError::Unsupported(text.to_owned())),
        text => Step::Key(key(text)),
    };
    Ok((step, after))
}

/// Where the parenthesis that is open at the start closes.
fn closing(text: &str) -> Option<usize> {
    let (mut depth, mut quoted, mut escaped) = (1_usize, false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => {
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
fn unescaped(text: &str, is_wanted: impl Fn(char) -> bool) -> Option<usize> {
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

fn condition(text: &str) -> Result<Condition, JsonPathError> {
    // Signs within the parentheses of a path belong to the path.
    let mut from = 0;
    let sign = loop {
        let Some(at) = unescaped(&text[from..], |c| matches!(c, '=' | '!' | '<' | '>' | '%' | '('))
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
        return Ok(Condition { path: JsonPath::new(text.trim())?, test: None });
    };
    let (path, rest) = text.split_at(at);
    let (comparison, value) = COMPARISONS
        .iter()
        .find_map(|(sign, comparison)| rest.strip_prefix(sign).map(|value| (*comparison, value)))
        .ok_or_else(|| JsonPathError::Unsupported(text.to_owned()))?;
    if value.trim_start().starts_with('~') {
        return Err(JsonPathError::Unsupported(text.to_owned()));
    }
    let path = JsonPath::new(path.trim())?;
    Ok(Condition { path, test: Some((comparison, operand(value.trim()))) })
}

fn operand(text: &str) -> Operand {
    match serde_json::from_str(text) {
        Ok(Value::String(text)) => Operand::Text(text),
        Ok(Value::Number(number)) => Operand::Number(number.as_f64().unwrap_or(f64::NAN)),
        Ok(Value::Bool(value)) => Operand::Boolean(value),
        Ok(Value::Null) => Operand::Null,
        // Texts need no quotes.
        _ => Operand::Text(text.to_owned()),
    }
}

fn find(value: &Value, steps: &[Step]) -> Option<Value> {
    let Some((first, rest)) = steps.split_first() else { return Some(value.clone()) };
    match first {
        Step::Key(key) => find(member(value, key)?, rest),
        Step::Pipe => find(value, rest),
        Step::Modifier(modifier) => find(&modify(value, *modifier)?, rest),
        Step::First(condition) => {
            let found = value.as_array()?.iter().find(|element| condition.holds(element))?;
            find(found, rest)
        }
        Step::All(condition) => {
            let elements = value.as_array()?.iter().filter(|element| condition.holds(element));
            each(elements, rest)
        }
        Step::Each => {
            let elements = value.as_array()?;
            match rest.first() {
                None | Some(Step::Pipe) => find(&Value::from(elements.len()), rest),
                Some(_) => each(elements.iter(), rest),
            }
        }
    }
}

/// What the steps up to the next pipe find in each element, for the steps behind the pipe.
fn each<'v>(elements: impl Iterator<Item = &'v Value>, steps: &[Step]) -> Option<Value> {
    let pipe = steps.iter().position(|step| *step == Step::Pipe).unwrap_or(steps.len());
    let (inner, outer) = steps.split_at(pipe);
    find(&elements.filter_map(|element| find(element, inner)).collect(), outer)
}

fn member<'v>(value: &'v Value, key: &Key) -> Option<&'v Value> {
    match (value, key) {
        (Value::Object(members), Key::Text(key)) => members.get(key),
        (Value::Object(members), Key::Wildcards(wildcards)) => {
            members.iter().find_map(|(name, member)| is_like(name, wildcards).then_some(member))
        }
        (Value::Array(elements), Key::Text(index)) => elements.get(index.parse::<usize>().ok()?),
        _ => None,
    }
}

fn modify(value: &Value, modifier: Modifier) -> Option<Value> {
    Some(match (modifier, value) {
        (Modifier::Reverse, Value::Array(elements)) => elements.iter().rev().cloned().collect(),
        (Modifier::Flatten, Value::Array(elements)) => elements
            .iter()
            .flat_map(|element| match element {
                Value::Array(inner) => inner.clone(),
                other => vec![other.clone()],
            })
            .collect(),
        (Modifier::Keys, Value::Object(members)) => members.keys().cloned().collect(),
        (Modifier::Values, Value::Object(members)) => members.values().cloned().collect(),
        (Modifier::Keys | Modifier::Values, _) => return None,
        (_, value) => value.clone(),
    })
}

impl Condition {
    fn holds(&self, element: &Value) -> bool {
        let Some(found) = self.path.find(element) else { return false };
        let Some((comparison, operand)) = &self.test else { return true };
        match (&found, operand) {
            (Value::String(text), Operand::Text(wanted)) => match comparison {
                Comparison::Like => is_like(text, &wildcards(wanted)),
                Comparison::NotLike => !is_like(text, &wildcards(wanted)),
                _ => comparison.holds(text.as_str().partial_cmp(wanted.as_str())),
            },
            (Value::Number(number), Operand::Number(wanted)) => {
                comparison.holds(number.as_f64().and_then(|number| number.partial_cmp(wanted)))
            }
            (Value::Bool(value), Operand::Boolean(wanted)) => {
                comparison.holds(value.partial_cmp(wanted))
            }
            (Value::Null, Operand::Null) => comparison.holds(Some(std::cmp::Ordering::Equal)),
            _ => matches!(comparison, Comparison::NotEqual),
        }
    }
}

impl Comparison {
    fn holds(self, order: Option<std::cmp::Ordering>) -> bool {
        order.is_some_and(|order| match self {
            Comparison::Equal => order.is_eq(),
            Comparison::NotEqual => order.is_ne(),
            Comparison::Less => order.is_lt(),
            Comparison::LessOrEqual => order.is_le(),
            Comparison::Greater => order.is_gt(),
            Comparison::GreaterOrEqual => order.is_ge(),
            Comparison::Like | Comparison::NotLike => false,
        })
    }
}

fn is_like(text: &str, wildcards: &[Wildcard]) -> bool {
    let text: Vec<char> = text.chars().collect();
    let (mut wildcard, mut at) = (0, 0);
    // Where to go on after the last run if what follows it does not fit.
    let mut retry = None;
    loop {
        match (wildcards.get(wildcard), text.get(at)) {
            (Some(Wildcard::Run), _) => {
                wildcard += 1;
                retry = Some((wildcard, at));
                continue;
            }
            (Some(Wildcard::One), Some(_)) => {
                wildcard += 1;
                at += 1;
                continue;
            }
            (Some(Wildcard::Char(wanted)), Some(c)) if wanted == c => {
                wildcard += 1;
                at += 1;
                continue;
            }
            (None, None) => return true,
            _ => {}
        }
        match retry {
            Some((after_run, from)) if from < text.len() => {
                retry = Some((after_run, from + 1));
                (wildcard, at) = (after_run, from + 1);
            }
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

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
        ] {
            assert_eq!(JsonPath::new(path).unwrap().find(&document()), Some(expected), "{path}");
        }
        for path in ["nosuch", "name.nosuch", "children.3", "age.x", "friends.#(age>100)", "name.#"]
        {
            assert_eq!(JsonPath::new(path).unwrap().find(&document()), None, "{path}");
        }
    }

    #[test]
    fn what_is_not_there_is_refused_by_name() {
        for path in ["#(a)é", "{name,age}", "[age]", "!1", "..#", "@pretty", "a.#(b==~true)"] {
            assert!(matches!(JsonPath::new(path), Err(JsonPathError::Unsupported(_))), "{path}");
        }
        assert!(matches!(JsonPath::new("a.#(b==1"), Err(JsonPathError::Unclosed(_))));
    }

    proptest! {
        #[test]
        fn no_path_makes_it_panic(path in r#"[a-c.#()|*?\\"=<>!%@1é]{0,24}"#) {
            if let Ok(query) = JsonPath::new(&path) {
                query.find(&document());
            }
        }
    }
}
