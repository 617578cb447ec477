//! Plugins that condense the metrics of a period.

pub mod basicstats;
pub mod derivative;
pub mod r#final;
pub mod histogram;
pub mod merge;
pub mod minmax;
pub mod quantile;
pub mod valuecounter;

use crate::plugin::{Aggregator, Declaration};

/// Every aggregator, sorted by name.
pub static ALL: &[&Declaration<dyn Aggregator>] = &[
    &basicstats::PLUGIN,
    &derivative::PLUGIN,
    &r#final::PLUGIN,
    &histogram::PLUGIN,
    &merge::PLUGIN,
    &minmax::PLUGIN,
    &quantile::PLUGIN,
    &valuecounter::PLUGIN,
];

#[cfg(test)]
mod tests;
