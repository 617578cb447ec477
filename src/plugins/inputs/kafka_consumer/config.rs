//! The options of the input, and what they mean for a member of a group.

use serde::{Deserialize, Serialize};

use super::consumer::Settings;
use super::conversion::{Additions, Conversion, Keeping, TimeSource};
use super::dead_letters::Place;
use super::intake::Counters;
use super::start::Start;
use super::topics::{Topics, is_topic};
use super::{KafkaConsumer, Waiting};
use crate::kafka::Connection;
use crate::kafka::group::{Assignor, GroupProtocol, GroupSettings};
use crate::plugin::settings::{Duration, Size};
use crate::plugin::{Build, BuildError, Context, Input, KafkaOptions};

/// What the group is called unless the settings say otherwise.
const DEFAULT_GROUP: &str = "telegraf_metrics_consumers";

/// How many records may be under way where the option is zero.
const DEFAULT_UNDELIVERED: i64 = 1_000;

/// How much is read ahead of what is parsed.
const READ_AHEAD_BYTES: usize = 8 * 1024 * 1024;

/// How often the member says that it is there.
const HEARTBEAT: std::time::Duration = std::time::Duration::from_secs(1);

/// The settings of the input.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default)]
pub struct Config {
    kafka_version: String,
    version: String,
    topics: Vec<String>,
    topic_regexps: Vec<String>,
    topic_refresh_interval: Duration,
    topic_tag: String,
    partition_tag: String,
    offset_field: String,
    key_tag: String,
    msg_headers_as_tags: Vec<String>,
    msg_header_as_metric_name: String,
    timestamp_source: Timestamps,
    keep_record: bool,
    dead_letter_topic: String,
    dead_letter_file: String,
    consumer_group: String,
    group_instance_id: String,
    session_timeout: Duration,
    offset: String,
    balance_strategy: BalanceStrategy,
    commit_interval: Duration,
    revoke_wait: Duration,
    max_message_len: i64,
    max_undelivered_messages: i64,
    max_processing_time: Duration,
    consumer_fetch_default: Size,
    consumer_fetch_min: Size,
    consumer_fetch_max_wait: Duration,
    resolve_canonical_bootstrap_servers_only: bool,
    compression_codec: i64,
    connection_strategy: ConnectionStrategy,
}

/// Where the times of metrics come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum Timestamps {
    /// The metrics.
    #[default]
    #[serde(alias = "")]
    Metric,
    /// The record.
    Inner,
    /// The batch that the record came in, of which the records have the times nowadays.
    Outer,
}

/// How partitions are shared among the members of the group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
enum BalanceStrategy {
    #[default]
    Range,
    Roundrobin,
    /// As Telegraf calls it, which has an older kind of it.
    Sticky,
    CooperativeSticky,
}

impl<'de> Deserialize<'de> for BalanceStrategy {
    /// Takes words in any case, as Telegraf does.
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        match name.to_ascii_lowercase().as_str() {
            "" | "range" => Ok(BalanceStrategy::Range),
            "roundrobin" => Ok(BalanceStrategy::Roundrobin),
            "sticky" => Ok(BalanceStrategy::Sticky),
            "cooperative-sticky" => Ok(BalanceStrategy::CooperativeSticky),
            _ => Err(serde::de::Error::custom(format!(
                "invalid balance strategy {name:?}; there are \"range\", \"roundrobin\", \
                 \"sticky\" and \"cooperative-sticky\""
            ))),
        }
    }
}

