//! Producing to the embedded cluster.

use std::collections::BTreeSet;
use std::sync::Arc;

use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

use super::*;
use crate::kafka::reading::read_topic;
use crate::kafka::{EmbeddedCluster, sarama_partition};
use crate::system::RealClock;

fn record<'a>(topic: &'a str, key: Option<&'a str>, value: &'a str) -> Record<'a> {
    Record {
        topic,
        key: key.map(str::as_bytes),
        value: Some(value.as_bytes()),
        headers: Vec::new(),
        timestamp_ms: Some(1_700_000_000_000),
    }
}

fn producer(brokers: Vec<String>, settings: ProducerSettings) -> Producer {
    let connection = Connection::plain(brokers, "test");
    Producer::new(connection, settings, "kafka.tests", Arc::new(RealClock::new()))
}

fn connected(cluster: &EmbeddedCluster, settings: ProducerSettings) -> Producer {
    let mut producer = producer(cluster.brokers(), settings);
    producer.connect().unwrap();
    producer
}

/// A local address at which nobody listens.
fn dead_address() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

#[test]
fn keys_are_placed_where_sarama_places_them() {
    let cluster = EmbeddedCluster::start(1).unwrap();
    cluster.create_topic("seven", 7).unwrap();
    let keys: Vec<String> = (0..2000).map(|n| format!("host-{n}")).collect();
    let records: Vec<_> = keys.iter().map(|key| record("seven", Some(key), "v")).collect();
    let outcomes = connected(&cluster, ProducerSettings::default()).produce(&records);
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    let stored = read_topic(&cluster.brokers(), "seven");
    assert_eq!(stored.len(), 2000);
    for record in stored {
        let key = record.key.unwrap();
        assert_eq!(record.partition, sarama_partition(&key, 7), "{key:?}");
    }
}

#[test]
fn records_without_a_key_are_spread_over_all_partitions() {
    let cluster = EmbeddedCluster::start(1).unwrap();
    cluster.create_topic("spread", 5).unwrap();
    let records = vec![record("spread", None, "v"); 1000];
    connected(&cluster, ProducerSettings::default()).produce(&records);
    let stored = read_topic(&cluster.brokers(), "spread");
    assert_eq!(stored.len(), 1000);
    for partition in 0..5 {
        let count = stored.iter().filter(|record| record.partition == partition).count();
        // 200 are expected; fewer than 100 happens once in 10^14 runs.
        assert!(count > 100, "{count} in partition {partition}");
    }
    assert!(stored.iter().all(|record| record.key.is_none()));
}

#[test]
fn a_record_keeps_its_key_headers_and_time() {
    let cluster = EmbeddedCluster::start(1).unwrap();
    let mut sent = record("whole", Some("k"), "v\n");
    sent.headers = vec![("b", Some(b"2".as_slice())), ("a", Some(b"".as_slice()))];
    let outcomes = connected(&cluster, ProducerSettings::default()).produce(&[sent]);
    assert_eq!(outcomes, [Ok(())]);
    let stored = read_topic(&cluster.brokers(), "whole").remove(0);
    assert_eq!(stored.key.as_deref(), Some(b"k".as_slice()));
    assert_eq!(stored.value, b"v\n");
    assert_eq!(stored.headers, [("b".to_owned(), b"2".to_vec()), ("a".to_owned(), Vec::new())]);
    assert_eq!(stored.timestamp_ms, Some(1_700_000_000_000));
}

#[test]
fn every_packing_and_every_acknowledgement_delivers_all() {
    let cluster = EmbeddedCluster::start(1).unwrap();
    let codecs = [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd];
    let mut variants: Vec<_> = codecs
        .map(|compression| ProducerSettings { compression, ..ProducerSettings::default() })
        .into();
    variants.extend(
        [Acks::None, Acks::Leader].map(|acks| ProducerSettings { acks, ..Default::default() }),
    );
    variants.push(ProducerSettings { delivery: Delivery::Idempotent, ..Default::default() });
    let values: Vec<String> = (0..500).map(|n| format!("value {n}")).collect();
    for (at, settings) in variants.into_iter().enumerate() {
        let topic = format!("topic-{at}");
        cluster.create_topic(&topic, 1).unwrap();
        let records: Vec<_> = values.iter().map(|value| record(&topic, None, value)).collect();
        let mut producer = connected(&cluster, settings);
        let outcomes = producer.produce(&records);
        assert!(outcomes.iter().all(Result::is_ok), "{settings:?}: {outcomes:?}");
        let stored = read_topic(&cluster.brokers(), &topic);
        let stored: Vec<_> = stored.iter().map(|r| String::from_utf8_lossy(&r.value)).collect();
        assert_eq!(stored, values, "{settings:?}");
    }
}

