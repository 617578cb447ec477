//! Parses Graphite's plain text: a line of name, value and time becomes a metric, and templates take
//! the name apart.
//!
//! # References
//! Telegraf's `graphite` parser; Graphite's "Feeding in your data" and "Graphite Tag Support".

use std::sync::Arc;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use crate::metric::{Metric, Timestamp};
use crate::plugin::go::{NumberError, parse_float};
use crate::plugin::{
    Build, BuildError, Context, Declaration, NameTemplates, Parser, PluginError, Quoted,
};
use crate::system::Clock;

/// The parser as the table lists it.
pub static PLUGIN: Declaration<dyn Parser> =
    Declaration::new::<Config>("graphite", include_str!("sample.conf"));

/// The time that stands for now.
const NOW: f64 = -1.0;

/// 13 December 1901, the first second that is taken, since 1970.
const FIRST_SECOND: f64 = -2_147_558_400.0;

/// 19 January 2038, the last one.
const LAST_SECOND: f64 = 2_147_472_000.0;

/// The options beside `data_format = "graphite"`.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default)]
pub struct Config {
    /// What joins parts of a name that belong together.
    pub separator: String,
    /// How names are taken apart.
    pub templates: Vec<String>,
}

impl Default for Config {
    fn default() -> Config {
        Config { separator: ".".to_owned(), templates: Vec::new() }
    }
}

impl Build<dyn Parser> for Config {
    fn build(self, context: &Context<'_>) -> Result<Box<dyn Parser>, BuildError> {
        let joiner = if self.separator.is_empty() { "." } else { &self.separator };
        let templates = NameTemplates::new(&self.templates, joiner).map_err(|error| {
            BuildError::invalid(format!("creating template engine failed: {error}"))
        })?;
        Ok(Box::new(Graphite { templates, clock: context.system.clock.clone() }))
    }
}

/// What is wrong with a line.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// It has too few or too many words.
    #[error("received {} which doesn't have required fields", Quoted::new(.0))]
    Words(String),
    /// The value is none.
    #[error("field {} value: {source}", Quoted::new(.name))]
    Value {
        /// The name.
        name: String,
        /// Why not.
        source: NumberError,
    },
    /// The time is none.
    #[error("field {} time: {source}", Quoted::new(.name))]
    Time {
        /// The name.
        name: String,
        /// Why not.
        source: NumberError,
    },
    /// The time is too far from today.
    #[error("timestamp out of range")]
    Range,
}

/// A parser of Graphite's plain text.
struct Graphite {
    templates: NameTemplates,
    clock: Arc<dyn Clock>,
}

impl Parser for Graphite {
    fn parse(&mut self, input: &[u8]) -> Result<Vec<Metric>, PluginError> {
        let text = String::from_utf8_lossy(input);
        let (mut metrics, mut errors) = (Vec::new(), Vec::new());
        for line in text.split('\n').map(str::trim).filter(|line| !line.is_empty()) {
            match self.metric(line) {
                Ok(metric) => metrics.push(metric),
                Err(error) => errors.push(error.to_string()),
            }
        }
        // Telegraf names every bad line.
        if errors.is_empty() { Ok(metrics) } else { Err(errors.join("\n").into()) }
    }

    fn part_of_text(&self, text: &[u8]) -> Option<usize> {
        memchr::memrchr(b'\n', text).map(|end| end + 1)
    }
}

impl Graphite {
    fn metric(&self, line: &str) -> Result<Metric, LineError> {
        let mut words = line.split_whitespace();
        let (Some(name), Some(value), time, None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(LineError::Words(line.to_owned()));
        };
        let value = parse_float(value)
            .map_err(|source| LineError::Value { name: name.to_owned(), source })?;
        let time = match time {
            None => self.clock.now(),
            Some(time) => match parse_float(time)
                .map_err(|source| LineError::Time { name: name.to_owned(), source })?
            {
                NOW => self.clock.now(),
                seconds => timestamp(seconds).ok_or(LineError::Range)?,
            },
        };
        let (path, tags) = name.split_once(';').unwrap_or((name, ""));
        let parts = self.templates.apply(path);
        let measurement = match parts.measurement.is_empty() {
            true => CompactString::from(path),
            false => parts.measurement,
        };
        let field = if parts.field.is_empty() { "value".into() } else { parts.field };
        let mut metric = Metric::new(measurement, time).with_field(field, value);
        for (key, value) in parts.tags {
            metric.set_tag(key, value);
        }
        for (key, value) in tags.split(';').filter_map(tag) {
            metric.set_tag(key, value);
        }
        Ok(metric)
    }
}

/// A tag as it is written behind a name; none if Graphite has no such tags.
fn tag(text: &str) -> Option<(&str, &str)> {
    let (key, value) = text.split_once('=')?;
    let has_key = !key.is_empty() && !key.contains(['!', '^']);
    let has_value = !value.is_empty() && !value.contains('=') && !value.starts_with('~');
    (has_key && has_value).then_some((key, value))
}

fn timestamp(seconds: f64) -> Option<Timestamp> {
    if !(FIRST_SECOND..=LAST_SECOND).contains(&seconds) {
        return None;
    }
    let nanos = (seconds - seconds.floor()) * 1e9;
    Some(Timestamp::from_nanos(seconds.floor() as i64 * 1_000_000_000 + nanos as i64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::fake::FakeClock;

    fn parsed(templates: &[&str], text: &str) -> Result<Vec<Metric>, String> {
        let templates: Vec<_> = templates.iter().map(|text| (*text).to_owned()).collect();
        let mut parser = Graphite {
            templates: NameTemplates::new(&templates, "_").unwrap(),
            clock: Arc::new(FakeClock::at(Timestamp::from_seconds(5))),
        };
        parser.parse(text.as_bytes()).map_err(|error| error.to_string())
    }

    #[test]
    fn names_become_measurements_tags_and_fields() {
        let metrics = parsed(
            &["servers.* .host.measurement.field*", "measurement*"],
            "\nservers.a.cpu.load.one 1.5 1700000000.25\r\n\n x.y;t=1;u=;v=a=b;!w=1;x=~y;t=2 -2e3 -1\nz 1\n",
        )
        .unwrap();
        let expected = [
            Metric::new("cpu", Timestamp::from_millis(1_700_000_000_250))
                .with_tag("host", "a")
                .with_field("load_one", 1.5),
            Metric::new("x_y", Timestamp::from_seconds(5))
                .with_tag("t", "2")
                .with_field("value", -2000.0),
            Metric::new("z", Timestamp::from_seconds(5)).with_field("value", 1.0),
        ];
        assert_eq!(metrics, expected);
    }

    #[test]
    fn every_bad_line_is_told() {
        let text = "a\nb 1 2 3\nc x\nd 1 y\ne 1 2147472001\nf 1 -2147558401\ng 1 nan\nh 1 1\n";
        assert_eq!(
            parsed(&[], text).unwrap_err(),
            "received \"a\" which doesn't have required fields\n\
             received \"b 1 2 3\" which doesn't have required fields\n\
             field \"c\" value: strconv.ParseFloat: parsing \"x\": invalid syntax\n\
             field \"d\" time: strconv.ParseFloat: parsing \"y\": invalid syntax\n\
             timestamp out of range\ntimestamp out of range\ntimestamp out of range"
        );
    }

    #[test]
    fn times_before_1970_count_their_fractions_upwards() {
        assert_eq!(timestamp(-1.25), Some(Timestamp::from_millis(-1250)));
    }
}
