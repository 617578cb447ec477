//! What metrics have to be like.

use serde::{Deserialize, Serialize};

use crate::metric::{Metric, Value};

/// Bounds of a field; those that are not set do not count.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Compares {
    field: String,
    gt: Option<f64>,
    ge: Option<f64>,
    lt: Option<f64>,
    le: Option<f64>,
    eq: Option<f64>,
    ne: Option<f64>,
}

/// A field that has to be there.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Contains {
    field: String,
}

impl Compares {
    /// Whether the field is within the bounds in every metric that has it.
    pub(super) fn holds(&self, batch: &[Metric]) -> bool {
        batch.iter().filter_map(|metric| metric.field(&self.field)).all(|value| match value {
            Value::Float(value) => self.is_within(*value),
            Value::Integer(value) => self.is_within(*value as f64),
            Value::Unsigned(value) => self.is_within(*value as f64),
            Value::Boolean(value) => self.is_within(f64::from(u8::from(*value))),
            Value::String(_) => false,
        })
    }

    fn is_within(&self, value: f64) -> bool {
        self.gt.is_none_or(|bound| value > bound)
            && self.ge.is_none_or(|bound| value >= bound)
            && self.lt.is_none_or(|bound| value < bound)
            && self.le.is_none_or(|bound| value <= bound)
            && self.eq.is_none_or(|bound| value == bound)
            && self.ne.is_none_or(|bound| value != bound)
    }
}

impl Contains {
    /// Whether any metric has the field.
    pub(super) fn holds(&self, batch: &[Metric]) -> bool {
        batch.iter().any(|metric| metric.field(&self.field).is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::Timestamp;

    fn metric(value: impl Into<Value>) -> Metric {
        Metric::new("m", Timestamp::EPOCH).with_field("v", value)
    }

    #[test]
    fn every_metric_with_the_field_has_to_be_within_the_bounds() {
        let compares = Compares {
            field: "v".into(),
            gt: Some(0.5),
            le: Some(10.0),
            ne: Some(7.0),
            ..Compares::default()
        };
        let other = Metric::new("m", Timestamp::EPOCH).with_field("w", 99_i64);
        for (batch, expected) in [
            (vec![], true),
            (vec![other.clone()], true),
            (vec![metric(1_i64), metric(10_u64), metric(true), metric(0.6), other], true),
            (vec![metric(1_i64), metric(11_i64)], false),
            (vec![metric(7_i64)], false),
            (vec![metric(0.5)], false),
            (vec![metric(false)], false),
            (vec![metric("1")], false),
            (vec![metric(f64::NAN)], false),
        ] {
            assert_eq!(compares.holds(&batch), expected, "{batch:?}");
        }
    }

    #[test]
    fn one_metric_with_the_field_is_enough() {
        let contains = Contains { field: "v".into() };
        let other = Metric::new("m", Timestamp::EPOCH).with_field("w", 1_i64);
        assert!(contains.holds(&[other.clone(), metric("x")]));
        assert!(!contains.holds(&[other]) && !contains.holds(&[]));
    }
}
