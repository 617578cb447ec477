//! Which offsets of a partition stand in the files, how often, and which do not.
//!
//! Pure: what the journals claim goes in, doubles and gaps come out. Claims that follow each other
//! without a hole become one run, so that it takes memory by runs and not by batches.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::kafka::group::Partition;
use crate::sink::ownership::Writer;

/// How many doubles of a partition are kept one by one; more are only counted.
const MOST_DOUBLES: usize = 1_000;

/// Where records stand: a data file, by its number in the list of all, and a byte in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spot {
    pub(super) file: usize,
    pub(super) byte: u64,
}

/// What one file says that one batch brought of one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) partition: Partition,
    pub(super) run: Run,
}

/// Offsets that stand in files, with how many records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) offsets: Range<i64>,
    pub(super) records: u64,
    pub(super) writer: Writer,
    pub(super) spot: Spot,
}

/// Offsets that stand in files twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Double {
    pub(super) offsets: Range<i64>,
    pub(super) first: (Writer, Spot),
    pub(super) second: (Writer, Spot),
}

/// What stands in the files of one partition.
#[derive(Debug, Clone, Default)]
pub(super) struct Coverage {
    /// Runs that do not overlap, by their first offset.
    runs: BTreeMap<i64, Run>,
    doubles: Vec<Double>,
    doubles_uncounted: u64,
}

impl Run {
    /// How many offsets it spans.
    pub(super) fn span(&self) -> u64 {
        self.offsets.end.abs_diff(self.offsets.start)
    }

    /// Whether every offset has its record.
    pub(super) fn is_dense(&self) -> bool {
        self.records == self.span()
    }

    fn origin(&self) -> (Writer, Spot) {
        (self.writer, self.spot)
    }

    /// Whether `next` goes on where this ends, in the same file.
    fn is_followed_by(&self, next: &Run) -> bool {
        self.offsets.end == next.offsets.start
            && self.is_dense()
            && next.is_dense()
            && self.writer == next.writer
            && self.spot.file == next.spot.file
    }

    /// The part of it that lies in these offsets; of one with holes nobody knows how many records
    /// that has.
    pub(super) fn part(&self, offsets: Range<i64>) -> Run {
        let span = offsets.end.abs_diff(offsets.start);
        Run { offsets, records: self.records.min(span), ..self.clone() }
    }
}

/// Puts together what several files say of one batch: a range of which each file holds some
/// records, as where each measurement has a file of its own, counts as one with the sum of them.
pub(super) fn combine(mut claims: Vec<Claim>) -> Vec<Claim> {
    if claims.len() < 2 {
        return claims;
    }
    claims.sort_by(|a, b| {
        let key = |claim: &Claim| (claim.run.offsets.start, claim.run.spot.file);
        a.partition.cmp(&b.partition).then(key(a).cmp(&key(b)))
    });
    let mut combined: Vec<(Claim, Vec<usize>)> = Vec::with_capacity(claims.len());
    for claim in claims {
        if let Some((last, files)) = combined.last_mut()
            && last.partition == claim.partition
            && claim.run.offsets.start < last.run.offsets.end
            && !files.contains(&claim.run.spot.file)
        {
            last.run.offsets.end = last.run.offsets.end.max(claim.run.offsets.end);
            last.run.records += claim.run.records;
            files.push(claim.run.spot.file);
            // The same file for one batch after another, so that they become one run.
            if claim.run.spot.file < last.run.spot.file {
                last.run.spot = claim.run.spot;
            }
            continue;
        }
        let files = vec![claim.run.spot.file];
        combined.push((claim, files));
    }
    combined.into_iter().map(|(claim, _)| claim).collect()
}

impl Coverage {
    /// Adds what stands in a file; offsets that are there already are doubles.
    pub(super) fn add(&mut self, run: Run) {
        if run.offsets.is_empty() {
            return;
        }
        if run.records > run.span() {
            self.double(run.offsets.clone(), run.origin(), run.origin());
        }
        let overlapping: Vec<_> = self
            .runs
            .range(..run.offsets.end)
            .rev()
            .take_while(|(_, known)| known.offsets.end > run.offsets.start)
            .map(|(_, known)| (known.offsets.clone(), known.origin()))
            .collect();
        if overlapping.is_empty() {
            self.insert(run);
            return;
        }
        let mut start = run.offsets.start;
        for (known, origin) in overlapping.into_iter().rev() {
            if start < known.start {
                self.insert(run.part(start..known.start));
            }
            let both = start.max(known.start)..run.offsets.end.min(known.end);
            start = both.end;
            self.double(both, origin, run.origin());
        }
        if start < run.offsets.end {
            self.insert(run.part(start..run.offsets.end));
        }
    }

