//! Tags from tables in files, looked up by a key that is made of the metric.
//!
//! # References
//! Telegraf's `processors.lookup`.

mod records;
mod table;

use serde::{Deserialize, Serialize};

use crate::metric::Metric;
use crate::plugin::template::{Library, Template};
use crate::plugin::{Build, BuildError, Context, Declaration, PluginLog, Processor};
use table::{Format, Table};

/// Declares `processors.lookup`.
pub static PLUGIN: Declaration<dyn Processor> =
    Declaration::new::<Config>("lookup", include_str!("sample.conf"));

/// The settings of `processors.lookup`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    files: Vec<String>,
    format: String,
    key: String,
}

impl Default for Config {
    fn default() -> Config {
        Config { files: Vec::new(), format: "json".to_owned(), key: String::new() }
    }
}

impl Build<dyn Processor> for Config {
    fn build(self, context: &Context<'_>) -> Result<Box<dyn Processor>, BuildError> {
        if self.files.is_empty() {
            return Err(BuildError::invalid("missing 'files': the tables to look up in"));
        }
        if self.key.is_empty() {
            return Err(BuildError::invalid("missing 'key_template': set the option 'key'"));
        }
        let key = Template::new("key", &self.key, Library::Standard, &context.system)
            .map_err(|error| BuildError::invalid(format!("creating template failed: {error}")))?;
        let format = Format::named(&self.format).ok_or_else(|| {
            BuildError::invalid(format!(
                "invalid format {:?}; it is \"json\", \"csv_key_name_value\" or \"csv_key_values\"",
                self.format
            ))
        })?;
        let mut table = Table::default();
        for file in &self.files {
            table.load(file, format).map_err(BuildError::invalid)?;
        }
        Ok(Box::new(Lookup { key, table, log: context.log.clone(), text: String::new() }))
    }
}

struct Lookup {
    key: Template,
    table: Table,
    log: PluginLog,
    /// Room for a key, used again and again.
    text: String,
}

impl Processor for Lookup {
    fn apply(&mut self, mut metrics: Vec<Metric>) -> Vec<Metric> {
        for metric in &mut metrics {
            self.text.clear();
            if let Err(error) = self.key.fill(metric, &mut self.text) {
                self.log.error(format_args!("generating key failed: {error}"));
                continue;
            }
            for tag in self.table.tags(&self.text) {
                metric.set_tag(tag.key.clone(), tag.value.clone());
            }
        }
        metrics
    }
}
