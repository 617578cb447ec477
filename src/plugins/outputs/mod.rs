//! Plugins that take metrics out.

pub mod discard;
pub mod execd;
pub mod file;
pub mod health;
pub mod http;
pub mod influxdb;
pub mod influxdb_v2;
pub mod kafka;
pub mod prometheus_client;
pub mod socket_writer;

use crate::plugin::{Declaration, Output};

/// Every output, sorted by name.
pub static ALL: &[&Declaration<dyn Output>] = &[
    &discard::PLUGIN,
    &execd::PLUGIN,
    &file::PLUGIN,
    &health::PLUGIN,
    &http::PLUGIN,
    &influxdb::PLUGIN,
    &influxdb_v2::PLUGIN,
    &kafka::PLUGIN,
    &prometheus_client::PLUGIN,
    &socket_writer::PLUGIN,
];
