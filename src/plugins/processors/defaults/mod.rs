//! Sees to it that fields and tags are there.
//!
//! # References
//! Telegraf's `processors.defaults`.

use std::collections::BTreeMap;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use crate::metric::{Field, Metric, Tag, Value};
use crate::plugin::{Build, BuildError, Context, Declaration, Processor};

/// The processor as the table lists it.
pub static PLUGIN: Declaration<dyn Processor> =
    Declaration::new::<Config>("defaults", include_str!("sample.conf"));

/// The settings of the processor.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Config {
    /// Values for fields that are missing or blank.
    pub fields: BTreeMap<String, Value>,
    /// Values for tags that are missing or blank.
    pub tags: BTreeMap<String, String>,
}

impl Build<dyn Processor> for Config {
    fn build(self, _context: &Context<'_>) -> Result<Box<dyn Processor>, BuildError> {
        let fields = self.fields.into_iter().map(|(key, value)| Field { key: key.into(), value });
        let tags = self.tags.into_iter();
        let tags = tags.map(|(key, value)| Tag { key: key.into(), value: value.into() });
        Ok(Box::new(Defaults { fields: fields.collect(), tags: tags.collect() }))
    }
}

/// A processor that fills in what is missing.
struct Defaults {
    fields: Vec<Field>,
    tags: Vec<Tag>,
}

fn is_blank(text: &CompactString) -> bool {
    text.trim().is_empty()
}

impl Defaults {
    fn complete(&self, metric: &mut Metric) {
        for Field { key, value } in &self.fields {
            match metric.field(key) {
                None => metric.set_field(key.clone(), value.clone()),
                Some(Value::String(text)) if is_blank(text) => {
                    // It goes behind the others, as one that was missing.
                    metric.remove_field(key);
                    metric.set_field(key.clone(), value.clone());
                }
                Some(_) => {}
            }
        }
        for Tag { key, value } in &self.tags {
            if metric.tag(key).is_none_or(|text| text.trim().is_empty()) {
                metric.set_tag(key.clone(), value.clone());
            }
        }
    }
}

impl Processor for Defaults {
    fn apply(&mut self, mut metrics: Vec<Metric>) -> Vec<Metric> {
        metrics.iter_mut().for_each(|metric| self.complete(metric));
        metrics
    }
}
