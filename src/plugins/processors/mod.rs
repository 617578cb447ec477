//! Plugins that change metrics on their way.

pub mod converter;
pub mod execd;
pub mod filter;
pub mod regex;
pub mod rename;

use crate::plugin::{Declaration, Processor};

/// Every processor, sorted by name.
pub static ALL: &[&Declaration<dyn Processor>] =
    &[&converter::PLUGIN, &execd::PLUGIN, &filter::PLUGIN, &regex::PLUGIN, &rename::PLUGIN];
