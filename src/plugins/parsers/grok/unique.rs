//! Times that are told apart.

use crate::metric::Timestamp;

/// Adds a little to times that come several times in a row, so that metrics do not overwrite each
/// other: the unit below the smallest that the time has.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct UniqueTimes {
    last: Option<Timestamp>,
    repeated: Option<Timestamp>,
    unit_nanos: i64,
    count: i64,
    carried_nanos: i64,
}

/// After so many steps a smaller unit goes on.
const MOST_STEPS: i64 = 999;

impl UniqueTimes {
    pub(super) fn next(&mut self, time: Timestamp) -> Timestamp {
        let last = self.last.replace(time);
        let Some(last) = last else {
            (self.count, self.carried_nanos) = (0, 0);
            return time;
        };
        if time != last && Some(time) != self.repeated {
            (self.unit_nanos, self.count, self.carried_nanos) = (0, 0, 0);
            return time;
        }
        if time == last {
            self.repeated = Some(time);
        }
        if self.unit_nanos == 0 {
            self.unit_nanos = unit_below(time);
        }
        self.count += 1;
        if self.count == MOST_STEPS && self.unit_nanos > 1 {
            self.carried_nanos = self.unit_nanos.saturating_mul(self.count);
            self.count = 1;
            self.unit_nanos = (self.unit_nanos / 1_000).max(1);
        }
        let step = self.unit_nanos.saturating_mul(self.count).saturating_add(self.carried_nanos);
        Timestamp::from_nanos(time.nanos().saturating_add(step))
    }
}

/// The unit below the smallest one that a time has.
fn unit_below(time: Timestamp) -> i64 {
    let nanos = time.nanos();
    let mut zeros = 0;
    let mut power = 10_i64;
    while zeros < 9 && nanos % power <= 0 {
        zeros += 1;
        power *= 10;
    }
    match zeros {
        0..=5 => 1,
        6..=8 => 1_000,
        _ => 1_000_000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nanos(times: &[i64]) -> Vec<i64> {
        let mut unique = UniqueTimes::default();
        times.iter().map(|time| unique.next(Timestamp::from_nanos(*time)).nanos()).collect()
    }

    #[test]
    fn times_that_come_again_are_moved_by_the_unit_below() {
        let second = 1_000_000_000;
        assert_eq!(
            nanos(&[second, second, second, 2 * second, second]),
            [second, second + 1_000_000, second + 2_000_000, 2 * second, second + 1_000_000]
        );
        assert_eq!(nanos(&[5_000_000, 5_000_000]), [5_000_000, 5_001_000]);
        assert_eq!(nanos(&[7, 7, 0, 0]), [7, 8, 0, 1_000_000]);
    }

    #[test]
    fn very_many_times_stay_apart() {
        let moved = nanos(&[1_000_000_000; 1_900]);
        let mut distinct = moved.clone();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(distinct.len(), moved.len());
    }
}
