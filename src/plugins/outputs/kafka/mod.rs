//! Writes metrics to Kafka topics, one record each.
//!
//! # References
//! Telegraf's `outputs.kafka` for options, topics, keys and headers.

mod config;
mod topic;

use std::fmt;
use std::ops::Range;

use compact_str::CompactString;

use crate::kafka::{ProduceError, Producer, Record};
use crate::metric::Metric;
use crate::plugin::template::Template;
use crate::plugin::{
    ConnectError, Declaration, KafkaOptions, Output, PluginError, PluginLog, Rejection, Serializer,
    WriteError,
};
pub use config::Config;
use config::ProducerTimestamp;
use topic::{KeyRules, TopicRules};

/// The output as the table lists it.
pub static PLUGIN: Declaration<dyn Output> =
    Declaration::sharing::<Config, KafkaOptions>("kafka", include_str!("sample.conf"))
        .deprecating(&[config::METRIC_NAME_HEADER]);

/// An output to the topics of a cluster.
struct Kafka {
    producer: Producer,
    serializer: Box<dyn Serializer>,
    topics: TopicRules,
    keys: KeyRules,
    headers: Vec<(String, Template)>,
    timestamp: ProducerTimestamp,
    log: PluginLog,
}

/// A batch as records, before they borrow from it.
#[derive(Default)]
struct Prepared {
    values: Vec<u8>,
    header_values: String,
    records: Vec<PreparedRecord>,
    rejected: Vec<Rejection>,
}

struct PreparedRecord {
    /// The metric's place in the batch.
    index: usize,
    topic: CompactString,
    key: Option<CompactString>,
    value: Range<usize>,
    /// One for each template, none where the metric lacks what it asks for.
    headers: Vec<Option<Range<usize>>>,
    timestamp_ms: Option<i64>,
}

/// A metric that Kafka never takes.
#[derive(Debug, thiserror::Error)]
#[error("{series}, {bytes} bytes for topic {topic:?}: {source}{}", hint(.source))]
struct RefusedMetric {
    series: String,
    bytes: usize,
    topic: String,
    source: ProduceError,
}

/// A metric that has no form in the output's format.
#[derive(Debug, thiserror::Error)]
#[error("{series}, for topic {topic:?}: {source}")]
struct UnserializableMetric {
    series: String,
    topic: String,
    source: PluginError,
}

/// What a batch that was not written as a whole came to.
#[derive(Debug, thiserror::Error)]
#[error("{failed} of {size} metrics not written: {first}")]
struct NotAllWritten {
    failed: usize,
    size: usize,
    first: String,
}

fn hint(error: &ProduceError) -> &'static str {
    match error {
        ProduceError::TooLarge => {
            "; see max_message_bytes here, message.max.bytes of the broker and max.message.bytes \
             of the topic"
        }
        ProduceError::Invalid(_) => "; see message.timestamp.before.max.ms of the topic",
        _ => "",
    }
}

/// Shows a metric's name and tags.
struct Series<'m>(&'m Metric);

impl fmt::Display for Series<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.name)?;
        self.0.tags().iter().try_for_each(|tag| write!(f, ",{}={}", tag.key, tag.value))
    }
}

impl Output for Kafka {
    fn connect(&mut self) -> Result<(), ConnectError> {
        self.producer.connect().map_err(|error| ConnectError {
            retryable: !error.is_permanent(),
            source: error.into(),
        })
    }

    fn write(&mut self, batch: &[Metric]) -> Result<(), WriteError> {
        let mut prepared = self.prepare(batch);
        let outcomes = self.producer.produce(&prepared.records(&self.headers));
        let mut retry = Vec::new();
        let mut rejected = std::mem::take(&mut prepared.rejected);
        let mut first = rejected.first().map(|rejection| rejection.reason.to_string());
        for (record, outcome) in prepared.records.iter().zip(outcomes) {
            let Err(error) = outcome else { continue };
            if error.is_permanent() {
                let reason = RefusedMetric {
                    series: Series(&batch[record.index]).to_string(),
                    bytes: record.value.len(),
                    topic: record.topic.to_string(),
                    source: error,
                };
                first.get_or_insert_with(|| reason.to_string());
                rejected.push(Rejection { index: record.index, reason: reason.into() });
            } else {
                first.get_or_insert_with(|| error.to_string());
                retry.push(record.index);
            }
        }
        let Some(first) = first else { return Ok(()) };
        if retry.len() == batch.len() {
            return Err(WriteError::retry(first));
        }
        rejected.sort_by_key(|rejection| rejection.index);
        let failed = retry.len() + rejected.len();
        let source = NotAllWritten { failed, size: batch.len(), first }.into();
        Err(WriteError::Partial { retry, rejected, source })
    }

    fn close(&mut self) -> Result<(), PluginError> {
        self.producer.close();
        Ok(())
    }
}

impl Kafka {
    fn prepare(&mut self, batch: &[Metric]) -> Prepared {
        let mut prepared =
            Prepared { records: Vec::with_capacity(batch.len()), ..Prepared::default() };
        for (index, original) in batch.iter().enumerate() {
            let (topic, metric) = self.topics.apply(original);
            let start = prepared.values.len();
            if let Err(source) = self.serializer.serialize(&metric, &mut prepared.values) {
                let series = Series(original).to_string();
                let reason = UnserializableMetric { series, topic: topic.to_string(), source };
                prepared.rejected.push(Rejection { index, reason: reason.into() });
                continue;
            }
            let mut headers = Vec::with_capacity(self.headers.len());
            for (name, template) in &self.headers {
                let values = &mut prepared.header_values;
                let start = values.len();
                headers.push(match template.fill(&metric, values) {
                    Ok(()) => Some(start..values.len()),
                    Err(error) => {
                        self.log.error(format_args!("adding header {name:?} failed: {error}"));
                        None
                    }
                });
            }
            prepared.records.push(PreparedRecord {
                index,
                topic,
                key: self.keys.key(&metric),
                value: start..prepared.values.len(),
                headers,
                timestamp_ms: match self.timestamp {
                    // Kafka has no times before 1970.
                    ProducerTimestamp::Metric => Some(metric.time.millis()).filter(|ms| *ms > 0),
                    ProducerTimestamp::Now => None,
                },
            });
        }
        prepared
    }
}

impl Prepared {
    fn records<'p>(&'p self, headers: &'p [(String, Template)]) -> Vec<Record<'p>> {
        let record = |record: &'p PreparedRecord| Record {
            topic: &record.topic,
            key: record.key.as_ref().map(|key| key.as_bytes()),
            value: Some(&self.values[record.value.clone()]),
            headers: headers
                .iter()
                .zip(&record.headers)
                .filter_map(|((name, _), at)| {
                    Some((name.as_str(), Some(self.header_values[at.clone()?].as_bytes())))
                })
                .collect(),
            timestamp_ms: record.timestamp_ms,
        };
        self.records.iter().map(record).collect()
    }
}

#[cfg(test)]
mod tests;
