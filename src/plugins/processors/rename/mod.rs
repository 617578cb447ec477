//! Renames metrics, tags and fields.
//!
//! # References
//! Telegraf's `processors.rename`.

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use crate::metric::Metric;
use crate::plugin::{Build, BuildError, Context, Declaration, Processor};

/// The processor as the table lists it.
pub static PLUGIN: Declaration<dyn Processor> =
    Declaration::new::<Config>("rename", include_str!("sample.conf"));

/// The settings of the processor.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Config {
    /// What is renamed, in this order.
    pub replace: Vec<Replace>,
}

/// One thing to rename; of several the first in the order of the fields counts.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Replace {
    /// The name of a metric.
    pub measurement: String,
    /// The key of a tag.
    pub tag: String,
    /// The key of a field.
    pub field: String,
    /// The new name or key; without one nothing is renamed.
    pub dest: String,
}

impl Build<dyn Processor> for Config {
    fn build(self, _context: &Context<'_>) -> Result<Box<dyn Processor>, BuildError> {
        Ok(Box::new(Rename { renamings: self.replace.iter().filter_map(Renaming::new).collect() }))
    }
}

struct Renaming {
    subject: Subject,
    from: CompactString,
    to: CompactString,
}

enum Subject {
    Name,
    Tag,
    Field,
}

impl Renaming {
    fn new(replace: &Replace) -> Option<Renaming> {
        let subjects = [
            (Subject::Name, &replace.measurement),
            (Subject::Tag, &replace.tag),
            (Subject::Field, &replace.field),
        ];
        let (subject, from) = subjects.into_iter().find(|(_, from)| !from.is_empty())?;
        if replace.dest.is_empty() {
            return None;
        }
        Some(Renaming { subject, from: from.into(), to: replace.dest.as_str().into() })
    }

    fn apply(&self, metric: &mut Metric) {
        match self.subject {
            Subject::Name => {
                if metric.name == self.from {
                    metric.name.clone_from(&self.to);
                }
            }
            Subject::Tag => {
                if let Some(value) = metric.remove_tag(&self.from) {
                    metric.set_tag(self.to.clone(), value);
                }
            }
            Subject::Field => {
                if let Some(value) = metric.remove_field(&self.from) {
                    metric.set_field(self.to.clone(), value);
                }
            }
        }
    }
}

/// A processor that renames.
struct Rename {
    renamings: Vec<Renaming>,
}

impl Processor for Rename {
    fn apply(&mut self, mut metrics: Vec<Metric>) -> Vec<Metric> {
        for metric in &mut metrics {
            self.renamings.iter().for_each(|renaming| renaming.apply(metric));
        }
        metrics
    }
}
