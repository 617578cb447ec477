//! How many values of a field fall into each of several buckets.
//!
//! # References
//! Telegraf's `aggregators.histogram`; Prometheus' cumulative histograms for the tag `le`.

use std::collections::HashMap;

use compact_str::{CompactString, format_compact};
use serde::{Deserialize, Serialize};

use crate::metric::{Field, Metric, PlainFloat, Timestamp, Value};
use crate::plugin::series::{FieldMap, Series, SeriesMap};
use crate::plugin::settings::Duration;
use crate::plugin::{Accumulator, Aggregator, Build, BuildError, Context, Declaration};
use crate::system::System;

/// Declares `aggregators.histogram`.
pub static PLUGIN: Declaration<dyn Aggregator> =
    Declaration::new::<Config>("histogram", include_str!("sample.conf"));

/// The settings of `aggregators.histogram`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    reset: bool,
    cumulative: bool,
    expiration_interval: Duration,
    push_only_on_update: bool,
    config: Vec<BucketConfig>,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            reset: false,
            cumulative: true,
            expiration_interval: Duration::ZERO,
            push_only_on_update: false,
            config: Vec::new(),
        }
    }
}

/// The buckets of a measurement's fields.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct BucketConfig {
    measurement_name: String,
    fields: Vec<String>,
    buckets: Option<Vec<f64>>,
}

impl Build<dyn Aggregator> for Config {
    fn build(self, context: &Context<'_>) -> Result<Box<dyn Aggregator>, BuildError> {
        let mut rules: HashMap<CompactString, Vec<Rule>> = HashMap::new();
        for BucketConfig { measurement_name, fields, buckets } in self.config {
            let Some(mut bounds) = buckets else { continue };
            bounds.sort_by(f64::total_cmp);
            let texts = bounds.iter().map(|bound| format_compact!("{}", PlainFloat(*bound)));
            let buckets = Buckets { texts: texts.collect(), bounds };
            rules.entry(measurement_name.into()).or_default().push(Rule { fields, buckets });
        }
        Ok(Box::new(Histogram {
            rules,
            system: context.system.clone(),
            after: if self.reset { AfterPush::Reset } else { AfterPush::CountOn },
            counting: if self.cumulative { Counting::Cumulative } else { Counting::Apart },
            pushed: if self.push_only_on_update { Pushed::Updated } else { Pushed::All },
            expiration_nanos: Some(self.expiration_interval.nanos()).filter(|nanos| *nanos != 0),
            series: SeriesMap::default(),
        }))
    }
}

/// Which fields of a measurement are counted in which buckets.
struct Rule {
    /// All fields, if none is named.
    fields: Vec<String>,
    buckets: Buckets,
}

