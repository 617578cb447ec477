//! Writing times.

use std::fmt::Write;

use jiff::Zoned;
use jiff::tz::TimeZone;

use super::{Colons, Element, MONTHS, OffsetPrecision, TimeLayout, UtcForm, WEEKDAYS};
use crate::metric::Timestamp;

impl TimeLayout {
    /// Writes a time in UTC.
    pub fn format_utc(&self, time: Timestamp) -> String {
        // Every number of nanoseconds that fits 64 bits is a time that jiff can hold.
        let utc = jiff::Timestamp::from_nanosecond(i128::from(time.nanos()))
            .unwrap_or(jiff::Timestamp::UNIX_EPOCH)
            .to_zoned(TimeZone::UTC);
        self.format(&utc)
    }

    /// Writes a time in its own time zone.
    pub fn format(&self, time: &Zoned) -> String {
        let mut out = String::with_capacity(self.text.len() + 8);
        for item in &self.items {
            let written = match item.element {
                None => out.write_str(&item.text),
                Some(element) => write_element(&mut out, element, &item.text, time),
            };
            // Writing to a string cannot fail.
            debug_assert!(written.is_ok());
        }
        out
    }
}

fn write_element(out: &mut String, element: Element, text: &str, time: &Zoned) -> std::fmt::Result {
    let month = MONTHS[usize::from(time.month().unsigned_abs() - 1) % 12];
    let weekday = WEEKDAYS[usize::from(time.weekday().to_monday_zero_offset().unsigned_abs()) % 7];
    let hour12 = match time.hour() % 12 {
        0 => 12,
        hour => hour,
    };
    let nanos = time.subsec_nanosecond();
    match element {
        Element::LongMonth => out.write_str(month),
        Element::Month => out.write_str(&month[..3]),
        Element::NumMonth => write!(out, "{}", time.month()),
        Element::ZeroMonth => write!(out, "{:02}", time.month()),
        Element::LongWeekday => out.write_str(weekday),
        Element::Weekday => out.write_str(&weekday[..3]),
        Element::Day => write!(out, "{}", time.day()),
        Element::UnderDay => write!(out, "{:2}", time.day()),
        Element::ZeroDay => write!(out, "{:02}", time.day()),
        Element::UnderYearDay => write!(out, "{:3}", time.day_of_year()),
        Element::ZeroYearDay => write!(out, "{:03}", time.day_of_year()),
        Element::Hour => write!(out, "{:02}", time.hour()),
        Element::Hour12 => write!(out, "{hour12}"),
        Element::ZeroHour12 => write!(out, "{hour12:02}"),
        Element::Minute => write!(out, "{}", time.minute()),
        Element::ZeroMinute => write!(out, "{:02}", time.minute()),
        Element::Second => write!(out, "{}", time.second()),
        Element::ZeroSecond => write!(out, "{:02}", time.second()),
        Element::LongYear => write!(out, "{:04}", time.year()),
        Element::Year => write!(out, "{:02}", time.year().rem_euclid(100)),
        Element::UpperPm => out.write_str(if time.hour() < 12 { "AM" } else { "PM" }),
        Element::LowerPm => out.write_str(if time.hour() < 12 { "am" } else { "pm" }),
        Element::ZoneName => {
            let zone = time.time_zone();
            if zone.to_fixed_offset().is_ok_and(|offset| !offset.is_zero()) {
                // An offset alone has no name.
                let precision = OffsetPrecision::Minutes;
                return write_offset(out, time.offset().seconds(), precision, Colons::Without);
            }
            out.write_str(zone.to_offset_info(time.timestamp()).abbreviation())
        }
        Element::Offset { utc: UtcForm::Z, .. } if time.offset().is_zero() => out.write_str("Z"),
        Element::Offset { precision, colons, .. } => {
            write_offset(out, time.offset().seconds(), precision, colons)
        }
        Element::FractionZeros(count) => {
            let digits = format!("{nanos:09}");
            let digits = &digits[..count.min(9)];
            write!(out, "{}{digits}{}", &text[..1], "0".repeat(count.saturating_sub(9)))
        }
        Element::FractionNines(count) => {
            let digits = format!("{nanos:09}");
            match digits[..count.min(9)].trim_end_matches('0') {
                "" => Ok(()),
                digits => write!(out, "{}{digits}", &text[..1]),
            }
        }
    }
}

fn write_offset(
    out: &mut String,
    offset_seconds: i32,
    precision: OffsetPrecision,
    colons: Colons,
) -> std::fmt::Result {
    let sign = if offset_seconds < 0 { '-' } else { '+' };
    let size = offset_seconds.unsigned_abs();
    let colon = if colons == Colons::With { ":" } else { "" };
    write!(out, "{sign}{:02}", size / 3600)?;
    if precision != OffsetPrecision::Hours {
        write!(out, "{colon}{:02}", size / 60 % 60)?;
    }
    if precision == OffsetPrecision::Seconds {
        write!(out, "{colon}{:02}", size % 60)?;
    }
    Ok(())
}
