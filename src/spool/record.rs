//! One record as bytes: how long it is, a checksum, when it came, and what it holds.
//!
//! ```text
//! length of the payload  u32   never zero, so that a tail of zeros is no record
//! checksum               u32   CRC-32C over the record's number and all but this
//! time                   u32   when it came, in seconds since 1970
//! payload
//! ```
//!
//! Numbers are little-endian. The record's own number is part of the checksum and not of the
//! bytes: what once was another record, or stood elsewhere, is none here.

use std::ops::Range;

/// How many bytes stand before the payload.
pub(super) const RECORD_HEADER: usize = 12;

/// No payload is longer; what says so is damaged.
pub(super) const PAYLOAD_LIMIT: usize = 64 << 20;

/// What stands at a place where a record may begin.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Parsed {
    /// A whole record: when it came, and where in the bytes its payload is.
    Record { time_s: u32, payload: Range<usize> },
    /// More bytes are needed, this many at least.
    Incomplete(usize),
    /// No record.
    Bad,
}

/// Appends a header that [`seal`] fills in.
pub(super) fn begin(out: &mut Vec<u8>) -> usize {
    let start = out.len();
    out.resize(start + RECORD_HEADER, 0);
    start
}

/// Fills in the header of the record that began at `start` and whose payload ends the bytes.
///
/// Returns whether it can be a record at all; one that is empty or too long is taken back.
pub(super) fn seal(out: &mut Vec<u8>, start: usize, number: u64, time_s: u32) -> bool {
    let length = out.len() - start - RECORD_HEADER;
    if length == 0 || length > PAYLOAD_LIMIT {
        out.truncate(start);
        return false;
    }
    let record = &mut out[start..];
    record[..4].copy_from_slice(&(length as u32).to_le_bytes());
    record[8..12].copy_from_slice(&time_s.to_le_bytes());
    let checksum = checksum(number, &record[..4], &record[8..]);
    record[4..8].copy_from_slice(&checksum.to_le_bytes());
    true
}

/// Looks at the record with this number that begins at `start`.
pub(super) fn parse(bytes: &[u8], start: usize, number: u64) -> Parsed {
    let Some(record) = bytes.get(start..).filter(|record| record.len() >= RECORD_HEADER) else {
        return Parsed::Incomplete(RECORD_HEADER);
    };
    let field = |at: usize| record.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
    let [Some(length), Some(expected), Some(age)] = [field(0), field(4), field(8)] else {
        return Parsed::Bad;
    };
    let length = u32::from_le_bytes(length) as usize;
    if length == 0 || length > PAYLOAD_LIMIT {
        return Parsed::Bad;
    }
    let whole = RECORD_HEADER + length;
    if record.len() < whole {
        return Parsed::Incomplete(whole);
    }
    if checksum(number, &record[..4], &record[8..whole]) != u32::from_le_bytes(expected) {
        return Parsed::Bad;
    }
    Parsed::Record {
        time_s: u32::from_le_bytes(age),
        payload: start + RECORD_HEADER..start + whole,
    }
}

fn checksum(number: u64, length: &[u8], rest: &[u8]) -> u32 {
    let mut start = [0; 12];
    start[..8].copy_from_slice(&number.to_le_bytes());
    start[8..].copy_from_slice(length);
    crc32c::crc32c_append(crc32c::crc32c(&start), rest)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn record(number: u64, payload: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let start = begin(&mut bytes);
        bytes.extend_from_slice(payload);
        assert!(seal(&mut bytes, start, number, 7));
        bytes
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let mut bytes = record(3, b"abc");
        bytes.extend(record(4, b"defg"));
        assert_eq!(parse(&bytes, 0, 3), Parsed::Record { time_s: 7, payload: 12..15 });
        assert_eq!(parse(&bytes, 15, 4), Parsed::Record { time_s: 7, payload: 27..31 });
        assert_eq!(parse(&bytes, 31, 5), Parsed::Incomplete(RECORD_HEADER));
    }

    #[test]
    fn an_empty_record_is_taken_back() {
        let mut bytes = b"before".to_vec();
        let start = begin(&mut bytes);
        assert!(!seal(&mut bytes, start, 0, 0));
        assert_eq!(bytes, b"before");
    }

    proptest! {
        #[test]
        fn every_cut_and_every_flipped_bit_is_noticed(
            number: u64,
            payload in prop::collection::vec(any::<u8>(), 1..40),
        ) {
            let bytes = record(number, &payload);
            let whole = |bytes: &[u8], number| matches!(parse(bytes, 0, number), Parsed::Record { .. });
            prop_assert!(whole(&bytes, number));
            prop_assert!(!whole(&bytes, number.wrapping_add(1)));
            for size in 0..bytes.len() {
                prop_assert!(!whole(&bytes[..size], number));
            }
            for bit in 0..bytes.len() * 8 {
                let mut flipped = bytes.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                prop_assert!(!whole(&flipped, number), "bit {}", bit);
            }
        }
    }
}
