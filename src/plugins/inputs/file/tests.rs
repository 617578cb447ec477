//! Tests of the input as a whole.

use std::fs;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::{PART, PLUGIN, WHOLE_UP_TO};
use crate::metric::{Metric, Timestamp};
use crate::plugin::settings::{Data, Position, Table, Value};
use crate::plugin::{Accumulator, Context, Deliver, PluginLog, Statistics};
use crate::plugins::FORMATS;
use crate::system::System;
use crate::system::fake::FakeClock;

#[derive(Default)]
struct Delivered(Mutex<Vec<Metric>>);

impl Deliver for Delivered {
    fn deliver(&self, metrics: &mut Vec<Metric>) {
        self.0.lock().unwrap().append(metrics);
    }

    fn report(&self, error: &dyn std::error::Error) {
        unreachable!("the input reports by what gather returns: {error}");
    }
}

/// Gathers once, and returns the metrics and how the round ended.
fn gather(options: Vec<(&str, &str)>, files: &[&str]) -> (Vec<Metric>, Result<(), String>) {
    let position = Position::default();
    let text = |text: &str| Value {
        position,
        // As out of a variable: whatever the type of the option is, it converts.
        data: Data::String { text: text.into(), substituted: true },
    };
    let mut table = Table::new("test".into(), "inputs.file", position);
    let files = Data::Array(files.iter().map(|file| text(file)).collect());
    table.push("files", position, Value { position, data: files });
    for (key, value) in options {
        table.push(key, position, text(value));
    }
    let clock = Arc::new(FakeClock::at(Timestamp::from_seconds(42)));
    let system = System { clock: clock.clone(), ..System::real() };
    let log = PluginLog::new("inputs.file");
    let context = Context::new(system, log, Statistics::default(), &table, FORMATS);
    let mut input = (PLUGIN.build)(&context).unwrap();
    let delivered = Delivered::default();
    let mut accumulator = Accumulator::new(&delivered, &*clock, Duration::ZERO);
    let ended = input.gather(&mut accumulator).map_err(|error| error.to_string());
    drop(accumulator);
    (delivered.0.into_inner().unwrap(), ended)
}

fn folder() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap().to_owned();
    fs::write(folder.path().join("a.in"), "a v=1 1\na v=2 2\n").unwrap();
    fs::write(folder.path().join("b.in"), "\u{feff}b v=1\n").unwrap();
    (folder, path)
}

#[test]
fn every_file_that_matches_is_parsed_and_tagged() {
    let (_folder, path) = folder();
    let options = vec![("file_tag", "name"), ("file_path_tag", "path")];
    let (metrics, ended) = gather(options, &[&format!("{path}/*.in")]);
    assert_eq!(ended, Ok(()));
    let expected = |name: &str, seconds_nanos: i64, value: f64| {
        Metric::new(name, Timestamp::from_nanos(seconds_nanos))
            .with_tag("name", format!("{name}.in"))
            .with_tag("path", format!("{path}/{name}.in"))
            .with_field("v", value)
    };
    let now = 42_000_000_000;
    assert_eq!(metrics, [expected("a", 1, 1.0), expected("a", 2, 2.0), expected("b", now, 1.0)]);
}

#[test]
fn files_in_other_encodings_are_decoded() {
    let (folder, path) = folder();
    let text: Vec<u8> = "ż v=1 1\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    fs::write(folder.path().join("c.in"), text).unwrap();
    let options = vec![("character_encoding", "utf-16le")];
    let (metrics, _) = gather(options, &[&format!("{path}/c.in")]);
    assert_eq!(metrics[0].name, "ż");
}

#[test]
fn errors_name_the_file_and_metrics_of_files_before_it_stay() {
    let (folder, path) = folder();
    let ended = |pattern: &str| gather(vec![], &[&format!("{path}/{pattern}")]);
    assert_eq!(ended("nosuch"), (vec![], Err(format!("could not find file(s): {path}/nosuch"))));
    assert_eq!(
        ended("["),
        (vec![], Err(format!("could not compile glob \"{path}/[\": syntax error in pattern")))
    );
    assert_eq!(
        ended(""),
        (vec![], Err(format!("could not read \"{path}\": read {path}: is a directory")))
    );
    fs::write(folder.path().join("c.in"), "c v=1\nc\n").unwrap();
    let (metrics, ended) = ended("*.in");
    assert_eq!(metrics.len(), 3);
    let parse_error = "metric parse error: expected tag at 2:2: \"c\"";
    assert_eq!(ended, Err(format!("could not parse \"{path}/c.in\": {parse_error}")));
    std::os::unix::fs::symlink("nowhere", folder.path().join("link")).unwrap();
    let (_, ended) = gather(vec![], &[&format!("{path}/link")]);
    assert_eq!(ended, Err(format!("open {path}/link: no such file or directory")));
}

