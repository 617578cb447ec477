//! Tests of the parser; what is expected here is what Telegraf 1.40 answered.

use std::sync::Arc;

use proptest::prelude::*;

use super::Influx;
use crate::metric::{Metric, Timestamp, Value};
use crate::plugin::Parser;
use crate::system::fake::FakeClock;

const NOW: Timestamp = Timestamp::from_nanos(42_123_456_789);

fn parse_in_units(unit_nanos: i64, input: &[u8]) -> Result<Vec<Metric>, String> {
    let mut parser = Influx { unit_nanos, ..Influx::new(Arc::new(FakeClock::at(NOW))) };
    parser.parse(input).map_err(|error| error.to_string())
}

fn parse(input: impl AsRef<[u8]>) -> Result<Vec<Metric>, String> {
    parse_in_units(1, input.as_ref())
}

fn one(input: impl AsRef<[u8]>) -> Metric {
    let metrics = parse(input).unwrap();
    assert_eq!(metrics.len(), 1);
    metrics.into_iter().next().unwrap()
}

fn metric() -> Metric {
    Metric::new("m", NOW)
}

#[test]
fn names_tags_and_times_are_read() {
    assert_eq!(
        one("cpu,host=a,cpu=cpu0 usage=1.5,n=2i -7\n"),
        Metric::new("cpu", Timestamp::from_nanos(-7))
            .with_tag("cpu", "cpu0")
            .with_tag("host", "a")
            .with_field("usage", 1.5)
            .with_field("n", 2_i64)
    );
    assert_eq!(one("m v=1"), metric().with_field("v", 1.0));
}

