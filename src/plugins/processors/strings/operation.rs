//! What can be done to a text.

use compact_str::CompactString;

use super::{Config, Conversion, Step, case, title};
use crate::plugin::go::decode_base64;

/// One operation with what it needs to know.
pub(super) enum Operation {
    Lowercase,
    Uppercase,
    Titlecase,
    Trim(End, Cutset),
    TrimPrefix(String),
    TrimSuffix(String),
    Replace { old: String, new: String },
    Left { width_bytes: usize },
    Base64Decode,
    ValidUtf8 { replacement: String },
}

/// Where characters are cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Both,
    Left,
    Right,
}

/// Which characters are cut off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cutset {
    WhiteSpace,
    These(Vec<char>),
}

impl Cutset {
    fn new(characters: &str) -> Cutset {
        match characters {
            "" => Cutset::WhiteSpace,
            characters => Cutset::These(characters.chars().collect()),
        }
    }

    fn contains(&self, c: char) -> bool {
        match self {
            Cutset::WhiteSpace => c.is_whitespace(),
            Cutset::These(characters) => characters.contains(&c),
        }
    }
}

/// A length below zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("'left' width {0} is negative; it is the number of bytes to keep")]
pub struct WidthError(i64);

/// All operations of the settings in the order in which they are done.
///
/// # Errors
/// If a length makes no sense.
pub(super) fn all(config: &Config) -> Result<Vec<Step>, WidthError> {
    let trim = |end| move |c: &Conversion| Ok(Operation::Trim(end, Cutset::new(&c.cutset)));
    let mut steps = Vec::new();
    let mut add = |list: &[Conversion], operation: &dyn Fn(&Conversion) -> Result<_, _>| {
        for conversion in list {
            steps.push(Step::new(operation(conversion)?, conversion));
        }
        Ok(())
    };
    add(&config.lowercase, &|_| Ok(Operation::Lowercase))?;
    add(&config.uppercase, &|_| Ok(Operation::Uppercase))?;
    add(&config.titlecase, &|_| Ok(Operation::Titlecase))?;
    add(&config.trim, &trim(End::Both))?;
    add(&config.trim_left, &trim(End::Left))?;
    add(&config.trim_right, &trim(End::Right))?;
    add(&config.trim_prefix, &|c| Ok(Operation::TrimPrefix(c.prefix.clone())))?;
    add(&config.trim_suffix, &|c| Ok(Operation::TrimSuffix(c.suffix.clone())))?;
    add(&config.replace, &|c| Ok(Operation::Replace { old: c.old.clone(), new: c.new.clone() }))?;
    add(&config.left, &|c| {
        let width_bytes = usize::try_from(c.width).map_err(|_| WidthError(c.width))?;
        Ok(Operation::Left { width_bytes })
    })?;
    add(&config.base64decode, &|_| Ok(Operation::Base64Decode))?;
    add(&config.valid_utf8, &|c| Ok(Operation::ValidUtf8 { replacement: c.replacement.clone() }))?;
    Ok(steps)
}

impl Operation {
    /// What becomes of a text; nothing if it stays as it is.
    pub(super) fn apply(&self, text: &str) -> Option<CompactString> {
        match self {
            Operation::Lowercase => case::to_lower(text),
            Operation::Uppercase => case::to_upper(text),
            Operation::Titlecase => title::to_title(text),
            Operation::Trim(end, cutset) => shortened(text, trim(text, *end, cutset)),
            Operation::TrimPrefix(prefix) => text.strip_prefix(prefix.as_str()).map(Into::into),
            Operation::TrimSuffix(suffix) => text.strip_suffix(suffix.as_str()).map(Into::into),
            Operation::Replace { old, new } => {
                if !text.contains(old.as_str()) {
                    return None;
                }
                let replaced = text.replace(old.as_str(), new);
                // A text of which nothing would be left stays.
                (!replaced.is_empty()).then(|| replaced.into())
            }
            Operation::Left { width_bytes } => shortened(text, left(text, *width_bytes)),
            Operation::Base64Decode => {
                let decoded = decode_base64(text).ok()?;
                CompactString::from_utf8(decoded).ok()
            }
            Operation::ValidUtf8 { replacement } => valid_utf8(text, replacement),
        }
    }
}

fn shortened(text: &str, part: &str) -> Option<CompactString> {
    (part.len() < text.len()).then(|| part.into())
}

fn trim<'t>(text: &'t str, end: End, cutset: &Cutset) -> &'t str {
    let is_cut = |c| cutset.contains(c);
    match end {
        End::Both => text.trim_matches(is_cut),
        End::Left => text.trim_start_matches(is_cut),
        End::Right => text.trim_end_matches(is_cut),
    }
}

/// The first bytes of a text, without a character of which not all bytes are among them.
fn left(text: &str, width_bytes: usize) -> &str {
    match text.get(..width_bytes) {
        Some(part) => part,
        None => &text[..text.floor_char_boundary(width_bytes)],
    }
}

/// Puts the replacement in place of each run of U+FFFD, which is what invalid bytes have become on
/// their way in.
fn valid_utf8(text: &str, replacement: &str) -> Option<CompactString> {
    if !text.contains(char::REPLACEMENT_CHARACTER) {
        return None;
    }
    let mut valid = CompactString::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(char::REPLACEMENT_CHARACTER) {
        valid.push_str(before);
        valid.push_str(replacement);
        rest = after.trim_start_matches(char::REPLACEMENT_CHARACTER);
    }
    valid.push_str(rest);
    Some(valid)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(operation: Operation, text: &str) -> String {
        operation.apply(text).map_or_else(|| format!("={text}"), Into::into)
    }

    #[test]
    fn operations_do_what_the_original_does() {
        let cut = |end, characters: &str, text| {
            applied(Operation::Trim(end, Cutset::new(characters)), text)
        };
        assert_eq!(cut(End::Both, "", " \u{a0}a b\t\n"), "a b");
        assert_eq!(cut(End::Left, "xy", "yxaxy"), "axy");
        assert_eq!(cut(End::Right, "ü", "aüü"), "a");
        assert_eq!(cut(End::Both, "", "a"), "=a");
        assert_eq!(applied(Operation::TrimPrefix("my_".into()), "my_my_a"), "my_a");
        assert_eq!(applied(Operation::TrimSuffix("_count".into()), "read"), "=read");
        let replace = |old: &str, new: &str, text| {
            applied(Operation::Replace { old: old.into(), new: new.into() }, text)
        };
        assert_eq!(replace(":", "_", "a:b::c"), "a_b__c");
        assert_eq!(replace(":", "", "::"), "=::");
        assert_eq!(replace("", "-", "aü"), "-a-ü-");
        let left = |width_bytes, text| applied(Operation::Left { width_bytes }, text);
        assert_eq!(left(3, "abcdef"), "abc");
        assert_eq!(left(9, "abc"), "=abc");
        assert_eq!(left(0, "abc"), "");
        assert_eq!(left(2, "aüb"), "a");
        assert_eq!(applied(Operation::Base64Decode, "aG93ZHk="), "howdy");
        assert_eq!(applied(Operation::Base64Decode, "/w=="), "=/w==");
        assert_eq!(applied(Operation::Base64Decode, "howdy!"), "=howdy!");
        let valid = |text| applied(Operation::ValidUtf8 { replacement: "?".into() }, text);
        assert_eq!(valid("a\u{fffd}\u{fffd}b\u{fffd}"), "a?b?");
        assert_eq!(valid("ü"), "=ü");
    }
}
