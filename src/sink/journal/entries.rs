//! A whole journal, entry by entry: the batches that are in the data file for good.
//!
//! What the sink reads when it starts is the journal's end. Here everything counts from the first
//! line on, and only what may still be cut is kept in memory.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::ops::Range;
use std::path::Path;

use hashbrown::HashMap;

use super::entry::{Batch, Entry, Header};
use super::replay::RECENT;
use crate::kafka::group::Partition;

/// How long a line may be; one that is longer is damage. A batch of thousands of partitions has some
/// hundred KiB.
const MOST_LINE_BYTES: u64 = 64 << 20;

/// What the journal says about a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::sink) enum Standing {
    /// Its commit was accepted, or somebody has asked the group.
    Confirmed,
    /// Nobody knows yet.
    Pending,
}

/// A batch that nobody knew whether to keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::sink) struct Undecided {
    pub(in crate::sink) partition: Partition,
    pub(in crate::sink) offsets: Range<i64>,
}

/// The batches of a journal in their order, without those that were cut.
pub(in crate::sink) struct Batches<R> {
    lines: io::Take<R>,
    line: Vec<u8>,
    at: u64,
    is_over: bool,
    /// A header was read, and batches before it may not have come yet.
    is_at_header: bool,
    /// Batches that may still be cut.
    waiting: VecDeque<Batch>,
    ready: VecDeque<(Standing, Batch)>,
    kept: Vec<Batch>,
    confirmed: u64,
    facts: Facts,
}

/// What a journal says besides its batches; known when all of them were read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::sink) struct Facts {
    /// What it is about, by its first header.
    pub(in crate::sink) header: Option<Header>,
    /// How many headers there were: each begins anew, with what is in the file then.
    pub(in crate::sink) headers: u32,
    /// How long the data file is by the journal.
    pub(in crate::sink) length: u64,
    /// The sink has ended in order after this.
    pub(in crate::sink) is_ended: bool,
    /// A rewrite of this end of the data file may not be finished.
    pub(in crate::sink) unfinished: Option<Range<u64>>,
    /// Where lines begin that are wrong.
    pub(in crate::sink) damage: Vec<u64>,
    /// What was kept because nobody could tell.
    pub(in crate::sink) undecided: Vec<Undecided>,
    /// How many bytes are whole lines.
    pub(in crate::sink) whole_bytes: u64,
}

impl<R: BufRead> Batches<R> {
    /// Reads the first `length` bytes of a journal; what comes behind is not looked at, so that one
    /// that is being written has an end.
    pub(in crate::sink) fn new(lines: R, length: u64) -> Batches<R> {
        Batches {
            lines: lines.take(length),
            line: Vec::new(),
            at: 0,
            is_over: false,
            is_at_header: false,
            waiting: VecDeque::new(),
            ready: VecDeque::new(),
            kept: Vec::new(),
            confirmed: 0,
            facts: Facts::default(),
        }
    }

    /// What the journal says besides, as far as it was read.
    pub(in crate::sink) fn facts(&self) -> &Facts {
        &self.facts
    }

    /// The next batch that stays; none at the end.
    ///
    /// # Errors
    /// If the journal cannot be read.
    pub(in crate::sink) fn next(&mut self) -> io::Result<Option<(Standing, Batch)>> {
        loop {
            if let Some(batch) = self.ready.pop_front() {
                return Ok(Some(batch));
            }
            // Not before those have come that stand before it.
            self.facts.headers += u32::from(std::mem::take(&mut self.is_at_header));
            if self.is_over {
                return Ok(None);
            }
            if !self.read_entry()? {
                self.is_over = true;
                self.release(usize::MAX);
            }
        }
    }

