//! Which values of two programs belong together, and how far they lie apart.

use std::cmp::Ordering;
use std::time::Duration;

use super::readings::Values;
use crate::metric::Value;

/// How far two numbers lie apart.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Distance {
    pub absolute: f64,
    /// As a share of the greater of the two.
    pub relative: f64,
}

impl Distance {
    /// The distance of two numbers of the same type; none if they are no numbers.
    pub(super) fn between(a: &Value, b: &Value) -> Option<Distance> {
        let absolute = match (a, b) {
            // Large integers lose in a float what they differ by.
            (Value::Integer(a), Value::Integer(b)) => {
                (i128::from(*a) - i128::from(*b)).abs() as f64
            }
            (Value::Unsigned(a), Value::Unsigned(b)) => a.abs_diff(*b) as f64,
            _ => (a.as_f64()? - b.as_f64()?).abs(),
        };
        let greater = a.as_f64()?.abs().max(b.as_f64()?.abs());
        let relative = if absolute == 0.0 { 0.0 } else { absolute / greater };
        Some(Distance { absolute, relative })
    }

    /// The greatest of each of the two measures.
    #[must_use]
    pub(super) fn max(self, other: Distance) -> Distance {
        Distance {
            absolute: self.absolute.max(other.absolute),
            relative: self.relative.max(other.relative),
        }
    }
}

/// The word for the type of a value.
pub(super) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Float(_) => "float",
        Value::Integer(_) => "integer",
        Value::Unsigned(_) => "unsigned",
        Value::Boolean(_) => "boolean",
        Value::String(_) => "string",
    }
}

/// Which values belong together: those of the same time, else those of times within `reach`; both
/// lists are sorted by time, and so are the pairs of places in them.
pub(super) fn pairs(ours: &Values, theirs: &Values, reach: Duration) -> Vec<(usize, usize)> {
    let has_time = |values: &Values, at: &crate::metric::Timestamp| {
        values.binary_search_by_key(at, |(time, _)| *time).is_ok()
    };
    let mut found = Vec::new();
    let (mut i, mut j) = (0, 0);
    while let (Some((our_time, _)), Some((their_time, _))) = (ours.get(i), theirs.get(j)) {
        let order = our_time.cmp(their_time);
        let is_within = our_time.since(*their_time).max(their_time.since(*our_time)) <= reach;
        // A later value of exactly that time is the better counterpart.
        let is_met_later = match order {
            Ordering::Less => has_time(ours, their_time),
            Ordering::Greater => has_time(theirs, our_time),
            Ordering::Equal => false,
        };
        if is_within && !is_met_later {
            found.push((i, j));
            i += 1;
            j += 1;
        } else if order == Ordering::Less {
            i += 1;
        } else {
            j += 1;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::metric::Timestamp;

    fn at(seconds: &[i64]) -> Values {
        let value = |second: &i64| (Timestamp::from_seconds(*second), Value::Integer(*second));
        seconds.iter().map(value).collect()
    }

    #[test]
    fn values_of_the_same_round_belong_together() {
        for (ours, theirs, expected) in [
            (&[10, 20, 30][..], &[10, 20, 30][..], &[(0, 0), (1, 1), (2, 2)][..]),
            // A round that only one has seen.
            (&[10, 20, 30], &[20, 30], &[(1, 0), (2, 1)]),
            (&[10, 20], &[10, 20, 30], &[(0, 0), (1, 1)]),
            // Rounded to the other second.
            (&[10, 21, 30], &[11, 20, 30], &[(0, 0), (1, 1), (2, 2)]),
            // Nearer in time than the reach, and yet not of the same time.
            (&[10, 11, 12], &[11, 12, 13], &[(1, 0), (2, 1)]),
            // Several of one time, in their order.
            (&[0, 0, 0], &[0, 0], &[(0, 0), (1, 1)]),
            (&[10], &[100], &[]),
            (&[], &[1], &[]),
        ] {
            let found = pairs(&at(ours), &at(theirs), Duration::from_secs(5));
            assert_eq!(found, expected, "{ours:?} {theirs:?}");
        }
    }

    #[test]
    fn distances_of_large_integers_are_exact() {
        let distance = |a: Value, b: Value| Distance::between(&a, &b);
        let large = u64::MAX;
        let found = distance(Value::Unsigned(large), Value::Unsigned(large - 1)).unwrap();
        assert_eq!(found.absolute, 1.0);
        let found = distance(Value::Integer(i64::MIN), Value::Integer(i64::MAX)).unwrap();
        assert!(found.absolute > 1.8e19 && found.relative > 1.9);
        let found = distance(Value::Float(50.0), Value::Float(100.0)).unwrap();
        assert_eq!((found.absolute, found.relative), (50.0, 0.5));
        assert_eq!(distance(Value::Float(0.0), Value::Float(0.0)), Some(Distance::default()));
        assert_eq!(distance(Value::Boolean(true), Value::Boolean(false)), None);
    }

    proptest! {
        #[test]
        fn no_value_is_in_two_pairs_and_none_out_of_reach(
            mut ours in prop::collection::vec(0_i64..60, 0..12),
            mut theirs in prop::collection::vec(0_i64..60, 0..12),
        ) {
            ours.sort_unstable();
            theirs.sort_unstable();
            let found = pairs(&at(&ours), &at(&theirs), Duration::from_secs(5));
            prop_assert!(found.windows(2).all(|two| two[0].0 < two[1].0 && two[0].1 < two[1].1));
            prop_assert!(found.iter().all(|(i, j)| ours[*i].abs_diff(theirs[*j]) <= 5));
        }
    }
}
