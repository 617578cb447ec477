//! Letters of every kind of metric, and what becomes of a file that cannot be written.

use std::fs;

use proptest::prelude::*;

use super::*;
use crate::letters::Letters;
use crate::metric::{Value, ValueType};
use crate::plugin::PluginError;

/// Writes just enough line protocol for these tests: no metric with a string in it, and no NaN.
struct Plain;

impl Serializer for Plain {
    fn serialize(&mut self, metric: &Metric, out: &mut Vec<u8>) -> Result<(), PluginError> {
        let mut fields = Vec::new();
        for field in metric.fields() {
            match &field.value {
                Value::Integer(number) => fields.push(format!("{}={number}i", field.key)),
                Value::Unsigned(number) => fields.push(format!("{}={number}u", field.key)),
                _ => return Err("no such form".into()),
            }
        }
        let (fields, nanos) = (fields.join(","), metric.time.nanos());
        out.extend_from_slice(format!("{} {fields} {nanos}\n", metric.name).as_bytes());
        Ok(())
    }
}

fn metric(number: u64) -> Metric {
    Metric::new("m", Timestamp::from_nanos(7)).with_field("n", number)
}

fn now() -> Timestamp {
    Timestamp::from_nanos(1_700_000_000_250_000_000)
}

fn rejection(index: usize) -> Rejection {
    Rejection { index, reason: "too large".into() }
}

fn keeper(path: &Path, most_bytes: u64) -> DeadLetters {
    let keeping = Keeping { path: path.to_owned(), most_bytes };
    DeadLetters::new(keeping, "4711", Box::new(Plain), PluginLog::new("outputs.kafka::a"))
}

fn read(path: &Path) -> Vec<DeadLetter<'static>> {
    let text = fs::read(path).unwrap();
    let letters: Letters<_, DeadLetter<'static>> = Letters::new(text.as_slice());
    letters.map(|letter| letter.unwrap().letter).collect()
}

#[test]
fn a_letter_is_a_line_that_people_can_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("below/letters.jsonl");
    keeper(&path, 10_000).keep(&[metric(0), metric(1)], &[rejection(1)], now());
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        "{\"time\":\"2023-11-14T22:13:20.250Z\",\"output\":\"outputs.kafka::a\",\"id\":\"4711\",\
         \"reason\":\"too large\",\"metric\":\"m n=1u 7\"}\n"
    );
    assert_eq!(read(&path)[0].to_metric().unwrap(), metric(1));
}

#[test]
fn what_line_protocol_cannot_say_is_kept_all_the_same() {
    let counter = metric(1).with_type(ValueType::Counter);
    let nan = metric(1).with_field("f", f64::INFINITY);
    let bare = Metric::new("m", Timestamp::from_nanos(7));
    for metric in [counter, nan, bare] {
        let letter = letter(&metric, &mut Plain, "outputs.x", "1", "r", now());
        assert!(letter.exact.is_some(), "{metric:?}");
        assert_eq!(letter.to_metric().unwrap(), metric);
    }
    let letter = letter(&metric(1), &mut Plain, "outputs.x", "1", "r", now());
    assert_eq!(letter.exact, None);
}

#[test]
fn a_letter_that_somebody_has_spoilt_says_what_is_wrong() {
    let good = letter(&metric(1), &mut Plain, "outputs.x", "1", "r", now());
    let line = |line: &str| DeadLetter { metric: Some(line.to_owned().into()), ..good.clone() };
    let bytes = DeadLetter { exact: Some(Bytes::from(b"x".as_slice())), ..good.clone() };
    for (letter, reason) in [
        (line("m n=oops 7"), "its line protocol is wrong: "),
        (line(""), "it holds no metric"),
        (DeadLetter { metric: None, ..good.clone() }, "it holds no metric"),
        (bytes, "its bytes are no metric: "),
    ] {
        let error = letter.to_metric().unwrap_err().to_string();
        assert!(error.starts_with(reason), "{error}");
    }
}

#[test]
fn one_that_is_larger_than_all_that_is_kept_costs_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("letters.jsonl");
    let long = Metric::new("m".repeat(1000), Timestamp::EPOCH).with_field("n", 1u64);
    keeper(&path, 500).keep(&[long, metric(2)], &[rejection(0), rejection(1)], now());
    assert_eq!(read(&path).len(), 1);
}

#[test]
fn a_file_that_cannot_be_written_stops_nothing() {
    let folder = tempfile::tempdir().unwrap();
    // A folder is in the way.
    keeper(folder.path(), 500).keep(&[metric(1)], &[rejection(0)], now());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn outputs_have_files_by_their_names() {
    for (name, file) in [
        ("outputs.kafka", "outputs.kafka.dead-letters.jsonl"),
        ("outputs.kafka::a b", "outputs.kafka.a_b.dead-letters.jsonl"),
        ("outputs.kafka::../x", "outputs.kafka..._x.dead-letters.jsonl"),
    ] {
        assert_eq!(Keeping::in_folder(Path::new("f"), name, 1).path, Path::new("f").join(file));
    }
}

proptest! {
    #[test]
    fn every_metric_comes_back_as_it_was(
        name in "\\PC{1,6}",
        tags in prop::collection::btree_map("\\PC{1,4}", "\\PC{0,4}", 0..3),
        fields in prop::collection::btree_map("\\PC{1,4}", any::<(u8, i64)>(), 0..4),
        time in any::<i64>(),
    ) {
        let mut metric = Metric::new(name, Timestamp::from_nanos(time));
        for (key, value) in tags {
            metric.set_tag(key, value);
        }
        for (key, (kind, number)) in fields {
            match kind % 4 {
                0 => metric.set_field(key, number),
                1 => metric.set_field(key, number as u64),
                2 => metric.set_field(key, number as f64 / 3.0),
                _ => metric.set_field(key, format!("{number}\n\u{0}").as_str()),
            }
        }
        let letter = letter(&metric, &mut Plain, "outputs.x", "1", "r", now());
        let mut line = Vec::new();
        letters::push_line(&letter, &mut line);
        let read: DeadLetter<'_> = serde_json::from_slice(&line).unwrap();
        prop_assert_eq!(read.to_metric().unwrap(), metric);
    }
}
