//! Writing through the embedded cluster.

use std::sync::Arc;

use super::*;
use crate::kafka::EmbeddedCluster;
use crate::kafka::reading::{StoredRecord, read_topic};
use crate::metric::{Accompany, Companion, OriginalRecord, Timestamp};
use crate::plugin::settings::{Data, Position, Table, Value};
use crate::plugin::{BuildError, Context, PluginLog, Statistics};
use crate::plugins::FORMATS;
use crate::system::System;

const AT: Position = Position { line: 1, column: 1 };

fn text(text: &str) -> Data {
    Data::String { text: text.to_owned(), substituted: false }
}

fn list<'a>(texts: impl IntoIterator<Item = &'a str>) -> Data {
    Data::Array(texts.into_iter().map(|each| Value { position: AT, data: text(each) }).collect())
}

fn table<'a>(options: impl IntoIterator<Item = (&'a str, Data)>) -> Table {
    let mut table = Table::new(Arc::from("test.conf"), "outputs.kafka", AT);
    for (key, data) in options {
        table.push(key, AT, Value { position: AT, data });
    }
    table
}

fn build(settings: &Table) -> Result<Box<dyn Output>, BuildError> {
    let log = PluginLog::new("outputs.kafka");
    (PLUGIN.build)(&Context::new(System::real(), log, Statistics::default(), settings, FORMATS))
}

/// An output to the topic `metrics` of a cluster.
fn output<'a>(
    cluster: &EmbeddedCluster,
    options: impl IntoIterator<Item = (&'a str, Data)>,
) -> Box<dyn Output> {
    let brokers = cluster.brokers();
    let mut settings = vec![("brokers", list(brokers.iter().map(String::as_str)))];
    settings.push(("topic", text("metrics")));
    settings.extend(options);
    let settings = table(settings);
    let mut output = build(&settings).unwrap();
    assert!(settings.unknown().is_empty(), "{:?}", settings.unknown());
    output.connect().unwrap();
    output
}

fn metric(name: &str, value: i64) -> Metric {
    Metric::new(name, Timestamp::from_seconds(1_700_000_000))
        .with_tag("host", "a")
        .with_field("v", value)
}

fn values(records: &[StoredRecord]) -> Vec<String> {
    let mut values: Vec<_> =
        records.iter().map(|record| String::from_utf8_lossy(&record.value).into_owned()).collect();
    values.sort();
    values
}

#[test]
fn a_metric_is_a_record_with_line_end_key_time_and_headers() {
    let cluster = EmbeddedCluster::start(1).unwrap();
    let headers = table([("series", text("{{ .Name }}-{{ .Tag \"host\" }}-{{ .Field \"v\" }}"))]);
    let mut output =
        output(&cluster, [("routing_tag", text("host")), ("headers", Data::Table(headers))]);
    output.write(&[metric("cpu", 1)]).unwrap();
    output.close().unwrap();
    let stored = read_topic(&cluster.brokers(), "metrics").remove(0);
    assert_eq!(stored.value, b"cpu,host=a v=1i 1700000000000000000\n");
    assert_eq!(stored.key.as_deref(), Some(b"a".as_slice()));
    assert_eq!(stored.timestamp_ms, Some(1_700_000_000_000));
    assert_eq!(stored.headers, [("series".to_owned(), b"cpu-a-1".to_vec())]);
}

#[test]
fn metrics_go_to_the_topics_that_they_name() {
    let cluster = EmbeddedCluster::start(1).unwrap();
    let suffix = table([("method", text("measurement")), ("separator", text("."))]);
    let mut output = output(
        &cluster,
        [
            ("topic_tag", text("to")),
            ("exclude_topic_tag", Data::Boolean(true)),
            ("topic_suffix", Data::Table(suffix)),
        ],
    );
    output.write(&[metric("cpu", 1).with_tag("to", "other"), metric("mem", 2)]).unwrap();
    let brokers = cluster.brokers();
    assert_eq!(
        values(&read_topic(&brokers, "other.cpu")),
        ["cpu,host=a v=1i 1700000000000000000\n"]
    );
    assert_eq!(
        values(&read_topic(&brokers, "metrics.mem")),
        ["mem,host=a v=2i 1700000000000000000\n"]
    );
}