/// When older versions of Telegraf connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum ConnectionStrategy {
    #[default]
    #[serde(alias = "")]
    Startup,
    Defer,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            kafka_version: String::new(),
            version: String::new(),
            topics: Vec::new(),
            topic_regexps: Vec::new(),
            topic_refresh_interval: Duration::from_secs(60),
            topic_tag: String::new(),
            partition_tag: String::new(),
            offset_field: String::new(),
            key_tag: String::new(),
            msg_headers_as_tags: Vec::new(),
            msg_header_as_metric_name: String::new(),
            timestamp_source: Timestamps::default(),
            keep_record: false,
            dead_letter_topic: String::new(),
            dead_letter_file: String::new(),
            consumer_group: DEFAULT_GROUP.to_owned(),
            group_instance_id: String::new(),
            session_timeout: Duration::from_secs(45),
            offset: "oldest".to_owned(),
            balance_strategy: BalanceStrategy::default(),
            commit_interval: Duration::from_secs(1),
            revoke_wait: Duration::from_secs(5),
            max_message_len: 0,
            max_undelivered_messages: DEFAULT_UNDELIVERED,
            max_processing_time: Duration::from_millis(100),
            consumer_fetch_default: Size::from_bytes(0),
            consumer_fetch_min: Size::from_bytes(0),
            consumer_fetch_max_wait: Duration::ZERO,
            resolve_canonical_bootstrap_servers_only: false,
            compression_codec: 0,
            connection_strategy: ConnectionStrategy::default(),
        }
    }
}

impl Build<dyn Input> for Config {
    fn build(self, context: &Context<'_>) -> Result<Box<dyn Input>, BuildError> {
        KafkaOptions::check_version("kafka_version", &self.kafka_version)?;
        KafkaOptions::check_version("version", &self.version)?;
        self.check_topics()?;
        if self.connection_strategy == ConnectionStrategy::Defer {
            context.log.warn(
                "connection_strategy has no effect; startup_error_behavior = \"retry\" lets the \
                 agent start without brokers",
            );
        }
        if self.balance_strategy == BalanceStrategy::Sticky {
            context.log.info(
                "balance_strategy \"sticky\" is \"cooperative-sticky\" here: a Telegraf that is \
                 \"sticky\" cannot be in the same group",
            );
        }
        let max_undelivered = match self.max_undelivered_messages {
            0 => DEFAULT_UNDELIVERED,
            messages => messages,
        };
        let max_undelivered = whole("max_undelivered_messages", max_undelivered)?;
        let most_bytes = whole("max_message_len", self.max_message_len)?;
        let start: Start = self
            .offset
            .parse()
            .map_err(|error: super::start::StartError| BuildError::invalid(error))?;
        let excluded = self.dead_letter_topic.clone();
        let topics = Topics::new(self.topics.clone(), &self.topic_regexps, excluded)
            .map_err(|error| BuildError::invalid(format!("topic_regexps: {error}")))?;
        let connection = KafkaOptions::connection(context)?;
        let dead_letters = self.dead_letters(&connection, context)?;
        let group = self.group(connection, &start, context)?;
        let statistics = context.statistics.of_plugin(context.log.name());
        Ok(Box::new(KafkaConsumer {
            waiting: Some(Waiting {
                settings: Settings {
                    group,
                    start,
                    topics,
                    topic_refresh: self.topic_refresh_interval.to_std(),
                    commit_interval: self.commit_interval.to_std(),
                    revoke_wait: self.revoke_wait.to_std(),
                },
                conversion: self.conversion(context, most_bytes)?,
                dead_letters,
                counters: Counters::new(&statistics),
                max_undelivered,
            }),
            running: None,
            clock: context.system.clock.clone(),
            log: context.log.clone(),
        }))
    }
}

impl Config {
    fn check_topics(&self) -> Result<(), BuildError> {
        if self.topics.is_empty() && self.topic_regexps.is_empty() {
            return Err(BuildError::invalid("neither topics nor topic_regexps names a topic"));
        }
        match self.topics.iter().find(|topic| !is_topic(topic)) {
            Some(topic) => {
                Err(BuildError::invalid(format!("topics: there can be no topic {topic:?}")))
            }
            None => Ok(()),
        }
    }

