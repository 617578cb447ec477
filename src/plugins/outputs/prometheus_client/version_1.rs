//! Series by the older rules: a field named `value`, `counter` or `gauge` goes without its name,
//! the points of a distribution are fields of one metric, and all series of a family have the same
//! labels.

use std::borrow::Cow;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use compact_str::{CompactString, format_compact};

use super::Samples;
use super::listing::{ListedSeries, Listing};
use crate::metric::{Metric, Tag, Timestamp, Value, ValueType};
use crate::plugin::exposition::{
    Conversion, Distribution, HELP, Label, Labels, Measured, StringFields,
};
use crate::plugin::go::parse_float;

/// What is known by the rules of version 1.
pub(super) struct Version1 {
    conversion: Conversion,
    /// Sorted, so that what cannot be told beside what does not depend on chance.
    families: BTreeMap<CompactString, Family>,
}

/// The series of one name.
struct Family {
    /// That of the first metric.
    value_type: ValueType,
    /// By the tags of the metric: what its strings say may change.
    samples: HashMap<Arc<[Tag]>, Sample>,
    /// How often each label came, without what has been forgotten; sorted by name. A label stays
    /// for as long as that is above zero.
    label_counts: Vec<(CompactString, u64)>,
}

struct Sample {
    labels: Labels,
    measured: Measured,
    time: Timestamp,
    came: Duration,
}

impl Version1 {
    /// Knows nothing yet.
    pub(super) fn new(conversion: Conversion) -> Version1 {
        Version1 { conversion, families: BTreeMap::new() }
    }

    fn add_metric(&mut self, metric: &Metric, now: Duration) {
        let labels = self.labels(metric);
        let tags: Arc<[Tag]> = Arc::from(metric.tags());
        let sample =
            |measured| Sample { labels: labels.clone(), measured, time: metric.time, came: now };
        if matches!(metric.value_type, ValueType::Histogram | ValueType::Summary) {
            let measured = Measured::Distribution(distribution(metric));
            return self.add_sample(metric, &metric.name, &tags, sample(measured));
        }
        for field in metric.fields() {
            if let Some(value) = number(&field.value) {
                let name = name_of_field(metric, &field.key);
                self.add_sample(metric, &name, &tags, sample(Measured::Single(value)));
            }
        }
    }

    fn labels(&self, metric: &Metric) -> Labels {
        let mut labels: Vec<Label> = Vec::with_capacity(metric.tags().len());
        let mut put = |name: &str, value: &CompactString| {
            let Some(name) = self.conversion.characters.name_of_label(name) else { return };
            match labels.iter_mut().find(|label| label.name == name) {
                Some(label) => label.value = value.clone(),
                None => labels.push(Label { name, value: value.clone() }),
            }
        };
        metric.tags().iter().for_each(|tag| put(&tag.key, &tag.value));
        if self.conversion.strings == StringFields::Labels {
            for field in metric.fields() {
                if let Value::String(text) = &field.value {
                    put(&field.key, text);
                }
            }
        }
        labels.sort_by(|a, b| a.name.cmp(&b.name));
        Arc::from(labels)
    }

    fn add_sample(&mut self, metric: &Metric, name: &str, tags: &Arc<[Tag]>, sample: Sample) {
        let Some(name) = self.conversion.characters.name_of_metric(name) else { return };
        let family = match self.families.entry(name) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(free) => {
                let value_type = self.conversion.types.type_of(free.key(), metric);
                let (samples, label_counts) = (HashMap::new(), Vec::new());
                free.insert(Family { value_type, samples, label_counts })
            }
        };
        for label in sample.labels.iter() {
            match family.place_of(&label.name) {
                Ok(at) => family.label_counts[at].1 += 1,
                Err(at) => family.label_counts.insert(at, (label.name.clone(), 1)),
            }
        }
        family.samples.insert(tags.clone(), sample);
    }
}

impl Family {
    fn place_of(&self, label: &str) -> Result<usize, usize> {
        self.label_counts.binary_search_by(|(name, _)| name.as_str().cmp(label))
    }

