//! The options, and what they are made into.

use serde::{Deserialize, Serialize};

use super::Grok;
use super::compile::Compiled;
use super::library::Library;
use super::unique::UniqueTimes;
use crate::plugin::{Build, BuildError, Context, Parser, time_zone};
use crate::system::ErrorWords;

/// The options beside `data_format = "grok"`.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Config {
    /// The patterns to try, in this order; empty for the combined format of web servers.
    pub grok_patterns: Vec<String>,
    /// More patterns to use in those, one a line.
    pub grok_custom_patterns: String,
    /// Files of such lines.
    pub grok_custom_pattern_files: Vec<String>,
    /// Has no effect.
    pub grok_named_patterns: Vec<String>,
    /// Whether all of the input is matched at once.
    pub grok_multiline: bool,
    /// The time zone of times that name none; empty for UTC.
    pub grok_timezone: String,
    /// `auto` or something else for no; empty for the first.
    pub grok_unique_timestamp: String,
}

impl Build<dyn Parser> for Config {
    fn build(self, context: &Context<'_>) -> Result<Box<dyn Parser>, BuildError> {
        let zone = time_zone(&self.grok_timezone).unwrap_or_else(|_| {
            context.log.warn(format_args!(
                "Improper timezone supplied ({}), setting loc to UTC",
                self.grok_timezone
            ));
            jiff::tz::TimeZone::UTC
        });
        let mut library = Library::new().map_err(BuildError::invalid)?;
        library.add(&self.grok_custom_patterns).map_err(BuildError::invalid)?;
        for path in &self.grok_custom_pattern_files {
            let text = std::fs::read_to_string(path).map_err(|error| {
                BuildError::invalid(format!("open {path}: {}", ErrorWords(&error)))
            })?;
            library.add(&text).map_err(BuildError::invalid)?;
        }
        let mut patterns = self.grok_patterns;
        if patterns.is_empty() {
            patterns.push("%{COMBINED_LOG_FORMAT}".into());
        }
        patterns.retain(|pattern| !pattern.trim().is_empty());
        if patterns.is_empty() {
            return Err(BuildError::invalid("pattern required"));
        }
        library.resolve();
        library.check().map_err(BuildError::invalid)?;
        let compiled: Result<Vec<Compiled>, _> =
            patterns.iter().map(|pattern| Compiled::new(pattern.trim(), &library)).collect();
        Ok(Box::new(Grok {
            patterns: compiled.map_err(BuildError::invalid)?,
            multiline: self.grok_multiline,
            zone,
            unique: match self.grok_unique_timestamp.as_str() {
                "" | "auto" => Some(UniqueTimes::default()),
                _ => None,
            },
            name: context.plugin_name().into(),
            found_layout: None,
            clock: context.system.clock.clone(),
            log: context.log.clone(),
        }))
    }
}
