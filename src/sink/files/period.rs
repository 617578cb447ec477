//! Stretches of time that begin by the clock on the wall: hours, days, weeks.

use std::time::Duration;

use jiff::civil::{Date, DateTime, Time, date};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, ToSpan};

use super::template::{Values, Variable};
use crate::metric::Timestamp;

const DAY: u64 = 24 * 60 * 60;

/// A Monday, from which whole weeks count.
const FIRST_DAY: Date = date(1970, 1, 5);

/// How long a stretch is. Parts of a day count from midnight, and the last one of a day may be
/// shorter; days count from a Monday.
#[derive(Debug, Clone)]
pub struct Interval {
    seconds: u64,
    zone: TimeZone,
}

/// Why a span cannot be an interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an interval is of whole seconds up to a day, or of whole days up to 366")]
pub struct IntervalError;

/// A stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// Its beginning.
    pub from: Timestamp,
    /// The beginning of the next one.
    pub until: Timestamp,
}

impl Period {
    /// Whether a time lies in it.
    pub fn contains(&self, time: Timestamp) -> bool {
        self.from <= time && time < self.until
    }
}

impl Interval {
    /// Makes an interval.
    ///
    /// # Errors
    /// If it is neither one of whole seconds up to a day nor one of whole days.
    pub fn new(span: Duration, zone: TimeZone) -> Result<Interval, IntervalError> {
        let seconds = span.as_secs();
        let is_right = span.subsec_nanos() == 0
            && seconds > 0
            && (seconds <= DAY || (seconds.is_multiple_of(DAY) && seconds <= 366 * DAY));
        if is_right { Ok(Interval { seconds, zone }) } else { Err(IntervalError) }
    }

    /// The stretch that a time lies in.
    ///
    /// An hour that comes twice, when clocks are set back, belongs to one stretch or makes one
    /// longer; none begins twice.
    pub fn period_of(&self, time: Timestamp) -> Period {
        let always = Period {
            from: Timestamp::from_nanos(i64::MIN),
            until: Timestamp::from_nanos(i64::MAX),
        };
        let Some((start, end)) = self.civil_period(civil(time, &self.zone)) else { return always };
        let from = self.instant(start, Fold::First).unwrap_or(always.from);
        let until = self.instant(end, Fold::First).filter(|until| *until > time);
        let until = until.or_else(|| self.instant(end, Fold::Second)).unwrap_or(always.until);
        Period { from: from.min(time), until: until.max(time.after(Duration::from_nanos(1))) }
    }

    fn civil_period(&self, time: DateTime) -> Option<(DateTime, DateTime)> {
        let midnight = time.date().to_datetime(Time::midnight());
        if self.seconds > DAY {
            let days = i64::try_from(self.seconds / DAY).ok()?;
            let since = time.date().duration_since(FIRST_DAY).as_hours() / 24;
            let start = midnight.checked_sub(since.rem_euclid(days).days()).ok()?;
            return Some((start, start.checked_add(days.days()).ok()?));
        }
        let seconds = i64::try_from(self.seconds).ok()?;
        let passed = time.duration_since(midnight).as_secs();
        let start = midnight.checked_add(SignedDuration::from_secs(passed / seconds * seconds));
        let start = start.ok()?;
        let end = start.checked_add(SignedDuration::from_secs(seconds)).ok()?;
        Some((start, end.min(midnight.checked_add(1.day()).ok()?)))
    }

    fn instant(&self, time: DateTime, fold: Fold) -> Option<Timestamp> {
        let ambiguous = self.zone.to_ambiguous_zoned(time);
        let zoned = match fold {
            Fold::First => ambiguous.compatible(),
            Fold::Second => ambiguous.later(),
        };
        let nanos = zoned.ok()?.timestamp().as_nanosecond();
        i64::try_from(nanos).ok().map(Timestamp::from_nanos)
    }
}

/// Which one of two equal times on the wall.
#[derive(Clone, Copy)]
enum Fold {
    First,
    Second,
}

fn civil(time: Timestamp, zone: &TimeZone) -> DateTime {
    let time = jiff::Timestamp::from_nanosecond(i128::from(time.nanos()));
    // Every number of nanoseconds that fits 64 bits is a time that jiff can hold.
    zone.to_datetime(time.unwrap_or(jiff::Timestamp::UNIX_EPOCH))
}

