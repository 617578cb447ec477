//! Numbers in text.
//!
//! # References
//! Go's package `strconv`: `ParseFloat`, `ParseInt`, `ParseUint` and `ParseBool`, and the words of
//! their errors.

use crate::plugin::Quoted;

/// Why a text is no number, in Go's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("strconv.{function}: parsing {}: {reason}", Quoted::new(text))]
pub struct NumberError {
    function: &'static str,
    text: String,
    reason: &'static str,
}

const SYNTAX: &str = "invalid syntax";
const RANGE: &str = "value out of range";

impl NumberError {
    fn new(function: &'static str, text: &str, reason: &'static str) -> NumberError {
        NumberError { function, text: text.to_owned(), reason }
    }
}

/// Parses a decimal or hexadecimal floating point number, `inf`, `infinity` or `nan`.
///
/// # Errors
/// If it is none, or too large for 64 bits.
pub fn parse_float(text: &str) -> Result<f64, NumberError> {
    let error = |reason| NumberError::new("ParseFloat", text, reason);
    let (negative, digits) = split_sign(text);
    let value = if has_hex_prefix(digits) {
        if !underscores_are_between_digits(digits) {
            return Err(error(SYNTAX));
        }
        parse_hex_float(&digits[2..]).ok_or_else(|| error(SYNTAX))?
    } else if digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        parse_decimal(digits).ok_or_else(|| error(SYNTAX))?
    } else if ["inf", "infinity"].iter().any(|word| digits.eq_ignore_ascii_case(word)) {
        return Ok(if negative { f64::NEG_INFINITY } else { f64::INFINITY });
    } else if text.eq_ignore_ascii_case("nan") {
        return Ok(f64::NAN);
    } else {
        return Err(error(SYNTAX));
    };
    if value.is_infinite() {
        return Err(error(RANGE));
    }
    Ok(if negative { -value } else { value })
}

fn parse_decimal(digits: &str) -> Option<f64> {
    if !digits.contains('_') {
        // What begins with a digit or point here is a number to Rust exactly if it is one to Go.
        return digits.parse().ok();
    }
    if !underscores_are_between_digits(digits) {
        return None;
    }
    digits.replace('_', "").parse().ok()
}

fn has_hex_prefix(digits: &str) -> bool {
    digits.starts_with("0x") || digits.starts_with("0X")
}

fn split_sign(text: &str) -> (bool, &str) {
    match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    }
}

/// Whether each underscore stands between two digits, or between `0x` and a digit.
fn underscores_are_between_digits(digits: &str) -> bool {
    let is_hex = has_hex_prefix(digits);
    let is_digit = |byte: u8| byte.is_ascii_digit() || is_hex && byte.is_ascii_hexdigit();
    let bytes = digits.as_bytes();
    let is_number =
        |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(|byte| is_digit(*byte));
    let is_prefix_end = |at: usize| is_hex && at == 2;
    bytes.iter().enumerate().filter(|(_, byte)| **byte == b'_').all(|(at, _)| {
        (is_number(at.checked_sub(1)) || is_prefix_end(at)) && is_number(Some(at + 1))
    })
}

/// Parses what stands behind `0x`: hexadecimal digits and a power of two, which must be there.
fn parse_hex_float(text: &str) -> Option<f64> {
    let (digits, exponent) = text.split_once(['p', 'P'])?;
    let (exponent_negative, exponent_digits) = split_sign(exponent);
    let exponent_digits = exponent_digits.replace('_', "");
    if exponent_digits.is_empty() || !exponent_digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // Beyond any exponent that makes a difference.
    let exponent = exponent_digits.parse::<i64>().unwrap_or(i64::MAX).min(1 << 40);
    let mut exponent = if exponent_negative { -exponent } else { exponent };
    // So many digits are more than a mantissa holds; of the rest only whether it is zero matters.
    const KEPT_BITS: u32 = 100;
    let (mut mantissa, mut is_behind_point, mut has_digits, mut has_rest) =
        (0_u128, false, false, false);
    for byte in digits.bytes() {
        let digit = match byte {
            b'_' => continue,
            b'.' if !is_behind_point => {
                is_behind_point = true;
                continue;
            }
            byte => char::from(byte).to_digit(16)?,
        };
        has_digits = true;
        if mantissa >> KEPT_BITS == 0 {
            mantissa = mantissa << 4 | u128::from(digit);
            exponent -= if is_behind_point { 4 } else { 0 };
        } else {
            has_rest |= digit != 0;
            exponent += if is_behind_point { 0 } else { 4 };
        }
    }
    has_digits.then(|| scaled(mantissa | u128::from(has_rest), exponent))
}

/// `mantissa` times two to the power of `exponent`, rounded once, half to even.
fn scaled(mantissa: u128, exponent: i64) -> f64 {
    const MANTISSA_BITS: i64 = 53;
    const LOWEST_EXPONENT: i64 = -1074;
    if mantissa == 0 {
        return 0.0;
    }
    let bits = 128 - i64::from(mantissa.leading_zeros());
    // How many bits at the end do not fit, because of the precision or of being next to zero.
    let surplus = (bits - MANTISSA_BITS).max(LOWEST_EXPONENT - exponent);
    let (mantissa, exponent) = match surplus {
        ..=0 => (mantissa, exponent),
        surplus if surplus > bits + 1 => return 0.0,
        surplus => {
            let kept = mantissa.checked_shr(surplus as u32).unwrap_or(0);
            let rest = mantissa - (kept << (surplus as u32).min(127));
            let half = 1_u128 << (surplus - 1);
            let up = rest > half || rest == half && kept & 1 == 1;
            (kept + u128::from(up), exponent + surplus)
        }
    };
    // Both steps are exact now: the mantissa has its final bits.
    let half = (exponent / 2).clamp(-600, 600) as i32;
    let rest = (exponent - i64::from(half)).clamp(-1_200, 1_200) as i32;
    mantissa as f64 * 2_f64.powi(half) * 2_f64.powi(rest)
}

