//! Reading a topic from its beginning, and on and on, without being a member of a group.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::Offset;
use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;

use super::reader::ReadError;
use super::{ClientLog, Connection};
use crate::system::Clock;

/// How long a cluster may take to answer.
const ANSWER_TIME: Duration = Duration::from_secs(15);

/// How often it is looked whether the topic has more partitions.
const REFRESH: Duration = Duration::from_secs(60);

/// A client that reads all partitions of a topic, each in its order, and commits nothing.
pub struct TopicFollower {
    brokers: String,
    topic: String,
    client: BaseConsumer<ClientLog>,
    clock: Arc<dyn Clock>,
    /// By partition, whether all that was there at the beginning has been read.
    partitions: BTreeMap<i32, Progress>,
    last_refresh: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// There is more before this offset.
    Reading {
        end: i64,
    },
    CaughtUp,
}

/// What a look has found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Followed {
    /// A record, which was handed over.
    Record,
    /// Nothing that came in time.
    Nothing,
}

impl TopicFollower {
    /// Makes a client.
    ///
    /// # Errors
    /// If the settings do not make one. Whether anybody answers is not known yet.
    pub fn new(
        connection: &Connection,
        topic: &str,
        clock: Arc<dyn Clock>,
    ) -> Result<TopicFollower, ReadError> {
        connection.check_files()?;
        let mut config = rdkafka::ClientConfig::new();
        // Nothing is subscribed to and nothing committed, so that no group ever hears of this.
        config.set("group.id", "metric-agent-table");
        config.set("enable.auto.commit", "false");
        config.set("enable.partition.eof", "true");
        config.set("auto.offset.reset", "earliest");
        config.set("queued.max.messages.kbytes", "4096");
        let config = connection.client_config_over(&config);
        let log = ClientLog::new("", clock.clone(), connection.tokens().cloned());
        let client: BaseConsumer<ClientLog> =
            config.create_with_context(log).map_err(|error| ReadError::Client(error.into()))?;
        Ok(TopicFollower {
            brokers: connection.brokers.join(", "),
            topic: topic.to_owned(),
            client,
            last_refresh: clock.elapsed(),
            clock,
            partitions: BTreeMap::new(),
        })
    }

    /// Begins with all partitions that there are.
    ///
    /// # Errors
    /// If no broker answers, or there is no such topic.
    pub fn begin(&mut self) -> Result<(), ReadError> {
        self.add_partitions()?;
        if self.partitions.is_empty() {
            return Err(self.failed("its partitions", "there is no such topic".to_owned()));
        }
        Ok(())
    }

    /// Whether everything that was there when it began has been handed over.
    pub fn has_caught_up(&self) -> bool {
        self.partitions.values().all(|progress| *progress == Progress::CaughtUp)
    }

    /// Hands over key and value of the next record, neither of which need be there, or waits for
    /// one.
    ///
    /// # Errors
    /// What the client tells; it goes on by itself.
    pub fn next(
        &mut self,
        wait: Duration,
        take: impl FnOnce(Option<&[u8]>, Option<&[u8]>),
    ) -> Result<Followed, ReadError> {
        match self.client.poll(wait) {
            Some(Ok(message)) => {
                take(message.key(), message.payload());
                let (partition, next) = (message.partition(), message.offset() + 1);
                self.came_to(partition, next);
                Ok(Followed::Record)
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                self.came_to(partition, i64::MAX);
                Ok(Followed::Nothing)
            }
            Some(Err(error)) => Err(self.failed("records", self.reason_or(&error))),
            None => {
                self.look_for_more_partitions()?;
                Ok(Followed::Nothing)
            }
        }
    }

    fn came_to(&mut self, partition: i32, next: i64) {
        if let Some(progress) = self.partitions.get_mut(&partition)
            && let Progress::Reading { end } = *progress
            && next >= end
        {
            *progress = Progress::CaughtUp;
        }
    }

    fn look_for_more_partitions(&mut self) -> Result<(), ReadError> {
        let now = self.clock.elapsed();
        if now.saturating_sub(self.last_refresh) < REFRESH {
            return Ok(());
        }
        self.last_refresh = now;
        self.add_partitions()
    }

    fn add_partitions(&mut self) -> Result<(), ReadError> {
        let metadata = self
            .client
            .fetch_metadata(Some(&self.topic), ANSWER_TIME)
            .map_err(|error| self.failed("its partitions", self.reason_or(&error)))?;
        let numbers = metadata.topics().iter().flat_map(|topic| topic.partitions());
        let numbers = numbers.map(|partition| partition.id());
        let new: Vec<i32> =
            numbers.filter(|number| !self.partitions.contains_key(number)).collect();
        let mut added = TopicPartitionList::new();
        for number in new {
            let (_, end) = self
                .client
                .fetch_watermarks(&self.topic, number, ANSWER_TIME)
                .map_err(|error| self.failed("its ends", self.reason_or(&error)))?;
            // Whatever else the client thinks of an empty partition, there is nothing to wait for.
            let progress = if end == 0 { Progress::CaughtUp } else { Progress::Reading { end } };
            self.partitions.insert(number, progress);
            added
                .add_partition_offset(&self.topic, number, Offset::Beginning)
                .map_err(|error| self.failed("records", error.to_string()))?;
        }
        if added.count() > 0 {
            self.client
                .incremental_assign(&added)
                .map_err(|error| self.failed("records", error.to_string()))?;
        }
        Ok(())
    }

    fn reason_or(&self, error: &KafkaError) -> String {
        // What went wrong on the way there says more than that no answer came.
        let reason = self.client.context().last_error();
        reason.map_or_else(|| error.to_string(), |reason| reason.to_string())
    }

    fn failed(&self, what: &str, reason: String) -> ReadError {
        let what = format!("{what} of topic {}", self.topic);
        ReadError::Asking { brokers: self.brokers.clone(), what, reason }
    }
}
