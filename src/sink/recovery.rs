//! What to do with the end of a data file, of which nobody knows whether it counts.
//!
//! Decided for the last batches of a file, from what the group has committed and who owned what.
//! The decision is the same whenever and by whomever it is made, once the commits of the batches'
//! writer are refused: so every file of a writer can be settled by itself, and settled again after
//! an interruption.

use std::collections::HashMap;
use std::ops::Range;

use super::journal::{Batch, Part, Segment};
use super::ownership::{Committed, Verdict, Writer};
use crate::kafka::group::Partition;

/// What is committed of each partition that the batches hold.
pub type CommittedOffsets = HashMap<Partition, Committed>;

/// What was decided of one partition's records in one batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ruling {
    /// The batch.
    pub number: u64,
    /// The partition.
    pub partition: Partition,
    /// The offsets.
    pub offsets: Range<i64>,
    /// How many records.
    pub records: u64,
    /// How many bytes they have.
    pub bytes: u64,
    /// Confirmed and undecided records stay, unconfirmed ones go.
    pub verdict: Verdict,
}

/// What has to be done to the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    /// Everything stays.
    Keep,
    /// The batches from this number on go.
    Cut {
        /// The first that goes.
        number: u64,
        /// Where the file ends then.
        length: u64,
    },
    /// From this batch on, some records go and others stay.
    Rewrite {
        /// The first that changes.
        number: u64,
        /// Where its bytes stand.
        start: u64,
        /// What stays; there is at least one.
        kept: Vec<Kept>,
    },
}

/// What stays of a batch in a rewrite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The batch as it will be; its checksum is that of the bytes before.
    pub batch: Batch,
    /// Where its bytes stand before, in their order.
    pub from: Vec<Segment>,
}

/// What was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// What has to be done.
    pub plan: Plan,
    /// What was decided of the batches that were not known to be confirmed, and of those that were
    /// and are not any more.
    pub rulings: Vec<Ruling>,
}

/// A partition whose committed offset is not known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the committed offset of {0} is not known")]
pub struct NotKnown(pub Partition);

/// Decides what becomes of the last batches of a file.
///
/// `confirmed` is the number of the last batch whose commit was answered. That answer is not the
/// last word: brokers that lose what they had accepted go back to an older offset, and the records
/// behind it are read again. It decides where the commits do not.
///
/// # Errors
/// If what is committed of a partition is missing.
pub fn judge<'b>(
    batches: impl IntoIterator<Item = &'b Batch>,
    confirmed: u64,
    writer: Writer,
    committed: &CommittedOffsets,
) -> Result<Judgement, NotKnown> {
    let mut rulings = Vec::new();
    let mut affected: Option<(u64, u64)> = None;
    let mut kept = Vec::new();
    let mut confirmed_before: Vec<&Partition> = Vec::new();
    for batch in batches {
        let mut staying = Vec::with_capacity(batch.parts.len());
        for part in &batch.parts {
            let partition = &part.partition;
            let of_partition =
                committed.get(partition).ok_or_else(|| NotKnown(partition.clone()))?;
            let was_confirmed = batch.number <= confirmed;
            let mut verdict = of_partition.verdict(writer, &part.offsets);
            if of_partition.history.is_none() {
                // Whoever sets offsets back by hand, or deletes them, wants the records once more
                // and not instead.
                let is_known_here = confirmed_before.contains(&partition);
                if was_confirmed {
                    verdict = Verdict::Confirmed;
                } else if of_partition.offset.is_none() && is_known_here {
                    verdict = Verdict::Undecided;
                }
            }
            if was_confirmed {
                confirmed_before.push(partition);
                if verdict == Verdict::Undecided {
                    verdict = Verdict::Confirmed;
                }
            }
            if verdict != Verdict::Unconfirmed {
                staying.push(part);
            }
            if !was_confirmed || verdict == Verdict::Unconfirmed {
                rulings.push(Ruling {
                    number: batch.number,
                    partition: partition.clone(),
                    offsets: part.offsets.clone(),
                    records: part.records,
                    bytes: part.segments.iter().map(|segment| segment.length).sum(),
                    verdict,
                });
            }
        }
        if staying.len() < batch.parts.len() && affected.is_none() {
            affected = Some((batch.number, batch.bytes.start));
        }
        if let Some((_, start)) = affected
            && !staying.is_empty()
        {
            let end = kept.last().map_or(start, |kept: &Kept| kept.batch.bytes.end);
            kept.push(keep(batch, &staying, end));
        }
    }
    let plan = match affected {
        None => Plan::Keep,
        Some((number, length)) if kept.is_empty() => Plan::Cut { number, length },
        Some((number, start)) => Plan::Rewrite { number, start, kept },
    };
    Ok(Judgement { plan, rulings })
}

