//! Plugins that bring metrics in.

pub mod exec;
pub mod file;

use crate::plugin::{Declaration, Input};

/// Every input, sorted by name.
pub static ALL: &[&Declaration<dyn Input>] = &[&exec::PLUGIN, &file::PLUGIN];
