//! Programs that run beside the agent for as long as it runs, and are started again when they end.
//!
//! The agent talks to such a program through its standard streams. When the agent stops it closes
//! the program's input and gives it time to end by itself; only then come signals.
//!
//! # References
//! Telegraf's `internal/process`.

mod exit;
mod lines;
mod metrics;
mod path;
mod pipe;
mod stderr;

use std::fmt;
use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};
use rustix::io::Errno;
pub use rustix::process::Signal;
use rustix::process::{Pid, WaitId, WaitIdOptions, kill_process, waitid};

use crate::plugin::settings::format_duration;
use crate::plugin::{PluginLog, Quoted};
use crate::system::thread::{Thread, spawn};
use crate::system::{Clock, ErrorWords, Waited};

pub use exit::{ExitWords, signal_name};
pub use lines::for_each_line;
pub use metrics::{Parsed, for_each_piece};
use pipe::{OutputPipe, Stdin};
pub use pipe::{Patience, WriteError};
pub use stderr::log_by_level;

/// How long a program has to end by itself, and again once it got SIGTERM.
const GRACE: Duration = Duration::from_secs(5);

/// What to run and how.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The program and its arguments, at least the one.
    pub command: Vec<String>,
    /// Variables to add to the agent's, as `KEY=value`.
    pub environment: Vec<String>,
    /// How long to wait before a program that ended is started again.
    pub restart_delay: Duration,
    /// What to do when it fails.
    pub on_failure: OnFailure,
}

/// What follows when a program says itself that it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFailure {
    /// It is started again, as after any other end.
    Restart,
    /// It stays down.
    Stop,
}

/// Reads what a program writes to one of its outputs; called once for each start.
pub type Reader = Box<dyn FnMut(&mut dyn Read) + Send>;

/// The readers of both outputs of a program.
pub struct Readers {
    /// Takes the standard output.
    pub stdout: Reader,
    /// Takes the standard error.
    pub stderr: Reader,
}

/// Why a program could not be started.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// There is no such program.
    #[error("error starting process: exec: {}: executable file not found in $PATH", Quoted::new(.0))]
    NotFound(String),
    /// The system would not run it.
    #[error("error starting process: fork/exec {program}: {}", ErrorWords(source))]
    Start {
        /// Its path.
        program: String,
        /// What the system says.
        source: io::Error,
    },
    /// There is no room for the thread that watches it.
    #[error("error starting process: {0}")]
    Thread(io::Error),
}

/// Why a program does not run at all.
#[derive(Debug, thiserror::Error)]
#[error("failed to start process [{command}]: {source}")]
pub struct StartFailure {
    /// The program and its arguments, joined by blanks.
    command: String,
    /// What went wrong.
    source: ProcessError,
}

/// Why a program could not be signalled.
#[derive(Debug, thiserror::Error)]
pub enum SignalError {
    /// It has ended.
    #[error("os: process already finished")]
    Ended,
    /// The system would not.
    #[error("{}", ErrorWords(.0))]
    System(io::Error),
}

/// A program that is kept running until the handle is dropped.
pub struct Process {
    stop: Option<Sender<()>>,
    ended: Receiver<()>,
    control: Arc<Control>,
    clock: Arc<dyn Clock>,
    supervisor: Option<Thread>,
}

/// What there is of the program at the moment.
#[derive(Default)]
struct Control {
    current: Mutex<Current>,
}

#[derive(Default)]
struct Current {
    /// There until it is reaped, so that no signal can hit another process of that number.
    pid: Option<Pid>,
    stdin: Option<Arc<Stdin>>,
}