/// Puts a time into the values of a name.
pub fn tell(values: &mut Values, time: Timestamp, zone: &TimeZone) {
    let time = civil(time, zone);
    let (year, month, day) = (time.year(), time.month(), time.day());
    let (hour, minute, second) = (time.hour(), time.minute(), time.second());
    values.set(Variable::Date, format!("{year:04}-{month:02}-{day:02}"));
    values.set(Variable::Time, format!("{hour:02}{minute:02}{second:02}"));
    values.set(Variable::Year, format!("{year:04}"));
    values.set(Variable::Month, format!("{month:02}"));
    values.set(Variable::Day, format!("{day:02}"));
    values.set(Variable::Hour, format!("{hour:02}"));
    values.set(Variable::Minute, format!("{minute:02}"));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Timestamp {
        let time: jiff::Timestamp = text.parse().unwrap();
        Timestamp::from_nanos(i64::try_from(time.as_nanosecond()).unwrap())
    }

    fn interval(seconds: u64, zone: &str) -> Interval {
        Interval::new(Duration::from_secs(seconds), TimeZone::get(zone).unwrap()).unwrap()
    }

    #[test]
    fn stretches_begin_by_the_clock_on_the_wall() {
        for (seconds, zone, time, from, until) in [
            (3600, "UTC", "2020-06-19T15:04:05Z", "2020-06-19T15:00:00Z", "2020-06-19T16:00:00Z"),
            (DAY, "UTC", "2020-06-19T15:04:05Z", "2020-06-19T00:00:00Z", "2020-06-20T00:00:00Z"),
            // Midnight in Berlin.
            (
                DAY,
                "Europe/Berlin",
                "2020-06-19T22:30:00Z",
                "2020-06-19T22:00:00Z",
                "2020-06-20T22:00:00Z",
            ),
            // A Friday; weeks begin on Mondays.
            (
                7 * DAY,
                "UTC",
                "2020-06-19T15:04:05Z",
                "2020-06-15T00:00:00Z",
                "2020-06-22T00:00:00Z",
            ),
            // The last one of the day is shorter.
            (
                7 * 3600,
                "UTC",
                "2020-06-19T22:00:00Z",
                "2020-06-19T21:00:00Z",
                "2020-06-20T00:00:00Z",
            ),
            (
                60,
                "Asia/Kolkata",
                "2020-06-19T15:04:05Z",
                "2020-06-19T15:04:00Z",
                "2020-06-19T15:05:00Z",
            ),
            // Days with 23 and with 25 hours.
            (
                DAY,
                "Europe/Berlin",
                "2020-03-29T12:00:00Z",
                "2020-03-28T23:00:00Z",
                "2020-03-29T22:00:00Z",
            ),
            (
                DAY,
                "Europe/Berlin",
                "2020-10-25T12:00:00Z",
                "2020-10-24T22:00:00Z",
                "2020-10-25T23:00:00Z",
            ),
            // The hour that comes twice is one, however often it is asked for.
            (
                3600,
                "Europe/Berlin",
                "2020-10-25T00:30:00Z",
                "2020-10-25T00:00:00Z",
                "2020-10-25T02:00:00Z",
            ),
            (
                3600,
                "Europe/Berlin",
                "2020-10-25T01:30:00Z",
                "2020-10-25T00:00:00Z",
                "2020-10-25T02:00:00Z",
            ),
            // The hour that there is not.
            (
                3600,
                "Europe/Berlin",
                "2020-03-29T00:59:59Z",
                "2020-03-29T00:00:00Z",
                "2020-03-29T01:00:00Z",
            ),
            (
                3600,
                "Europe/Berlin",
                "2020-03-29T01:00:00Z",
                "2020-03-29T01:00:00Z",
                "2020-03-29T02:00:00Z",
            ),
        ] {
            let period = interval(seconds, zone).period_of(at(time));
            assert_eq!(period, Period { from: at(from), until: at(until) }, "{time} {seconds}");
        }
    }

    #[test]
    fn not_every_span_is_an_interval() {
        for (millis, is_right) in [
            (0, false),
            (1_500, false),
            (1_000, true),
            (DAY * 1_000, true),
            (DAY * 1_500, false),
            (DAY * 2_000, true),
            (DAY * 400_000, false),
        ] {
            let made = Interval::new(Duration::from_millis(millis), TimeZone::UTC);
            assert_eq!(made.is_ok(), is_right, "{millis} ms");
        }
    }

    #[test]
    fn a_name_tells_the_time_in_its_zone() {
        let mut values = Values::default();
        tell(&mut values, at("2020-06-19T22:04:05Z"), &TimeZone::get("Europe/Berlin").unwrap());
        for (variable, text) in [
            (Variable::Date, "2020-06-20"),
            (Variable::Time, "000405"),
            (Variable::Year, "2020"),
            (Variable::Month, "06"),
            (Variable::Day, "20"),
            (Variable::Hour, "00"),
            (Variable::Minute, "04"),
        ] {
            assert_eq!(values.get(variable), Some(text));
        }
    }

    proptest! {
        #[test]
        fn a_time_lies_in_its_period_and_the_next_begins_where_it_ends(
            seconds in prop_oneof![1_u64..=DAY, Just(900), Just(3600), (2_u64..40).prop_map(|days| days * DAY)],
            zone in prop::sample::select(vec![
                "UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "America/Sao_Paulo",
            ]),
            time in 0_i64..4_000_000_000_000_000_000,
        ) {
            let interval = interval(seconds, zone);
            let time = Timestamp::from_nanos(time);
            let period = interval.period_of(time);
            prop_assert!(period.contains(time), "{:?}", period);
            let before_end = Timestamp::from_nanos(period.until.nanos() - 1);
            prop_assert_eq!(interval.period_of(before_end).until, period.until);
            let next = interval.period_of(period.until);
            prop_assert!(next.contains(period.until) && next.until > period.until);
            // Never longer than the interval and the longest change of a clock.
            let longest = Duration::from_secs(seconds + 4 * 3600);
            prop_assert!(period.until.since(period.from) <= longest, "{:?}", period);
        }
    }
}
