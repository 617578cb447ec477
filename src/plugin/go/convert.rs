//! Values of one type as values of another.
//!
//! # References
//! Telegraf's `internal/type_conversions.go` for what converts to what.

use compact_str::{CompactString, ToCompactString};

use super::number::{NumberError, parse_bool, parse_float, parse_integer, parse_unsigned};
use crate::metric::{PlainFloat, Value};

/// Why a value does not convert.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConvertError {
    /// The text is none of the wanted type.
    #[error(transparent)]
    Text(#[from] NumberError),
    /// The number does not fit the wanted type.
    #[error("value out of range")]
    Range,
}

/// What Go calls the type of a value.
pub fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Float(_) => "float64",
        Value::Integer(_) => "int64",
        Value::Unsigned(_) => "uint64",
        Value::Boolean(_) => "bool",
        Value::String(_) => "string",
    }
}

/// Converts to a float; true is one.
///
/// # Errors
/// If it is a text that is no number.
pub fn to_float(value: &Value) -> Result<f64, ConvertError> {
    Ok(match value {
        Value::Float(value) => *value,
        Value::Integer(value) => *value as f64,
        Value::Unsigned(value) => *value as f64,
        Value::Boolean(value) => f64::from(u8::from(*value)),
        Value::String(text) => parse_float(text)?,
    })
}

/// Converts to an integer without rounding; digits behind `0x` are hexadecimal.
///
/// # Errors
/// If it is a text that is no whole number, or a number that does not fit.
pub fn to_integer(value: &Value) -> Result<i64, ConvertError> {
    match value {
        Value::Float(value) if *value < i64::MIN as f64 || *value > i64::MAX as f64 => {
            Err(ConvertError::Range)
        }
        Value::Float(value) => Ok(*value as i64),
        Value::Integer(value) => Ok(*value),
        Value::Unsigned(value) => i64::try_from(*value).map_err(|_| ConvertError::Range),
        Value::Boolean(value) => Ok(i64::from(*value)),
        Value::String(text) => Ok(match text.strip_prefix("0x") {
            Some(digits) => parse_integer(digits, 16)?,
            None => parse_integer(text, 10)?,
        }),
    }
}

/// Converts to an unsigned integer without rounding; digits behind `0x` are hexadecimal.
///
/// # Errors
/// If it is a text that is no whole number, or a number that does not fit.
pub fn to_unsigned(value: &Value) -> Result<u64, ConvertError> {
    match value {
        Value::Float(value) if *value < 0.0 || *value > u64::MAX as f64 => Err(ConvertError::Range),
        Value::Float(value) => Ok(*value as u64),
        Value::Integer(value) => u64::try_from(*value).map_err(|_| ConvertError::Range),
        Value::Unsigned(value) => Ok(*value),
        Value::Boolean(value) => Ok(u64::from(*value)),
        Value::String(text) => Ok(match text.strip_prefix("0x") {
            Some(digits) => parse_unsigned(digits, 16)?,
            None => parse_unsigned(text, 10)?,
        }),
    }
}

/// Converts to true or false; numbers above zero are true.
///
/// # Errors
/// If it is a text that is neither.
pub fn to_bool(value: &Value) -> Result<bool, ConvertError> {
    Ok(match value {
        Value::Float(value) => *value > 0.0,
        Value::Integer(value) => *value > 0,
        Value::Unsigned(value) => *value > 0,
        Value::Boolean(value) => *value,
        Value::String(text) => parse_bool(text)?,
    })
}

/// Converts to text; floats are plain decimals.
pub fn to_text(value: &Value) -> CompactString {
    match value {
        Value::Float(value) if value.is_nan() => "NaN".into(),
        Value::Float(value) if value.is_infinite() => {
            if *value > 0.0 {
                "+Inf".into()
            } else {
                "-Inf".into()
            }
        }
        Value::Float(value) => PlainFloat(*value).to_compact_string(),
        Value::Integer(value) => value.to_compact_string(),
        Value::Unsigned(value) => value.to_compact_string(),
        Value::Boolean(value) => value.to_compact_string(),
        Value::String(value) => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_convert_as_in_the_original() {
        assert_eq!(to_float(&true.into()), Ok(1.0));
        assert_eq!(to_float(&"0x1p1".into()), Ok(2.0));
        assert_eq!(to_integer(&"0xff".into()), Ok(255));
        assert_eq!(to_integer(&u64::MAX.into()), Err(ConvertError::Range));
        assert_eq!(to_integer(&2.9.into()), Ok(2));
        assert_eq!(to_unsigned(&(-1_i64).into()), Err(ConvertError::Range));
        assert_eq!(to_unsigned(&"0xFF".into()), Ok(255));
        assert_eq!(to_bool(&"t".into()), Ok(true));
        assert_eq!(to_bool(&(-1.0).into()), Ok(false));
        assert!(to_bool(&"on".into()).is_err());
    }

    #[test]
    fn texts_of_values_are_those_of_the_original() {
        for (value, text) in [
            (Value::from(1e21), "1000000000000000000000"),
            (Value::from(-0.5), "-0.5"),
            (Value::from(f64::NAN), "NaN"),
            (Value::from(f64::INFINITY), "+Inf"),
            (Value::from(f64::NEG_INFINITY), "-Inf"),
            (Value::from(-7_i64), "-7"),
            (Value::from(u64::MAX), "18446744073709551615"),
            (Value::from(true), "true"),
            (Value::from("x"), "x"),
        ] {
            assert_eq!(to_text(&value), text);
        }
    }
}
