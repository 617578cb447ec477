//! Tests of the input as a whole, with files that change.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, unbounded};

use super::PLUGIN;
use crate::config::toml;
use crate::metric::Metric;
use crate::plugin::{
    Accumulator, Context, Deliver, Input, PluginLog, ServiceAccumulator, Statistics,
};
use crate::plugins::FORMATS;
use crate::system::System;

/// Far beyond what anything here takes.
const LIMIT: Duration = Duration::from_secs(20);

struct Delivered(Sender<Metric>);

impl Deliver for Delivered {
    fn deliver(&self, metrics: &mut Vec<Metric>) {
        metrics.drain(..).for_each(|metric| self.0.send(metric).unwrap());
    }

    fn report(&self, error: &dyn std::error::Error) {
        panic!("{error}");
    }
}

/// An input that runs in a folder of its own.
struct Bench {
    folder: tempfile::TempDir,
    input: Box<dyn Input>,
    metrics: Receiver<Metric>,
    deliver: Arc<Delivered>,
}

impl Bench {
    /// Makes an input with these options; `FOLDER` in them is its folder.
    fn new(options: &str) -> Bench {
        Bench::in_folder(tempfile::tempdir().unwrap(), options)
    }

    fn in_folder(folder: tempfile::TempDir, options: &str) -> Bench {
        let options = options.replace("FOLDER", folder.path().to_str().unwrap());
        let table = toml::parse("test", &options).unwrap();
        let (log, system) = (PluginLog::new("inputs.tail"), System::real());
        let context = Context::new(system, log, Statistics::default(), &table, FORMATS);
        let input = (PLUGIN.build)(&context).unwrap();
        let (sender, metrics) = unbounded();
        Bench { folder, input, metrics, deliver: Arc::new(Delivered(sender)) }
    }

    fn start(&mut self) {
        let (deliver, clock) = (self.deliver.clone(), System::real().clock);
        let log = PluginLog::new("inputs.tail");
        self.input.start(ServiceAccumulator::new(deliver, clock, Duration::ZERO, log)).unwrap();
    }

    fn started(options: &str) -> Bench {
        let mut bench = Bench::new(options);
        bench.start();
        bench
    }