/// Moves what stays of a batch to `start`, in the order in which it stands.
fn keep(batch: &Batch, staying: &[&Part], start: u64) -> Kept {
    let mut from: Vec<Segment> =
        staying.iter().flat_map(|part| part.segments.iter().copied()).collect();
    from.sort_by_key(|segment| segment.start);
    let mut end = start;
    let moved: HashMap<u64, u64> = from
        .iter()
        .map(|segment| {
            let place = (segment.start, end);
            end += segment.length;
            place
        })
        .collect();
    let parts = staying
        .iter()
        .map(|part| {
            let mut part = (*part).clone();
            for segment in &mut part.segments {
                segment.start = moved[&segment.start];
            }
            part
        })
        .collect();
    let batch = Batch { number: batch.number, bytes: start..end, checksum: batch.checksum, parts };
    Kept { batch, from }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::ownership::{History, StoreId};

    const ALL: i64 = i64::MAX;

    fn writer(thread: u32) -> Writer {
        Writer { store: StoreId::new(7), thread }
    }

    fn partition(number: i32) -> Partition {
        Partition { topic: "t".into(), number }
    }

    /// A batch of ten offsets of each partition, ten bytes a partition, its segments interleaved.
    fn batch(number: u64, start: u64, partitions: &[i32]) -> Batch {
        let first = i64::try_from(number).unwrap() * 10;
        let count = partitions.len() as u64;
        let part = |(at, of_topic): (u64, &i32)| Part {
            partition: partition(*of_topic),
            offsets: first..first + 10,
            records: 10,
            segments: vec![
                Segment { start: start + at * 6, length: 6 },
                Segment { start: start + count * 6 + at * 4, length: 4 },
            ],
        };
        let parts = (0..).zip(partitions).map(part).collect();
        Batch { number, bytes: start..start + count * 10, checksum: 0, parts }
    }

    /// Everything below an offset was committed by thread 0.
    fn committed(offsets: &[(i32, i64)]) -> CommittedOffsets {
        let history = History::begin(writer(0), 0);
        offsets
            .iter()
            .map(|(number, offset)| {
                let history = Some(history.clone());
                (
                    partition(*number),
                    Committed { offset: Some(*offset), history, ..Committed::default() },
                )
            })
            .collect()
    }

    fn verdicts(judgement: &Judgement) -> Vec<(u64, i32, Verdict)> {
        let rulings = judgement.rulings.iter();
        rulings.map(|each| (each.number, each.partition.number, each.verdict)).collect()
    }

    #[test]
    fn what_is_confirmed_stays_and_what_is_not_is_cut() {
        use Verdict::{Confirmed, Unconfirmed};
        let batches = [batch(1, 100, &[0]), batch(2, 110, &[0]), batch(3, 120, &[0])];
        let judged = judge(&batches, 1, writer(0), &committed(&[(0, 30)])).unwrap();
        assert_eq!(judged.plan, Plan::Cut { number: 3, length: 120 });
        assert_eq!(verdicts(&judged), [(2, 0, Confirmed), (3, 0, Unconfirmed)]);
        let judged = judge(&batches, 1, writer(0), &committed(&[(0, 40)])).unwrap();
        assert_eq!(judged.plan, Plan::Keep);
        let judged = judge(&batches, 0, writer(1), &committed(&[(0, 40)])).unwrap();
        assert_eq!(judged.plan, Plan::Cut { number: 1, length: 100 }, "by somebody else");
    }

    #[test]
    fn what_stays_behind_what_goes_moves_up() {
        let batches = [batch(1, 100, &[0, 1]), batch(2, 120, &[1]), batch(3, 130, &[0, 1])];
        let judged = judge(&batches, 0, writer(0), &committed(&[(0, ALL), (1, 20)])).unwrap();
        let Plan::Rewrite { number: 2, start: 120, kept } = judged.plan else {
            panic!("{:?}", judged.plan);
        };
        assert_eq!(kept.len(), 1);
        assert_eq!(
            kept[0].from,
            [Segment { start: 130, length: 6 }, Segment { start: 142, length: 4 }]
        );
        let Batch { number, bytes, parts, .. } = &kept[0].batch;
        assert_eq!((*number, bytes), (3, &(120..130)));
        assert_eq!(parts.len(), 1);
        assert_eq!(
            parts[0].segments,
            [Segment { start: 120, length: 6 }, Segment { start: 126, length: 4 }]
        );
    }

    #[test]
    fn judged_again_after_a_rewrite_everything_stays() {
        let batches = [batch(1, 100, &[0, 1]), batch(2, 120, &[1, 0])];
        let committed = committed(&[(0, 30), (1, 20)]);
        let judged = judge(&batches, 0, writer(0), &committed).unwrap();
        let Plan::Rewrite { kept, .. } = judged.plan else { panic!("{:?}", judged.plan) };
        let after: Vec<_> =
            batches[..1].iter().cloned().chain(kept.into_iter().map(|kept| kept.batch)).collect();
        assert_eq!(judge(&after, 0, writer(0), &committed).unwrap().plan, Plan::Keep);
    }

    #[test]
    fn a_commit_that_the_brokers_have_lost_confirms_nothing_any_more() {
        let batches = [batch(1, 100, &[0]), batch(2, 110, &[0])];
        let judged = judge(&batches, 2, writer(0), &committed(&[(0, 20)])).unwrap();
        assert_eq!(judged.plan, Plan::Cut { number: 2, length: 110 });
        assert_eq!(verdicts(&judged), [(2, 0, Verdict::Unconfirmed)]);
    }

    #[test]
    fn offsets_set_by_hand_take_nothing_away_that_was_confirmed() {
        let batches = [batch(1, 100, &[0]), batch(2, 110, &[0]), batch(3, 120, &[0])];
        let by_hand = |offset| {
            CommittedOffsets::from([(
                partition(0),
                Committed { offset, history: None, ..Committed::default() },
            )])
        };
        use Verdict::{Unconfirmed, Undecided};
        let judged = judge(&batches, 2, writer(0), &by_hand(Some(0))).unwrap();
        assert_eq!(verdicts(&judged), [(3, 0, Unconfirmed)]);
        let judged = judge(&batches, 2, writer(0), &by_hand(Some(900))).unwrap();
        assert_eq!(verdicts(&judged), [(3, 0, Undecided)]);
        let judged = judge(&batches, 2, writer(0), &by_hand(None)).unwrap();
        assert_eq!(verdicts(&judged), [(3, 0, Undecided)], "the group was deleted");
        let judged = judge(&batches, 0, writer(0), &by_hand(None)).unwrap();
        assert_eq!(judged.plan, Plan::Cut { number: 1, length: 100 }, "never committed");
    }

    #[test]
    fn without_the_committed_offsets_nothing_is_decided() {
        let batches = [batch(1, 100, &[0, 1])];
        let judged = judge(&batches, 0, writer(0), &committed(&[(0, 20)]));
        assert_eq!(judged, Err(NotKnown(partition(1))));
    }
}
