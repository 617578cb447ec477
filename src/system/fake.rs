//! A clock that tests move by hand, so that no test sleeps.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::Clock;
use crate::metric::Timestamp;

/// A clock that stands still until it is advanced.
#[derive(Debug)]
pub struct FakeClock {
    state: Mutex<State>,
    timer_added: Condvar,
}

#[derive(Debug)]
struct State {
    wall: Timestamp,
    elapsed: Duration,
    timers: Vec<(Duration, Sender<Instant>)>,
}

impl FakeClock {
    /// Makes a clock that stands at `wall`.
    pub fn at(wall: Timestamp) -> FakeClock {
        let state = State { wall, elapsed: Duration::ZERO, timers: Vec::new() };
        FakeClock { state: Mutex::new(state), timer_added: Condvar::new() }
    }

    /// Moves both times on by `span` and fires the timers that fall due.
    pub fn advance(&self, span: Duration) {
        let mut state = self.lock();
        state.wall = state.wall.after(span);
        state.elapsed += span;
        let elapsed = state.elapsed;
        state.timers.retain(|(due, timer)| {
            if *due > elapsed {
                return true;
            }
            // Nobody waits any more where the receiver is gone.
            let _ = timer.send(fired_at());
            false
        });
    }

    /// Sets the wall clock without any time passing, as an administrator or NTP would.
    pub fn jump_to(&self, wall: Timestamp) {
        self.lock().wall = wall;
    }

    /// Blocks until `count` timers are waiting.
    ///
    /// # Panics
    /// If they are not there within ten seconds.
    pub fn wait_for_timers(&self, count: usize) {
        let state = self.lock();
        let (state, waited) = self
            .timer_added
            .wait_timeout_while(state, Duration::from_secs(10), |state| {
                // Timers whose owner has stopped waiting do not count.
                state.timers.len() < count
            })
            .unwrap_or_else(PoisonError::into_inner);
        assert!(!waited.timed_out(), "{} of {count} timers are waiting", state.timers.len());
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        self.lock().wall
    }

    fn elapsed(&self) -> Duration {
        self.lock().elapsed
    }

    fn after(&self, span: Duration) -> Receiver<Instant> {
        let (timer, receiver) = bounded(1);
        let mut state = self.lock();
        if span.is_zero() {
            let _ = timer.send(fired_at());
        } else {
            let due = state.elapsed + span;
            state.timers.push((due, timer));
            self.timer_added.notify_all();
        }
        receiver
    }
}

/// What a timer delivers; receivers use the clock itself to learn the time.
#[expect(
    clippy::disallowed_methods,
    reason = "crossbeam's timers carry an Instant, and nobody reads it"
)]
fn fired_at() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timer_fires_when_its_span_has_passed_and_not_before() {
        let clock = FakeClock::at(Timestamp::from_seconds(100));
        let timer = clock.after(Duration::from_secs(10));
        clock.advance(Duration::from_millis(9_999));
        assert!(timer.try_recv().is_err());
        clock.advance(Duration::from_millis(1));
        assert!(timer.try_recv().is_ok());
        assert_eq!(clock.now(), Timestamp::from_seconds(110));
    }

    #[test]
    fn a_jump_of_the_wall_clock_fires_nothing() {
        let clock = FakeClock::at(Timestamp::EPOCH);
        let timer = clock.after(Duration::from_secs(1));
        clock.jump_to(Timestamp::from_seconds(1_000_000));
        assert!(timer.try_recv().is_err());
        assert_eq!(clock.elapsed(), Duration::ZERO);
    }
}
