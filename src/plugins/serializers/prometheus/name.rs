//! Names of families and labels.

use compact_str::CompactString;

/// Which characters names may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Characters {
    /// Letters, digits and underscores of ASCII, and colons in names of families.
    Legacy,
    /// All there are.
    All,
}

/// The name of a family for a text; none if nothing of it can be in one.
pub(super) fn of_metric(text: &str, characters: Characters) -> Option<CompactString> {
    if characters == Characters::All && !text.is_empty() || is_metric_name(text) {
        return Some(text.into());
    }
    sanitized(text, |c| c.is_ascii_alphanumeric() || matches!(c, '_' | ':'))
}

/// The name of a label for a text; none if nothing of it can be in one.
pub(super) fn of_label(text: &str, characters: Characters) -> Option<CompactString> {
    let is_label = !text.contains(':') && is_metric_name(text);
    if characters == Characters::All && !text.is_empty() || is_label {
        return Some(text.into());
    }
    sanitized(text, |c| c.is_ascii_alphanumeric() || c == '_')
}

/// Whether a name has only characters that it may have.
pub(super) fn is_metric_name(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':');
    text.bytes().all(is_part) && text.bytes().next().is_some_and(|byte| !byte.is_ascii_digit())
}

/// A text with underscores for what a name cannot have; one that cannot begin it is left out.
fn sanitized(text: &str, is_part: impl Fn(char) -> bool) -> Option<CompactString> {
    let mut name = CompactString::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        if is_part(c) && !(at == 0 && c.is_ascii_digit()) {
            name.push(c);
        } else if at > 0 {
            name.push('_');
        }
    }
    let name = name.trim_matches('_');
    (!name.is_empty()).then(|| name.into())
}
