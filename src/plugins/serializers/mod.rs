//! Formats that metrics go out in.

pub mod influx;
pub mod json;
pub mod prometheus;

use crate::plugin::{Declaration, Serializer};

/// Every serializer, sorted by name.
pub static ALL: &[&Declaration<dyn Serializer>] =
    &[&influx::PLUGIN, &json::PLUGIN, &prometheus::PLUGIN];
