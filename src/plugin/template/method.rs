//! What can be asked of metrics and times with `.Name` and the like.
//!
//! # References
//! Telegraf's `metric.go`; Go's package `time`.

use std::collections::BTreeMap;

use super::data::{Data, Dict};
use super::error::Reason;
use super::print::shown;
use crate::metric::{Field, Metric, Tag, ValueType};
use crate::plugin::TimeLayout;

/// The field, entry or method called `name` of a value.
pub(super) fn field<'a>(
    value: &Data<'a>,
    name: &str,
    arguments: &[Data<'a>],
) -> Result<Data<'a>, Reason> {
    let unknown = || Reason::NoField { field: name.to_owned(), kind: value.type_name() };
    let call = Method { name, arguments };
    match value {
        Data::Nil => Ok(Data::Nil),
        Data::Metric(metric) => of_metric(metric, &call)?.ok_or_else(unknown),
        Data::Dict(dict) if arguments.is_empty() => Ok(dict.get(name).unwrap_or(Data::Nil)),
        Data::Dict(_) => Err(Reason::Call {
            function: name.to_owned(),
            reason: "is not a method but has arguments".to_owned(),
        }),
        Data::Time(time) => of_time(time, &call)?.ok_or_else(unknown),
        Data::Span(nanos) => of_span(*nanos, &call)?.ok_or_else(unknown),
        Data::Month(_) | Data::Weekday(_) if name == "String" => {
            call.expect(0)?;
            Ok(Data::text(shown(value)))
        }
        _ => Err(unknown()),
    }
}

struct Method<'c, 'a> {
    name: &'c str,
    arguments: &'c [Data<'a>],
}

impl<'a> Method<'_, 'a> {
    fn expect(&self, want: usize) -> Result<(), Reason> {
        let got = self.arguments.len();
        if got == want {
            return Ok(());
        }
        Err(Reason::WrongCount { function: self.name.to_owned(), want, got, is_open: false })
    }

    fn with(&self, value: impl FnOnce() -> Data<'a>) -> Result<Option<Data<'a>>, Reason> {
        self.expect(0)?;
        Ok(Some(value()))
    }

    /// The only argument, a text.
    fn key(&self) -> Result<&str, Reason> {
        self.expect(1)?;
        match self.arguments.first() {
            Some(Data::Text(text)) => Ok(text),
            Some(Data::Nil) | None => Err(Reason::NoValue { expected: "string" }),
            Some(other) => Err(Reason::WrongType { expected: "string", found: other.type_name() }),
        }
    }

    fn time(&self) -> Result<&jiff::Zoned, Reason> {
        self.expect(1)?;
        match self.arguments.first() {
            Some(Data::Time(time)) => Ok(time),
            Some(Data::Nil) | None => Err(Reason::NoValue { expected: "time.Time" }),
            Some(other) => {
                Err(Reason::WrongType { expected: "time.Time", found: other.type_name() })
            }
        }
    }
}

fn of_metric<'a>(metric: &'a Metric, call: &Method<'_, 'a>) -> Result<Option<Data<'a>>, Reason> {
    match call.name {
        "Name" => call.with(|| Data::text(metric.name.as_str())),
        "Tag" => Ok(Some(Data::text(metric.tag(call.key()?).unwrap_or_default()))),
        "Field" => Ok(Some(metric.field(call.key()?).map_or(Data::Nil, Data::field))),
        "Tags" => call.with(|| Data::Dict(Dict::Tags(metric))),
        "Fields" => call.with(|| Data::Dict(Dict::Fields(metric))),
        "TagList" => call.with(|| {
            let pair = |tag: &'a Tag| pair(&tag.key, Data::text(tag.value.as_str()));
            Data::list(metric.tags().iter().map(pair).collect())
        }),
        "FieldList" => call.with(|| {
            let pair = |field: &'a Field| pair(&field.key, Data::field(&field.value));
            Data::list(metric.fields().iter().map(pair).collect())
        }),
        "Time" => call.with(|| Data::timestamp(metric.time)),
        "String" => call.with(|| Data::text(shown(&Data::Metric(metric)))),
        "HasTag" => Ok(Some(Data::Boolean(metric.tag(call.key()?).is_some()))),
        "HasField" => Ok(Some(Data::Boolean(metric.field(call.key()?).is_some()))),
        "Type" => call.with(|| {
            Data::Int(match metric.value_type {
                ValueType::Counter => 1,
                ValueType::Gauge => 2,
                ValueType::Untyped => 3,
                ValueType::Summary => 4,
                ValueType::Histogram => 5,
            })
        }),
        _ => Ok(None),
    }
}