#[test]
fn a_record_too_large_is_refused_alone() {
    let cluster = EmbeddedCluster::start(1).unwrap();
    let settings = ProducerSettings { max_message_bytes: 1000, ..ProducerSettings::default() };
    let large = "x".repeat(1001);
    let records = [record("t", None, "a"), record("t", None, &large), record("t", None, "b")];
    let outcomes = connected(&cluster, settings).produce(&records);
    assert_eq!(outcomes, [Ok(()), Err(ProduceError::TooLarge), Ok(())]);
    assert!(ProduceError::TooLarge.is_permanent());
    assert_eq!(read_topic(&cluster.brokers(), "t").len(), 2);
}

#[test]
fn records_of_a_batch_that_a_broker_refuses_are_sent_one_by_one() {
    let cluster = EmbeddedCluster::start(1).unwrap();
    cluster.create_topic("t", 1).unwrap();
    let mut producer = producer(cluster.brokers(), ProducerSettings::default());
    // A long linger, so that on a busy machine too the three make one batch.
    producer.connection.properties.push(("linger.ms".into(), "300".into()));
    producer.connect().unwrap();
    // The first request carries the whole batch, the next ones a record each.
    let errors = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE; 2];
    cluster.cluster().request_errors(RDKafkaApiKey::Produce, &errors);
    let outcomes =
        producer.produce(&[record("t", None, "a"), record("t", None, "b"), record("t", None, "c")]);
    let refused = outcomes.iter().filter(|o| **o == Err(ProduceError::TooLarge)).count();
    assert_eq!((refused, outcomes.iter().filter(|o| o.is_ok()).count()), (1, 2), "{outcomes:?}");
    assert_eq!(read_topic(&cluster.brokers(), "t").len(), 2);
}

#[test]
fn a_topic_that_cannot_be_is_refused_alone() {
    let cluster = EmbeddedCluster::start(1).unwrap();
    let records = [record("no such name", None, "a"), record("t", None, "b")];
    let outcomes = connected(&cluster, ProducerSettings::default()).produce(&records);
    assert_eq!(outcomes, [Err(ProduceError::InvalidTopic), Ok(())]);
}

#[test]
fn a_topic_that_is_missing_is_given_up_alone_and_one_that_was_there_is_not() {
    let missing = RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    let cluster = EmbeddedCluster::start(1).unwrap();
    let mut producer = producer(cluster.brokers(), ProducerSettings::default());
    let propagation = ("topic.metadata.propagation.max.ms".to_owned(), "100".to_owned());
    producer.connection.properties.push(propagation);
    cluster.cluster().topic_error("never", missing).unwrap();
    let records = [record("there", None, "a"), record("never", None, "b")];
    assert_eq!(producer.produce(&records), [Ok(()), Err(ProduceError::UnknownTopic)]);
    cluster.cluster().topic_error("there", missing).unwrap();
    // A new client asks anew.
    producer.close();
    let error = producer.produce(&records[..1]).remove(0).unwrap_err();
    assert_eq!(error, ProduceError::NotDelivered("topic \"there\" is missing".to_owned()));
}

#[test]
fn many_large_records_wait_for_room_in_the_queue() {
    let cluster = EmbeddedCluster::start(1).unwrap();
    cluster.create_topic("t", 1).unwrap();
    let mut producer = producer(cluster.brokers(), ProducerSettings::default());
    producer.connection.properties.push(("queue.buffering.max.messages".into(), "10".into()));
    let values: BTreeSet<String> = (0..200).map(|n| format!("value {n}")).collect();
    let records: Vec<_> = values.iter().map(|value| record("t", None, value)).collect();
    let outcomes = producer.produce(&records);
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    let stored = read_topic(&cluster.brokers(), "t");
    let stored: BTreeSet<_> =
        stored.into_iter().map(|r| String::from_utf8(r.value).unwrap()).collect();
    assert_eq!(stored, values);
}

#[test]
fn a_broker_that_is_away_is_an_error_in_time_and_no_loss_when_it_is_back() {
    let clock = RealClock::new();
    let cluster = EmbeddedCluster::start(1).unwrap();
    cluster.create_topic("t", 1).unwrap();
    let mut producer = connected(&cluster, ProducerSettings::default());
    assert_eq!(producer.produce(&[record("t", None, "before")]), [Ok(())]);
    cluster.cluster().broker_down(1).unwrap();
    let records = [record("t", None, "a"), record("t", None, "b")];
    // The first call learns of the loss, the second knows of it.
    for _ in 0..2 {
        let began = clock.elapsed();
        for outcome in producer.produce(&records) {
            let error = outcome.unwrap_err();
            assert!(!error.is_permanent());
            let beginning = format!("no broker of {} answers: ", cluster.brokers().join(", "));
            assert!(error.to_string().starts_with(&beginning), "{error}");
        }
        let took = clock.elapsed() - began;
        assert!(took < Duration::from_secs(8), "{took:?}");
    }
    cluster.cluster().broker_up(1).unwrap();
    let delivered = (0..20).find(|_| producer.produce(&records).iter().all(Result::is_ok));
    assert!(delivered.is_some());
    // What was called back was not sent behind the caller's back.
    let stored = read_topic(&cluster.brokers(), "t");
    let stored: Vec<_> = stored.iter().map(|r| String::from_utf8_lossy(&r.value)).collect();
    assert_eq!(stored, ["before", "a", "b"]);
}