#[test]
fn metrics_that_can_never_be_written_are_given_up_alone() {
    let cluster = EmbeddedCluster::start(1).unwrap();
    let mut output =
        output(&cluster, [("max_message_bytes", Data::Integer(1000)), ("topic_tag", text("to"))]);
    let batch = [
        metric("a", 1),
        metric("large", 2).with_field("text", "x".repeat(2000)),
        metric("b", 3),
        metric("nan", 4).with_tag("to", "no such topic"),
        Metric::new("empty", Timestamp::EPOCH).with_field("v", f64::NAN),
    ];
    let WriteError::Partial { retry, rejected, source } = output.write(&batch).unwrap_err() else {
        panic!("everything failed")
    };
    assert!(retry.is_empty());
    let reasons: Vec<_> =
        rejected.iter().map(|each| (each.index, each.reason.to_string())).collect();
    assert_eq!(reasons.iter().map(|(index, _)| *index).collect::<Vec<_>>(), [1, 3, 4]);
    for ((_, reason), beginning) in reasons.iter().zip([
        "large,host=a, 2046 bytes for topic \"metrics\": the record is larger than allowed; see",
        "nan,host=a,to=no such topic, 55 bytes for topic \"no such topic\": there can be no topic",
        "empty, for topic \"metrics\": ",
    ]) {
        assert!(reason.starts_with(beginning), "{reason}");
    }
    assert!(source.to_string().starts_with("3 of 5 metrics not written: "), "{source}");
    assert_eq!(values(&read_topic(&cluster.brokers(), "metrics")).len(), 2);
}

#[test]
fn times_that_kafka_does_not_have_and_times_not_wanted_become_the_time_of_writing() {
    let cluster = EmbeddedCluster::start(1).unwrap();
    let mut early = metric("early", 1);
    early.time = Timestamp::from_seconds(-5);
    output(&cluster, []).write(&[early]).unwrap();
    output(&cluster, [("producer_timestamp", text("now"))]).write(&[metric("now", 2)]).unwrap();
    let stored = read_topic(&cluster.brokers(), "metrics");
    assert_eq!(stored.len(), 2);
    assert!(stored.iter().all(|record| record.timestamp_ms > Some(1_700_000_000_000)));
}

#[test]
fn where_no_broker_answers_connecting_may_be_tried_again_and_nothing_is_lost() {
    let cluster = EmbeddedCluster::start(1).unwrap();
    let brokers = cluster.brokers();
    drop(cluster);
    let settings =
        table([("brokers", list(brokers.iter().map(String::as_str))), ("topic", text("t"))]);
    let mut output = build(&settings).unwrap();
    let error = output.connect().unwrap_err();
    assert!(error.retryable && error.to_string().contains(&brokers[0]), "{error}");
}

#[test]
fn certificates_that_cannot_be_read_are_no_matter_of_trying_again() {
    let settings = table([
        ("brokers", list(["127.0.0.1:1"])),
        ("topic", text("t")),
        ("tls_ca", text("/nonexistent/ca.pem")),
    ]);
    let error = build(&settings).unwrap().connect().unwrap_err();
    assert!(
        !error.retryable && error.to_string().contains("read /nonexistent/ca.pem: "),
        "{error}"
    );
}

#[test]
fn options_that_make_no_sense_are_refused() {
    let error = |options: Vec<(&str, Data)>| match build(&table(options)) {
        Ok(_) => panic!("it was built"),
        Err(error) => error.to_string(),
    };
    let with = |option: &'static str, data: Data| {
        vec![("brokers", list(["a:1"])), ("topic", text("t")), (option, data)]
    };
    assert!(error(vec![("topic", text("t"))]).contains("brokers"));
    assert!(error(vec![("brokers", list(["a:1"]))]).contains("topic"));
    for (options, part) in [
        (with("socks5_enabled", Data::Boolean(true)), "socks5_enabled"),
        (with("version", text("new")), "version"),
        (with("metadata_retry_type", text("never")), "metadata_retry_type"),
        (with("producer_timestamp", text("then")), "producer_timestamp"),
        (with("data_format", text("nonesuch")), "nonesuch"),
        (with("sasl_mechanism", text("GSSAPI")), "SCRAM-SHA-256"),
        (with("topic_suffix", Data::Table(table([("method", text("x"))]))), "measurement"),
        (with("headers", Data::Table(table([("h", text("{{ nosuch }}"))]))), "header \"h\""),
    ] {
        let error = error(options);
        assert!(error.contains(part), "{error}");
    }
}

