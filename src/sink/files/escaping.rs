//! Names of measurements, which may be anything, as parts of names of files.

use sha2::{Digest, Sha256};

/// How long the part of a name can be that a measurement makes; file systems take 255 bytes.
const MOST_BYTES: usize = 150;

/// How much is kept of a measurement whose name is too long.
const KEPT_BYTES: usize = 100;

/// What stands for a measurement in names of files: two measurements never have the same, not even
/// where upper and lower case count as one.
///
/// Letters, digits, `_`, `-` and dots stay, but for a dot at the beginning; all other bytes are
/// written as `%` and two digits. Behind `~` stands which of the letters are upper case, a bit for
/// each. Of what is too long the beginning is kept, and a checksum of it all behind `~~`.
pub fn escaped(measurement: &str) -> String {
    if measurement.is_empty() {
        return "%".to_owned();
    }
    let mut stem = String::new();
    for (at, byte) in measurement.bytes().enumerate() {
        let is_dot = byte == b'.' && at > 0;
        if byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-' || is_dot {
            stem.push(char::from(byte));
        } else {
            stem.push_str(&format!("%{byte:02X}"));
        }
    }
    let cases = upper_cases(measurement);
    if !cases.is_empty() {
        stem.push('~');
        stem.push_str(&cases);
    }
    if stem.len() > MOST_BYTES {
        stem.truncate(KEPT_BYTES);
        stem.push_str("~~");
        for byte in &Sha256::digest(measurement.as_bytes())[..16] {
            stem.push_str(&format!("{byte:02x}"));
        }
    }
    stem
}

/// Which of the letters are upper case: four of them make a hexadecimal digit, the first of them
/// its lowest bit. Zeros at the end are left out.
fn upper_cases(measurement: &str) -> String {
    let letters: Vec<_> = measurement.bytes().filter(u8::is_ascii_alphabetic).collect();
    let digit = |four: &[u8]| {
        let bits =
            four.iter().enumerate().map(|(at, byte)| u32::from(byte.is_ascii_uppercase()) << at);
        char::from_digit(bits.sum(), 16).unwrap_or('0')
    };
    let digits: String = letters.chunks(4).map(digit).collect();
    digits.trim_end_matches('0').to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_can_be_read_and_lead_nowhere_else() {
        for (measurement, stem) in [
            ("cpu", "cpu"),
            ("system.cpu", "system.cpu"),
            ("..", "%2E."),
            (".hidden", "%2Ehidden"),
            ("a/b\\c", "a%2Fb%5Cc"),
            ("nul\0", "nul%00"),
            ("é ~+%", "%C3%A9%20%7E%2B%25"),
            ("CPU", "CPU~7"),
            ("cPu", "cPu~2"),
            ("Disk", "Disk~1"),
            ("diskIO", "diskIO~03"),
            ("", "%"),
        ] {
            assert_eq!(escaped(measurement), stem, "{measurement:?}");
        }
        let long = "x".repeat(300);
        assert!(escaped(&long).starts_with("xxxx") && escaped(&long).len() < MOST_BYTES);
    }

    proptest! {
        #[test]
        fn no_two_measurements_have_one_file(
            a in "[aAbB./%~+0\u{e9}-]{0,5}|\\PC{0,300}",
            b in "[aAbB./%~+0\u{e9}-]{0,5}|\\PC{0,300}",
        ) {
            let (stem_a, stem_b) = (escaped(&a), escaped(&b));
            prop_assert_eq!(a == b, stem_a.eq_ignore_ascii_case(&stem_b));
            prop_assert!(stem_a.len() <= MOST_BYTES && !stem_a.is_empty());
            prop_assert!(!stem_a.starts_with('.') && !stem_a.contains(['/', '\0']));
        }
    }
}
