//! Go's text templates, filled from metrics: pipelines, variables, conditions, loops, and the
//! functions of Go and of the sprig library.
//!
//! A template is parsed once and filled for every metric. What it evaluates to borrows from the
//! metric and from the template, so that `{{ .Tag "host" }}` copies nothing but its text.
//!
//! # References
//! Go's package `text/template`; Telegraf's `metric.go` for what a metric can be asked.

mod data;
mod error;
mod execute;
mod functions;
mod method;
mod parse;
mod print;
mod printf;
mod syntax;
mod token;

pub use error::{FillError, TemplateError};
pub use functions::Library;

use crate::metric::Metric;
use crate::system::System;
use data::Data;
use execute::Execution;
use functions::World;
use parse::Trees;

/// A text with places that metrics fill.
pub struct Template {
    name: String,
    source: String,
    trees: Trees,
    world: World,
}

impl Template {
    /// Parses a template; `name` is what it is called in messages.
    ///
    /// # Errors
    /// If the text is no template, or calls functions that are not in the library.
    pub fn new(
        name: &str,
        source: &str,
        library: Library,
        system: &System,
    ) -> Result<Template, TemplateError> {
        Ok(Template {
            name: name.to_owned(),
            source: source.to_owned(),
            trees: parse::parse(name, source, library)?,
            world: World::new(system.clone()),
        })
    }

    /// Appends the text for a metric.
    ///
    /// # Errors
    /// If the metric lacks what the template asks for; what was written before it stays.
    pub fn fill(&self, metric: &Metric, out: &mut String) -> Result<(), FillError> {
        self.execute(&Data::Metric(metric), out)
    }

    /// Appends the text for several metrics, over which the template may `range`.
    ///
    /// # Errors
    /// If a metric lacks what the template asks for; what was written before it stays.
    pub fn fill_all(&self, metrics: &[Metric], out: &mut String) -> Result<(), FillError> {
        self.execute(&Data::Metrics(metrics), out)
    }

    /// Appends the text for something else that has parts with names, as JSON holds it.
    ///
    /// # Errors
    /// If it lacks what the template asks for; what was written before it stays.
    pub fn fill_record(
        &self,
        record: &serde_json::Value,
        out: &mut String,
    ) -> Result<(), FillError> {
        self.execute(&Data::record(record), out)
    }

    fn execute<'a>(&'a self, dot: &Data<'a>, out: &mut String) -> Result<(), FillError> {
        Execution::new(&self.trees, &self.source, &self.world, out)
            .run(dot)
            .map_err(|fault| FillError::new(&self.name, &self.source, fault))
    }
}

impl std::fmt::Debug for Template {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Template").field(&self.source).finish()
    }
}

#[cfg(test)]
mod tests;
