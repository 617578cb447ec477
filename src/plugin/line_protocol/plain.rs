//! How far a text goes without anything that means something in line protocol.
//!
//! Nearly all of line protocol is letters, digits and a few marks that come behind the comma in
//! ASCII. Eight bytes at a time tell quickly that none of the others is among them.

/// Every byte below this may mean something: blanks, line ends, quotes and the comma.
const FIRST_PLAIN: u8 = b',' + 1;

const ONES: u64 = u64::from_ne_bytes([1; 8]);
const HIGHEST_BITS: u64 = ONES * 0x80;

/// How many bytes there are before the first that may mean something.
///
/// Bytes below the hyphen, the equals sign and the backslash may, whether or not they do where the
/// text stands.
pub fn plain_length(text: &[u8]) -> usize {
    let mut at = 0;
    while let Some(eight) = text[at..].first_chunk() {
        match first_mark(*eight) {
            Some(place) => return at + place,
            None => at += 8,
        }
    }
    // The last eight once more, for those of them that have not been looked at.
    match text.last_chunk() {
        Some(eight) => first_mark(*eight).map_or(text.len(), |place| text.len() - 8 + place),
        None => text.iter().position(|byte| is_mark(*byte)).unwrap_or(text.len()),
    }
}

fn is_mark(byte: u8) -> bool {
    byte < FIRST_PLAIN || matches!(byte, b'=' | b'\\')
}

/// The place of the first byte for which [`is_mark`] holds.
fn first_mark(eight: [u8; 8]) -> Option<usize> {
    let word = u64::from_le_bytes(eight);
    // A byte below `limit` has no highest bit, and has one when the limit is taken off. That borrows
    // from the byte behind it, so that only the first answer counts.
    let below = |word: u64, limit: u8| word.wrapping_sub(ONES * u64::from(limit)) & !word;
    let equal = |byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
    let marks = (below(word, FIRST_PLAIN) | equal(b'=') | equal(b'\\')) & HIGHEST_BITS;
    (marks != 0).then_some(marks.trailing_zeros() as usize / 8)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_byte_is_judged_wherever_it_stands() {
        for length in 1..20 {
            for at in 0..length {
                for byte in 0..=u8::MAX {
                    let mut text = vec![b'z'; length];
                    text[at] = byte;
                    let expected = if is_mark(byte) { at } else { length };
                    assert_eq!(plain_length(&text), expected, "{byte} at {at} of {length}");
                }
            }
        }
        assert_eq!(plain_length(b""), 0);
    }

    proptest! {
        #[test]
        fn the_first_mark_is_found_among_others(text: Vec<u8>) {
            let expected = text.iter().position(|byte| is_mark(*byte));
            prop_assert_eq!(plain_length(&text), expected.unwrap_or(text.len()));
        }
    }
}
