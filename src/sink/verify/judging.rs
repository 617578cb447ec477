//! What is wrong with a partition: doubles, gaps, and what the group's commits say otherwise.
//!
//! Pure: what the files hold and what the cluster says go in. What only the topic itself can answer
//! comes out as a question.

use std::ops::Range;

use super::coverage::{Coverage, Double, Run, without};
use super::finding::{Finding, Kind};
use super::reading::Held;
use crate::kafka::group::Partition;
use crate::sink::ownership::{Committed, Verdict};

/// What the cluster says of a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfCluster {
    /// The oldest offset that is left, and the one that comes next.
    pub log: Range<i64>,
    /// What the group has committed.
    pub committed: Committed,
}

/// Whether the sinks of the folders run: then what they have begun is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sinks {
    AllStopped,
    SomeRunning,
}

/// Offsets of which fewer records stand in the files than there are offsets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Question {
    pub(super) offsets: Range<i64>,
    /// How many records are in the files.
    pub(super) records: u64,
    /// The run that they are in; none if it is a gap.
    pub(super) run: Option<Run>,
}

/// Something that was found, with the run of records that it is about, whose file is to be named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) finding: Finding,
    pub(super) run: Option<Run>,
}

/// What became of a partition.
#[derive(Debug, Default)]
pub(super) struct Judgement {
    pub(super) found: Vec<Found>,
    pub(super) questions: Vec<Question>,
    /// Offsets that stand twice.
    pub(super) doubled: u64,
    /// Offsets that stand in files and are not confirmed.
    pub(super) in_flight: u64,
}

/// Judges a partition.
pub(super) fn judge(
    partition: &Partition,
    held: &Held,
    cluster: Option<&OfCluster>,
    sinks: Sinks,
) -> Judgement {
    let mut judging = Judging { partition, sinks, judgement: Judgement::default() };
    let mut coverage = held.coverage.clone();
    judging.pending(&mut coverage, &held.pending, cluster);
    judging.doubles(&coverage);
    if let Some(cluster) = cluster {
        judging.owners(&coverage, cluster);
    }
    judging.gaps(&coverage, &held.pending, cluster);
    judging.judgement
}

struct Judging<'p> {
    partition: &'p Partition,
    sinks: Sinks,
    judgement: Judgement,
}

