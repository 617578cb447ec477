//! The examples, run as their readers run them.

mod broker_metrics;

use std::time::Duration;

use rustix::process::Signal;

use crate::support::{Program, Running};

/// Far beyond what an example takes, even on a busy machine.
const LIMIT: Duration = Duration::from_secs(300);

#[test]
fn records_are_branched_unchanged_and_none_is_lost_with_a_broker() {
    let said = Example::run("branch-and-alert");
    for topic in ["metric.all", "metric.cpu", "metric.memory", "metric.cpu.alert"] {
        let line = said.lines().find(|line| line.split_whitespace().next() == Some(topic));
        assert!(line.is_some_and(|line| line.contains(" 0 lost,")), "{topic}: {line:?}");
    }
    assert!(said.lines().any(|line| line.starts_with("{\"hostname\":\"")), "{said}");
}

#[test]
fn a_cluster_and_its_groups_are_watched_through_the_death_of_both() {
    let said = Example::run("kafka-health");
    assert!(said.contains("status=\"STOP\"") && said.contains("brokers_missing=1i"), "{said}");
}

/// An example that goes on until this is dropped, and then cleans up behind itself.
struct Example(Option<Running>);

impl Example {
    /// Runs the script of an example to its end, and returns what it has printed.
    fn run(name: &str) -> String {
        let ended = Program::example(name).run(LIMIT);
        assert!(ended.status.success(), "{}\n{}", ended.stdout, ended.stderr);
        ended.stdout
    }

    /// Runs the script of an example with `--stay` and some variables, and waits until it has found
    /// all to be well.
    fn stay(name: &str, variables: &[(&str, &str)]) -> Example {
        let mut program = Program::example(name).args(["--stay"]);
        for (name, value) in variables {
            program = program.env(name, value);
        }
        let mut example = Example(Some(program.start()));
        example.running().wait_for_log("All is well", LIMIT);
        example
    }

    /// The script.
    fn running(&mut self) -> &mut Running {
        self.0.as_mut().unwrap()
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        let Some(running) = self.0.take() else { return };
        // Killed, it would leave behind what it has started.
        running.signal(Signal::TERM);
        let ended = running.wait_for_end(LIMIT);
        if std::thread::panicking() {
            eprintln!("--- what the example has said:\n{}", ended.stderr);
        }
    }
}
