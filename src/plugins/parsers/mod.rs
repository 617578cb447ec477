//! Formats that metrics come in.

pub mod csv;
pub mod graphite;
pub mod grok;
pub mod influx;
pub mod json;
pub mod json_v2;
pub mod logfmt;
pub mod nagios;
pub mod prometheus;
pub mod value;

use crate::plugin::{Declaration, Parser};

/// Every parser, sorted by name.
pub static ALL: &[&Declaration<dyn Parser>] = &[
    &csv::PLUGIN,
    &graphite::PLUGIN,
    &grok::PLUGIN,
    &influx::PLUGIN,
    &json::PLUGIN,
    &json_v2::PLUGIN,
    &logfmt::PLUGIN,
    &nagios::PLUGIN,
    &prometheus::PLUGIN,
    &value::PLUGIN,
];
