//! What tests of formats work with: options as text, and metrics as lines.

use std::sync::Arc;

use crate::config::toml;
use crate::metric::{Metric, Timestamp};
use crate::plugin::settings::Table;
use crate::plugin::{Context, Declaration, Parser, PluginLog, SecretStore, Serializer, Statistics};
use crate::plugins::FORMATS;
use crate::system::System;
use crate::system::fake::FakeClock;

/// The time that the clock shows: 42 seconds after 1970 began.
pub(crate) const NOW: Timestamp = Timestamp::from_seconds(42);

fn table(section: &str, options: &str) -> Table {
    let mut table = toml::parse("test", options).unwrap();
    table.section = section.into();
    table
}

fn build<P: ?Sized>(
    plugin: &Declaration<P>,
    section: &str,
    options: &str,
) -> Result<Box<P>, String> {
    let table = table(section, options);
    let system = System { clock: Arc::new(FakeClock::at(NOW)), ..System::real() };
    let log = PluginLog::new(section);
    (plugin.build)(&Context::new(system, log, Statistics::default(), &table, FORMATS))
        .map_err(|error| error.to_string())
}

/// Builds the parser of an input called `test` from options in TOML.
pub(crate) fn parser(
    plugin: &Declaration<dyn Parser>,
    options: &str,
) -> Result<Box<dyn Parser>, String> {
    build(plugin, "inputs.test", options)
}

/// Builds the serializer of an output from options in TOML.
pub(crate) fn serializer(
    plugin: &Declaration<dyn Serializer>,
    options: &str,
) -> Result<Box<dyn Serializer>, String> {
    build(plugin, "outputs.test", options)
}

/// Builds a secret store from options in TOML.
pub(crate) fn secret_store(
    plugin: &Declaration<dyn SecretStore>,
    options: &str,
) -> Result<Box<dyn SecretStore>, String> {
    build(plugin, "secretstores.test", options)
}

/// What a parser with these options makes of an input, as lines of the line protocol, or the error.
pub(crate) fn parsed(
    plugin: &Declaration<dyn Parser>,
    options: &str,
    input: &str,
) -> Result<Vec<String>, String> {
    let metrics = parser(plugin, options)?.parse(input.as_bytes());
    metrics.map(|metrics| lines(&metrics)).map_err(|error| error.to_string())
}

/// Metrics as lines of the line protocol.
pub(crate) fn lines(metrics: &[Metric]) -> Vec<String> {
    let options = "influx_uint_support = true";
    let mut influx = serializer(&super::serializers::influx::PLUGIN, options).unwrap();
    let line = |metric| {
        let mut line = Vec::new();
        match influx.serialize(metric, &mut line) {
            Ok(()) => String::from_utf8(line).unwrap().trim_end().to_owned(),
            Err(error) => error.to_string(),
        }
    };
    metrics.iter().map(line).collect()
}

/// Metrics out of lines of the line protocol.
pub(crate) fn metrics(lines: &str) -> Vec<Metric> {
    parser(&super::parsers::influx::PLUGIN, "").unwrap().parse(lines.as_bytes()).unwrap()
}

/// What a serializer with these options makes of a batch given as lines of the line protocol.
pub(crate) fn serialized(
    plugin: &Declaration<dyn Serializer>,
    options: &str,
    lines: &str,
) -> Result<String, String> {
    let mut out = Vec::new();
    let rejected = serializer(plugin, options)?
        .serialize_batch(&metrics(lines), &mut out)
        .map_err(|error| error.to_string())?;
    let rejected = rejected.iter().map(|r| format!("!{}: {}\n", r.index, r.reason));
    Ok(String::from_utf8(out).unwrap() + &rejected.collect::<String>())
}
