//! Records in memory on their way to files: whole lines, which file and which partition each is of,
//! and how they come to stand in a file partition by partition.

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
    /// The last part of each slot, where the next record most likely belongs too.
    newest: Vec<Option<usize>>,
}

/// Where a record comes from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Origin<'r> {
    /// The topic.
    pub(super) topic: &'r str,
    /// The partition.
    pub(super) number: i32,
    /// The offset.
    pub(super) offset: i64,
}

#[derive(Debug)]
struct Part {
    /// Which file it goes to.
    slot: usize,
    partition: Partition,
    offsets: Range<i64>,
    records: u64,
    /// The last record of it, counted from 1: its rows may come in several pieces.
    last_record: u64,
}

#[derive(Debug)]
struct Run {
    part: usize,
    bytes: Range<usize>,
}

impl Batch {
    /// Begins a record, which goes to as many slots as is called for.
    pub(super) fn begin_record(&mut self) {
        self.records += 1;
    }

    /// Adds the record's value as a line.
    pub(super) fn push_line(&mut self, slot: usize, origin: Origin<'_>, value: &[u8]) {
        let start = self.bytes.len();
        push_record(&mut self.bytes, value);
        self.note(slot, origin, start);
    }

    /// Adds lines of the record.
    pub(super) fn push_lines(&mut self, slot: usize, origin: Origin<'_>, lines: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(lines);
        self.note(slot, origin, start);
    }

    /// Notes whose the bytes from `start` on are.
    fn note(&mut self, slot: usize, origin: Origin<'_>, start: usize) {
        let end = self.bytes.len();
        let record = self.records;
        let Origin { topic, number, offset } = origin;
        let continues = |part: &Part| {
            part.slot == slot
                && part.partition.number == number
                && (part.last_record == record || part.offsets.end <= offset)
                && *part.partition.topic == *topic
        };
        // Most often it is of the same partition as the one before, and goes to the same file.
        let before = self.runs.last().map(|run| run.part);
        let newest = self.newest.get(slot).copied().flatten();
        let hinted = [before, newest].into_iter().flatten().find(|at| continues(&self.parts[*at]));
        let known = hinted.or_else(|| self.parts.iter().rposition(continues));
        let at = known.unwrap_or_else(|| {
            let partition = Partition { topic: topic.into(), number };
            let offsets = offset..offset;
            self.parts.push(Part { slot, partition, offsets, records: 0, last_record: 0 });
            self.parts.len() - 1
        });
        let part = &mut self.parts[at];
        part.offsets.end = offset + 1;
        part.records += u64::from(part.last_record != record);
        part.last_record = record;
        if self.newest.len() <= slot {
            self.newest.resize(slot + 1, None);
        }
        self.newest[slot] = Some(at);
        match self.runs.last_mut() {
            Some(run) if run.part == at => run.bytes.end = end,
            _ => self.runs.push(Run { part: at, bytes: start..end }),
        }
    }

    /// How many records it holds.
    pub(super) fn records(&self) -> u64 {
        self.records
    }

    /// How many bytes it holds.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The slots that records go to, each with its records by partition.
    pub(super) fn pieces(&self) -> Vec<(usize, Vec<Piece<'_>>)> {
        let mut slots: Vec<(usize, Vec<Piece<'_>>)> = Vec::new();
        let mut place_of_slot: Vec<Option<usize>> = vec![None; self.newest.len()];
        let mut places = Vec::with_capacity(self.parts.len());
        for part in &self.parts {
            let place = *place_of_slot[part.slot].get_or_insert_with(|| {
                slots.push((part.slot, Vec::new()));
                slots.len() - 1
            });
            let pieces = &mut slots[place].1;
            places.push((place, pieces.len()));
            pieces.push(Piece {
                partition: &part.partition,
                offsets: part.offsets.clone(),
                records: part.records,
                bytes: Vec::new(),
            });
        }
        for run in &self.runs {
            let (place, piece) = places[run.part];
            slots[place].1[piece].bytes.push(IoSlice::new(&self.bytes[run.bytes.clone()]));
        }
        slots
    }

    /// Forgets everything, and keeps no more memory than `most_bytes`.
    pub(super) fn clear(&mut self, most_bytes: usize) {
        self.bytes.clear();
        self.parts.clear();
        self.runs.clear();
        self.newest.clear();
        self.records = 0;
        // One large record must not keep its memory for good.
        self.bytes.shrink_to(most_bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(batch: &mut Batch, slot: usize, topic: &str, number: i32, offset: i64, value: &str) {
        batch.begin_record();
        batch.push_line(slot, Origin { topic, number, offset }, value.as_bytes());
    }

    /// Partition, first and last offset but one, records, and lines of each piece of a slot.
    fn found(pieces: &[Piece<'_>]) -> Vec<(String, Range<i64>, u64, String)> {
        let text = |piece: &Piece<'_>| {
            let bytes: Vec<u8> = piece.bytes.iter().flat_map(|each| each.to_vec()).collect();
            String::from_utf8(bytes).unwrap()
        };
        let found = |piece: &Piece<'_>| {
            (piece.partition.to_string(), piece.offsets.clone(), piece.records, text(piece))
        };
        pieces.iter().map(found).collect()
    }

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
            push(&mut batch, 0, topic, number, offset, value);
        }
        assert_eq!((batch.records(), batch.len()), (6, 12));
        let pieces = batch.pieces();
        assert_eq!(pieces.len(), 1);
        assert_eq!(
            found(&pieces[0].1),
            [
                ("t [0]".to_owned(), 5..9, 3, "a\nb\nd\n".to_owned()),
                ("t [1]".to_owned(), 9..10, 1, "c\n".to_owned()),
                ("u [0]".to_owned(), 1..2, 1, "e\n".to_owned()),
                ("t [1]".to_owned(), 0..1, 1, "f\n".to_owned()),
            ]
        );
        assert_eq!(pieces[0].1[0].bytes.len(), 2);
        drop(pieces);
        batch.clear(100);
        assert!(batch.pieces().is_empty());
    }

    #[test]
    fn a_record_that_goes_to_several_files_counts_once_in_each() {
        let mut batch = Batch::default();
        for offset in 3..5 {
            let origin = Origin { topic: "t", number: 0, offset };
            batch.begin_record();
            for (slot, lines) in [(2, "x\n"), (0, "y\ny\n"), (2, "z\n")] {
                batch.push_lines(slot, origin, lines.as_bytes());
            }
        }
        assert_eq!((batch.records(), batch.len()), (2, 16));
        let pieces = batch.pieces();
        let slots: Vec<_> = pieces.iter().map(|(slot, pieces)| (*slot, found(pieces))).collect();
        assert_eq!(
            slots,
            [
                (2, vec![("t [0]".to_owned(), 3..5, 2, "x\nz\nx\nz\n".to_owned())]),
                (0, vec![("t [0]".to_owned(), 3..5, 2, "y\ny\ny\ny\n".to_owned())]),
            ]
        );
    }

    #[test]
    fn a_partition_that_begins_again_at_the_same_offset_is_another_part() {
        let mut batch = Batch::default();
        push(&mut batch, 0, "t", 0, 5, "old");
        push(&mut batch, 0, "t", 0, 5, "new");
        assert_eq!(batch.pieces()[0].1.len(), 2);
    }
}
