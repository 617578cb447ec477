//! Records in memory on their way to a file: whole lines, which partition each is from, and how
//! they come to stand in the file partition by partition.

use std::io::IoSlice;
use std::ops::Range;

use super::file::push_record;
use super::journaled::Piece;
use crate::kafka::group::Partition;

/// Records that are not in a file yet.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// The lines in the order in which they were read.
    bytes: Vec<u8>,
    parts: Vec<Part>,
    /// Which stretches of the lines belong to which part.
    runs: Vec<Run>,
    records: u64,
}

#[derive(Debug)]
struct Part {
    partition: Partition,
    offsets: Range<i64>,
    records: u64,
}

#[derive(Debug)]
struct Run {
    part: usize,
    bytes: Range<usize>,
}

impl Batch {
    /// Adds a record.
    pub(super) fn push(&mut self, topic: &str, number: i32, offset: i64, value: &[u8]) {
        let start = self.bytes.len();
        push_record(&mut self.bytes, value);
        self.records += 1;
        let end = self.bytes.len();
        let continues = |part: &Part| {
            part.partition.number == number
                && *part.partition.topic == *topic
                && part.offsets.end <= offset
        };
        // Most often it is of the same partition as the one before.
        if let Some(run) = self.runs.last_mut()
            && let Some(part) = self.parts.get_mut(run.part)
            && continues(part)
        {
            run.bytes.end = end;
            part.offsets.end = offset + 1;
            part.records += 1;
            return;
        }
        let part = self.parts.iter().rposition(continues).unwrap_or_else(|| {
            let partition = Partition { topic: topic.into(), number };
            self.parts.push(Part { partition, offsets: offset..offset, records: 0 });
            self.parts.len() - 1
        });
        self.parts[part].offsets.end = offset + 1;
        self.parts[part].records += 1;
        self.runs.push(Run { part, bytes: start..end });
    }

    /// How many records it holds.
    pub(super) fn records(&self) -> u64 {
        self.records
    }

    /// How many bytes it holds.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The records by partition.
    pub(super) fn pieces(&self) -> Vec<Piece<'_>> {
        let mut pieces: Vec<Piece<'_>> = Vec::with_capacity(self.parts.len());
        for part in &self.parts {
            pieces.push(Piece {
                partition: &part.partition,
                offsets: part.offsets.clone(),
                records: part.records,
                bytes: Vec::new(),
            });
        }
        for run in &self.runs {
            pieces[run.part].bytes.push(IoSlice::new(&self.bytes[run.bytes.clone()]));
        }
        pieces
    }

    /// Forgets everything, and keeps no more memory than `most_bytes`.
    pub(super) fn clear(&mut self, most_bytes: usize) {
        self.bytes.clear();
        self.parts.clear();
        self.runs.clear();
        self.records = 0;
        // One large record must not keep its memory for good.
        self.bytes.shrink_to(most_bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_out_by_partition_in_the_order_of_their_offsets() {
        let mut batch = Batch::default();
        for (topic, number, offset, value) in [
            ("t", 0, 5, "a"),
            ("t", 0, 6, "b"),
            ("t", 1, 9, "c"),
            ("t", 0, 8, "d"),
            ("u", 0, 1, "e"),
            // The topic was made anew.
            ("t", 1, 0, "f"),
        ] {
            batch.push(topic, number, offset, value.as_bytes());
        }
        assert_eq!((batch.records(), batch.len()), (6, 12));
        let found: Vec<_> = batch
            .pieces()
            .iter()
            .map(|piece| {
                let bytes: Vec<u8> = piece.bytes.iter().flat_map(|each| each.to_vec()).collect();
                let text = String::from_utf8(bytes).unwrap();
                (piece.partition.to_string(), piece.offsets.clone(), piece.records, text)
            })
            .collect();
        assert_eq!(
            found,
            [
                ("t [0]".to_owned(), 5..9, 3, "a\nb\nd\n".to_owned()),
                ("t [1]".to_owned(), 9..10, 1, "c\n".to_owned()),
                ("u [0]".to_owned(), 1..2, 1, "e\n".to_owned()),
                ("t [1]".to_owned(), 0..1, 1, "f\n".to_owned()),
            ]
        );
        assert_eq!(batch.pieces()[0].bytes.len(), 2);
        batch.clear(100);
        assert!(batch.pieces().is_empty());
    }
}
