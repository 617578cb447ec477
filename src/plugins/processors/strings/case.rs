//! Small and capital letters, one for one.
//!
//! # References
//! Go's `unicode.ToLower` and `unicode.ToUpper`, which know only the simple mappings of Unicode:
//! no letter becomes two, and a sigma at the end is like any other.

use compact_str::CompactString;

/// Turns capital letters into small ones; nothing if there are none.
pub(super) fn to_lower(text: &str) -> Option<CompactString> {
    let changes = |c: char| if c.is_ascii() { c.is_ascii_uppercase() } else { lower(c) != c };
    text.contains(changes).then(|| text.chars().map(lower).collect())
}

/// Turns small letters into capital ones; nothing if there are none.
pub(super) fn to_upper(text: &str) -> Option<CompactString> {
    let changes = |c: char| if c.is_ascii() { c.is_ascii_lowercase() } else { upper(c) != c };
    text.contains(changes).then(|| text.chars().map(upper).collect())
}

fn lower(c: char) -> char {
    let mut letters = c.to_lowercase();
    match (letters.next(), letters.next()) {
        (Some(letter), None) => letter,
        // Only the dotted capital I has more than one: its dot becomes a letter of its own.
        (Some(letter), Some(_)) => letter,
        _ => c,
    }
}

pub(super) fn upper(c: char) -> char {
    let mut letters = c.to_uppercase();
    match (letters.next(), letters.next()) {
        (Some(letter), None) => letter,
        _ => simple_upper(c),
    }
}

/// The capital letter of one that in full is written with several.
fn simple_upper(c: char) -> char {
    let offset = match c {
        // Greek vowels with a small iota below; the iota stays below the capital.
        '\u{1f80}'..='\u{1f87}' | '\u{1f90}'..='\u{1f97}' | '\u{1fa0}'..='\u{1fa7}' => 8,
        '\u{1fb3}' | '\u{1fc3}' | '\u{1ff3}' => 9,
        _ => 0,
    };
    char::from_u32(u32::from(c) + offset).unwrap_or(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_change_one_for_one() {
        for (text, lower, upper) in [
            ("Ab1", "ab1", "AB1"),
            ("Straße ŉ", "straße ŉ", "STRAßE ŉ"),
            ("ΌΔΟΣ όδος", "όδοσ όδος", "ΌΔΟΣ ΌΔΟΣ"),
            ("İıſ", "iıſ", "İIS"),
            ("ǆǅǄ", "ǆǆǆ", "ǄǄǄ"),
            ("ᾀᾳ ﬁ", "ᾀᾳ ﬁ", "ᾈᾼ ﬁ"),
        ] {
            assert_eq!(to_lower(text).unwrap_or_else(|| text.into()), lower, "{text}");
            assert_eq!(to_upper(text).unwrap_or_else(|| text.into()), upper, "{text}");
        }
        assert_eq!((to_lower("a1 é"), to_upper("A1 É")), (None, None));
    }
}