    /// Inserts a run that overlaps with none, joined with its neighbours where they fit.
    fn insert(&mut self, mut run: Run) {
        let before = self.runs.range(..run.offsets.start).next_back();
        if let Some((&start, before)) = before
            && before.is_followed_by(&run)
        {
            run = Run { offsets: start..run.offsets.end, spot: before.spot, ..run };
            run.records = run.span();
            self.runs.remove(&start);
        }
        if let Some(after) = self.runs.get(&run.offsets.end)
            && run.is_followed_by(after)
        {
            let end = after.offsets.end;
            self.runs.remove(&run.offsets.end);
            run.offsets.end = end;
            run.records = run.span();
        }
        self.runs.insert(run.offsets.start, run);
    }

    fn double(&mut self, offsets: Range<i64>, first: (Writer, Spot), second: (Writer, Spot)) {
        let is_same = |a: (Writer, Spot), b: (Writer, Spot)| (a.0, a.1.file) == (b.0, b.1.file);
        if let Some(last) = self.doubles.last_mut()
            && last.offsets.end == offsets.start
            && is_same(last.first, first)
            && is_same(last.second, second)
        {
            last.offsets.end = offsets.end;
        } else if self.doubles.len() < MOST_DOUBLES {
            self.doubles.push(Double { offsets, first, second });
        } else {
            self.doubles_uncounted += 1;
        }
    }

    /// All runs by their offsets.
    pub(super) fn runs(&self) -> impl DoubleEndedIterator<Item = &Run> {
        self.runs.values()
    }

    /// What stands there twice, and in how many further places.
    pub(super) fn doubles(&self) -> (&[Double], u64) {
        (&self.doubles, self.doubles_uncounted)
    }

    /// From the first offset to the last one; nothing if there is none.
    pub(super) fn extent(&self) -> Option<Range<i64>> {
        let (first, last) = (self.runs().next()?, self.runs().next_back()?);
        Some(first.offsets.start..last.offsets.end)
    }

    /// How many records there are, each counted once.
    pub(super) fn records(&self) -> u64 {
        self.runs().map(|run| run.records).sum()
    }

    /// The runs that lie in a range or reach into it.
    pub(super) fn overlapping(&self, range: &Range<i64>) -> impl Iterator<Item = &Run> {
        let (start, end) = (range.start, range.end);
        let before = self.runs.range(..end).rev();
        before.map(|(_, run)| run).take_while(move |run| run.offsets.end > start)
    }

    /// The offsets of a range that stand in no file.
    pub(super) fn gaps(&self, within: &Range<i64>) -> Vec<Range<i64>> {
        let mut covered: Vec<_> = self.overlapping(within).map(|run| run.offsets.clone()).collect();
        covered.reverse();
        without(within, &covered)
    }
}

/// What is left of a range without others, which are in order and do not overlap.
pub(super) fn without<N: Copy + Ord>(range: &Range<N>, others: &[Range<N>]) -> Vec<Range<N>> {
    let mut left = Vec::new();
    let mut start = range.start;
    for other in others {
        if other.start > start {
            left.push(start..other.start.min(range.end));
        }
        start = start.max(other.end);
    }
    if start < range.end {
        left.push(start..range.end);
    }
    left
}

#[cfg(test)]
mod tests {
    #![expect(clippy::single_range_in_vec_init, reason = "one range is what is expected")]

    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::sink::ownership::StoreId;

    fn writer(thread: u32) -> Writer {
        Writer { store: StoreId::new(1), thread }
    }

    fn run(offsets: Range<i64>, records: u64, thread: u32, file: usize) -> Run {
        Run { offsets, records, writer: writer(thread), spot: Spot { file, byte: 0 } }
    }

    fn dense(offsets: Range<i64>, file: usize) -> Run {
        let records = offsets.end.abs_diff(offsets.start);
        run(offsets, records, 0, file)
    }

    fn coverage(runs: impl IntoIterator<Item = Run>) -> Coverage {
        let mut coverage = Coverage::default();
        runs.into_iter().for_each(|run| coverage.add(run));
        coverage
    }

    fn ranges(coverage: &Coverage) -> Vec<Range<i64>> {
        coverage.runs().map(|run| run.offsets.clone()).collect()
    }

    fn doubles(coverage: &Coverage) -> Vec<Range<i64>> {
        coverage.doubles().0.iter().map(|double| double.offsets.clone()).collect()
    }

    #[test]
    fn runs_that_follow_each_other_in_a_file_become_one() {
        let all = coverage([dense(0..10, 0), dense(20..30, 0), dense(10..20, 0)]);
        assert_eq!((ranges(&all), all.records()), (vec![0..30], 30));
        assert_eq!(all.extent(), Some(0..30));
        let two_files = coverage([dense(0..10, 0), dense(10..20, 1)]);
        assert_eq!(ranges(&two_files), [0..10, 10..20]);
        let with_holes = coverage([dense(0..10, 0), run(10..20, 5, 0, 0)]);
        assert_eq!((ranges(&with_holes), with_holes.records()), (vec![0..10, 10..20], 15));
    }

