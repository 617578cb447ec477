//! Sprig's functions of numbers.

use super::super::data::{Data, List, ListOf};
use super::super::error::Reason;
use super::super::print::shown;
use super::{Answer, Call, Function, MANY, Run, takes, takes_any};
use crate::metric::PlainFloat;

pub(super) const FUNCTIONS: &[Function] = &[
    takes(1, "atoi", |call| Ok(Data::Int(call.text(0)?.parse().unwrap_or(0)))),
    takes(1, "int64", |call| Ok(Data::Integer(to_integer(call.value(0))))),
    takes(1, "int", |call| Ok(Data::Int(to_integer(call.value(0))))),
    takes(1, "float64", |call| Ok(Data::Float(to_float(call.value(0))))),
    takes(1, "toDecimal", |call| {
        let value = i64::from_str_radix(&shown(call.value(0)), 8);
        Ok(Data::Integer(value.unwrap_or(0)))
    }),
    takes_any(0, "seq", |call| Ok(Data::text(sequence(&ints_of(call)?)))),
    takes(1, "until", |call| {
        let count = call.int(0)?;
        steps(call, 0, count, count.signum().max(-1) | 1)
    }),
    takes(3, "untilStep", |call| steps(call, call.int(0)?, call.int(1)?, call.int(2)?)),
    takes(1, "add1", |call| Ok(Data::Integer(to_integer(call.value(0)).wrapping_add(1)))),
    takes_any(0, "add", |call| fold(call, 0, 0, i64::wrapping_add)),
    takes(2, "sub", |call| fold_rest(call, i64::wrapping_sub)),
    takes(2, "div", |call| divide(call, i64::wrapping_div)),
    takes(2, "mod", |call| divide(call, i64::wrapping_rem)),
    takes_any(1, "mul", |call| fold_rest(call, i64::wrapping_mul)),
    takes(2, "randInt", |call| {
        let (least, end) = (call.int(0)?, call.int(1)?);
        if end <= least {
            return Err(call.failure("invalid argument to Intn"));
        }
        Ok(Data::Int(call.world.random.borrow_mut().i64(least..end)))
    }),
    takes(1, "add1f", |call| {
        Ok(Data::Float(decimal(to_float(call.value(0)), 1.0, Operation::Add)))
    }),
    takes_any(0, "addf", |call| {
        let add = |sum, value: &Data<'_>| decimal(sum, to_float(value), Operation::Add);
        Ok(Data::Float(call.values.iter().fold(0.0, add)))
    }),
    takes_any(1, "subf", |call| decimals(call, Operation::Subtract)),
    takes_any(1, "divf", |call| {
        if call.rest(1).iter().any(|value| to_float(value) == 0.0) {
            return Err(call.failure("decimal division by 0"));
        }
        decimals(call, Operation::Divide)
    }),
    takes_any(1, "mulf", |call| decimals(call, Operation::Multiply)),
    takes_any(1, "biggest", |call| fold_rest(call, i64::max)),
    takes_any(1, "max", |call| fold_rest(call, i64::max)),
    takes_any(1, "min", |call| fold_rest(call, i64::min)),
    takes_any(1, "maxf", |call| fold_floats(call, f64::max)),
    takes_any(1, "minf", |call| fold_floats(call, f64::min)),
    takes(1, "ceil", |call| Ok(Data::Float(to_float(call.value(0)).ceil()))),
    takes(1, "floor", |call| Ok(Data::Float(to_float(call.value(0)).floor()))),
    Function { name: "round", least: 2, most: MANY, run: Run::Eager(round) },
];

/// A value as a whole number; what is none counts as zero.
pub(super) fn to_integer(value: &Data<'_>) -> i64 {
    match value {
        Data::Boolean(value) => i64::from(*value),
        // Casting cuts towards zero, which is what Go does as well.
        Data::Float(value) => *value as i64,
        Data::Text(text) => parse_integer(text).unwrap_or(0),
        // The bits stay as they are, as in a conversion between Go's types.
        other => other.as_integer().map_or(0, |value| value as i64),
    }
}

/// Reads a whole number in any of Go's bases; zeros behind a point are passed over.
fn parse_integer(text: &str) -> Option<i64> {
    let whole = match text.split_once('.') {
        Some((whole, zeros)) if zeros.bytes().all(|byte| byte == b'0') => whole,
        _ => text,
    };
    let (sign, digits) = match whole.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, whole.strip_prefix('+').unwrap_or(whole)),
    };
    let lower = digits.to_ascii_lowercase();
    let (digits, radix) = if let Some(digits) = lower.strip_prefix("0x") {
        (digits, 16)
    } else if let Some(digits) = lower.strip_prefix("0b") {
        (digits, 2)
    } else if let Some(digits) = lower.strip_prefix("0o") {
        (digits, 8)
    } else if lower.len() > 1 && lower.starts_with('0') {
        (&lower[1..], 8)
    } else {
        (lower.as_str(), 10)
    };
    i64::from_str_radix(digits, radix).ok().map(|value| sign * value)
}

/// A value as a float; what is none counts as zero.
pub(super) fn to_float(value: &Data<'_>) -> f64 {
    match value {
        Data::Float(value) => *value,
        Data::Text(text) => text.parse().unwrap_or(0.0),
        Data::Boolean(value) => f64::from(*value),
        other => other.as_integer().map_or(0.0, |value| value as f64),
    }
}

fn ints_of(call: &Call<'_, '_>) -> Result<Vec<i64>, Reason> {
    (0..call.values.len()).map(|at| call.int(at)).collect()
}

/// How many numbers a list may hold: beyond it a template is wrong.
const MOST_STEPS: i64 = 1_000_000;