    fn gather(&mut self) {
        let clock = System::real().clock;
        let mut accumulator = Accumulator::new(&*self.deliver, &*clock, Duration::ZERO);
        self.input.gather(&mut accumulator).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn append(&self, name: &str, text: &str) {
        let mut options = fs::OpenOptions::new();
        let mut file = options.append(true).create(true).open(self.path(name)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    /// The next metrics as names.
    fn next(&self, count: usize) -> Vec<String> {
        (0..count).map(|_| self.next_metric().name.to_string()).collect()
    }

    fn next_metric(&self) -> Metric {
        self.metrics.recv_timeout(LIMIT).expect("a metric was to come")
    }

    /// Goes on as a new run with the state of this one.
    fn restart(mut self, options: &str) -> Bench {
        self.input.stop();
        let state = self.input.stateful().unwrap().state();
        let mut next = Bench::in_folder(self.folder, options);
        next.input.stateful().unwrap().set_state(state).unwrap();
        next.start();
        next
    }
}

const LOG: &str = "files = ['FOLDER/*.log']\ninitial_read_offset = 'saved-or-beginning'\n";

fn with_each_watch_method(options: &str, test: impl Fn(Bench)) {
    for method in ["inotify", "poll"] {
        test(Bench::started(&format!("{options}watch_method = '{method}'\n")));
    }
}

#[test]
fn appended_lines_come_with_the_path_and_only_when_they_are_whole() {
    with_each_watch_method(LOG, |mut bench| {
        bench.append("a.log", "a v=1\nb v");
        bench.gather();
        let metric = bench.next_metric();
        assert_eq!(metric.tag("path"), bench.path("a.log").to_str());
        bench.append("a.log", "=1\nc v=1\n");
        assert_eq!(bench.next(2), ["b", "c"]);
    });
}

#[test]
fn a_file_that_is_moved_is_read_to_its_end_before_the_next() {
    with_each_watch_method(LOG, |mut bench| {
        bench.append("a.log", "a v=1\n");
        bench.gather();
        assert_eq!(bench.next(1), ["a"]);
        fs::rename(bench.path("a.log"), bench.path("a.old")).unwrap();
        bench.append("a.old", "b v=1\nend v=1");
        assert_eq!(bench.next(1), ["b"]);
        bench.append("a.log", "c v=1\n");
        assert_eq!(bench.next(2), ["end", "c"]);
        bench.append("a.log", "d v=1\n");
        assert_eq!(bench.next(1), ["d"]);
    });
}

#[test]
fn a_file_that_is_replaced_or_cut_is_read_from_its_beginning() {
    with_each_watch_method(LOG, |mut bench| {
        bench.append("a.log", "a v=1\na v=2\n");
        bench.gather();
        assert_eq!(bench.next(2), ["a", "a"]);
        bench.append("next", "b v=1\n");
        fs::rename(bench.path("next"), bench.path("a.log")).unwrap();
        assert_eq!(bench.next(1), ["b"]);
        fs::remove_file(bench.path("a.log")).unwrap();
        bench.append("a.log", "c v=1\nc v=2\n");
        assert_eq!(bench.next(2), ["c", "c"]);
        fs::write(bench.path("a.log"), "d v=1\n").unwrap();
        assert_eq!(bench.next(1), ["d"]);
    });
}

#[test]
fn reading_goes_on_where_the_last_run_ended() {
    let mut bench = Bench::started(LOG);
    bench.append("a.log", "a v=1\npart");
    bench.gather();
    assert_eq!(bench.next(1), ["a"]);
    bench.input.stop();
    let path = bench.path("a.log").to_str().unwrap().to_owned();
    assert_eq!(bench.input.stateful().unwrap().state(), serde_json::json!({ path: 6 }));
    bench.append("a.log", "ial v=1\n");
    let bench = bench.restart(LOG);
    assert_eq!(bench.next(1), ["partial"]);
    let bench = bench.restart(&LOG.replace("saved-or-beginning", "beginning"));
    assert_eq!(bench.next(2), ["a", "partial"]);
    let bench = bench.restart(&LOG.replace("saved-or-beginning", "saved-or-end"));
    bench.append("a.log", "b v=1\n");
    assert_eq!(bench.next(1), ["b"]);
}

#[test]
fn a_new_input_of_the_process_goes_on_without_a_state_file() {
    let mut bench = Bench::started(LOG);
    bench.append("a.log", "a v=1\n");
    bench.gather();
    assert_eq!(bench.next(1), ["a"]);
    bench.input.stop();
    bench.append("a.log", "b v=1\n");
    let mut next = Bench::in_folder(bench.folder, LOG);
    next.start();
    assert_eq!(next.next(1), ["b"]);
}

#[test]
fn reading_waits_while_too_many_lines_are_under_way() {
    let mut bench = Bench::new(&format!("{LOG}max_undelivered_lines = 2\n"));
    bench.append("a.log", "a v=1\nb v=1\nc v=1\nd v=1\n");
    bench.start();
    let first = bench.next_metric();
    let second = bench.next_metric();
    assert_eq!(bench.metrics.recv_timeout(Duration::from_millis(100)).ok(), None);
    let copy = second.clone();
    drop(second);
    drop(first);
    let third = bench.next_metric();
    assert_eq!(third.name, "c");
    drop((copy, third));
    assert_eq!(bench.next(1), ["d"]);
}

#[test]
fn lines_that_were_read_are_not_lost_when_the_input_stops() {
    let mut bench = Bench::new(&format!("{LOG}max_undelivered_lines = 1\n"));
    bench.append("a.log", "a v=1\nb v=1\nc v=1\n");
    bench.start();
    let held = bench.next_metric();
    bench.input.stop();
    let mut names: Vec<_> = bench.metrics.try_iter().map(|metric| metric.name).collect();
    names.insert(0, held.name.clone());
    assert_eq!(names, ["a", "b", "c"]);
}

#[test]
fn held_lines_come_after_the_time_out_and_at_the_end() {
    let multiline = |timeout| format!("{LOG}[multiline]\npattern = '^,'\ntimeout = '{timeout}'\n");
    let mut bench = Bench::started(&multiline("50ms"));
    bench.append("a.log", "a v=1\n,w=2\n");
    bench.gather();
    let metric = bench.next_metric();
    assert_eq!(metric.fields().len(), 2, "{metric:?}");
    let mut bench = Bench::started(&multiline("1h"));
    bench.append("a.log", "a v=1\n,w=2\nb v=1\n");
    bench.gather();
    assert_eq!(bench.next(1), ["a"]);
    bench.input.stop();
    assert_eq!(bench.next(1), ["b"]);
}

#[test]
fn pipes_are_read_as_they_are_written() {
    with_each_watch_method("files = ['FOLDER/pipe']\npipe = true\n", |mut bench| {
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mkfifoat(rustix::fs::CWD, bench.path("pipe"), mode).unwrap();
        bench.gather();
        for name in ["a", "b"] {
            let mut pipe = fs::OpenOptions::new();
            let mut pipe = pipe.write(true).open(bench.path("pipe")).unwrap();
            writeln!(pipe, "{name} v=1").unwrap();
            assert_eq!(bench.next(1), [name]);
        }
    });
}

#[test]
fn files_that_no_longer_match_are_let_go() {
    let mut bench = Bench::started(LOG);
    bench.append("a.log", "a v=1\n");
    bench.gather();
    assert_eq!(bench.next(1), ["a"]);
    fs::rename(bench.path("a.log"), bench.path("a.old")).unwrap();
    bench.gather();
    bench.append("b.log", "b v=1\n");
    bench.gather();
    assert_eq!(bench.next(1), ["b"]);
    bench.append("a.old", "lost v=1\n");
    bench.append("b.log", "c v=1\n");
    assert_eq!(bench.next(1), ["c"]);
}
