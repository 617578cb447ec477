//! The counters of disks and partitions.
//!
//! # References
//! The kernel's `Documentation/admin-guide/iostats.rst`.

use compact_str::CompactString;

use crate::plugin::Quoted;

/// A sector, whatever size those of the disk are.
const SECTOR_BYTES: u64 = 512;

/// What a device has done since boot; times in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counters {
    pub(super) reads: u64,
    pub(super) merged_reads: u64,
    pub(super) read_bytes: u64,
    pub(super) read_ms: u64,
    pub(super) writes: u64,
    pub(super) merged_writes: u64,
    pub(super) write_bytes: u64,
    pub(super) write_ms: u64,
    pub(super) in_progress: u64,
    pub(super) io_ms: u64,
    pub(super) weighted_io_ms: u64,
}

/// A counter that is no number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("strconv.ParseUint: parsing {}: {reason}", Quoted::new(.word))]
pub(super) struct ParseError {
    word: Vec<u8>,
    reason: &'static str,
}

/// Parses the devices whose names `is_wanted` takes and that have done anything yet.
///
/// Lines with fewer counters, which kernels before 2.6.25 had for partitions, are passed over.
///
/// # Errors
/// The first counter of a wanted device that is no number.
pub(super) fn parse(
    text: &[u8],
    is_wanted: impl Fn(&str) -> bool,
    mut visit: impl FnMut(CompactString, Counters),
) -> Result<(), ParseError> {
    for line in text.split(|byte| *byte == b'\n') {
        let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).skip(2);
        let Some(name) = words.next() else { continue };
        let mut counters = [&b""[..]; 11];
        let mut n_words = 0;
        for (counter, word) in counters.iter_mut().zip(words) {
            *counter = word;
            n_words += 1;
        }
        let name = CompactString::from_utf8_lossy(name);
        if n_words < counters.len() || !is_wanted(&name) {
            continue;
        }
        let counters = parse_counters(counters)?;
        if counters != Counters::default() {
            visit(name, counters);
        }
    }
    Ok(())
}

fn parse_counters(words: [&[u8]; 11]) -> Result<Counters, ParseError> {
    let mut numbers = [0; 11];
    for (number, word) in numbers.iter_mut().zip(words) {
        *number = parse_number(word)?;
    }
    let [
        reads,
        merged_reads,
        sectors_read,
        read_ms,
        writes,
        merged_writes,
        sectors_written,
        write_ms,
        in_progress,
        io_ms,
        weighted_io_ms,
    ] = numbers;
    Ok(Counters {
        reads,
        merged_reads,
        read_bytes: sectors_read.wrapping_mul(SECTOR_BYTES),
        read_ms,
        writes,
        merged_writes,
        write_bytes: sectors_written.wrapping_mul(SECTOR_BYTES),
        write_ms,
        in_progress,
        io_ms,
        weighted_io_ms,
    })
}

fn parse_number(word: &[u8]) -> Result<u64, ParseError> {
    let is_number = !word.is_empty() && word.iter().all(u8::is_ascii_digit);
    let number = std::str::from_utf8(word).ok().filter(|_| is_number);
    number.and_then(|number| number.parse().ok()).ok_or_else(|| ParseError {
        word: word.to_owned(),
        reason: if is_number { "value out of range" } else { "invalid syntax" },
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn names(text: &str) -> Result<Vec<String>, String> {
        let mut names = Vec::new();
        let parsed =
            parse(text.as_bytes(), |name| name != "sdz", |name, _| names.push(name.to_string()));
        parsed.map(|()| names).map_err(|error| error.to_string())
    }

    #[test]
    fn counters_are_read_in_the_order_of_the_file() {
        let text = b"   8       0 sda 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17\n";
        let mut found = Vec::new();
        parse(text, |_| true, |name, counters| found.push((name, counters))).unwrap();
        let counters = Counters {
            reads: 1,
            merged_reads: 2,
            read_bytes: 3 * 512,
            read_ms: 4,
            writes: 5,
            merged_writes: 6,
            write_bytes: 7 * 512,
            write_ms: 8,
            in_progress: 9,
            io_ms: 10,
            weighted_io_ms: 11,
        };
        assert_eq!(found, [("sda".into(), counters)]);
    }

    #[test]
    fn what_is_short_idle_or_unwanted_is_left_out() {
        let text = "8 0 sda 1 0 0 0 0 0 0 0 0 0 0\n8 1 sda1 1 2 3 4\n\n7 0 loop0 0 0 0 0 0 0 0 0 0 0 0\n8 9 sdz x 0 0 0 0 0 0 0 0 0 0\n";
        assert_eq!(names(text), Ok(vec!["sda".to_owned()]));
    }

    #[test]
    fn a_counter_that_is_no_number_is_shown() {
        for (word, reason) in [
            ("-1", "invalid syntax"),
            ("+1", "invalid syntax"),
            ("18446744073709551616", "value out of range"),
        ] {
            let expected = format!("strconv.ParseUint: parsing \"{word}\": {reason}");
            assert_eq!(names(&format!("8 0 sda 0 0 {word} 0 0 0 0 0 0 0 0\n")), Err(expected));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..200),
            text in "(8 0 sd[a-z]( [0-9x]{1,20}){9,12}\n){0,4}",
        ) {
            let _ = parse(&bytes, |_| true, |_, _| {});
            let _ = parse(text.as_bytes(), |_| true, |_, _| {});
        }
    }
}