fn numbers(start: i64, stop: i64, step: i64) -> Vec<i64> {
    let is_down = stop < start;
    if step == 0 || is_down == (step > 0) {
        return Vec::new();
    }
    let mut numbers = Vec::new();
    let mut at = start;
    while if is_down { at > stop } else { at < stop } {
        numbers.push(at);
        at = at.saturating_add(step);
        if at == i64::MAX || at == i64::MIN {
            break;
        }
    }
    numbers
}

fn steps<'a>(call: &Call<'_, 'a>, start: i64, stop: i64, step: i64) -> Answer<'a> {
    if stop.abs_diff(start) / step.unsigned_abs().max(1) > MOST_STEPS.unsigned_abs() {
        return Err(call.failure("too many numbers"));
    }
    let items: Vec<_> = numbers(start, stop, step).into_iter().map(Data::Int).collect();
    Ok(Data::List(List { items: items.into(), of: ListOf::Ints }))
}

/// `seq` of the shell: END, START END, or START STEP END.
fn sequence(parameters: &[i64]) -> String {
    let (start, step, end) = match *parameters {
        [end] => (1, if end < 1 { -1 } else { 1 }, end),
        [start, end] => (start, if end < start { -1 } else { 1 }, end),
        [start, step, end] if end >= start || step <= 0 => (start, step, end),
        _ => return String::new(),
    };
    let beyond = if end < start { end.saturating_sub(1) } else { end.saturating_add(1) };
    if beyond.abs_diff(start) > MOST_STEPS.unsigned_abs() {
        return String::new();
    }
    let texts: Vec<_> = numbers(start, beyond, step).iter().map(i64::to_string).collect();
    texts.join(" ")
}

fn fold<'a>(
    call: &Call<'_, 'a>,
    first: i64,
    from: usize,
    operation: fn(i64, i64) -> i64,
) -> Answer<'a> {
    let numbers = call.rest(from).iter().map(to_integer);
    Ok(Data::Integer(numbers.fold(first, operation)))
}

fn fold_rest<'a>(call: &Call<'_, 'a>, operation: fn(i64, i64) -> i64) -> Answer<'a> {
    fold(call, to_integer(call.value(0)), 1, operation)
}

fn divide<'a>(call: &Call<'_, 'a>, operation: fn(i64, i64) -> i64) -> Answer<'a> {
    match to_integer(call.value(1)) {
        0 => Err(call.failure("runtime error: integer divide by zero")),
        divisor => Ok(Data::Integer(operation(to_integer(call.value(0)), divisor))),
    }
}

fn fold_floats<'a>(call: &Call<'_, 'a>, operation: fn(f64, f64) -> f64) -> Answer<'a> {
    let numbers = call.rest(1).iter().map(to_float);
    Ok(Data::Float(numbers.fold(to_float(call.value(0)), operation)))
}

/// Rounds to so many places; from a fraction on, a half unless another is given, upwards.
fn round<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    let places = i32::try_from(call.int(1)?).unwrap_or(i32::MAX);
    let up_from = match call.values.get(2) {
        Some(fraction) => to_float(fraction),
        None => 0.5,
    };
    let power = 10f64.powi(places);
    let shifted = power * to_float(call.value(0));
    let rounded = if shifted.fract() >= up_from { shifted.ceil() } else { shifted.floor() };
    Ok(Data::Float(rounded / power))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Add,
    Subtract,
    Multiply,
    Divide,
}

fn decimals<'a>(call: &Call<'_, 'a>, operation: Operation) -> Answer<'a> {
    let numbers = call.rest(1).iter().map(to_float);
    let first = to_float(call.value(0));
    Ok(Data::Float(numbers.fold(first, |a, b| decimal(a, b, operation))))
}

/// Computes with the decimals that two numbers are written as, so that 0.1 and 0.2 make 0.3;
/// numbers of too many digits are left to the processor.
fn decimal(a: f64, b: f64, operation: Operation) -> f64 {
    exact(a, b, operation).unwrap_or_else(|| match operation {
        Operation::Add => a + b,
        Operation::Subtract => a - b,
        Operation::Multiply => a * b,
        Operation::Divide => a / b,
    })
}

fn exact(a: f64, b: f64, operation: Operation) -> Option<f64> {
    /// Places that a quotient is rounded to, as sprig's decimals do it.
    const QUOTIENT_PLACES: u32 = 16;
    let ((a, a_places), (b, b_places)) = (digits_and_places(a)?, digits_and_places(b)?);
    let scale = |value: i128, places: u32| value.checked_mul(10i128.checked_pow(places)?);
    let (digits, places) = match operation {
        Operation::Multiply => (a.checked_mul(b)?, a_places + b_places),
        Operation::Add | Operation::Subtract => {
            let places = a_places.max(b_places);
            let (a, b) = (scale(a, places - a_places)?, scale(b, places - b_places)?);
            let sum = if operation == Operation::Add { a + b } else { a - b };
            (sum, places)
        }
        Operation::Divide => {
            let (a, b) = (scale(a, QUOTIENT_PLACES + b_places)?, scale(b, a_places)?);
            let half = b.abs() / 2 * a.signum() * b.signum();
            ((a + half * b.signum()) / b, QUOTIENT_PLACES)
        }
    };
    let digits_text = format!("{digits}e-{places}");
    digits_text.parse().ok()
}

/// The digits of a number without its point, and how many of them stand behind it.
fn digits_and_places(value: f64) -> Option<(i128, u32)> {
    let shown = value.is_finite().then(|| PlainFloat(value).to_string())?;
    let (whole, fraction) = shown.split_once('.').unwrap_or((&shown, ""));
    let digits = format!("{whole}{fraction}").parse().ok()?;
    Some((digits, u32::try_from(fraction.len()).ok()?))
}
