//! Plugins that bring metrics in.

pub mod cpu;
pub mod exec;
pub mod file;
pub mod mem;
pub mod mock;
pub mod procstat;
pub mod systemd_units;
pub mod tail;

use crate::plugin::{Declaration, Input};

/// Every input, sorted by name.
pub static ALL: &[&Declaration<dyn Input>] = &[
    &cpu::PLUGIN,
    &exec::PLUGIN,
    &file::PLUGIN,
    &mem::PLUGIN,
    &mock::PLUGIN,
    &procstat::PLUGIN,
    &systemd_units::PLUGIN,
    &tail::PLUGIN,
];