impl Control {
    fn lock(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Process {
    /// Starts the program.
    ///
    /// # Errors
    /// If it cannot be started this first time; later failures are logged.
    pub fn start(
        settings: Settings,
        readers: Readers,
        log: PluginLog,
        clock: Arc<dyn Clock>,
    ) -> Result<Process, StartFailure> {
        let command = settings.command.join(" ");
        let is_one_word_with_blanks = settings.command.len() == 1 && command.contains(' ');
        Process::try_start(settings, readers, log.clone(), clock).map_err(|source| {
            if is_one_word_with_blanks {
                log.warn(
                    "The command is a single text with blanks in it, and is looked for as one \
                     program of that name; write the program and each argument as texts of their \
                     own: command = [\"program\", \"argument\"]",
                );
            }
            StartFailure { command, source }
        })
    }

    fn try_start(
        settings: Settings,
        readers: Readers,
        log: PluginLog,
        clock: Arc<dyn Clock>,
    ) -> Result<Process, ProcessError> {
        let control = Arc::<Control>::default();
        let launcher = Launcher { settings, log, control: control.clone() };
        let first = launcher.launch()?;
        let (stop, stopped) = bounded(0);
        let (ends_with_thread, ended) = bounded(0);
        let mut supervisor = Supervisor { launcher, readers, clock: clock.clone(), stopped };
        let supervisor = spawn("execd", move || {
            supervisor.run(first);
            drop(ends_with_thread);
        })
        .map_err(ProcessError::Thread)?;
        Ok(Process { stop: Some(stop), ended, control, clock, supervisor: Some(supervisor) })
    }

    /// Writes to the program's input.
    ///
    /// # Errors
    /// If it does not run, has closed its input, or does not read within the time.
    pub fn write(&self, bytes: &[u8], patience: Patience) -> Result<(), WriteError> {
        let stdin = self.control.lock().stdin.clone();
        stdin.ok_or(WriteError::Closed)?.write_all(bytes, patience)
    }

    /// Sends a signal to the program.
    ///
    /// # Errors
    /// If it does not run at the moment.
    pub fn signal(&self, signal: Signal) -> Result<(), SignalError> {
        // The lock is held, so that it is not reaped meanwhile.
        let current = self.control.lock();
        let pid = current.pid.ok_or(SignalError::Ended)?;
        kill_process(pid, signal).map_err(|error| SignalError::System(error.into()))
    }

    /// Ends the program and waits until everything it wrote has been read.
    pub fn stop(&mut self) {
        drop(self.stop.take());
        self.control.lock().stdin = None;
        for signal in [Signal::TERM, Signal::KILL] {
            if self.clock.wait(GRACE, &self.ended) == Waited::Stopped {
                break;
            }
            // It fails where the program has just ended, which is what is wanted.
            let _ = self.signal(signal);
        }
        self.supervisor = None;
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.supervisor.is_some() {
            self.stop();
        }
    }
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Process").finish_non_exhaustive()
    }
}

/// Starts the program, the first time and again.
struct Launcher {
    settings: Settings,
    log: PluginLog,
    control: Arc<Control>,
}

/// The program under way.
struct Running {
    child: Child,
    path: String,
}

impl Launcher {
    fn launch(&self) -> Result<Running, ProcessError> {
        let Settings { command, environment, .. } = &self.settings;
        let (name, arguments) = match command.split_first() {
            Some((name, arguments)) => (name.as_str(), arguments),
            None => ("", &command[..]),
        };
        self.log.info(format_args!("Starting process: {name} [{}]", arguments.join(" ")));
        let Some(path) = path::find(name) else {
            return Err(ProcessError::NotFound(name.to_owned()));
        };
        let variables = environment.iter().filter_map(|entry| entry.split_once('='));
        let failed = |source| ProcessError::Start { program: path.clone(), source };
        let mut child = Command::new(&path)
            .arg0(name)
            .args(arguments)
            .envs(variables.filter(|(key, _)| !key.is_empty()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let stdin = child.stdin.take().map(Stdin::new).transpose().map_err(failed)?;
        *self.control.lock() =
            Current { pid: Some(Pid::from_child(&child)), stdin: stdin.map(Arc::new) };
        Ok(Running { child, path })
    }
}

/// Watches the program on a thread of its own.
struct Supervisor {
    launcher: Launcher,
    readers: Readers,
    clock: Arc<dyn Clock>,
    stopped: Receiver<()>,
}

impl Supervisor {
    fn run(&mut self, first: Running) {
        let mut running = first;
        loop {
            let path = running.path.clone();
            let ended = self.wait(running);
            let Launcher { settings, log, .. } = &self.launcher;
            let has_failed = !matches!(&ended, Ok(words) if words.is_success());
            let words = match &ended {
                Ok(words) if words.is_success() => "<nil>".to_owned(),
                Ok(words) => words.to_string(),
                Err(error) => ErrorWords(error).to_string(),
            };
            if has_failed && settings.on_failure == OnFailure::Stop {
                log.error(format_args!("Process quit with message: {words}"));
                return;
            }
            if self.is_stopped() {
                log.info(format_args!("Process {path} shut down"));
                return;
            }
            log.error(format_args!("Process {path} exited: {words}"));
            let delay = settings.restart_delay;
            let shown = format_duration(i64::try_from(delay.as_nanos()).unwrap_or(i64::MAX));
            log.info(format_args!("Restarting in {shown}..."));
            if self.clock.wait(delay, &self.stopped) == Waited::Stopped {
                return;
            }
            running = match self.launcher.launch() {
                Ok(running) => running,
                Err(error) => {
                    log.error(format_args!("Process quit with message: {error}"));
                    return;
                }
            };
            if self.is_stopped() {
                // Stopping came between the wait and the start, and found no input to close.
                self.launcher.control.lock().stdin = None;
            }
        }
    }

    fn is_stopped(&self) -> bool {
        self.clock.wait(Duration::ZERO, &self.stopped) == Waited::Stopped
    }

    /// Reads the program's outputs until it ends, and reaps it.
    fn wait(&mut self, mut running: Running) -> io::Result<ExitWords> {
        let (stdout, stderr) = (running.child.stdout.take(), running.child.stderr.take());
        let (ending, end) = pipe::end_signal()?;
        let stdout = stdout.map(|pipe| OutputPipe::new(pipe.into(), &end));
        let stderr = stderr.map(|pipe| OutputPipe::new(pipe.into(), &end));
        let Supervisor { launcher: Launcher { log, control, .. }, readers, .. } = self;
        thread::scope(|scope| {
            let reads = read_on_thread(scope, "execd-stdout", stdout, &mut readers.stdout)
                .and(read_on_thread(scope, "execd-stderr", stderr, &mut readers.stderr));
            if let Err(error) = reads {
                log.error(format_args!("Starting a thread failed: {error}"));
                // A program whose outputs nobody reads comes to a halt.
                control.lock().stdin = None;
            }
            let pid = Pid::from_child(&running.child);
            let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
            while let Err(Errno::INTR) = waitid(WaitId::Pid(pid), options) {}
            // From here on its number may belong to another.
            let mut current = control.lock();
            *current = Current::default();
            let status = running.child.wait();
            drop(current);
            drop(ending);
            status.map(ExitWords::new)
        })
    }
}

fn read_on_thread<'scope, 'env: 'scope>(
    scope: &'scope thread::Scope<'scope, 'env>,
    name: &str,
    output: Option<OutputPipe<'env>>,
    reader: &'env mut Reader,
) -> io::Result<()> {
    let Some(mut output) = output else { return Ok(()) };
    let read = move || reader(&mut output);
    thread::Builder::new().name(name.to_owned()).spawn_scoped(scope, read).map(drop)
}

#[cfg(test)]
mod tests;
