//! Formats that metrics go out in.

pub mod csv;
pub mod graphite;
pub mod influx;
pub mod json;
pub mod prometheus;
pub mod template;

use crate::plugin::{Declaration, Serializer};

/// Every serializer, sorted by name.
pub static ALL: &[&Declaration<dyn Serializer>] = &[
    &csv::PLUGIN,
    &graphite::PLUGIN,
    &influx::PLUGIN,
    &json::PLUGIN,
    &prometheus::PLUGIN,
    &template::PLUGIN,
];
