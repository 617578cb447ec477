//! Which windows a time belongs to.
//!
//! # References
//! Kafka Streams' `TimeWindows.windowsFor`.

/// How long windows are, and how far one begins behind the other; in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) period: i64,
    pub(super) hop: i64,
}

impl Shape {
    /// The starts of the windows that a time belongs to, ascending. Windows begin at multiples of
    /// the hop since 1970, and end before their end.
    ///
    /// As in Kafka Streams a time since 1970 belongs to no window that begins before. Windows that
    /// begin or end where no time can be told are left out.
    pub(super) fn starts(self, time: i64) -> impl Iterator<Item = i64> {
        let Shape { period, hop } = self;
        let first = time.saturating_sub(period).saturating_add(hop).div_euclid(hop);
        let first = if time >= 0 { first.max(0) } else { first };
        let last = time.div_euclid(hop);
        (first..=last)
            .filter_map(move |number| number.checked_mul(hop))
            .filter(move |start| start.checked_add(period).is_some())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn starts(period: i64, hop: i64, time: i64) -> Vec<i64> {
        Shape { period, hop }.starts(time).collect()
    }

    #[test]
    fn windows_are_those_of_kafka_streams() {
        for (period, hop, time, expected) in [
            (10, 10, 0, &[0][..]),
            (10, 10, 9, &[0]),
            (10, 10, 10, &[10]),
            (10, 5, 12, &[5, 10]),
            (10, 5, 3, &[0]),
            (12, 5, 21, &[10, 15, 20]),
            (12, 5, 22, &[15, 20]),
            (10, 10, -1, &[-10]),
            (10, 5, -1, &[-10, -5]),
        ] {
            assert_eq!(starts(period, hop, time), expected, "{period} {hop} {time}");
        }
        assert_eq!(starts(10, 10, i64::MAX), [0; 0]);
        assert_eq!(starts(10, 10, i64::MIN), [0; 0]);
    }

    proptest! {
        #[test]
        fn a_time_belongs_to_the_windows_that_it_lies_in(
            period in 1_i64..50, share in 1_i64..50, time in -200_i64..200,
        ) {
            let hop = (period / share).max(1);
            let lies_in = |start: &i64| *start <= time && time < start + period;
            let begins = |start: &i64| time < 0 || *start >= 0;
            let numbers = -300..300_i64;
            let all = numbers.map(|number| number * hop).filter(lies_in).filter(begins);
            prop_assert_eq!(starts(period, hop, time), all.collect::<Vec<_>>());
        }
    }
}
