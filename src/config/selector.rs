//! Which plugins run by their labels: `--select "app=web;region=eu*"`.
//!
//! # References
//! Telegraf's `config/plugin_selector.go`: conditions of one selection must all hold, of several
//! selections one; plugins without labels always run.

use std::collections::BTreeMap;

use crate::plugin::glob::{Glob, GlobError};

/// The selections of the command line.
#[derive(Debug, Clone, Default)]
pub struct Selector {
    selections: Vec<Vec<(String, Glob)>>,
}

/// Why a selection or a label is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelectorError {
    /// A condition has no `=`.
    #[error("invalid selector {0:?}: missing equal sign")]
    NoEqualSign(String),
    /// A selection names a label twice.
    #[error("duplicate selector key {0:?} within one statement")]
    Duplicate(String),
    /// A condition has characters that labels cannot have.
    #[error("invalid selector {condition:?}: {source}")]
    Invalid {
        /// The condition.
        condition: String,
        /// What is wrong with it.
        source: LabelError,
    },
    /// A condition's value is no pattern.
    #[error("compiling filter for selector {condition:?} failed: {source}")]
    Pattern {
        /// The condition.
        condition: String,
        /// What is wrong with it.
        source: GlobError,
    },
}

/// Why a label is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LabelError {
    /// The key has characters that it cannot have, or none.
    #[error("invalid key {0:?}")]
    Key(String),
    /// The value has characters that it cannot have, or none.
    #[error("invalid value {0:?}")]
    Value(String),
}

impl Selector {
    /// Reads selections, each of conditions `key=pattern` between semicolons.
    ///
    /// # Errors
    /// The first condition that is wrong.
    pub fn new<S: AsRef<str>>(selections: &[S]) -> Result<Selector, SelectorError> {
        let selections = selections.iter().map(AsRef::as_ref).filter(|text| !text.is_empty());
        Ok(Selector { selections: selections.map(parse).collect::<Result<_, _>>()? })
    }

    /// Whether a plugin with these labels runs.
    pub fn selects(&self, labels: &BTreeMap<String, String>) -> bool {
        labels.is_empty()
            || self.selections.is_empty()
            || self.selections.iter().any(|conditions| {
                conditions.iter().all(|(key, pattern)| {
                    labels.get(key).is_some_and(|value| pattern.matches(value))
                })
            })
    }
}

fn parse(selection: &str) -> Result<Vec<(String, Glob)>, SelectorError> {
    let mut conditions: Vec<(String, Glob)> = Vec::new();
    for condition in selection.split(';') {
        let Some((key, value)) = condition.split_once('=') else {
            return Err(SelectorError::NoEqualSign(condition.to_owned()));
        };
        let (key, value) = (key.trim(), value.trim());
        if conditions.iter().any(|(known, _)| known == key) {
            return Err(SelectorError::Duplicate(key.to_owned()));
        }
        check(key, value, "*?")
            .map_err(|source| SelectorError::Invalid { condition: condition.to_owned(), source })?;
        let pattern = Glob::new(value, "")
            .map_err(|source| SelectorError::Pattern { condition: condition.to_owned(), source })?;
        conditions.push((key.to_owned(), pattern));
    }
    Ok(conditions)
}

/// Checks the labels of a plugin.
///
/// # Errors
/// The first one with characters that labels cannot have.
pub(super) fn check_labels(labels: &BTreeMap<String, String>) -> Result<(), LabelError> {
    labels.iter().try_for_each(|(key, value)| check(key, value, ""))
}

fn check(key: &str, value: &str, also_in_value: &str) -> Result<(), LabelError> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if key.is_empty() || !key.chars().all(is_plain) {
        return Err(LabelError::Key(key.to_owned()));
    }
    if value.is_empty() || !value.chars().all(|c| is_plain(c) || also_in_value.contains(c)) {
        return Err(LabelError::Value(value.to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(text: &str) -> BTreeMap<String, String> {
        let pairs = text.split(' ').filter_map(|pair| pair.split_once('='));
        pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
    }

    #[test]
    fn conditions_of_one_selection_must_all_hold_and_of_several_one() {
        for (selections, plugin, selected) in [
            (&[][..], "app=web", true),
            (&[""], "app=web", true),
            (&["app=web"], "", true),
            (&["app=web"], "app=web region=eu", true),
            (&["app=web"], "app=db", false),
            (&["app=web"], "region=eu", false),
            (&["app=web;region=eu"], "app=web", false),
            (&["app=web;region=eu*"], "app=web region=eu-west-1", true),
            (&["app=web", "app=db"], "app=db", true),
            (&[" app = w?b "], "app=web", true),
        ] {
            let selector = Selector::new(selections).unwrap();
            assert_eq!(selector.selects(&labels(plugin)), selected, "{selections:?} {plugin}");
        }
    }

    #[test]
    fn wrong_selections_and_labels_are_told() {
        for (selection, message) in [
            ("app", "invalid selector \"app\": missing equal sign"),
            ("a=1;a=2", "duplicate selector key \"a\" within one statement"),
            ("a b=1", "invalid selector \"a b=1\": invalid key \"a b\""),
            ("a=", "invalid selector \"a=\": invalid value \"\""),
            ("a=[x]", "invalid selector \"a=[x]\": invalid value \"[x]\""),
        ] {
            assert_eq!(Selector::new(&[selection]).unwrap_err().to_string(), message);
        }
        assert_eq!(check_labels(&labels("a=b*")), Err(LabelError::Value("b*".into())));
        assert_eq!(check_labels(&labels("a=b")), Ok(()));
    }
}
