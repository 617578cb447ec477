//! Values as Go's `%v` shows them, which is what Telegraf makes of them in texts.
//!
//! # References
//! Go's package `fmt`, "Printing": `%v` of a float is `%g` with the fewest digits.

use std::fmt;

use crate::metric::{PlainFloat, Value};

/// Shows a value of a field as Go's `%v` does.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'v>(pub &'v Value);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Value::Float(value) => ShownFloat(*value).fmt(f),
            Value::Integer(value) => value.fmt(f),
            Value::Unsigned(value) => value.fmt(f),
            Value::Boolean(value) => value.fmt(f),
            Value::String(value) => f.write_str(value),
        }
    }
}

/// Shows a float as Go's `%v` does: with an exponent where it would be below -4 or above 5.
#[derive(Debug, Clone, Copy)]
pub struct ShownFloat(pub f64);

impl fmt::Display for ShownFloat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.0;
        if value.is_nan() {
            return f.write_str("NaN");
        }
        if value.is_infinite() {
            return f.write_str(if value > 0.0 { "+Inf" } else { "-Inf" });
        }
        if value == 0.0 || (1e-4..1e6).contains(&value.abs()) {
            return PlainFloat(value).fmt(f);
        }
        let shown = format!("{value:e}");
        let (digits, exponent) = shown.split_once('e').unwrap_or((&shown, "0"));
        // Go writes a sign and two digits of an exponent at least.
        let (sign, exponent) = match exponent.strip_prefix('-') {
            Some(exponent) => ('-', exponent),
            None => ('+', exponent),
        };
        write!(f, "{digits}e{sign}{exponent:0>2}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_show_as_in_go() {
        for (value, shown) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (-2.5, "-2.5"),
            (999_999.9, "999999.9"),
            (1e6, "1e+06"),
            (123_456_789.0, "1.23456789e+08"),
            (1e20, "1e+20"),
            (1.234e25, "1.234e+25"),
            (1e100, "1e+100"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
        ] {
            assert_eq!(Shown(&Value::Float(value)).to_string(), shown);
        }
    }

    #[test]
    fn other_values_show_plainly() {
        assert_eq!(Shown(&Value::Integer(-3)).to_string(), "-3");
        assert_eq!(Shown(&Value::Unsigned(7)).to_string(), "7");
        assert_eq!(Shown(&Value::Boolean(true)).to_string(), "true");
        assert_eq!(Shown(&Value::from("a \"b\"")).to_string(), "a \"b\"");
    }
}
