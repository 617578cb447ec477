//! The options of `outputs.kafka`, and what they mean for a producer.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::topic::{KeyRules, TopicRules, TopicSuffix, TopicTag};
use crate::kafka::{Acks, Compression, Delivery, Producer, ProducerSettings};
use crate::plugin::template::{Library, Template};
use crate::plugin::{Build, BuildError, Context, DeprecatedOption, KafkaOptions, Output};
use crate::system::System;

/// The settings of the output.
#[derive(Clone, Deserialize, Serialize)]
#[serde(default)]
pub struct Config {
    topic: String,
    topic_tag: String,
    exclude_topic_tag: bool,
    version: String,
    routing_tag: String,
    routing_key: String,
    compression_codec: i64,
    idempotent_writes: bool,
    required_acks: i64,
    max_retry: i64,
    max_message_bytes: i64,
    producer_timestamp: ProducerTimestamp,
    record: RecordContent,
    socks5_enabled: bool,
    socks5_address: String,
    socks5_username: String,
    socks5_password: String,
    metric_name_header: String,
    topic_suffix: TopicSuffix,
    headers: BTreeMap<String, String>,
}

/// The time that records carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum ProducerTimestamp {
    /// The metric's.
    #[default]
    #[serde(alias = "")]
    Metric,
    /// The time of writing.
    Now,
    /// That of the record which the metric was made of; the metric's if there is none.
    Record,
}

/// What is written for a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum RecordContent {
    /// The metric, in the output's format.
    #[default]
    Serialized,
    /// The record which the metric was made of, as it came.
    Original,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            topic: String::new(),
            topic_tag: String::new(),
            exclude_topic_tag: false,
            version: String::new(),
            routing_tag: String::new(),
            routing_key: String::new(),
            compression_codec: 0,
            idempotent_writes: false,
            required_acks: -1,
            max_retry: 3,
            max_message_bytes: 1_000_000,
            producer_timestamp: ProducerTimestamp::Metric,
            record: RecordContent::default(),
            socks5_enabled: false,
            socks5_address: String::new(),
            socks5_username: String::new(),
            socks5_password: String::new(),
            metric_name_header: String::new(),
            topic_suffix: TopicSuffix::default(),
            headers: BTreeMap::new(),
        }
    }
}

pub(super) const METRIC_NAME_HEADER: DeprecatedOption = DeprecatedOption {
    option: "metric_name_header",
    since: "1.39.0",
    removal: "1.45.0",
    notice: "please use 'headers' instead",
};

impl Build<dyn Output> for Config {
    fn build(self, context: &Context<'_>) -> Result<Box<dyn Output>, BuildError> {
        self.check()?;
        if !self.metric_name_header.is_empty() {
            METRIC_NAME_HEADER.log_use_in("outputs.kafka");
        }
        let name = context.log.name();
        let producer = Producer::new(
            KafkaOptions::connection(context)?,
            self.producer_settings()?,
            name,
            context.system.clock.clone(),
        );
        let rng = context.system.random.derive(name);
        Ok(Box::new(super::Kafka {
            serializer: context.serializer("influx")?,
            headers: self.header_templates(&context.system)?,
            log: context.log.clone(),
            statistics: context.statistics.clone(),
            numbers: None,
            keys: KeyRules::new(self.routing_tag, &self.routing_key, rng),
            timestamp: self.producer_timestamp,
            content: self.record,
            topics: TopicRules {
                topic: self.topic,
                tag: self.topic_tag,
                tag_is: if self.exclude_topic_tag { TopicTag::Excluded } else { TopicTag::Kept },
                suffix: self.topic_suffix,
            },
            producer,
        }))
    }
}

impl Config {
    fn check(&self) -> Result<(), BuildError> {
        if self.topic.is_empty()
            && self.topic_tag.is_empty()
            && self.topic_suffix == TopicSuffix::default()
        {
            return Err(BuildError::invalid("neither topic nor topic_tag names a topic"));
        }
        if self.socks5_enabled {
            return Err(BuildError::invalid("proxies are not supported; remove socks5_enabled"));
        }
        KafkaOptions::check_version("version", &self.version)
    }

