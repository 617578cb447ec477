//! A broker inside the process, for demonstrations and tests.
//!
//! It is librdkafka's mock cluster: it listens on loopback only, at ports it chooses itself,
//! keeps some megabytes of each partition in memory, and forgets everything when it is dropped.
//! Java clients cannot talk to it. It is nothing to rely on.

use rdkafka::error::KafkaError;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;

/// Why an embedded cluster does not do what it is asked for.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    /// It did not start.
    #[error("cannot start an embedded cluster of {brokers} brokers: {source}")]
    Start {
        /// How many brokers it was to have.
        brokers: u16,
        /// What the library says.
        source: KafkaError,
    },
    /// A topic could not be made.
    #[error("cannot create topic {topic:?} with {partitions} partitions: {source}")]
    CreateTopic {
        /// The topic.
        topic: String,
        /// How many partitions it was to have.
        partitions: u16,
        /// What the library says.
        source: KafkaError,
    },
}

/// A cluster that lives as long as this value.
pub struct EmbeddedCluster {
    cluster: MockCluster<'static, DefaultProducerContext>,
}

impl EmbeddedCluster {
    /// Starts a cluster.
    ///
    /// # Errors
    /// If there are no ports or threads to be had, or `brokers` is zero.
    pub fn start(brokers: u16) -> Result<EmbeddedCluster, EmbeddedError> {
        let cluster = MockCluster::new(i32::from(brokers))
            .map_err(|source| EmbeddedError::Start { brokers, source })?;
        Ok(EmbeddedCluster { cluster })
    }

    /// Creates a topic; topics that nobody creates come to be with the first record, with four
    /// partitions.
    ///
    /// # Errors
    /// If it exists already, or `partitions` is zero.
    pub fn create_topic(&self, topic: &str, partitions: u16) -> Result<(), EmbeddedError> {
        self.cluster.create_topic(topic, i32::from(partitions), 1).map_err(|source| {
            EmbeddedError::CreateTopic { topic: topic.to_owned(), partitions, source }
        })
    }

    /// The brokers' addresses, as `host:port`.
    pub fn brokers(&self) -> Vec<String> {
        self.cluster.bootstrap_servers().split(',').map(str::to_owned).collect()
    }

    /// The cluster itself, for making it fail in tests.
    #[cfg(test)]
    pub(super) fn cluster(&self) -> &MockCluster<'static, DefaultProducerContext> {
        &self.cluster
    }
}
