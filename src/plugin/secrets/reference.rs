//! References such as `@{store:key}` in texts.

use std::ops::Range;

/// A reference in a text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Reference<'t> {
    /// Where it stands.
    pub range: Range<usize>,
    /// The whole of it, such as `@{store:key}`.
    pub text: &'t str,
    /// The id of the store.
    pub store: &'t str,
    /// The key in the store.
    pub key: &'t str,
}

/// The references in a text, from its beginning to its end.
pub(crate) struct References<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> References<'t> {
    /// Looks for references in `text`.
    pub(crate) fn of(text: &'t str) -> References<'t> {
        References { text, at: 0 }
    }
}

impl<'t> Iterator for References<'t> {
    type Item = Reference<'t>;

    fn next(&mut self) -> Option<Reference<'t>> {
        loop {
            let start = self.at + self.text[self.at..].find("@{")?;
            self.at = start + 2;
            let inner = &self.text[self.at..];
            let Some((store, rest)) = inner.split_once(':').filter(|(word, _)| is_word(word))
            else {
                continue;
            };
            let Some((key, _)) = rest.split_once('}').filter(|(word, _)| is_word(word)) else {
                continue;
            };
            let end = self.at + store.len() + 1 + key.len() + 1;
            self.at = end;
            return Some(Reference { range: start..end, text: &self.text[start..end], store, key });
        }
    }
}

/// Texts that look like references and are none, because a name in them has other characters.
pub(super) fn near_misses(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices("@{").filter_map(|(start, _)| {
        let rest = &text[start + 2..];
        let colon = rest.find(':').filter(|at| *at > 0)?;
        let end = colon + 1 + rest[colon + 1..].find('}').filter(|at| *at > 0)?;
        let inner = &rest[..end];
        let is_one = is_word(&inner[..colon]) && is_word(&inner[colon + 1..]);
        (!is_one && !inner.contains("@{")).then(|| &text[start..start + 2 + end + 1])
    })
}

/// Whether a text consists of letters, digits and underscores, as ids and keys do.
pub(crate) fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn references_have_a_store_and_a_key_of_letters_digits_and_underscores() {
        let cases: [(&str, &[(&str, &str)]); 9] = [
            ("@{a:b}", &[("a", "b")]),
            ("x@{a_1:B}y@{c:2}", &[("a_1", "B"), ("c", "2")]),
            ("@{a:b@{c:d}", &[("c", "d")]),
            ("@{a}b:c}", &[]),
            ("@{a-b:c}", &[]),
            ("@{:c}@{a:}@{a:b", &[]),
            ("@{ä:b}", &[]),
            ("@@{a:b}}", &[("a", "b")]),
            ("no secret: {a:b}", &[]),
        ];
        for (text, expected) in cases {
            let found: Vec<_> =
                References::of(text).map(|found| (found.store, found.key)).collect();
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn what_looks_like_a_reference_and_is_none_is_found() {
        let found: Vec<_> = near_misses("@{a:b} @{a-b:c} @{a:b c} @{:x} @{a}").collect();
        assert_eq!(found, ["@{a-b:c}", "@{a:b c}"]);
    }

    proptest! {
        #[test]
        fn any_text_can_be_searched(text in "[@{}:a_\u{e4}-]{0,24}") {
            for found in References::of(&text) {
                prop_assert_eq!(&text[found.range.clone()], found.text);
                prop_assert_eq!(format!("@{{{}:{}}}", found.store, found.key), found.text);
            }
            prop_assert!(near_misses(&text).all(|found| text.contains(found)));
        }
    }
}
