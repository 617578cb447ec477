//! Sprig's functions of dates.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Zoned};

use super::super::data::Data;
use super::super::error::Reason;
use super::{Call, Function, takes};
use crate::metric::Timestamp;
use crate::plugin::TimeLayout;
use crate::plugin::settings::{format_duration, parse_duration};

pub(super) const FUNCTIONS: &[Function] = &[
    takes(1, "ago", |call| {
        let since = call.world.system.clock.now().nanos().saturating_sub(nanos(&time(call, 0)?));
        // Halves of a second are rounded away from zero.
        let seconds = (since / 500_000_000 + since.signum()) / 2;
        Ok(Data::text(format_duration(seconds * 1_000_000_000)))
    }),
    takes(2, "date", |call| in_zone(call, call.text(0)?, 1, TimeZone::system())),
    takes(3, "date_in_zone", |call| in_zone(call, call.text(0)?, 1, zone(call.text(2)?))),
    takes(3, "dateInZone", |call| in_zone(call, call.text(0)?, 1, zone(call.text(2)?))),
    takes(1, "htmlDate", |call| in_zone(call, "2006-01-02", 0, TimeZone::system())),
    takes(2, "htmlDateInZone", |call| in_zone(call, "2006-01-02", 0, zone(call.text(1)?))),
    takes(2, "date_modify", |call| modify(call, |_, time| Ok(time))),
    takes(2, "dateModify", |call| modify(call, |_, time| Ok(time))),
    takes(2, "must_date_modify", |call| modify(call, |reason, _| Err(reason))),
    takes(2, "mustDateModify", |call| modify(call, |reason, _| Err(reason))),
    takes(1, "duration", |call| {
        let seconds: i64 = match call.value(0) {
            Data::Text(text) => text.parse().unwrap_or(0),
            Data::Integer(seconds) => *seconds,
            _ => 0,
        };
        Ok(Data::text(format_duration(seconds.saturating_mul(1_000_000_000))))
    }),
    takes(1, "durationRound", |call| {
        let span = match call.value(0) {
            Data::Text(text) => parse_duration(text).unwrap_or(0),
            Data::Integer(span) => *span,
            Data::Time(time) => call.world.system.clock.now().nanos().saturating_sub(nanos(time)),
            _ => 0,
        };
        Ok(Data::text(coarse(span.unsigned_abs() / 1_000_000_000)))
    }),
    takes(2, "toDate", |call| {
        let time = parse(call).unwrap_or_else(|_| zero());
        Ok(Data::time(time))
    }),
    takes(2, "mustToDate", |call| parse(call).map(Data::time)),
    takes(0, "now", |call| {
        let now = instant(call.world.system.clock.now());
        Ok(Data::time(now.with_time_zone(TimeZone::system())))
    }),
    takes(1, "unixEpoch", |call| match call.value(0) {
        Data::Time(time) => Ok(Data::text(time.timestamp().as_second().to_string())),
        other => Err(super::wrong_type("time.Time", other)),
    }),
];

fn instant(time: Timestamp) -> Zoned {
    // Every number of nanoseconds that fits 64 bits is a time that jiff can hold.
    jiff::Timestamp::from_nanosecond(i128::from(time.nanos()))
        .unwrap_or(jiff::Timestamp::UNIX_EPOCH)
        .to_zoned(TimeZone::UTC)
}

/// Go's zero time.
fn zero() -> Zoned {
    let date = jiff::civil::date(1, 1, 1).to_datetime(jiff::civil::Time::midnight());
    date.to_zoned(TimeZone::UTC).unwrap_or_default()
}

fn nanos(time: &Zoned) -> i64 {
    i64::try_from(time.timestamp().as_nanosecond()).unwrap_or(i64::MIN)
}

/// A time zone by its name; an unknown one is UTC.
fn zone(name: &str) -> TimeZone {
    match name {
        "Local" => TimeZone::system(),
        "" | "UTC" => TimeZone::UTC,
        name => TimeZone::get(name).unwrap_or(TimeZone::UTC),
    }
}

/// An argument as a time: itself, seconds since 1970, or else now.
fn time(call: &Call<'_, '_>, at: usize) -> Result<Zoned, Reason> {
    Ok(match call.value(at) {
        Data::Time(time) => time.as_ref().clone(),
        Data::Int(seconds) | Data::Integer(seconds) => instant(Timestamp::from_seconds(*seconds)),
        _ => instant(call.world.system.clock.now()),
    })
}

fn in_zone<'a>(
    call: &Call<'_, 'a>,
    layout: &str,
    at: usize,
    zone: TimeZone,
) -> Result<Data<'a>, Reason> {
    let time = time(call, at)?.with_time_zone(zone);
    Ok(Data::text(TimeLayout::new(layout).format(&time)))
}

fn modify<'a>(
    call: &Call<'_, 'a>,
    otherwise: fn(Reason, Data<'a>) -> Result<Data<'a>, Reason>,
) -> Result<Data<'a>, Reason> {
    let Data::Time(time) = call.value(1) else {
        return Err(super::wrong_type("time.Time", call.value(1)));
    };
    match parse_duration(call.text(0)?) {
        Ok(span) => {
            let moved = time.checked_add(SignedDuration::from_nanos(span));
            moved.map(Data::time).map_err(|error| call.failure(error.to_string()))
        }
        Err(reason) => otherwise(call.failure(reason), call.value(1).clone()),
    }
}

fn parse(call: &Call<'_, '_>) -> Result<Zoned, Reason> {
    let (layout, text) = (call.text(0)?, call.text(1)?);
    let zone = TimeZone::system();
    // Go leaves what a layout lacks at the first of January of year zero, which is no help here.
    let time = TimeLayout::new(layout).parse(text, &zone, 1970);
    let time = time.map_err(|error| call.failure(error.to_string()))?;
    Ok(instant(time).with_time_zone(zone))
}

/// The largest unit of a span, and how many of it.
fn coarse(seconds: u64) -> String {
    const DAY: u64 = 24 * 3600;
    let units = [(365 * DAY, "y"), (30 * DAY, "mo"), (DAY, "d"), (3600, "h"), (60, "m"), (1, "s")];
    match units.iter().find(|(size, _)| seconds > *size || (*size == 1 && seconds == 1)) {
        Some((size, unit)) => format!("{}{unit}", seconds / size),
        None => "0s".to_owned(),
    }
}