impl Judging<'_> {
    fn push(&mut self, finding: Finding, offsets: Range<i64>, run: Option<&Run>) {
        let finding = finding.of_offsets(self.partition, offsets);
        self.judgement.found.push(Found { finding, run: run.cloned() });
    }

    /// Decides of what is not confirmed in its journal, where the group's word does; that counts
    /// like the rest then.
    fn pending(&mut self, coverage: &mut Coverage, pending: &[Run], cluster: Option<&OfCluster>) {
        for run in pending {
            let verdict = cluster.map(|it| it.committed.verdict(run.writer, &run.offsets));
            if verdict == Some(Verdict::Confirmed) {
                match self.sinks {
                    Sinks::AllStopped => coverage.add(run.clone()),
                    // It may have been taken out and written again since it was read.
                    Sinks::SomeRunning => {
                        let new = coverage.gaps(&run.offsets);
                        new.into_iter().for_each(|offsets| coverage.add(run.part(offsets)));
                    }
                }
                continue;
            }
            self.judgement.in_flight += run.span();
            if self.sinks == Sinks::SomeRunning {
                continue;
            }
            let stands_elsewhere = coverage.overlapping(&run.offsets).next().is_some();
            let finding = match (verdict, stands_elsewhere) {
                (Some(Verdict::Undecided), _) => Finding::fault(
                    Kind::Undecided,
                    "whether they count cannot be told: the commits that would say so are gone",
                ),
                (_, true) => Finding::fault(
                    Kind::Unsettled,
                    "they stand elsewhere, too; this copy was never confirmed",
                ),
                (_, false) => Finding::note(
                    Kind::InFlight,
                    "not confirmed yet; the next start of this folder's sink decides",
                ),
            };
            self.push(finding, run.offsets.clone(), Some(run));
        }
    }

    fn doubles(&mut self, coverage: &Coverage) {
        let (doubles, uncounted) = coverage.doubles();
        for Double { offsets, first, second } in doubles {
            self.judgement.doubled += offsets.end.abs_diff(offsets.start);
            let what =
                format!("they stand twice, by writer {} and by writer {}", first.0, second.0);
            let (writer, spot) = *second;
            let run = Run { offsets: offsets.clone(), records: 0, writer, spot };
            self.push(Finding::fault(Kind::Double, what), offsets.clone(), Some(&run));
        }
        if uncounted > 0 {
            let what = format!("{uncounted} more stretches stand twice");
            let extent = coverage.extent().unwrap_or(0..0);
            self.push(Finding::fault(Kind::Double, what), extent, None);
        }
    }

    /// Compares who wrote with who committed.
    fn owners(&mut self, coverage: &Coverage, cluster: &OfCluster) {
        let Some(committed) = cluster.committed.offset else {
            if let Some(extent) = coverage.extent() {
                let what =
                    "the group has committed nothing of this partition, or its offset has expired";
                self.push(Finding::fault(Kind::Uncommitted, what), extent, None);
            }
            return;
        };
        for run in coverage.overlapping(&(committed..i64::MAX)) {
            let offsets = run.offsets.start.max(committed)..run.offsets.end;
            let what = format!(
                "confirmed in the journal, but the group's committed offset is {committed}"
            );
            self.push(Finding::fault(Kind::Uncommitted, what), offsets, Some(run));
        }
        let Some(history) = &cluster.committed.history else {
            let what = "the last commit is none of metric-sink's; nobody can tell who owned what";
            let extent = coverage.extent().unwrap_or(committed..committed);
            self.push(Finding::note(Kind::Remark, what), extent, None);
            return;
        };
        for (owner, owned) in history.stretches(committed) {
            for run in coverage.overlapping(&owned).filter(|run| run.writer != owner) {
                let offsets = run.offsets.start.max(owned.start)..run.offsets.end.min(owned.end);
                let what = format!("written by {}, and committed by {owner}", run.writer);
                self.push(Finding::fault(Kind::Foreign, what), offsets, Some(run));
            }
        }
    }

    fn gaps(&mut self, coverage: &Coverage, pending: &[Run], cluster: Option<&OfCluster>) {
        let extent = coverage.extent();
        let Some(expected) = expected(extent.clone(), cluster) else { return };
        let mut on_the_way: Vec<_> = match cluster {
            // Whether it counts is known.
            Some(_) if self.sinks == Sinks::AllStopped => Vec::new(),
            _ => pending.iter().map(|run| run.offsets.clone()).collect(),
        };
        on_the_way.sort_by_key(|offsets| (offsets.start, offsets.end));
        let gaps = coverage.gaps(&expected);
        let gaps = gaps.iter().flat_map(|gap| without(gap, &on_the_way));
        for offsets in gaps.collect::<Vec<_>>() {
            match cluster {
                Some(cluster) if offsets.end > cluster.log.start => {
                    let offsets = offsets.start.max(cluster.log.start)..offsets.end;
                    self.judgement.questions.push(Question { offsets, records: 0, run: None });
                }
                Some(_) => self.push(
                    Finding::fault(
                        Kind::Gap,
                        "they stand in no file, and the topic does not hold them any more",
                    ),
                    offsets,
                    None,
                ),
                None => self.push(
                    Finding::fault(Kind::Gap, "they stand in no file, if there are such records"),
                    offsets,
                    None,
                ),
            }
        }
        let Some(cluster) = cluster else { return };
        let with_holes = coverage.runs().filter(|run| run.records < run.span());
        // What the topic has partly dropped cannot be counted any more.
        for run in with_holes.filter(|run| run.offsets.start >= cluster.log.start) {
            let (offsets, records) = (run.offsets.clone(), run.records);
            self.judgement.questions.push(Question { offsets, records, run: Some(run.clone()) });
        }
    }
}

/// The offsets that should stand in files. Where the group began is known by its oldest takeover,
/// unless that was dropped because there were many; then by the oldest record in the files.
fn expected(extent: Option<Range<i64>>, cluster: Option<&OfCluster>) -> Option<Range<i64>> {
    let Some(OfCluster { log, committed }) = cluster else { return extent };
    let offset = committed.offset.unwrap_or(i64::MIN);
    let known_from = committed.history.as_ref().map(|history| history.known_from());
    let start = match (extent.as_ref().map(|extent| extent.start), known_from) {
        (Some(first), Some(known)) => first.min(known.max(log.start)),
        (Some(first), None) => first,
        (None, Some(known)) => known.max(log.start),
        (None, None) => return None,
    };
    let end = extent.map_or(offset, |extent| extent.end.max(offset));
    (start < end).then_some(start..end)
}

