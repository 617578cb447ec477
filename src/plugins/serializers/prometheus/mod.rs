//! Writes metrics in the text format of Prometheus.
//!
//! # References
//! Telegraf's `prometheus` serializer; what the text is like is [`crate::plugin::exposition`].

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::metric::Metric;
use crate::plugin::exposition::{
    Characters, Collection, Conversion, Descriptions, HELP, MetricTypes, StringFields, Style,
    TextWriter, Times, TypesByName,
};
use crate::plugin::{
    Build, BuildError, Context, Declaration, PluginError, Quoted, Rejection, Serializer,
};

/// The serializer as the table lists it.
pub static PLUGIN: Declaration<dyn Serializer> =
    Declaration::new::<Config>("prometheus", include_str!("sample.conf"));

/// The options beside `data_format = "prometheus"`.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Config {
    /// Whether samples carry their time.
    pub prometheus_export_timestamp: bool,
    /// Whether families and series are sorted.
    pub prometheus_sort_metrics: bool,
    /// Whether string fields become labels.
    pub prometheus_string_as_label: bool,
    /// Whether the lines that describe a family are left out.
    pub prometheus_compact_encoding: bool,
    /// `legacy` or `utf8`; empty for the first.
    pub prometheus_name_sanitization: String,
    /// Types that series have whatever the metric says.
    pub prometheus_metric_types: MetricTypes,
}

impl Build<dyn Serializer> for Config {
    fn build(self, _: &Context<'_>) -> Result<Box<dyn Serializer>, BuildError> {
        let sanitization = &self.prometheus_name_sanitization;
        let characters = Characters::parse(sanitization).ok_or_else(|| {
            BuildError::invalid(format!(
                "invalid prometheus_name_sanitization {}: must be \"legacy\" or \"utf8\"",
                Quoted::new(sanitization)
            ))
        })?;
        Ok(Box::new(Prometheus {
            conversion: Conversion {
                characters,
                strings: match self.prometheus_string_as_label {
                    true => StringFields::Labels,
                    false => StringFields::Dropped,
                },
                types: TypesByName::new(&self.prometheus_metric_types)?,
            },
            style: Style {
                descriptions: match self.prometheus_compact_encoding {
                    true => Descriptions::LeftOut,
                    false => Descriptions::Written,
                },
                times: match self.prometheus_export_timestamp {
                    true => Times::Written,
                    false => Times::LeftOut,
                },
                ..Style::default()
            },
            order: match self.prometheus_sort_metrics {
                true => Order::Sorted,
                false => Order::AsTheyCame,
            },
        }))
    }
}

/// The order of families and series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    AsTheyCame,
    Sorted,
}

/// A serializer of the text format.
struct Prometheus {
    conversion: Conversion,
    style: Style,
    order: Order,
}

impl Prometheus {
    fn write<'m>(&self, metrics: impl Iterator<Item = &'m Metric>, out: &mut Vec<u8>) {
        let mut collection = Collection::default();
        // Nothing here lasts longer than the batch.
        metrics.for_each(|metric| self.conversion.add(metric, Duration::ZERO, &mut collection));
        if self.order == Order::Sorted {
            collection.sort();
        }
        let mut text = TextWriter::new(self.style, out);
        for family in &collection.families {
            let mut writer = text.family(&family.name, family.value_type, HELP);
            for series in &family.series {
                writer.series(&series.labels, series.time, &series.measured);
            }
        }
    }
}

impl Serializer for Prometheus {
    fn serialize(&mut self, metric: &Metric, out: &mut Vec<u8>) -> Result<(), PluginError> {
        self.write(std::iter::once(metric), out);
        Ok(())
    }

    fn serialize_batch(
        &mut self,
        metrics: &[Metric],
        out: &mut Vec<u8>,
    ) -> Result<Vec<Rejection>, PluginError> {
        self.write(metrics.iter(), out);
        Ok(Vec::new())
    }
}

#[cfg(test)]
mod tests;
