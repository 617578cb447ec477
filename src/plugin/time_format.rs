//! Times in data, in one of the formats that options such as `timestamp_format` name: `unix`,
//! `unix_ms`, `unix_us`, `unix_ns`, the same four beginning with `timestamp_tz`, or a layout.
//!
//! # References
//! Telegraf's `internal.ParseTimestamp`.

use jiff::tz::TimeZone;

use super::{TimeLayout, TimeParseError};
use crate::metric::{Timestamp, Value};

/// How a time is written.
#[derive(Debug, Clone)]
pub struct TimeFormat(Kind);

#[derive(Debug, Clone)]
enum Kind {
    /// A number of these many nanoseconds since 1970.
    Unix { unit_nanos: i64 },
    /// The same, but counted on the clocks of the time zone.
    UnixInZone { unit_nanos: i64 },
    /// A text.
    Layout(TimeLayout),
}

/// A time as it stands in data.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum WrittenTime<'a> {
    /// A text.
    Text(&'a str),
    /// A number.
    Float(f64),
    /// A whole number.
    Integer(i64),
}

impl<'a> TryFrom<&'a Value> for WrittenTime<'a> {
    type Error = TimeError;

    fn try_from(value: &'a Value) -> Result<WrittenTime<'a>, TimeError> {
        match value {
            Value::String(text) => Ok(WrittenTime::Text(text)),
            Value::Float(value) => Ok(WrittenTime::Float(*value)),
            Value::Integer(value) => Ok(WrittenTime::Integer(*value)),
            Value::Unsigned(value) => {
                i64::try_from(*value).map(WrittenTime::Integer).map_err(|_| TimeError::Range)
            }
            Value::Boolean(_) => Err(TimeError::Type),
        }
    }
}

/// Why a value is no time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// It is neither text nor number, or not the one of both that the format asks for.
    #[error("unsupported type")]
    Type,
    /// It is a text that is no number.
    #[error("invalid number")]
    Number,
    /// It lies outside the years 1678 to 2262.
    #[error("value out of range")]
    Range,
    /// It is not of the layout.
    #[error(transparent)]
    Layout(TimeParseError),
}

/// The time zone that an option names: `Local`, an IANA name, or nothing for UTC.
///
/// # Errors
/// If the machine knows no such zone.
pub fn time_zone(name: &str) -> Result<TimeZone, UnknownZone> {
    match name {
        "" | "UTC" => Ok(TimeZone::UTC),
        "Local" => Ok(TimeZone::system()),
        name => TimeZone::get(name).map_err(|_| UnknownZone(name.to_owned())),
    }
}

/// A name that is none of a time zone on this machine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown time zone {0}")]
pub struct UnknownZone(String);

impl TimeFormat {
    /// Compiles a format; whatever is none of the words above is a layout or the name of one.
    pub fn new(format: &str) -> TimeFormat {
        let unit = |suffix: &str| match suffix {
            "" => Some(1_000_000_000),
            "_ms" => Some(1_000_000),
            "_us" => Some(1_000),
            "_ns" => Some(1),
            _ => None,
        };
        TimeFormat(if let Some(unit_nanos) = format.strip_prefix("unix").and_then(unit) {
            Kind::Unix { unit_nanos }
        } else if let Some(unit_nanos) = format.strip_prefix("timestamp_tz").and_then(unit) {
            Kind::UnixInZone { unit_nanos }
        } else {
            Kind::Layout(TimeLayout::new_or_named(format))
        })
    }

    /// Reads a time; one without a zone is in `zone`, one without a year in that of `now`.
    ///
    /// # Errors
    /// If it is not of this format, or outside the years that nanoseconds in 64 bits reach.
    pub fn read(
        &self,
        value: WrittenTime<'_>,
        zone: &TimeZone,
        now: Timestamp,
    ) -> Result<Timestamp, TimeError> {
        match (&self.0, value) {
            (Kind::Unix { unit_nanos }, value) => unix(value, *unit_nanos),
            (Kind::UnixInZone { unit_nanos }, value) => {
                let time = unix(value, *unit_nanos)?;
                let offset = zone.to_offset(civil(time)).seconds();
                Ok(Timestamp::from_nanos(time.nanos() - i64::from(offset) * 1_000_000_000))
            }
            (Kind::Layout(layout), WrittenTime::Text(text)) => {
                let year = civil(now).to_zoned(TimeZone::UTC).year();
                layout.parse(text, zone, year).map_err(TimeError::Layout)
            }
            (Kind::Layout(_), _) => Err(TimeError::Type),
        }
    }
}

fn civil(time: Timestamp) -> jiff::Timestamp {
    // Every number of nanoseconds that fits 64 bits is a time that jiff can hold.
    jiff::Timestamp::from_nanosecond(i128::from(time.nanos()))
        .unwrap_or(jiff::Timestamp::UNIX_EPOCH)
}

fn unix(value: WrittenTime<'_>, unit_nanos: i64) -> Result<Timestamp, TimeError> {
    match value {
        WrittenTime::Float(value) => from_float(value, unit_nanos),
        WrittenTime::Text(text) => from_text(text, unit_nanos),
        WrittenTime::Integer(value) => nanos(value, unit_nanos, 0),
    }
}

/// Takes the float as the exact number it is, so that whole and part do not blur each other.
fn from_float(value: f64, unit_nanos: i64) -> Result<Timestamp, TimeError> {
    if !value.is_finite() {
        return Err(TimeError::Number);
    }
    if value.abs() >= i64::MAX as f64 {
        return Err(TimeError::Range);
    }
    let whole = value.floor();
    nanos(whole as i64, unit_nanos, units_of(value - whole, unit_nanos))
}