/// Parses a whole number to a base of 10 or 16.
///
/// # Errors
/// If it is none, or does not fit 64 bits.
pub fn parse_integer(text: &str, base: u32) -> Result<i64, NumberError> {
    let error = |reason| NumberError::new("ParseInt", text, reason);
    i64::from_str_radix(text, base).map_err(|cause| match cause.kind() {
        std::num::IntErrorKind::PosOverflow | std::num::IntErrorKind::NegOverflow => error(RANGE),
        _ => error(SYNTAX),
    })
}

/// Parses a whole number without a sign to a base of 10 or 16.
///
/// # Errors
/// If it is none, or does not fit 64 bits.
pub fn parse_unsigned(text: &str, base: u32) -> Result<u64, NumberError> {
    let error = |reason| NumberError::new("ParseUint", text, reason);
    if text.starts_with('+') {
        return Err(error(SYNTAX));
    }
    u64::from_str_radix(text, base).map_err(|cause| match cause.kind() {
        std::num::IntErrorKind::PosOverflow => error(RANGE),
        _ => error(SYNTAX),
    })
}

/// Parses one of the words that Go has for true and false.
///
/// # Errors
/// If it is none of them.
pub fn parse_bool(text: &str) -> Result<bool, NumberError> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(NumberError::new("ParseBool", text, SYNTAX)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn texts_are_the_numbers_that_go_takes_them_for() {
        for (text, value) in [
            ("0", 0.0),
            ("-1.5e3", -1500.0),
            ("+.5", 0.5),
            ("1.", 1.0),
            ("01", 1.0),
            ("1_000.5", 1000.5),
            ("0x1p-2", 0.25),
            ("0x1.8p1", 3.0),
            ("-0X_1p4", -16.0),
            ("0x.8p0", 0.5),
            ("0x1p-1074", 5e-324),
            ("0x1p-1080", 0.0),
            ("0x1.fffffffffffff8p0", 2.0),
            ("0x1.fffffffffffff7ffffffffffffffffffffffffffffp0", 1.9999999999999998),
            ("0x0p99999999999999999999", 0.0),
            ("inf", f64::INFINITY),
            ("-Infinity", f64::NEG_INFINITY),
            ("1e-400", 0.0),
        ] {
            assert_eq!(parse_float(text), Ok(value), "{text}");
        }
        assert!(parse_float("NaN").unwrap().is_nan());
        for text in [
            "", "-", "abc", "1e", ".", "0x10", "0x", "0x1p", "1__0", "_1", "1_", "1 ", "+nan",
            "1e_5",
        ] {
            let message = format!("strconv.ParseFloat: parsing {text:?}: invalid syntax");
            assert_eq!(parse_float(text).unwrap_err().to_string(), message);
        }
        for text in ["1e400", "-0x1p1024"] {
            let message = format!("strconv.ParseFloat: parsing {text:?}: value out of range");
            assert_eq!(parse_float(text).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn whole_numbers_and_words_are_taken_as_in_go() {
        assert_eq!(parse_integer("+7", 10), Ok(7));
        assert_eq!(parse_integer("-ff", 16), Ok(-255));
        assert_eq!(parse_unsigned("18446744073709551615", 10), Ok(u64::MAX));
        for (result, message) in [
            (parse_integer("1_0", 10).map(drop), r#"ParseInt: parsing "1_0": invalid syntax"#),
            (parse_integer("", 10).map(drop), r#"ParseInt: parsing "": invalid syntax"#),
            (
                parse_integer("9223372036854775808", 10).map(drop),
                r#"ParseInt: parsing "9223372036854775808": value out of range"#,
            ),
            (parse_unsigned("+1", 10).map(drop), r#"ParseUint: parsing "+1": invalid syntax"#),
            (parse_unsigned("-1", 10).map(drop), r#"ParseUint: parsing "-1": invalid syntax"#),
            (parse_bool("yes").map(drop), r#"ParseBool: parsing "yes": invalid syntax"#),
        ] {
            assert_eq!(result.unwrap_err().to_string(), format!("strconv.{message}"));
        }
        assert_eq!((parse_bool("T"), parse_bool("0")), (Ok(true), Ok(false)));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[-+0-9a-fxpXPE._]{0,40}") {
            let _ = (parse_float(&text), parse_integer(&text, 16), parse_unsigned(&text, 10));
        }

        #[test]
        fn hexadecimal_digits_are_exact(mantissa in 0_u64..1 << 52, exponent in -1_000_i32..900) {
            let text = format!("0x{mantissa:x}p{exponent}");
            prop_assert_eq!(parse_float(&text), Ok(mantissa as f64 * 2_f64.powi(exponent)));
        }
    }
}
