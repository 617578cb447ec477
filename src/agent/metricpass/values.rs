//! A metric as the variables of an expression.

use std::collections::HashMap;

use cel::common::types::{
    CelBool, CelDouble, CelInt, CelMap, CelMapKey, CelString, CelTimestamp, CelUInt,
};
use cel::common::value::{CowVal, Val};
use cel::context::VariableResolver;
use chrono::{DateTime, FixedOffset};

use crate::metric::{Metric, Timestamp, Value};

/// The variables `name`, `tags`, `fields` and `time`, made when an expression asks for them.
pub(super) struct Variables<'a>(pub(super) &'a Metric);

impl VariableResolver for Variables<'_> {
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        let metric = self.0;
        Some(match variable {
            "name" => CowVal::owned(CelString::from(metric.name.as_str())),
            "tags" => map(metric.tags().iter().map(|tag| {
                let value: Box<dyn Val + 'b> = Box::new(CelString::from(tag.value.as_str()));
                (tag.key.as_str(), value)
            })),
            "fields" => {
                map(metric.fields().iter().map(|field| (field.key.as_str(), value(&field.value))))
            }
            "time" => CowVal::owned(CelTimestamp::from(time(metric.time))),
            _ => return None,
        })
    }
}

fn map<'b>(entries: impl Iterator<Item = (&'b str, Box<dyn Val + 'b>)>) -> CowVal<'b, 'b> {
    let entries: HashMap<CelMapKey<'b>, Box<dyn Val + 'b>> =
        entries.map(|(key, value)| (key.into(), value)).collect();
    CowVal::owned(CelMap::from(entries))
}

fn value(value: &Value) -> Box<dyn Val + '_> {
    match value {
        Value::Float(value) => Box::new(CelDouble::from(*value)),
        Value::Integer(value) => Box::new(CelInt::from(*value)),
        Value::Unsigned(value) => Box::new(CelUInt::from(*value)),
        Value::Boolean(value) => Box::new(CelBool::from(*value)),
        Value::String(value) => Box::new(CelString::from(value.as_str())),
    }
}

/// A time as the expression library has it.
pub(super) fn time(time: Timestamp) -> DateTime<FixedOffset> {
    DateTime::from_timestamp_nanos(time.nanos()).fixed_offset()
}
