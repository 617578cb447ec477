//! Spans of time as Telegraf writes them: Go's form, and days.
//!
//! # References
//! Go's `time.ParseDuration` and `Duration.String`; Telegraf's `config/types.go`.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

const UNITS: [(&str, i64); 9] = [
    // Longer names first: "ms" must not be taken for "m".
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
];

/// A span of time in settings: `"10s"`, `"1d12h"`, `10` or `"10"` or `2.5` for seconds; nanosecond
/// steps, up to 292 years, negative ones possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Duration(i64);

impl Duration {
    /// No time.
    pub const ZERO: Duration = Duration(0);

    /// Makes a span of whole seconds.
    pub const fn from_secs(seconds: i64) -> Duration {
        Duration(seconds.saturating_mul(1_000_000_000))
    }

    /// Makes a span of whole milliseconds.
    pub const fn from_millis(millis: i64) -> Duration {
        Duration(millis.saturating_mul(1_000_000))
    }

    /// Makes a span of nanoseconds.
    pub const fn from_nanos(nanos: i64) -> Duration {
        Duration(nanos)
    }

    /// The span in nanoseconds.
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// Whether it goes back in time.
    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }

    /// The span for waiting; negative ones are none.
    pub fn to_std(self) -> std::time::Duration {
        std::time::Duration::from_nanos(u64::try_from(self.0).unwrap_or(0))
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&format_duration(self.0))
    }
}

impl Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        struct Visitor;

        impl de::Visitor<'_> for Visitor {
            type Value = Duration;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration such as \"10s\", or a number of seconds")
            }

            fn visit_i64<E: de::Error>(self, seconds: i64) -> Result<Duration, E> {
                Ok(Duration::from_secs(seconds))
            }

            fn visit_f64<E: de::Error>(self, seconds: f64) -> Result<Duration, E> {
                if !seconds.is_finite() {
                    return Err(E::custom(format!("time: invalid duration \"{seconds}\"")));
                }
                Ok(Duration((seconds * 1e9) as i64))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Duration, E> {
                let text = text.trim();
                if text.is_empty() {
                    return Ok(Duration::ZERO);
                }
                if let Ok(seconds) = text.parse() {
                    return self.visit_i64(seconds);
                }
                if let Ok(seconds) = text.parse() {
                    return self.visit_f64(seconds);
                }
                parse_duration(text).map(Duration).map_err(E::custom)
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

/// Parses Go's form of a duration, days allowed, to nanoseconds.
///
/// # Errors
/// A message in Go's words if the text is no duration or does not fit.
pub fn parse_duration(text: &str) -> Result<i64, String> {
    let invalid = || format!("time: invalid duration {text:?}");
    let (negative, mut rest) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total: i128 = 0;
    while !rest.is_empty() {
        let number_end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, tail) = rest.split_at(number_end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
            return Err(invalid());
        }
        let unit_end = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_end);
        let Some((_, nanos)) = UNITS.iter().find(|(name, _)| *name == unit) else {
            return Err(if unit.is_empty() {
                format!("time: missing unit in duration {text:?}")
            } else {
                format!("time: unknown unit {unit:?} in duration {text:?}")
            });
        };
        let whole: i128 =
            if whole.is_empty() { 0 } else { whole.parse().map_err(|_| invalid())? };
        let nanos = i128::from(*nanos);
        total = whole
            .checked_mul(nanos)
            .and_then(|span| span.checked_add(fraction_of(fraction, nanos)))
            .and_then(|span| total.checked_add(span))
            .ok_or_else(invalid)?;
        rest = tail;
    }
    i64::try_from(if negative { -total } else { total }).map_err(|_| invalid())
}

/// What the digits behind the point of a number of `unit` nanoseconds come to.
fn fraction_of(digits: &str, unit: i128) -> i128 {
    // Eighteen digits are far below a nanosecond of any unit; more would only overflow.
    let digits = &digits[..digits.len().min(18)];
    let scale = 10_i128.pow(digits.len() as u32);
    digits.parse::<i128>().map_or(0, |fraction| fraction * unit / scale)
}

/// Formats nanoseconds in Go's form: `1m30s`, `250ms`, `1.5s`, `100µs`, `24h0m0s`, `0s`.
pub fn format_duration(nanos: i64) -> String {
    let sign = if nanos < 0 { "-" } else { "" };
    let nanos = nanos.unsigned_abs();
    let decimal = |unit: u64, name: &str| {
        let (whole, rest) = (nanos / unit, nanos % unit);
        let width = unit.ilog10() as usize;
        let fraction = format!("{rest:0width$}");
        match fraction.trim_end_matches('0') {
            "" => format!("{whole}{name}"),
            fraction => format!("{whole}.{fraction}{name}"),
        }
    };
    let text = match nanos {
        0 => "0s".to_owned(),
        1..1_000 => format!("{nanos}ns"),
        1_000..1_000_000 => decimal(1_000, "µs"),
        1_000_000..1_000_000_000 => decimal(1_000_000, "ms"),
        _ => {
            let minutes = nanos / 60_000_000_000;
            let seconds = Seconds(nanos % 60_000_000_000);
            match (minutes / 60, minutes % 60) {
                (0, 0) => format!("{seconds}"),
                (0, minutes) => format!("{minutes}m{seconds}"),
                (hours, minutes) => format!("{hours}h{minutes}m{seconds}"),
            }
        }
    };
    format!("{sign}{text}")
}

/// Nanoseconds below a minute, shown as seconds.
struct Seconds(u64);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0 / 1_000_000_000)?;
        match format!("{:09}", self.0 % 1_000_000_000).trim_end_matches('0') {
            "" => f.write_str("s"),
            fraction => write!(f, ".{fraction}s"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn gos_durations_and_days_are_read() {
        for (text, nanos) in [
            ("10s", 10_000_000_000),
            ("1d12h", 129_600_000_000_000),
            ("1.5h", 5_400_000_000_000),
            (".5s", 500_000_000),
            ("1.s", 1_000_000_000),
            ("100µs", 100_000),
            ("2us", 2_000),
            ("1h1m1s1ms1us1ns", 3_661_001_001_001),
            ("-3s", -3_000_000_000),
            ("+3s", 3_000_000_000),
            ("0", 0),
        ] {
            assert_eq!(parse_duration(text), Ok(nanos), "{text}");
        }
        for text in ["", "-", "10", "s", "1x", "1..s", ".s", "10s ", "9999999999h", "1s2"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn durations_are_shown_in_gos_form() {
        for (nanos, text) in [
            (0, "0s"),
            (90_000_000_000, "1m30s"),
            (3_600_000_000_000, "1h0m0s"),
            (86_400_000_000_000, "24h0m0s"),
            (250_000_000, "250ms"),
            (1_500_000_000, "1.5s"),
            (100_000, "100µs"),
            (52_716, "52.716µs"),
            (999, "999ns"),
            (-2_500_000_000, "-2.5s"),
        ] {
            assert_eq!(format_duration(nanos), text);
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(nanos in any::<i64>().prop_filter("i64::MIN has no positive twin", |n| *n != i64::MIN)) {
            prop_assert_eq!(parse_duration(&format_duration(nanos)), Ok(nanos));
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,40}") {
            let _ = parse_duration(&text);
        }
    }
}
