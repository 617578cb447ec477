//! Segment files: their names, what they begin with, and what is known of each.
//!
//! ```text
//! mark      8 bytes   "spool" and the version of the format
//! first     u64       the number of the first record, as in the name; little-endian
//! checksum  u32       CRC-32C of both
//! records
//! ```

/// The last of these bytes is the version of the format.
const MARK: [u8; 8] = *b"spool\0\0\x01";

/// How many bytes stand before the first record.
pub(super) const SEGMENT_HEADER: usize = 20;

/// How the names of segment files end.
pub(super) const SUFFIX: &str = ".segment";

/// What is behind the name of a file that was set aside.
pub(super) const DAMAGED: &str = ".damaged";

/// One segment file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Segment {
    /// The number of its first record.
    pub(super) first: u64,
    /// The number after its last record.
    pub(super) end: u64,
    /// The size of the file in bytes, as far as records are in it.
    pub(super) size: u64,
    /// Whether something in it could not be read, so that it is kept for people to look at.
    pub(super) is_damaged: bool,
}

impl Segment {
    /// The name of the segment whose first record has this number.
    pub(super) fn name_of(first: u64) -> String {
        format!("{first:020}{SUFFIX}")
    }

    /// The number in the name of a segment file.
    pub(super) fn first_of(name: &str) -> Option<u64> {
        let digits = name.strip_suffix(SUFFIX)?;
        let is_number = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| digits.parse().ok())?
    }

    /// The name of its file.
    pub(super) fn name(&self) -> String {
        Segment::name_of(self.first)
    }
}

/// The first bytes of the segment whose first record has this number.
pub(super) fn header(first: u64) -> [u8; SEGMENT_HEADER] {
    let mut header = [0; SEGMENT_HEADER];
    header[..8].copy_from_slice(&MARK);
    header[8..16].copy_from_slice(&first.to_le_bytes());
    let checksum = crc32c::crc32c(&header[..16]);
    header[16..].copy_from_slice(&checksum.to_le_bytes());
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_numbers_of_twenty_digits() {
        assert_eq!(Segment::name_of(42), "00000000000000000042.segment");
        assert_eq!(Segment::first_of("00000000000000000042.segment"), Some(42));
        for other in ["42.segment", "00000000000000000042", "0000000000000000004x.segment"] {
            assert_eq!(Segment::first_of(other), None);
        }
    }
}
