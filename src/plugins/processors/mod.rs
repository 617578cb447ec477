//! Plugins that change metrics on their way.

pub mod lookup;
pub mod parser;
pub mod template;

use crate::plugin::{Declaration, Processor};

/// Every processor, sorted by name.
pub static ALL: &[&Declaration<dyn Processor>] =
    &[&lookup::PLUGIN, &parser::PLUGIN, &template::PLUGIN];
