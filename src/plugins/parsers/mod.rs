//! Formats that metrics come in.

pub mod influx;

use crate::plugin::{Declaration, Parser};

/// Every parser, sorted by name.
pub static ALL: &[&Declaration<dyn Parser>] = &[&influx::PLUGIN];
