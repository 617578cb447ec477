//! Reading from the embedded cluster, and options that make no sense.

use std::time::Duration;

use super::*;
use crate::kafka::{Connection, EmbeddedCluster, Producer, ProducerSettings, Record};
use crate::metric::Metric;
use crate::plugin::settings::{Data, Position, Table, Value};
use crate::plugin::{BuildError, Context, Deliver, Statistics};
use crate::plugins::FORMATS;
use crate::system::System;

const AT: Position = Position { line: 1, column: 1 };
const LIMIT: Duration = Duration::from_secs(60);

fn text(text: &str) -> Data {
    Data::String { text: text.to_owned(), substituted: false }
}

fn list(texts: &[&str]) -> Data {
    Data::Array(texts.iter().map(|each| Value { position: AT, data: text(each) }).collect())
}

fn build(
    options: impl IntoIterator<Item = (&'static str, Data)>,
) -> Result<Box<dyn Input>, BuildError> {
    let mut settings = Table::new(Arc::from("test.conf"), "inputs.kafka_consumer", AT);
    for (key, data) in options {
        settings.push(key, AT, Value { position: AT, data });
    }
    let log = PluginLog::new("inputs.kafka_consumer");
    let context = Context::new(System::real(), log, Statistics::default(), &settings, FORMATS);
    let input = (PLUGIN.build)(&context)?;
    assert!(settings.unknown().is_empty(), "{:?}", settings.unknown());
    Ok(input)
}

/// Hands metrics and errors to the test.
struct Collecting {
    metrics: Sender<Metric>,
    errors: Sender<String>,
}

impl Deliver for Collecting {
    fn deliver(&self, metrics: &mut Vec<Metric>) {
        metrics.drain(..).for_each(|metric| self.metrics.send(metric).unwrap());
    }

    fn report(&self, error: &dyn std::error::Error) {
        self.errors.send(error.to_string()).unwrap();
    }
}

/// An input that reads the topic `metrics`, and what it brings.
struct Reading {
    input: Box<dyn Input>,
    metrics: Receiver<Metric>,
    errors: Receiver<String>,
}

impl Reading {
    fn start(cluster: &EmbeddedCluster, options: Vec<(&'static str, Data)>) -> Reading {
        let brokers = cluster.brokers();
        let brokers: Vec<_> = brokers.iter().map(String::as_str).collect();
        let mut all = vec![("brokers", list(&brokers)), ("topics", list(&["metrics"]))];
        all.extend(options);
        let mut input = build(all).unwrap();
        let (metrics, has_metrics) = crossbeam_channel::unbounded();
        let (errors, has_errors) = crossbeam_channel::unbounded();
        let system = System::real();
        input
            .start(ServiceAccumulator::new(
                Arc::new(Collecting { metrics, errors }),
                system.clock.clone(),
                Duration::ZERO,
                PluginLog::new("inputs.kafka_consumer"),
            ))
            .unwrap();
        Reading { input, metrics: has_metrics, errors: has_errors }
    }

    /// The next metric as line protocol would have it, but for its time in seconds.
    fn next(&self) -> String {
        let metric = self.metrics.recv_timeout(LIMIT).unwrap();
        let tags: String =
            metric.tags().iter().map(|tag| format!(",{}={}", tag.key, tag.value)).collect();
        let fields: Vec<_> = metric
            .fields()
            .iter()
            .map(|field| format!("{}={:?}", field.key, field.value))
            .collect();
        format!("{}{tags} {} {}", metric.name, fields.join(","), metric.time.seconds())
    }

    fn end(mut self) {
        self.input.stop();
        self.input.finish().unwrap()();
    }
}

fn produce(cluster: &EmbeddedCluster, records: &[Record<'_>]) {
    let connection = Connection::plain(cluster.brokers(), "test");
    let clock = System::real().clock;
    let mut producer = Producer::new(connection, ProducerSettings::default(), "test", clock);
    for outcome in producer.produce(records) {
        outcome.unwrap();
    }
}

fn record(value: &str) -> Record<'_> {
    Record {
        topic: "metrics",
        key: None,
        value: Some(value.as_bytes()),
        headers: Vec::new(),
        timestamp_ms: Some(1_700_000_000_123),
    }
}

#[test]
fn topic_partition_offset_key_headers_and_time_of_a_record_go_to_its_metrics() {
    let cluster = EmbeddedCluster::start(1).unwrap();
    cluster.create_topic("metrics", 1).unwrap();
    let headers: Vec<(&str, Option<&[u8]>)> =
        vec![("site", Some(b"north")), ("name", Some(b"renamed")), ("other", Some(b"x"))];
    let value = "m,host=a n=1i 5000000000\nm,host=b n=2i 6000000000";
    produce(&cluster, &[Record { key: Some(b"k"), headers, ..record(value) }, record("p n=3i 7")]);
    let reading = Reading::start(
        &cluster,
        vec![
            ("topic_tag", text("topic")),
            ("partition_tag", text("partition")),
            ("offset_field", text("offset")),
            ("key_tag", text("key")),
            ("msg_headers_as_tags", list(&["site", "name"])),
            ("msg_header_as_metric_name", text("name")),
            ("timestamp_source", text("inner")),
        ],
    );
    let rest = "partition=0,site=north,topic=metrics";
    for (host, n) in [("a", 1), ("b", 2)] {
        let expected =
            format!("renamed,host={host},key=k,{rest} n=Integer({n}),offset=Integer(0) 1700000000");
        assert_eq!(reading.next(), expected);
    }
    let expected = "p,partition=0,topic=metrics n=Integer(3),offset=Integer(1) 1700000000";
    assert_eq!(reading.next(), expected);
    reading.end();
}

#[test]
fn records_without_value_are_passed_over_and_bad_ones_are_told_of_with_their_place() {
    let cluster = EmbeddedCluster::start(1).unwrap();
    cluster.create_topic("metrics", 1).unwrap();
    let long = format!("m text=\"{}\"", "x".repeat(100));
    let empty = Record { value: None, ..record("") };
    produce(&cluster, &[empty, record("m n="), record(&long), record("m n=1i 1000000000")]);
    let reading = Reading::start(&cluster, vec![("max_message_len", Data::Integer(50))]);
    assert_eq!(reading.next(), "m n=Integer(1) 1");
    let errors: Vec<_> = reading.errors.try_iter().collect();
    assert_eq!(errors.len(), 2, "{errors:?}");
    assert!(errors[0].starts_with("metrics [0] at offset 1: metric parse error"), "{errors:?}");
    let too_long = "metrics [0] at offset 2: message exceeds max_message_len (actual 109, max 50)";
    assert_eq!(errors[1], too_long);
    reading.end();
}

#[test]
fn no_more_is_read_than_may_be_under_way() {
    let cluster = EmbeddedCluster::start(1).unwrap();
    cluster.create_topic("metrics", 1).unwrap();
    let values: Vec<_> = (0..30).map(|n| format!("m n={n}i 1000000000")).collect();
    produce(&cluster, &values.iter().map(|value| record(value)).collect::<Vec<_>>());
    let options = vec![("max_undelivered_messages", Data::Integer(10))];
    let reading = Reading::start(&cluster, options);
    let mut held: Vec<_> = (0..10).map(|_| reading.metrics.recv_timeout(LIMIT).unwrap()).collect();
    assert!(reading.metrics.is_empty());
    held.truncate(5);
    held.extend((0..5).map(|_| reading.metrics.recv_timeout(LIMIT).unwrap()));
    assert!(reading.metrics.is_empty());
    drop(held);
    reading.end();
}

#[test]
fn brokers_that_do_not_answer_are_a_reason_to_try_again() {
    let options = [("brokers", list(&["127.0.0.1:1"])), ("topics", list(&["metrics"]))];
    let mut input = build(options).unwrap();
    let (metrics, _metrics) = crossbeam_channel::unbounded();
    let (errors, _errors) = crossbeam_channel::unbounded();
    let accumulator = ServiceAccumulator::new(
        Arc::new(Collecting { metrics, errors }),
        System::real().clock,
        Duration::ZERO,
        PluginLog::new("inputs.kafka_consumer"),
    );
    let error = input.start(accumulator).unwrap_err();
    assert!(error.retryable && error.to_string().contains("127.0.0.1:1"), "{error}");
    input.stop();
    assert!(input.finish().is_none());
}

#[test]
fn options_that_make_no_sense_are_refused_by_name() {
    let cases: [(&str, Data, &str); 10] = [
        ("topics", list(&["no topic"]), "there can be no topic \"no topic\""),
        ("topic_regexps", list(&["*test"]), "topic_regexps: "),
        ("kafka_version", text("four"), "kafka_version \"four\" is none"),
        ("offset", text("first"), "invalid offset \"first\""),
        ("session_timeout", text("10ms"), "session_timeout must lie between"),
        ("max_message_len", Data::Integer(-1), "max_message_len must be a number from 0 up"),
        ("max_undelivered_messages", Data::Integer(-1), "max_undelivered_messages must be"),
        ("dead_letter_topic", text("a b"), "dead_letter_topic: there can be no topic"),
        ("dead_letter_topic", text("metrics"), "would go round for ever"),
        ("data_format", text("none"), "undefined but requested parser: none"),
    ];
    for (option, value, expected) in cases {
        let mut options = vec![("brokers", list(&["127.0.0.1:1"]))];
        if option != "topics" {
            options.push(("topics", list(&["metrics"])));
        }
        options.push((option, value));
        let error = build(options).err().unwrap().to_string();
        assert!(error.contains(expected), "{option}: {error}");
    }
    let both = [
        ("brokers", list(&["127.0.0.1:1"])),
        ("topics", list(&["metrics"])),
        ("dead_letter_topic", text("dead")),
        ("dead_letter_file", text("dead.jsonl")),
    ];
    let error = build(both).err().unwrap().to_string();
    assert!(error.contains("exclude each other"), "{error}");
}
