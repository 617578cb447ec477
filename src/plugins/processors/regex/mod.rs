//! Rewrites values, keys and names by regular expressions.
//!
//! # References
//! Telegraf's `processors.regex`.

mod rename;
mod values;

use serde::{Deserialize, Serialize};

use crate::metric::Metric;
use crate::plugin::glob::GlobError;
use crate::plugin::go::{Regex, RegexError, Replacer};
use crate::plugin::{Build, BuildError, Context, Declaration, PluginLog, Processor, Quoted};

use rename::{FieldRenaming, TagRenaming};
use values::Rewriting;

/// The processor as the table lists it.
pub static PLUGIN: Declaration<dyn Processor> =
    Declaration::new::<Config>("regex", include_str!("sample.conf"));

/// The settings of the processor; the kinds of conversions are done in this order.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Config {
    /// Rewrite values of tags.
    pub tags: Vec<Conversion>,
    /// Rewrite texts in fields.
    pub fields: Vec<Conversion>,
    /// Rewrite keys of tags.
    pub tag_rename: Vec<Conversion>,
    /// Rewrite keys of fields.
    pub field_rename: Vec<Conversion>,
    /// Rewrite names of metrics.
    pub metric_rename: Vec<Conversion>,
}

/// One conversion.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Conversion {
    /// A pattern for the keys whose values are rewritten.
    pub key: String,
    /// The expression.
    pub pattern: String,
    /// What stands in place of its matches.
    pub replacement: String,
    /// For values the key that takes the result, empty for that of the value; for keys what
    /// happens if there is the new one already: `keep`, also if empty, or `overwrite`.
    pub result_key: String,
    /// Whether the result goes behind what stands there.
    pub append: bool,
}

/// Why a conversion makes no sense.
#[derive(Debug, thiserror::Error)]
pub enum ConversionError {
    /// The expression is wrong.
    #[error(transparent)]
    Pattern(#[from] RegexError),
    /// The pattern for keys is wrong.
    #[error(transparent)]
    Key(#[from] GlobError),
    /// Nothing says which values are meant.
    #[error("key required")]
    NoKey,
    /// `result_key` is none of its words.
    #[error("invalid metrics result_key {}; expecting \"keep\" or \"overwrite\"", Quoted::new(.0))]
    ResultKey(String),
}

impl Build<dyn Processor> for Config {
    fn build(self, context: &Context<'_>) -> Result<Box<dyn Processor>, BuildError> {
        let log = &context.log;
        for (section, list) in [
            ("tag_rename", &self.tag_rename),
            ("field_rename", &self.field_rename),
            ("metric_rename", &self.metric_rename),
        ] {
            warn_of_ignored_options(section, list, log);
        }
        Ok(Box::new(RegexProcessor {
            tags: all("tags", &self.tags, |each| Rewriting::new("tags", each, log))?,
            fields: all("fields", &self.fields, |each| Rewriting::new("fields", each, log))?,
            tag_rename: all("tag_rename", &self.tag_rename, TagRenaming::new)?,
            field_rename: all("field_rename", &self.field_rename, FieldRenaming::new)?,
            metric_rename: all("metric_rename", &self.metric_rename, replacer)?,
        }))
    }
}

fn warn_of_ignored_options(section: &str, list: &[Conversion], log: &PluginLog) {
    for conversion in list {
        if !conversion.key.is_empty() {
            log.info(format_args!(
                "'{section}' section contains a key which is ignored during processing"
            ));
        }
        if section == "metric_rename" && !conversion.result_key.is_empty() {
            log.info(format_args!(
                "'{section}' section contains a 'result_key' which is ignored during processing, \
                 as metrics always change their name"
            ));
        }
    }
}

/// Compiles the conversions of one kind.
fn all<T>(
    section: &str,
    list: &[Conversion],
    compile: impl Fn(&Conversion) -> Result<T, ConversionError>,
) -> Result<Vec<T>, BuildError> {
    list.iter()
        .map(compile)
        .collect::<Result<_, _>>()
        .map_err(|error| BuildError::invalid(format!("'{section}' {error}")))
}

fn replacer(conversion: &Conversion) -> Result<Replacer, ConversionError> {
    Ok(Replacer::new(Regex::new(&conversion.pattern)?, &conversion.replacement))
}

/// A processor that rewrites.
struct RegexProcessor {
    tags: Vec<Rewriting>,
    fields: Vec<Rewriting>,
    tag_rename: Vec<TagRenaming>,
    field_rename: Vec<FieldRenaming>,
    metric_rename: Vec<Replacer>,
}

impl Processor for RegexProcessor {
    fn apply(&mut self, mut metrics: Vec<Metric>) -> Vec<Metric> {
        for metric in &mut metrics {
            self.tags.iter_mut().for_each(|each| each.apply_to_tags(metric));
            self.fields.iter_mut().for_each(|each| each.apply_to_fields(metric));
            self.tag_rename.iter_mut().for_each(|each| each.apply(metric));
            self.field_rename.iter_mut().for_each(|each| each.apply(metric));
            for replacer in &mut self.metric_rename {
                if let Some(name) = replacer.replace_all(&metric.name) {
                    metric.name = name;
                }
            }
        }
        metrics
    }
}
