//! Folders, each with the sink that writes to it.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, Signal, prlimit};

use crate::support::{Ended, Program, Running, wait_for};

/// How long a sink may take to end when it is asked to, with brokers or without.
const STOP_LIMIT: Duration = Duration::from_secs(15);

/// A folder, which stands for a host of its own.
pub(super) struct Host {
    number: usize,
    folder: PathBuf,
    arguments: Vec<String>,
    membership: Membership,
    threads: u32,
    sink: Option<Running>,
}

/// How its threads are known to the group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Membership {
    /// By a new name each time; it may have another number of threads each time.
    Dynamic,
    /// By names that stay, and so does the number of threads.
    Static { threads: u32 },
}

impl Host {
    /// Makes a host whose sink is not started yet.
    pub(super) fn new(
        number: usize,
        folder: PathBuf,
        arguments: [&str; 8],
        random: &mut fastrand::Rng,
    ) -> Host {
        let membership = match random.u32(0..4) {
            0 => Membership::Static { threads: random.u32(1..4) },
            _ => Membership::Dynamic,
        };
        let arguments = arguments.map(str::to_owned).to_vec();
        Host { number, folder, arguments, membership, threads: 0, sink: None }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn number(&self) -> usize {
        self.number
    }

    /// Starts the sink with up to so many threads; tells how.
    pub(super) fn start(&mut self, most_threads: u32, random: &mut fastrand::Rng) -> String {
        self.threads = random.u32(1..=most_threads);
        let interval = ["20ms", "200ms", "1s"][random.usize(0..3)];
        let mut program = Program::sink(&self.folder).args(&self.arguments);
        if let Membership::Static { threads } = self.membership {
            self.threads = threads;
            program = program.args(["--static-membership"]);
        }
        let threads = self.threads.to_string();
        let program = program.args(["--threads", &threads, "--commit-interval", interval]);
        self.sink = Some(program.start());
        format!("start, {threads} threads, commit interval {interval}, {:?}", self.membership)
    }

    pub(super) fn signal(&self, signal: Signal) {
        self.sink.iter().for_each(|sink| sink.signal(signal));
    }

    pub(super) fn kill(&mut self) {
        if let Some(sink) = self.sink.take() {
            let ended = sink.kill();
            self.keep_log(&ended);
        }
    }

    /// Asks the sink to end; without brokers it may end with an error, but it ends.
    pub(super) fn terminate(&mut self) -> Option<Ended> {
        let ended = self.sink.take()?.stop(STOP_LIMIT);
        self.keep_log(&ended);
        Some(ended)
    }

    /// Stops the sink, and fails if it does not end well.
    pub(super) fn stop(mut self) {
        if let Some(ended) = self.terminate() {
            assert!(ended.status.success(), "host {}: {}", self.number, ended.stderr);
        }
    }

    /// Fails if the sink has ended by itself.
    pub(super) fn assert_running(&mut self) {
        if !self.sink.as_mut().is_some_and(Running::has_ended) {
            return;
        }
        if let Some(sink) = self.sink.take() {
            let ended = sink.wait_for_end(STOP_LIMIT);
            self.keep_log(&ended);
            panic!("the sink of host {} ended by itself: {}", self.number, ended.stderr);
        }
    }

    /// Lets the files grow by so many bytes at most, as on a full disk; for good without a number.
    pub(super) fn limit_files(&self, more: Option<u64>) {
        let Some(sink) = &self.sink else { return };
        let longest = || {
            let files = fs::read_dir(&self.folder).unwrap();
            let lengths = files.filter_map(|file| Some(file.ok()?.metadata().ok()?.len()));
            lengths.max().unwrap_or(0)
        };
        let limit = Rlimit { current: more.map(|more| longest() + more), maximum: None };
        let id = Pid::from_raw(i32::try_from(sink.id()).unwrap());
        prlimit(id, Resource::Fsize, limit).unwrap();
    }

    /// Waits until every thread was assigned partitions, if only none: by then its files are settled.
    pub(super) fn wait_until_settled(&mut self, limit: Duration) {
        let threads = usize::try_from(self.threads).unwrap();
        let Some(sink) = &self.sink else { return };
        wait_for(&format!("all threads of host {} in the group", self.number), limit, || {
            let log = sink.log();
            let settled: BTreeSet<_> = log
                .iter()
                .filter(|line| line.contains("Partitions gained"))
                .filter_map(|line| line.split("consumer-thread-").nth(1)?.split(']').next())
                .collect();
            (settled.len() >= threads).then_some(())
        });
    }

    fn keep_log(&self, ended: &Ended) {
        let path = self.folder.with_extension("log");
        let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
        writeln!(file, "{}--- ended: {}\n", ended.stderr, ended.status).unwrap();
    }
}
