//! Goes where a path leads, on the text of the document.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::scan::{Child, Children, Kind, unescaped};
use super::{Comparison, Condition, Key, Modifier, Nature, Step, Wildcard, wildcards};
use crate::plugin::go::parse_float;

/// What a path leads to.
#[derive(Debug, Clone, PartialEq)]
pub struct Found<'j> {
    /// Its text in the document, or one that was made.
    pub raw: Cow<'j, str>,
    /// Where in the document the text is; 0 if it was made.
    pub index: usize,
    /// Where in the document the elements are of an array that was made of them.
    pub indexes: Option<Vec<usize>>,
    /// Whether it has places that move with the document.
    is_placed: bool,
}

impl<'j> Found<'j> {
    fn part(raw: &'j str) -> Found<'j> {
        Found { raw: Cow::Borrowed(raw), index: 0, indexes: None, is_placed: true }
    }

    /// The same, seen from what it was found in, which is at `offset`.
    fn within(mut self, offset: usize) -> Found<'j> {
        if self.is_placed {
            match &mut self.indexes {
                Some(indexes) => indexes.iter_mut().for_each(|index| *index += offset),
                None => self.index += offset,
            }
        }
        self
    }

    fn without_place(self) -> Found<'j> {
        Found { index: 0, is_placed: false, ..self }
    }

    fn into_owned<'o>(self) -> Found<'o> {
        Found { raw: Cow::Owned(self.raw.into_owned()), ..self }
    }
}

pub(super) fn find<'j>(json: &'j str, steps: &[Step]) -> Option<Found<'j>> {
    let Some((first, rest)) = steps.split_first() else {
        let raw = json.trim_start();
        return Some(Found::part(raw.trim_end()).within(json.len() - raw.len()));
    };
    match first {
        Step::Key(key) => {
            let child = member(json, key)?;
            Some(find(child.raw, rest)?.within(child.at))
        }
        Step::Pipe => Some(find(json, rest)?.without_place()),
        Step::Modifier(modifier) => {
            let made = modify(json, *modifier)?;
            Some(find(&made, rest)?.into_owned().without_place())
        }
        Step::Lists { is_object, parts } => {
            let mut made = String::from(if *is_object { "{" } else { "[" });
            for part in parts {
                let Some(found) = part.path.find(json) else { continue };
                if made.len() > 1 {
                    made.push(',');
                }
                if *is_object {
                    made.push_str(&part.key);
                    made.push(':');
                }
                made.push_str(&found.raw);
            }
            made.push(if *is_object { '}' } else { ']' });
            Some(find(&made, rest)?.into_owned().without_place())
        }
        Step::First(condition) => {
            let child = elements(json)?.find(|child| condition.holds(child.raw))?;
            Some(find(child.raw, rest)?.within(child.at))
        }
        Step::All(condition) => {
            each(elements(json)?.filter(|child| condition.holds(child.raw)), rest)
        }
        Step::Each => match rest.first() {
            None | Some(Step::Pipe) => {
                let count = elements(json)?.count().to_string();
                Some(find(&count, rest)?.into_owned().without_place())
            }
            Some(_) => each(elements(json)?, rest),
        },
    }
}

/// The elements of an array; none if it is no array.
fn elements(json: &str) -> Option<Children<'_>> {
    (Kind::of(json) == Kind::Array).then(|| Children::of(json))
}

/// What the steps up to the next pipe find in each element, for the steps behind the pipe.
fn each<'j>(children: impl Iterator<Item = Child<'j>>, steps: &[Step]) -> Option<Found<'j>> {
    let pipe = steps.iter().position(|step| *step == Step::Pipe).unwrap_or(steps.len());
    let (inner, outer) = steps.split_at(pipe);
    let (mut made, mut indexes) = (String::from("["), Vec::new());
    for child in children {
        let Some(found) = find(child.raw, inner) else { continue };
        if !indexes.is_empty() {
            made.push(',');
        }
        made.push_str(&found.raw);
        indexes.push(found.index + if found.indexes.is_some() { 0 } else { child.at });
    }
    made.push(']');
    if outer.is_empty() {
        return Some(Found { raw: made.into(), index: 0, indexes: Some(indexes), is_placed: true });
    }
    Some(find(&made, outer)?.into_owned().without_place())
}

fn member<'j>(json: &'j str, key: &Key) -> Option<Child<'j>> {
    match (Kind::of(json), key) {
        (Kind::Object, Key::Text(key)) => {
            Children::of(json).find(|child| child.name().as_deref() == Some(key.as_str()))
        }
        (Kind::Object, Key::Wildcards(wildcards)) => Children::of(json)
            .find(|child| child.name().is_some_and(|name| is_like(&name, wildcards))),
        (Kind::Array, Key::Text(index)) => {
            Children::of(json).nth(index.parse::<usize>().ok().filter(|_| !index.starts_with('+'))?)
        }
        _ => None,
    }
}

