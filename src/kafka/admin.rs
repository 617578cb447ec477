//! Asking for topics, and creating them.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake};
use std::thread::Thread;
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseProducer, Producer as _, ProducerContext};

use super::{ClientLog, Connection, PropertyError, TlsFileError};
use crate::system::Clock;

/// How long a cluster may take to answer.
const ANSWER_TIME: Duration = Duration::from_secs(10);

/// Why a question has no answer, or a topic was not created.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// A certificate or key cannot be read.
    #[error(transparent)]
    File(#[from] TlsFileError),
    /// The settings do not make a client.
    #[error("cannot set up the client: {0}")]
    Client(#[source] PropertyError),
    /// The brokers do not tell which topics there are.
    #[error("cannot learn which topics there are from {brokers}: {reason}")]
    Topics {
        /// The brokers asked.
        brokers: String,
        /// What the library says.
        reason: String,
    },
    /// A topic could not be created.
    #[error("cannot create topic {topic:?} with {partitions} partitions: {reason}")]
    CreateTopic {
        /// The topic.
        topic: String,
        /// How many partitions it was to have.
        partitions: u16,
        /// What the brokers say.
        reason: String,
    },
}

impl AdminError {
    fn client(error: KafkaError) -> AdminError {
        AdminError::Client(error.into())
    }
}

/// How a topic came to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Creation {
    /// It is new.
    Created,
    /// It was there already.
    Existed,
}

/// A topic of a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    /// Its name.
    pub name: String,
    /// How many partitions it has.
    pub partitions: usize,
}

/// A client that asks about topics and creates them.
pub struct Admin {
    connection: Connection,
    log_target: Arc<str>,
    clock: Arc<dyn Clock>,
    client: BaseProducer<ClientLog>,
}

/// Nothing is produced by this client.
impl ProducerContext for ClientLog {
    type DeliveryOpaque = ();

    fn delivery(&self, _: &DeliveryResult<'_>, (): ()) {}
}

impl Admin {
    /// Makes a client; the library's lines go to `log_target`.
    ///
    /// # Errors
    /// If the settings do not make one. Whether anybody answers is not known yet.
    pub fn new(
        connection: Connection,
        log_target: impl Into<Arc<str>>,
        clock: Arc<dyn Clock>,
    ) -> Result<Admin, AdminError> {
        connection.check_files()?;
        let log_target = log_target.into();
        let log = ClientLog::new(log_target.clone(), clock.clone(), connection.tokens().cloned());
        let client: BaseProducer<ClientLog> =
            connection.client_config().create_with_context(log).map_err(AdminError::client)?;
        // The first events are there already: the library asks for the token before it connects.
        (0..4).for_each(|_| client.poll(Duration::ZERO));
        Ok(Admin { connection, log_target, clock, client })
    }

    /// All topics, sorted by name. Asking for a single one would create it on many clusters.
    ///
    /// # Errors
    /// If no broker answers within ten seconds.
    pub fn topics(&self) -> Result<Vec<Topic>, AdminError> {
        let metadata = self.client.client().fetch_metadata(None, ANSWER_TIME).map_err(|error| {
            self.client.poll(Duration::ZERO);
            let reason = self.client.context().last_error();
            AdminError::Topics {
                brokers: self.connection.brokers.join(", "),
                reason: reason.map_or_else(|| error.to_string(), |reason| reason.to_string()),
            }
        })?;
        let topic = |topic: &rdkafka::metadata::MetadataTopic| Topic {
            name: topic.name().to_owned(),
            partitions: topic.partitions().len(),
        };
        let mut topics: Vec<_> = metadata.topics().iter().map(topic).collect();
        topics.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(topics)
    }

    /// How many partitions a topic has; none if there is no such topic.
    ///
    /// # Errors
    /// If no broker answers within ten seconds.
    pub fn partitions(&self, topic: &str) -> Result<Option<usize>, AdminError> {
        let topics = self.topics()?;
        Ok(topics.into_iter().find(|each| each.name == topic).map(|each| each.partitions))
    }

    /// Creates a topic, with the number of replicas that the brokers have set, unless it exists.
    ///
    /// # Errors
    /// If the brokers do not allow it or do not answer. With OAUTHBEARER it always fails: this
    /// part of the client library never asks for the token.
    pub fn create_topic(&self, topic: &str, partitions: u16) -> Result<Creation, AdminError> {
        let failed = |reason: String| AdminError::CreateTopic {
            topic: topic.to_owned(),
            partitions,
            reason,
        };
        if self.connection.tokens().is_some() {
            return Err(failed("topics cannot be created with OAUTHBEARER".to_owned()));
        }
        let log = ClientLog::new(self.log_target.clone(), self.clock.clone(), None);
        let client: AdminClient<ClientLog> =
            self.connection.client_config().create_with_context(log).map_err(AdminError::client)?;
        let options = AdminOptions::new()
            .request_timeout(Some(ANSWER_TIME))
            .operation_timeout(Some(ANSWER_TIME));
        // -1 replicas stands for the brokers' default.replication.factor (KIP-464).
        let new = NewTopic::new(topic, i32::from(partitions), TopicReplication::Fixed(-1));
        let results = block_on(client.create_topics([&new], &options))
            .map_err(|error| failed(error.to_string()))?;
        match results.into_iter().next() {
            Some(Ok(_)) => Ok(Creation::Created),
            Some(Err((_, RDKafkaErrorCode::TopicAlreadyExists))) => Ok(Creation::Existed),
            Some(Err((_, code))) => Err(failed(super::record::words(code))),
            None => Err(failed("the brokers say nothing about it".to_owned())),
        }
    }
}

/// Waits for a future on this thread; the library's own threads complete it.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    let waker = Arc::new(Unpark(std::thread::current())).into();
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::park(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::EmbeddedCluster;
    use crate::system::RealClock;

    fn admin(cluster: &EmbeddedCluster) -> Admin {
        let connection = Connection::plain(cluster.brokers(), "test");
        Admin::new(connection, "kafka.tests", Arc::new(RealClock::new())).unwrap()
    }

    #[test]
    fn topics_are_listed_by_name_and_asking_creates_none() {
        let cluster = EmbeddedCluster::start(3).unwrap();
        cluster.create_topic("b", 2).unwrap();
        cluster.create_topic("a", 7).unwrap();
        let admin = admin(&cluster);
        assert_eq!(admin.partitions("b").unwrap(), Some(2));
        assert_eq!(admin.partitions("c").unwrap(), None);
        let expected = [("a", 7), ("b", 2)];
        let expected =
            expected.map(|(name, partitions)| Topic { name: name.to_owned(), partitions });
        assert_eq!(admin.topics().unwrap(), expected);
    }

    #[test]
    fn a_topic_that_cannot_be_created_is_named_in_the_error() {
        // The embedded cluster knows no request for creating topics.
        let cluster = EmbeddedCluster::start(1).unwrap();
        let error = admin(&cluster).create_topic("metrics", 3).unwrap_err().to_string();
        assert!(
            error.starts_with("cannot create topic \"metrics\" with 3 partitions: "),
            "{error}"
        );
    }

    #[test]
    fn a_future_that_another_thread_completes_is_waited_for() {
        let (mut flag, result) = (false, 7);
        let output = block_on(std::future::poll_fn(|context| {
            if std::mem::replace(&mut flag, true) {
                return Poll::Ready(result);
            }
            let waker = context.waker().clone();
            std::thread::spawn(move || waker.wake());
            Poll::Pending
        }));
        assert_eq!(output, 7);
    }
}
