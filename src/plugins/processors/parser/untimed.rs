//! A clock by which metrics without a time of their own are told from others.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;

use crate::metric::Timestamp;
use crate::system::Clock;

/// The time of metrics that have none: the end of the range, which no input holds.
pub(super) const NO_TIME: Timestamp = Timestamp::from_nanos(i64::MIN);

/// A clock whose wall stands at [`NO_TIME`].
pub(super) struct Untimed(pub(super) Arc<dyn Clock>);

impl Clock for Untimed {
    fn now(&self) -> Timestamp {
        NO_TIME
    }

    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    fn after(&self, span: Duration) -> Receiver<Instant> {
        self.0.after(span)
    }
}
