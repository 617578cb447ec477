//! Values as text, the way Go's `fmt` prints them.
//!
//! # References
//! Go's package `fmt`, "Printing".

use std::fmt::Write as _;

use super::data::{Data, Dict};
use crate::metric::Metric;
use crate::plugin::settings::format_duration;
use crate::plugin::{ShownFloat, TimeLayout};

/// Appends a value as `%v` prints it.
pub(super) fn push_value(out: &mut String, value: &Data<'_>) {
    match value {
        Data::Nil => out.push_str("<nil>"),
        Data::Boolean(value) => push(out, format_args!("{value}")),
        Data::Int(value) | Data::Integer(value) => push(out, format_args!("{value}")),
        Data::Unsigned(value) => push(out, format_args!("{value}")),
        Data::Byte(value) => push(out, format_args!("{value}")),
        Data::Float(value) => push(out, format_args!("{}", ShownFloat(*value))),
        Data::Text(text) => out.push_str(text),
        Data::List(list) => push_list(out, list.items.iter()),
        Data::Metrics(metrics) => {
            let metrics: Vec<_> = metrics.iter().map(Data::Metric).collect();
            push_list(out, metrics.iter());
        }
        Data::Dict(dict) => push_dict(out, dict),
        Data::Metric(metric) => push_metric(out, metric),
        Data::Time(time) => {
            out.push_str(&TimeLayout::new("2006-01-02 15:04:05.999999999 -0700 MST").format(time));
        }
        Data::Span(nanos) => out.push_str(&format_duration(*nanos)),
        Data::Month(month) => {
            out.push_str(MONTHS[usize::from(month.unsigned_abs().saturating_sub(1)) % 12]);
        }
        Data::Weekday(day) => out.push_str(WEEKDAYS[usize::from(day.unsigned_abs()) % 7]),
    }
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

const WEEKDAYS: [&str; 7] =
    ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// The text of a value as `%v` prints it.
pub(super) fn shown(value: &Data<'_>) -> String {
    let mut text = String::new();
    push_value(&mut text, value);
    text
}

fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = out.write_fmt(text);
}

fn push_list<'d, 'a: 'd>(out: &mut String, items: impl Iterator<Item = &'d Data<'a>>) {
    out.push('[');
    for (at, item) in items.enumerate() {
        if at > 0 {
            out.push(' ');
        }
        push_value(out, item);
    }
    out.push(']');
}

fn push_dict(out: &mut String, dict: &Dict<'_>) {
    out.push_str("map[");
    for (at, (key, value)) in dict.entries().iter().enumerate() {
        if at > 0 {
            out.push(' ');
        }
        out.push_str(key);
        out.push(':');
        push_value(out, value);
    }
    out.push(']');
}

fn push_metric(out: &mut String, metric: &Metric) {
    out.push_str(&metric.name);
    out.push(' ');
    push_dict(out, &Dict::Tags(metric));
    out.push(' ');
    push_dict(out, &Dict::Fields(metric));
    push(out, format_args!(" {}", metric.time.nanos()));
}
