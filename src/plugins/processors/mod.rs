//! Plugins that change metrics on their way.

pub mod converter;
pub mod execd;
pub mod filter;
pub mod lookup;
pub mod parser;
pub mod regex;
pub mod rename;
pub mod template;

use crate::plugin::{Declaration, Processor};

/// Every processor, sorted by name.
pub static ALL: &[&Declaration<dyn Processor>] = &[
    &converter::PLUGIN,
    &execd::PLUGIN,
    &filter::PLUGIN,
    &lookup::PLUGIN,
    &parser::PLUGIN,
    &regex::PLUGIN,
    &rename::PLUGIN,
    &template::PLUGIN,
];
