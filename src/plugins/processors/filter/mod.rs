//! Passes or drops metrics by rules.
//!
//! # References
//! Telegraf's `processors.filter`.

use std::collections::BTreeMap;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use crate::metric::Metric;
use crate::plugin::glob::GlobError;
use crate::plugin::{Build, BuildError, Context, Declaration, Patterns, Processor, Quoted};

/// The processor as the table lists it.
pub static PLUGIN: Declaration<dyn Processor> =
    Declaration::new::<Config>("filter", include_str!("sample.conf"));

/// The settings of the processor.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default)]
pub struct Config {
    /// What happens to metrics to which no rule applies.
    pub default: Action,
    /// The rules; the first that applies decides.
    pub rule: Vec<RuleConfig>,
}

impl Default for Config {
    fn default() -> Config {
        Config { default: Action::Pass, rule: Vec::new() }
    }
}

/// A rule; it applies to metrics that fulfil all of its conditions.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default)]
pub struct RuleConfig {
    /// Patterns for the name; none is no condition.
    pub name: Vec<String>,
    /// Tags that must be there, each with patterns for its value.
    pub tags: BTreeMap<String, Vec<String>>,
    /// Patterns for the keys of fields, of which one must match; none is no condition.
    pub fields: Vec<String>,
    /// What happens to metrics to which the rule applies.
    pub action: RuleAction,
}

impl Default for RuleConfig {
    fn default() -> RuleConfig {
        RuleConfig {
            name: Vec::new(),
            tags: BTreeMap::new(),
            fields: Vec::new(),
            action: RuleAction::Drop,
        }
    }
}

/// What happens to a metric if no rule applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// It goes on.
    #[serde(alias = "")]
    Pass,
    /// It ends here.
    Drop,
}

/// What happens to a metric by a rule; unlike [`Action`] the empty text drops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RuleAction {
    /// It goes on.
    Pass,
    /// It ends here.
    #[serde(alias = "")]
    Drop,
}

/// Why a rule makes no sense.
#[derive(Debug, thiserror::Error)]
pub enum RuleError {
    /// A pattern is wrong.
    #[error("initialization of rule {rule} failed: creating {filter} failed: {source}")]
    Pattern {
        /// The rule, counted from 1.
        rule: usize,
        /// What the pattern is for.
        filter: String,
        /// What is wrong with it.
        source: GlobError,
    },
    /// A tag without patterns could never match.
    #[error(
        "initialization of rule {rule} failed: tag {} has no values; list some, or \"*\" for any",
        Quoted::new(tag)
    )]
    NoValues {
        /// The rule, counted from 1.
        rule: usize,
        /// The tag's key.
        tag: String,
    },
}

impl Build<dyn Processor> for Config {
    fn build(self, context: &Context<'_>) -> Result<Box<dyn Processor>, BuildError> {
        if self.default == Action::Drop && self.rule.is_empty() {
            context.log.warn("dropping all metrics as no rule is provided");
        }
        let rules = self.rule.iter().enumerate().map(|(at, rule)| Rule::new(at + 1, rule));
        let rules = rules.collect::<Result<_, _>>().map_err(BuildError::invalid)?;
        Ok(Box::new(Filter { rules, default: self.default }))
    }
}

struct Rule {
    name: Option<Patterns>,
    tags: Vec<(CompactString, Patterns)>,
    fields: Option<Patterns>,
    action: Action,
}

impl Rule {
    fn new(number: usize, config: &RuleConfig) -> Result<Rule, RuleError> {
        let compile = |filter: &dyn Fn() -> String, patterns: &[String]| {
            Patterns::new(patterns).map_err(|source| RuleError::Pattern {
                rule: number,
                filter: filter(),
                source,
            })
        };
        let name = compile(&|| "name filter".into(), &config.name)?;
        let fields = compile(&|| "fields filter".into(), &config.fields)?;
        let mut tags = Vec::with_capacity(config.tags.len());
        for (key, values) in &config.tags {
            let filter = || format!("tag filter for tag {}", Quoted::new(key));
            let patterns = compile(&filter, values)?
                .ok_or_else(|| RuleError::NoValues { rule: number, tag: key.clone() })?;
            tags.push((key.into(), patterns));
        }
        let action = match config.action {
            RuleAction::Pass => Action::Pass,
            RuleAction::Drop => Action::Drop,
        };
        Ok(Rule { name, tags, fields, action })
    }

    fn applies(&self, metric: &Metric) -> bool {
        self.name.as_ref().is_none_or(|name| name.match_any(&metric.name))
            && self
                .tags
                .iter()
                .all(|(key, values)| metric.tag(key).is_some_and(|value| values.match_any(value)))
            && self
                .fields
                .as_ref()
                .is_none_or(|keys| metric.fields().iter().any(|field| keys.match_any(&field.key)))
    }
}

/// A processor that passes or drops.
struct Filter {
    rules: Vec<Rule>,
    default: Action,
}

impl Filter {
    fn action(&self, metric: &Metric) -> Action {
        let rule = self.rules.iter().find(|rule| rule.applies(metric));
        rule.map_or(self.default, |rule| rule.action)
    }
}

impl Processor for Filter {
    fn apply(&mut self, mut metrics: Vec<Metric>) -> Vec<Metric> {
        metrics.retain(|metric| self.action(metric) == Action::Pass);
        metrics
    }
}