#[test]
fn every_type_of_value_is_read() {
    for (text, value) in [
        ("1", Value::Float(1.0)),
        ("1.", Value::Float(1.0)),
        (".5", Value::Float(0.5)),
        ("-.5", Value::Float(-0.5)),
        ("01", Value::Float(1.0)),
        ("1.e3", Value::Float(1000.0)),
        ("1E-2", Value::Float(0.01)),
        ("1e-400", Value::Float(0.0)),
        ("-0i", Value::Integer(0)),
        ("-9223372036854775808i", Value::Integer(i64::MIN)),
        ("18446744073709551615u", Value::Unsigned(u64::MAX)),
        ("t", Value::Boolean(true)),
        ("TRUE", Value::Boolean(true)),
        ("False", Value::Boolean(false)),
        (r#""""#, Value::String("".into())),
        (r#""a\"b\\c, d=e""#, Value::String(r#"a"b\c, d=e"#.into())),
        ("\"a\nb\r\n\"", Value::String("a\nb\r\n".into())),
    ] {
        assert_eq!(one(format!("m v={text}")).field("v"), Some(&value), "{text}");
    }
}

#[test]
fn backslashes_are_taken_away_where_they_kept_a_text_together() {
    for (text, expected) in [
        (r"a\ b,t=c v=1", Metric::new("a b", NOW).with_tag("t", "c")),
        (r"a\,b\=c\x,t=c v=1", Metric::new(r"a,b\=c\x", NOW).with_tag("t", "c")),
        (r"m,a\=b=c\,d\ e v=1", metric().with_tag("a=b", "c,d e")),
        // A backslash in a tag does not keep the next one from escaping what follows.
        (r"m,a=b\\\ c v=1", metric().with_tag("a", r"b\\ c")),
        // A quote loses its backslash only in the company of other special characters.
        (r#"m,a=\"b v=1"#, metric().with_tag("a", r#"\"b"#)),
        (r#"m,a=\"b\  v=1"#, metric().with_tag("a", r#""b "#)),
    ] {
        assert_eq!(one(text), expected.with_field("v", 1.0), "{text}");
    }
    assert_eq!(one(r"m a\ b\\=1").fields()[0].key, r"a b\\");
}

#[test]
fn blank_lines_comments_and_every_line_end_are_taken() {
    let names = |input: &str| -> Vec<String> {
        parse(input).unwrap().iter().map(|metric| metric.name.to_string()).collect()
    };
    assert_eq!(names(""), [""; 0]);
    assert_eq!(names("# only a comment"), [""; 0]);
    assert_eq!(names("\r"), [""; 0]);
    assert_eq!(
        names("a v=1\r\n\n \t\n # c\r\n\x0b\x0cb v=1 \r\nc v=1 5 \nd v=1\r"),
        ["a", "b", "c", "d"]
    );
}

#[test]
fn of_equal_keys_the_last_value_wins_and_a_field_keeps_its_place() {
    assert_eq!(
        one("m,b=1,a=2,b=3 x=1,y=2,x=3i"),
        metric().with_tag("a", "2").with_tag("b", "3").with_field("x", 3_i64).with_field("y", 2.0)
    );
}

#[test]
fn errors_name_what_was_expected_and_where() {
    for (input, message) in [
        (",", r#"expected measurement name at 1:1: ",""#),
        ("m", r#"expected tag at 1:2: "m""#),
        ("m\nx", r#"expected tag at 1:2: "m""#),
        ("m,", r#"expected tag at 1:3: "m,""#),
        ("m,a= v=1", r#"expected tag at 1:5: "m,a= v=1""#),
        ("m,a=b=c v=1", r#"expected tag at 1:6: "m,a=b=c v=1""#),
        ("m,a=b\\ v=1", r#"expected tag at 1:9: "m,a=b\\ v=1""#),
        ("m ", r#"expected field at 1:3: "m ""#),
        ("m v", r#"expected field at 1:4: "m v""#),
        ("m v=", r#"expected field at 1:5: "m v=""#),
        ("m v=1,", r#"expected field at 1:7: "m v=1,""#),
        ("m v=+1", r#"expected field at 1:5: "m v=+1""#),
        ("m v=1e", r#"expected field at 1:7: "m v=1e""#),
        ("m v=01i", r#"expected field at 1:7: "m v=01i""#),
        ("m v=-1u", r#"expected field at 1:7: "m v=-1u""#),
        ("m v=1.0i", r#"expected field at 1:8: "m v=1.0i""#),
        ("m v=NaN", r#"expected field at 1:5: "m v=NaN""#),
        ("m v=tru", r#"expected field at 1:8: "m v=tru""#),
        ("m v=tx", r#"expected field at 1:6: "m v=tx""#),
        ("m v=\"\\n\"", r#"expected field at 1:7: "m v=\"\\n\"""#),
        ("m v=\"a", r#"expected field at 1:7: "m v=\"a""#),
        ("m v=\"a\nb\"x", r#"expected field at 2:3: "b\"x""#),
        ("m v=1 x", r#"expected timestamp at 1:7: "m v=1 x""#),
        ("m v=1 -", r#"expected timestamp at 1:8: "m v=1 -""#),
        (
            "m v=1 12345678901234567890",
            r#"expected timestamp at 1:26: "m v=1 12345678901234567890""#,
        ),
        ("m v=1 9999999999999999999", r#"value out of range at 1:26: "m v=1 9999999999999999999""#),
        ("m v=1e999", r#"value out of range at 1:10: "m v=1e999""#),
        ("m v=9223372036854775808i\n", r#"value out of range at 1:25: "m v=9223372036854775808i""#),
        ("m v=1e\"5", r#"invalid syntax at 1:9: "m v=1e\"5""#),
        ("m v=1 1 x", r#"parse error at 1:9: "m v=1 1 x""#),
        ("m v=1\rx", r#"parse error at 1:7: "m v=1\rx""#),
        ("a v=1\n\n\rx", r#"parse error at 3:2: "\rx""#),
        ("m\\\nx", r#"parse error at 1:3: "m\\""#),
    ] {
        assert_eq!(parse(input).unwrap_err(), format!("metric parse error: {message}"));
    }
}

#[test]
fn one_bad_line_voids_the_whole_input() {
    assert!(parse("good v=1\nbad\ngood v=2\n").is_err());
}

#[test]
fn of_a_long_line_the_kilobyte_before_the_fault_is_shown() {
    let message = |length: usize| parse(format!("{} v=x", "a".repeat(length))).unwrap_err();
    let dots = |count| format!("{} v=", "a".repeat(count));
    assert_eq!(
        message(1100),
        format!("metric parse error: expected field at 1:1104: \"...{}<-- here\"", dots(1021))
    );
    assert!(message(1020).ends_with(&format!(": \"{}x\"", dots(1020))));
    assert!(message(1021).ends_with(&format!(": \"...{}<-- here\"", dots(1021))));
}

#[test]
fn timestamps_are_in_the_unit_that_is_set_and_now_is_cut_to_it() {
    let time = |unit, input: &str| {
        parse_in_units(unit, input.as_bytes()).map(|metrics| metrics[0].time.nanos())
    };
    assert_eq!(time(1_000_000_000, "m v=1 -3"), Ok(-3_000_000_000));
    assert_eq!(time(1_000_000_000, "m v=1"), Ok(42_000_000_000));
    assert_eq!(time(1_000_000, "m v=1"), Ok(42_123_000_000));
    let too_late = time(1_000_000_000, "m v=1 9223372037").unwrap_err();
    assert!(too_late.starts_with("metric parse error: value out of range at 1:17"), "{too_late}");
}

#[test]
fn bytes_that_are_no_utf_8_become_the_replacement_character() {
    assert_eq!(one(b"m\xff,a=\xc3 v=\"\xa9\"").name, "m\u{fffd}");
    assert_eq!(one(b"m,a=b\\ \xc3 v=1").tag("a"), Some("b \u{fffd}"));
}

#[test]
fn very_many_equal_keys_do_not_take_quadratic_time() {
    let pairs: Vec<_> = (0..200_000).map(|at| format!("k{}={at}", at % 100_000)).collect();
    let pairs = pairs.join(",");
    let metric = one(format!("m,{pairs} {pairs}"));
    assert_eq!((metric.tags().len(), metric.fields().len()), (100_000, 100_000));
    assert_eq!(metric.fields()[0].value, Value::Float(100_000.0));
}

fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(vec![
        "m",
        "a",
        "=",
        ",",
        " ",
        "\n",
        "\r",
        "\\",
        "\"",
        "#",
        "1",
        "-",
        ".",
        "e",
        "i",
        "u",
        "t",
        "true",
        "\t",
        "é",
        "v=1",
        "12345678901234567890",
    ]);
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat().into_bytes())
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(input in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = parse(input);
    }

    #[test]
    fn faults_lie_within_the_input(input in pieces()) {
        if let Err(message) = parse(&input) {
            let place = message.split(" at ").nth(1).unwrap().split(": ").next().unwrap();
            let (line, column) = place.split_once(':').unwrap();
            let lines: Vec<_> = input.split(|byte| *byte == b'\n').collect();
            let line = lines[line.parse::<usize>().unwrap() - 1];
            prop_assert!(column.parse::<usize>().unwrap() <= line.len() + 1);
        }
    }
}