    /// Reads one line; tells whether there was one. An unfinished one counts as never written.
    fn read_entry(&mut self) -> io::Result<bool> {
        self.line.clear();
        let mut limited = Read::by_ref(&mut self.lines).take(MOST_LINE_BYTES);
        let length = limited.read_until(b'\n', &mut self.line)? as u64;
        if length == 0 {
            return Ok(false);
        }
        let start = self.at;
        self.at += length;
        let Some(content) = self.line.strip_suffix(b"\n") else {
            if length == MOST_LINE_BYTES {
                self.facts.damage.push(start);
                return Ok(true);
            }
            return Ok(false);
        };
        self.facts.whole_bytes = self.at;
        match Entry::decode(content) {
            Ok(entry) => self.apply(entry),
            Err(_) => self.facts.damage.push(start),
        }
        Ok(true)
    }

    fn apply(&mut self, entry: Entry) {
        let facts = &mut self.facts;
        facts.is_ended = false;
        if let Entry::Kept(batch) = entry {
            self.kept.push(batch);
            return;
        }
        let kept = std::mem::take(&mut self.kept);
        match entry {
            Entry::Header(header) => {
                facts.length = header.begin;
                facts.unfinished = None;
                if facts.header.is_none() {
                    facts.header = Some(header);
                }
                self.is_at_header = true;
                self.release(usize::MAX);
            }
            Entry::Batch(batch) => self.push(batch),
            Entry::Kept(_) => {}
            Entry::Undecided { partition, offsets, .. } => {
                facts.undecided.push(Undecided { partition, offsets });
            }
            Entry::Confirmed(number) => {
                self.confirmed = self.confirmed.max(number);
                self.release_old();
            }
            Entry::Settled(number) => {
                self.confirmed = self.confirmed.max(number);
                let settled = self.waiting.iter().take_while(|batch| batch.number <= number);
                self.release(settled.count());
            }
            Entry::Cut { number, length } => {
                facts.length = length;
                self.waiting.retain(|batch| batch.number < number);
            }
            Entry::Rewrite { number, bytes, .. } => {
                facts.length = bytes.end;
                facts.unfinished = Some(bytes);
                self.waiting.retain(|batch| batch.number < number);
                kept.into_iter().for_each(|batch| self.push(batch));
            }
            Entry::Rewritten(_) => facts.unfinished = None,
            Entry::End(length) => {
                facts.length = length;
                facts.is_ended = true;
            }
        }
    }

    fn push(&mut self, batch: Batch) {
        self.facts.length = batch.bytes.end;
        self.waiting.push_back(batch);
    }

    /// Lets go of those that the sink has forgotten: it keeps the last confirmed ones in mind,
    /// besides all that are not.
    fn release_old(&mut self) {
        let confirmed = self.waiting.iter().take_while(|batch| batch.number <= self.confirmed);
        self.release(confirmed.count().saturating_sub(RECENT));
    }

    fn release(&mut self, count: usize) {
        let count = count.min(self.waiting.len());
        let confirmed = self.confirmed;
        let standing = |batch: &Batch| match batch.number <= confirmed {
            true => Standing::Confirmed,
            false => Standing::Pending,
        };
        self.ready.extend(self.waiting.drain(..count).map(|batch| (standing(&batch), batch)));
    }
}

/// The batches that stay of a whole journal, since its last header.
#[expect(clippy::disallowed_methods, reason = "the sink's subject is files")]
fn since_last_header(path: &Path) -> io::Result<Vec<Batch>> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut batches = Batches::new(BufReader::new(file), length);
    let (mut found, mut of_header) = (Vec::new(), 0);
    loop {
        let next = batches.next()?;
        if batches.facts().headers > of_header {
            of_header = batches.facts().headers;
            found.clear();
        }
        match next {
            Some((_, batch)) => found.push(batch),
            None => return Ok(found),
        }
    }
}

/// The offsets of the first and the last record that a whole journal tells of, by what counts.
///
/// # Errors
/// Whatever reading fails with.
pub fn first_and_last_offset(path: &Path) -> io::Result<Option<(i64, i64)>> {
    let batches = since_last_header(path)?;
    let parts = || batches.iter().map(|batch| &batch.parts);
    let first = parts().find_map(|parts| parts.first()).map(|part| part.offsets.start);
    let last = parts().rev().find_map(|parts| parts.last()).map(|part| part.offsets.end - 1);
    Ok(first.zip(last))
}

