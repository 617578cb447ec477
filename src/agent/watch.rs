//! Notices work that takes longer than its interval, while it is still going on.

use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::time::Duration;

use crossbeam_channel::Receiver;

use super::health::Health;
use crate::system::{Clock, Waited};

/// How long the watch rests at least, however short the intervals are.
const SHORTEST_PAUSE: Duration = Duration::from_millis(20);

/// Whose work is watched.
#[derive(Debug, Default)]
pub(super) struct Subject {
    /// Its name, such as `inputs.cpu`.
    pub name: String,
    /// Its id; the same for the same settings.
    pub id: String,
    /// How it is doing.
    pub health: Arc<Health>,
}

impl From<&str> for Subject {
    fn from(name: &str) -> Subject {
        Subject { name: name.to_owned(), ..Subject::default() }
    }
}

/// What is being watched: one input's gather or one output's flush.
pub(super) struct Watched {
    /// Whose work it is.
    subject: Subject,
    /// How long it may take before it is worth a word, and between words.
    interval: Duration,
    /// How often to look whether it takes that long; at least the interval.
    look_every: Duration,
    /// The word.
    warn: Box<dyn Fn() + Send + Sync>,
    state: Mutex<Option<Running>>,
}

/// Whether work is going on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    /// None is.
    None,
    /// It is, for this long.
    For(Duration),
    /// It begins or ends right now, or is being warned about.
    Unknown,
}

#[derive(Clone, Copy)]
struct Running {
    since: Duration,
    warned: u32,
}

impl Watched {
    /// Makes a piece of work to watch; `warn` is called once for every full `interval` it takes.
    pub(super) fn new(
        subject: impl Into<Subject>,
        interval: Duration,
        look_every: Duration,
        warn: impl Fn() + Send + Sync + 'static,
    ) -> Arc<Watched> {
        let (subject, warn) = (subject.into(), Box::new(warn));
        Arc::new(Watched { subject, interval, look_every, warn, state: Mutex::new(None) })
    }

    /// The name of the one whose work it is.
    pub(super) fn name(&self) -> &str {
        &self.subject.name
    }

    /// Whose work it is.
    pub(super) fn subject(&self) -> &Subject {
        &self.subject
    }

    /// Whether it is going on; never waits.
    pub(super) fn work(&self, now: Duration) -> Work {
        let state = match self.state.try_lock() {
            Ok(state) => *state,
            Err(TryLockError::Poisoned(state)) => *state.into_inner(),
            Err(TryLockError::WouldBlock) => return Work::Unknown,
        };
        state.map_or(Work::None, |running| Work::For(now.saturating_sub(running.since)))
    }

    /// Does the work under watch.
    pub(super) fn during<T>(&self, clock: &dyn Clock, work: impl FnOnce() -> T) -> T {
        self.set(Some(Running { since: clock.elapsed(), warned: 0 }));
        let result = work();
        self.set(None);
        result
    }

    fn set(&self, state: Option<Running>) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = state;
    }

    /// Warns if that is due, and returns when it is due next if the work is going on.
    fn check(&self, now: Duration) -> Option<Duration> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let running = state.as_mut()?;
        if now >= running.since + self.interval * (running.warned + 1) {
            running.warned += 1;
            (self.warn)();
        }
        Some(running.since + self.interval * (running.warned + 1))
    }
}

/// Watches until `stop` closes.
pub(super) fn watch(all: &[Arc<Watched>], clock: &dyn Clock, stop: &Receiver<()>) {
    let Some(shortest) = all.iter().map(|watched| watched.look_every).min() else { return };
    // Work that takes its whole interval is going on at one of these looks, and from then on it is
    // known when its warning is due. Looking more often would wake the machine for nothing.
    let mut pause = shortest;
    loop {
        if clock.wait(pause, stop) == Waited::Stopped {
            return;
        }
        let now = clock.elapsed();
        let next = all.iter().filter_map(|watched| watched.check(now)).min();
        pause =
            next.map_or(shortest, |due| due.saturating_sub(now).clamp(SHORTEST_PAUSE, shortest));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::metric::Timestamp;
    use crate::system::fake::FakeClock;

    const TEN: Duration = Duration::from_secs(10);

    #[test]
    fn work_is_warned_about_once_for_every_interval_it_takes() {
        let warned = Arc::new(AtomicUsize::new(0));
        let counter = warned.clone();
        let watched = Watched::new("inputs.cpu", TEN, TEN, move || {
            counter.fetch_add(1, Ordering::Relaxed);
        });
        let clock = FakeClock::at(Timestamp::EPOCH);
        watched.during(&clock, || {
            for (seconds, expected) in [(9, 0), (10, 1), (11, 1), (20, 2)] {
                watched.check(Duration::from_secs(seconds));
                assert_eq!(warned.load(Ordering::Relaxed), expected, "after {seconds} s");
            }
        });
        watched.check(Duration::from_secs(99));
        assert_eq!(warned.load(Ordering::Relaxed), 2, "idle work is not late");
    }
}
