//! Metrics of one period by their groups.

use std::collections::HashMap;

use super::{Aggregation, tell_of_text};
use crate::metric::{Companion, Metric, Tag, Value};
use crate::plugin::{Patterns, PluginLog, go};

/// The metrics of a period, those of a group together, groups in the order of their arrival.
#[derive(Default)]
pub(super) struct Groups {
    places: HashMap<String, usize>,
    list: Vec<Vec<Metric>>,
}

impl Groups {
    /// Adds a metric to the group that its name and those of its tags make that match.
    pub(super) fn add(&mut self, mut metric: Metric, tags: Option<&Patterns>, group_tag: &str) {
        let key = key(&metric, tags);
        // It may be kept for long, which nothing that goes along with it is to wait for.
        metric.companion = Companion::default();
        if !group_tag.is_empty() {
            metric.set_tag(group_tag, key.as_str());
        }
        let place = *self.places.entry(key).or_insert_with(|| {
            self.list.push(Vec::new());
            self.list.len() - 1
        });
        self.list[place].push(metric);
    }

    pub(super) fn into_list(self) -> Vec<Vec<Metric>> {
        self.list
    }
}

/// The name and the tags that match, each followed by `&`, as users may see it in a tag.
fn key(metric: &Metric, tags: Option<&Patterns>) -> String {
    let is_meant = |tag: &&Tag| tags.is_some_and(|patterns| patterns.match_any(&tag.key));
    let mut parts: Vec<&Tag> = metric.tags().iter().filter(is_meant).collect();
    // Pairs are sorted as they are written, so that "a-b=" comes before "a=".
    fn text(tag: &Tag) -> impl Iterator<Item = u8> {
        tag.key.bytes().chain([b'=']).chain(tag.value.bytes()).chain([b'&'])
    }
    parts.sort_by(|a, b| text(a).cmp(text(b)));
    let mut key = format!("{}&", metric.name);
    for tag in parts {
        key.extend([tag.key.as_str(), "=", tag.value.as_str(), "&"]);
    }
    key
}

/// The value of a field as a number; texts and booleans are none.
pub(super) fn number(metric: &Metric, field: &str, log: &PluginLog) -> Option<f64> {
    match metric.field(field)? {
        Value::Float(value) => Some(*value),
        Value::Integer(value) => Some(*value as f64),
        Value::Unsigned(value) => Some(*value as f64),
        value @ (Value::Boolean(_) | Value::String(_)) => {
            tell_of_text(metric, &go::to_text(value), log);
            None
        }
    }
}

/// What values come to; nothing comes to zero.
pub(super) fn aggregate(aggregation: Aggregation, values: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut count, mut min, mut max) = (0.0, 0_u64, f64::MAX, f64::MIN);
    for value in values {
        sum += value;
        count += 1;
        min = if value < min { value } else { min };
        max = if value > max { value } else { max };
    }
    match aggregation {
        _ if count == 0 => 0.0,
        Aggregation::Sum => sum,
        Aggregation::Mean => sum / count as f64,
        Aggregation::Min => min,
        Aggregation::Max => max,
    }
}
