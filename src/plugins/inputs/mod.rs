//! Plugins that bring metrics in.

pub mod cpu;
pub mod exec;
pub mod execd;
pub mod file;
pub mod mem;
pub mod socket_listener;
pub mod statsd;

use crate::plugin::{Declaration, Input};

/// Every input, sorted by name.
pub static ALL: &[&Declaration<dyn Input>] = &[
    &cpu::PLUGIN,
    &exec::PLUGIN,
    &execd::PLUGIN,
    &file::PLUGIN,
    &mem::PLUGIN,
    &socket_listener::PLUGIN,
    &statsd::PLUGIN,
];
