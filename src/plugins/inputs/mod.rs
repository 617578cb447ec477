//! Plugins that bring metrics in.

use crate::plugin::{Declaration, Input};

/// Every input, sorted by name.
pub static ALL: &[&Declaration<dyn Input>] = &[];
