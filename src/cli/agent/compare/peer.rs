//! One of the two programs that are compared, as a child: started with a configuration on its
//! standard input, read from its standard output, and ended in any case.
//!
//! Nothing is written to any file, so that nothing can be left behind; and since the child has a
//! process group of its own, Ctrl-C reaches it through us only, once.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded, select};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use super::readings::{Lines, Readings};
use crate::config::Mask;
use crate::plugin::Parser;
use crate::plugins::parsers::influx::Influx;
use crate::system::thread::{Thread, spawn};
use crate::system::{Clock, ErrorWords};

/// What both programs log once they are about to gather.
const READY: &str = "[agent] Config: ";

/// How many of the last lines of a log are kept, and how many of its first errors.
const KEPT_LINES: usize = 20;

/// How many characters of a line of the log are kept.
const KEPT_CHARACTERS: usize = 1000;

/// How often a child is looked after that was asked to end.
const GLANCE: Duration = Duration::from_millis(20);

/// What to run.
pub(super) struct Launch {
    pub program: PathBuf,
    pub arguments: Vec<String>,
    /// What it reads from its standard input.
    pub config: String,
    /// Hides the secrets of the configuration in what it logs.
    pub mask: Arc<Mask>,
    pub clock: Arc<dyn Clock>,
}

/// Why a program could not be compared.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli::agent) enum PeerError {
    #[error("starting {program} failed: {}", ErrorWords(.source))]
    Start { program: String, source: io::Error },
    #[error("{program} ended before it was told to ({status}){log}")]
    Ended { program: String, status: ExitStatus, log: LastLines },
    #[error("{program} was not ready to gather after {} s{log}", .patience.as_secs())]
    NotReady { program: String, patience: Duration, log: LastLines },
}

/// The last lines of a log, as they stand behind an error.
#[derive(Debug)]
pub(in crate::cli::agent) struct LastLines(Vec<String>);

impl std::fmt::Display for LastLines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_empty() {
            return f.write_str("; it has logged nothing");
        }
        f.write_str("; its last words:")?;
        self.0.iter().try_for_each(|line| write!(f, "\n  {line}"))
    }
}

/// A running program.
pub(super) struct Peer {
    program: String,
    child: Child,
    is_over: bool,
    ready: Receiver<()>,
    readings: Receiver<Readings>,
    log: Arc<Mutex<Log>>,
    clock: Arc<dyn Clock>,
    // Last: their pipes end with the child.
    _readers: [Thread; 2],
}

/// What a program has left.
pub(super) struct Ended {
    pub readings: Readings,
    /// The first errors that it has logged.
    pub errors: Vec<String>,
    /// How many errors it has logged.
    pub n_errors: u64,
}

/// What is kept of a program's log.
#[derive(Default)]
struct Log {
    last: VecDeque<String>,
    errors: Vec<String>,
    n_errors: u64,
}

impl Log {
    fn add(&mut self, line: String) {
        if line.contains(" E! ") {
            self.n_errors += 1;
            if self.errors.len() < KEPT_LINES {
                self.errors.push(line.clone());
            }
        }
        if self.last.len() == KEPT_LINES {
            self.last.pop_front();
        }
        self.last.push_back(line);
    }
}

impl Peer {
    /// Starts the program.
    ///
    /// # Errors
    /// If there is no such program, or no room for it.
    pub(super) fn start(launch: Launch) -> Result<Peer, PeerError> {
        let program = launch.program.display().to_string();
        let failed = |source| PeerError::Start { program: program.clone(), source };
        let mut child = Command::new(&launch.program)
            .args(&launch.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .map_err(failed)?;
        let readers = connect(&mut child, &launch);
        let (ready, readings, log, readers) = match readers {
            Ok(readers) => readers,
            Err(error) => {
                // Nothing more to do about a child that cannot be killed.
                let _ = child.kill().and_then(|()| child.wait());
                return Err(failed(error));
            }
        };
        Ok(Peer {
            program,
            child,
            is_over: false,
            ready,
            readings,
            log,
            clock: launch.clock,
            _readers: readers,
        })
    }

    /// The process, for signals.
    pub(super) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Waits until the program is about to gather; false if `stop` closes before that.
    ///
    /// # Errors
    /// If it ends instead, or takes longer than `patience`.
    pub(super) fn wait_until_ready(
        &mut self,
        patience: Duration,
        stop: &Receiver<()>,
    ) -> Result<bool, PeerError> {
        select! {
            recv(self.ready) -> ready => {
                if ready.is_ok() {
                    return Ok(true);
                }
                // Its log has come to its end, and so will it.
                let _ = self.clock.wait(Duration::from_secs(1), stop);
                self.is_running()?;
            }
            recv(stop) -> _ => return Ok(false),
            recv(self.clock.after(patience)) -> _ => {}
        }
        Err(PeerError::NotReady { program: self.program.clone(), patience, log: self.last_lines() })
    }

    /// Makes sure that the program is still there.
    ///
    /// # Errors
    /// If it has ended.
    pub(super) fn is_running(&mut self) -> Result<(), PeerError> {
        let program = self.program.clone();
        match self.child.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => {
                self.end_group();
                self.is_over = true;
                Err(PeerError::Ended { program, status, log: self.last_lines() })
            }
            Err(source) => Err(PeerError::Start { program, source }),
        }
    }

