//! When rounds are due: pure arithmetic over the wall clock.
//!
//! # References
//! Telegraf's `internal/clock/ticker.go` and `internal.AlignTime`.

use std::time::Duration;

use crate::metric::Timestamp;

/// Whether rounds fall on multiples of the interval or count from the start: `round_interval`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alignment {
    /// On multiples of the interval since year 1.
    Clock,
    /// At the start and every interval after it.
    Start,
}

/// The times at which an input's rounds are due.
///
/// Chance moves single rounds later, never the schedule itself. Rounds that could not take place
/// are left out, not made up for. A wall clock that is set forth or back starts the schedule
/// anew from where the clock stands.
#[derive(Debug)]
pub struct Schedule {
    interval: Duration,
    offset: Duration,
    alignment: Alignment,
    start: Timestamp,
    last_due: Option<Timestamp>,
}

impl Schedule {
    /// Makes the schedule of an input that starts at `start`; `interval` is above zero.
    pub fn new(
        interval: Duration,
        offset: Duration,
        alignment: Alignment,
        start: Timestamp,
    ) -> Schedule {
        Schedule { interval, offset, alignment, start, last_due: None }
    }

    /// The next time that is due, not before `now` and after all that were due before.
    pub fn next(&mut self, now: Timestamp) -> Timestamp {
        let due = match self.last_due {
            None => self.first(),
            Some(last) => self.following(last, now),
        };
        self.last_due = Some(due);
        due
    }

    fn first(&self) -> Timestamp {
        match self.alignment {
            Alignment::Start => self.start.after(self.offset),
            // A round due within a hundredth of the interval would come before everything runs.
            Alignment::Clock => {
                self.at_or_after(self.start.after(self.interval / 100)).after(self.offset)
            }
        }
    }

    fn following(&mut self, last: Timestamp, now: Timestamp) -> Timestamp {
        let set_back = last.since(now) > self.interval;
        if set_back {
            // Counting on from the last round would wait until the clock has caught up.
            self.start = now.before(self.offset);
            return self.soon_after(now);
        }
        let next = last.after(self.interval);
        if now <= next {
            return next;
        }
        // What was missed is left out.
        self.soon_after(now)
    }

    /// The first time of the schedule that is not before `now`, nor so little after it that it would be
    /// the round that has just been.
    fn soon_after(&self, now: Timestamp) -> Timestamp {
        let earliest = now.before(self.offset).after(self.interval / 100);
        self.at_or_after(earliest).after(self.offset)
    }

    /// The first time of the schedule without its offset that is not before `time`.
    fn at_or_after(&self, time: Timestamp) -> Timestamp {
        let origin = match self.alignment {
            Alignment::Clock => time.truncate(self.interval),
            Alignment::Start => {
                let rounds = time.since(self.start).as_nanos() / self.interval.as_nanos().max(1);
                let nanos = rounds.saturating_mul(self.interval.as_nanos());
                self.start.after(Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)))
            }
        };
        if origin >= time { origin } else { origin.after(self.interval) }
    }
}

