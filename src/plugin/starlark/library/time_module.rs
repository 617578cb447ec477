//! The module `time.star`, and the methods of times.

use std::sync::Arc;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, Zoned};

use super::super::failure::{Failure, Outcome, fail};
use super::super::run::Machine;
use super::super::value::Value;
use super::call::{Call, want, whole};
use super::{Builtin, Module, find};
use crate::plugin::settings;
use crate::plugin::{TimeLayout, time_zone};

/// The module.
pub(super) static MODULE: Module = Module {
    name: "time",
    member: |name| {
        Some(Value::Duration(match name {
            "nanosecond" => 1,
            "microsecond" => 1_000,
            "millisecond" => 1_000_000,
            "second" => 1_000_000_000,
            "minute" => 60_000_000_000,
            "hour" => 3_600_000_000_000,
            _ => return find(FUNCTIONS, name).map(Value::Builtin),
        }))
    },
    names: &[
        "from_timestamp",
        "hour",
        "is_valid_timezone",
        "microsecond",
        "millisecond",
        "minute",
        "nanosecond",
        "now",
        "parse_duration",
        "parse_time",
        "second",
        "time",
    ],
};

/// Its functions, by name.
pub(super) static FUNCTIONS: &[Builtin] = &[
    Builtin { name: "from_timestamp", run: from_timestamp },
    Builtin { name: "is_valid_timezone", run: is_valid_timezone },
    Builtin { name: "now", run: now },
    Builtin { name: "parse_duration", run: parse_duration },
    Builtin { name: "parse_time", run: parse_time },
    Builtin { name: "time", run: time },
];

/// The methods of a time, by name.
pub(crate) static METHODS: &[Builtin] =
    &[Builtin { name: "format", run: format }, Builtin { name: "in_location", run: in_location }];

fn value(time: Zoned) -> Value {
    Value::Time(Arc::new(time))
}

fn zone(name: &str) -> Outcome<TimeZone> {
    time_zone(name).map_err(|error| Failure::new(error.to_string()))
}

fn out_of_range() -> Failure {
    Failure::new("time out of range")
}

fn from_timestamp(_: &mut Machine, call: Call<'_>) -> Outcome {
    call.expect(1, 2)?;
    let nanos = i128::from(call.whole(0, 0)?) * 1_000_000_000 + i128::from(call.whole(1, 0)?);
    let instant = Timestamp::from_nanosecond(nanos).map_err(|_| out_of_range())?;
    Ok(value(instant.to_zoned(TimeZone::system())))
}

fn now(machine: &mut Machine, _: Call<'_>) -> Outcome {
    let nanos = machine.surroundings.clock.now().nanos();
    let instant = Timestamp::from_nanosecond(nanos.into()).map_err(|_| out_of_range())?;
    Ok(value(instant.to_zoned(TimeZone::system())))
}

fn is_valid_timezone(_: &mut Machine, call: Call<'_>) -> Outcome {
    call.expect(1, 1)?;
    Ok(Value::Bool(time_zone(call.text(0)?).is_ok()))
}

fn parse_duration(_: &mut Machine, call: Call<'_>) -> Outcome {
    call.expect(1, 1)?;
    match call.value(0) {
        span @ Value::Duration(_) => Ok(span.clone()),
        Value::Str(text) if text.contains('d') => {
            // The options of plugins may say days; Go may not.
            let unit = "time: unknown unit \"d\" in duration";
            Err(call.wrong(0, &format!("{unit} \"{text}\"")))
        }
        Value::Str(text) => match settings::parse_duration(text) {
            Ok(nanos) => Ok(Value::Duration(nanos)),
            Err(words) => Err(call.wrong(0, &words)),
        },
        other => Err(call.wrong(0, &want(other, "a duration, string, or int"))),
    }
}

fn parse_time(_: &mut Machine, call: Call<'_>) -> Outcome {
    let [text, layout, location] = call.unpack(["x", "format?", "location?"])?;
    let text = call.named_text("x", text, "")?;
    let layout = call.named_text("format?", layout, "2006-01-02T15:04:05Z07:00")?;
    let location = call.named_text("location?", location, "UTC")?;
    // A time without a year is in the year 0.
    match TimeLayout::new(&layout).parse_zoned(&text, &zone(&location)?, 0) {
        Ok(time) => Ok(value(time)),
        Err(error) => fail!("{error}"),
    }
}

/// A time of its parts, of which each may be beyond its usual range.
fn time(_: &mut Machine, call: Call<'_>) -> Outcome {
    const PARTS: [&str; 7] = ["year", "month", "day", "hour", "minute", "second", "nanosecond"];
    let [year, month, day, hour, minute, second, nanos, location] = call.unpack([
        "year?",
        "month?",
        "day?",
        "hour?",
        "minute?",
        "second?",
        "nanosecond?",
        "location?",
    ])?;
    let mut parts = [0_i64; 7];
    let given = [year, month, day, hour, minute, second, nanos];
    for ((part, given), name) in parts.iter_mut().zip(given).zip(PARTS) {
        if let Some(given) = given {
            *part = whole(&given)
                .map_err(|failure| failure.within(&format!("time: for parameter \"{name}\"")))?;
        }
    }
    let location = call.named_text("location?", location, "")?;
    if !call.positional.is_empty() {
        fail!("time: unexpected positional arguments")
    }
    let zone = zone(&location)?;
    let [year, month, day, hour, minute, second, nanos] = parts;
    let months = year.saturating_mul(12).saturating_add(month).saturating_sub(1);
    let first = i16::try_from(months.div_euclid(12))
        .ok()
        .and_then(|year| Date::new(year, months.rem_euclid(12) as i8 + 1, 1).ok())
        .ok_or_else(out_of_range)?;
    let seconds = i128::from(day - 1) * 86_400
        + i128::from(hour) * 3_600
        + i128::from(minute) * 60
        + i128::from(second);
    let nanos = seconds * 1_000_000_000 + i128::from(nanos);
    let (seconds, rest) = (nanos.div_euclid(1_000_000_000), nanos.rem_euclid(1_000_000_000));
    let seconds = i64::try_from(seconds).map_err(|_| out_of_range())?;
    DateTime::from_parts(first, Time::midnight())
        .checked_add(SignedDuration::new(seconds, rest as i32))
        .and_then(|civil| civil.to_zoned(zone))
        .map(value)
        .map_err(|_| out_of_range())
}

fn format(_: &mut Machine, call: Call<'_>) -> Outcome {
    call.expect(1, 1)?;
    let layout = TimeLayout::new(call.text(0)?);
    match call.receiver {
        Value::Time(time) => Ok(Value::text(layout.format(time))),
        _ => Ok(Value::None),
    }
}

fn in_location(_: &mut Machine, call: Call<'_>) -> Outcome {
    call.expect(1, 1)?;
    let zone = zone(call.text(0)?)?;
    match call.receiver {
        Value::Time(time) => Ok(value(time.with_time_zone(zone))),
        _ => Ok(Value::None),
    }
}