/// What the topic's answer to a question comes to: how many records lie in these offsets.
pub(super) fn answer(partition: &Partition, question: &Question, in_topic: u64) -> Option<Found> {
    let missing = in_topic.checked_sub(question.records).filter(|missing| *missing > 0)?;
    let what = match question.records {
        0 => format!("{missing} records are in the topic and in no file"),
        records => format!("{in_topic} records are in the topic and {records} in the files"),
    };
    let finding = Finding::fault(Kind::Missing, what);
    let finding = finding.of_offsets(partition, question.offsets.clone());
    Some(Found { finding, run: question.run.clone() })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::single_range_in_vec_init, reason = "one range is what is expected")]

    use super::*;
    use crate::sink::ownership::{History, StoreId, Writer};
    use crate::sink::verify::coverage::Spot;

    fn writer(store: u64) -> Writer {
        Writer { store: StoreId::new(store), thread: 0 }
    }

    fn run(offsets: Range<i64>, store: u64) -> Run {
        let records = offsets.end.abs_diff(offsets.start);
        Run { offsets, records, writer: writer(store), spot: Spot { file: 0, byte: 0 } }
    }

    fn held(confirmed: &[Run], pending: &[Run]) -> Held {
        let mut coverage = Coverage::default();
        confirmed.iter().for_each(|run| coverage.add(run.clone()));
        Held { coverage, pending: pending.to_vec() }
    }

    /// Writer 1 took over at 0, writer 2 at 100.
    fn cluster(log: Range<i64>, committed: i64) -> OfCluster {
        let history = History::begin(writer(1), 0).taken_over(writer(2), 100);
        OfCluster {
            log,
            committed: Committed {
                offset: Some(committed),
                history: Some(history),
                ..Committed::default()
            },
        }
    }

    /// Kinds and offsets of what was found, and the questions.
    type Told = (Vec<(Kind, Range<i64>)>, Vec<Range<i64>>);

    fn told(held: &Held, cluster: Option<&OfCluster>) -> Told {
        let partition = Partition { topic: "t".into(), number: 0 };
        let judged = judge(&partition, held, cluster, Sinks::AllStopped);
        let found = judged.found.into_iter();
        let found = found.map(|it| (it.finding.kind, it.finding.offsets.unwrap())).collect();
        (found, judged.questions.into_iter().map(|question| question.offsets).collect())
    }

    #[test]
    fn what_stands_once_and_is_committed_is_all_well() {
        let all = held(&[run(0..100, 1), run(100..150, 2)], &[]);
        assert_eq!(told(&all, None), (vec![], vec![]));
        assert_eq!(told(&all, Some(&cluster(0..200, 150))), (vec![], vec![]));
    }

    #[test]
    fn gaps_are_asked_of_the_topic_where_there_is_one() {
        let with_gap = held(&[run(0..50, 1), run(60..100, 1), run(100..150, 2)], &[]);
        assert_eq!(told(&with_gap, None).0, [(Kind::Gap, 50..60)]);
        assert_eq!(told(&with_gap, Some(&cluster(0..200, 150))), (vec![], vec![50..60]));
        // The topic has deleted them meanwhile.
        let later = cluster(70..200, 150);
        assert_eq!(told(&with_gap, Some(&later)), (vec![(Kind::Gap, 50..60)], vec![]));
        // From where the group began to where it is.
        let part = held(&[run(20..100, 1)], &[]);
        assert_eq!(told(&part, Some(&cluster(0..200, 120))).1, [0..20, 100..120]);
        assert_eq!(told(&held(&[], &[]), Some(&cluster(30..200, 120))).1, [30..120]);
    }

    #[test]
    fn what_another_has_committed_is_foreign() {
        let foreign = held(&[run(0..120, 1), run(120..150, 2)], &[]);
        let (found, _) = told(&foreign, Some(&cluster(0..200, 150)));
        assert_eq!(found, [(Kind::Foreign, 100..120)]);
        let beyond = held(&[run(0..100, 1), run(100..150, 2)], &[]);
        let (found, _) = told(&beyond, Some(&cluster(0..200, 140)));
        assert_eq!(found, [(Kind::Uncommitted, 140..150)]);
    }

    #[test]
    fn what_is_pending_counts_if_the_group_says_so() {
        // The commit of the first was made and its answer lost; that of the second was not made.
        let pending =
            held(&[run(0..90, 1), run(100..150, 2)], &[run(90..100, 1), run(100..110, 1)]);
        let (found, questions) = told(&pending, Some(&cluster(0..200, 150)));
        assert_eq!((found, questions), (vec![(Kind::Unsettled, 100..110)], vec![]));
        // Without the group it fills a gap, and may be a double.
        let (found, _) = told(&pending, None);
        assert_eq!(found, [(Kind::InFlight, 90..100), (Kind::Unsettled, 100..110)]);
    }

    #[test]
    fn the_topic_tells_holes_from_losses() {
        let partition = Partition { topic: "t".into(), number: 0 };
        let holes = Run { records: 40, ..run(0..100, 1) };
        let judged =
            judge(&partition, &held(&[holes], &[]), Some(&cluster(0..200, 100)), Sinks::AllStopped);
        assert_eq!(judged.questions.len(), 1);
        for (in_topic, is_fault) in [(40, false), (41, true), (10, false)] {
            let answered = answer(&partition, &judged.questions[0], in_topic);
            assert_eq!(answered.is_some(), is_fault, "{in_topic}");
        }
    }

    #[test]
    fn without_commits_of_ours_owners_are_not_known() {
        let committed = Committed { offset: Some(100), history: None, ..Committed::default() };
        let strange = OfCluster { log: 0..200, committed };
        let (found, _) = told(&held(&[run(0..100, 1)], &[]), Some(&strange));
        assert_eq!(found, [(Kind::Remark, 0..100)]);
        let nothing = OfCluster { log: 0..200, committed: Committed::default() };
        let (found, _) = told(&held(&[run(0..100, 1)], &[]), Some(&nothing));
        assert_eq!(found, [(Kind::Uncommitted, 0..100)]);
    }
}
