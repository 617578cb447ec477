//! Puts a copy of each metric, under another name or with other tags, before it.
//!
//! # References
//! Telegraf's `processors.clone`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::metric::Metric;
use crate::plugin::{Build, BuildError, Context, Declaration, Overrides, Processor};

/// The processor as the table lists it.
pub static PLUGIN: Declaration<dyn Processor> =
    Declaration::new::<Config>("clone", include_str!("sample.conf"));

/// The settings of the processor.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Config {
    /// Replaces the name of the copy.
    pub name_override: String,
    /// Goes before the name of the copy.
    pub name_prefix: String,
    /// Goes behind the name of the copy.
    pub name_suffix: String,
    /// Tags that are set on the copy.
    pub tags: BTreeMap<String, String>,
}

impl Build<dyn Processor> for Config {
    fn build(self, _context: &Context<'_>) -> Result<Box<dyn Processor>, BuildError> {
        let Config { name_override, name_prefix, name_suffix, tags } = self;
        let overrides = Overrides::new(name_override, name_prefix, name_suffix, tags);
        Ok(Box::new(Clone { overrides }))
    }
}

/// A processor that copies.
struct Clone {
    overrides: Overrides,
}

impl Processor for Clone {
    fn apply(&mut self, metrics: Vec<Metric>) -> Vec<Metric> {
        let mut both = Vec::with_capacity(2 * metrics.len());
        for metric in metrics {
            let mut copy = metric.clone();
            self.overrides.apply(&mut copy);
            both.extend([copy, metric]);
        }
        both
    }
}
