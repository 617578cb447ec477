//! What a series of values comes to, in bounded memory.
//!
//! # References
//! Telegraf's `inputs.statsd`; mean and deviation are computed from shifted sums.

/// How many values the median is taken of.
const MEDIAN_VALUES: usize = 1000;
/// How many values percentiles are taken of, unless the settings say otherwise.
pub(super) const PERCENTILE_VALUES: usize = 1000;

/// The values of one field since it was last forgotten; at least one.
#[derive(Debug, Clone)]
pub(super) struct RunningStats {
    /// The first value; sums are of the distances to it, which keeps them exact.
    shift: f64,
    count: i64,
    shifted_sum: f64,
    shifted_squares: f64,
    sum: f64,
    lower: f64,
    upper: f64,
    /// A sample of all values.
    sample: Vec<f64>,
    is_sorted: bool,
    /// The last values, in a ring.
    last: Vec<f64>,
    next_of_last: usize,
}

impl RunningStats {
    pub(super) fn of(value: f64) -> RunningStats {
        RunningStats {
            shift: value,
            count: 1,
            shifted_sum: 0.0,
            shifted_squares: 0.0,
            sum: value,
            lower: value,
            upper: value,
            sample: vec![value],
            is_sorted: true,
            last: vec![value],
            next_of_last: 1,
        }
    }

    /// Adds a value; of more than `limit` values percentiles are of those that chance leaves.
    pub(super) fn add(&mut self, value: f64, limit: usize, chance: &mut fastrand::Rng) {
        self.count += 1;
        let shifted = value - self.shift;
        self.shifted_sum += shifted;
        self.shifted_squares += shifted * shifted;
        self.sum += value;
        if value > self.upper {
            self.upper = value;
        } else if value < self.lower {
            self.lower = value;
        }
        self.is_sorted = false;
        if self.sample.len() < limit {
            self.sample.push(value);
        } else {
            let at = chance.usize(..self.sample.len());
            self.sample[at] = value;
        }
        if self.last.len() < MEDIAN_VALUES {
            self.last.push(value);
        } else {
            self.last[self.next_of_last] = value;
        }
        self.next_of_last = (self.next_of_last + 1) % MEDIAN_VALUES;
    }

    pub(super) fn count(&self) -> i64 {
        self.count
    }

    pub(super) fn sum(&self) -> f64 {
        self.sum
    }

    pub(super) fn lower(&self) -> f64 {
        self.lower
    }

    pub(super) fn upper(&self) -> f64 {
        self.upper
    }

    pub(super) fn mean(&self) -> f64 {
        self.shift + self.shifted_sum / self.count as f64
    }

    pub(super) fn stddev(&self) -> f64 {
        let count = self.count as f64;
        ((self.shifted_squares - self.shifted_sum * self.shifted_sum / count) / count).sqrt()
    }

    pub(super) fn median(&self) -> f64 {
        let mut values = self.last.clone();
        values.sort_by(f64::total_cmp);
        let middle = values.len() / 2;
        if values.len().is_multiple_of(2) {
            (values[middle - 1] + values[middle]) / 2.0
        } else {
            values[middle]
        }
    }

    /// The value below which `percent` of the values are.
    pub(super) fn percentile(&mut self, percent: f64) -> f64 {
        if !self.is_sorted {
            self.sample.sort_by(f64::total_cmp);
            self.is_sorted = true;
        }
        let at = self.sample.len() as f64 * percent.min(100.0) / 100.0;
        // Negative numbers become zero.
        self.sample[(at as usize).min(self.sample.len() - 1)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[f64], limit: usize) -> RunningStats {
        let mut chance = fastrand::Rng::with_seed(1);
        let mut stats = RunningStats::of(values[0]);
        values[1..].iter().for_each(|value| stats.add(*value, limit, &mut chance));
        stats
    }

    #[test]
    fn values_come_to_the_usual_numbers() {
        let mut stats = of(&[10.0, 20.0, 10.0, 30.0, 20.0, 11.0, 12.0, 32.0, 45.0, 9.0, 5.0], 1000);
        assert_eq!((stats.count(), stats.sum()), (11, 204.0));
        assert_eq!((stats.lower(), stats.upper()), (5.0, 45.0));
        assert_eq!(stats.median(), 12.0);
        assert!((stats.mean() - 18.545_454).abs() < 1e-5);
        assert!((stats.stddev() - 11.819_58).abs() < 1e-4);
        assert_eq!((stats.percentile(50.0), stats.percentile(90.0)), (12.0, 32.0));
        assert_eq!((stats.percentile(100.0), stats.percentile(101.0)), (45.0, 45.0));
        assert_eq!((stats.percentile(0.0), stats.percentile(-1.0)), (5.0, 5.0));
        assert_eq!(of(&[1.0, 2.0], 10).median(), 1.5);
        assert_eq!(of(&[5.0], 10).stddev(), 0.0);
    }

    #[test]
    fn memory_is_bounded_however_many_values_come() {
        let values: Vec<_> = (0..5000).map(f64::from).collect();
        let mut stats = of(&values, 100);
        assert_eq!((stats.sample.len(), stats.last.len()), (100, 1000));
        assert_eq!(stats.median(), 4499.5);
        assert!((0.0..5000.0).contains(&stats.percentile(50.0)));
        assert_eq!(stats.count(), 5000);
    }
}
