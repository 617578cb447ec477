//! Parses input that is a single value.
//!
//! # References
//! Telegraf's `value` parser.

use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use crate::metric::{Metric, Value};
use crate::plugin::go::{NumberError, parse_bool, parse_float, parse_integer};
use crate::plugin::{Build, BuildError, Context, Declaration, Parser, PluginError, Quoted};
use crate::system::Clock;

/// The parser as the table lists it.
pub static PLUGIN: Declaration<dyn Parser> =
    Declaration::new::<Config>("value", include_str!("sample.conf"));

/// The options beside `data_format = "value"`.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default)]
pub struct Config {
    /// The type of the value.
    pub data_type: String,
    /// The field that takes it.
    pub value_field_name: String,
}

impl Default for Config {
    fn default() -> Config {
        Config { data_type: "integer".into(), value_field_name: "value".into() }
    }
}

impl Build<dyn Parser> for Config {
    fn build(self, context: &Context<'_>) -> Result<Box<dyn Parser>, BuildError> {
        let data_type = match self.data_type.as_str() {
            "" | "int" | "integer" => DataType::Integer,
            "float" | "long" => DataType::Float,
            "str" | "string" => DataType::Text,
            "base64" => DataType::Base64,
            "bool" | "boolean" => DataType::Boolean,
            "auto_integer" => DataType::IntegerOrText,
            "auto_float" => DataType::FloatOrText,
            unknown => {
                return Err(BuildError::invalid(format!(
                    "unknown datatype {}; data_type is one of integer, float, string, bool, \
                     base64, auto_integer, auto_float",
                    Quoted::new(unknown)
                )));
            }
        };
        let field = match self.value_field_name.as_str() {
            "" => "value",
            name => name,
        };
        Ok(Box::new(ValueParser {
            data_type,
            field: field.into(),
            name: context.plugin_name().into(),
            clock: context.system.clock.clone(),
        }))
    }
}

/// What the value is read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DataType {
    Integer,
    Float,
    Text,
    Base64,
    Boolean,
    IntegerOrText,
    FloatOrText,
}

/// Why input is no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// It is no whole number, which another function of Go's finds out here than elsewhere.
    #[error("{}", .0.to_string().replacen("ParseInt", "Atoi", 1))]
    Integer(NumberError),
    /// It is nothing else that is asked for.
    #[error(transparent)]
    Other(#[from] NumberError),
}

/// A parser of single values.
struct ValueParser {
    data_type: DataType,
    field: CompactString,
    name: CompactString,
    clock: Arc<dyn Clock>,
}

impl Parser for ValueParser {
    fn parse(&mut self, input: &[u8]) -> Result<Vec<Metric>, PluginError> {
        Ok(match read(self.data_type, input)? {
            Some(value) => {
                let metric = Metric::new(self.name.clone(), self.clock.now());
                vec![metric.with_field(self.field.clone(), value)]
            }
            None => Vec::new(),
        })
    }
}

/// Reads the last word of the input, or all of it as a text; none if there is no word.
fn read(data_type: DataType, input: &[u8]) -> Result<Option<Value>, ValueError> {
    let text = String::from_utf8_lossy(input);
    let text = text.trim_matches('\0').trim();
    if data_type == DataType::Text {
        return Ok(Some(text.into()));
    }
    let Some(word) = text.split_whitespace().next_back() else { return Ok(None) };
    Ok(Some(match data_type {
        DataType::Integer => parse_integer(word, 10).map_err(ValueError::Integer)?.into(),
        DataType::Float => parse_float(word)?.into(),
        DataType::Boolean => parse_bool(word)?.into(),
        DataType::IntegerOrText => parse_integer(word, 10).map_or(word.into(), Value::Integer),
        DataType::FloatOrText => parse_float(word).map_or(word.into(), Value::Float),
        DataType::Base64 => BASE64_STANDARD.encode(input).into(),
        DataType::Text => text.into(),
    }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_last_word_is_read_as_the_type_that_is_asked_for() {
        for (data_type, input, value) in [
            (DataType::Integer, "1 2\n +55 \n", Some(Value::Integer(55))),
            (DataType::Integer, "\0\0 7\0", Some(Value::Integer(7))),
            (DataType::Integer, " \n", None),
            (DataType::Float, "-1e3", Some(Value::Float(-1000.0))),
            (DataType::Float, "inf", Some(Value::Float(f64::INFINITY))),
            (DataType::Boolean, "no T", Some(Value::Boolean(true))),
            (DataType::Text, " a b\n", Some("a b".into())),
            (DataType::Text, "", Some("".into())),
            (DataType::Base64, " a b\n", Some("IGEgYgo=".into())),
            (DataType::Base64, "\n", None),
            (DataType::IntegerOrText, "1.5", Some("1.5".into())),
            (DataType::IntegerOrText, "15", Some(Value::Integer(15))),
            (DataType::FloatOrText, "1.5", Some(Value::Float(1.5))),
            (DataType::FloatOrText, "a b", Some("b".into())),
        ] {
            assert_eq!(read(data_type, input.as_bytes()), Ok(value), "{data_type:?} {input:?}");
        }
    }

    #[test]
    fn what_is_not_of_the_type_is_an_error_in_the_words_of_the_original() {
        for (data_type, input, message) in [
            (DataType::Integer, "1.5", r#"strconv.Atoi: parsing "1.5": invalid syntax"#),
            (
                DataType::Integer,
                "9223372036854775808",
                r#"strconv.Atoi: parsing "9223372036854775808": value out of range"#,
            ),
            (DataType::Float, "x", r#"strconv.ParseFloat: parsing "x": invalid syntax"#),
            (DataType::Boolean, "on", r#"strconv.ParseBool: parsing "on": invalid syntax"#),
        ] {
            assert_eq!(read(data_type, input.as_bytes()).unwrap_err().to_string(), message);
        }
    }

    proptest! {
        #[test]
        fn no_input_makes_it_panic(input in prop::collection::vec(any::<u8>(), 0..40)) {
            for data_type in [DataType::Integer, DataType::Float, DataType::Base64, DataType::Text] {
                let _ = read(data_type, &input);
            }
        }
    }
}