    fn forget_before(&mut self, oldest: Duration) {
        if !self.samples.values().any(|sample| sample.came < oldest) {
            return;
        }
        let (old, kept) = std::mem::take(&mut self.samples)
            .into_iter()
            .partition::<HashMap<_, _>, _>(|(_, sample)| sample.came < oldest);
        self.samples = kept;
        for label in old.values().flat_map(|sample| sample.labels.iter()) {
            if let Ok(at) = self.place_of(&label.name) {
                self.label_counts[at].1 = self.label_counts[at].1.saturating_sub(1);
            }
        }
        self.label_counts.retain(|(_, count)| *count > 0);
    }

    /// A sample as it is told: with all labels of the family, those it does not have empty.
    fn listed<'s>(&'s self, sample: &'s Sample) -> ListedSeries<'s> {
        let label = |name: &CompactString| {
            let own = sample.labels.iter().find(|label| label.name == *name);
            let value = own.map_or_else(CompactString::default, |label| label.value.clone());
            Label { name: name.clone(), value }
        };
        let labels = match sample.labels.len() == self.label_counts.len() {
            true => Cow::Borrowed(&*sample.labels),
            false => self.label_counts.iter().map(|(name, _)| label(name)).collect(),
        };
        let is_distribution = matches!(self.value_type, ValueType::Histogram | ValueType::Summary);
        let measured = match &sample.measured {
            // The family is what its first metric was.
            Measured::Single(_) if is_distribution => {
                Cow::Owned(Measured::Distribution(Distribution::default()))
            }
            Measured::Distribution(_) if !is_distribution => Cow::Owned(Measured::Single(0.0)),
            measured => Cow::Borrowed(measured),
        };
        ListedSeries { labels, time: sample.time, measured }
    }
}

impl Samples for Version1 {
    fn add(&mut self, batch: &[Metric], now: Duration) {
        // Of samples with the same time the first of the batch is to count.
        let mut by_time: Vec<&Metric> = batch.iter().rev().collect();
        by_time.sort_by_key(|metric| metric.time);
        by_time.into_iter().for_each(|metric| self.add_metric(metric, now));
    }

    fn forget_before(&mut self, oldest: Duration) {
        self.families.values_mut().for_each(|family| family.forget_before(oldest));
        self.families.retain(|_, family| !family.samples.is_empty());
    }

    fn list<'s>(&'s self, listing: &mut Listing<'s>) {
        for (name, family) in &self.families {
            let series = family.samples.values().map(|sample| family.listed(sample));
            listing.add(name, family.value_type, HELP, series);
        }
    }
}

/// The name of the family that a field belongs to, as it would be written without rules for names.
fn name_of_field(metric: &Metric, key: &str) -> CompactString {
    let goes_without = match metric.value_type {
        ValueType::Counter => key == "counter",
        ValueType::Gauge => key == "gauge",
        _ => false,
    };
    match goes_without || key == "value" {
        true => metric.name.clone(),
        false => format_compact!("{}_{key}", metric.name),
    }
}

/// The fields of a metric as a distribution; those that are no part of one are left out.
fn distribution(metric: &Metric) -> Distribution {
    let mut distribution = Distribution::default();
    for field in metric.fields() {
        let Some(value) = number(&field.value) else { continue };
        match field.key.as_str() {
            "sum" => distribution.sum = value,
            "count" => distribution.count = value as u64,
            key => {
                let Ok(at) = parse_float(key) else { continue };
                // Buckets count whole values.
                let is_bucket = metric.value_type == ValueType::Histogram;
                let value = if is_bucket { value as u64 as f64 } else { value };
                match distribution.points.iter_mut().find(|(known, _)| *known == at) {
                    Some((_, known)) => *known = value,
                    None => distribution.points.push((at, value)),
                }
            }
        }
    }
    distribution.points.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    distribution
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Float(value) => Some(*value),
        Value::Integer(value) => Some(*value as f64),
        Value::Unsigned(value) => Some(*value as f64),
        Value::Boolean(_) | Value::String(_) => None,
    }
}
