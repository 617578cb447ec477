//! When a file ends and the next one begins.

use std::time::Duration;

use super::period::{Interval, Period};
use crate::metric::Timestamp;

/// When files end; whatever comes first ends them.
#[derive(Debug, Clone, Default)]
pub struct Rotation {
    /// When they have this many bytes.
    pub size: Option<u64>,
    /// When a stretch of time by the clock on the wall is over.
    pub interval: Option<Interval>,
    /// When nothing was written to them for this long.
    pub idle: Option<Duration>,
}

/// What it depends on whether a file ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Age {
    /// How many bytes there are in it.
    pub bytes: u64,
    /// The stretch of time in which it was begun.
    pub period: Option<Period>,
    /// When it was last written to, in the clock's elapsed time.
    pub written_at: Duration,
}

/// A moment by both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// On the wall.
    pub wall: Timestamp,
    /// In the clock's elapsed time.
    pub elapsed: Duration,
}

/// Why a file ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// It has as many bytes as it may have.
    Size,
    /// Its time is over.
    Interval,
    /// Nothing was written to it for as long as may be.
    Idle,
}

impl Rotation {
    /// Whether files end at all while the sink runs.
    pub fn is_on(&self) -> bool {
        self.size.is_some() || self.interval.is_some() || self.idle.is_some()
    }

    /// The stretch of time that a file belongs to which is begun now.
    pub fn period_of(&self, time: Timestamp) -> Option<Period> {
        self.interval.as_ref().map(|interval| interval.period_of(time))
    }

    /// Whether a file has to end.
    pub fn due(&self, age: &Age, now: Now) -> Option<Due> {
        if self.interval.is_some() && age.period.is_some_and(|period| !period.contains(now.wall)) {
            return Some(Due::Interval);
        }
        if self.size.is_some_and(|size| age.bytes >= size) {
            return Some(Due::Size);
        }
        let is_idle = |idle: Duration| now.elapsed.saturating_sub(age.written_at) >= idle;
        self.idle.is_some_and(is_idle).then_some(Due::Idle)
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;

    #[test]
    fn a_file_ends_by_whatever_comes_first() {
        let hour = Duration::from_secs(3600);
        let rotation = Rotation {
            size: Some(1000),
            interval: Some(Interval::new(hour, TimeZone::UTC).unwrap()),
            idle: Some(Duration::from_secs(60)),
        };
        assert!(rotation.is_on() && !Rotation::default().is_on());
        let began = Timestamp::from_seconds(7200);
        let period = rotation.period_of(began);
        for (bytes, written_at, wall, elapsed, due) in [
            (0, 0, 7200, 0, None),
            (999, 0, 7200, 59, None),
            (1000, 0, 7200, 59, Some(Due::Size)),
            (999, 0, 7200, 60, Some(Due::Idle)),
            (999, 30, 7200, 60, None),
            (0, 0, 10_799, 0, None),
            (0, 0, 10_800, 0, Some(Due::Interval)),
            // The clock was set back.
            (0, 0, 7199, 0, Some(Due::Interval)),
            // The elapsed time of another run tells nothing.
            (0, 100, 7200, 0, None),
        ] {
            let age = Age { bytes, period, written_at: Duration::from_secs(written_at) };
            let now =
                Now { wall: Timestamp::from_seconds(wall), elapsed: Duration::from_secs(elapsed) };
            assert_eq!(rotation.due(&age, now), due, "{bytes} {written_at} {wall} {elapsed}");
            assert_eq!(Rotation::default().due(&age, now), None);
        }
    }
}
