//! Plugins that bring metrics in.

pub mod cpu;
pub mod file;
pub mod mem;

use crate::plugin::{Declaration, Input};

/// Every input, sorted by name.
pub static ALL: &[&Declaration<dyn Input>] = &[&cpu::PLUGIN, &file::PLUGIN, &mem::PLUGIN];
