//! Selectors, which say of what labels or fields a pod has to be.
//!
//! # References
//! Kubernetes' documentation, "Labels and Selectors" and "Field Selectors".

use std::collections::BTreeMap;

/// A selector that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum SelectorError {
    #[error("unable to parse requirement: {0:?} is none")]
    Requirement(String),
    #[error("unable to parse requirement: {0:?} is no whole number")]
    Number(String),
    #[error("invalid selector: '{selector}'; can't understand '{part}'")]
    Field { selector: String, part: String },
}

/// What labels have to be; all requirements hold at once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct LabelSelector(Vec<Requirement>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Requirement {
    key: String,
    operator: Operator,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Operator {
    Exists,
    IsAbsent,
    IsOneOf(Vec<String>),
    /// Labels that are absent are none of them.
    IsNoneOf(Vec<String>),
    IsMoreThan(i64),
    IsLessThan(i64),
}

impl LabelSelector {
    /// Reads a selector; an empty one holds for all.
    pub(super) fn parse(text: &str) -> Result<LabelSelector, SelectorError> {
        let parts = split_outside_parentheses(text);
        let requirements = parts.iter().filter(|part| !part.trim().is_empty());
        requirements
            .map(|part| requirement(part.trim()))
            .collect::<Result<_, _>>()
            .map(LabelSelector)
    }

    /// Whether labels are so.
    pub(super) fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.0.iter().all(|Requirement { key, operator }| {
            let value = labels.get(key);
            let number = || value.and_then(|value| value.parse::<i64>().ok());
            match operator {
                Operator::Exists => value.is_some(),
                Operator::IsAbsent => value.is_none(),
                Operator::IsOneOf(values) => value.is_some_and(|value| values.contains(value)),
                Operator::IsNoneOf(values) => !value.is_some_and(|value| values.contains(value)),
                Operator::IsMoreThan(bound) => number().is_some_and(|number| number > *bound),
                Operator::IsLessThan(bound) => number().is_some_and(|number| number < *bound),
            }
        })
    }
}

fn split_outside_parentheses(text: &str) -> Vec<&str> {
    let (mut parts, mut start, mut depth) = (Vec::new(), 0, 0_i32);
    for (at, character) in text.char_indices() {
        match character {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

fn requirement(text: &str) -> Result<Requirement, SelectorError> {
    let wrong = || SelectorError::Requirement(text.to_owned());
    let made = |key: &str, operator| match is_key(key.trim()) {
        true => Ok(Requirement { key: key.trim().to_owned(), operator }),
        false => Err(wrong()),
    };
    let one = |value: &str| vec![value.trim().to_owned()];
    if let Some((key, value)) = text.split_once("!=") {
        return made(key, Operator::IsNoneOf(one(value)));
    }
    if let Some((key, value)) = text.split_once("==").or_else(|| text.split_once('=')) {
        return made(key, Operator::IsOneOf(one(value)));
    }
    if let Some((key, bound)) = text.split_once(['>', '<']) {
        let number = || SelectorError::Number(bound.trim().to_owned());
        let bound = bound.trim().parse().map_err(|_| number())?;
        return made(
            key,
            match text.contains('>') {
                true => Operator::IsMoreThan(bound),
                false => Operator::IsLessThan(bound),
            },
        );
    }
    if let Some((before, list)) = text.split_once('(') {
        let list = list.trim_end().strip_suffix(')').ok_or_else(wrong)?;
        let values = list.split(',').map(|value| value.trim().to_owned()).collect();
        let (key, word) = before.trim().rsplit_once([' ', '\t']).ok_or_else(wrong)?;
        return match word {
            "in" => made(key, Operator::IsOneOf(values)),
            "notin" => made(key, Operator::IsNoneOf(values)),
            _ => Err(wrong()),
        };
    }
    match text.strip_prefix('!') {
        Some(key) => made(key, Operator::IsAbsent),
        None => made(text, Operator::Exists),
    }
}

/// Whether a text is the name of a label, with or without the name of a domain before it.
fn is_key(text: &str) -> bool {
    let is_edge = |c: char| c.is_ascii_alphanumeric();
    let is_inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let (domain, name) = text.split_once('/').unwrap_or(("x", text));
    [domain, name].iter().all(|part| {
        part.starts_with(is_edge) && part.ends_with(is_edge) && part.chars().all(is_inner)
    })
}

/// What fields have to be or not to be: name, whether it has to be so, and value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct FieldSelector(Vec<(String, Equality, String)>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Equality {
    Equal,
    Unequal,
}

impl FieldSelector {
    /// Reads a selector; an empty one holds for all.
    pub(super) fn parse(text: &str) -> Result<FieldSelector, SelectorError> {
        let mut terms = Vec::new();
        for part in text.split(',').filter(|part| !part.is_empty()) {
            let (name, equality, value) = if let Some((name, value)) = part.split_once("!=") {
                (name, Equality::Unequal, value)
            } else if let Some((name, value)) =
                part.split_once("==").or_else(|| part.split_once('='))
            {
                (name, Equality::Equal, value)
            } else {
                let (selector, part) = (text.to_owned(), part.to_owned());
                return Err(SelectorError::Field { selector, part });
            };
            terms.push((name.to_owned(), equality, value.to_owned()));
        }
        Ok(FieldSelector(terms))
    }

    /// The names of the fields.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, ..)| name.as_str())
    }

    /// Whether fields are so, which `get` tells.
    pub(super) fn matches<'p>(&self, get: impl Fn(&str) -> &'p str) -> bool {
        self.0
            .iter()
            .all(|(name, equality, value)| (get(name) == value) == (*equality == Equality::Equal))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_held_against_every_requirement() {
        let labels = [("app", "web"), ("tier", "2"), ("x.io/y", "")];
        let labels = labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        for (selector, expected) in [
            ("", true),
            ("app=web", true),
            ("app == web, tier=2", true),
            ("app=web,tier=3", false),
            ("app!=web", false),
            ("other!=web", true),
            ("app in (db, web)", true),
            ("app notin (db,web)", false),
            ("other notin (db)", true),
            ("app", true),
            ("other", false),
            ("!other,!app", false),
            ("x.io/y", true),
            ("x.io/y=", true),
            ("tier>1,tier < 3", true),
            ("tier>2", false),
            ("app>1", false),
        ] {
            let parsed = LabelSelector::parse(selector).unwrap();
            assert_eq!(parsed.matches(&labels), expected, "{selector}");
        }
        for wrong in ["a b", "=x", "app in web", "app on (x)", "a in (x", "tier>x", "-a", "a/b/c"] {
            assert!(LabelSelector::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn fields_are_or_are_not_what_they_have_to_be() {
        let get = |name: &str| if name == "spec.nodeName" { "n1" } else { "" };
        for (selector, expected) in [
            ("", true),
            ("spec.nodeName=n1", true),
            ("spec.nodeName==n1,status.podIP=", true),
            ("spec.nodeName!=n1", false),
            ("spec.nodeName=n2", false),
        ] {
            assert_eq!(FieldSelector::parse(selector).unwrap().matches(get), expected);
        }
        let error = FieldSelector::parse("a=b,c").unwrap_err().to_string();
        assert_eq!(error, "invalid selector: 'a=b,c'; can't understand 'c'");
        assert_eq!(
            FieldSelector::parse("a=b,c!=d").unwrap().names().collect::<Vec<_>>(),
            ["a", "c"]
        );
    }
}
