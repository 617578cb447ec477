//! Noticing that somebody has set the clock.

use std::time::Duration;

use crate::system::Clock;

/// How far the clock may go astray between two looks without being set: it is slewed all the time.
const LEAST: i64 = 500_000_000;

/// How the clock on the wall goes beside the elapsed time.
#[derive(Debug)]
pub(super) struct WallClock {
    /// The wall's time when the elapsed time began, in nanoseconds since 1970.
    began: Option<i64>,
}

/// How somebody has set the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ClockSet {
    Forward(Duration),
    Back(Duration),
}

impl WallClock {
    pub(super) fn new() -> WallClock {
        WallClock { began: None }
    }

    /// Whether the clock was set since the last look.
    pub(super) fn look(&mut self, clock: &dyn Clock) -> Option<ClockSet> {
        let elapsed = i64::try_from(clock.elapsed().as_nanos()).unwrap_or(i64::MAX);
        let began = clock.now().nanos().saturating_sub(elapsed);
        let before = self.began.replace(began)?;
        let by = began.saturating_sub(before);
        let span = Duration::from_nanos(by.unsigned_abs());
        match by {
            LEAST.. => Some(ClockSet::Forward(span)),
            ..=0 if by <= -LEAST => Some(ClockSet::Back(span)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::Timestamp;
    use crate::system::fake::FakeClock;

    #[test]
    fn a_clock_that_is_set_is_noticed_once_and_one_that_goes_is_not() {
        let second = Duration::from_secs(1);
        let clock = FakeClock::at(Timestamp::from_seconds(1_000_000));
        let mut wall = WallClock::new();
        assert_eq!(wall.look(&clock), None);
        clock.advance(3600 * second);
        assert_eq!(wall.look(&clock), None);
        clock.jump_to(Timestamp::from_seconds(1_000_000));
        assert_eq!(wall.look(&clock), Some(ClockSet::Back(3600 * second)));
        assert_eq!(wall.look(&clock), None);
        clock.jump_to(Timestamp::from_seconds(1_000_002));
        assert_eq!(wall.look(&clock), Some(ClockSet::Forward(2 * second)));
    }
}
