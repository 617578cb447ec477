//! Writes metrics to Kafka topics, one record each.
//!
//! # References
//! Telegraf's `outputs.kafka` for options, topics, keys and headers.

mod config;
mod prepared;
mod topic;

use std::fmt;
use std::sync::Arc;

use crate::kafka::{ProduceError, Producer};
use crate::metric::Metric;
use crate::plugin::template::Template;
use crate::plugin::{
    ConnectError, Declaration, KafkaNumbers, KafkaOptions, Output, PluginError, PluginLog, Refresh,
    Rejection, Serializer, Statistics, WriteError,
};
pub use config::Config;
use config::{ProducerTimestamp, RecordContent};
use prepared::{Content, Prepared, PreparedRecord};
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
    content: RecordContent,
    log: PluginLog,
    statistics: Statistics,
    /// What the client counts, if somebody reports it.
    numbers: Option<Arc<dyn Refresh>>,
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

/// A metric that was to be written as the record that it was made of, and was made of none.
#[derive(Debug, thiserror::Error)]
#[error(
    "{series}, for topic {topic:?}: there is no record to pass on; record = \"original\" wants \
     metrics of an inputs.kafka_consumer with keep_record = true"
)]
struct NoRecord {
    series: String,
    topic: String,
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
        if self.numbers.is_none() && self.statistics.are_reported() {
            let source = self.producer.report_statistics();
            self.numbers = Some(KafkaNumbers::report(
                &self.statistics,
                self.log.name(),
                "kafka_producer",
                move || source.read(),
            ));
        }
        self.producer.connect().map_err(|error| ConnectError {
            retryable: !error.is_permanent(),
            source: error.into(),
        })
    }

    fn write(&mut self, batch: &[Metric]) -> Result<(), WriteError> {
        let mut prepared = self.prepare(batch);
        let outcomes = self.producer.produce(&prepared.records(batch, &self.headers));
        let mut retry = Vec::new();
        let mut rejected = std::mem::take(&mut prepared.rejected);
        let mut first = rejected.first().map(|rejection| rejection.reason.to_string());
        for (record, outcome) in prepared.records.iter().zip(outcomes) {
            let Err(error) = outcome else { continue };
            if !error.is_permanent() {
                first.get_or_insert_with(|| error.to_string());
                retry.extend(record.metrics());
                continue;
            }
            for index in record.metrics() {
                let reason = RefusedMetric {
                    series: Series(&batch[index]).to_string(),
                    bytes: record.value_bytes(batch),
                    topic: record.topic.to_string(),
                    source: error.clone(),
                };
                first.get_or_insert_with(|| reason.to_string());
                rejected.push(Rejection { index, reason: reason.into() });
            }
        }
        retry.sort_unstable();
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
        let mut prepared = Prepared::with_room_for(batch.len());
        for (index, original) in batch.iter().enumerate() {
            let (topic, metric) = self.topics.apply(original);
            let content = match self.content {
                RecordContent::Serialized => {
                    let start = prepared.values.len();
                    let result = self.serializer.serialize(&metric, &mut prepared.values);
                    result.map(|()| Content::Value(start..prepared.values.len())).map_err(
                        |source| {
                            let series = Series(original).to_string();
                            UnserializableMetric { series, topic: topic.to_string(), source }.into()
                        },
                    )
                }
                RecordContent::Original if original.companion.record().is_none() => {
                    let series = Series(original).to_string();
                    Err(NoRecord { series, topic: topic.to_string() }.into())
                }
                RecordContent::Original => {
                    if prepared.joins_earlier(batch, index, &topic) {
                        continue;
                    }
                    Ok(Content::Original)
                }
            };
            let content = match content {
                Ok(content) => content,
                Err(reason) => {
                    prepared.rejected.push(Rejection { index, reason });
                    continue;
                }
            };
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
            let of_record = || original.companion.record().and_then(|record| record.timestamp_ms);
            let timestamp_ms = match self.timestamp {
                ProducerTimestamp::Metric => Some(metric.time.millis()),
                ProducerTimestamp::Now => None,
                ProducerTimestamp::Record => of_record().or(Some(metric.time.millis())),
            };
            prepared.records.push(PreparedRecord {
                index,
                others: Vec::new(),
                topic,
                key: self.keys.key(&metric),
                content,
                headers,
                // Kafka has no times before 1970.
                timestamp_ms: timestamp_ms.filter(|ms| *ms > 0),
            });
        }
        prepared
    }
}

#[cfg(test)]
mod tests;
