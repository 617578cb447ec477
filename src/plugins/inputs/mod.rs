//! Plugins that bring metrics in.

pub mod conntrack;
pub mod cpu;
pub mod exec;
pub mod file;
pub mod internal;
pub mod interrupts;
pub mod linux_sysctl_fs;
pub mod mem;
pub mod net;
pub mod netstat;
pub mod nstat;
pub mod temp;

use crate::plugin::{Declaration, Input};

/// Every input, sorted by name.
pub static ALL: &[&Declaration<dyn Input>] = &[
    &conntrack::PLUGIN,
    &cpu::PLUGIN,
    &exec::PLUGIN,
    &file::PLUGIN,
    &internal::PLUGIN,
    &interrupts::PLUGIN,
    &linux_sysctl_fs::PLUGIN,
    &mem::PLUGIN,
    &net::PLUGIN,
    &netstat::PLUGIN,
    &nstat::PLUGIN,
    &temp::PLUGIN,
];
