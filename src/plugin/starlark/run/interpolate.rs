//! `"…" % values`.

use super::super::failure::{Outcome, fail};
use super::super::number::{FloatStyle, push_float, to_big, to_float, to_int};
use super::super::value::Value;
use super::Machine;

impl Machine {
    /// Fills the places of a format, such as `%d`, with values.
    pub(super) fn interpolate(&self, format: &str, values: &Value) -> Outcome {
        let arguments = match values {
            Value::Tuple(values) => &values[..],
            other => std::slice::from_ref(other),
        };
        let is_mapping = matches!(values, Value::Dict(_) | Value::Tags(_) | Value::Fields(_));
        let mut out = String::with_capacity(format.len() + 16);
        let mut used = 0;
        let mut rest = format;
        while let Some((before, behind)) = rest.split_once('%') {
            out.push_str(before);
            if let Some(behind) = behind.strip_prefix('%') {
                out.push('%');
                rest = behind;
                continue;
            }
            let (value, behind) = match behind.strip_prefix('(') {
                Some(behind) => {
                    let Some((key, behind)) = behind.split_once(')') else {
                        fail!("incomplete format key")
                    };
                    if !is_mapping {
                        fail!("format requires a mapping")
                    }
                    match self.entry(values, &Value::text(key)) {
                        Ok(Some(value)) => (value, behind),
                        _ => fail!("key not found: {key}"),
                    }
                }
                None => match arguments.get(used) {
                    Some(value) => (value.clone(), behind),
                    None => fail!("not enough arguments for format string"),
                },
            };
            let Some(conversion) = behind.chars().next() else { fail!("incomplete format") };
            self.convert(&mut out, conversion, &value)?;
            rest = &behind[conversion.len_utf8()..];
            used += 1;
        }
        out.push_str(rest);
        if used < arguments.len() && !is_mapping {
            fail!("too many arguments for format string")
        }
        Ok(Value::text(out))
    }

    fn convert(&self, out: &mut String, conversion: char, value: &Value) -> Outcome<()> {
        match conversion {
            's' => out.push_str(&self.str(value)),
            'r' => out.push_str(&self.repr(value)),
            'd' | 'i' | 'o' | 'x' | 'X' => {
                let whole = to_int(value).map_err(|failure| {
                    failure.within(&format!("%{conversion} format requires integer"))
                })?;
                let number = to_big(&whole).unwrap_or_default();
                out.push_str(&match conversion {
                    'o' => number.to_str_radix(8),
                    'x' => number.to_str_radix(16),
                    'X' => number.to_str_radix(16).to_uppercase(),
                    _ => number.to_string(),
                });
            }
            'e' | 'f' | 'g' | 'E' | 'F' | 'G' => {
                let Some(number) = to_float(value) else {
                    fail!("%{conversion} format requires float, not {}", value.type_name())
                };
                let style = match conversion.to_ascii_lowercase() {
                    'e' => FloatStyle::Exponent,
                    'f' => FloatStyle::Decimals,
                    _ => FloatStyle::Shortest,
                };
                let start = out.len();
                push_float(out, number, style);
                if conversion.is_ascii_uppercase() && number.is_finite() {
                    out[start..].make_ascii_uppercase();
                }
            }
            'c' => match value {
                Value::Int(code) => match u32::try_from(*code).ok().and_then(char::from_u32) {
                    Some(character) => out.push(character),
                    None => {
                        fail!("%c format requires a valid Unicode code point, got {code}")
                    }
                },
                Value::Str(text) if text.chars().count() == 1 => out.push_str(text),
                Value::Str(_) => fail!("%c format requires a single-character string"),
                other => fail!(
                    "%c format requires int or single-character string, not {}",
                    other.type_name()
                ),
            },
            other => fail!("unknown conversion %{other}"),
        }
        Ok(())
    }
}
