//! Tests of the serializer; what is expected here is what Telegraf 1.40 answered.

use proptest::prelude::*;

use super::{Config, Influx, for_test_mode};
use crate::metric::{Metric, Timestamp, Value};
use crate::plugin::settings::{Position, Table};
use crate::plugin::{Context, PluginLog, Serializer, Statistics};
use crate::plugins::FORMATS;
use crate::system::System;

fn write_with(serializer: &mut Influx, metric: &Metric) -> Result<String, String> {
    let mut out = b"before\n".to_vec();
    let written = serializer.serialize(metric, &mut out).map_err(|error| error.to_string());
    let text = String::from_utf8(out).unwrap();
    let added = text.strip_prefix("before\n").unwrap().to_owned();
    assert!(written.is_ok() || added.is_empty());
    written.map(|()| added)
}

fn write(metric: &Metric) -> String {
    write_with(&mut Influx::new(Config::default()), metric).unwrap()
}

fn metric() -> Metric {
    Metric::new("m", Timestamp::from_nanos(7))
}

#[test]
fn every_type_of_value_has_its_form() {
    let metric = metric()
        .with_field("float", 2.5)
        .with_field("whole", 4.0)
        .with_field("minus_zero", -0.0)
        .with_field("integer", -3_i64)
        .with_field("unsigned", 5_u64)
        .with_field("huge", u64::MAX)
        .with_field("yes", true)
        .with_field("no", false)
        .with_field("text", "a \"b\"\\c\nd\te,f=g");
    assert_eq!(
        write(&metric),
        "m float=2.5,whole=4,minus_zero=-0,integer=-3i,unsigned=5i,huge=9223372036854775807i,\
         yes=true,no=false,text=\"a \\\"b\\\"\\\\c\nd\te,f=g\" 7\n"
    );
}

#[test]
fn names_keys_and_tags_are_escaped() {
    let metric = Metric::new("a,b c=d\n\r\t\u{b}\u{c}\\", Timestamp::EPOCH)
        .with_tag("k,= \n", "v,= \t")
        .with_field("f,= \r\u{c}\"", 1_i64);
    assert_eq!(
        write(&metric),
        "a\\,b\\ c=d\\n\\r\\t\u{b}\\f\\,k\\,\\=\\ \\n=v\\,\\=\\ \\t f\\,\\=\\ \\r\\f\"=1i 0\n"
    );
}

#[test]
fn tags_lose_backslashes_at_the_end_and_vanish_when_empty() {
    let metric = metric()
        .with_tag("a\\\\", "b\\c\\\\")
        .with_tag("empty", "")
        .with_tag("gone", "\\\\")
        .with_tag("\\", "gone")
        .with_tag("", "gone")
        .with_field("v\\", 1_i64);
    assert_eq!(write(&metric), "m,a=b\\c v\\=1i 7\n");
}

#[test]
fn fields_that_cannot_be_written_are_left_out() {
    let metric = metric()
        .with_field("nan", f64::NAN)
        .with_field("", 1_i64)
        .with_field("v", 1_i64)
        .with_field("inf", f64::NEG_INFINITY);
    assert_eq!(write(&metric), "m v=1i 7\n");
}

