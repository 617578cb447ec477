//! Telling the time and waiting for it.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crossbeam_channel::{Receiver, RecvTimeoutError, select};

use crate::metric::Timestamp;

/// A clock that tells two times and hands out timers.
///
/// The wall clock may jump; the elapsed time never does. Waits are spans of elapsed time, so a
/// jump of the wall clock neither shortens nor lengthens them.
pub trait Clock: Send + Sync {
    /// The wall-clock time.
    fn now(&self) -> Timestamp;

    /// Time since the clock was made; never goes back.
    fn elapsed(&self) -> Duration;

    /// A channel that becomes ready once `span` has passed.
    fn after(&self, span: Duration) -> Receiver<Instant>;

    /// Waits for `span`, or until `stop` closes if that comes first.
    fn wait(&self, span: Duration, stop: &Receiver<()>) -> Waited {
        select! {
            recv(stop) -> _ => Waited::Stopped,
            recv(self.after(span)) -> _ => Waited::Passed,
        }
    }
}

/// How a wait has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waited {
    /// The time has passed.
    Passed,
    /// There was reason not to wait any longer.
    Stopped,
}

/// The machine's clock.
#[derive(Debug)]
pub struct RealClock {
    made: Instant,
}

impl RealClock {
    /// Makes a clock whose elapsed time begins now.
    #[expect(clippy::disallowed_methods, reason = "this is the door to the machine's clock")]
    pub fn new() -> RealClock {
        RealClock { made: Instant::now() }
    }
}

impl Default for RealClock {
    fn default() -> RealClock {
        RealClock::new()
    }
}

impl Clock for RealClock {
    #[expect(clippy::disallowed_methods, reason = "this is the door to the machine's clock")]
    fn now(&self) -> Timestamp {
        let now = SystemTime::now();
        let nanos = match now.duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_nanos()).unwrap_or(i64::MAX),
            Err(before) => {
                i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |nanos| -nanos)
            }
        };
        Timestamp::from_nanos(nanos)
    }

    fn elapsed(&self) -> Duration {
        self.made.elapsed()
    }

    fn after(&self, span: Duration) -> Receiver<Instant> {
        crossbeam_channel::after(span)
    }

    fn wait(&self, span: Duration, stop: &Receiver<()>) -> Waited {
        // One wait in the kernel, where a timer channel beside it takes a good deal of work.
        match stop.recv_timeout(span) {
            Err(RecvTimeoutError::Timeout) => Waited::Passed,
            Ok(()) | Err(RecvTimeoutError::Disconnected) => Waited::Stopped,
        }
    }
}