    /// Asks the program to write what it has and to end.
    pub(super) fn ask_to_end(&self) {
        if !self.is_over {
            // It fails where the program has just ended, which is what is wanted.
            let _ = kill_process(self.pid(), Signal::TERM);
        }
    }

    /// Waits until the program has ended, with force after `patience`, and takes what it has left.
    pub(super) fn finish(mut self, patience: Duration) -> Ended {
        let deadline = self.clock.elapsed() + patience;
        while matches!(self.child.try_wait(), Ok(None)) && self.clock.elapsed() < deadline {
            let _ = self.clock.after(GLANCE).recv();
        }
        self.end();
        let readings = self.readings.recv().unwrap_or_default();
        let mut log = lock(&self.log);
        Ended { readings, errors: std::mem::take(&mut log.errors), n_errors: log.n_errors }
    }

    fn last_lines(&self) -> LastLines {
        LastLines(lock(&self.log).last.iter().cloned().collect())
    }

    fn end(&mut self) {
        if self.is_over {
            return;
        }
        self.is_over = true;
        self.end_group();
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Ends what the program may have started and left behind; the group bears its number.
    fn end_group(&self) {
        let _ = kill_process_group(self.pid(), Signal::KILL);
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.end();
    }
}

type Readers = (Receiver<()>, Receiver<Readings>, Arc<Mutex<Log>>, [Thread; 2]);

/// Hands the child its configuration, and reads what it writes and logs.
fn connect(child: &mut Child, launch: &Launch) -> io::Result<Readers> {
    let (Some(mut stdin), Some(stdout), Some(stderr)) =
        (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err(io::Error::other("its streams are no pipes"));
    };
    // A pipe has room for it, so that this waits for nobody. A child that has ended already says
    // why in its log.
    let _ = stdin.write_all(launch.config.as_bytes());
    drop(stdin);
    let (is_ready, ready) = bounded(1);
    let (collected, readings) = bounded(1);
    let log = Arc::<Mutex<Log>>::default();
    let (kept, mask, clock) = (log.clone(), launch.mask.clone(), launch.clock.clone());
    let metrics = spawn("compare-metrics", move || {
        // Nobody waits for it any more if the comparison is given up.
        let _ = collected.send(read_metrics(stdout, clock));
    })?;
    let lines = spawn("compare-log", move || read_log(stderr, &kept, &mask, &is_ready))?;
    Ok((ready, readings, log, [metrics, lines]))
}

fn read_metrics(stdout: impl Read, clock: Arc<dyn Clock>) -> Readings {
    let (mut parser, ends) = (Influx::new(clock.clone()), Influx::new(clock));
    let mut readings = Readings::default();
    let mut lines = Lines::default();
    for_each_chunk(stdout, |bytes| {
        let end_of_piece = |stream: &[u8]| ends.piece_of_stream(stream);
        let n_given_up = lines.push(bytes, end_of_piece, |piece| match parser.parse(piece) {
            Ok(metrics) => metrics.iter().for_each(|metric| readings.add(metric)),
            Err(_) => readings.n_unreadable += 1,
        });
        readings.n_unreadable += n_given_up;
    });
    if !lines.rest().is_empty() {
        readings.n_unreadable += 1;
    }
    readings
}

fn read_log(stderr: impl Read, log: &Mutex<Log>, mask: &Mask, is_ready: &Sender<()>) {
    let mut lines = Lines::default();
    let line_end = |bytes: &[u8]| memchr::memchr(b'\n', bytes).map(|end| end + 1);
    for_each_chunk(stderr, |bytes| {
        lines.push(bytes, line_end, |line| {
            let line = String::from_utf8_lossy(line);
            let line: String = line.trim_end().chars().take(KEPT_CHARACTERS).collect();
            if line.contains(READY) {
                let _ = is_ready.try_send(());
            }
            lock(log).add(mask.hide(&line));
        });
    });
}

fn for_each_chunk(mut pipe: impl Read, mut take: impl FnMut(&[u8])) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match pipe.read(&mut buffer) {
            Ok(0) => return,
            Ok(n_bytes) => take(&buffer[..n_bytes]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}

fn lock(log: &Mutex<Log>) -> MutexGuard<'_, Log> {
    log.lock().unwrap_or_else(PoisonError::into_inner)
}
