//! Hands metrics to a script.
//!
//! # References
//! Telegraf's `processors.starlark`.

use serde::{Deserialize, Serialize};
use serde_json::Map;

use crate::metric::Metric;
use crate::plugin::starlark::{Script, Source};
use crate::plugin::{Build, BuildError, Context, Declaration, Processor, Stateful};
use crate::system::ErrorWords;

/// The processor as the table lists it.
pub static PLUGIN: Declaration<dyn Processor> =
    Declaration::new::<Config>("starlark", include_str!("sample.conf"));

/// The settings of the processor.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct Config {
    /// The script itself.
    pub source: String,
    /// The file that holds the script.
    pub script: String,
    /// What the script finds under names of its own.
    pub constants: Map<String, serde_json::Value>,
}

impl Build<dyn Processor> for Config {
    fn build(self, context: &Context<'_>) -> Result<Box<dyn Processor>, BuildError> {
        let text = match (self.source.is_empty(), self.script.is_empty()) {
            (true, true) => {
                return Err(BuildError::invalid("one of source or script must be set"));
            }
            (false, false) => {
                return Err(BuildError::invalid("both source or script cannot be set"));
            }
            (false, true) => self.source,
            (true, false) => read(&self.script)?,
        };
        let source = Source { text: &text, file: &self.script };
        let (log, clock) = (context.log.clone(), context.system.clock.clone());
        let script =
            Script::new(source, &self.constants, log, clock).map_err(BuildError::invalid)?;
        Ok(Box::new(Starlark { script }))
    }
}

fn read(file: &str) -> Result<String, BuildError> {
    let bytes = std::fs::read(file)
        .map_err(|error| BuildError::invalid(format!("open {file}: {}", ErrorWords(&error))))?;
    String::from_utf8(bytes)
        .map_err(|_| BuildError::invalid(format!("script {file} is no text in UTF-8")))
}

/// A script that metrics pass through.
struct Starlark {
    script: Script,
}

impl Processor for Starlark {
    fn apply(&mut self, metrics: Vec<Metric>) -> Vec<Metric> {
        let mut out = Vec::with_capacity(metrics.len());
        for metric in metrics {
            self.script.apply(metric, &mut out);
        }
        out
    }

    fn stateful(&mut self) -> Option<&mut dyn Stateful> {
        Some(&mut self.script)
    }
}