/// Lines of line protocol, more than are parsed at a time.
fn long_text() -> String {
    (0..90_000).map(|number| format!("a,t=x s=\"żółw\n{number}\",v={number}i {number}\n")).collect()
}

#[test]
fn a_long_file_gives_all_of_its_metrics_in_every_encoding() {
    let (folder, path) = folder();
    let text = long_text();
    assert!(text.len() > WHOLE_UP_TO + 2 * PART);
    let utf_16: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    for (encoding, bytes) in
        [("", text.as_bytes()), ("utf-8", text.as_bytes()), ("utf-16be", &utf_16)]
    {
        fs::write(folder.path().join("long"), bytes).unwrap();
        let options = vec![("character_encoding", encoding)];
        let (metrics, ended) = gather(options, &[&format!("{path}/long")]);
        assert_eq!(ended, Ok(()));
        let times: Vec<_> = metrics.iter().map(|metric| metric.time.nanos()).collect();
        assert_eq!(times, (0..90_000).collect::<Vec<_>>(), "{encoding}");
    }
}

#[test]
fn a_long_file_of_a_format_that_has_to_be_seen_whole_is() {
    let (folder, path) = folder();
    let numbers: Vec<_> = (0..400_000).map(|number| format!("{{\"v\":\n{number}}}")).collect();
    let text = format!("[{}]", numbers.join(",\n"));
    assert!(text.len() > WHOLE_UP_TO + 2 * PART);
    fs::write(folder.path().join("long"), text).unwrap();
    let (metrics, ended) = gather(vec![("data_format", "json")], &[&format!("{path}/long")]);
    assert_eq!((metrics.len(), ended), (numbers.len(), Ok(())));
}

#[test]
fn a_long_file_counts_up_to_the_part_that_is_at_fault() {
    let (folder, path) = folder();
    let text = long_text();
    fs::write(folder.path().join("long"), text.clone() + "a\n").unwrap();
    let (metrics, ended) = gather(vec![], &[&format!("{path}/long")]);
    let n_metrics = metrics.len();
    assert!(n_metrics > 20_000 && n_metrics < 90_000, "{n_metrics} metrics");
    // Each has two lines here; the fault is after the last, by the line of the part that is told.
    let message = ended.unwrap_err();
    let before =
        format!("could not parse \"{path}/long\" after its first {} lines: ", 2 * n_metrics);
    let line = 2 * (90_000 - n_metrics) + 1;
    let fault = format!("metric parse error: expected tag at {line}:2: \"a\"");
    assert_eq!(message, before + &fault);
    // A shorter one counts as a whole or not at all.
    fs::write(folder.path().join("long"), &(text[..WHOLE_UP_TO / 2].to_owned() + "\na\n")).unwrap();
    let (metrics, ended) = gather(vec![], &[&format!("{path}/long")]);
    assert_eq!((metrics.len(), ended.is_err()), (0, true));
}

#[test]
fn a_long_file_of_comma_separated_values_has_one_header() {
    let (folder, path) = folder();
    let records: String =
        (0..200_000).map(|number| format!("{number},\"x\ny {number}\"\n")).collect();
    fs::write(folder.path().join("long"), "n,text\n".to_owned() + &records).unwrap();
    let options = vec![
        ("data_format", "csv"),
        ("csv_header_row_count", "1"),
        ("csv_timestamp_column", "n"),
        ("csv_timestamp_format", "unix"),
    ];
    let (metrics, ended) = gather(options, &[&format!("{path}/long")]);
    assert_eq!(ended, Ok(()));
    let times: Vec<_> = metrics.iter().map(|metric| metric.time.seconds()).collect();
    assert_eq!(times, (0..200_000).collect::<Vec<_>>());
}

#[test]
fn without_patterns_there_is_nothing_to_gather() {
    assert_eq!(gather(vec![], &[]), (vec![], Ok(())));
}
