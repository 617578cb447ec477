//! Parses lines of logs by patterns with names.
//!
//! # References
//! Telegraf's `grok` parser, and Logstash's filter of that name for the patterns.

mod compile;
mod config;
mod library;
mod translate;
mod unique;

use std::sync::Arc;

use compact_str::CompactString;
use jiff::tz::TimeZone;

use crate::metric::{Field, Metric, Tag, Timestamp, Value};
use crate::plugin::go::{NumberError, parse_float, parse_integer};
use crate::plugin::settings::parse_duration;
use crate::plugin::{Declaration, Parser, PluginError, PluginLog, Quoted, TimeFormat, WrittenTime};
use crate::system::Clock;

use compile::{Compiled, Role, known_layouts};
pub use config::Config;
pub use library::PatternError;
use unique::UniqueTimes;

/// The parser as the table lists it.
pub static PLUGIN: Declaration<dyn Parser> =
    Declaration::new::<Config>("grok", include_str!("sample.conf"));

/// A parser of logs.
struct Grok {
    patterns: Vec<Compiled>,
    multiline: bool,
    zone: TimeZone,
    unique: Option<UniqueTimes>,
    /// The measurement; the last that a line has named holds for the next.
    name: CompactString,
    /// The layout that times without one were last found to have.
    found_layout: Option<TimeFormat>,
    clock: Arc<dyn Clock>,
    log: PluginLog,
}

impl Parser for Grok {
    fn parse(&mut self, input: &[u8]) -> Result<Vec<Metric>, PluginError> {
        let text = String::from_utf8_lossy(input);
        if self.multiline {
            return Ok(self.metric(&text).into_iter().collect());
        }
        let lines = text.split_inclusive('\n');
        let lines = lines.map(|line| line.strip_suffix('\n').unwrap_or(line));
        let lines = lines.map(|line| line.strip_suffix('\r').unwrap_or(line));
        Ok(lines.filter_map(|line| self.metric(line)).collect())
    }

    fn part_of_text(&self, text: &[u8]) -> Option<usize> {
        if self.multiline {
            return None;
        }
        memchr::memrchr(b'\n', text).map(|end| end + 1)
    }
}

impl Grok {
    /// The metric of a line; none if no pattern matches.
    fn metric(&mut self, line: &str) -> Option<Metric> {
        let mut patterns = std::mem::take(&mut self.patterns);
        let metric = self.first_match(&mut patterns, line);
        self.patterns = patterns;
        if metric.is_none() && self.log.is_debug() {
            self.log.debug(format_args!(
                "Grok no match found for or no data extracted from: {}",
                Quoted::new(line)
            ));
        }
        metric
    }

    fn first_match(&mut self, patterns: &mut [Compiled], line: &str) -> Option<Metric> {
        let captures = patterns.iter_mut().find_map(|pattern| pattern.captures(line))?;
        let now = self.clock.now();
        let (mut tags, mut fields, mut time) = (Vec::new(), Vec::new(), now);
        for (group, text) in captures.filter(|(_, text)| !text.is_empty()) {
            let mut add = |value| fields.push(Field { key: group.key.clone(), value });
            match &group.role {
                Role::Measurement => self.name = text.into(),
                Role::Tag => tags.push(Tag { key: group.key.clone(), value: text.into() }),
                Role::Text => add(text.into()),
                Role::Drop => {}
                Role::Integer => match integer(text) {
                    Ok(value) => add(value.into()),
                    Err(error) => self.log_error(text, "int", error),
                },
                Role::Float => match parse_float(text) {
                    Ok(value) => add(value.into()),
                    Err(error) => self.log_error(text, "float", error),
                },
                Role::Duration => match parse_duration(text) {
                    Ok(nanos) => add(Value::Integer(nanos)),
                    Err(error) => self.log_error(text, "duration", error),
                },
                Role::Epoch => match epoch(text) {
                    Ok(found) => time = found,
                    Err(error) => self.log_error(text, "timestamp", error),
                },
                Role::EpochUnits(nanos) => match parse_integer(text, 10) {
                    Ok(units) => time = Timestamp::from_nanos(units.wrapping_mul(*nanos)),
                    Err(error) => self.log_error(text, "int", error),
                },
                Role::Time(format, layout) => {
                    time = self.time(format, layout, text, now).unwrap_or(time);
                }
                Role::LaxTime(format, layout) if text.contains(',') => {
                    let text = text.replace(',', ".");
                    time = self.time(format, layout, &text, now).unwrap_or(time);
                }
                Role::LaxTime(format, layout) => {
                    time = self.time(format, layout, text, now).unwrap_or(time);
                }
                Role::AnyTime => time = self.any_time(text, now).unwrap_or(time),
            }
        }
        if let Some(unique) = &mut self.unique {
            time = unique.next(time);
        }
        Some(Metric::from_lists(self.name.clone(), time, tags, fields))
    }

    fn log_error(&self, text: &str, what: &str, error: impl std::fmt::Display) {
        self.log.error(format_args!("Error parsing {text} to {what}: {error}"));
    }

    fn time(
        &self,
        format: &TimeFormat,
        layout: &str,
        text: &str,
        now: Timestamp,
    ) -> Option<Timestamp> {
        match format.read(WrittenTime::Text(text), &self.zone, now) {
            Ok(time) => Some(time),
            Err(error) => {
                self.log_error(text, &format!("time layout [{layout}]"), error);
                None
            }
        }
    }

    /// Reads a time of any known layout, beginning with the one that was found last.
    fn any_time(&mut self, text: &str, now: Timestamp) -> Option<Timestamp> {
        let read = |format: &TimeFormat| format.read(WrittenTime::Text(text), &self.zone, now).ok();
        if let Some(time) = self.found_layout.as_ref().and_then(read) {
            return Some(time);
        }
        for layout in known_layouts() {
            let format = TimeFormat::new(layout);
            if let Some(time) = read(&format) {
                self.found_layout = Some(format);
                return Some(time);
            }
        }
        self.log.error(format_args!(
            "Error parsing timestamp [{text}], could not find any suitable time layouts."
        ));
        None
    }
}

/// Reads a whole number to the base that its beginning tells, as Go does.
fn integer(text: &str) -> Result<i64, String> {
    let (sign, digits) = match text.strip_prefix(['-', '+']) {
        Some(digits) => (&text[..1], digits),
        None => ("", text),
    };
    let lower = digits.to_ascii_lowercase();
    let based = [("0x", 16), ("0o", 8), ("0b", 2), ("0", 8)].iter().find_map(|(prefix, base)| {
        lower.strip_prefix(prefix).filter(|rest| !rest.is_empty()).map(|rest| (rest, *base))
    });
    match based {
        Some((rest, base)) => {
            let digits = format!("{sign}{}", rest.replace('_', ""));
            i64::from_str_radix(&digits, base).map_err(|_| {
                format!("strconv.ParseInt: parsing {}: invalid syntax", Quoted::new(text))
            })
        }
        None => parse_integer(text, 10).map_err(|error| error.to_string()),
    }
}

/// Reads seconds since 1970 that may have a part behind a point.
fn epoch(text: &str) -> Result<Timestamp, NumberError> {
    let (seconds, part) = text.split_once('.').unwrap_or((text, ""));
    let seconds = parse_integer(seconds, 10)?;
    let part = part.get(..9).unwrap_or(part);
    let nanos = match part {
        "" => 0,
        part => parse_integer(&format!("{part:0<9}"), 10)?,
    };
    Ok(Timestamp::from_nanos(seconds.wrapping_mul(1_000_000_000).wrapping_add(nanos)))
}

#[cfg(test)]
mod tests;
