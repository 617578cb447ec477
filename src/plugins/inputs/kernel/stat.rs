//! What `/proc/stat` counts beside the processors' times.

use std::num::IntErrorKind;

use crate::metric::Field;
use crate::plugin::Quoted;

use super::field;

/// A word that should be a whole number and is not, in Go's words for it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("strconv.ParseInt: parsing {}: {reason}", Quoted::new(.word))]
pub(super) struct ParseError {
    word: Vec<u8>,
    reason: &'static str,
}

/// Parses a whole number, which may have a sign.
///
/// # Errors
/// If it is none, or does not fit.
pub(super) fn parse_number(word: &[u8]) -> Result<i64, ParseError> {
    let number = std::str::from_utf8(word).unwrap_or_default().parse::<i64>();
    number.map_err(|error| {
        let reason = match error.kind() {
            IntErrorKind::PosOverflow | IntErrorKind::NegOverflow => "value out of range",
            _ => "invalid syntax",
        };
        ParseError { word: word.to_owned(), reason }
    })
}

/// Lines with the fields for the numbers in them.
const LINES: [(&[u8], &[&str]); 5] = [
    (b"intr", &["interrupts"]),
    (b"ctxt", &["context_switches"]),
    (b"processes", &["processes_forked"]),
    (b"btime", &["boot_time"]),
    (b"page", &["disk_pages_in", "disk_pages_out"]),
];

/// Parses the counts; a line that is missing makes no field.
///
/// # Errors
/// The first line that holds no number, or too few.
pub(super) fn parse(stat: &[u8]) -> Result<Vec<Field>, ParseError> {
    // The counts themselves, and room for what others add.
    let mut fields = Vec::with_capacity(24);
    for line in stat.split(|byte| *byte == b'\n') {
        // The line on interrupts has a number for each of them, of which only the first counts.
        let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        let Some(key) = words.next() else { continue };
        let Some((_, names)) = LINES.iter().find(|(known, _)| *known == key) else { continue };
        for name in *names {
            let word = words.next().unwrap_or_default();
            fields.push(field(name, parse_number(word)?));
        }
    }
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::metric::Value;

    #[test]
    fn the_first_number_of_a_line_counts() {
        let stat = b"cpu  1 2\nintr 1472736 23 0\nctxt 2626618\npage 5741 1808\nbtime 7\nprocesses 3\nsoftirq 1\n";
        let fields = parse(stat).unwrap();
        let names: Vec<_> = fields.iter().map(|field| field.key.as_str()).collect();
        assert_eq!(
            names,
            [
                "interrupts",
                "context_switches",
                "disk_pages_in",
                "disk_pages_out",
                "boot_time",
                "processes_forked"
            ]
        );
        assert_eq!(fields[0].value, Value::Integer(1_472_736));
        assert_eq!(fields[3].value, Value::Integer(1_808));
    }

    #[test]
    fn what_is_missing_is_left_out_and_what_is_wrong_is_named() {
        assert_eq!(parse(b"cpu 1\n").unwrap(), []);
        for (stat, word, reason) in [
            ("ctxt many\n", "many", "invalid syntax"),
            ("page 5\n", "", "invalid syntax"),
            ("btime 9223372036854775808\n", "9223372036854775808", "value out of range"),
        ] {
            let error = parse(stat.as_bytes()).unwrap_err().to_string();
            assert_eq!(error, format!("strconv.ParseInt: parsing \"{word}\": {reason}"));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..200),
            text in "((intr|page|btime)?[ 0-9x]{0,9}\n?){0,6}",
        ) {
            let _ = parse(&bytes);
            let _ = parse(text.as_bytes());
        }
    }
}
