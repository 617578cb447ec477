//! Counters about the agent itself: what `inputs.internal` reports and the end of a run sums up.
//!
//! # References
//! Names are those of Telegraf's `selfstat` package: `internal_gather`, `internal_write`, ….

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// A number that parts of the agent keep up to date without locks.
#[derive(Debug, Clone, Default)]
pub struct Counter(Arc<AtomicU64>);

impl Counter {
    /// Adds to the number.
    pub fn add(&self, amount: u64) {
        self.0.fetch_add(amount, Ordering::Relaxed);
    }

    /// Replaces the number, for what goes up and down.
    pub fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// The number as it stands.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A counter with the names under which it is reported.
#[derive(Debug, Clone)]
pub struct Statistic {
    /// The measurement without its `internal_` prefix, such as `write`.
    pub measurement: &'static str,
    /// The field, such as `metrics_written`.
    pub field: &'static str,
    /// What the number belongs to, such as `output` = `kafka`.
    pub tags: Vec<(&'static str, String)>,
    /// The number.
    pub counter: Counter,
}

/// All counters of one agent.
#[derive(Debug, Clone, Default)]
pub struct Statistics(Arc<Mutex<Vec<Statistic>>>);

impl Statistics {
    /// The counter of these names, made at zero if there is none yet.
    pub fn counter(
        &self,
        measurement: &'static str,
        field: &'static str,
        tags: &[(&'static str, &str)],
    ) -> Counter {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let same_tags = |statistic: &Statistic| {
            statistic.tags.len() == tags.len()
                && statistic.tags.iter().zip(tags).all(|(a, b)| a.0 == b.0 && a.1 == b.1)
        };
        if let Some(found) = all.iter().find(|statistic| {
            statistic.measurement == measurement && statistic.field == field && same_tags(statistic)
        }) {
            return found.counter.clone();
        }
        let counter = Counter::default();
        all.push(Statistic {
            measurement,
            field,
            tags: tags.iter().map(|(key, value)| (*key, (*value).to_owned())).collect(),
            counter: counter.clone(),
        });
        counter
    }

    /// All counters as they stand, in the order they were made.
    pub fn all(&self) -> Vec<Statistic> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_names_give_the_same_counter() {
        let statistics = Statistics::default();
        let tags = [("output", "kafka")];
        statistics.counter("write", "metrics_written", &tags).add(3);
        statistics.counter("write", "metrics_written", &tags).add(4);
        statistics.counter("write", "metrics_written", &[("output", "file")]).add(1);
        assert_eq!(statistics.counter("write", "metrics_written", &tags).get(), 7);
        assert_eq!(statistics.all().len(), 2);
    }
}
