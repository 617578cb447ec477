//! Makes a metric of each field.
//!
//! # References
//! Telegraf's `processors.unpivot`.

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use crate::metric::{Field, Metric};
use crate::plugin::{Build, BuildError, Context, Declaration, Processor};

/// The processor as the table lists it.
pub static PLUGIN: Declaration<dyn Processor> =
    Declaration::new::<Config>("unpivot", include_str!("sample.conf"));

/// The settings of the processor.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default)]
pub struct Config {
    /// Where the keys of fields go.
    pub use_fieldname_as: Target,
    /// The tag that takes them; empty is `name`.
    pub tag_key: String,
    /// The key that all fields get; empty is `value`.
    pub value_key: String,
}

impl Default for Config {
    fn default() -> Config {
        Config { use_fieldname_as: Target::Tag, tag_key: "name".into(), value_key: "value".into() }
    }
}

/// What the key of a field becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Target {
    /// A tag.
    #[serde(alias = "")]
    Tag,
    /// The name of the metric.
    Metric,
}

impl Build<dyn Processor> for Config {
    fn build(self, _context: &Context<'_>) -> Result<Box<dyn Processor>, BuildError> {
        let or = |key: &str, default: &str| if key.is_empty() { default } else { key }.into();
        Ok(Box::new(Unpivot {
            target: self.use_fieldname_as,
            tag_key: or(&self.tag_key, "name"),
            value_key: or(&self.value_key, "value"),
        }))
    }
}

/// A processor that takes metrics apart.
struct Unpivot {
    target: Target,
    tag_key: CompactString,
    value_key: CompactString,
}

impl Unpivot {
    fn metric_of(&self, base: &Metric, field: &Field) -> Metric {
        // The value type is not kept, as in the original.
        let (name, tags) = (base.name.clone(), base.tags().to_vec());
        let value = Field { key: self.value_key.clone(), value: field.value.clone() };
        let mut metric = Metric::from_lists(name, base.time, tags, vec![value]);
        match self.target {
            Target::Tag => metric.set_tag(self.tag_key.clone(), field.key.clone()),
            Target::Metric => metric.name = field.key.clone(),
        }
        metric
    }
}

impl Processor for Unpivot {
    fn apply(&mut self, metrics: Vec<Metric>) -> Vec<Metric> {
        let mut parts = Vec::with_capacity(metrics.iter().map(|each| each.fields().len()).sum());
        for metric in &metrics {
            parts.extend(metric.fields().iter().map(|field| self.metric_of(metric, field)));
        }
        parts
    }
}
