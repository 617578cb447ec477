//! Rewriting of values.

use compact_str::CompactString;

use super::{Conversion, ConversionError};
use crate::metric::{Metric, Value};
use crate::plugin::go::{Regex, Replacer};
use crate::plugin::{Patterns, PluginLog};

/// A conversion of the values of tags or fields.
pub(super) struct Rewriting {
    keys: Keys,
    result: ResultOf,
    /// The key that takes the result, if it is not that of the value.
    result_key: Option<CompactString>,
    append: bool,
}

/// Whose values are rewritten.
enum Keys {
    One(CompactString),
    Matching(Patterns),
}

/// What is made of a match.
enum ResultOf {
    /// A value with its matches replaced.
    Replacement(Replacer),
    /// A tag or field for each group, under its name.
    Groups { regex: Regex, names: Vec<CompactString> },
}

impl Rewriting {
    pub(super) fn new(
        section: &str,
        conversion: &Conversion,
        log: &PluginLog,
    ) -> Result<Rewriting, ConversionError> {
        let Conversion { key, pattern, replacement, result_key, append } = conversion;
        let regex = Regex::new(pattern)?;
        if key.is_empty() {
            return Err(ConversionError::NoKey);
        }
        let keys = match Patterns::new(std::slice::from_ref(key))? {
            Some(patterns) if key.contains(['*', '?', '[']) => Keys::Matching(patterns),
            _ => Keys::One(key.into()),
        };
        let names = regex.group_names();
        let are_named = !names.is_empty() && names.iter().all(|name| !name.is_empty());
        let result = if !result_key.is_empty() || !replacement.is_empty() {
            log.debug(format_args!("{section}: Using explicit mode..."));
            ResultOf::Replacement(Replacer::new(regex, replacement))
        } else if are_named {
            log.debug(format_args!("{section}: Using named-group mode..."));
            let names = names.iter().map(CompactString::from).collect();
            ResultOf::Groups { regex, names }
        } else {
            log.warn(format_args!(
                "{section}: Neither 'result_key' nor 'replacement' given with unnamed or mixed \
                 groups; using explicit, empty replacement!"
            ));
            ResultOf::Replacement(Replacer::new(regex, ""))
        };
        let result_key = (!result_key.is_empty()).then(|| result_key.into());
        Ok(Rewriting { keys, result, result_key, append: *append })
    }

    pub(super) fn apply_to_tags(&mut self, metric: &mut Metric) {
        match &self.keys {
            Keys::One(key) => {
                let key = key.clone();
                self.apply_to_tag(&key, metric);
            }
            Keys::Matching(patterns) => {
                // Results may be new tags, which are not rewritten in turn.
                let keys = metric.tags().iter().map(|tag| &tag.key);
                let keys: Vec<_> = keys.filter(|key| patterns.match_any(key)).cloned().collect();
                keys.iter().for_each(|key| self.apply_to_tag(key, metric));
            }
        }
    }

    fn apply_to_tag(&mut self, key: &CompactString, metric: &mut Metric) {
        let Some(value) = metric.tag(key) else { return };
        match &mut self.result {
            ResultOf::Replacement(replacer) => {
                if let Some(result) = replacer.replace_all(value) {
                    let key = self.result_key.as_ref().unwrap_or(key);
                    let result = appended(metric, key, result, self.append);
                    metric.set_tag(key.clone(), result);
                }
            }
            ResultOf::Groups { regex, names } => {
                for (name, text) in found_groups(regex, names, value) {
                    let text = appended(metric, name, text, self.append);
                    metric.set_tag(name.clone(), text);
                }
            }
        }
    }

    pub(super) fn apply_to_fields(&mut self, metric: &mut Metric) {
        match &self.keys {
            Keys::One(key) => {
                let key = key.clone();
                self.apply_to_field(&key, metric);
            }
            Keys::Matching(patterns) => {
                let texts = metric.fields().iter().filter(|field| {
                    matches!(field.value, Value::String(_)) && patterns.match_any(&field.key)
                });
                let keys: Vec<_> = texts.map(|field| field.key.clone()).collect();
                keys.iter().for_each(|key| self.apply_to_field(key, metric));
            }
        }
    }

    fn apply_to_field(&mut self, key: &CompactString, metric: &mut Metric) {
        let Some(Value::String(value)) = metric.field(key) else { return };
        match &mut self.result {
            ResultOf::Replacement(replacer) => {
                if let Some(result) = replacer.replace_all(value) {
                    metric.set_field(self.result_key.as_ref().unwrap_or(key).clone(), result);
                }
            }
            ResultOf::Groups { regex, names } => {
                for (name, text) in found_groups(regex, names, value) {
                    // The original appends to the tag of the name here; a text appended to a field
                    // exists nowhere in it.
                    let text = appended(metric, name, text, self.append);
                    metric.set_field(name.clone(), text);
                }
            }
        }
    }
}

/// The result, behind the tag that it is to be appended to.
fn appended(metric: &Metric, key: &str, result: CompactString, append: bool) -> CompactString {
    match metric.tag(key) {
        Some(value) if append => CompactString::from(value) + &result,
        _ => result,
    }
}

/// The groups that match more than nothing, with their names.
fn found_groups<'n>(
    regex: &Regex,
    names: &'n [CompactString],
    value: &str,
) -> Vec<(&'n CompactString, CompactString)> {
    let groups = regex.groups(value).into_iter().flatten();
    names
        .iter()
        .zip(groups)
        .filter(|(_, text)| !text.is_empty())
        .map(|(name, text)| (name, text.into()))
        .collect()
}
