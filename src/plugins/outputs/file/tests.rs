//! Tests of the output as a whole.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use super::{Config, PLUGIN};
use crate::metric::{Metric, Timestamp};
use crate::plugin::settings::{Data, Position, Table, Value};
use crate::plugin::{BuildError, Context, Output, PluginLog, Statistics, WriteError};
use crate::plugins::FORMATS;
use crate::system::System;
use crate::system::fake::FakeClock;

fn text(text: impl Into<String>) -> Data {
    Data::String { text: text.into(), substituted: false }
}

fn array(texts: &[&str]) -> Data {
    let position = Position::default();
    Data::Array(texts.iter().map(|t| Value { position, data: text(*t) }).collect())
}

fn build(options: Vec<(&str, Data)>) -> Result<Box<dyn Output>, BuildError> {
    let position = Position::default();
    let mut table = Table::new("test".into(), "outputs.file", position);
    for (key, data) in options {
        table.push(key, position, Value { position, data });
    }
    let clock = Arc::new(FakeClock::at(Timestamp::from_seconds(1_700_000_000)));
    let system = System { clock, ..System::real() };
    let log = PluginLog::new("outputs.file");
    let context = Context::new(system, log, Statistics::default(), &table, FORMATS);
    (PLUGIN.build)(&context)
}

fn output(options: Vec<(&str, Data)>) -> Box<dyn Output> {
    let mut output = build(options).unwrap();
    output.connect().unwrap();
    output
}

fn metric(value: i64) -> Metric {
    Metric::new("m", Timestamp::EPOCH).with_field("v", value)
}

fn bad() -> Metric {
    Metric::new("m", Timestamp::EPOCH).with_field("v", f64::NAN)
}

fn path(folder: &tempfile::TempDir, name: &str) -> String {
    folder.path().join(name).to_str().unwrap().to_owned()
}

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(path)).unwrap()
}

#[test]
fn every_file_gets_every_metric() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = (path(&folder, "a"), path(&folder, "b"));
    let mut output = output(vec![("files", array(&[&a, &b]))]);
    output.write(&[metric(1), metric(2)]).unwrap();
    output.write(&[metric(3)]).unwrap();
    output.close().unwrap();
    assert_eq!(read(&a), "m v=1i 0\nm v=2i 0\nm v=3i 0\n");
    assert_eq!(read(&b), read(&a));
}

#[test]
fn a_failed_write_is_for_another_try_and_leaves_no_trace_in_the_other_files() {
    let folder = tempfile::tempdir().unwrap();
    let a = path(&folder, "a");
    for batch_format in [false, true] {
        let mut output = output(vec![
            ("files", array(&[&a, "/dev/full"])),
            ("use_batch_format", Data::Boolean(batch_format)),
        ]);
        let error = output.write(&[metric(1)]).unwrap_err();
        assert!(matches!(error, WriteError::Retry(_)));
        assert_eq!(
            error.to_string(),
            "failed to write message: write /dev/full: no space left on device"
        );
        assert_eq!(read(&a), "");
    }
}

#[test]
fn a_metric_that_has_no_form_is_named_and_the_rest_is_written() {
    let folder = tempfile::tempdir().unwrap();
    for batch_format in [false, true] {
        let a = path(&folder, &format!("a-{batch_format}"));
        let mut output = output(vec![
            ("files", array(&[&a])),
            ("use_batch_format", Data::Boolean(batch_format)),
        ]);
        match output.write(&[metric(1), bad(), metric(2)]) {
            Err(WriteError::Partial { retry, rejected, source }) => {
                assert!(retry.is_empty());
                assert_eq!(rejected.iter().map(|r| r.index).collect::<Vec<_>>(), [1]);
                let expected = "could not serialize metric: \"m\": no serializable fields";
                assert_eq!(source.to_string(), expected);
            }
            other => unreachable!("{other:?}"),
        }
        assert_eq!(read(&a), "m v=1i 0\nm v=2i 0\n");
    }
}

#[test]
fn what_was_written_before_a_failure_is_not_written_again() {
    let folder = tempfile::tempdir().unwrap();
    let a = path(&folder, "a.out");
    let mut output = output(vec![
        ("files", array(&[&a])),
        ("rotation_max_size", Data::Integer(9)),
        ("rotation_max_archives", Data::Integer(-1)),
    ]);
    // Where the folder of the file is gone after the first rotation nothing can be opened anew.
    output.write(&[metric(1)]).unwrap();
    fs::remove_dir_all(folder.path()).unwrap();
    match output.write(&[metric(2), bad(), metric(3)]) {
        Err(WriteError::Partial { retry, rejected, .. }) => {
            assert_eq!(retry, [0, 2]);
            assert_eq!(rejected[0].index, 1);
        }
        other => unreachable!("{other:?}"),
    }
}

#[test]
fn files_are_cut_at_the_metric_that_fills_them() {
    let folder = tempfile::tempdir().unwrap();
    let a = path(&folder, "a.out");
    let mut output =
        output(vec![("files", array(&[&a])), ("rotation_max_size", Data::Integer(10))]);
    output.write(&(1..=5).map(metric).collect::<Vec<_>>()).unwrap();
    let mut contents: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap())
        .collect();
    contents.sort();
    assert_eq!(contents, ["m v=1i 0\nm v=2i 0\n", "m v=3i 0\nm v=4i 0\n", "m v=5i 0\n"]);
}

#[test]
fn a_batch_is_compressed_as_one_stream() {
    use std::io::Read;
    let folder = tempfile::tempdir().unwrap();
    let a = path(&folder, "a.gz");
    let mut output = output(vec![("files", array(&[&a])), ("compression_algorithm", text("gzip"))]);
    output.write(&[metric(1), metric(2)]).unwrap();
    output.write(&[metric(3)]).unwrap();
    let mut back = String::new();
    let file = fs::read(&a).unwrap();
    flate2::read::MultiGzDecoder::new(&file[..]).read_to_string(&mut back).unwrap();
    assert_eq!(back, "m v=1i 0\nm v=2i 0\nm v=3i 0\n");
}

#[test]
fn a_file_that_cannot_be_opened_is_named_and_may_be_tried_again() {
    let mut output = build(vec![("files", array(&["/nonexistent/m.out"]))]).unwrap();
    let error = output.connect().unwrap_err();
    assert!(error.retryable);
    assert_eq!(error.to_string(), "open /nonexistent/m.out: no such file or directory");
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    for (key, data, message) in [
        ("rotation_max_archives", Data::Integer(-2), "rotation_max_archives must be -1"),
        ("compression_algorithm", text("lz4"), "invalid value for compression_algorithm"),
        ("data_format", text("nosuch"), "undefined but requested serializer: nosuch"),
    ] {
        let error = build(vec![(key, data)]).err().unwrap().to_string();
        assert!(error.starts_with(message), "{error}");
    }
    assert_eq!(Config::default().files, ["stdout"]);
}
