//! Plugins that take metrics out.

use crate::plugin::{Declaration, Output};

/// Every output, sorted by name.
pub static ALL: &[&Declaration<dyn Output>] = &[];
