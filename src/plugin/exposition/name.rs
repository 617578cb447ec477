//! Names of families and labels.

use compact_str::CompactString;

/// Which characters names may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Characters {
    /// Letters, digits and underscores of ASCII, and colons in names of families.
    Legacy,
    /// All there are.
    All,
}

impl Characters {
    /// Those that an option asks for: `legacy`, the default, or `utf8`.
    pub fn parse(text: &str) -> Option<Characters> {
        match text {
            "" | "legacy" => Some(Characters::Legacy),
            "utf8" => Some(Characters::All),
            _ => None,
        }
    }

    /// The name of a family for a text; none if nothing of it can be in one.
    pub fn name_of_metric(self, text: &str) -> Option<CompactString> {
        of_metric(text, self)
    }

    /// The name of a label for a text; none if nothing of it can be in one.
    pub fn name_of_label(self, text: &str) -> Option<CompactString> {
        of_label(text, self)
    }
}

/// How names are written that have other characters than [`Characters::Legacy`].
///
/// A reader asks for one of them in its `Accept`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Escaping {
    /// With underscores in their place.
    #[default]
    Underscores,
    /// With words for dots, and two underscores for all others.
    Dots,
    /// With their numbers, so that nothing is lost.
    Values,
    /// As they are, between quotes.
    None,
}

impl Escaping {
    /// The one of that name, as it is in `Accept` and `Content-Type`.
    pub fn parse(name: &str) -> Option<Escaping> {
        match name {
            "underscores" => Some(Escaping::Underscores),
            "dots" => Some(Escaping::Dots),
            "values" => Some(Escaping::Values),
            "allow-utf-8" => Some(Escaping::None),
            _ => None,
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Escaping::Underscores => "underscores",
            Escaping::Dots => "dots",
            Escaping::Values => "values",
            Escaping::None => "allow-utf-8",
        }
    }

    /// Appends a name that is not one of [`Characters::Legacy`].
    pub(super) fn push(self, name: &str, out: &mut Vec<u8>) {
        if self == Escaping::Values {
            out.extend_from_slice(b"U__");
        }
        for (at, c) in name.char_indices() {
            let mut is_part = c.is_ascii_alphabetic() || matches!(c, '_' | ':');
            is_part |= at > 0 && c.is_ascii_digit();
            match (self, c) {
                (Escaping::Dots | Escaping::Values, '_') => out.extend_from_slice(b"__"),
                (Escaping::Dots, '.') => out.extend_from_slice(b"_dot_"),
                // All of them are ASCII.
                (_, c) if is_part => out.push(c as u8),
                (Escaping::Dots, _) => out.extend_from_slice(b"__"),
                (Escaping::Values, c) => {
                    out.extend_from_slice(format!("_{:x}_", u32::from(c)).as_bytes());
                }
                (Escaping::Underscores | Escaping::None, _) => out.push(b'_'),
            }
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_escaped_as_the_reader_asks_for() {
        for (asked, name, expected) in [
            ("underscores", "1a.b_c-é", "_a_b_c__"),
            ("dots", "1a.b_c-é", "__a_dot_b__c____"),
            ("values", "1a.b_c-é", "U___31_a_2e_b__c_2d__e9_"),
        ] {
            let escaping = Escaping::parse(asked).unwrap();
            let mut out = Vec::new();
            escaping.push(name, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
            assert_eq!(escaping.name(), asked);
        }
        assert_eq!(Escaping::parse("x"), None);
    }
}
