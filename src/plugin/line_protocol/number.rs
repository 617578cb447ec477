//! Numbers as lines have them, and what they come to.
//!
//! Lines hold little else than numbers, nearly all of them short. Those are added up digit by
//! digit; what is longer, or stands where it should not, is left to the standard library.

use super::error::Reason;
use crate::metric::Value;

/// A number as it stands in a line, without the letter behind it that tells its type.
#[derive(Debug, Clone, Copy)]
pub enum Number<'i> {
    /// A number with or without a fraction.
    Float(&'i [u8]),
    /// A whole number.
    Integer(&'i [u8]),
    /// A whole number without a sign.
    Unsigned(&'i [u8]),
}

impl Number<'_> {
    /// Its value.
    ///
    /// # Errors
    /// If it only looked like a number, or is out of range.
    pub fn value(&self) -> Result<Value, Reason> {
        match self {
            Number::Integer(text) => integer(text).map(Value::Integer),
            Number::Unsigned(text) => unsigned(text).map(Value::Unsigned),
            Number::Float(text) => float(text).map(Value::Float),
        }
    }
}

/// The whole number that `text` stands for.
pub(super) fn integer(text: &[u8]) -> Result<i64, Reason> {
    let (is_negative, digits) = split_sign(text);
    match few_digits(digits).and_then(|value| i64::try_from(value).ok()) {
        Some(value) if is_negative => Ok(-value),
        Some(value) => Ok(value),
        None => utf8(text)?.parse().map_err(|_| Reason::Range),
    }
}

fn unsigned(text: &[u8]) -> Result<u64, Reason> {
    match few_digits(text) {
        Some(value) => Ok(value),
        None => utf8(text)?.parse().map_err(|_| Reason::Range),
    }
}

fn float(text: &[u8]) -> Result<f64, Reason> {
    if let Some(value) = short_decimal(text) {
        return Ok(value);
    }
    match utf8(text)?.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(value),
        Ok(_) => Err(Reason::Range),
        Err(_) => Err(Reason::Syntax),
    }
}

/// The value of a decimal of few digits, if `text` is one.
///
/// Its digits without the point, and the power of ten that it is to be divided by, are both exact
/// as floats, so that their quotient is the float nearest to the decimal (Clinger, "How to Read
/// Floating Point Numbers Accurately", 1990).
fn short_decimal(text: &[u8]) -> Option<f64> {
    /// Any number of so many digits is less than 2^53.
    const MOST_DIGITS: usize = 15;
    const POWERS: [f64; MOST_DIGITS + 1] =
        [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];
    let (is_negative, digits) = split_sign(text);
    if digits.len() > MOST_DIGITS || matches!(digits, [] | [b'.']) {
        return None;
    }
    let mut number = 0_u64;
    let mut decimals = None;
    for (at, byte) in digits.iter().enumerate() {
        match byte {
            b'0'..=b'9' => number = number * 10 + u64::from(byte - b'0'),
            b'.' if decimals.is_none() => decimals = Some(digits.len() - at - 1),
            _ => return None,
        }
    }
    let power = POWERS.get(decimals.unwrap_or(0))?;
    let value = number as f64 / power;
    Some(if is_negative { -value } else { value })
}

/// The value of so few digits that it cannot overflow; none where there are more, or others.
fn few_digits(digits: &[u8]) -> Option<u64> {
    /// Enough for times in nanoseconds.
    const MOST_DIGITS: usize = 19;
    if digits.is_empty() || digits.len() > MOST_DIGITS {
        return None;
    }
    let (eights, rest) = digits.as_chunks();
    let mut value = 0;
    for eight in eights {
        value = value * 100_000_000 + eight_digits(*eight)?;
    }
    for byte in rest {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + u64::from(digit);
    }
    Some(value)
}

/// The value of eight digits; none where there is something else among them.
///
/// Digits side by side become numbers of two digits, those of four, and those of eight.
fn eight_digits(eight: [u8; 8]) -> Option<u64> {
    const ZEROS: u64 = u64::from_ne_bytes([b'0'; 8]);
    const TO_SIXTEEN: u64 = u64::from_ne_bytes([0x10 - 10; 8]);
    const HIGH_HALVES: u64 = u64::from_ne_bytes([0xf0; 8]);
    const TWO: u64 = 0x00ff_00ff_00ff_00ff;
    const FOUR: u64 = 0x0000_ffff_0000_ffff;
    let digits = u64::from_le_bytes(eight) ^ ZEROS;
    // Above nine is what has something in its high half, or would with six more.
    if (digits | digits.wrapping_add(TO_SIXTEEN)) & HIGH_HALVES != 0 {
        return None;
    }
    let twos = (digits & TWO) * 10 + ((digits >> 8) & TWO);
    let fours = (twos & FOUR) * 100 + ((twos >> 16) & FOUR);
    Some((fours & 0xffff_ffff) * 10_000 + (fours >> 32))
}

fn split_sign(text: &[u8]) -> (bool, &[u8]) {
    match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    }
}

fn utf8(text: &[u8]) -> Result<&str, Reason> {
    std::str::from_utf8(text).map_err(|_| Reason::Syntax)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn is_as_the_standard_library_has_it(text: &str) -> Result<(), TestCaseError> {
        let parsed = text.parse::<f64>().ok().filter(|value| value.is_finite());
        let read = float(text.as_bytes()).ok();
        prop_assert_eq!(read.map(f64::to_bits), parsed.map(f64::to_bits), "{}", text);
        let parsed = text.parse::<i64>().ok();
        prop_assert_eq!(integer(text.as_bytes()).ok(), parsed, "{}", text);
        let parsed = text.parse::<u64>().ok();
        prop_assert_eq!(unsigned(text.as_bytes()).ok(), parsed, "{}", text);
        Ok(())
    }

    proptest! {
        #[test]
        fn numbers_of_any_length_are_read_exactly(text in "-?[0-9]{1,22}(\\.[0-9]{0,22})?") {
            is_as_the_standard_library_has_it(&text)?;
        }

        #[test]
        fn short_numbers_are_read_exactly(text in "-?[0-9]{0,9}(\\.[0-9]{0,9})?([eE]-?[0-9])?") {
            is_as_the_standard_library_has_it(&text)?;
        }

        #[test]
        fn what_is_no_number_is_refused(text in "[-0-9.eE+ix]{0,5}|[0-9]{0,7}[ -~][0-9]{0,9}") {
            is_as_the_standard_library_has_it(&text)?;
        }
    }

    #[test]
    fn the_largest_numbers_are_read_and_those_beyond_are_out_of_range() {
        assert_eq!(integer(b"-9223372036854775808"), Ok(i64::MIN));
        assert_eq!(integer(b"9223372036854775808"), Err(Reason::Range));
        assert_eq!(unsigned(b"18446744073709551615"), Ok(u64::MAX));
        assert_eq!(unsigned(b"18446744073709551616"), Err(Reason::Range));
        assert_eq!(float(b"1e309"), Err(Reason::Range));
        assert_eq!(float(b"-0").map(f64::is_sign_negative), Ok(true));
    }
}
