//! Formats that metrics come in.

pub mod influx;
pub mod json;

use crate::plugin::{Declaration, Parser};

/// Every parser, sorted by name.
pub static ALL: &[&Declaration<dyn Parser>] = &[&influx::PLUGIN, &json::PLUGIN];
