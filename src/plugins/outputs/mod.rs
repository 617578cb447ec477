//! Plugins that take metrics out.

pub mod kafka;

use crate::plugin::{Declaration, Output};

/// Every output, sorted by name.
pub static ALL: &[&Declaration<dyn Output>] = &[&kafka::PLUGIN];
