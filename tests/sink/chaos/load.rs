//! Numbered records, written all the time; and how far the group has come.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};
use rdkafka::{ClientContext, Offset, TopicPartitionList};

use crate::support::{Cluster, Topic};

/// How long what was handed over may take to reach brokers that are there.
const DELIVERY_LIMIT: Duration = Duration::from_secs(120);

/// How many records are written at once.
const AT_ONCE: u64 = 100;

/// Writes records from a thread of its own.
pub(super) struct Load {
    is_over: Arc<AtomicBool>,
    writing: JoinHandle<u64>,
}

/// Counts records that were never delivered.
#[derive(Default)]
struct Undelivered(AtomicU64);

impl ClientContext for Undelivered {}

impl ProducerContext for Undelivered {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if result.is_err() {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Load {
    /// Begins to write so many records a second, each number to the partition of its remainder.
    pub(super) fn start(cluster: &Cluster, topic: &str, partitions: i32, rate: u64) -> Load {
        let mut config = cluster.client();
        // Each once and in order, however long the brokers are away.
        config.set("enable.idempotence", "true").set("linger.ms", "5");
        config.set("message.timeout.ms", "0");
        let producer: BaseProducer<Undelivered> =
            config.create_with_context(Undelivered::default()).unwrap();
        let (topic, is_over) = (topic.to_owned(), Arc::new(AtomicBool::new(false)));
        let over = is_over.clone();
        let writing = thread::spawn(move || {
            let mut number = 0;
            let partitions = u64::try_from(partitions).unwrap();
            let start = Instant::now();
            while !over.load(Ordering::Relaxed) {
                for _ in 0..AT_ONCE {
                    let partition = i32::try_from(number % partitions).unwrap();
                    send(&producer, &topic, partition, &Topic::numbered(number));
                    number += 1;
                }
                let due = Duration::from_secs_f64(number as f64 / rate as f64);
                producer.poll(due.saturating_sub(start.elapsed()).min(Duration::from_secs(1)));
            }
            producer.flush(DELIVERY_LIMIT).unwrap();
            let undelivered = producer.context().0.load(Ordering::Relaxed);
            assert_eq!(undelivered, 0, "records were not delivered");
            number
        });
        Load { is_over, writing }
    }

    /// Ends, and returns how many records there are when the brokers have all of them.
    pub(super) fn stop(self) -> u64 {
        self.is_over.store(true, Ordering::Relaxed);
        self.writing.join().unwrap()
    }
}

fn send(producer: &BaseProducer<Undelivered>, topic: &str, partition: i32, value: &str) {
    let mut unsent = Some(BaseRecord::<(), _>::to(topic).payload(value).partition(partition));
    while let Some(record) = unsent.take() {
        match producer.send(record) {
            Ok(()) => {}
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), record)) => {
                producer.poll(Duration::from_millis(10));
                unsent = Some(record);
            }
            Err((error, _)) => panic!("{topic}: {error}"),
        }
    }
}

/// How many records the group has committed, of a topic whose offsets begin at zero; zero if nobody
/// tells.
pub(super) fn committed(cluster: &Cluster, topic: &str, partitions: i32, group: &str) -> u64 {
    let mut config = cluster.client();
    config.set("group.id", group).set("enable.auto.commit", "false");
    let consumer: BaseConsumer = config.create().unwrap();
    let mut asked = TopicPartitionList::new();
    for number in 0..partitions {
        asked.add_partition(topic, number);
    }
    let Ok(answers) = consumer.committed_offsets(asked, Duration::from_secs(10)) else { return 0 };
    let offset = |offset| match offset {
        Offset::Offset(offset) => u64::try_from(offset).unwrap(),
        _ => 0,
    };
    answers.elements().iter().map(|element| offset(element.offset())).sum()
}
