//! Tests of the parser as a whole.

use std::sync::Arc;

use proptest::prelude::*;

use super::PLUGIN;
use crate::metric::{Metric, Timestamp};
use crate::plugin::settings::{Data, Position, Table, Value};
use crate::plugin::{BuildError, Context, Parser, PluginLog, Statistics};
use crate::plugins::FORMATS;
use crate::system::System;
use crate::system::fake::FakeClock;

const NOW: Timestamp = Timestamp::from_seconds(42);

fn text(text: &str) -> Data {
    Data::String { text: text.into(), substituted: false }
}

fn list(texts: &[&str]) -> Data {
    let position = Position::default();
    Data::Array(texts.iter().map(|t| Value { position, data: text(t) }).collect())
}

fn build(options: Vec<(&str, Data)>) -> Result<Box<dyn Parser>, BuildError> {
    let position = Position::default();
    let mut table = Table::new("test".into(), "inputs.exec", position);
    for (key, data) in options {
        table.push(key, position, Value { position, data });
    }
    let system = System { clock: Arc::new(FakeClock::at(NOW)), ..System::real() };
    let log = PluginLog::new("inputs.exec");
    (PLUGIN.build)(&Context::new(system, log, Statistics::default(), &table, FORMATS))
}

fn parse(options: Vec<(&str, Data)>, input: &str) -> Result<Vec<Metric>, String> {
    build(options).unwrap().parse(input.as_bytes()).map_err(|error| error.to_string())
}

fn metric() -> Metric {
    Metric::new("exec", NOW)
}

#[test]
fn numbers_become_fields_under_joined_keys() {
    let input = r#"{"a": 5, "b": {"c": 6.5, "d": [1, {"e": 2}]}, "s": "x", "t": true, "n": null}"#;
    let expected = metric()
        .with_field("a", 5.0)
        .with_field("b_c", 6.5)
        .with_field("b_d_0", 1.0)
        .with_field("b_d_1_e", 2.0);
    assert_eq!(parse(vec![], input), Ok(vec![expected]));
}

#[test]
fn keys_become_tags_string_fields_and_names_where_that_is_asked_for() {
    let options = vec![
        ("tag_keys", list(&["tag_*", "b"])),
        ("json_string_fields", list(&["s*"])),
        ("json_name_key", text("name")),
    ];
    let input = r#"{"name": "m", "tag_a": "x", "tag_b": 2.50, "tag_c": true, "b": 1e21,
        "s": "text", "sb": false, "other": "y", "v": 1}"#;
    let expected = Metric::new("m", NOW)
        .with_tag("tag_a", "x")
        .with_tag("tag_b", "2.5")
        .with_tag("tag_c", "true")
        .with_tag("b", "1000000000000000000000")
        .with_field("s", "text")
        .with_field("sb", false)
        .with_field("v", 1.0);
    assert_eq!(parse(options, input), Ok(vec![expected]));
}

#[test]
fn arrays_of_objects_become_as_many_metrics() {
    let input = "\u{feff} [{\"v\": 1}, {\"v\": 2}] \n";
    let metrics = parse(vec![("metric_name", text("m"))], input).unwrap();
    assert_eq!(metrics.len(), 2);
    assert_eq!(metrics[1], Metric::new("m", NOW).with_field("v", 2.0));
    for nothing in ["", "  \n", "null", "[]"] {
        assert_eq!(parse(vec![], nothing), Ok(vec![]), "{nothing}");
    }
}

#[test]
fn a_query_picks_the_part_to_parse() {
    let input = r#"{"a": {"items": [{"k": "x", "v": 1}, {"k": "y", "v": 2}]}, "n": 3}"#;
    let query = |path: &str| parse(vec![("json_query", text(path))], input);
    assert_eq!(query("a.items").unwrap().len(), 2);
    assert_eq!(query("a.items.#(k==y)"), Ok(vec![metric().with_field("v", 2.0)]));
    assert_eq!(query("nosuch"), Ok(vec![]));
    assert_eq!(
        query("n"),
        Err("query path must lead to a JSON object, array of objects or null, but lead to: Number"
            .into())
    );
}

#[test]
fn times_are_read_and_bad_ones_void_the_array_unless_it_is_lenient() {
    let options = |strict| {
        vec![
            ("json_time_key", text("t")),
            ("json_time_format", text("2006-01-02 15:04")),
            ("json_timezone", text("Europe/Lisbon")),
            ("json_strict", Data::Boolean(strict)),
        ]
    };
    let input = r#"[{"v": 1, "t": "2023-07-01 12:00"}, {"v": 2, "t": "x"}, {"v": 3}]"#;
    let expected = Metric::new("exec", Timestamp::from_seconds(1_688_209_200)).with_field("v", 1.0);
    assert_eq!(parse(options(false), input), Ok(vec![expected]));
    let error = parse(options(true), input).unwrap_err();
    assert!(error.starts_with("parsing time \"x\" as \"2006-01-02 15:04\""), "{error}");
    let error = parse(options(true), r#"{"v": 1}"#).unwrap_err();
    assert_eq!(error, "'json_time_key' could not be found");
    let error = parse(vec![("json_time_key", text("t"))], r#"{"t": 1}"#).unwrap_err();
    assert_eq!(error, "use of 'json_time_key' requires 'json_time_format'");
}

#[test]
fn what_is_no_object_is_refused() {
    for input in ["1", "\"x\"", "[1]", "[{\"v\":1}, null]"] {
        let error = parse(vec![], input).unwrap_err();
        assert_eq!(error, "must be an object or an array of objects", "{input}");
    }
    let error = parse(vec![], "{\"v\": }").unwrap_err();
    assert_eq!(error, "invalid JSON: expected value at line 1 column 7");
}

#[test]
fn numbers_are_read_to_the_last_bit() {
    let metrics =
        parse(vec![], r#"{"v": 1300086342936249.25, "w": 18446744073709551617}"#).unwrap();
    let expected = metric()
        .with_field("v", 1_300_086_342_936_249.0 + 0.25)
        .with_field("w", 18446744073709551616.0);
    assert_eq!(metrics, [expected]);
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    for (key, data, message) in [
        ("tag_keys", list(&["["]), "tag_keys: invalid pattern"),
        ("json_timezone", text("Nowhere"), "invalid timezone: "),
        ("json_query", text("@pretty"), "json_query: \"@pretty\" is not supported"),
    ] {
        let error = build(vec![(key, data)]).err().unwrap().to_string();
        assert!(error.starts_with(message), "{error}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(input in r#"[{}\[\]",:0-9a-c.eE+ \\-]{0,40}"#) {
        let _ = parse(vec![], &input);
    }
}