/// How many whole nanoseconds `part`, which is at least zero and below one, of a unit comes to.
///
/// Floats would round 0.123456789, which is a little less than it looks, up again.
fn units_of(part: f64, unit_nanos: i64) -> i64 {
    const MANTISSA_BITS: u32 = 52;
    const BIAS: u32 = 1023;
    let bits = part.to_bits();
    let exponent = (bits >> MANTISSA_BITS) as u32;
    let mantissa = (bits & ((1 << MANTISSA_BITS) - 1)) | (1 << MANTISSA_BITS);
    if exponent == 0 {
        // Zero, or so little that no unit makes a nanosecond of it.
        return 0;
    }
    // The part is the mantissa divided by two to this power.
    let shift = BIAS + MANTISSA_BITS - exponent;
    let product = u128::from(mantissa) * u128::from(unit_nanos.unsigned_abs());
    product.checked_shr(shift).and_then(|nanos| i64::try_from(nanos).ok()).unwrap_or(0)
}

/// Reads digits with a point or comma before the part; blanks may separate thousands.
fn from_text(text: &str, unit_nanos: i64) -> Result<Timestamp, TimeError> {
    let text = text.replace(' ', "");
    let text = match (text.contains(','), text.contains('.')) {
        (true, false) => text.replacen(',', ".", 1),
        _ => text,
    };
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(&text)),
    };
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let is_number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() + part.len() == 0 || !is_number(whole) || !is_number(part) {
        // An exponent, perhaps.
        let value = text.parse().map_err(|_| TimeError::Number)?;
        return from_float(value, unit_nanos);
    }
    let whole: i64 = match whole {
        "" => 0,
        whole => whole.parse().map_err(|_| TimeError::Range)?,
    };
    let part = &part[..part.len().min(18)];
    let scale = 10_i128.pow(part.len() as u32);
    let scaled = part.parse::<i128>().unwrap_or(0) * i128::from(unit_nanos);
    if negative {
        // Towards the past, as a whole number of nanoseconds below.
        let part = i64::try_from(scaled.div_euclid(scale) + i128::from(scaled % scale > 0));
        nanos(-whole, unit_nanos, -part.map_err(|_| TimeError::Range)?)
    } else {
        let part = i64::try_from(scaled / scale).map_err(|_| TimeError::Range)?;
        nanos(whole, unit_nanos, part)
    }
}

fn nanos(whole: i64, unit_nanos: i64, part: i64) -> Result<Timestamp, TimeError> {
    whole
        .checked_mul(unit_nanos)
        .and_then(|nanos| nanos.checked_add(part))
        .map(Timestamp::from_nanos)
        .ok_or(TimeError::Range)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(format: &str, value: WrittenTime<'_>) -> Result<i64, TimeError> {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let now = Timestamp::from_seconds(1_700_000_000);
        TimeFormat::new(format).read(value, &zone, now).map(Timestamp::nanos)
    }

    #[test]
    fn numbers_and_texts_are_read_in_their_unit() {
        use WrittenTime::{Float, Integer, Text};
        for (format, value, nanos) in [
            ("unix", Integer(1_700_000_000), 1_700_000_000_000_000_000),
            ("unix", Float(1_700_000_000.5), 1_700_000_000_500_000_000),
            ("unix", Float(-1.5), -1_500_000_000),
            ("unix", Float(0.123456789), 123_456_788),
            ("unix", Float(5e-324), 0),
            ("unix", Text("1700000000.123456789"), 1_700_000_000_123_456_789),
            ("unix", Text("1 700 000 000,25"), 1_700_000_000_250_000_000),
            ("unix", Text("-0.25"), -250_000_000),
            ("unix", Text("1e3"), 1_000_000_000_000),
            ("unix_ms", Integer(1_700_000_000_123), 1_700_000_000_123_000_000),
            ("unix_ms", Float(1_700_000_000_123.0), 1_700_000_000_123_000_000),
            ("unix_us", Text("1.5"), 1_500),
            ("unix_ns", Text("1700000000123456789"), 1_700_000_000_123_456_789),
            ("unix_ns", Integer(-1), -1),
            ("timestamp_tz", Integer(1_700_000_000), 1_699_996_400_000_000_000),
            ("2006-01-02 15:04:05", Text("2023-11-14 23:13:20"), 1_700_000_000_000_000_000),
            ("RFC3339", Text("2023-11-14T22:13:20Z"), 1_700_000_000_000_000_000),
        ] {
            assert_eq!(read(format, value), Ok(nanos), "{format} {value:?}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        use WrittenTime::{Float, Integer, Text};
        assert_eq!(read("unix", Text("x")), Err(TimeError::Number));
        assert_eq!(read("unix", Text("")), Err(TimeError::Number));
        assert_eq!(read("unix", Float(1e18)), Err(TimeError::Range));
        assert_eq!(read("unix", Float(1e300)), Err(TimeError::Range));
        assert_eq!(read("unix", Integer(i64::MAX)), Err(TimeError::Range));
        assert_eq!(read("2006", Integer(2006)), Err(TimeError::Type));
        assert!(matches!(read("2006", Text("x")), Err(TimeError::Layout(_))));
        assert_eq!(WrittenTime::try_from(&Value::Boolean(true)), Err(TimeError::Type));
        assert_eq!(WrittenTime::try_from(&Value::Unsigned(u64::MAX)), Err(TimeError::Range));
    }
}
