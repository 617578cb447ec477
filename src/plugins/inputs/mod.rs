//! Plugins that bring metrics in.

pub mod cpu;
pub mod disk;
pub mod diskio;
pub mod exec;
pub mod execd;
pub mod file;
pub mod internal;
pub mod kernel;
pub mod mem;
pub mod mock;
pub mod net;
pub mod netstat;
pub mod nstat;
pub mod processes;
pub mod swap;
pub mod system;

use crate::plugin::{Declaration, Input};

/// Every input, sorted by name.
pub static ALL: &[&Declaration<dyn Input>] = &[
    &cpu::PLUGIN,
    &disk::PLUGIN,
    &diskio::PLUGIN,
    &exec::PLUGIN,
    &execd::PLUGIN,
    &file::PLUGIN,
    &internal::PLUGIN,
    &kernel::PLUGIN,
    &mem::PLUGIN,
    &mock::PLUGIN,
    &net::PLUGIN,
    &netstat::PLUGIN,
    &nstat::PLUGIN,
    &processes::PLUGIN,
    &swap::PLUGIN,
    &system::PLUGIN,
];