/// The upper bounds of buckets, ascending; one bucket more takes what is above them all.
struct Buckets {
    bounds: Vec<f64>,
    texts: Vec<CompactString>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AfterPush {
    Reset,
    CountOn,
}

/// Whether a bucket also counts what is in the buckets below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Counting {
    Cumulative,
    Apart,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pushed {
    All,
    /// Series with something new since the last push.
    Updated,
}

struct Histogram {
    rules: HashMap<CompactString, Vec<Rule>>,
    system: System,
    after: AfterPush,
    counting: Counting,
    pushed: Pushed,
    expiration_nanos: Option<i64>,
    series: SeriesMap<Counted>,
}

/// What was counted for a series.
#[derive(Debug, Default)]
struct Counted {
    fields: FieldMap<Option<FieldCounts>>,
    updated: Timestamp,
    is_updated: bool,
}

/// The counts of a field, one for each bucket.
#[derive(Debug)]
struct FieldCounts {
    /// The place of its rule.
    rule: usize,
    counts: Vec<i64>,
}

/// The place of the rule for a field: the last one that names it, or all fields.
fn rule_of(rules: &[Rule], field: &str) -> Option<usize> {
    rules
        .iter()
        .rposition(|rule| rule.fields.is_empty() || rule.fields.iter().any(|name| name == field))
}

impl Aggregator for Histogram {
    fn add(&mut self, metric: &Metric) {
        let Some(rules) = self.rules.get(&metric.name) else { return };
        let counted = self.series.get_or_insert_with(metric, Counted::default);
        for field in metric.fields() {
            let counts = match counted.fields.get_mut(&field.key) {
                Some(counts) => counts,
                None => {
                    let counts = rule_of(rules, &field.key).map(|rule| FieldCounts {
                        rule,
                        counts: vec![0; rules[rule].buckets.bounds.len() + 1],
                    });
                    counted.fields.insert_new(&field.key, counts);
                    let Some(counts) = counted.fields.get_mut(&field.key) else { continue };
                    counts
                }
            };
            let Some(FieldCounts { rule, counts }) = counts else { continue };
            counted.is_updated = true;
            if self.expiration_nanos.is_some() {
                counted.updated = self.system.clock.now();
            }
            // Unsigned integers and what is no number are not counted, but make a histogram.
            let value = match &field.value {
                Value::Float(value) => *value,
                Value::Integer(value) => *value as f64,
                Value::Unsigned(_) | Value::Boolean(_) | Value::String(_) => continue,
            };
            let bounds = &rules[*rule].buckets.bounds;
            // NaN is below no bound.
            let bucket = bounds.partition_point(|bound| value.is_nan() || *bound < value);
            counts[bucket] += 1;
        }
    }

    fn push(&mut self, accumulator: &mut Accumulator<'_>) {
        let now = accumulator.now();
        if let Some(nanos) = self.expiration_nanos {
            self.series.retain(|series| now.nanos_after(series.value.updated) <= nanos);
        }
        for series in self.series.iter_mut() {
            let Some(rules) = self.rules.get(&series.name) else { continue };
            if self.pushed == Pushed::Updated && !series.value.is_updated {
                continue;
            }
            series.value.is_updated = false;
            for group in groups(series, rules, self.counting) {
                let mut metric = series.metric(now, group.fields);
                if let Some(above) = group.above {
                    metric.set_tag("gt", above);
                }
                metric.set_tag("le", group.up_to);
                accumulator.add(metric);
            }
        }
    }

    /// Counts go on over the periods unless they are to be reset.
    fn reset(&mut self) {
        if self.after == AfterPush::Reset {
            self.series.clear();
        }
    }
}

/// The fields of a series with a bucket of the same bounds.
struct Group {
    /// The bound that is not part of it.
    above: Option<CompactString>,
    /// The bound that is part of it.
    up_to: CompactString,
    fields: Vec<Field>,
}

fn groups(series: &Series<Counted>, rules: &[Rule], counting: Counting) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (key, counts) in series.value.fields.iter() {
        let Some(FieldCounts { rule, counts }) = counts else { continue };
        let texts = &rules[*rule].buckets.texts;
        let mut sum = 0;
        for (at, count) in counts.iter().enumerate() {
            let up_to = texts.get(at).map_or("+Inf", CompactString::as_str);
            let below = at.checked_sub(1).and_then(|at| texts.get(at));
            let above = match counting {
                Counting::Cumulative => None,
                Counting::Apart => Some(below.map_or("-Inf", CompactString::as_str)),
            };
            sum = if counting == Counting::Cumulative { sum + count } else { *count };
            let field = Field { key: format_compact!("{key}_bucket"), value: Value::Integer(sum) };
            // Fields mostly share their buckets, so that the group is the one at this place.
            let is_it = |group: &Group| group.up_to == up_to && group.above.as_deref() == above;
            let found = match groups.get(at) {
                Some(group) if is_it(group) => Some(at),
                _ => groups.iter().position(is_it),
            };
            match found {
                Some(found) => groups[found].fields.push(field),
                None => groups.push(Group {
                    above: above.map(CompactString::from),
                    up_to: up_to.into(),
                    fields: vec![field],
                }),
            }
        }
    }
    groups
}
