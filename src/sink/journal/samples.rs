//! Headers and batches that tests of journals are made of.

use std::ops::Range;

use super::entry::{Batch, Entry, Header, Part, Segment};
use super::file_id::FileId;
use crate::kafka::group::Partition;
use crate::sink::ownership::{StoreId, Writer};

/// A header of a file that was this long before.
pub(super) fn header(begin: u64) -> Header {
    let writer = Writer { store: StoreId::new(1), thread: 0 };
    Header { writer, file: FileId { device: 1, inode: 2, born_ns: None }, begin }
}

/// A batch of one record.
pub(super) fn batch(number: u64, bytes: Range<u64>) -> Batch {
    let part = Part {
        partition: Partition { topic: "t".into(), number: 0 },
        offsets: 0..1,
        records: 1,
        segments: vec![Segment { start: bytes.start, length: bytes.end - bytes.start }],
    };
    Batch { number, bytes, checksum: 0, parts: vec![part] }
}

/// The lines of a journal.
pub(super) fn text(entries: &[Entry]) -> Vec<u8> {
    let mut text = String::new();
    entries.iter().for_each(|entry| entry.encode(&mut text));
    text.into_bytes()
}
