//! Takes the control sequences of terminals out of text.
//!
//! # References
//! ECMA-48, 5.3 to 5.6: escape sequences, control sequences and control strings.

const ESCAPE: u8 = 0x1b;
const BELL: u8 = 0x07;

/// The text without colours and all else that a terminal would act on rather than show.
///
/// Text is taken for UTF-8: of the single bytes that are control functions only those that are no
/// part of a character count.
pub(super) fn strip(text: &[u8]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(text.len());
    for chunk in text.utf8_chunks() {
        strip_valid(chunk.valid().as_bytes(), &mut kept);
        kept.extend(chunk.invalid().iter().filter(|byte| !matches!(byte, 0x80..=0x9f)));
    }
    kept
}

fn strip_valid(mut text: &[u8], kept: &mut Vec<u8>) {
    while let Some(at) = memchr::memchr(ESCAPE, text) {
        kept.extend_from_slice(&text[..at]);
        text = &text[at + 1..];
        let taken = match text.first() {
            None => 0,
            Some(b'[') => 1 + control_sequence(&text[1..]),
            Some(b'P' | b'X' | b']' | b'^' | b'_') => 1 + control_string(&text[1..]),
            // These shift the character that follows.
            Some(b'N' | b'O') => 1 + character(&text[1..]),
            Some(_) => character(text),
        };
        text = &text[taken..];
    }
    kept.extend_from_slice(text);
}

/// Parameters and intermediates up to the final byte.
fn control_sequence(text: &[u8]) -> usize {
    let parameters = text.iter().take_while(|byte| matches!(byte, 0x20..=0x3f)).count();
    match text.get(parameters) {
        Some(0x40..=0x7e) => parameters + 1,
        _ => parameters,
    }
}

/// Everything up to the terminator.
fn control_string(text: &[u8]) -> usize {
    for (at, byte) in text.iter().enumerate() {
        match *byte {
            BELL => return at + 1,
            ESCAPE if text.get(at + 1) == Some(&b'\\') => return at + 2,
            _ => {}
        }
    }
    text.len()
}

fn character(text: &[u8]) -> usize {
    let continued = text.iter().skip(1).take_while(|byte| matches!(byte, 0x80..=0xbf)).count();
    if text.is_empty() { 0 } else { 1 + continued }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_a_terminal_would_not_show_is_gone() {
        for (text, stripped) in [
            ("plain żółw À", "plain żółw À"),
            ("\x1b[31mred\x1b[0m text", "red text"),
            ("\x1b[1;32;40mbold\x1b[m", "bold"),
            ("\x1b[?25lhidden\x1b[2K", "hidden"),
            ("\x1b]0;title\x07a\x1b]8;;x\x1b\\b", "ab"),
            ("a\x1b7b\x1bMc\x1bNżd", "abcd"),
            ("a\x1b", "a"),
            ("a\x1b[3", "a"),
            ("a\x1b]never ends", "a"),
        ] {
            assert_eq!(String::from_utf8(strip(text.as_bytes())).unwrap(), stripped, "{text:?}");
        }
        assert_eq!(strip(b"a\x9bb\xff"), b"ab\xff");
    }

    proptest! {
        #[test]
        fn no_escape_is_left(text in prop::collection::vec(prop_oneof![
            Just(ESCAPE), Just(b'['), Just(b']'), Just(BELL), any::<u8>()], 0..40)) {
            prop_assert!(!strip(&text).contains(&ESCAPE));
        }
    }
}
