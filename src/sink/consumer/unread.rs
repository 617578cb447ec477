//! Saying which offsets will never be read, or are read once more, by partition and range.

use std::ops::Range;

use hashbrown::HashMap;

use super::Worker;
use crate::kafka::group::Partition;
use crate::sink::journal::last_offsets;
use crate::sink::store::journals;

/// Something about the offsets of a partition that people should know of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Odd {
    /// Offsets did not come, after the library had to go on elsewhere than it was told.
    PassedOver(Range<i64>),
    /// The partition goes on at `from` instead of `before`.
    BeginsAgain { from: i64, before: i64 },
}

impl Worker {
    /// Says what was lost or comes again.
    pub(super) fn say_what_is_odd(&mut self, found: Vec<(Partition, Odd)>) {
        for (partition, odd) in found {
            let range = self.member.known_range(&partition);
            match odd {
                Odd::PassedOver(Range { start, end }) => {
                    // Others may never have been there to be read.
                    let lost_to = range.map_or(start, |range| range.start.min(end));
                    if lost_to > start {
                        self.progress.doubted(count(start..lost_to));
                        self.warn(format_args!(
                            "Lost: offsets {start} to {} of {partition}; they were removed from the topic \
                             before they were read, by its retention or by somebody's wish",
                            lost_to - 1
                        ));
                    }
                }
                Odd::BeginsAgain { from, before } => {
                    let end = range.map_or(before, |range| range.end.min(before));
                    self.progress.doubted(count(from..end));
                    self.warn(format_args!(
                        "{partition} begins again at offset {from}, after {}: the topic was made anew, or \
                         its brokers have lost its end; it is read from there on",
                        before - 1
                    ));
                }
            }
        }
    }

    /// Says of partitions without a committed offset that this folder has records of them; `starts`
    /// says where each begins, unless at its oldest record.
    pub(super) fn say_what_has_expired(&mut self, starts: &[(Partition, Option<i64>)]) {
        if starts.is_empty() {
            return;
        }
        let mut known: HashMap<Partition, i64> = HashMap::new();
        for journal in journals(&self.settings.output_dir).unwrap_or_default() {
            let found = last_offsets(&journal).inspect_err(|error| {
                log::debug!(target: &self.name, "reading {}: {error}", journal.display());
            });
            for (partition, last) in found.unwrap_or_default() {
                let highest = known.entry(partition).or_insert(last);
                *highest = last.max(*highest);
            }
        }
        let mut do_answer = true;
        for (partition, start) in starts {
            let Some(last) = known.get(partition) else { continue };
            // Where nobody tells, the number of records is not counted; and whoever does not answer
            // once is not asked again, for the group waits.
            let range = do_answer.then(|| self.member.range(partition).ok()).flatten();
            do_answer = range.is_some();
            let range = range.unwrap_or(0..0);
            let start = start.unwrap_or(range.start);
            let (what, offsets) = if start <= *last {
                ("what is in it is read again", start..range.end.min(last + 1))
            } else {
                ("what comes between is not read", last + 1..start)
            };
            self.progress.doubted(count(offsets));
            self.warn(format_args!(
                "Nothing is committed of {partition}, though this folder has its offsets up to {last}: those \
                 of the group have expired or were deleted, or the topic was made anew. It is read from \
                 offset {start} on; {what}"
            ));
        }
    }
}

fn count(offsets: Range<i64>) -> u64 {
    u64::try_from(offsets.end - offsets.start).unwrap_or(0)
}
