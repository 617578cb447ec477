//! Parses what plugins of Nagios write: a text for people, and figures behind a bar.
//!
//! # References
//! The "Nagios Plugins Development Guidelines"; Telegraf's `nagios` parser for the metrics.

use std::sync::Arc;

use regex::{Captures, Regex};
use serde::{Deserialize, Serialize};

use crate::metric::{Metric, Timestamp};
use crate::plugin::go::parse_float;
use crate::plugin::{Build, BuildError, Context, Declaration, Parser, PluginError, ProgramExit};
use crate::system::Clock;

/// The parser as the table lists it.
pub static PLUGIN: Declaration<dyn Parser> =
    Declaration::new::<Config>("nagios", include_str!("sample.conf"));

/// The metric that tells how a service is.
const STATE: &str = "nagios_state";

/// The state of a service of which nobody knows how it is.
const UNKNOWN: i64 = 3;

/// One figure with all that belongs to it.
const FIGURE: &str = "[^=]+=[^\t\n\x0c\r ]+";

/// Its parts: `'label'=value[unit];warning;critical;min;max`.
const PARTS: &str = "^([^=]+)=([0-9.\\-+eE]+)([0-9A-Za-z_/%]*);?([0-9.\\-+eE:~@]+)?;?\
                     ([0-9.\\-+eE:~@]+)?;?([0-9.\\-+eE]+)?;?([0-9.\\-+eE]+)?;?";

/// The parser has no options.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Config {}

impl Build<dyn Parser> for Config {
    fn build(self, context: &Context<'_>) -> Result<Box<dyn Parser>, BuildError> {
        let compiled = |pattern: &str| Regex::new(pattern).map_err(BuildError::invalid);
        Ok(Box::new(Nagios {
            figure: compiled(FIGURE)?,
            parts: compiled(PARTS)?,
            clock: context.system.clock.clone(),
        }))
    }
}

/// The output makes no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("illegal output format")]
pub struct IllegalFormat;

/// A parser of what plugins of Nagios write.
struct Nagios {
    figure: Regex,
    parts: Regex,
    clock: Arc<dyn Clock>,
}

impl Parser for Nagios {
    fn parse(&mut self, input: &[u8]) -> Result<Vec<Metric>, PluginError> {
        let now = self.clock.now();
        let text = String::from_utf8_lossy(input);
        let mut lines = text.lines();
        let (message, figures) = divided(lines.next().unwrap_or_default())?;
        let mut metrics = self.figures(figures, now);
        let mut more: Vec<&str> = Vec::new();
        for line in lines.by_ref() {
            // Behind a bar the figures go on to the end.
            let (text, figures) = line.split_once('|').unwrap_or((line, ""));
            more.push(text.trim());
            if line.contains('|') {
                metrics.extend(self.figures(figures.split('|').next().unwrap_or_default(), now));
                break;
            }
        }
        for line in lines {
            metrics.extend(self.figures(line, now));
        }
        let mut state = Metric::new(STATE, now).with_field("service_output", message);
        // Empty lines at the beginning leave no trace.
        let first = more.iter().position(|line| !line.is_empty()).unwrap_or(more.len());
        let more = more[first..].join("\n");
        if !more.is_empty() {
            state.set_field("long_service_output", more);
        }
        metrics.push(state);
        Ok(metrics)
    }

    fn reads_exits(&self) -> bool {
        true
    }

    fn add_exit(&self, exit: &ProgramExit<'_>, metrics: &mut Vec<Metric>) {
        let Some(metric) = metrics.iter_mut().find(|metric| metric.name == STATE) else { return };
        let state = match exit.code {
            Ok(code @ 0..=3) => i64::from(code),
            _ => UNKNOWN,
        };
        metric.set_field("state", state);
        let is_silent = match metric.field("service_output") {
            Some(crate::metric::Value::String(text)) => text.is_empty(),
            _ => true,
        };
        if state == UNKNOWN && is_silent {
            let reason = match exit.code {
                Err(reason) if !reason.is_empty() => reason.into(),
                _ => String::from_utf8_lossy(exit.stderr),
            };
            metric.set_field("service_output", reason.as_ref());
        }
    }
}

/// The text and the figures of the first line.
fn divided(line: &str) -> Result<(&str, &str), IllegalFormat> {
    let mut parts = line.split('|');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(text), figures, None) => Ok((text.trim(), figures.unwrap_or_default())),
        _ => Err(IllegalFormat),
    }
}

impl Nagios {
    fn figures(&self, text: &str, time: Timestamp) -> Vec<Metric> {
        let found = self.figure.find_iter(text);
        found
            .filter_map(|figure| self.parts.captures(figure.as_str().trim()))
            .map(|parts| metric(&parts, time))
            .collect()
    }
}

/// The metric of a figure.
fn metric(parts: &Captures<'_>, time: Timestamp) -> Metric {
    let part = |index| parts.get(index).map_or("", |part| part.as_str());
    let mut metric = Metric::new("nagios", time).with_tag("perfdata", part(1).trim_matches('\''));
    if !part(3).is_empty() {
        metric.set_tag("unit", part(3));
    }
    if let Ok(value) = parse_float(part(2)) {
        metric.set_field("value", value);
    }
    for (index, inside, outside) in [
        (4, ["warning_le", "warning_ge"], ["warning_lt", "warning_gt"]),
        (5, ["critical_le", "critical_ge"], ["critical_lt", "critical_gt"]),
    ] {
        if let Some((low, high)) = threshold(part(index)) {
            let [low_key, high_key] = if part(index).contains('@') { inside } else { outside };
            metric.set_field(low_key, low);
            metric.set_field(high_key, high);
        }
    }
    for (index, key) in [(6, "min"), (7, "max")] {
        if let Ok(value) = parse_float(part(index)) {
            metric.set_field(key, value);
        }
    }
    metric
}

/// The lower and the upper end of a range as the guidelines write it.
fn threshold(text: &str) -> Option<(f64, f64)> {
    let mut ends = text.split(':');
    match (ends.next(), ends.next(), ends.next()) {
        (Some(high), None, None) => Some((0.0, parse_float(high).ok()?)),
        (Some(low), Some(high), None) => {
            let low = match low {
                // As small as the original has it, which is not below zero.
                "~" => Some(f64::from_bits(1)),
                low => parse_float(low).ok(),
            };
            match high {
                "" => Some((low?, f64::MAX)),
                high => Some((low.unwrap_or_default(), parse_float(high).ok()?)),
            }
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
