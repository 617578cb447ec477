//! Gives metrics other names and tags, whatever they have.
//!
//! # References
//! Telegraf's `processors.override`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::metric::Metric;
use crate::plugin::{Build, BuildError, Context, Declaration, Overrides, Processor};

/// The processor as the table lists it.
pub static PLUGIN: Declaration<dyn Processor> =
    Declaration::new::<Config>("override", include_str!("sample.conf"));

/// The settings of the processor.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Config {
    /// Replaces the name.
    pub name_override: String,
    /// Goes before the name.
    pub name_prefix: String,
    /// Goes behind the name.
    pub name_suffix: String,
    /// Tags that are set.
    pub tags: BTreeMap<String, String>,
}

impl Build<dyn Processor> for Config {
    fn build(self, _context: &Context<'_>) -> Result<Box<dyn Processor>, BuildError> {
        let Config { name_override, name_prefix, name_suffix, tags } = self;
        let overrides = Overrides::new(name_override, name_prefix, name_suffix, tags);
        Ok(Box::new(Override { overrides }))
    }
}

/// A processor that overrides.
struct Override {
    overrides: Overrides,
}

impl Processor for Override {
    fn apply(&mut self, mut metrics: Vec<Metric>) -> Vec<Metric> {
        metrics.iter_mut().for_each(|metric| self.overrides.apply(metric));
        metrics
    }
}
