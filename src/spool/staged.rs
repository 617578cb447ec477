//! Records that are in memory: those of the group at hand, or all that the disk did not take.

use super::record::{self, Parsed, RECORD_HEADER};

/// Records in memory, in the form in which they go to a file.
#[derive(Debug, Default)]
pub(super) struct Staged {
    /// The number of the first.
    pub(super) first: u64,
    /// How many there are.
    pub(super) count: u64,
    bytes: Vec<u8>,
    /// Where in the bytes the first begins.
    start: usize,
    /// When the records of the group at hand came.
    time_s: Option<u32>,
}

impl Staged {
    /// None yet; the first one has this number.
    pub(super) fn new(first: u64) -> Staged {
        Staged { first, ..Staged::default() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// How many bytes they take.
    pub(super) fn size(&self) -> usize {
        self.bytes.len() - self.start
    }

    /// The records, one after the other.
    fn bytes(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    /// Number, time and payload of each record.
    pub(super) fn records(&self) -> impl Iterator<Item = (u64, u32, &[u8])> {
        let mut offset = 0;
        (self.first..self.first + self.count).map_while(move |number| {
            let Parsed::Record { time_s, payload } = record::parse(self.bytes(), offset, number)
            else {
                return None;
            };
            offset = payload.end;
            Some((number, time_s, &self.bytes()[payload]))
        })
    }

    /// Adds a record; returns whether it can be one. `now_s` is asked once a group.
    pub(super) fn push(
        &mut self,
        now_s: impl FnOnce() -> u32,
        encode: impl FnOnce(&mut Vec<u8>),
    ) -> bool {
        let time_s = *self.time_s.get_or_insert_with(now_s);
        let start = record::begin(&mut self.bytes);
        encode(&mut self.bytes);
        let number = self.first + self.count;
        let is_record = record::seal(&mut self.bytes, start, number, time_s);
        self.count += u64::from(is_record);
        is_record
    }

    /// Ends the group: the next record comes later.
    pub(super) fn end_group(&mut self) {
        self.time_s = None;
    }

    /// Takes the last record back, before which they had this size.
    pub(super) fn take_back(&mut self, size: usize) {
        self.bytes.truncate(self.start + size);
        self.count -= 1;
    }

    /// The bytes of the first records, about `size` bytes but one record at least, and how many.
    pub(super) fn piece(&self, size: usize) -> (&[u8], u64) {
        let bytes = self.bytes();
        let mut end = 0;
        let mut count = 0;
        while count < self.count && (count == 0 || end < size) {
            end += length(&bytes[end..]);
            count += 1;
        }
        (&bytes[..end], count)
    }

    /// Forgets the first records, of which it is known how many they are and how long.
    pub(super) fn drop_front(&mut self, size: usize, count: u64) {
        self.start += size;
        self.first += count;
        self.count -= count;
        if self.count == 0 {
            // What a time without a disk, or a burst, has made large need not stay so.
            const KEPT_BYTES: usize = 256 * 1024;
            self.bytes.clear();
            self.bytes.shrink_to(KEPT_BYTES);
            self.start = 0;
        } else if self.start > self.bytes.len() / 2 {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
    }

    /// Forgets the first record.
    pub(super) fn drop_first(&mut self) {
        let size = length(self.bytes());
        self.drop_front(size, 1);
    }
}

/// The length of the whole record at the start of these bytes, which were written here.
fn length(bytes: &[u8]) -> usize {
    let payload = bytes.first_chunk().map_or(0, |length| u32::from_le_bytes(*length));
    RECORD_HEADER + payload as usize
}
