//! What becomes of records: metrics, groups of which go into the pipeline.

use std::sync::Arc;

use super::assigned::Partitions;
use super::conversion::{Conversion, original};
use super::dead_letters::{DeadLetters, Letter};
use super::delivery::Room;
use crate::kafka::group::{Partition, RecordView, Taking};
use crate::metric::{Companion, Metric};
use crate::plugin::{Counter, PluginError, PluginStatistics, ServiceAccumulator};

/// How many metrics are handed over at once.
const HAND_OVER_AT: usize = 1_000;

/// What is counted of the records.
pub(super) struct Counters {
    read: Counter,
    unparsable: Counter,
    undelivered: Counter,
    /// How many records the partitions hold that are not delivered.
    pub(super) lag: Counter,
    /// How often offsets were committed.
    pub(super) commits: Counter,
}

impl Counters {
    pub(super) fn new(statistics: &PluginStatistics) -> Counters {
        Counters {
            read: statistics.counter("records_read"),
            unparsable: statistics.counter("records_unparsable"),
            undelivered: statistics.counter("records_undelivered"),
            lag: statistics.counter("records_lag"),
            commits: statistics.counter("commits"),
        }
    }
}

/// Takes records in and hands metrics on.
pub(super) struct Intake {
    /// Makes metrics of records.
    pub conversion: Conversion,
    /// Where metrics go; none once the input has stopped.
    pub accumulator: Option<ServiceAccumulator>,
    /// The partitions that records may come from.
    pub partitions: Partitions,
    /// What becomes of records that no metrics can be made of.
    pub dead_letters: DeadLetters,
    /// How many records may be under way.
    pub room: Arc<Room>,
    /// What is counted.
    pub counters: Counters,
    /// Metrics that are not handed over yet.
    pub group: Vec<Metric>,
    /// Whether a record without metrics was told of.
    pub has_told_of_no_metrics: bool,
}

impl Intake {
    /// Takes a record, and tells whether there is room for another one.
    pub(super) fn take(&mut self, record: &RecordView<'_>) -> Taking {
        // One that comes after its partition was given up is somebody else's.
        let Some(assigned) = self.partitions.find(record.topic, record.partition) else {
            return Taking::More;
        };
        self.counters.read.add(1);
        let under_way = assigned.delivery.begin(record.offset, self.conversion.kept(record));
        match self.conversion.metrics(record) {
            Ok(metrics) if metrics.is_empty() => self.tell_of_no_metrics(),
            Ok(mut metrics) => {
                let companion = Companion::new(Arc::new(under_way));
                if let Some((last, others)) = metrics.split_last_mut() {
                    others.iter_mut().for_each(|metric| metric.companion = companion.clone());
                    last.companion = companion;
                }
                self.group.append(&mut metrics);
            }
            Err(reason) => {
                self.counters.unparsable.add(1);
                let letter = Letter {
                    partition: assigned.partition.clone(),
                    offset: record.offset,
                    reason,
                    record: original(record),
                    under_way,
                };
                if let Some(error) = self.dead_letters.add(letter) {
                    self.report(error);
                }
            }
        }
        match self.has_room() && self.group.len() < HAND_OVER_AT {
            true => Taking::More,
            false => Taking::Enough,
        }
    }

    /// Whether another record may be read.
    pub(super) fn has_room(&self) -> bool {
        !self.room.is_full() && !self.dead_letters.are_to_be_put_aside()
    }

    /// Puts aside the records that no metrics could be made of.
    pub(super) fn put_aside(&mut self) {
        let accumulator = &self.accumulator;
        self.dead_letters.put_aside(|error| {
            if let Some(accumulator) = accumulator {
                accumulator.report(error);
            }
        });
    }

    /// Gives partitions up, with what is known of them.
    pub(super) fn give_up(&mut self, gone: &[Partition]) {
        self.dead_letters.leave_behind(|partition| gone.contains(partition));
        self.partitions.give_up(gone);
    }

    /// Gives all partitions up.
    pub(super) fn give_up_all(&mut self) {
        self.dead_letters.leave_behind(|_| true);
        self.partitions.give_up_all();
    }

    /// Hands over the metrics that there are.
    pub(super) fn hand_over(&mut self) {
        if self.group.is_empty() {
            return;
        }
        match &self.accumulator {
            Some(accumulator) => {
                accumulator.add_all(&mut self.group);
                // Whoever has brought so many most likely brings as many again.
                self.group.reserve(HAND_OVER_AT);
            }
            None => {
                self.group.iter().for_each(|metric| metric.companion.leave_behind());
                self.group.clear();
            }
        }
    }

    /// Reports an error as the plugin's.
    pub(super) fn report(&self, error: impl Into<PluginError>) {
        if let Some(accumulator) = &self.accumulator {
            accumulator.report(error);
        }
    }

    /// Counts what is under way now.
    pub(super) fn count_undelivered(&self) {
        self.counters.undelivered.set(self.room.taken() as u64);
    }

    fn tell_of_no_metrics(&mut self) {
        if self.has_told_of_no_metrics {
            return;
        }
        self.has_told_of_no_metrics = true;
        if let Some(accumulator) = &self.accumulator {
            accumulator.log().debug(
                "No metrics came out of a record; if some should have, look at the options of the \
                 parser. This is said only once.",
            );
        }
    }
}
