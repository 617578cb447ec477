//! Reads topics back, so that tests see what was written.

use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Headers;
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};

/// A record as it lies in a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredRecord {
    pub(crate) partition: i32,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Vec<u8>,
    pub(crate) timestamp_ms: Option<i64>,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
}

/// Reads all records that lie in a topic now.
pub(crate) fn read_topic(brokers: &[String], topic: &str) -> Vec<StoredRecord> {
    const PATIENCE: Duration = Duration::from_secs(20);
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers.join(","))
        .set("group.id", "reader")
        .set("enable.partition.eof", "true")
        .create()
        .unwrap();
    let metadata = consumer.fetch_metadata(Some(topic), PATIENCE).unwrap();
    let partitions: Vec<_> = metadata.topics()[0].partitions().iter().map(|p| p.id()).collect();
    let mut list = TopicPartitionList::new();
    for partition in &partitions {
        list.add_partition_offset(topic, *partition, Offset::Beginning).unwrap();
    }
    consumer.assign(&list).unwrap();
    let mut at_end = 0;
    let mut records = Vec::new();
    while at_end < partitions.len() {
        match consumer.poll(PATIENCE).expect("nothing more, and no end either") {
            Ok(message) => records.push(StoredRecord {
                partition: message.partition(),
                key: message.key().map(<[u8]>::to_vec),
                value: message.payload().unwrap_or_default().to_vec(),
                timestamp_ms: message.timestamp().to_millis(),
                headers: message.headers().map_or_else(Vec::new, |headers| {
                    let header = |h: rdkafka::message::Header<'_, &[u8]>| {
                        (h.key.to_owned(), h.value.unwrap_or_default().to_vec())
                    };
                    headers.iter().map(header).collect()
                }),
            }),
            Err(rdkafka::error::KafkaError::PartitionEOF(_)) => at_end += 1,
            Err(error) => panic!("{error}"),
        }
    }
    records
}
