//! Topics: filling them and reading back what is in them.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::{Duration, Instant};

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Headers, Message};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{Offset, TopicPartitionList};

use super::{Cluster, wait_for};

/// How long the cluster may take for anything asked of it here.
const LIMIT: Duration = Duration::from_secs(60);

/// A topic of a test's own.
pub(crate) struct Topic<'c> {
    cluster: &'c Cluster,
    name: String,
}

/// A record as it lies in Kafka.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) timestamp_ms: Option<i64>,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
}

impl Record {
    /// The value as text.
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(self.value.as_deref().unwrap_or_default()).unwrap()
    }
}

impl<'c> Topic<'c> {
    /// Makes a handle of a topic; does not create it.
    pub(crate) fn new(cluster: &'c Cluster, name: String) -> Topic<'c> {
        Topic { cluster, name }
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The value of the record with a number, as [`Topic::produce`] makes it.
    pub(crate) fn numbered(number: u64) -> String {
        format!("record,host=test number={number}i,text=\"{number:0200}\"")
    }

    /// Writes one record for each number, spread over the partitions in turn, and returns when
    /// the brokers have all of them.
    pub(crate) fn produce(&self, numbers: Range<u64>) {
        let partitions = self.partitions().len() as u64;
        self.send(numbers.map(|number| {
            let partition = i32::try_from(number % partitions).unwrap();
            (Some(partition), Topic::numbered(number).into_bytes())
        }));
    }

    /// Writes records with the values given, each to the partition given or to one by chance.
    pub(crate) fn send(&self, records: impl IntoIterator<Item = (Option<i32>, Vec<u8>)>) {
        let mut config = self.cluster.client();
        config.set("linger.ms", "5").set("enable.idempotence", "true");
        config.set("message.max.bytes", "64000000");
        let producer: BaseProducer = config.create().unwrap();
        for (partition, value) in records {
            let mut record = BaseRecord::<(), _>::to(&self.name).payload(&value);
            record.partition = partition;
            let mut unsent = Some(record);
            while let Some(record) = unsent.take() {
                match producer.send(record) {
                    Ok(()) => {}
                    Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), record)) => {
                        producer.poll(Duration::from_millis(10));
                        unsent = Some(record);
                    }
                    Err((error, _)) => panic!("{}: {error}", self.name),
                }
            }
        }
        producer.flush(LIMIT).unwrap();
    }

    /// The partitions with the offset that the next record of each will get.
    pub(crate) fn ends(&self) -> BTreeMap<i32, i64> {
        let consumer = self.reader();
        self.partitions_of(&consumer)
            .into_iter()
            .map(|partition| {
                // A partition that was just made has a leader before that one knows of it.
                let end = wait_for("the end of a partition", LIMIT, || {
                    consumer.fetch_watermarks(&self.name, partition, LIMIT).ok().map(|(_, end)| end)
                });
                (partition, end)
            })
            .collect()
    }

    /// How many records were ever written to it.
    pub(crate) fn count(&self) -> i64 {
        self.ends().values().sum()
    }

    /// Reads all records that are there, in the order of each partition.
    pub(crate) fn read_all(&self) -> Vec<Record> {
        let mut missing = self.ends();
        missing.retain(|_, end| *end > 0);
        let consumer = self.reader();
        let mut assignment = TopicPartitionList::new();
        for partition in missing.keys() {
            assignment.add_partition_offset(&self.name, *partition, Offset::Beginning).unwrap();
        }
        consumer.assign(&assignment).unwrap();
        let mut records = Vec::new();
        let start = Instant::now();
        while !missing.is_empty() {
            assert!(start.elapsed() < LIMIT, "{}: not read to {missing:?}", self.name);
            let Some(message) = consumer.poll(Duration::from_millis(100)) else { continue };
            match message {
                Ok(message) => {
                    records.push(Record {
                        partition: message.partition(),
                        offset: message.offset(),
                        key: message.key().map(<[u8]>::to_vec),
                        value: message.payload().map(<[u8]>::to_vec),
                        timestamp_ms: message.timestamp().to_millis(),
                        headers: message
                            .headers()
                            .into_iter()
                            .flat_map(|headers| headers.iter())
                            .map(|header| {
                                let value = header.value.unwrap_or_default();
                                (header.key.to_owned(), value.to_vec())
                            })
                            .collect(),
                    });
                }
                // By the end of the partition instead of the last record: records may be gone.
                Err(KafkaError::PartitionEOF(partition)) => {
                    missing.remove(&partition);
                }
                // The client goes on by itself, with another broker or when this one is back.
                Err(KafkaError::MessageConsumption(
                    RDKafkaErrorCode::BrokerTransportFailure | RDKafkaErrorCode::AllBrokersDown,
                )) => {}
                Err(error) => panic!("{}: {error}", self.name),
            }
        }
        records.sort_by_key(|record| (record.partition, record.offset));
        records
    }

    fn partitions(&self) -> Vec<i32> {
        // A topic that was made just now may not be known everywhere yet.
        wait_for("the partitions of the topic", LIMIT, || {
            let partitions = self.partitions_of(&self.reader());
            (!partitions.is_empty()).then_some(partitions)
        })
    }

    fn partitions_of(&self, consumer: &BaseConsumer) -> Vec<i32> {
        // A topic that was just made has none on brokers that have not heard of it.
        wait_for("partitions of the topic", LIMIT, || {
            let metadata = consumer.fetch_metadata(Some(&self.name), LIMIT).unwrap();
            let partitions = metadata.topics()[0].partitions();
            let numbers: Vec<_> = partitions.iter().map(|partition| partition.id()).collect();
            (!numbers.is_empty()).then_some(numbers)
        })
    }

    fn reader(&self) -> BaseConsumer {
        let mut config = self.cluster.client();
        config
            .set("group.id", "reader-of-tests")
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true")
            .set("auto.offset.reset", "earliest")
            .set("fetch.queue.backoff.ms", "10")
            .set_log_level(RDKafkaLogLevel::Error);
        config.create().unwrap()
    }
}