/// An element of a list of tags or fields.
fn pair<'a>(key: &str, value: Data<'a>) -> Data<'a> {
    let key = ("Key".to_owned(), Data::text(key.to_owned()));
    Data::dict(BTreeMap::from([key, ("Value".to_owned(), value)]))
}

fn of_time<'a>(time: &jiff::Zoned, call: &Method<'_, 'a>) -> Result<Option<Data<'a>>, Reason> {
    let int = |value: i64| call.with(|| Data::Int(value));
    let integer =
        |value: i128| call.with(|| Data::Integer(i64::try_from(value).unwrap_or_default()));
    let nanos = time.timestamp().as_nanosecond();
    match call.name {
        "UTC" => call.with(|| Data::time(time.with_time_zone(jiff::tz::TimeZone::UTC))),
        "Local" => call.with(|| Data::time(time.with_time_zone(jiff::tz::TimeZone::system()))),
        "Year" => int(time.year().into()),
        "Month" => call.with(|| Data::Month(time.month())),
        "Day" => int(time.day().into()),
        "Hour" => int(time.hour().into()),
        "Minute" => int(time.minute().into()),
        "Second" => int(time.second().into()),
        "Nanosecond" => int(time.subsec_nanosecond().into()),
        "YearDay" => int(time.day_of_year().into()),
        "Weekday" => call.with(|| Data::Weekday(time.weekday().to_sunday_zero_offset())),
        "Unix" => integer(nanos.div_euclid(1_000_000_000)),
        "UnixMilli" => integer(nanos.div_euclid(1_000_000)),
        "UnixMicro" => integer(nanos.div_euclid(1_000)),
        "UnixNano" => integer(nanos),
        "Format" => Ok(Some(Data::text(TimeLayout::new(call.key()?).format(time)))),
        "String" => call.with(|| Data::text(shown(&Data::time(time.clone())))),
        "IsZero" => call.with(|| Data::Boolean(time.year() == 1 && time.day_of_year() == 1)),
        "Before" => Ok(Some(Data::Boolean(time < call.time()?))),
        "After" => Ok(Some(Data::Boolean(time > call.time()?))),
        "Equal" => Ok(Some(Data::Boolean(time.timestamp() == call.time()?.timestamp()))),
        "Sub" => {
            let span = nanos - call.time()?.timestamp().as_nanosecond();
            let longest = i128::from(i64::MIN)..=i128::from(i64::MAX);
            let clamped = span.clamp(*longest.start(), *longest.end());
            Ok(Some(Data::Span(i64::try_from(clamped).unwrap_or_default())))
        }
        _ => Ok(None),
    }
}

fn of_span<'a>(nanos: i64, call: &Method<'_, 'a>) -> Result<Option<Data<'a>>, Reason> {
    const SECOND: f64 = 1e9;
    // Whole units and the rest apart, so that no precision is lost.
    let in_units = |unit: i64| (nanos / unit) as f64 + (nanos % unit) as f64 / unit as f64;
    match call.name {
        "String" => call.with(|| Data::text(shown(&Data::Span(nanos)))),
        "Seconds" => call.with(|| Data::Float(in_units(SECOND as i64))),
        "Minutes" => call.with(|| Data::Float(in_units(60 * SECOND as i64))),
        "Hours" => call.with(|| Data::Float(in_units(3600 * SECOND as i64))),
        "Milliseconds" => call.with(|| Data::Integer(nanos / 1_000_000)),
        "Microseconds" => call.with(|| Data::Integer(nanos / 1_000)),
        "Nanoseconds" => call.with(|| Data::Integer(nanos)),
        _ => Ok(None),
    }
}
