//! Gives the value of a tag to a field as its key.
//!
//! # References
//! Telegraf's `processors.pivot`.

use serde::{Deserialize, Serialize};

use crate::metric::Metric;
use crate::plugin::{Build, BuildError, Context, Declaration, Processor};

/// The processor as the table lists it.
pub static PLUGIN: Declaration<dyn Processor> =
    Declaration::new::<Config>("pivot", include_str!("sample.conf"));

/// The settings of the processor.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Config {
    /// The tag whose value becomes the key of the field.
    pub tag_key: String,
    /// The field that gets this key.
    pub value_key: String,
}

impl Build<dyn Processor> for Config {
    fn build(self, _context: &Context<'_>) -> Result<Box<dyn Processor>, BuildError> {
        Ok(Box::new(Pivot { config: self }))
    }
}

/// A processor that makes keys of fields out of tags.
struct Pivot {
    config: Config,
}

impl Processor for Pivot {
    fn apply(&mut self, mut metrics: Vec<Metric>) -> Vec<Metric> {
        let Config { tag_key, value_key } = &self.config;
        for metric in &mut metrics {
            if metric.tag(tag_key).is_some()
                && let Some(value) = metric.remove_field(value_key)
                && let Some(key) = metric.remove_tag(tag_key)
            {
                metric.set_field(key, value);
            }
        }
        metrics
    }
}
