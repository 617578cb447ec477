//! When an input or output last did well, and what it last failed with.

use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::metric::Timestamp;

/// What stands for no time at all.
const NEVER: i64 = i64::MIN;

/// How much of a long error is remembered, in bytes.
const TEXT_BYTES: usize = 2_000;

/// What is remembered of one input or output, for whoever asks how it is.
#[derive(Debug)]
pub struct Health {
    last_success_nanos: AtomicI64,
    last_failure: Mutex<Option<Failure>>,
    n_failures: AtomicUsize,
    in_flight: AtomicUsize,
}

/// Something that went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// When.
    pub at: Timestamp,
    /// What.
    pub text: String,
}

impl Default for Health {
    fn default() -> Health {
        Health {
            last_success_nanos: AtomicI64::new(NEVER),
            last_failure: Mutex::default(),
            n_failures: AtomicUsize::new(0),
            in_flight: AtomicUsize::new(0),
        }
    }
}

impl Health {
    /// A round or a write has gone well.
    pub fn succeeded(&self, now: Timestamp) {
        self.last_success_nanos.store(now.nanos(), Ordering::Relaxed);
    }

    /// Something has gone wrong.
    pub fn failed(&self, now: Timestamp, error: &dyn std::fmt::Display) {
        let mut text = error.to_string();
        if text.len() > TEXT_BYTES {
            text.truncate(text.floor_char_boundary(TEXT_BYTES));
            text.push('…');
        }
        let failure = Failure { at: now, text };
        self.n_failures.fetch_add(1, Ordering::Relaxed);
        *self.last_failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure);
    }

    /// How often something has gone wrong; a round has gone well if that stays the same.
    pub fn n_failures(&self) -> usize {
        self.n_failures.load(Ordering::Relaxed)
    }

    /// So many metrics are out for writing.
    pub fn set_in_flight(&self, count: usize) {
        self.in_flight.store(count, Ordering::Relaxed);
    }

    /// When something last went well.
    pub fn last_success(&self) -> Option<Timestamp> {
        let nanos = self.last_success_nanos.load(Ordering::Relaxed);
        (nanos != NEVER).then(|| Timestamp::from_nanos(nanos))
    }

    /// What last went wrong.
    pub fn last_failure(&self) -> Option<Failure> {
        self.last_failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many metrics are out for writing.
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_each_is_remembered() {
        let health = Health::default();
        assert_eq!((health.last_success(), health.last_failure()), (None, None));
        let at = Timestamp::from_nanos;
        health.succeeded(at(1));
        health.failed(at(2), &"first");
        health.failed(at(3), &"ä".repeat(TEXT_BYTES));
        health.succeeded(at(4));
        assert_eq!((health.last_success(), health.n_failures()), (Some(at(4)), 2));
        let failure = health.last_failure().unwrap();
        assert_eq!((failure.at, failure.text.chars().count()), (at(3), TEXT_BYTES / 2 + 1));
    }
}
