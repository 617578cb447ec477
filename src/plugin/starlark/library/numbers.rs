//! Functions of numbers and characters.

use num_bigint::BigInt;

use super::super::failure::{Outcome, fail};
use super::super::number::{finite_float, from_big, to_int};
use super::super::run::Machine;
use super::super::text::Str;
use super::super::value::Value;
use super::call::{Call, whole};
use crate::plugin::go;

pub(super) fn abs(_: &mut Machine, call: Call<'_>) -> Outcome {
    call.expect(1, 1)?;
    match call.value(0) {
        Value::Int(number) => Ok(match number.checked_abs() {
            Some(number) => Value::Int(number),
            None => from_big(-BigInt::from(*number)),
        }),
        Value::Big(number) => Ok(from_big(BigInt::from(number.magnitude().clone()))),
        Value::Float(number) => Ok(Value::Float(number.abs())),
        other => fail!("got {}, want int or float", other.type_name()),
    }
}

pub(super) fn chr(_: &mut Machine, call: Call<'_>) -> Outcome {
    call.expect_exactly(1, "")?;
    let code = whole(call.value(0)).map_err(|failure| failure.within("chr"))?;
    if code < 0 {
        fail!("chr: Unicode code point {code} out of range (<0)")
    }
    if code > 0x10_ffff {
        fail!("chr: Unicode code point U+{code:X} out of range (>0x10FFFF)")
    }
    // Halves of surrogate pairs are no characters.
    let character = u32::try_from(code).ok().and_then(char::from_u32);
    Ok(Value::Str(Str::of_char(character.unwrap_or(char::REPLACEMENT_CHARACTER))))
}

pub(super) fn ord(_: &mut Machine, call: Call<'_>) -> Outcome {
    call.expect_exactly(1, "")?;
    match call.value(0) {
        Value::Str(text) => {
            let mut characters = text.chars();
            match (characters.next(), characters.next()) {
                (Some(only), None) => Ok(Value::Int(i64::from(u32::from(only)))),
                _ => {
                    let count = text.chars().count();
                    fail!("ord: string encodes {count} Unicode code points, want 1")
                }
            }
        }
        other => fail!("ord: got {}, want string or bytes", other.type_name()),
    }
}

pub(super) fn float(_: &mut Machine, call: Call<'_>) -> Outcome {
    if !call.named.is_empty() {
        fail!("float does not accept keyword arguments")
    }
    let given = call.positional.len();
    if given > 1 {
        fail!("float got {given} arguments, wants 1")
    }
    Ok(Value::Float(match call.get(0) {
        None => 0.0,
        Some(Value::Bool(truth)) => f64::from(u8::from(*truth)),
        Some(Value::Str(text)) => return parse_float(text),
        Some(value) => match finite_float(value)? {
            Some(number) => number,
            None => fail!("float got {}, want number or string", value.type_name()),
        },
    }))
}

fn parse_float(text: &str) -> Outcome {
    if text.is_empty() {
        fail!("float: empty string")
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text).to_ascii_lowercase();
    // A sign, `inf` and `nan` are taken; hexadecimal numbers are Go's.
    match go::parse_float(text) {
        Ok(number) => Ok(Value::Float(number)),
        Err(_)
            if unsigned.starts_with(|first: char| first.is_ascii_digit() || first == '.')
                && unsigned.parse::<f64>().is_ok_and(f64::is_infinite) =>
        {
            fail!("floating-point number too large")
        }
        Err(_) => fail!("invalid float literal: {text}"),
    }
}

pub(super) fn int(_: &mut Machine, call: Call<'_>) -> Outcome {
    let [value, base] = call.unpack(["x", "base?"])?;
    let value = value.unwrap_or(Value::None);
    let Value::Str(text) = &value else {
        if base.is_some() {
            fail!("int: can't convert non-string with explicit base")
        }
        return match &value {
            Value::Bool(truth) => Ok(Value::Int(i64::from(*truth))),
            value => to_int(value).map_err(|failure| failure.within("int")),
        };
    };
    let base = match &base {
        None => 10,
        Some(Value::Int(base)) => *base,
        Some(other) => fail!("int: for base, got {}, want int", other.type_name()),
    };
    if base != 0 && !(2..=36).contains(&base) {
        fail!("int: base must be an integer >= 2 && <= 36")
    }
    match parse_int(text, base as u32) {
        Some(number) => Ok(from_big(number)),
        None => fail!("int: invalid literal with base {base}: {text}"),
    }
}

fn parse_int(text: &str, base: u32) -> Option<BigInt> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let prefix = match digits.as_bytes() {
        [b'0', b'o' | b'O', _, ..] => Some(8),
        [b'0', b'x' | b'X', _, ..] => Some(16),
        [b'0', b'b' | b'B', _, ..] => Some(2),
        _ => None,
    };
    let (digits, base) = match prefix {
        Some(prefix) if base == 0 || base == prefix => (&digits[2..], prefix),
        None if base == 0 && digits.len() > 1 && digits.starts_with('0') => {
            return digits.bytes().all(|digit| digit == b'0').then_some(BigInt::ZERO);
        }
        _ => (digits, if base == 0 { 10 } else { base }),
    };
    if !digits.starts_with(|first: char| first.is_ascii_alphanumeric()) || digits.contains('_') {
        return None;
    }
    let number = BigInt::parse_bytes(digits.as_bytes(), base)?;
    Some(if text.starts_with('-') { -number } else { number })
}
