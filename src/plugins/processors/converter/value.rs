//! Values of other types, rounded and brought into range where that is needed.
//!
//! # References
//! Telegraf's `processors.converter`. Where it leaves a number to the machine that has no place in
//! the type wanted, such as 2^63 or NaN as an integer, the result here is the nearest that there
//! is, and zero for NaN, as Telegraf has it on ARM.

use crate::metric::Value;
use crate::plugin::go::{self, Base64Error, ConvertError};

/// Converts to an integer; floats are rounded, half away from zero, and capped.
pub(super) fn to_integer(value: &Value) -> Result<i64, ConvertError> {
    match value {
        Value::Float(value) => Ok(value.round() as i64),
        value => match go::to_integer(value) {
            Ok(value) => Ok(value),
            Err(_) => Ok(go::to_float(value)?.round() as i64),
        },
    }
}

/// Converts to an unsigned integer; floats are rounded, half up, and capped.
pub(super) fn to_unsigned(value: &Value) -> Result<u64, ConvertError> {
    match value {
        Value::Float(value) => Ok(value.round() as u64),
        value => match go::to_unsigned(value) {
            Ok(value) => Ok(value),
            Err(_) => Ok(go::to_float(value)?.round() as u64),
        },
    }
}

/// Why a text does not become a float.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unable to parse string to big int")]
pub(super) struct HexError;

/// Converts to a float; digits behind `0x` are a whole number of any size.
pub(super) fn to_float(value: &Value) -> Result<f64, super::Failure> {
    match value {
        Value::String(text) => match text.strip_prefix("0x") {
            Some(digits) => Ok(float_of_hex(digits).ok_or(HexError)?),
            None => Ok(go::to_float(value)?),
        },
        value => Ok(go::to_float(value)?),
    }
}

/// Digits without a point, between which underscores may stand, as the nearest float.
fn float_of_hex(digits: &str) -> Option<f64> {
    if digits.is_empty() || digits.contains(['.', 'p', 'P']) {
        return None;
    }
    match go::parse_float(&format!("0x{digits}p0")) {
        Ok(value) => Some(value),
        // Only the size can be wrong where all digits are right.
        Err(_) if digits.bytes().all(|byte| byte.is_ascii_hexdigit()) => Some(f64::INFINITY),
        Err(_) => None,
    }
}

/// Why a text is not a float in base64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FloatBytesError {
    /// It is no text.
    #[error("unsupported type")]
    Type,
    /// It is no base64.
    #[error(transparent)]
    Base64(#[from] Base64Error),
    /// It is base64 of more or fewer bytes.
    #[error("decoded byte length is not 4 bytes")]
    Length,
}

/// Reads the four bytes of a float, the highest first.
pub(super) fn float_of_base64(value: &Value) -> Result<f64, FloatBytesError> {
    let Value::String(text) = value else { return Err(FloatBytesError::Type) };
    let bytes = go::decode_base64(text)?;
    let bytes: [u8; 4] = bytes.try_into().map_err(|_| FloatBytesError::Length)?;
    Ok(f64::from(f32::from_be_bytes(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_rounded_and_capped() {
        for (value, integer, unsigned) in [
            (7.9, 8, 8),
            (-2.5, -3, 0),
            (2.5, 3, 3),
            (1e300, i64::MAX, u64::MAX),
            (-1e300, i64::MIN, 0),
            (9_223_372_036_854_775_808.0, i64::MAX, 9_223_372_036_854_775_808),
            (f64::NAN, 0, 0),
        ] {
            assert_eq!(to_integer(&value.into()), Ok(integer), "{value}");
            assert_eq!(to_unsigned(&value.into()), Ok(unsigned), "{value}");
        }
        assert_eq!(to_unsigned(&(-3_i64).into()), Ok(0));
        assert_eq!(to_integer(&u64::MAX.into()), Ok(i64::MAX));
        assert_eq!(to_integer(&"8.5".into()), Ok(9));
        assert_eq!(to_integer(&"0x1f".into()), Ok(31));
    }

    #[test]
    fn hexadecimal_texts_are_whole_numbers_of_any_size() {
        let float = |text: &str| to_float(&text.into()).map_err(|error| error.to_string());
        assert_eq!(float("0xff"), Ok(255.0));
        assert_eq!(float("0x1_0"), Ok(16.0));
        assert_eq!(float("0x10000000000000001"), Ok(18_446_744_073_709_551_616.0));
        let message = "unable to parse string to big int";
        for text in ["0x", "0xg", "0x1.8", "0x1p4", "0x1__0"] {
            assert_eq!(float(text).unwrap_err(), message, "{text}");
        }
    }

    #[test]
    fn four_bytes_are_a_float() {
        assert_eq!(float_of_base64(&"RKeAAA==".into()), Ok(1340.0));
        assert_eq!(float_of_base64(&"RKeAAAA=".into()), Err(FloatBytesError::Length));
        assert_eq!(float_of_base64(&1.0.into()), Err(FloatBytesError::Type));
    }
}
