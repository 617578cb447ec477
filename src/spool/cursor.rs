//! A reader of the spool: what it has done with, and the file that remembers it.

use std::ops::Range;

use super::done::Done;

/// The last of these bytes is the version of the format.
const MARK: [u8; 8] = *b"cursor\0\x01";

const SUFFIX: &str = ".cursor";

/// Where the bytes of a record are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// The number of the record.
    pub(super) number: u64,
    /// The first record of the segment.
    pub(super) segment: u64,
    /// How many bytes of the file come before the record.
    pub(super) offset: u64,
}

/// One reader.
#[derive(Debug)]
pub(super) struct Cursor {
    pub(super) name: String,
    pub(super) done: Done,
    /// The number after the last record that is out; those that are out are never dropped.
    pub(super) out_end: u64,
    /// A place at or before the first record that is not done with, if one is known.
    pub(super) place: Option<Place>,
    /// The place after the last record that is out.
    pub(super) place_after: Option<Place>,
    /// Whether there is more to remember than the file knows.
    pub(super) is_unsaved: bool,
    /// What it lost so far.
    pub(super) lost: Lost,
}

/// How many records a reader lost, by reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lost {
    /// Dropped because there was no room.
    pub overflow: u64,
    /// Too old when their turn came.
    pub expired: u64,
    /// Unreadable.
    pub damaged: u64,
}

impl Lost {
    /// All of them.
    pub fn total(&self) -> u64 {
        self.overflow + self.expired + self.damaged
    }
}

impl Cursor {
    pub(super) fn new(name: &str, done: Done) -> Cursor {
        Cursor {
            name: name.to_owned(),
            done,
            out_end: 0,
            place: None,
            place_after: None,
            is_unsaved: false,
            lost: Lost::default(),
        }
    }

    /// Marks as done with, and returns how many of these were not before.
    pub(super) fn mark(&mut self, range: Range<u64>) -> u64 {
        let news = self.done.mark(range);
        if news > 0 {
            self.is_unsaved = true;
            let next = self.done.next();
            if let Some(after) = self.place_after.filter(|after| after.number <= next) {
                self.place = Some(after);
            }
        }
        news
    }

    /// The name of the file of a reader.
    pub(super) fn file_name(name: &str) -> String {
        format!("{name}{SUFFIX}")
    }

    /// The reader whose file has this name.
    pub(super) fn name_of(file: &str) -> Option<&str> {
        file.strip_suffix(SUFFIX)
    }
}

/// What the file of a reader holds: the mark, the first record that is not done with, each range
/// beyond it with start and end, and a CRC-32C of all that.
pub(super) fn encode(done: &Done) -> Vec<u8> {
    let mut bytes = MARK.to_vec();
    bytes.extend_from_slice(&done.next().to_le_bytes());
    for range in done.beyond() {
        bytes.extend_from_slice(&range.start.to_le_bytes());
        bytes.extend_from_slice(&range.end.to_le_bytes());
    }
    let checksum = crc32c::crc32c(&bytes);
    bytes.extend_from_slice(&checksum.to_le_bytes());
    bytes
}

/// What such a file says, unless it is damaged.
pub(super) fn decode(bytes: &[u8]) -> Option<Done> {
    let (content, checksum) = bytes.split_last_chunk()?;
    if crc32c::crc32c(content) != u32::from_le_bytes(*checksum) {
        return None;
    }
    let numbers = content.strip_prefix(&MARK)?.chunks(8);
    let numbers: Option<Vec<u64>> =
        numbers.map(|bytes| Some(u64::from_le_bytes(bytes.try_into().ok()?))).collect();
    let numbers = numbers?;
    let (next, ranges) = numbers.split_first()?;
    let ranges = ranges.chunks_exact(2).map(|ends| ends[0]..ends[1]);
    Some(Done::new(*next, ranges))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_done_is_remembered_unless_the_file_is_damaged() {
        for done in [Done::default(), Done::new(5, []), Done::new(5, [7..9, 20..21])] {
            let bytes = encode(&done);
            assert_eq!(decode(&bytes), Some(done));
            for size in 0..bytes.len() {
                assert_eq!(decode(&bytes[..size]), None);
            }
            for bit in 0..bytes.len() * 8 {
                let mut flipped = bytes.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(decode(&flipped), None, "bit {bit}");
            }
        }
    }
}
