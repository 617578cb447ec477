//! Lets pass what is most, of each period.
//!
//! # References
//! Telegraf's `processors.topk`.

mod group;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::metric::Metric;
use crate::plugin::settings::Duration;
use crate::plugin::{
    Build, BuildError, Context, Declaration, Patterns, PluginLog, Processor, Quoted,
};
use crate::system::Clock;

use group::Groups;

/// The processor as the table lists it.
pub static PLUGIN: Declaration<dyn Processor> =
    Declaration::new::<Config>("topk", include_str!("sample.conf"));

/// The settings of the processor.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default)]
pub struct Config {
    /// How long metrics are collected.
    pub period: Duration,
    /// How many groups pass for each field.
    pub k: i64,
    /// Patterns for the tags that make groups, together with the name.
    pub group_by: Vec<String>,
    /// The fields that are compared.
    pub fields: Vec<String>,
    /// What the values of a group come to.
    pub aggregation: Aggregation,
    /// Lets the lowest pass instead of the highest.
    pub bottomk: bool,
    /// The tag that takes the group; empty for none.
    pub add_groupby_tag: String,
    /// The fields whose rank is added.
    pub add_rank_fields: Vec<String>,
    /// The fields whose aggregated value is added.
    pub add_aggregate_fields: Vec<String>,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            period: Duration::from_secs(10),
            k: 10,
            group_by: vec!["*".into()],
            fields: vec!["value".into()],
            aggregation: Aggregation::Mean,
            bottomk: false,
            add_groupby_tag: String::new(),
            add_rank_fields: Vec::new(),
            add_aggregate_fields: Vec::new(),
        }
    }
}

/// What the values of a group come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Aggregation {
    /// All of them together.
    Sum,
    /// The same for each.
    Mean,
    /// The lowest.
    Min,
    /// The highest.
    Max,
}

impl Build<dyn Processor> for Config {
    fn build(self, context: &Context<'_>) -> Result<Box<dyn Processor>, BuildError> {
        let k = usize::try_from(self.k).map_err(|_| {
            BuildError::invalid(format!(
                "k is {}; it is how many groups pass for each field",
                self.k
            ))
        })?;
        let tags = Patterns::new(&self.group_by).map_err(BuildError::invalid)?;
        let clock = context.system.clock.clone();
        Ok(Box::new(TopK {
            config: self,
            k,
            tags,
            groups: Groups::default(),
            last_push: clock.elapsed(),
            clock,
            log: context.log.clone(),
        }))
    }
}

/// A processor that lets the highest pass.
struct TopK {
    config: Config,
    k: usize,
    tags: Option<Patterns>,
    groups: Groups,
    last_push: std::time::Duration,
    clock: Arc<dyn Clock>,
    log: PluginLog,
}

impl TopK {
    fn add(&mut self, metric: Metric) {
        if self.config.fields.iter().any(|key| metric.field(key).is_some()) {
            self.groups.add(metric, self.tags.as_ref(), &self.config.add_groupby_tag);
        }
    }

    /// Ends a period: the highest of its metrics.
    fn push(&mut self) -> Vec<Metric> {
        let mut groups = std::mem::take(&mut self.groups).into_list();
        let values: Vec<Vec<f64>> = groups.iter().map(|metrics| self.aggregate(metrics)).collect();
        let mut order: Vec<usize> = (0..groups.len()).collect();
        let mut passing = Vec::new();
        for (at, field) in self.config.fields.iter().enumerate() {
            // Among equals the order is that of arrival.
            order.sort_unstable();
            order.sort_by(|a, b| {
                let order = values[*a][at].total_cmp(&values[*b][at]);
                if self.config.bottomk { order } else { order.reverse() }
            });
            for (place, group) in order.iter().take(self.k).enumerate() {
                for metric in &mut groups[*group] {
                    self.annotate(metric, field, values[*group][at], place + 1);
                }
                if !passing.contains(group) {
                    passing.push(*group);
                }
            }
        }
        passing.into_iter().flat_map(|group| std::mem::take(&mut groups[group])).collect()
    }

    /// What each of the fields comes to in a group; those that are not there come to zero.
    fn aggregate(&self, metrics: &[Metric]) -> Vec<f64> {
        let fields = self.config.fields.iter();
        fields
            .map(|field| {
                let values =
                    metrics.iter().filter_map(|metric| group::number(metric, field, &self.log));
                group::aggregate(self.config.aggregation, values)
            })
            .collect()
    }

    /// Adds value and rank of a group to one of its metrics.
    fn annotate(&self, metric: &mut Metric, field: &str, value: f64, rank: usize) {
        if metric.field(field).is_none() {
            return;
        }
        let is_in = |list: &[String]| list.iter().any(|key| key == field);
        if is_in(&self.config.add_aggregate_fields) {
            metric.set_field(format!("{field}_topk_aggregate"), value);
        }
        if is_in(&self.config.add_rank_fields) {
            metric.set_field(format!("{field}_topk_rank"), rank as i64);
        }
    }
}

impl Processor for TopK {
    fn apply(&mut self, metrics: Vec<Metric>) -> Vec<Metric> {
        let mut passing = Vec::new();
        for metric in metrics {
            self.add(metric);
            let now = self.clock.elapsed();
            let period_nanos = u128::from(self.config.period.nanos().max(0).unsigned_abs());
            if (now - self.last_push).as_nanos() >= period_nanos {
                passing.append(&mut self.push());
                self.last_push = now;
            }
        }
        passing
    }
}

/// Says that a value does not count.
fn tell_of_text(metric: &Metric, value: &str, log: &PluginLog) {
    let tags = metric.tags().iter();
    let tags: Vec<_> =
        tags.map(|tag| format!("{}:{}", Quoted::new(&tag.key), Quoted::new(&tag.value))).collect();
    log.info(format_args!(
        "Cannot convert value {} from metric {} with tags map[{}]",
        Quoted::new(value),
        Quoted::new(&metric.name),
        tags.join(" ")
    ));
}

#[cfg(test)]
mod tests;