/// The last offset of each partition that a whole journal tells of, by what counts.
///
/// # Errors
/// Whatever reading fails with.
pub fn last_offsets(path: &Path) -> io::Result<HashMap<Partition, i64>> {
    let batches = since_last_header(path)?;
    let parts = batches.into_iter().flat_map(|batch| batch.parts);
    Ok(parts.map(|part| (part.partition, part.offsets.end - 1)).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sink::journal::replay;
    use crate::sink::journal::samples::{self, batch, text};

    fn header() -> Entry {
        Entry::Header(samples::header(0))
    }

    /// The numbers of all batches with what the journal says of them, and the rest of it.
    fn read(text: &[u8]) -> (Vec<(u64, Standing)>, Facts) {
        let mut batches = Batches::new(text, text.len() as u64);
        let mut found = Vec::new();
        while let Some((standing, batch)) = batches.next().unwrap() {
            found.push((batch.number, standing));
        }
        (found, batches.facts().clone())
    }

    #[test]
    fn what_was_cut_or_rewritten_does_not_come() {
        use Standing::{Confirmed, Pending};
        let entries = [
            header(),
            Entry::Batch(batch(1, 0..10)),
            Entry::Batch(batch(2, 10..20)),
            Entry::Confirmed(1),
            Entry::Cut { number: 2, length: 10 },
            Entry::Batch(batch(3, 10..20)),
            Entry::Batch(batch(4, 20..30)),
            Entry::Kept(batch(4, 10..15)),
            Entry::Rewrite { number: 3, bytes: 10..15, checksum: 0 },
            Entry::Rewritten(3),
            Entry::Settled(4),
            Entry::Batch(batch(5, 15..16)),
        ];
        let (found, facts) = read(&text(&entries));
        assert_eq!(found, [(1, Confirmed), (4, Confirmed), (5, Pending)]);
        assert_eq!((facts.length, facts.is_ended, facts.unfinished), (16, false, None));
        assert!(facts.damage.is_empty());
    }

    #[test]
    fn offsets_are_those_since_the_last_header_without_what_was_cut() {
        let at = |number: u64, offsets: Range<i64>| {
            let mut batch = batch(number, number * 10..number * 10 + 10);
            batch.parts[0].offsets = offsets;
            Entry::Batch(batch)
        };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let cut = Entry::Cut { number: 3, length: 0 };
        let before = [header(), at(1, 0..5), Entry::Confirmed(1)];
        let since = [header(), at(2, 5..8), at(3, 8..9), cut, at(4, 20..30)];
        let partition = Partition { topic: "t".into(), number: 0 };
        for (entries, first_and_last) in [
            (before.to_vec(), Some((0, 4))),
            ([&before[..], &since].concat(), Some((5, 29))),
            ([&before[..], &[header()]].concat(), None),
        ] {
            std::fs::write(&path, text(&entries)).unwrap();
            assert_eq!(first_and_last_offset(&path).unwrap(), first_and_last);
            let last = first_and_last.map(|(_, last)| last);
            assert_eq!(last_offsets(&path).unwrap().get(&partition).copied(), last);
        }
    }

    #[test]
    fn an_unfinished_rewrite_damage_and_what_is_undecided_are_told() {
        let mut journal = text(&[header(), Entry::Batch(batch(1, 0..10))]);
        let at = journal.len() as u64;
        journal.extend(b"somebody's words\n");
        let undecided = Entry::Undecided {
            number: 1,
            partition: Partition { topic: "t".into(), number: 3 },
            offsets: 4..6,
        };
        let rewrite = Entry::Rewrite { number: 1, bytes: 0..0, checksum: 0 };
        journal.extend(text(&[undecided, rewrite]));
        let whole = journal.len() as u64;
        journal.extend(b"batch 2 0..7");
        let (found, facts) = read(&journal);
        assert_eq!((found, facts.damage), (vec![], vec![at]));
        assert_eq!((facts.unfinished, facts.whole_bytes), (Some(0..0), whole));
        assert_eq!(facts.undecided[0].offsets, 4..6);
    }

    #[test]
    fn no_more_is_read_than_was_asked_for() {
        let one = text(&[header(), Entry::Batch(batch(1, 0..10))]);
        let two = [&one[..], &text(&[Entry::Batch(batch(2, 10..20))])].concat();
        let mut batches = Batches::new(&two[..], one.len() as u64 + 5);
        assert_eq!(batches.next().unwrap().map(|(_, batch)| batch.number), Some(1));
        assert_eq!(batches.next().unwrap(), None);
        assert_eq!(batches.facts().whole_bytes, one.len() as u64);
    }

    #[test]
    fn what_may_still_be_cut_waits_and_no_more() {
        let mut journal = vec![header()];
        for number in 1..=500 {
            journal.push(Entry::Batch(batch(number, number..number + 1)));
            journal.push(Entry::Confirmed(number));
        }
        journal.push(Entry::Cut { number: 500 - RECENT as u64 + 1, length: 0 });
        let journal = text(&journal);
        let mut batches = Batches::new(&journal[..], journal.len() as u64);
        let (mut most, mut count) = (0, 0);
        while batches.next().unwrap().is_some() {
            count += 1;
            most = most.max(batches.waiting.len());
        }
        assert_eq!((count, most), (500 - RECENT, RECENT));
    }

    fn entry() -> impl Strategy<Value = Entry> {
        prop_oneof![
            4 => Just(Entry::Batch(batch(0, 0..1))),
            2 => (0u64..4).prop_map(Entry::Confirmed),
            1 => (0u64..4).prop_map(Entry::Settled),
            1 => (0u64..4).prop_map(|back| Entry::Cut { number: back, length: 0 }),
        ]
    }

    proptest! {
        #[test]
        fn in_the_end_it_says_what_a_starting_sink_reads(
            steps in prop::collection::vec(entry(), 0..60)
        ) {
            // Numbers count back from the last batch, as what the sink writes does.
            let (mut last, mut confirmed) = (0, 0);
            let mut entries = vec![header()];
            for step in steps {
                entries.push(match step {
                    Entry::Batch(_) => {
                        last += 1;
                        Entry::Batch(batch(last, last..last + 1))
                    }
                    Entry::Confirmed(back) => {
                        confirmed = confirmed.max(last.saturating_sub(back));
                        Entry::Confirmed(confirmed)
                    }
                    Entry::Settled(_) => {
                        confirmed = last;
                        Entry::Settled(last)
                    }
                    Entry::Cut { number: back, .. } => {
                        let number = (last + 1).saturating_sub(back).max(confirmed + 1);
                        Entry::Cut { number, length: 0 }
                    }
                    other => other,
                });
            }
            let text = text(&entries);
            let (found, facts) = read(&text);
            let replayed = replay(&text, 0);
            let pending: Vec<_> = replayed.unconfirmed().map(|batch| batch.number).collect();
            let is_pending = |(number, standing): &(u64, Standing)| {
                (*standing == Standing::Pending).then_some(*number)
            };
            prop_assert_eq!(found.iter().filter_map(is_pending).collect::<Vec<_>>(), pending);
            prop_assert!(found.is_sorted_by_key(|(number, _)| *number));
            let tail: Vec<_> = replayed.batches.iter().map(|batch| batch.number).collect();
            let numbers: Vec<_> = found.iter().map(|(number, _)| *number).collect();
            prop_assert!(numbers.ends_with(&tail), "{:?} {:?}", numbers, tail);
            prop_assert_eq!(facts.length, replayed.length);
        }
    }
}
