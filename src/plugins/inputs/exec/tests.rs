//! Tests of the input as a whole.

use std::sync::Mutex;
use std::time::Duration;

use super::{PLUGIN, first_line};
use crate::metric::Metric;
use crate::plugin::settings::{Data, Position, Table, Value};
use crate::plugin::{Accumulator, Context, Deliver, PluginLog, Statistics};
use crate::plugins::FORMATS;
use crate::system::System;

#[derive(Default)]
struct Delivered {
    metrics: Mutex<Vec<Metric>>,
    errors: Mutex<Vec<String>>,
}

impl Deliver for Delivered {
    fn deliver(&self, metrics: &mut Vec<Metric>) {
        self.metrics.lock().unwrap().append(metrics);
    }

    fn report(&self, error: &dyn std::error::Error) {
        self.errors.lock().unwrap().push(error.to_string());
    }
}

fn at(data: Data) -> Value {
    Value { position: Position::default(), data }
}

fn text(text: &str) -> Value {
    at(Data::String { text: text.into(), substituted: false })
}

fn words(words: &[&str]) -> Value {
    at(Data::Array(words.iter().map(|word| text(word)).collect()))
}

fn sh(script: &str) -> Value {
    words(&["sh", "-c", script])
}

/// Builds the input and gathers once; returns measurements and errors, both sorted.
fn gather(options: Vec<(&str, Value)>) -> Result<(Vec<String>, Vec<String>), String> {
    let mut table = Table::new("test".into(), "inputs.exec", Position::default());
    table.push("data_format", Position::default(), text("influx"));
    for (key, value) in options {
        table.push(key, Position::default(), value);
    }
    let log = PluginLog::new("inputs.exec");
    let system = System::real();
    let context = Context::new(system.clone(), log, Statistics::default(), &table, FORMATS);
    let mut input = (PLUGIN.build)(&context).map_err(|error| error.to_string())?;
    let delivered = Delivered::default();
    let mut accumulator = Accumulator::new(&delivered, &*system.clock, Duration::ZERO);
    input.gather(&mut accumulator).unwrap();
    drop(accumulator);
    let metrics = delivered.metrics.into_inner().unwrap();
    let mut names: Vec<_> = metrics.into_iter().map(|metric| metric.name.to_string()).collect();
    let mut errors = delivered.errors.into_inner().unwrap();
    names.sort();
    errors.sort();
    Ok((names, errors))
}

fn gather_commands(commands: Vec<Value>) -> (Vec<String>, Vec<String>) {
    gather(vec![("commands", at(Data::Array(commands)))]).unwrap()
}

#[test]
fn commands_in_every_form_are_run_and_their_output_parsed() {
    let (names, errors) = gather(vec![
        ("commands", at(Data::Array(vec![sh("echo a v=1"), text("echo 'b v=1'")]))),
        ("command", text(r#"echo c "v=\"x y\"""#)),
    ])
    .unwrap();
    assert_eq!((names, errors), (vec!["a".into(), "b".into(), "c".into()], vec![]));
}

#[test]
fn commands_run_at_the_same_time() {
    // Each waits for the other.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fifo");
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mkfifoat(rustix::fs::CWD, &path, mode).unwrap();
    let path = path.display();
    let (names, errors) =
        gather_commands(vec![sh(&format!("echo a v=1 > {path}")), sh(&format!("cat {path}"))]);
    assert_eq!((names, errors), (vec!["a".into()], vec![]));
}

#[test]
fn one_failing_command_does_not_void_the_others() {
    let (names, errors) = gather_commands(vec![
        sh("echo a v=1"),
        sh("echo b v=1; echo broken >&2; echo more >&2; exit 2"),
        words(&["no-such-command", "x"]),
        sh("echo bad"),
    ]);
    assert_eq!(names, ["a"]);
    let script = "sh -c echo b v=1; echo broken >&2; echo more >&2; exit 2";
    assert_eq!(
        errors,
        [
            "exec: could not parse the output of command \"sh -c echo bad\": metric parse error: \
             expected tag at 1:4: \"bad\""
                .to_owned(),
            "exec: exec: \"no-such-command\": executable file not found in $PATH for command \
             \"no-such-command x\": "
                .to_owned(),
            format!("exec: exit status 2 for command \"{script}\": broken..."),
        ]
    );
}

#[test]
fn failing_commands_are_parsed_where_that_is_asked_for() {
    let (names, errors) = gather(vec![
        ("commands", at(Data::Array(vec![sh("echo a v=1; exit 2")]))),
        ("ignore_error", at(Data::Boolean(true))),
    ])
    .unwrap();
    assert_eq!((names, errors), (vec!["a".into()], vec![]));
}

#[test]
fn variables_are_added_to_the_environment() {
    let (names, _) = gather(vec![
        ("commands", at(Data::Array(vec![sh("echo $NAME v=1")]))),
        ("environment", words(&["NAME=a=b", "broken", "=x"])),
    ])
    .unwrap();
    assert_eq!(names, ["a=b"]);
}

#[test]
fn a_pattern_stands_for_every_program_it_matches() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["one.sh", "two.sh"] {
        // A link rather than a script made here: a file that another test's child still holds
        // open for writing cannot be run.
        std::os::unix::fs::symlink("/bin/sh", folder.path().join(name)).unwrap();
    }
    let pattern = format!("{}/*.sh", folder.path().display());
    let (names, errors) = gather_commands(vec![words(&[&pattern, "-c", "echo $0 v=1", "x"])]);
    assert_eq!((names, errors), (vec!["x".into(), "x".into()], vec![]));
}

#[test]
fn settings_without_a_command_are_refused() {
    let error =
        |commands: Vec<Value>| gather(vec![("commands", at(Data::Array(commands)))]).unwrap_err();
    assert_eq!(error(vec![]), "no command specified");
    assert_eq!(error(vec![words(&[])]), "command cannot be empty");
    assert_eq!(error(vec![text("")]), "command cannot be empty");
    assert_eq!(
        error(vec![text("a 'b")]),
        "unable to parse command \"a 'b\": Unterminated single-quoted string"
    );
    let wrong = error(vec![at(Data::Integer(1))]);
    assert!(wrong.contains("expected a list of the program and its arguments"), "{wrong}");
}

#[test]
fn of_what_a_command_complains_the_first_line_is_shown() {
    let long = "x".repeat(600);
    for (text, shown) in [
        ("", String::new()),
        ("one", "one".into()),
        ("one\n", "one".into()),
        ("one\ntwo\n", "one...".into()),
        ("\nafter a blank line\n", "\nafter a blank line\n".into()),
        (&long, format!("{}...", "x".repeat(512))),
    ] {
        assert_eq!(first_line(text.into()), shown.as_bytes());
    }
}