/// What times of a plugin are rounded to: its own precision, else what suits its interval.
pub fn precision(explicit: Duration, interval: Duration) -> Duration {
    if !explicit.is_zero() {
        return explicit;
    }
    [Duration::from_secs(1), Duration::from_millis(1), Duration::from_micros(1)]
        .into_iter()
        .find(|unit| interval >= *unit)
        .unwrap_or(Duration::from_nanos(1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TEN: Duration = Duration::from_secs(10);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    #[test]
    fn rounds_fall_on_multiples_of_the_interval() {
        let mut schedule = Schedule::new(TEN, Duration::ZERO, Alignment::Clock, at(105));
        assert_eq!(schedule.next(at(105)), at(110));
        assert_eq!(schedule.next(at(110)), at(120));
        // The timer may fire a little before or after the wall clock says so.
        assert_eq!(schedule.next(at(120).before(Duration::from_millis(3))), at(130));
        assert_eq!(schedule.next(at(130).after(Duration::from_millis(3))), at(140));
    }

    #[test]
    fn a_start_just_before_a_multiple_waits_for_the_next() {
        let start = at(110).before(Duration::from_millis(50));
        let mut schedule = Schedule::new(TEN, Duration::ZERO, Alignment::Clock, start);
        assert_eq!(schedule.next(start), at(120));
    }

    #[test]
    fn without_alignment_the_first_round_is_at_once() {
        let mut schedule = Schedule::new(TEN, Duration::ZERO, Alignment::Start, at(103));
        assert_eq!(schedule.next(at(103)), at(103));
        assert_eq!(schedule.next(at(103)), at(113));
        assert_eq!(schedule.next(at(113)), at(123));
    }

    #[test]
    fn the_offset_moves_every_round() {
        let offset = Duration::from_secs(3);
        let mut schedule = Schedule::new(TEN, offset, Alignment::Clock, at(105));
        assert_eq!(schedule.next(at(105)), at(113));
        assert_eq!(schedule.next(at(113)), at(123));
        assert_eq!(schedule.next(at(141)), at(143), "missed rounds keep the offset");
    }

    #[test]
    fn missed_rounds_are_left_out() {
        let mut schedule = Schedule::new(TEN, Duration::ZERO, Alignment::Clock, at(105));
        schedule.next(at(105));
        assert_eq!(schedule.next(at(154)), at(160));
        let mut schedule = Schedule::new(TEN, Duration::ZERO, Alignment::Start, at(103));
        schedule.next(at(103));
        assert_eq!(schedule.next(at(154)), at(163));
    }

    #[test]
    fn a_clock_set_forth_to_when_a_round_is_due_makes_no_second_one_at_once() {
        let mut schedule = Schedule::new(TEN, Duration::ZERO, Alignment::Clock, at(105));
        schedule.next(at(105));
        assert_eq!(schedule.next(at(86_500)), at(86_510));
        schedule.next(at(86_510));
        assert_eq!(schedule.next(at(99_999).after(Duration::from_millis(950))), at(100_010));
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_stop_the_rounds() {
        for alignment in [Alignment::Clock, Alignment::Start] {
            let mut schedule = Schedule::new(TEN, Duration::ZERO, alignment, at(100_000));
            schedule.next(at(100_000));
            let due = schedule.next(at(5_003));
            assert!(due >= at(5_003) && due <= at(5_013), "{due:?}");
            let next = schedule.next(due);
            assert_eq!(next, due.after(TEN));
        }
    }

    #[test]
    fn precision_follows_the_interval_unless_set() {
        for (interval, expected) in [
            (Duration::from_secs(10), Duration::from_secs(1)),
            (Duration::from_millis(250), Duration::from_millis(1)),
            (Duration::from_micros(2), Duration::from_micros(1)),
            (Duration::from_nanos(5), Duration::from_nanos(1)),
        ] {
            assert_eq!(precision(Duration::ZERO, interval), expected);
        }
        assert_eq!(precision(TEN, Duration::from_secs(1)), TEN);
    }

    proptest! {
        #[test]
        fn every_round_is_later_than_the_one_before_and_never_far_off(
            start in 0i64..1_000_000_000_000,
            interval in 1u64..100_000,
            offset in 0u64..100_000,
            aligned: bool,
            waits in prop::collection::vec(0u64..300_000, 1..20),
        ) {
            let alignment = if aligned { Alignment::Clock } else { Alignment::Start };
            let (interval, offset) = (Duration::from_nanos(interval), Duration::from_nanos(offset));
            let start = Timestamp::from_nanos(start);
            let mut schedule = Schedule::new(interval, offset, alignment, start);
            let mut now = start;
            let mut last = None;
            for wait in waits {
                let due = schedule.next(now);
                prop_assert!(last.is_none_or(|last| due > last));
                prop_assert!(due.since(now) <= interval * 2 + offset + interval / 50);
                now = due.max(now).after(Duration::from_nanos(wait));
                last = Some(due);
            }
        }
    }
}
