//! What is known of the values of one field, and what can be told of them.
//!
//! # References
//! Welford's method for the variance.

use serde::{Deserialize, Serialize};

use crate::metric::{Timestamp, Value, seconds};

/// What can be told of the values of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Function {
    Count,
    Sum,
    Mean,
    Min,
    Max,
    First,
    Last,
    S2,
    Stdev,
    Diff,
    Rate,
}

impl Function {
    /// How the fields end that it makes.
    pub(super) fn ending(self) -> &'static str {
        match self {
            Function::Count => "_count",
            Function::Sum => "_sum",
            Function::Mean => "_mean",
            Function::Min => "_min",
            Function::Max => "_max",
            Function::First => "_first",
            Function::Last => "_last",
            Function::S2 => "_s2",
            Function::Stdev => "_stdev",
            Function::Diff => "_diff",
            Function::Rate => "_rate",
        }
    }
}

/// What is known of the values of one field, as they come in any order of time.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Summary {
    count: u64,
    sum: f64,
    min: f64,
    max: f64,
    mean: f64,
    /// The sum of the squares of the distances from the mean.
    squares: f64,
    first: (Timestamp, f64),
    last: (Timestamp, f64),
}

impl Summary {
    pub(super) fn new(value: f64, time: Timestamp) -> Summary {
        Summary {
            count: 1,
            sum: value,
            min: value,
            max: value,
            mean: value,
            squares: 0.0,
            first: (time, value),
            last: (time, value),
        }
    }

    pub(super) fn add(&mut self, value: f64, time: Timestamp) {
        self.count += 1;
        self.sum += value;
        let distance = value - self.mean;
        self.mean += distance / self.count as f64;
        self.squares += distance * (value - self.mean);
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        // Of equal times the one that came last is the last.
        if time < self.first.0 {
            self.first = (time, value);
        }
        if time >= self.last.0 {
            self.last = (time, value);
        }
    }

    /// What a function tells; what compares values needs two of them.
    pub(super) fn value(&self, function: Function) -> Option<Value> {
        let compared = |value: f64| (self.count > 1).then_some(Value::Float(value));
        let diff = self.last.1 - self.first.1;
        match function {
            Function::Count => Some(Value::Float(self.count as f64)),
            Function::Sum => Some(Value::Float(self.sum)),
            Function::Mean => Some(Value::Float(self.sum / self.count as f64)),
            Function::Min => Some(Value::Float(self.min)),
            Function::Max => Some(Value::Float(self.max)),
            Function::First => Some(Value::Float(self.first.1)),
            Function::Last => Some(Value::Float(self.last.1)),
            Function::S2 => compared(self.variance()),
            Function::Stdev => compared(self.variance().sqrt()),
            Function::Diff => compared(diff),
            Function::Rate => compared(self.rate(diff)),
        }
    }

    fn variance(&self) -> f64 {
        self.squares / (self.count as f64 - 1.0)
    }

    /// Change per second.
    fn rate(&self, diff: f64) -> f64 {
        match self.last.0.nanos_after(self.first.0) {
            0 => 0.0,
            nanos => diff / seconds(nanos),
        }
    }

    /// All of it as numbers that JSON can hold, whatever the values are.
    pub(super) fn to_bits(&self) -> [u64; 10] {
        let of_time = |time: Timestamp| time.nanos().cast_unsigned();
        [
            self.count,
            self.sum.to_bits(),
            self.min.to_bits(),
            self.max.to_bits(),
            self.mean.to_bits(),
            self.squares.to_bits(),
            of_time(self.first.0),
            self.first.1.to_bits(),
            of_time(self.last.0),
            self.last.1.to_bits(),
        ]
    }

    pub(super) fn from_bits(bits: [u64; 10]) -> Summary {
        let [count, sum, min, max, mean, squares, first_time, first, last_time, last] = bits;
        let time = |nanos: u64| Timestamp::from_nanos(nanos.cast_signed());
        Summary {
            count,
            sum: f64::from_bits(sum),
            min: f64::from_bits(min),
            max: f64::from_bits(max),
            mean: f64::from_bits(mean),
            squares: f64::from_bits(squares),
            first: (time(first_time), f64::from_bits(first)),
            last: (time(last_time), f64::from_bits(last)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(values: &[(i64, f64)]) -> Summary {
        let mut values =
            values.iter().map(|(seconds, value)| (*value, Timestamp::from_seconds(*seconds)));
        let (value, time) = values.next().unwrap();
        let mut summary = Summary::new(value, time);
        values.for_each(|(value, time)| summary.add(value, time));
        summary
    }

    #[test]
    fn all_functions_tell_of_values_in_the_order_of_their_times() {
        // The first comes last.
        let summary = summary(&[(12, 4.0), (14, 7.0), (10, 1.0)]);
        for (function, expected) in [
            (Function::Count, 3.0),
            (Function::Sum, 12.0),
            (Function::Mean, 4.0),
            (Function::Min, 1.0),
            (Function::Max, 7.0),
            (Function::First, 1.0),
            (Function::Last, 7.0),
            (Function::S2, 9.0),
            (Function::Stdev, 3.0),
            (Function::Diff, 6.0),
            (Function::Rate, 1.5),
        ] {
            assert_eq!(summary.value(function), Some(Value::Float(expected)), "{function:?}");
        }
    }

    #[test]
    fn one_value_is_compared_with_nothing() {
        let one = summary(&[(1, 2.0)]);
        for function in [Function::S2, Function::Stdev, Function::Diff, Function::Rate] {
            assert_eq!(one.value(function), None);
        }
        let same_time = summary(&[(1, 2.0), (1, 3.0)]);
        assert_eq!(same_time.value(Function::Rate), Some(Value::Float(0.0)));
        assert_eq!(same_time.value(Function::First), Some(Value::Float(2.0)));
        assert_eq!(same_time.value(Function::Last), Some(Value::Float(3.0)));
    }

    #[test]
    fn a_summary_is_kept_to_the_last_bit() {
        let summary = summary(&[(-5, 0.1), (3, f64::MAX), (4, f64::MAX)]);
        assert!(summary.sum.is_infinite());
        assert_eq!(Summary::from_bits(summary.to_bits()), summary);
    }
}
