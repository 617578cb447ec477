//! Whole numbers of any size, their comparison with floats, and how floats are written.

use std::cmp::Ordering;
use std::sync::Arc;

use num_bigint::BigInt;

use super::failure::{Outcome, fail};
use super::value::Value;
use crate::plugin::ShownFloat;

/// Two to the power of 63: the first float beyond the integers of 64 bits.
const BEYOND_I64: f64 = 9_223_372_036_854_775_808.0;

/// The value of a whole number, in its smallest form.
pub(crate) fn from_big(number: BigInt) -> Value {
    match i64::try_from(&number) {
        Ok(small) => Value::Int(small),
        Err(_) => Value::Big(Arc::new(number)),
    }
}

/// The whole number that a value is, if it is one.
pub(crate) fn to_big(value: &Value) -> Option<BigInt> {
    match value {
        Value::Int(number) => Some(BigInt::from(*number)),
        Value::Big(number) => Some((**number).clone()),
        _ => None,
    }
}

/// The float nearest to a whole number, infinite if it is out of range.
pub(crate) fn big_to_float(number: &BigInt) -> f64 {
    // The shortest way that rounds to the nearest.
    number.to_string().parse().unwrap_or(f64::INFINITY)
}

/// The float that a number is, if the value is a number.
pub(crate) fn to_float(value: &Value) -> Option<f64> {
    match value {
        Value::Int(number) => Some(*number as f64),
        Value::Big(number) => Some(big_to_float(number)),
        Value::Float(number) => Some(*number),
        _ => None,
    }
}

/// The float that a number is for arithmetic.
///
/// # Errors
/// If it is a whole number that no float can hold.
pub(crate) fn finite_float(value: &Value) -> Outcome<Option<f64>> {
    let float = to_float(value);
    match (value, float) {
        (Value::Big(_), Some(float)) if float.is_infinite() => {
            fail!("int too large to convert to float")
        }
        _ => Ok(float),
    }
}

/// Cuts a number to a whole one.
///
/// # Errors
/// If it is none, or not finite.
pub(crate) fn to_int(value: &Value) -> Outcome {
    match value {
        Value::Int(_) | Value::Big(_) => Ok(value.clone()),
        Value::Float(float) => float_to_int(*float),
        other => fail!("cannot convert {} to int", other.type_name()),
    }
}

/// Cuts a float to a whole number.
///
/// # Errors
/// If it is not finite.
pub(crate) fn float_to_int(float: f64) -> Outcome {
    if float.is_nan() {
        fail!("cannot convert float NaN to integer")
    }
    if float.is_infinite() {
        fail!("cannot convert float infinity to integer")
    }
    let whole = float.trunc();
    if (-BEYOND_I64..BEYOND_I64).contains(&whole) {
        return Ok(Value::Int(whole as i64));
    }
    Ok(from_big(big_of_float(whole)))
}

/// The whole number that a finite float without a fraction is.
fn big_of_float(whole: f64) -> BigInt {
    // Plain decimals of such a float are exact.
    format!("{whole:.0}").parse().unwrap_or_default()
}

/// Compares a whole number with a float exactly; NaN is above all.
pub(crate) fn compare_with_float(number: &Value, float: f64) -> Ordering {
    if float.is_nan() || float == f64::INFINITY {
        return Ordering::Less;
    }
    if float == f64::NEG_INFINITY {
        return Ordering::Greater;
    }
    let floor = float.floor();
    let by_floor = match number {
        Value::Int(number) if (-BEYOND_I64..BEYOND_I64).contains(&floor) => {
            number.cmp(&(floor as i64))
        }
        _ => to_big(number).unwrap_or_default().cmp(&big_of_float(floor)),
    };
    match by_floor {
        Ordering::Equal if floor < float => Ordering::Less,
        known => known,
    }
}

/// Compares floats; NaN equals itself and is above all.
pub(crate) fn compare_floats(x: f64, y: f64) -> Ordering {
    x.partial_cmp(&y).unwrap_or_else(|| x.is_nan().cmp(&y.is_nan()))
}

/// Compares two numbers; anything else compares as equal and is not asked for.
pub(crate) fn compare(x: &Value, y: &Value) -> Ordering {
    match (x, y) {
        (Value::Int(x), Value::Int(y)) => x.cmp(y),
        (Value::Float(x), Value::Float(y)) => compare_floats(*x, *y),
        (Value::Float(x), y) => compare_with_float(y, *x).reverse(),
        (x, Value::Float(y)) => compare_with_float(x, *y),
        (x, y) => to_big(x).cmp(&to_big(y)),
    }
}

/// How a float is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FloatStyle {
    /// As short as can be, with a point or an exponent.
    Shortest,
    /// With an exponent and six decimals.
    Exponent,
    /// With six decimals.
    Decimals,
}

/// Appends a float as Go's Starlark writes it.
pub(crate) fn push_float(out: &mut String, float: f64, style: FloatStyle) {
    if float.is_nan() {
        out.push_str("nan");
        return;
    }
    if float.is_infinite() {
        out.push_str(if float > 0.0 { "+inf" } else { "-inf" });
        return;
    }
    match style {
        FloatStyle::Decimals => out.push_str(&format!("{float:.6}")),
        FloatStyle::Exponent => push_exponent(out, &format!("{float:.6e}")),
        FloatStyle::Shortest => {
            let start = out.len();
            out.push_str(&ShownFloat(float).to_string());
            if !out[start..].contains(['.', 'e']) {
                out.push_str(".0");
            }
        }
    }
}

/// Appends a number with an exponent, which gets a sign and at least two digits.
fn push_exponent(out: &mut String, written: &str) {
    let (mantissa, exponent) = written.split_once('e').unwrap_or((written, "0"));
    let (sign, digits) = match exponent.strip_prefix('-') {
        Some(digits) => ('-', digits),
        None => ('+', exponent),
    };
    out.push_str(mantissa);
    out.push('e');
    out.push(sign);
    if digits.len() < 2 {
        out.push('0');
    }
    out.push_str(digits);
}
