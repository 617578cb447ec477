//! Reading a journal: what it says of the end of its data file.
//!
//! A process may end, and a machine lose its power, at any point of writing an entry. So an unfinished
//! line at the end is no damage: it counts as never written, and whoever opens the journal cuts it
//! off. A whole line that is wrong was damaged by somebody; it is reported, and the rest is believed.

use std::collections::VecDeque;
use std::ops::Range;

use super::entry::{Batch, Entry, Header};
use super::kept::KeptOffsets;
use crate::kafka::group::Partition;

/// How many confirmed batches are kept in mind. A commit that was confirmed can be undone when the
/// brokers lose it, or an older one of the same member comes late; what it confirmed is cut then
/// like everything else that is not confirmed, as far back as this.
pub(in crate::sink) const RECENT: usize = 32;

/// What a journal says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Replay {
    /// What it is about, by its last header.
    pub header: Option<Header>,
    /// The last batches that count, in the order of their numbers and places.
    pub batches: VecDeque<Batch>,
    /// Where the batches end that were forgotten because they are confirmed.
    pub kept: KeptOffsets,
    /// The last of those that were settled and stay; it is only there to be held against the file.
    pub settled: Option<Batch>,
    /// Batches up to this number are confirmed; none yet if it is zero.
    pub confirmed: u64,
    /// The highest number of a batch, void ones included.
    pub last_number: u64,
    /// The number of the first batch that was read, void ones included.
    pub first_read: Option<u64>,
    /// How long the data file is by the journal.
    pub length: u64,
    /// A rewrite of the data file's end that may not be finished: its first batch, its place, and
    /// the checksum of the bytes in the side file.
    pub unfinished: Option<(u64, Range<u64>, u32)>,
    /// What was said to be undecided since it was last settled: batches and partitions.
    undecided: Vec<(u64, Partition)>,
    /// The sink has ended in order after this.
    pub is_ended: bool,
    /// Which lines are wrong.
    pub damage: Vec<Damage>,
    /// Nothing that is right follows the last damage: entries may be missing.
    pub ends_in_damage: bool,
    /// How many bytes of the journal are whole lines.
    pub whole_bytes: u64,
}

/// A line of a journal that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// Where the line stands.
    pub bytes: Range<u64>,
}

/// Reads the lines of a journal, of which the first begins at the file's byte `start`.
pub fn replay(text: &[u8], start: u64) -> Replay {
    let mut replay = Replay { whole_bytes: start, ..Replay::default() };
    let mut kept = Vec::new();
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        let Some(content) = line.strip_suffix(b"\n") else { break };
        let bytes = replay.whole_bytes..replay.whole_bytes + line.len() as u64;
        replay.whole_bytes = bytes.end;
        match Entry::decode(content) {
            Ok(entry) => {
                replay.ends_in_damage = false;
                replay.apply(entry, &mut kept);
            }
            Err(_) => {
                replay.ends_in_damage = true;
                replay.damage.push(Damage { bytes });
            }
        }
    }
    replay
}

