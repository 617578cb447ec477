//! A tag whose name and value are made of the metric itself.
//!
//! # References
//! Telegraf's `processors.template`.

use serde::{Deserialize, Serialize};

use crate::metric::Metric;
use crate::plugin::template::{Library, Template};
use crate::plugin::{Build, BuildError, Context, Declaration, PluginLog, Processor};

/// Declares `processors.template`.
pub static PLUGIN: Declaration<dyn Processor> =
    Declaration::new::<Config>("template", include_str!("sample.conf"));

/// The settings of `processors.template`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    tag: String,
    template: String,
}

impl Build<dyn Processor> for Config {
    fn build(self, context: &Context<'_>) -> Result<Box<dyn Processor>, BuildError> {
        let template = |name: &str, text: &str, what: &str| {
            Template::new(name, text, Library::Sprig, &context.system).map_err(|error| {
                BuildError::invalid(format!("creating {what} template failed: {error}"))
            })
        };
        Ok(Box::new(TagTemplate {
            tag: template("tag template", &self.tag, "tag name")?,
            value: template("value template", &self.template, "value")?,
            log: context.log.clone(),
            tag_text: String::new(),
            value_text: String::new(),
        }))
    }
}

struct TagTemplate {
    tag: Template,
    value: Template,
    log: PluginLog,
    /// Room for the texts of one metric, used again and again.
    tag_text: String,
    value_text: String,
}

impl TagTemplate {
    fn apply_to(&mut self, metric: &mut Metric) {
        self.tag_text.clear();
        self.value_text.clear();
        if let Err(error) = self.tag.fill(metric, &mut self.tag_text) {
            self.log.error(format_args!("failed to execute tag name template: {error}"));
        } else if let Err(error) = self.value.fill(metric, &mut self.value_text) {
            self.log.error(format_args!("failed to execute value template: {error}"));
        } else {
            metric.set_tag(self.tag_text.as_str(), self.value_text.as_str());
        }
    }
}

impl Processor for TagTemplate {
    fn apply(&mut self, mut metrics: Vec<Metric>) -> Vec<Metric> {
        metrics.iter_mut().for_each(|metric| self.apply_to(metric));
        metrics
    }
}
