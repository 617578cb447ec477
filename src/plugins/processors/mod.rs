//! Plugins that change metrics on their way.

use crate::plugin::{Declaration, Processor};

/// Every processor, sorted by name.
pub static ALL: &[&Declaration<dyn Processor>] = &[];