#[test]
fn metrics_that_cannot_be_written_are_errors_and_leave_nothing_behind() {
    let mut serializer = Influx::new(Config::default());
    let nameless = Metric::new("", Timestamp::EPOCH).with_field("v", 1_i64);
    assert_eq!(write_with(&mut serializer, &nameless), Err("invalid name".into()));
    let empty = metric().with_tag("a", "b").with_field("v", f64::NAN);
    assert_eq!(
        write_with(&mut serializer, &empty),
        Err(r#""m,a=b": no serializable fields"#.into())
    );
}

#[test]
fn options_sort_fields_mark_unsigned_and_leave_out_the_time() {
    let metric = metric().with_field("b", 1_u64).with_field("a", u64::MAX);
    let mut serializer = Influx::new(Config {
        influx_sort_fields: true,
        influx_uint_support: true,
        influx_omit_timestamp: true,
        ..Config::default()
    });
    let written = write_with(&mut serializer, &metric).unwrap();
    assert_eq!(written, "m a=18446744073709551615u,b=1u\n");
    let written = write_with(&mut for_test_mode(), &metric).unwrap();
    assert_eq!(written, "m a=18446744073709551615u,b=1u 7\n");
}

#[test]
fn lines_that_grow_too_long_are_split_over_their_fields() {
    let metric = metric()
        .with_tag("t", "x")
        .with_field("a", 1_i64)
        .with_field("b", 2_i64)
        .with_field("c", 3_i64)
        .with_field("d", 4_i64);
    let limited = |bytes| {
        let config = Config { influx_max_line_bytes: bytes, ..Config::default() };
        write_with(&mut Influx::new(config), &metric)
    };
    let whole = "m,t=x a=1i,b=2i,c=3i,d=4i 7\n";
    assert_eq!(limited(whole.len()).unwrap(), whole);
    assert_eq!(limited(whole.len() - 1).unwrap(), "m,t=x a=1i,b=2i,c=3i 7\nm,t=x d=4i 7\n");
    assert_eq!(limited(13).unwrap().lines().count(), 4);
    assert_eq!(limited(12).unwrap_err(), r#""m,t=x": need more space"#);
}

#[test]
fn a_field_too_long_for_any_line_gives_up_the_metric() {
    let config = Config { influx_max_line_bytes: 20, ..Config::default() };
    let metric = metric().with_field("short", 1_i64).with_field("long", "x".repeat(20));
    let error = write_with(&mut Influx::new(config), &metric).unwrap_err();
    assert_eq!(error, r#""m": need more space"#);
}

fn text() -> impl Strategy<Value = String> {
    proptest::string::string_regex("[a-c ,=\"é#.]{1,6}").unwrap()
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<f64>().prop_filter("NaN has no form", |v| v.is_finite()).prop_map(Value::Float),
        any::<i64>().prop_map(Value::Integer),
        any::<u64>().prop_map(Value::Unsigned),
        any::<bool>().prop_map(Value::Boolean),
        proptest::string::string_regex("[a-c \\\\\"\n\r\té=,]{0,8}")
            .unwrap()
            .prop_map(|text| Value::String(text.into())),
    ]
}

prop_compose! {
    fn any_metric()(
        name in text().prop_filter("a comment", |name| !name.starts_with('#')),
        tags in prop::collection::vec((text(), text()), 0..5),
        fields in prop::collection::vec((text(), value()), 1..6),
        nanos in any::<i64>(),
    ) -> Metric {
        let mut metric = Metric::new(name, Timestamp::from_nanos(nanos));
        tags.into_iter().for_each(|(key, value)| metric.set_tag(key, value));
        fields.into_iter().for_each(|(key, value)| metric.set_field(key, value));
        metric
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(metric in any_metric()) {
        let table = Table::new("test".into(), "inputs.test", Position::default());
        let log = PluginLog::new("inputs.test");
        let context = Context::new(System::real(), log, Statistics::default(), &table, FORMATS);
        let mut parser = context.parser("influx").unwrap();
        let mut serializer =
            Influx::new(Config { influx_uint_support: true, ..Config::default() });
        let line = write_with(&mut serializer, &metric).unwrap();
        prop_assert_eq!(parser.parse(line.as_bytes()).unwrap(), vec![metric]);
    }

    #[test]
    fn no_line_is_longer_than_the_limit(metric in any_metric(), limit in 1_usize..200) {
        let config = Config { influx_max_line_bytes: limit, ..Config::default() };
        // Raw line ends in strings would hide how long a line is.
        prop_assume!(!metric.fields().iter().any(|field| matches!(&field.value, Value::String(_))));
        if let Ok(text) = write_with(&mut Influx::new(config), &metric) {
            prop_assert!(text.split_inclusive('\n').all(|line| line.len() <= limit));
        }
    }

    #[test]
    fn any_text_can_be_written(name in ".*", key in ".*", value in ".*") {
        let metric = Metric::new(name.as_str(), Timestamp::EPOCH)
            .with_tag(key.as_str(), value.as_str())
            .with_field("v", value.as_str());
        let written = write_with(&mut Influx::new(Config::default()), &metric);
        prop_assert_eq!(written.is_err(), name.is_empty());
    }
}
