//! Reading topics without being a member of a group: what lies where, and what a group has committed.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Message, OwnedMessage};
use rdkafka::{Offset, TopicPartitionList};

use super::group::{CommittedOffset, Partition};
use super::{ClientLog, Connection, PropertyError, TlsFileError};
use crate::system::Clock;

/// How long a cluster may take to answer.
const ANSWER_TIME: Duration = Duration::from_secs(15);

/// How long no record may come while there should be more.
const SILENCE: Duration = Duration::from_secs(30);

/// How long one look for records waits.
const LOOK: Duration = Duration::from_millis(200);

/// How many partitions are read side by side; each has a client of its own.
const MOST_STREAMS: usize = 8;

/// Stands for the next offset of a stream that cannot be read on.
const NOWHERE: i64 = -1;

/// Why a topic cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// A certificate or key cannot be read.
    #[error(transparent)]
    File(#[from] TlsFileError),
    /// The settings do not make a client.
    #[error("cannot set up the client: {0}")]
    Client(#[source] PropertyError),
    /// The cluster does not answer, or refuses.
    #[error("asking {brokers} for {what}: {reason}")]
    Asking {
        /// The brokers asked.
        brokers: String,
        /// What was asked for.
        what: String,
        /// What the library says.
        reason: String,
    },
}

impl ConsumerContext for ClientLog {}

type Client = BaseConsumer<ClientLog>;

/// A client that reads partitions by their offsets, and commits nothing.
pub struct TopicReader {
    connection: Connection,
    group: String,
    clock: Arc<dyn Clock>,
    client: Client,
    /// Those used last stand last.
    streams: Vec<(Partition, Stream)>,
}

/// A partition that is being read on.
struct Stream {
    client: Client,
    /// The offset that comes next.
    next: i64,
    /// A record that was read and belongs to what comes later.
    ahead: Option<OwnedMessage>,
}

impl TopicReader {
    /// Makes a client that asks for this group's offsets without joining it.
    ///
    /// # Errors
    /// If the settings do not make one. Whether anybody answers is not known yet.
    pub fn new(
        connection: Connection,
        group: &str,
        clock: Arc<dyn Clock>,
    ) -> Result<TopicReader, ReadError> {
        connection.check_files()?;
        let client = client(&connection, group, &clock)?;
        // The first events are there already: the library asks for the token before it connects.
        (0..4).for_each(|_| drop(client.poll(Duration::ZERO)));
        Ok(TopicReader { connection, group: group.to_owned(), clock, client, streams: Vec::new() })
    }

    /// The partitions of a topic; none if there is no such topic.
    ///
    /// # Errors
    /// If no broker answers.
    pub fn partitions(&self, topic: &str) -> Result<Vec<Partition>, ReadError> {
        let metadata = self
            .client
            .fetch_metadata(Some(topic), ANSWER_TIME)
            .map_err(|error| self.failed(format!("topic {topic}"), &error))?;
        let found = metadata.topics().iter().flat_map(|topic| {
            topic.partitions().iter().map(move |partition| Partition {
                topic: topic.name().into(),
                number: partition.id(),
            })
        });
        Ok(found.collect())
    }

    /// The oldest offset of a partition that is left, and the one that comes next.
    ///
    /// # Errors
    /// If no broker answers for it.
    pub fn log(&self, partition: &Partition) -> Result<Range<i64>, ReadError> {
        let Partition { topic, number } = partition;
        let (start, end) = self
            .client
            .fetch_watermarks(topic, *number, ANSWER_TIME)
            .map_err(|error| self.failed(format!("the ends of {partition}"), &error))?;
        Ok(start..end)
    }

    /// What the group has committed of these partitions.
    ///
    /// # Errors
    /// If the group's coordinator does not answer for each of them.
    pub fn committed(&self, partitions: &[Partition]) -> Result<Vec<CommittedOffset>, ReadError> {
        if partitions.is_empty() {
            return Ok(Vec::new());
        }
        let failed = |error: KafkaError| {
            self.failed(format!("the committed offsets of group {}", self.group), &error)
        };
        let mut asked = TopicPartitionList::new();
        for Partition { topic, number } in partitions {
            asked.add_partition(topic, *number);
        }
        let answers = self.client.committed_offsets(asked, ANSWER_TIME).map_err(failed)?;
        let of_partition = |partition: &Partition| {
            let answer = answers
                .find_partition(&partition.topic, partition.number)
                .ok_or(KafkaError::OffsetFetch(RDKafkaErrorCode::UnknownPartition))
                .map_err(failed)?;
            answer.error().map_err(failed)?;
            let offset = match answer.offset() {
                Offset::Offset(offset) => Some(offset),
                _ => None,
            };
            let metadata = answer.metadata().to_owned();
            Ok(CommittedOffset { partition: partition.clone(), offset, metadata })
        };
        partitions.iter().map(of_partition).collect()
    }

    /// Reads the records with these offsets that are there, in order. Ranges that follow each other
    /// are read on without a new beginning.
    ///
    /// # Errors
    /// If the brokers do not give them.
    pub fn read(
        &mut self,
        partition: &Partition,
        offsets: &Range<i64>,
        mut take: impl FnMut(i64, &[u8]),
    ) -> Result<(), ReadError> {
        let mut stream = self.stream(partition, offsets.start)?;
        let read = stream.read(offsets, self.clock.as_ref(), &mut take);
        read.map_err(|reason| ReadError::Asking {
            brokers: self.connection.brokers.join(", "),
            what: format!("records of {partition} from {} on", offsets.start),
            reason,
        })?;
        if self.streams.len() >= MOST_STREAMS {
            self.streams.remove(0);
        }
        self.streams.push((partition.clone(), stream));
        Ok(())
    }

    /// The stream of a partition if it stands at an offset, else a new one.
    fn stream(&mut self, partition: &Partition, offset: i64) -> Result<Stream, ReadError> {
        let known = self.streams.iter().position(|(of, _)| of == partition);
        if let Some(known) = known {
            let (_, stream) = self.streams.remove(known);
            if stream.next == offset {
                return Ok(stream);
            }
        }
        let client = client(&self.connection, &self.group, &self.clock)?;
        let failed = |error| self.failed(format!("records of {partition}"), &error);
        let mut assignment = TopicPartitionList::new();
        assignment
            .add_partition_offset(&partition.topic, partition.number, Offset::Offset(offset))
            .and_then(|()| client.assign(&assignment))
            .map_err(failed)?;
        Ok(Stream { client, next: offset, ahead: None })
    }

    fn failed(&self, what: String, error: &KafkaError) -> ReadError {
        // What went wrong on the way there says more than that no answer came.
        let reason = self.client.context().last_error();
        ReadError::Asking {
            brokers: self.connection.brokers.join(", "),
            what,
            reason: reason.map_or_else(|| error.to_string(), |reason| reason.to_string()),
        }
    }
}

impl Stream {
    fn read(
        &mut self,
        offsets: &Range<i64>,
        clock: &dyn Clock,
        take: &mut dyn FnMut(i64, &[u8]),
    ) -> Result<(), String> {
        self.next = offsets.end;
        if let Some(ahead) = self.ahead.take_if(|ahead| ahead.offset() < offsets.end) {
            take(ahead.offset(), ahead.payload().unwrap_or_default());
        }
        if self.ahead.is_some() {
            return Ok(());
        }
        let mut last_sign = clock.elapsed();
        loop {
            match self.client.poll(LOOK) {
                Some(Ok(message)) if message.offset() >= offsets.end => {
                    self.ahead = Some(message.detach());
                    return Ok(());
                }
                Some(Ok(message)) => {
                    last_sign = clock.elapsed();
                    let offset = message.offset();
                    take(offset, message.payload().unwrap_or_default());
                    if offset + 1 == offsets.end {
                        return Ok(());
                    }
                }
                Some(Err(KafkaError::PartitionEOF(_))) => {
                    // The library says so once; whoever asks for more has to begin anew.
                    self.next = NOWHERE;
                    return Ok(());
                }
                Some(Err(KafkaError::MessageConsumption(
                    code @ (RDKafkaErrorCode::AutoOffsetReset
                    | RDKafkaErrorCode::OffsetOutOfRange
                    | RDKafkaErrorCode::UnknownTopicOrPartition
                    | RDKafkaErrorCode::UnknownPartition
                    | RDKafkaErrorCode::TopicAuthorizationFailed),
                ))) => return Err(code.to_string()),
                // The library goes on by itself, with another broker or when this one is back.
                Some(Err(_)) | None => {}
            }
            if clock.elapsed().saturating_sub(last_sign) > SILENCE {
                let reason = self.client.context().last_error();
                return Err(reason.map_or_else(
                    || format!("nothing came for {} s", SILENCE.as_secs()),
                    |reason| reason.to_string(),
                ));
            }
        }
    }
}

fn client(
    connection: &Connection,
    group: &str,
    clock: &Arc<dyn Clock>,
) -> Result<Client, ReadError> {
    let mut config = rdkafka::ClientConfig::new();
    // Nothing is subscribed to and nothing committed, so that the group never hears of this.
    config.set("group.id", group);
    config.set("enable.auto.commit", "false");
    config.set("enable.partition.eof", "true");
    config.set("auto.offset.reset", "error");
    config.set("fetch.queue.backoff.ms", "10");
    config.set("queued.max.messages.kbytes", "4096");
    let config = connection.client_config_over(&config);
    let log = ClientLog::new("", clock.clone(), connection.tokens().cloned());
    config.create_with_context(log).map_err(|error| ReadError::Client(error.into()))
}