struct Made(OriginalRecord);

impl Accompany for Made {
    fn record(&self) -> Option<&OriginalRecord> {
        Some(&self.0)
    }
}

/// A companion with a record of this value.
fn record(value: &str) -> Companion {
    let header = ("from".into(), Some(b"there".as_slice().into()));
    Companion::new(Arc::new(Made(OriginalRecord {
        key: Some(b"original".as_slice().into()),
        value: Some(value.as_bytes().into()),
        headers: vec![header, ("empty".into(), None)],
        timestamp_ms: Some(1_699_999_999_999),
    })))
}

fn metric_of(companion: &Companion, name: &str) -> Metric {
    let mut metric = metric(name, 1);
    metric.companion = companion.clone();
    metric
}

#[test]
fn an_original_record_is_passed_on_as_it_came_and_once_a_batch_and_topic() {
    let cluster = EmbeddedCluster::start(1).unwrap();
    let options = [
        ("record", text("original")),
        ("producer_timestamp", text("record")),
        ("headers", Data::Table(table([("name", text("{{ .Name }}"))]))),
        ("topic_tag", text("topic")),
    ];
    let mut output = output(&cluster, options);
    let (one, other) = (record("{\"a\": 1}\n"), record("{\"a\": 1}\n"));
    let mut elsewhere = metric_of(&one, "x");
    elsewhere.set_tag("topic", "elsewhere");
    output
        .write(&[metric_of(&one, "a"), elsewhere, metric_of(&one, "b"), metric_of(&other, "c")])
        .unwrap();
    output.close().unwrap();
    let stored = read_topic(&cluster.brokers(), "metrics");
    let names: Vec<_> =
        stored.iter().map(|each| String::from_utf8_lossy(&each.headers[2].1)).collect();
    assert_eq!(names, ["a", "c"], "the first of a record's metrics stands for the others");
    assert_eq!(stored[0].value, b"{\"a\": 1}\n");
    assert_eq!(stored[0].key.as_deref(), Some(b"original".as_slice()));
    assert_eq!(stored[0].timestamp_ms, Some(1_699_999_999_999));
    assert_eq!(stored[0].headers[0], ("from".to_owned(), b"there".to_vec()));
    assert_eq!(read_topic(&cluster.brokers(), "elsewhere").len(), 1);
}

#[test]
fn a_key_that_the_options_give_wins_over_that_of_the_record() {
    let cluster = EmbeddedCluster::start(1).unwrap();
    let options = [("record", text("original")), ("routing_tag", text("host"))];
    let mut output = output(&cluster, options);
    output.write(&[metric_of(&record("v"), "a")]).unwrap();
    let stored = read_topic(&cluster.brokers(), "metrics").remove(0);
    assert_eq!(stored.key.as_deref(), Some(b"a".as_slice()));
    // The time is the metric's unless the options say otherwise.
    assert_eq!(stored.timestamp_ms, Some(1_700_000_000_000));
}

#[test]
fn a_metric_of_no_record_is_given_up_and_says_why() {
    let cluster = EmbeddedCluster::start(1).unwrap();
    let mut output = output(&cluster, [("record", text("original"))]);
    let batch = [metric("a", 1), metric_of(&record("v"), "b")];
    let Err(WriteError::Partial { retry, rejected, source }) = output.write(&batch) else {
        panic!("it was written");
    };
    assert!(retry.is_empty() && rejected.len() == 1 && rejected[0].index == 0, "{rejected:?}");
    assert!(source.to_string().contains("keep_record = true"), "{source}");
    assert_eq!(values(&read_topic(&cluster.brokers(), "metrics")), ["v"]);
}
