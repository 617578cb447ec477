//! Plugins that change metrics on their way.

pub mod execd;

use crate::plugin::{Declaration, Processor};

/// Every processor, sorted by name.
pub static ALL: &[&Declaration<dyn Processor>] = &[&execd::PLUGIN];
