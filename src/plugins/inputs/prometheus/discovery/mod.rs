//! Targets that others name.

pub(super) mod consul;
pub(super) mod http;
pub(super) mod kubernetes;

use std::time::Duration;

/// Whether it is time to ask again, asked at the beginning of each round.
#[derive(Debug)]
struct Turn {
    interval: Duration,
    /// When it was asked last, in the clock's elapsed time.
    last: Option<Duration>,
}

impl Turn {
    fn every(interval: Duration) -> Turn {
        Turn { interval, last: None }
    }

    /// Whether it is due; if so, it is not again before the interval has passed.
    fn is_due(&mut self, now: Duration) -> bool {
        let is_due = self.last.is_none_or(|last| now >= last.saturating_add(self.interval));
        if is_due {
            self.last = Some(now);
        }
        is_due
    }
}
