//! Words that begin with a capital letter.
//!
//! # References
//! `cases.Title` of the Go module `golang.org/x/text` for undetermined language, without making the
//! rest of a word small; Unicode Annex 29 for what a word is, as far as that module follows it.

use compact_str::CompactString;

use super::case::upper;

/// Begins each word with a capital letter; nothing if they all do.
pub(super) fn to_title(text: &str) -> Option<CompactString> {
    let mut titled = CompactString::with_capacity(text.len());
    let mut is_in_word = false;
    let mut is_behind_joint = false;
    for c in text.chars() {
        let is_joint = is_joint(c);
        // One of these joins what stands on both sides, two in a row do not.
        if is_behind_joint && is_joint {
            is_in_word = false;
        }
        is_behind_joint = is_joint;
        if is_cased(c) {
            if is_in_word {
                titled.push(c)
            } else {
                push_title(&mut titled, c)
            }
            is_in_word = true;
        } else {
            titled.push(c);
            is_in_word &= is_joint || is_part_of_word(c);
        }
    }
    (titled != text).then_some(titled)
}

/// Whether a letter is small or capital.
fn is_cased(c: char) -> bool {
    c.is_lowercase() || c.is_uppercase() || is_digraph(c) || is_greek_title(c)
}

/// The capital letters with a small iota below, which count as neither small nor capital.
fn is_greek_title(c: char) -> bool {
    matches!(
        c,
        '\u{1f88}'..='\u{1f8f}'
            | '\u{1f98}'..='\u{1f9f}'
            | '\u{1fa8}'..='\u{1faf}'
            | '\u{1fbc}'
            | '\u{1fcc}'
            | '\u{1ffc}'
    )
}

/// Letters that are two in one, such as `ǆ`, of which only the first becomes a capital.
fn is_digraph(c: char) -> bool {
    matches!(c, '\u{1c4}'..='\u{1cc}' | '\u{1f1}'..='\u{1f3}')
}

fn push_title(out: &mut CompactString, c: char) {
    match c {
        '\u{1c4}'..='\u{1c6}' => out.push('\u{1c5}'),
        '\u{1c7}'..='\u{1c9}' => out.push('\u{1c8}'),
        '\u{1ca}'..='\u{1cc}' => out.push('\u{1cb}'),
        '\u{1f1}'..='\u{1f3}' => out.push('\u{1f2}'),
        // Georgian has capital letters for whole texts only.
        '\u{10d0}'..='\u{10ff}' => out.push(c),
        c if upper(c) != c => out.push(upper(c)),
        // What has no capital of its own, such as ß, is written with several letters.
        c => {
            let mut letters = c.to_uppercase();
            out.extend(letters.next());
            letters.for_each(|letter| out.extend(letter.to_lowercase()));
        }
    }
}

/// Marks between letters that do not end a word, such as an apostrophe.
fn is_joint(c: char) -> bool {
    matches!(
        c,
        '\'' | '.'
            | ':'
            | '\u{b7}'
            | '\u{387}'
            | '\u{55f}'
            | '\u{5f4}'
            | '\u{2018}'
            | '\u{2019}'
            | '\u{2024}'
            | '\u{2027}'
            | '\u{fe13}'
            | '\u{fe52}'
            | '\u{fe55}'
            | '\u{ff07}'
            | '\u{ff0e}'
            | '\u{ff1a}'
    )
}

/// Letters without small and capital form, digits, underscores, and what stands upon letters.
fn is_part_of_word(c: char) -> bool {
    match c {
        '_' | '\u{ad}' | '\u{200c}'..='\u{200f}' | '\u{203f}' | '\u{2040}' | '\u{2054}' => true,
        '\u{300}'..='\u{36f}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}' => true,
        '\u{20d0}'..='\u{20ff}' | '\u{fe00}'..='\u{fe0f}' | '\u{fe20}'..='\u{fe2f}' => true,
        // Thai, Lao, Burmese and Khmer, whose words have no marks between them, and East Asia.
        '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' => false,
        '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' => false,
        '\u{20000}'..='\u{3ffff}' => false,
        c => c.is_alphanumeric(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_begin_with_capitals_and_the_rest_of_them_stays() {
        for (text, titled) in [
            ("this is tITLEcase", "This Is TITLEcase"),
            ("don't a.b x:y", "Don't A.b X:y"),
            ("a..b 'tis", "A..B 'Tis"),
            ("foo_bar foo-bar foo,bar/baz", "Foo_bar Foo-Bar Foo,Bar/Baz"),
            ("1st a1b 2.x _y", "1St A1b 2.X _Y"),
            ("éa ßa ǆa ﬁn", "Éa Ssa ǅa Fin"),
            ("e\u{301}a 日a", "E\u{301}a 日A"),
            ("", ""),
        ] {
            assert_eq!(to_title(text).unwrap_or_else(|| text.into()), titled, "{text}");
        }
        assert_eq!(to_title("A B"), None);
    }
}