    #[test]
    fn gaps_are_what_nobody_has() {
        let all = coverage([dense(10..20, 0), dense(30..40, 0)]);
        for (within, gaps) in [
            (0..50, vec![0..10, 20..30, 40..50]),
            (10..40, vec![20..30]),
            (12..18, vec![]),
            (15..35, vec![20..30]),
            (22..28, vec![22..28]),
            (40..40, vec![]),
        ] {
            assert_eq!(all.gaps(&within), gaps, "{within:?}");
        }
        assert_eq!(Coverage::default().gaps(&(0..3)), [0..3]);
    }

    #[test]
    fn what_is_there_already_is_a_double() {
        let all = coverage([dense(0..10, 0), dense(20..30, 0), dense(5..25, 1)]);
        assert_eq!(doubles(&all), [5..10, 20..25]);
        assert_eq!(all.gaps(&(0..30)), []);
        assert_eq!(all.records(), 30);
        let (found, _) = all.doubles();
        assert_eq!((found[0].first.1.file, found[0].second.1.file), (0, 1));
        // A second copy of a whole file is one double and not one for each batch.
        let copies = (0..50).map(|n| dense(n * 10..n * 10 + 10, 1));
        let all = coverage([dense(0..500, 0)].into_iter().chain(copies));
        assert_eq!(doubles(&all), [0..500]);
    }

    #[test]
    fn more_records_than_offsets_are_doubles() {
        assert_eq!(doubles(&coverage([run(0..10, 11, 0, 0)])), [0..10]);
    }

    #[test]
    fn a_batch_that_is_spread_over_files_counts_as_the_sum() {
        let partition = |number| Partition { topic: "t".into(), number };
        let claim = |number, run| Claim { partition: partition(number), run };
        let combined = combine(vec![
            claim(0, run(0..100, 40, 0, 0)),
            claim(1, run(0..50, 50, 0, 0)),
            claim(0, run(0..100, 60, 0, 1)),
            claim(0, run(100..110, 10, 0, 2)),
        ]);
        let found: Vec<_> = combined
            .iter()
            .map(|claim| (claim.partition.number, claim.run.offsets.clone(), claim.run.records))
            .collect();
        assert_eq!(found, [(0, 0..100, 100), (0, 100..110, 10), (1, 0..50, 50)]);
        // Whichever file has the first record, the run is the first file's.
        let batch = |first: i64, other: i64| {
            combine(vec![claim(0, run(first..100, 50, 0, 0)), claim(0, run(other..100, 50, 0, 1))])
        };
        assert_eq!([batch(0, 1)[0].run.spot.file, batch(1, 0)[0].run.spot.file], [0, 0]);
        // Twice in one file is no spreading.
        let twice = combine(vec![claim(0, dense(0..10, 0)), claim(0, dense(5..15, 0))]);
        assert_eq!(twice.len(), 2);
        assert_eq!(doubles(&coverage(twice.into_iter().map(|claim| claim.run))), [5..10]);
    }

    proptest! {
        #[test]
        fn every_offset_is_counted_as_often_as_it_was_claimed(
            claims in prop::collection::vec((0i64..60, 1i64..20, 0usize..3), 0..12)
        ) {
            let mut times: BTreeMap<i64, u32> = BTreeMap::new();
            let mut all = Coverage::default();
            for (start, length, file) in claims {
                (start..start + length).for_each(|offset| *times.entry(offset).or_default() += 1);
                all.add(dense(start..start + length, file));
            }
            let is_in = |ranges: &[Range<i64>], offset| {
                ranges.iter().filter(|range| range.contains(&offset)).count() as u32
            };
            let (covered, gaps, doubled) = (ranges(&all), all.gaps(&(0..100)), doubles(&all));
            for offset in 0..100 {
                let expected = times.get(&offset).copied().unwrap_or(0);
                prop_assert_eq!(is_in(&covered, offset), expected.min(1), "offset {}", offset);
                prop_assert_eq!(is_in(&gaps, offset), u32::from(expected == 0));
                prop_assert_eq!(is_in(&doubled, offset), expected.saturating_sub(1));
            }
            prop_assert_eq!(all.records(), times.len() as u64);
        }

        #[test]
        fn batches_in_any_order_make_the_same_runs(
            lengths in prop::collection::vec(1i64..50, 1..30), seed in 0u64..1_000
        ) {
            let mut batches = Vec::new();
            let mut at = 0;
            for length in lengths {
                batches.push(dense(at..at + length, 0));
                at += length;
            }
            fastrand::Rng::with_seed(seed).shuffle(&mut batches);
            let all = coverage(batches);
            prop_assert_eq!(ranges(&all), vec![0..at]);
            prop_assert_eq!(doubles(&all), vec![]);
        }
    }
}