impl Replay {
    /// Adds an entry to what is known; `kept` are the batches of a rewrite that has not come yet.
    fn apply(&mut self, entry: Entry, kept: &mut Vec<Batch>) {
        self.is_ended = false;
        if let Entry::Kept(batch) = entry {
            kept.push(batch);
            return;
        }
        let kept = std::mem::take(kept);
        if let Entry::Undecided { number, partition, .. } = &entry {
            self.undecided.push((*number, partition.clone()));
        }
        match entry {
            Entry::Header(header) => {
                self.length = header.begin;
                self.header = Some(header);
                self.batches.clear();
                self.settled = None;
                self.kept.forget();
                self.unfinished = None;
            }
            Entry::Batch(batch) => self.push(batch),
            Entry::Kept(_) | Entry::Undecided { .. } => {}
            Entry::Confirmed(number) => {
                self.confirmed = self.confirmed.max(number);
                self.last_number = self.last_number.max(number);
                self.forget_old();
            }
            Entry::Settled(number) => {
                self.confirmed = self.confirmed.max(number);
                self.last_number = self.last_number.max(number);
                let stays = self.batches.iter().rfind(|batch| batch.number <= number);
                self.settled = stays.cloned().or(self.settled.take());
                let undecided = std::mem::take(&mut self.undecided);
                let mut settled = VecDeque::new();
                std::mem::swap(&mut settled, &mut self.batches);
                for mut batch in settled {
                    if batch.number > number {
                        self.batches.push_back(batch);
                        continue;
                    }
                    batch.parts.retain(|part| {
                        let is_it = |(of, partition): &(u64, Partition)| {
                            *of == batch.number && *partition == part.partition
                        };
                        !undecided.iter().any(is_it)
                    });
                    self.kept.keep(batch.parts);
                }
            }
            Entry::Cut { number, length } => {
                self.batches.retain(|batch| batch.number < number);
                self.settled.take_if(|batch| batch.number >= number);
                self.length = length;
            }
            Entry::Rewrite { number, bytes, checksum } => {
                self.batches.retain(|batch| batch.number < number);
                self.settled.take_if(|batch| batch.number >= number);
                self.length = bytes.end;
                kept.into_iter().for_each(|batch| self.push(batch));
                self.unfinished = Some((number, bytes, checksum));
            }
            Entry::Rewritten(_) => self.unfinished = None,
            Entry::End(length) => {
                self.length = length;
                self.is_ended = true;
            }
        }
    }

    fn push(&mut self, batch: Batch) {
        self.length = batch.bytes.end;
        batch.parts.iter().for_each(|part| self.kept.come_to(part));
        self.last_number = self.last_number.max(batch.number);
        self.first_read.get_or_insert(batch.number);
        self.batches.push_back(batch);
        self.forget_old();
    }

    fn forget_old(&mut self) {
        while self.batches.len() > RECENT
            && let Some(batch) = self.batches.pop_front_if(|batch| batch.number <= self.confirmed)
        {
            self.kept.keep(batch.parts);
        }
    }

