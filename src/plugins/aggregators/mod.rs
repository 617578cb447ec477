//! Plugins that condense the metrics of a period.

use crate::plugin::{Aggregator, Declaration};

/// Every aggregator, sorted by name.
pub static ALL: &[&Declaration<dyn Aggregator>] = &[];
