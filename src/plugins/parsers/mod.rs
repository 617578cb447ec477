//! Formats that metrics come in.

use crate::plugin::{Declaration, Parser};

/// Every parser, sorted by name.
pub static ALL: &[&Declaration<dyn Parser>] = &[];