fn modify(json: &str, modifier: Modifier) -> Option<String> {
    let kind = Kind::of(json);
    let list = |parts: Vec<&str>| format!("[{}]", parts.join(","));
    Some(match (modifier, kind) {
        (Modifier::Reverse, Kind::Array) => {
            let mut parts: Vec<_> = Children::of(json).map(|child| child.raw).collect();
            parts.reverse();
            list(parts)
        }
        (Modifier::Reverse, Kind::Object) => {
            let mut parts: Vec<_> = Children::of(json)
                .map(|child| format!("{}:{}", child.key.unwrap_or_default(), child.raw))
                .collect();
            parts.reverse();
            format!("{{{}}}", parts.join(","))
        }
        (Modifier::Flatten, Kind::Array) => {
            let mut parts = Vec::new();
            for child in Children::of(json) {
                match Kind::of(child.raw) {
                    Kind::Array => parts.extend(Children::of(child.raw).map(|inner| inner.raw)),
                    _ => parts.push(child.raw),
                }
            }
            list(parts)
        }
        (Modifier::Keys, Kind::Object) => {
            list(Children::of(json).filter_map(|child| child.key).collect())
        }
        (Modifier::Values, Kind::Object) => {
            list(Children::of(json).map(|child| child.raw).collect())
        }
        (Modifier::Keys | Modifier::Values, _) => return None,
        (Modifier::Ugly, _) => without_blanks(json),
        (Modifier::ToText, _) => serde_json::to_string(json).ok()?,
        (Modifier::FromText, Kind::Text) => {
            let text = unescaped(json).into_owned();
            serde_json::from_str::<serde::de::IgnoredAny>(&text).ok()?;
            text
        }
        (Modifier::FromText, _) => return None,
        _ => json.to_owned(),
    })
}

/// The document without what is between its tokens.
fn without_blanks(json: &str) -> String {
    let (mut quoted, mut escaped) = (false, false);
    let keep = |c: &char| {
        let was_quoted = quoted;
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = quoted,
            '"' => quoted = !quoted,
            _ => {}
        }
        was_quoted || *c > ' '
    };
    json.chars().filter(keep).collect()
}

impl Condition {
    fn holds(&self, element: &str) -> bool {
        let found = match Kind::of(element) {
            Kind::Array | Kind::Object => self.path.find(element),
            _ if self.path.steps.is_empty() => Some(Found::part(element)),
            _ => return false,
        };
        let Some((comparison, operand)) = &self.test else { return found.is_some() };
        let raw = match (operand.nature, &found) {
            (Some(nature), found) => {
                let raw = found.as_ref().map(|found| found.raw.as_ref());
                if nature.is_of(raw) { "true" } else { "false" }
            }
            (None, Some(found)) => &found.raw,
            (None, None) => return false,
        };
        match Kind::of(raw) {
            Kind::Text => {
                let text = unescaped(raw);
                match comparison {
                    Comparison::Like => is_like(&text, &wildcards(&operand.text)),
                    Comparison::NotLike => !is_like(&text, &wildcards(&operand.text)),
                    _ => comparison.holds(Some(text.as_ref().cmp(operand.text.as_str()))),
                }
            }
            Kind::Number => {
                let number = parse_float(raw).unwrap_or(0.0);
                comparison.holds(number.partial_cmp(&operand.number))
            }
            kind @ (Kind::True | Kind::False) => {
                let is_true = kind == Kind::True;
                let same = operand.text == if is_true { "true" } else { "false" };
                let other = operand.text == if is_true { "false" } else { "true" };
                match comparison {
                    Comparison::Equal => same,
                    Comparison::NotEqual => !same,
                    Comparison::Greater => is_true && other,
                    Comparison::GreaterOrEqual => is_true,
                    Comparison::Less => !is_true && other,
                    Comparison::LessOrEqual => !is_true,
                    Comparison::Like | Comparison::NotLike => false,
                }
            }
            Kind::Null | Kind::Array | Kind::Object => false,
        }
    }
}

impl Nature {
    fn is_of(self, raw: Option<&str>) -> bool {
        let kind = raw.map(Kind::of);
        match self {
            Nature::Existing => raw.is_some(),
            Nature::Null => matches!(kind, None | Some(Kind::Null)),
            Nature::True => raw.is_some_and(is_trueish),
            Nature::False => raw.is_none_or(is_falseish),
        }
    }
}

fn is_trueish(raw: &str) -> bool {
    match Kind::of(raw) {
        Kind::True => true,
        Kind::Text => matches!(unescaped(raw).to_lowercase().as_str(), "1" | "t" | "true"),
        Kind::Number => parse_float(raw).is_ok_and(|number| number != 0.0),
        _ => false,
    }
}

fn is_falseish(raw: &str) -> bool {
    match Kind::of(raw) {
        Kind::Null | Kind::False => true,
        Kind::Text => matches!(unescaped(raw).to_lowercase().as_str(), "0" | "f" | "false"),
        Kind::Number => parse_float(raw).is_ok_and(|number| number == 0.0),
        _ => false,
    }
}

impl Comparison {
    fn holds(self, order: Option<Ordering>) -> bool {
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