    fn dead_letters(
        &self,
        connection: &Connection,
        context: &Context<'_>,
    ) -> Result<Place, BuildError> {
        let (topic, file) = (&self.dead_letter_topic, &self.dead_letter_file);
        if topic.is_empty() {
            return Ok(match file.is_empty() {
                true => Place::Log,
                false => Place::File(file.into()),
            });
        }
        if !file.is_empty() {
            return Err(BuildError::invalid(
                "dead_letter_topic and dead_letter_file exclude each other",
            ));
        }
        if !is_topic(topic) {
            return Err(BuildError::invalid(format!(
                "dead_letter_topic: there can be no topic {topic:?}"
            )));
        }
        if self.topics.contains(topic) {
            return Err(BuildError::invalid(format!(
                "dead_letter_topic {topic:?} is among the topics that are read: what cannot be \
                 parsed would go round for ever"
            )));
        }
        let (connection, clock) = (connection.clone(), context.system.clock.clone());
        Ok(Place::topic(topic.clone(), connection, context.log.name(), clock))
    }

    fn group(
        &self,
        connection: Connection,
        start: &Start,
        context: &Context<'_>,
    ) -> Result<GroupSettings, BuildError> {
        let mut connection = connection;
        let mut property = |name: &str, value: String| {
            connection.properties.push((name.to_owned(), value));
        };
        let fetch_bytes = |size: Size| size.bytes().clamp(1, 1_000_000_000).to_string();
        if self.consumer_fetch_default.bytes() > 0 {
            property("max.partition.fetch.bytes", fetch_bytes(self.consumer_fetch_default));
        }
        if self.consumer_fetch_min.bytes() > 0 {
            property("fetch.min.bytes", fetch_bytes(self.consumer_fetch_min));
        }
        if self.consumer_fetch_max_wait > Duration::ZERO {
            let millis = self.consumer_fetch_max_wait.to_std().as_millis().min(300_000);
            property("fetch.wait.max.ms", millis.to_string());
        }
        if self.resolve_canonical_bootstrap_servers_only {
            let value = "resolve_canonical_bootstrap_servers_only";
            property("client.dns.lookup", value.to_owned());
        }
        let session_timeout = self.session_timeout.to_std();
        if !(1..=3_600).contains(&session_timeout.as_secs()) {
            return Err(BuildError::invalid("session_timeout must lie between 1s and 1h"));
        }
        // A member learns of rebalances by the answers, and each costs brokers and agent something.
        let heartbeat = HEARTBEAT.min(session_timeout / 3);
        property("heartbeat.interval.ms", heartbeat.as_millis().to_string());
        let text = |text: &String| (!text.is_empty()).then(|| text.clone());
        Ok(GroupSettings {
            connection,
            group: text(&self.consumer_group).unwrap_or_else(|| DEFAULT_GROUP.to_owned()),
            topics: Vec::new(),
            start: start.of_member(context.system.clock.as_ref()),
            protocol: GroupProtocol::Classic,
            assignor: match self.balance_strategy {
                BalanceStrategy::Range => Assignor::Range,
                BalanceStrategy::Roundrobin => Assignor::RoundRobin,
                BalanceStrategy::Sticky | BalanceStrategy::CooperativeSticky => {
                    Assignor::CooperativeSticky
                }
            },
            session_timeout,
            instance_id: text(&self.group_instance_id),
            read_ahead_bytes: READ_AHEAD_BYTES,
            // The input counts by itself.
            lag_interval: std::time::Duration::ZERO,
        })
    }

    fn conversion(
        &self,
        context: &Context<'_>,
        most_bytes: usize,
    ) -> Result<Conversion, BuildError> {
        Ok(Conversion {
            parser: context.parser("influx")?,
            additions: Additions {
                topic_tag: self.topic_tag.clone(),
                partition_tag: self.partition_tag.clone(),
                offset_field: self.offset_field.clone(),
                key_tag: self.key_tag.clone(),
                header_tags: self.msg_headers_as_tags.clone(),
                name_header: self.msg_header_as_metric_name.clone(),
            },
            time_source: match self.timestamp_source {
                Timestamps::Metric => TimeSource::Metric,
                Timestamps::Inner | Timestamps::Outer => TimeSource::Record,
            },
            keeping: if self.keep_record { Keeping::Record } else { Keeping::Nothing },
            most_bytes,
        })
    }
}

fn whole(option: &str, number: i64) -> Result<usize, BuildError> {
    usize::try_from(number).map_err(|_| {
        BuildError::invalid(format!("{option} must be a number from 0 up; found {number}"))
    })
}
