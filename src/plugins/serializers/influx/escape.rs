//! The backslashes that line protocol wants.

/// Escaped in a measurement.
const IN_NAME: u8 = 1;
/// Escaped in a key, and in the value of a tag.
const IN_KEY: u8 = 2;

/// Where each byte is escaped.
const ESCAPED: [u8; 256] = {
    let mut table = [0; 256];
    let both = b"\t\n\x0c\r ,";
    let mut at = 0;
    while at < both.len() {
        table[both[at] as usize] = IN_NAME | IN_KEY;
        at += 1;
    }
    table[b'=' as usize] = IN_KEY;
    table
};

/// Appends a measurement.
pub(super) fn push_name(out: &mut Vec<u8>, name: &str) {
    push_escaped(out, name, IN_NAME);
}

/// Appends a key, or the value of a tag.
pub(super) fn push_key(out: &mut Vec<u8>, key: &str) {
    push_escaped(out, key, IN_KEY);
}

/// Appends the inside of a string; line ends stay as they are.
pub(super) fn push_string(out: &mut Vec<u8>, text: &str) {
    let mut rest = text.as_bytes();
    while let Some(at) = memchr::memchr2(b'"', b'\\', rest) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(&[b'\\', rest[at]]);
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
}

fn push_escaped(out: &mut Vec<u8>, text: &str, place: u8) {
    let mut rest = text.as_bytes();
    if is_surely_plain(rest) {
        out.extend_from_slice(rest);
        return;
    }
    while let Some(at) = rest.iter().position(|byte| ESCAPED[usize::from(*byte)] & place != 0) {
        out.extend_from_slice(&rest[..at]);
        out.push(b'\\');
        out.push(match rest[at] {
            b'\t' => b't',
            b'\n' => b'n',
            b'\x0c' => b'f',
            b'\r' => b'r',
            byte => byte,
        });
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
}

/// Whether nothing in `text` is escaped anywhere, as far as a quick look at eight bytes at a time
/// can tell: nearly every text consists of letters, digits and a few marks that come behind the
/// comma.
fn is_surely_plain(text: &[u8]) -> bool {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGHEST_BITS: u64 = ONES * 0x80;
    const FIRST_PLAIN: u64 = b',' as u64 + 1;
    let (eights, rest) = text.as_chunks::<8>();
    // A byte below `n` has its highest bit set after `n` is taken off, and not before. What a byte
    // borrows from the next one can only spoil that one's turn once the answer is clear.
    let has_below = |word: u64, n: u64| word.wrapping_sub(ONES * n) & !word & HIGHEST_BITS != 0;
    let is_plain = |eight: &[u8; 8]| {
        let word = u64::from_le_bytes(*eight);
        !has_below(word, FIRST_PLAIN) && !has_below(word ^ (ONES * u64::from(b'=')), 1)
    };
    eights.iter().all(is_plain)
        && rest.iter().all(|byte| u64::from(*byte) >= FIRST_PLAIN && *byte != b'=')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_quick_look_sees_every_byte_that_is_escaped_wherever_it_stands() {
        for length in 1..20 {
            for at in 0..length {
                for byte in 0..=u8::MAX {
                    let mut text = vec![b'z'; length];
                    text[at] = byte;
                    let is_escaped = ESCAPED[usize::from(byte)] != 0;
                    assert!(!(is_escaped && is_surely_plain(&text)), "{byte} at {at} of {length}");
                }
            }
        }
        assert!(is_surely_plain(b"usage_system-0.5/x:Z~") && is_surely_plain("zażółć".as_bytes()));
    }

    proptest! {
        #[test]
        fn what_a_quick_look_takes_for_plain_is_plain(text in "[ -@\\n\\tz\u{7f}-\u{ff}]{0,20}") {
            let is_plain = text.bytes().all(|byte| ESCAPED[usize::from(byte)] == 0);
            prop_assert!(is_plain || !is_surely_plain(text.as_bytes()));
        }
    }
}
