//! Plugins that bring metrics in.

pub mod cpu;
pub mod exec;
pub mod file;
pub mod http;
pub mod http_listener_v2;
pub mod mem;
pub mod prometheus;

use crate::plugin::{Declaration, Input};

/// Every input, sorted by name.
pub static ALL: &[&Declaration<dyn Input>] = &[
    &cpu::PLUGIN,
    &exec::PLUGIN,
    &file::PLUGIN,
    &http::PLUGIN,
    &http_listener_v2::PLUGIN,
    &mem::PLUGIN,
    &prometheus::PLUGIN,
];
