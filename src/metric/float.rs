//! Floating point numbers as plain decimals.

use std::fmt;

/// Appends the shortest decimal that reads back as the same number, never with an exponent.
///
/// These are the digits of Go's `strconv.FormatFloat(value, 'f', -1, 64)`: of two decimals equally
/// short and equally near the one with the even last digit, which is not what the standard
/// library's formatting picks. NaN and infinities become `NaN`, `inf` and `-inf`.
pub fn push_plain_float(out: &mut Vec<u8>, value: f64) {
    /// Whole numbers below this are exact both as float and as integer.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let whole = value as i64;
    if value.abs() < EXACT && whole as f64 == value && (whole != 0 || value.is_sign_positive()) {
        out.extend_from_slice(itoa::Buffer::new().format(whole).as_bytes());
        return;
    }
    if push_short(out, value) {
        return;
    }
    let mut buffer = ryu::Buffer::new();
    let shown = buffer.format(value);
    match shown.split_once('e') {
        Some((digits, exponent)) => push_expanded(out, digits, exponent.parse().unwrap_or(0)),
        None => out.extend_from_slice(shown.strip_suffix(".0").unwrap_or(shown).as_bytes()),
    }
}

/// Appends a number that is one of thousandths, and tells whether it is.
///
/// Of decimals with up to 15 digits no two are the same number, so that the one that is found here
/// is the shortest. Most numbers that people and devices measure are such, and this takes a
/// fraction of the time that finding the digits of any other takes.
fn push_short(out: &mut Vec<u8>, value: f64) -> bool {
    const MOST: f64 = 1e15;
    let thousandths = value * 1000.0;
    let whole = thousandths as i64;
    if whole as f64 != thousandths
        || thousandths.abs() >= MOST
        || thousandths / 1000.0 != value
        || value == 0.0
    {
        return false;
    }
    if value < 0.0 {
        out.push(b'-');
    }
    let thousandths = whole.unsigned_abs();
    let mut buffer = itoa::Buffer::new();
    out.extend_from_slice(buffer.format(thousandths / 1000).as_bytes());
    let [high, middle, low] = [100, 10, 1].map(|unit| b'0' + (thousandths / unit % 10) as u8);
    let digits = [b'.', high, middle, low];
    let used = digits.iter().rposition(|digit| !matches!(digit, b'0' | b'.'));
    out.extend_from_slice(&digits[..used.map_or(0, |last| last + 1)]);
    true
}

/// Appends `digits`, which have one digit before the point, times ten to the power of `exponent`.
fn push_expanded(out: &mut Vec<u8>, digits: &str, exponent: i32) {
    let digits = match digits.strip_prefix('-') {
        Some(digits) => {
            out.push(b'-');
            digits
        }
        None => digits,
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let shift = exponent.unsigned_abs() as usize;
    let zeros = |out: &mut Vec<u8>, count: usize| out.resize(out.len() + count, b'0');
    if exponent < 0 {
        out.extend_from_slice(b"0.");
        zeros(out, shift - 1);
        out.extend_from_slice(whole.as_bytes());
        out.extend_from_slice(fraction.as_bytes());
        return;
    }
    out.extend_from_slice(whole.as_bytes());
    let (before, after) = fraction.split_at(shift.min(fraction.len()));
    out.extend_from_slice(before.as_bytes());
    zeros(out, shift - before.len());
    if !after.is_empty() {
        out.push(b'.');
        out.extend_from_slice(after.as_bytes());
    }
}

/// Shows a number as [`push_plain_float`] writes it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PlainFloat(pub f64);

impl fmt::Display for PlainFloat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = Vec::with_capacity(24);
        push_plain_float(&mut text, self.0);
        f.write_str(&String::from_utf8_lossy(&text))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn floats_have_the_digits_that_go_gives_them() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (4.0, "4"),
            (-2.5, "-2.5"),
            (0.1, "0.1"),
            (100.0000000000116, "100.0000000000116"),
            (1e-7, "0.0000001"),
            (1.5e-7, "0.00000015"),
            (9007199254740993.0, "9007199254740992"),
            (1e21, "1000000000000000000000"),
            (1.2345e22, "12345000000000000000000"),
            (-1e16, "-10000000000000000"),
            (1234567890123456.0 + 0.25, "1234567890123456.2"),
            (1300086342936249.0 + 0.25, "1300086342936249.2"),
            (1300086342936249.0 + 0.75, "1300086342936249.8"),
            (9963749207574.0 + 0.3125, "9963749207574.312"),
        ] {
            assert_eq!(PlainFloat(value).to_string(), text);
        }
        assert_eq!(PlainFloat(5e-324).to_string(), format!("0.{}5", "0".repeat(323)));
        assert_eq!(
            PlainFloat(f64::MAX).to_string(),
            format!("17976931348623157{}", "0".repeat(292))
        );
    }

    proptest! {
        #[test]
        fn short_decimals_are_written_as_they_were_read(
            whole in -1_000_000_000_000i64..1_000_000_000_000,
            thousandths in 1u32..1000,
        ) {
            let text = format!("{whole}.{thousandths:03}");
            let text = text.trim_end_matches('0');
            prop_assert_eq!(PlainFloat(text.parse().unwrap()).to_string(), text);
        }

        #[test]
        fn every_number_reads_back_as_itself(bits in any::<u64>()) {
            let value = f64::from_bits(bits);
            let text = PlainFloat(value).to_string();
            prop_assert!(value.is_nan() || text.parse::<f64>().unwrap().to_bits() == bits);
            prop_assert!(!value.is_finite() || !text.contains('e'));
        }
    }
}
