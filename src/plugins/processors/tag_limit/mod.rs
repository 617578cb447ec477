//! Lets metrics have only so many tags.
//!
//! # References
//! Telegraf's `processors.tag_limit`.

use serde::{Deserialize, Serialize};

use crate::metric::Metric;
use crate::plugin::{Build, BuildError, Context, Declaration, Processor};

/// The processor as the table lists it.
pub static PLUGIN: Declaration<dyn Processor> =
    Declaration::new::<Config>("tag_limit", include_str!("sample.conf"));

/// The settings of the processor.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Config {
    /// How many tags a metric may have.
    pub limit: i64,
    /// Tags that stay.
    pub keep: Vec<String>,
}

impl Build<dyn Processor> for Config {
    fn build(self, context: &Context<'_>) -> Result<Box<dyn Processor>, BuildError> {
        let limit = usize::try_from(self.limit).unwrap_or(0);
        let kept = self.keep.len();
        let limit = if kept > limit || self.limit < 0 {
            // The agent runs without it, as with the original.
            context.log.error(format_args!(
                "Could not create tag_limit processor: {kept} keep tags is greater than {} total \
                 tag limit; metrics pass as they are",
                self.limit
            ));
            usize::MAX
        } else {
            limit
        };
        Ok(Box::new(TagLimit { limit, keep: self.keep }))
    }
}

/// A processor that takes tags away.
struct TagLimit {
    limit: usize,
    keep: Vec<String>,
}

impl Processor for TagLimit {
    fn apply(&mut self, mut metrics: Vec<Metric>) -> Vec<Metric> {
        for metric in &mut metrics {
            let mut surplus = metric.tags().len().saturating_sub(self.limit);
            if surplus > 0 {
                metric.retain_tags(|tag| {
                    let goes = surplus > 0 && !self.keep.iter().any(|key| tag.key == *key);
                    surplus -= usize::from(goes);
                    !goes
                });
            }
        }
        metrics
    }
}
