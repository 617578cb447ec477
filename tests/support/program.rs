//! The programs, running.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::wait_for;

/// A program before its start: which one, with what arguments, in what folder.
pub(crate) struct Program {
    command: Command,
    name: &'static str,
}

impl Program {
    /// metric-agent, in `folder`, without state folder and with an otherwise empty environment.
    pub(crate) fn agent(folder: &Path) -> Program {
        // Set to nothing they keep it out of the folders of an agent that this machine runs.
        Program::new("metric-agent", env!("CARGO_BIN_EXE_metric-agent"), folder)
            .env("STATE_DIRECTORY", "")
            .env("RUNTIME_DIRECTORY", "")
    }

    /// metric-sink, in `folder`, with an empty environment.
    pub(crate) fn sink(folder: &Path) -> Program {
        Program::new("metric-sink", env!("CARGO_BIN_EXE_metric-sink"), folder)
    }

    /// The script of an example, with the programs that the tests are run with.
    pub(crate) fn example(name: &str) -> Program {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name);
        let mut program = Program::new("the example", "./run", &folder);
        // It looks for Java and the like where whoever runs the tests has them.
        program.command.envs(std::env::vars_os());
        program
            .env("METRIC_AGENT", env!("CARGO_BIN_EXE_metric-agent"))
            .env("METRIC_SINK", env!("CARGO_BIN_EXE_metric-sink"))
    }

    fn new(name: &'static str, path: &str, folder: &Path) -> Program {
        let mut command = Command::new(path);
        command.current_dir(folder).env_clear().stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Program { command, name }
    }

    /// Adds arguments.
    pub(crate) fn args<A: AsRef<OsStr>>(
        mut self,
        arguments: impl IntoIterator<Item = A>,
    ) -> Program {
        self.command.args(arguments);
        self
    }

    /// Sets a variable of its environment.
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Program {
        self.command.env(name, value);
        self
    }

    /// Starts it and lets it run.
    pub(crate) fn start(mut self) -> Running {
        let mut child = self.command.spawn().unwrap();
        let stdout = Lines::collect(child.stdout.take().unwrap());
        let stderr = Lines::collect(child.stderr.take().unwrap());
        Running { child, name: self.name, stdout, stderr, is_over: false }
    }

    /// Runs it to its end.
    pub(crate) fn run(self, limit: Duration) -> Ended {
        self.start().wait_for_end(limit)
    }
}

/// A running program; killed when dropped. If a test fails, what it has logged is shown.
pub(crate) struct Running {
    child: Child,
    name: &'static str,
    stdout: Lines,
    stderr: Lines,
    is_over: bool,
}

/// How a program has ended and what it has said.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Running {
    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The lines that it has written to standard error so far.
    pub(crate) fn log(&self) -> Vec<String> {
        self.stderr.lines.lock().unwrap().clone()
    }

    /// Waits until a line of its log holds `text`, and returns the first such line.
    pub(crate) fn wait_for_log(&mut self, text: &str, limit: Duration) -> String {
        self.wait_for_log_after(0, text, limit)
    }

    /// The same, among the lines after the first `seen`, as [`Running::log`] has counted them.
    pub(crate) fn wait_for_log_after(
        &mut self,
        seen: usize,
        text: &str,
        limit: Duration,
    ) -> String {
        let what = format!("{text:?} in the log of {}", self.name);
        wait_for(&what, limit, || {
            // Looked at before the log: what it said last must not be missed.
            let ended = self.child.try_wait().unwrap();
            let lines = self.stderr.lines.lock().unwrap();
            let found = lines.iter().skip(seen).find(|line| line.contains(text)).cloned();
            drop(lines);
            match (found, ended) {
                (None, Some(status)) if self.stderr.is_complete() => {
                    panic!("{} ended ({status}) before it logged {text:?}", self.name)
                }
                (found, _) => found,
            }
        })
    }

    /// Whether it has ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// Waits until it has ended, and returns all it has said.
    pub(crate) fn wait_for_end(mut self, limit: Duration) -> Ended {
        let what = format!("the end of {}", self.name);
        let status = wait_for(&what, limit, || self.child.try_wait().unwrap());
        self.is_over = true;
        Ended { status, stdout: self.stdout.all(), stderr: self.stderr.all() }
    }

    /// Asks it to end, by SIGTERM, and waits until it has.
    pub(crate) fn stop(self, limit: Duration) -> Ended {
        self.signal(Signal::TERM);
        self.wait_for_end(limit)
    }

    /// Kills it, by SIGKILL, and waits until it is gone.
    pub(crate) fn kill(self) -> Ended {
        self.signal(Signal::KILL);
        self.wait_for_end(Duration::from_secs(10))
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        // It may have ended by itself; there is nothing more to do about errors here.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("--- standard error of {}:\n{}", self.name, self.stderr.all());
            eprintln!("--- standard output of {}:\n{}", self.name, self.stdout.all());
        }
    }
}

/// What comes out of a pipe, collected by a thread, line by line.
struct Lines {
    lines: Arc<Mutex<Vec<String>>>,
    collector: Option<JoinHandle<()>>,
}

impl Lines {
    fn collect(pipe: impl Read + Send + 'static) -> Lines {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let sink = lines.clone();
        let collector = thread::spawn(move || {
            for line in BufReader::new(pipe).split(b'\n') {
                let line = String::from_utf8_lossy(&line.unwrap()).into_owned();
                sink.lock().unwrap().push(line);
            }
        });
        Lines { lines, collector: Some(collector) }
    }

    fn is_complete(&self) -> bool {
        self.collector.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Waits for the end of the pipe.
    fn all(&mut self) -> String {
        if let Some(collector) = self.collector.take() {
            let _ = collector.join();
        }
        let mut text = self.lines.lock().unwrap().join("\n");
        if !text.is_empty() {
            text.push('\n');
        }
        text
    }
}
