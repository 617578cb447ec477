//! How a row's time is written.

use std::io::Write;

use jiff::tz::TimeZone;

use super::cell::push_text;
use crate::metric::Timestamp;
use crate::plugin::TimeLayout;

/// A form for times, and the time zone that they are told in.
#[derive(Debug, Clone)]
pub struct TimeFormat {
    form: Form,
    zone: TimeZone,
}

#[derive(Debug, Clone)]
enum Form {
    /// As RFC 3339 has it, always with nine digits behind the second.
    ///
    /// Programs that read CSV guess the form of a column by its first rows; a fraction that comes
    /// and goes confuses them.
    Rfc3339,
    /// A whole number of these many nanoseconds since 1970.
    Unix { unit_nanos: i64 },
    /// As Go's example time would be written.
    Layout(TimeLayout),
    /// With the conversions of `strftime`.
    Conversions(String),
}

/// Why a text is no form for times.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TimeFormatError {
    /// No part of a time is in it.
    #[error(
        "{0:?} is no form for times: it is rfc3339, unix, unix_ms, unix_us, unix_ns, an example such as \
         \"2006-01-02 15:04:05\", or conversions such as \"%Y-%m-%d %H:%M:%S\""
    )]
    Constant(String),
    /// One of its conversions is unknown.
    #[error("{format:?} is no form for times: {reason}")]
    Conversion {
        /// The text.
        format: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl Default for TimeFormat {
    fn default() -> TimeFormat {
        TimeFormat { form: Form::Rfc3339, zone: TimeZone::UTC }
    }
}

impl TimeFormat {
    /// As RFC 3339 has it, in a time zone.
    pub fn rfc3339(zone: TimeZone) -> TimeFormat {
        TimeFormat { form: Form::Rfc3339, zone }
    }

    /// Compiles a form; times are told in `zone` where the form tells of hours.
    ///
    /// # Errors
    /// If it is none.
    pub fn new(format: &str, zone: TimeZone) -> Result<TimeFormat, TimeFormatError> {
        let form = match format {
            "rfc3339" => Form::Rfc3339,
            "unix" => Form::Unix { unit_nanos: 1_000_000_000 },
            "unix_ms" => Form::Unix { unit_nanos: 1_000_000 },
            "unix_us" => Form::Unix { unit_nanos: 1_000 },
            "unix_ns" => Form::Unix { unit_nanos: 1 },
            conversions if conversions.contains('%') => {
                let wrong = |reason: jiff::Error| TimeFormatError::Conversion {
                    format: format.to_owned(),
                    reason: reason.to_string(),
                };
                jiff::fmt::strtime::format(conversions, &zoned(Timestamp::EPOCH, &zone))
                    .map_err(wrong)?;
                Form::Conversions(conversions.to_owned())
            }
            layout => Form::Layout(TimeLayout::new_or_named(layout)),
        };
        let format_of = TimeFormat { form, zone };
        // Two times that have nothing in common.
        let times = [1_111_111_111_123_456_789, 1_734_567_890_987_654_321].map(|nanos| {
            let mut text = Vec::new();
            format_of.push(&mut text, Timestamp::from_nanos(nanos));
            text
        });
        if times[0] == times[1] {
            return Err(TimeFormatError::Constant(format.to_owned()));
        }
        Ok(format_of)
    }

    fn push(&self, out: &mut Vec<u8>, time: Timestamp) {
        match &self.form {
            Form::Rfc3339 => {
                let zoned = zoned(time, &self.zone);
                let text = zoned.strftime("%Y-%m-%dT%H:%M:%S.%9f");
                // Writing to memory cannot fail.
                let written = write!(out, "{text}");
                debug_assert!(written.is_ok());
                push_offset(out, zoned.offset().seconds());
            }
            Form::Unix { unit_nanos } => {
                let units = time.nanos().div_euclid(*unit_nanos);
                out.extend_from_slice(itoa::Buffer::new().format(units).as_bytes());
            }
            Form::Layout(layout) => {
                out.extend_from_slice(layout.format(&zoned(time, &self.zone)).as_bytes());
            }
            Form::Conversions(format) => {
                // What the form was compiled with has shown that it can be written.
                let zoned = zoned(time, &self.zone);
                let text = jiff::fmt::strtime::format(format, &zoned).unwrap_or_default();
                out.extend_from_slice(text.as_bytes());
            }
        }
    }
}

fn zoned(time: Timestamp, zone: &TimeZone) -> jiff::Zoned {
    // Every number of nanoseconds that fits 64 bits is a time that jiff can hold.
    jiff::Timestamp::from_nanosecond(i128::from(time.nanos()))
        .unwrap_or(jiff::Timestamp::UNIX_EPOCH)
        .to_zoned(zone.clone())
}

fn push_offset(out: &mut Vec<u8>, offset_seconds: i32) {
    if offset_seconds == 0 {
        out.push(b'Z');
        return;
    }
    let sign = if offset_seconds < 0 { '-' } else { '+' };
    let minutes = offset_seconds.unsigned_abs() / 60;
    let written = write!(out, "{sign}{:02}:{:02}", minutes / 60, minutes % 60);
    debug_assert!(written.is_ok());
}

/// Writes times, most of which are of the same second as the one before.
#[derive(Debug)]
pub(super) struct TimeWriter {
    format: TimeFormat,
    /// The last time and how it is written; texts of RFC 3339 are kept of the whole second.
    last: Option<(i64, Vec<u8>)>,
}

/// Where the digits of the fraction stand in a text of RFC 3339 of the years that there are.
const FRACTION: std::ops::Range<usize> = 20..29;

impl TimeWriter {
    pub(super) fn new(format: TimeFormat) -> TimeWriter {
        TimeWriter { format, last: None }
    }

    /// Appends a time as a cell.
    pub(super) fn push_cell(&mut self, out: &mut Vec<u8>, time: Timestamp) {
        match self.format.form {
            Form::Unix { .. } => self.format.push(out, time),
            Form::Rfc3339 => {
                let start = out.len();
                out.extend_from_slice(self.text(time.seconds(), time));
                let mut rest = time.nanos().rem_euclid(1_000_000_000);
                for digit in out[start..][FRACTION].iter_mut().rev() {
                    // One decimal digit each.
                    *digit = b'0' + (rest % 10) as u8;
                    rest /= 10;
                }
            }
            Form::Layout(_) | Form::Conversions(_) => {
                push_text(out, &String::from_utf8_lossy(self.text(time.nanos(), time)));
            }
        }
    }

    /// The text of a time, made anew if it is not that of `key`.
    fn text(&mut self, key: i64, time: Timestamp) -> &[u8] {
        let (last, text) = self.last.get_or_insert_with(|| (key.wrapping_add(1), Vec::new()));
        if *last != key {
            text.clear();
            self.format.push(text, time);
            *last = key;
        }
        text
    }
}

/// The time that a number stands for whose unit nobody tells: seconds, milliseconds, microseconds
/// or nanoseconds since 1970, by its size.
///
/// The bounds lie in 1973 and 5138 for all units, so that every time of our days is read right.
pub(super) fn by_size(number: i64) -> Timestamp {
    const BOUND: u64 = 100_000_000_000;
    let unit_nanos = match number.unsigned_abs() {
        size if size < BOUND => 1_000_000_000,
        size if size < BOUND * 1_000 => 1_000_000,
        size if size < BOUND * 1_000_000 => 1_000,
        _ => 1,
    };
    Timestamp::from_nanos(number.saturating_mul(unit_nanos))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(format: &str, zone: &str, nanos: i64) -> String {
        let zone = TimeZone::get(zone).unwrap();
        let mut writer = TimeWriter::new(TimeFormat::new(format, zone).unwrap());
        let mut out = Vec::new();
        // What is kept from one time to the next must not show.
        for nanos in [nanos ^ 1, nanos, 0, nanos] {
            out.clear();
            writer.push_cell(&mut out, Timestamp::from_nanos(nanos));
        }
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn times_are_written_as_asked_for() {
        for (format, zone, nanos, text) in [
            ("rfc3339", "UTC", 1_700_000_000_123_456_789, "2023-11-14T22:13:20.123456789Z"),
            ("rfc3339", "UTC", 1_700_000_000_000_000_000, "2023-11-14T22:13:20.000000000Z"),
            (
                "rfc3339",
                "Asia/Kolkata",
                1_700_000_000_500_000_000,
                "2023-11-15T03:43:20.500000000+05:30",
            ),
            (
                "rfc3339",
                "America/New_York",
                1_700_000_000_000_000_001,
                "2023-11-14T17:13:20.000000001-05:00",
            ),
            ("rfc3339", "UTC", -1, "1969-12-31T23:59:59.999999999Z"),
            ("unix", "Europe/Berlin", 1_700_000_000_999_999_999, "1700000000"),
            ("unix_ms", "UTC", -1, "-1"),
            ("unix_us", "UTC", 1_700_000_000_123_456_789, "1700000000123456"),
            ("unix_ns", "UTC", 1_700_000_000_123_456_789, "1700000000123456789"),
            (
                "2006-01-02 15:04:05",
                "Europe/Berlin",
                1_700_000_000_000_000_000,
                "2023-11-14 23:13:20",
            ),
            ("RFC3339", "UTC", 1_700_000_000_123_456_789, "2023-11-14T22:13:20Z"),
            ("%d.%m.%Y, %H:%M", "UTC", 1_700_000_000_000_000_000, "\"14.11.2023, 22:13\""),
        ] {
            assert_eq!(written(format, zone, nanos), text, "{format} in {zone}");
        }
    }

    #[test]
    fn what_is_no_form_is_refused_with_what_would_be() {
        let wrong = |format: &str| TimeFormat::new(format, TimeZone::UTC).unwrap_err().to_string();
        assert!(wrong("iso").contains("rfc3339, unix"), "{}", wrong("iso"));
        assert!(wrong("").contains("2006-01-02"), "{}", wrong(""));
        assert!(wrong("%Y-%!").contains("\"%Y-%!\""), "{}", wrong("%Y-%!"));
    }

    #[test]
    fn numbers_without_a_unit_are_taken_by_their_size() {
        let nanos = 1_700_000_000_000_000_000;
        for number in [1_700_000_000, 1_700_000_000_000, 1_700_000_000_000_000, nanos] {
            assert_eq!(by_size(number).nanos(), nanos, "{number}");
        }
        assert_eq!(by_size(0), Timestamp::EPOCH);
        assert_eq!(by_size(i64::MIN).nanos(), i64::MIN);
    }

    proptest! {
        #[test]
        fn every_time_is_read_back_as_it_was(nanos in any::<i64>()) {
            let text = written("rfc3339", "Europe/Berlin", nanos);
            let read: jiff::Timestamp = text.parse().unwrap();
            // Offsets of local mean time have seconds, which RFC 3339 cannot tell.
            if nanos > 0 {
                prop_assert_eq!(read.as_nanosecond(), i128::from(nanos));
            }
            prop_assert_eq!(written("unix_ns", "UTC", nanos), nanos.to_string());
        }
    }
}