    fn producer_settings(&self) -> Result<ProducerSettings, BuildError> {
        let acks = match self.required_acks {
            0 => Acks::None,
            1 => Acks::Leader,
            -1 => Acks::All,
            other => {
                return Err(BuildError::invalid(format!(
                    "required_acks must be 0, 1 or -1; found {other}"
                )));
            }
        };
        let compression = match self.compression_codec {
            0 => Compression::None,
            1 => Compression::Gzip,
            2 => Compression::Snappy,
            3 => Compression::Lz4,
            4 => Compression::Zstd,
            other => {
                return Err(BuildError::invalid(format!(
                    "compression_codec must be a number from 0 to 4; found {other}"
                )));
            }
        };
        let max_message_bytes = match self.max_message_bytes {
            0 => 1_000_000,
            bytes => u32::try_from(bytes)
                .ok()
                .filter(|bytes| (1_000..=1_000_000_000).contains(bytes))
                .ok_or_else(|| {
                    BuildError::invalid(format!(
                        "max_message_bytes must lie between 1000 and 1000000000; found {bytes}"
                    ))
                })?,
        };
        let max_retries = u32::try_from(self.max_retry).map_err(|_| {
            BuildError::invalid(format!(
                "max_retry must be a number from 0 up; found {}",
                self.max_retry
            ))
        })?;
        let delivery = match self.idempotent_writes {
            false => Delivery::AtLeastOnce,
            true if acks == Acks::All && max_retries > 0 => Delivery::Idempotent,
            true => {
                return Err(BuildError::invalid(
                    "idempotent_writes wants required_acks = -1 and a max_retry above 0",
                ));
            }
        };
        Ok(ProducerSettings { acks, delivery, compression, max_message_bytes, max_retries })
    }

    fn header_templates(&self, system: &System) -> Result<Vec<(String, Template)>, BuildError> {
        let mut texts = self.headers.clone();
        if !self.metric_name_header.is_empty() {
            texts.insert(self.metric_name_header.clone(), "{{ .Name }}".to_owned());
        }
        let header = |(name, text): (String, String)| {
            let template = Template::new(&name, &text, Library::Standard, system);
            let template = template.map_err(|error| {
                BuildError::invalid(format!(
                    "creating template for header {name:?} failed: {error}"
                ))
            })?;
            Ok((name, template))
        };
        texts.into_iter().map(header).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(change: impl FnOnce(&mut Config)) -> Result<ProducerSettings, String> {
        let mut config = Config::default();
        change(&mut config);
        config.producer_settings().map_err(|error| error.to_string())
    }

    #[test]
    fn defaults_are_those_of_the_producer() {
        assert_eq!(settings(|_| {}), Ok(ProducerSettings::default()));
        assert_eq!(
            settings(|config| config.max_message_bytes = 0),
            Ok(ProducerSettings::default())
        );
    }

    #[test]
    fn numbers_that_mean_nothing_are_refused() {
        for (change, option) in [
            (Box::new(|c: &mut Config| c.required_acks = 2) as Box<dyn Fn(&mut Config)>, "acks"),
            (Box::new(|c| c.required_acks = -2), "required_acks"),
            (Box::new(|c| c.compression_codec = 5), "compression_codec"),
            (Box::new(|c| c.max_message_bytes = 999), "max_message_bytes"),
            (Box::new(|c| c.max_message_bytes = -1), "max_message_bytes"),
            (Box::new(|c| c.max_retry = -1), "max_retry"),
        ] {
            let error = settings(change).unwrap_err();
            assert!(error.contains(option), "{error}");
        }
    }

    #[test]
    fn idempotent_writes_want_all_replicas_and_a_retry() {
        let idempotent = |acks, retries| {
            settings(|config| {
                config.idempotent_writes = true;
                config.required_acks = acks;
                config.max_retry = retries;
            })
        };
        assert_eq!(idempotent(-1, 1).unwrap().delivery, Delivery::Idempotent);
        assert!(idempotent(1, 1).is_err() && idempotent(-1, 0).is_err());
    }

    #[test]
    fn the_header_of_the_name_joins_the_others_in_order() {
        let config = Config {
            headers: [("z", "{{ .Name }}"), ("a", "x")]
                .map(|(name, text)| (name.to_owned(), text.to_owned()))
                .into(),
            metric_name_header: "metric".to_owned(),
            ..Config::default()
        };
        let headers = config.header_templates(&System::real()).unwrap();
        let names: Vec<_> = headers.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["a", "metric", "z"]);
    }
}
