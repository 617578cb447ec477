//! Tests of the serializer; what is expected here is what Telegraf 1.40 answered.

use proptest::prelude::*;

use super::PLUGIN;
use crate::metric::{Metric, Timestamp};
use crate::plugin::settings::{Data, Position, Table, Value};
use crate::plugin::{BuildError, Context, PluginLog, Serializer, Statistics};
use crate::plugins::FORMATS;
use crate::system::System;

fn text(text: &str) -> Data {
    Data::String { text: text.into(), substituted: false }
}

fn list(texts: &[&str]) -> Data {
    let position = Position::default();
    Data::Array(texts.iter().map(|t| Value { position, data: text(t) }).collect())
}

fn build(options: Vec<(&str, Data)>) -> Result<Box<dyn Serializer>, BuildError> {
    let position = Position::default();
    let mut table = Table::new("test".into(), "outputs.file", position);
    for (key, data) in options {
        table.push(key, position, Value { position, data });
    }
    let log = PluginLog::new("outputs.file");
    let context = Context::new(System::real(), log, Statistics::default(), &table, FORMATS);
    (PLUGIN.build)(&context)
}

fn write(options: Vec<(&str, Data)>, metric: &Metric) -> String {
    let mut out = Vec::new();
    build(options).unwrap().serialize(metric, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn metric() -> Metric {
    Metric::new("m", Timestamp::from_nanos(1_700_000_000_123_456_789))
}

#[test]
fn every_type_of_value_has_its_form_and_keys_are_sorted() {
    let metric = metric()
        .with_tag("b", "x")
        .with_tag("a", "y")
        .with_field("z", 4.0)
        .with_field("float", 2.5)
        .with_field("small", 1e-7)
        .with_field("not_so_small", 0.000001)
        .with_field("large", 1.5e21)
        .with_field("not_so_large", 1e20)
        .with_field("minus_zero", -0.0)
        .with_field("nan", f64::NAN)
        .with_field("inf", f64::INFINITY)
        .with_field("integer", i64::MIN)
        .with_field("unsigned", u64::MAX)
        .with_field("yes", true)
        .with_field("text", "x");
    assert_eq!(
        write(vec![], &metric),
        "{\"fields\":{\"float\":2.5,\"integer\":-9223372036854775808,\"large\":1.5e+21,\
         \"minus_zero\":-0,\"not_so_large\":100000000000000000000,\"not_so_small\":0.000001,\
         \"small\":1e-7,\"text\":\"x\",\"unsigned\":18446744073709551615,\"yes\":true,\"z\":4},\
         \"name\":\"m\",\"tags\":{\"a\":\"y\",\"b\":\"x\"},\"timestamp\":1700000000}\n"
    );
}

#[test]
fn texts_are_escaped_as_go_escapes_them() {
    let metric = metric().with_field("v", "\"\\\u{8}\u{c}\n\r\t\u{1}\u{7f}<>&\u{2028}/é😀");
    let line = write(vec![], &metric);
    let expected = "\"v\":\"\\\"\\\\\\b\\f\\n\\r\\t\\u0001\u{7f}\\u003c\\u003e\\u0026\\u2028/é😀\"";
    assert!(line.contains(expected), "{line}");
}

#[test]
fn times_are_cut_to_their_unit_or_written_by_a_layout() {
    let time = |option: &str, value: &str, nanos: i64| {
        let metric = Metric::new("m", Timestamp::from_nanos(nanos));
        let line = write(vec![(option, text(value))], &metric);
        let (_, time) = line.rsplit_once(':').unwrap();
        time.trim_end_matches("}\n").to_owned()
    };
    let units = |value: &str, nanos| time("json_timestamp_units", value, nanos);
    assert_eq!(units("1s", 1_999_999_999), "1");
    assert_eq!(units("1s", -1_999_999_999), "-1");
    assert_eq!(units("25ms", 1_999_999_999), "199");
    assert_eq!(units("1ns", 1_999_999_999), "1999999999");
    assert_eq!(units("0s", 1_999_999_999), "1");
    assert_eq!(time("json_timestamp_format", "2006-01-02", 0), "\"1970-01-01\"");
}

#[test]
fn batches_are_one_object() {
    let mut out = Vec::new();
    let metrics = [Metric::new("a", Timestamp::EPOCH), Metric::new("b", Timestamp::EPOCH)];
    assert!(build(vec![]).unwrap().serialize_batch(&metrics, &mut out).unwrap().is_empty());
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "{\"metrics\":[{\"fields\":{},\"name\":\"a\",\"tags\":{},\"timestamp\":0},\
         {\"fields\":{},\"name\":\"b\",\"tags\":{},\"timestamp\":0}]}\n"
    );
}

#[test]
fn strings_that_hold_json_are_nested_where_that_is_asked_for() {
    let metric = metric()
        .with_field("a_doc", r#"{"b": [1.0, 2e30, null], "a": "<"}"#)
        .with_field("a_text", "no json")
        .with_field("b_doc", "{}");
    let fields = |options| {
        let line = write(options, &metric);
        line.split(",\"name\"").next().unwrap().to_owned()
    };
    assert_eq!(
        fields(vec![("json_nested_fields_include", list(&["a_*"]))]),
        r#"{"fields":{"a_doc":{"a":"\u003c","b":[1,2e+30,null]},"a_text":"no json","b_doc":"{}"}"#
    );
    assert!(fields(vec![("json_nested_fields_exclude", list(&["a_*"]))]).contains("\"b_doc\":{}"));
}

#[test]
fn a_transformation_is_refused_rather_than_left_out() {
    let error = build(vec![("json_transformation", text("name"))]).err().unwrap();
    let error = error.to_string();
    assert!(error.starts_with("json_transformation: JSONata expressions cannot be"), "{error}");
    assert!(error.contains("data_format = \"template\""), "{error}");
}

proptest! {
    #[test]
    fn what_is_written_is_json(
        name in ".*", key in ".*", value in ".*", number in any::<f64>(), nanos in any::<i64>()
    ) {
        let metric = Metric::new(name.as_str(), Timestamp::from_nanos(nanos))
            .with_tag(key.as_str(), value.as_str())
            .with_field("text", value.as_str())
            .with_field("number", number);
        let line = write(vec![], &metric);
        let read: serde_json::Value = serde_json::from_str(&line).unwrap();
        prop_assert_eq!(read["name"].as_str(), Some(name.as_str()));
        prop_assert_eq!(read["tags"][&key].as_str(), Some(value.as_str()));
        prop_assert_eq!(read["fields"]["text"].as_str(), Some(value.as_str()));
        let expected = if number.is_finite() { Some(number) } else { None };
        prop_assert_eq!(read["fields"]["number"].as_f64(), expected);
    }
}