#[test]
fn a_broker_that_was_away_between_two_calls_is_no_matter() {
    let cluster = EmbeddedCluster::start(1).unwrap();
    cluster.create_topic("t", 1).unwrap();
    let mut producer = connected(&cluster, ProducerSettings::default());
    assert_eq!(producer.produce(&[record("t", None, "a")]), [Ok(())]);
    cluster.cluster().broker_down(1).unwrap();
    cluster.cluster().broker_up(1).unwrap();
    let delivered =
        (0..5).find(|_| producer.produce(&[record("t", None, "b")]).iter().all(Result::is_ok));
    assert!(delivered.is_some());
}

#[test]
fn a_broker_that_falls_silent_is_given_up_on_in_time() {
    let clock = RealClock::new();
    let cluster = EmbeddedCluster::start(1).unwrap();
    cluster.create_topic("t", 1).unwrap();
    let mut producer = connected(&cluster, ProducerSettings::default());
    let records = [record("t", None, "a")];
    assert_eq!(producer.produce(&records), [Ok(())]);
    cluster.cluster().broker_round_trip_time(1, Duration::from_secs(3600)).unwrap();
    // The first call waits as long as brokers may wait for each other, the second asks first.
    for limit in [20, 6] {
        let began = clock.elapsed();
        assert!(!producer.produce(&records)[0].clone().unwrap_err().is_permanent());
        let took = clock.elapsed() - began;
        assert!(took < Duration::from_secs(limit), "{took:?}");
    }
}

#[test]
fn the_loss_of_one_broker_of_three_holds_nothing_up() {
    let cluster = EmbeddedCluster::start(3).unwrap();
    cluster.create_topic("t", 7).unwrap();
    let mut producer = connected(&cluster, ProducerSettings::default());
    let records = vec![record("t", None, "v"); 100];
    assert!(producer.produce(&records).iter().all(Result::is_ok));
    cluster.cluster().broker_down(1).unwrap();
    // The other two take over, which the embedded cluster has to be told.
    for partition in 0..7 {
        cluster.cluster().partition_leader("t", partition, Some(2 + partition % 2)).unwrap();
    }
    let outcomes = producer.produce(&records);
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
}

#[test]
fn connecting_where_nobody_listens_says_so() {
    let address = dead_address();
    let mut producer = producer(vec![address.clone()], ProducerSettings::default());
    let error = producer.connect().unwrap_err().to_string();
    assert!(error.starts_with(&format!("no broker of {address} answered within 5 s: ")), "{error}");
    assert!(error.contains("Connection refused"), "{error}");
}

#[test]
fn settings_that_make_no_client_are_an_error() {
    let mut producer = producer(vec!["127.0.0.1:1".to_owned()], ProducerSettings::default());
    producer.connection.properties.push(("no.such.property".into(), "1".into()));
    assert!(matches!(producer.connect(), Err(ConnectError::Client(_))));
    let outcomes = producer.produce(&[record("t", None, "a")]);
    assert!(!outcomes[0].clone().unwrap_err().is_permanent());
}

#[test]
fn the_librarys_numbers_are_read_while_the_producer_has_nothing_to_do() {
    let cluster = EmbeddedCluster::start(1).unwrap();
    cluster.create_topic("counted", 1).unwrap();
    let mut connection = Connection::plain(cluster.brokers(), "test");
    connection.properties.push(("statistics.interval.ms".to_owned(), "50".to_owned()));
    let clock = Arc::new(RealClock::new());
    let settings = ProducerSettings::default();
    let mut producer = Producer::new(connection, settings, "kafka.tests", clock.clone());
    let statistics = producer.report_statistics();
    assert_eq!(statistics.read(), None);
    producer.connect().unwrap();
    let outcomes = producer.produce(&[record("counted", None, "v"), record("counted", None, "w")]);
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    let never = crossbeam_channel::never();
    let read = (0..200).find_map(|_| {
        clock.wait(Duration::from_millis(50), &never);
        statistics.read().filter(|numbers| numbers.records == 2)
    });
    let read = read.unwrap();
    assert!(read.requests >= 2 && read.responses >= 2 && read.record_bytes >= 2, "{read:?}");
    assert_eq!((read.queued_records, read.request_errors), (0, 0));
    producer.close();
    assert_eq!(statistics.read(), None);
}
