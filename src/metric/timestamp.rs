//! Points in time with the range and rounding of Telegraf's.

use std::time::Duration;

const NANOS_PER_SECOND: i128 = 1_000_000_000;

/// Seconds from the first instant of year 1, where Go's `time.Time` counts from, to 1970.
const YEAR_ONE_TO_1970_SECONDS: i128 = 62_135_596_800;

/// A point in time: nanoseconds since 1970-01-01T00:00:00Z, leap seconds not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The first instant of 1970.
    pub const EPOCH: Timestamp = Timestamp(0);

    /// Makes a timestamp from nanoseconds since 1970.
    pub const fn from_nanos(nanos: i64) -> Timestamp {
        Timestamp(nanos)
    }

    /// Makes a timestamp from milliseconds since 1970; values out of range saturate.
    pub const fn from_millis(millis: i64) -> Timestamp {
        Timestamp(millis.saturating_mul(1_000_000))
    }

    /// Makes a timestamp from seconds since 1970; values out of range saturate.
    pub const fn from_seconds(seconds: i64) -> Timestamp {
        Timestamp(seconds.saturating_mul(1_000_000_000))
    }

    /// Nanoseconds since 1970.
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// Whole milliseconds since 1970, rounded down.
    pub const fn millis(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// Whole seconds since 1970, rounded down.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000_000)
    }

    /// Rounds to the nearest multiple of `precision`, half up; zero leaves the time as it is.
    ///
    /// Multiples are counted from year 1 as in Go's `time.Round`, so that multiples of periods
    /// that do not divide a day, such as 7 s, fall where Telegraf's do.
    #[must_use]
    pub fn round(self, precision: Duration) -> Timestamp {
        self.to_multiple(
            precision,
            |rest, period| {
                if rest * 2 < period { -rest } else { period - rest }
            },
        )
    }

    /// Cuts to the multiple of `period` at or before this time, counted from year 1.
    #[must_use]
    pub fn truncate(self, period: Duration) -> Timestamp {
        self.to_multiple(period, |rest, _| -rest)
    }

    /// The time later by `span`, saturating at the end of the range.
    #[must_use]
    pub fn after(self, span: Duration) -> Timestamp {
        Timestamp(self.0.saturating_add(i64::try_from(span.as_nanos()).unwrap_or(i64::MAX)))
    }

    /// The time earlier by `span`, saturating at the start of the range.
    #[must_use]
    pub fn before(self, span: Duration) -> Timestamp {
        Timestamp(self.0.saturating_sub(i64::try_from(span.as_nanos()).unwrap_or(i64::MAX)))
    }

    /// How much later this time is than `earlier`; zero if it is not.
    pub fn since(self, earlier: Timestamp) -> Duration {
        u64::try_from(i128::from(self.0) - i128::from(earlier.0))
            .map_or(Duration::ZERO, Duration::from_nanos)
    }

    /// How many nanoseconds later this time is than `other`, negative if it is earlier; saturates.
    pub fn nanos_after(self, other: Timestamp) -> i64 {
        self.0.saturating_sub(other.0)
    }

    fn to_multiple(self, period: Duration, shift: impl Fn(i128, i128) -> i128) -> Timestamp {
        // Every time is a multiple of a nanosecond.
        if period <= Duration::from_nanos(1) {
            return self;
        }
        let period = i128::try_from(period.as_nanos()).unwrap_or(i128::MAX);
        let since_year_one = i128::from(self.0) + YEAR_ONE_TO_1970_SECONDS * NANOS_PER_SECOND;
        let rest = since_year_one.rem_euclid(period);
        if rest == 0 {
            return self;
        }
        let nanos = i128::from(self.0) + shift(rest, period);
        Timestamp(nanos.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64)
    }
}

/// A span as seconds, whole ones and the rest converted apart as Go's `Duration.Seconds` does it.
pub fn seconds(nanos: i64) -> f64 {
    const SECOND: i64 = 1_000_000_000;
    (nanos / SECOND) as f64 + (nanos % SECOND) as f64 / SECOND as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(nanos: i64, precision: Duration) -> i64 {
        Timestamp::from_nanos(nanos).round(precision).nanos()
    }

    #[test]
    fn rounding_is_to_nearest_with_halves_upwards() {
        let second = Duration::from_secs(1);
        for (nanos, expected) in [
            (10_600_000_000, 11_000_000_000),
            (10_499_999_999, 10_000_000_000),
            (10_500_000_000, 11_000_000_000),
            (-500_000_000, 0),
            (-1_500_000_000, -1_000_000_000),
            (-1_500_000_001, -2_000_000_000),
            (7_000_000_000, 7_000_000_000),
        ] {
            assert_eq!(round(nanos, second), expected, "{nanos}");
        }
    }

    #[test]
    fn multiples_are_counted_from_year_one() {
        // 62 135 596 800 = 7 × 8 876 513 828 + 4, so multiples of 7 s since year 1 lie at 3, 10, … s.
        assert_eq!(round(1_000_000_000, Duration::from_secs(7)), 3_000_000_000);
        let seven = Timestamp::from_seconds(12).truncate(Duration::from_secs(7));
        assert_eq!(seven.seconds(), 10);
    }

    #[test]
    fn rounding_at_the_ends_of_the_range_saturates() {
        assert_eq!(round(i64::MAX, Duration::from_secs(3600)), i64::MAX);
        assert_eq!(round(i64::MIN + 1, Duration::from_nanos(2)), i64::MIN + 2);
        assert_eq!(round(5, Duration::ZERO), 5);
    }

    #[test]
    fn spans_between_times_never_underflow() {
        let (early, late) = (Timestamp::from_nanos(i64::MIN), Timestamp::from_nanos(i64::MAX));
        assert_eq!(early.since(late), Duration::ZERO);
        assert_eq!(late.since(early), Duration::from_nanos(u64::MAX));
    }
}
