//! Parses the InfluxDB line protocol, as [`crate::plugin::line_protocol`] does it.
//!
//! # References
//! Telegraf's `influx` parser.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::metric::Metric;
use crate::plugin::line_protocol::{Lines, ParseError, first_line, whole_lines};
use crate::plugin::settings::Duration;
use crate::plugin::{Build, BuildError, Context, Declaration, Parser, PluginError};
use crate::system::Clock;

/// The parser as the table lists it.
pub static PLUGIN: Declaration<dyn Parser> =
    Declaration::new::<Config>("influx", include_str!("sample.conf"));

/// The options beside `data_format = "influx"`.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default)]
pub struct Config {
    /// Which of Telegraf's two parsers is asked for; both names mean this one.
    pub influx_parser_type: ParserType,
    /// The unit of timestamps: 1ns, 1us, 1ms or 1s.
    pub influx_timestamp_precision: Duration,
}

/// The parsers that Telegraf has for the line protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ParserType {
    /// Telegraf's own, the default there.
    #[default]
    Internal,
    /// The one of InfluxDB's Go library, there for its speed.
    Upstream,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            influx_parser_type: ParserType::default(),
            influx_timestamp_precision: Duration::from_nanos(1),
        }
    }
}

impl Build<dyn Parser> for Config {
    fn build(self, context: &Context<'_>) -> Result<Box<dyn Parser>, BuildError> {
        let unit_nanos = match self.influx_timestamp_precision.nanos() {
            0 => 1,
            unit @ (1 | 1_000 | 1_000_000 | 1_000_000_000) => unit,
            other => {
                return Err(BuildError::invalid(format!(
                    "invalid time precision: {} (1ns, 1us, 1ms and 1s are known)",
                    Duration::from_nanos(other)
                )));
            }
        };
        Ok(Box::new(Influx { unit_nanos, ..Influx::new(context.system.clock.clone()) }))
    }
}

/// No line with a metric has fewer bytes.
const SHORTEST_LINE: usize = "m v=1".len();

/// A parser of line protocol.
pub struct Influx {
    clock: Arc<dyn Clock>,
    unit_nanos: i64,
    /// How many metrics the last input had: of something long the next part has about as many.
    last_count: usize,
}

impl Influx {
    /// Makes a parser of lines with times in nanoseconds, those without one being of now.
    pub fn new(clock: Arc<dyn Clock>) -> Influx {
        Influx { clock, unit_nanos: 1, last_count: 0 }
    }
}

impl Parser for Influx {
    fn parse(&mut self, input: &[u8]) -> Result<Vec<Metric>, PluginError> {
        let unit = std::time::Duration::from_nanos(self.unit_nanos.unsigned_abs());
        let mut lines = Lines::new(input, self.unit_nanos);
        let mut metrics = Vec::with_capacity(self.last_count.min(input.len() / SHORTEST_LINE));
        loop {
            match lines.next(|| self.clock.now().truncate(unit)) {
                Ok(Some(metric)) => metrics.push(metric),
                Ok(None) => {
                    self.last_count = metrics.len();
                    return Ok(metrics);
                }
                Err(fault) => return Err(ParseError::new(fault, input).into()),
            }
        }
    }

    fn piece_of_stream(&self, stream: &[u8]) -> Option<usize> {
        first_line(stream)
    }

    fn part_of_text(&self, text: &[u8]) -> Option<usize> {
        whole_lines(text)
    }
}

#[cfg(test)]
mod tests;
