//! Values of a document as values of fields.

use compact_str::{CompactString, ToCompactString, format_compact};

use super::config::FieldType;
use crate::metric::{PlainFloat, Value};
use crate::plugin::go::{NumberError, parse_bool, parse_float, parse_integer, parse_unsigned};
use crate::plugin::json_path::{Kind, unescaped};
use crate::plugin::{Quoted, ShownFloat};

/// Why a value does not convert to the type that is asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConvertError {
    /// A text is none of that type.
    #[error("unable to convert field {} to type {to}: {source}", Quoted::new(name))]
    Text {
        /// The field's key.
        name: String,
        /// The type.
        to: &'static str,
        /// What is wrong with the text.
        source: NumberError,
    },
    /// A number is neither 0 nor 1.
    #[error("unable to convert field {} to type bool", Quoted::new(.0))]
    Boolean(String),
}

/// Converts the value that `raw` is; none if that is null.
pub(super) fn convert(
    raw: &str,
    field_type: FieldType,
    name: &str,
) -> Result<Option<Value>, ConvertError> {
    Ok(Some(match Kind::of(raw) {
        Kind::Null => return Ok(None),
        Kind::Array | Kind::Object => raw.into(),
        Kind::Text => convert_text(&unescaped(raw), field_type, name)?,
        kind @ (Kind::True | Kind::False) => {
            let value = kind == Kind::True;
            match field_type {
                FieldType::Text => if value { "true" } else { "false" }.into(),
                FieldType::Integer => Value::Integer(value.into()),
                FieldType::Unsigned => Value::Unsigned(value.into()),
                FieldType::Own | FieldType::Float | FieldType::Boolean => value.into(),
            }
        }
        Kind::Number => {
            let number = number(raw);
            match field_type {
                FieldType::Own | FieldType::Float => number.into(),
                FieldType::Text => format_compact!("{}", ShownFloat(number)).into(),
                FieldType::Integer => Value::Integer(integer(raw, number)),
                FieldType::Unsigned => Value::Unsigned(unsigned(raw, number)),
                FieldType::Boolean if number == 0.0 => false.into(),
                FieldType::Boolean if number == 1.0 => true.into(),
                FieldType::Boolean => return Err(ConvertError::Boolean(name.into())),
            }
        }
    }))
}

fn convert_text(text: &str, field_type: FieldType, name: &str) -> Result<Value, ConvertError> {
    let failed = |to| move |source| ConvertError::Text { name: name.into(), to, source };
    Ok(match field_type {
        FieldType::Own | FieldType::Text => text.into(),
        FieldType::Integer => parse_integer(text, 10).map_err(failed("int"))?.into(),
        FieldType::Unsigned => parse_unsigned(text, 10).map_err(failed("uint"))?.into(),
        FieldType::Float => parse_float(text).map_err(failed("float"))?.into(),
        FieldType::Boolean => parse_bool(text).map_err(failed("bool"))?.into(),
    })
}

/// The value that `raw` is as a text.
pub(super) fn text(raw: &str) -> CompactString {
    match Kind::of(raw) {
        Kind::Null => CompactString::default(),
        Kind::Text => unescaped(raw).into(),
        Kind::Number if !is_whole(raw) => PlainFloat(number(raw)).to_compact_string(),
        _ => raw.into(),
    }
}

fn number(raw: &str) -> f64 {
    // A number that is too large is infinite, as it is in the original.
    raw.parse().unwrap_or(0.0)
}

fn is_whole(raw: &str) -> bool {
    raw.strip_prefix('-').unwrap_or(raw).bytes().all(|byte| byte.is_ascii_digit())
}

/// Up to this size floats hold whole numbers exactly.
const EXACT: f64 = 9_007_199_254_740_991.0;

fn integer(raw: &str, number: f64) -> i64 {
    if number.abs() <= EXACT { number as i64 } else { raw.parse().unwrap_or(number as i64) }
}

fn unsigned(raw: &str, number: f64) -> u64 {
    match number {
        0.0..=EXACT => number as u64,
        // Below zero it wraps around, as it does in the original.
        _ if number < 0.0 => number as i64 as u64,
        _ => raw.parse().unwrap_or(number as u64),
    }
}