    /// The batches that are not known to be confirmed.
    pub fn unconfirmed(&self) -> impl Iterator<Item = &Batch> {
        self.batches.iter().filter(|batch| batch.number > self.confirmed)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sink::journal::samples::{self, batch, text};

    fn header(begin: u64) -> Entry {
        Entry::Header(samples::header(begin))
    }

    fn numbers(replay: &Replay) -> Vec<u64> {
        replay.batches.iter().map(|batch| batch.number).collect()
    }

    #[test]
    fn batches_count_until_they_are_cut() {
        let entries = [
            header(5),
            Entry::Batch(batch(1, 5..10)),
            Entry::Batch(batch(2, 10..20)),
            Entry::Confirmed(1),
            Entry::Batch(batch(3, 20..30)),
            Entry::Cut { number: 2, length: 10 },
            Entry::Batch(batch(4, 10..12)),
        ];
        let replay = replay(&text(&entries), 0);
        assert_eq!(numbers(&replay), [1, 4]);
        assert_eq!((replay.length, replay.confirmed, replay.last_number), (12, 1, 4));
        assert_eq!(replay.unconfirmed().map(|batch| batch.number).collect::<Vec<_>>(), [4]);
        assert_eq!(replay.damage, []);
    }

    #[test]
    fn a_rewrite_puts_the_kept_batches_in_the_place_of_others_and_only_as_a_whole() {
        let mut entries = vec![
            header(0),
            Entry::Batch(batch(1, 0..10)),
            Entry::Batch(batch(2, 10..20)),
            Entry::Batch(batch(3, 20..30)),
            Entry::Kept(batch(2, 10..14)),
            Entry::Kept(batch(3, 14..16)),
        ];
        let before = replay(&text(&entries), 0);
        assert_eq!((numbers(&before), before.length), (vec![1, 2, 3], 30));
        entries.push(Entry::Rewrite { number: 2, bytes: 10..16, checksum: 7 });
        let during = replay(&text(&entries), 0);
        assert_eq!((numbers(&during), during.length), (vec![1, 2, 3], 16));
        assert_eq!(during.batches[1].bytes, 10..14);
        assert_eq!(during.unfinished, Some((2, 10..16, 7)));
        entries.push(Entry::Rewritten(2));
        assert_eq!(
            replay(&text(&entries), 0),
            Replay { unfinished: None, whole_bytes: text(&entries).len() as u64, ..during }
        );
    }

    #[test]
    fn what_is_settled_is_not_looked_at_again() {
        let entries = [header(0), Entry::Batch(batch(1, 0..10)), Entry::Settled(1)];
        let mut entries = entries.to_vec();
        entries.push(Entry::Batch(batch(2, 10..20)));
        let replay = replay(&text(&entries), 0);
        assert_eq!((numbers(&replay), replay.confirmed, replay.length), (vec![2], 1, 20));
    }

    #[test]
    fn a_later_header_begins_anew() {
        let entries = [header(0), Entry::Batch(batch(1, 0..10)), header(3), Entry::End(3)];
        let replay = replay(&text(&entries), 0);
        assert_eq!((numbers(&replay), replay.length, replay.last_number), (vec![], 3, 1));
        assert!(replay.is_ended);
    }

    #[test]
    fn a_whole_line_that_is_wrong_is_damage_and_an_unfinished_one_is_not() {
        let good = text(&[header(0), Entry::Batch(batch(1, 0..10))]);
        let torn = [&good[..], b"batch 2 10..20 000"].concat();
        let replayed = replay(&torn, 0);
        assert_eq!((numbers(&replayed), &replayed.damage[..]), (vec![1], &[][..]));
        assert_eq!(replayed.whole_bytes, good.len() as u64);

        let mut damaged = [&good[..], b"somebody's words\n"].concat();
        let at = good.len() as u64;
        let replayed = replay(&damaged, 0);
        assert_eq!(replayed.damage, [Damage { bytes: at..at + 17 }]);
        assert!(replayed.ends_in_damage);
        damaged.extend(text(&[Entry::Batch(batch(3, 20..30))]));
        let replayed = replay(&damaged, 0);
        assert_eq!(replayed.damage, [Damage { bytes: at..at + 17 }]);
        assert!(!replayed.ends_in_damage);
        assert_eq!(numbers(&replayed), [1, 3]);
        assert_eq!(replayed.whole_bytes, damaged.len() as u64);
    }

    #[test]
    fn old_batches_are_forgotten_once_they_are_confirmed() {
        let mut entries = vec![header(0)];
        let count = RECENT as u64 + 10;
        entries.extend((1..=count).map(|number| Entry::Batch(batch(number, number..number + 1))));
        assert_eq!(replay(&text(&entries), 0).batches.len(), RECENT + 10);
        entries.push(Entry::Confirmed(count));
        assert_eq!(numbers(&replay(&text(&entries), 0)), (11..=count).collect::<Vec<_>>());
    }

    proptest! {
        #[test]
        fn after_any_cut_the_journal_says_what_its_whole_lines_say(
            lengths in prop::collection::vec(1u64..100, 0..20), cut in 0usize..2_000
        ) {
            let mut entries = vec![header(0)];
            let mut end = 0;
            for (number, length) in (1..).zip(lengths) {
                entries.push(Entry::Batch(batch(number, end..end + length)));
                end += length;
                if number % 3 == 0 {
                    entries.push(Entry::Confirmed(number - 1));
                }
            }
            let whole = text(&entries);
            let cut = cut.min(whole.len());
            let lines = whole[..cut].iter().filter(|byte| **byte == b'\n').count();
            let replayed = replay(&whole[..cut], 0);
            prop_assert_eq!(&replayed, &replay(&text(&entries[..lines]), 0));
            prop_assert_eq!(replayed.damage, []);
        }
    }
}
