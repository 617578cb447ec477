//! The engine: it knows when, in which order and how often, and the name of no plugin.

pub mod options;
