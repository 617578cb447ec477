//! Times and spans of time.

use std::sync::{Arc, LazyLock};

use jiff::{SignedDuration, Zoned};

use super::super::failure::{Outcome, fail};
use super::super::syntax::Operator;
use super::super::value::Value;
use crate::plugin::TimeLayout;
use crate::plugin::settings::format_duration;

/// What a time has besides its methods.
pub(crate) const TIME_ATTRIBUTES: [&str; 9] =
    ["year", "month", "day", "hour", "minute", "second", "nanosecond", "unix", "unix_nano"];

/// What a span has.
pub(crate) const DURATION_ATTRIBUTES: [&str; 6] =
    ["hours", "minutes", "seconds", "milliseconds", "microseconds", "nanoseconds"];

/// How `str` writes a time.
static LAYOUT: LazyLock<TimeLayout> =
    LazyLock::new(|| TimeLayout::new("2006-01-02 15:04:05.999999999 -0700 MST"));

/// The text of a time.
pub(crate) fn shown_time(time: &Zoned) -> String {
    LAYOUT.format(time)
}

/// The text of a span.
pub(crate) fn shown_duration(nanos: i64) -> String {
    format_duration(nanos)
}

/// The nanoseconds from 1970 to a time, in 64 bits as Go has them.
fn unix_nanos(time: &Zoned) -> i64 {
    time.timestamp().as_nanosecond() as i64
}

/// What stands behind the dot of a time.
pub(crate) fn time_attribute(time: &Zoned, name: &str) -> Option<Value> {
    Some(Value::Int(match name {
        "year" => i64::from(time.year()),
        "month" => i64::from(time.month()),
        "day" => i64::from(time.day()),
        "hour" => i64::from(time.hour()),
        "minute" => i64::from(time.minute()),
        "second" => i64::from(time.second()),
        "nanosecond" => i64::from(time.subsec_nanosecond()),
        "unix" => time.timestamp().as_nanosecond().div_euclid(1_000_000_000) as i64,
        "unix_nano" => unix_nanos(time),
        _ => return None,
    }))
}

/// What stands behind the dot of a span.
///
/// # Errors
/// If there is no such attribute.
pub(crate) fn duration_attribute(nanos: i64, name: &str) -> Outcome {
    // The whole units and the rest are converted apart, as Go does it.
    let float = |unit: i64| (nanos / unit) as f64 + (nanos % unit) as f64 / unit as f64;
    Ok(match name {
        "hours" => Value::Float(float(3_600_000_000_000)),
        "minutes" => Value::Float(float(60_000_000_000)),
        "seconds" => Value::Float(float(1_000_000_000)),
        "milliseconds" => Value::Int(nanos / 1_000_000),
        "microseconds" => Value::Int(nanos / 1_000),
        "nanoseconds" => Value::Int(nanos),
        _ => fail!("unrecognized time.duration attribute \"{name}\""),
    })
}

/// What times and spans joined by an operator come to, if it joins them.
///
/// # Errors
/// If a span is divided by nothing.
pub(crate) fn binary(operator: Operator, x: &Value, y: &Value) -> Outcome<Option<Value>> {
    Ok(Some(match (operator, x, y) {
        (Operator::Plus, Value::Duration(x), Value::Duration(y)) => {
            Value::Duration(x.wrapping_add(*y))
        }
        (Operator::Minus, Value::Duration(x), Value::Duration(y)) => {
            Value::Duration(x.wrapping_sub(*y))
        }
        (Operator::Plus, Value::Time(time), Value::Duration(span))
        | (Operator::Plus, Value::Duration(span), Value::Time(time)) => later(time, *span)?,
        (Operator::Minus, Value::Time(time), Value::Duration(span))
        | (Operator::Minus, Value::Duration(span), Value::Time(time)) => {
            later(time, span.wrapping_neg())?
        }
        (Operator::Minus, Value::Time(x), Value::Time(y)) => {
            let span = x.timestamp().as_nanosecond() - y.timestamp().as_nanosecond();
            Value::Duration(span.clamp(i64::MIN.into(), i64::MAX.into()) as i64)
        }
        (Operator::Divide | Operator::FloorDivide, Value::Duration(_), Value::Duration(0))
        | (Operator::Divide, Value::Duration(_), Value::Int(0)) => {
            fail!("time.duration division by zero")
        }
        (Operator::Divide, Value::Duration(_), Value::Float(by))
        | (Operator::Divide, Value::Float(by), Value::Duration(_))
            if *by == 0.0 =>
        {
            fail!("time.duration division by zero")
        }
        (Operator::Divide, Value::Duration(x), Value::Duration(y)) => {
            Value::Float(*x as f64 / *y as f64)
        }
        (Operator::FloorDivide, Value::Duration(x), Value::Duration(y)) => {
            Value::Int(x.wrapping_div(*y))
        }
        (Operator::Divide, Value::Duration(span), Value::Int(by)) => {
            Value::Duration(span.wrapping_div(*by))
        }
        (Operator::Divide, Value::Int(_) | Value::Big(_), Value::Duration(_)) => {
            fail!("unsupported operation")
        }
        (Operator::Divide, Value::Duration(span), Value::Float(by))
        | (Operator::Divide, Value::Float(by), Value::Duration(span)) => {
            Value::Duration((*span as f64 / by) as i64)
        }
        (Operator::Times, Value::Duration(span), Value::Int(by))
        | (Operator::Times, Value::Int(by), Value::Duration(span)) => {
            Value::Duration(span.wrapping_mul(*by))
        }
        (Operator::Divide | Operator::Times, Value::Duration(_), Value::Big(_))
        | (Operator::Times, Value::Big(_), Value::Duration(_)) => {
            fail!("int value out of range (want signed 64-bit value)")
        }
        _ => return Ok(None),
    }))
}

fn later(time: &Zoned, nanos: i64) -> Outcome {
    match time.checked_add(SignedDuration::from_nanos(nanos)) {
        Ok(time) => Ok(Value::Time(Arc::new(time))),
        Err(_) => fail!("time out of range"),
    }
}
