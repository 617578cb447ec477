//! Runs one command: collects what it writes, ends it when its time is up, leaves nothing behind.
//!
//! The command leads a process group of its own, so that what it started ends with it.

use std::io::{self, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded, never, select};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};

use crate::plugin::Quoted;
use crate::process::signal_name;
use crate::system::{Clock, ErrorWords};

/// How long a command has after SIGTERM until it is killed.
const GRACE: Duration = Duration::from_secs(5);
/// How long a killed command has to be gone before it is no longer waited for.
const LAST_WAIT: Duration = Duration::from_secs(1);
/// What a command may write to each of its outputs; one that goes on and on must not take all
/// memory before its time is up.
const MOST_OUTPUT_BYTES: usize = 256 << 20;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// There is no such command.
    #[error("exec: {}: executable file not found in $PATH", Quoted::new(.0))]
    NotFound(String),
    /// The command could not be started.
    #[error("fork/exec {program}: {}", ErrorWords(source))]
    Start {
        /// Its path.
        program: String,
        /// What the system says.
        source: io::Error,
    },
    /// It said itself that it failed.
    #[error("exit status {0}")]
    Exit(i32),
    /// It was ended by a signal.
    #[error("signal: {}{}", signal_name(*.signal), if *.dumped_core { " (core dumped)" } else { "" })]
    Signal {
        /// The signal's number.
        signal: i32,
        /// Whether it left an image of its memory.
        dumped_core: bool,
    },
    /// It was still running when its time was up.
    #[error("command timed out")]
    TimedOut,
    /// It wrote too much.
    #[error("command wrote more than {} MiB", MOST_OUTPUT_BYTES >> 20)]
    TooMuchOutput,
    /// The system would not say how it ended.
    #[error("wait: {}", ErrorWords(.0))]
    Wait(io::Error),
}

/// What came of a command.
#[derive(Debug)]
pub(super) struct Ran {
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: Vec<u8>,
    pub(super) result: Result<(), RunError>,
}

/// Runs `words` with `environment` added to the agent's and waits until it ends.
pub(super) fn run(
    words: &[String],
    environment: &[(String, String)],
    timeout: Duration,
    clock: &dyn Clock,
) -> Ran {
    match start(words, environment) {
        Ok(running) => running.wait(timeout, clock),
        Err(error) => Ran { stdout: Vec::new(), stderr: Vec::new(), result: Err(error) },
    }
}

/// A command under way.
struct Running {
    child: Child,
    group: Pid,
    stdout: Output,
    stderr: Output,
    /// Told when it has ended; nothing where there is no thread that could tell.
    exited: Option<Receiver<()>>,
}

/// One of the two outputs of a command, read by a thread of its own.
struct Output {
    bytes: Arc<Mutex<Vec<u8>>>,
    /// Closed once everything is read.
    open: Receiver<()>,
}

fn start(words: &[String], environment: &[(String, String)]) -> Result<Running, RunError> {
    let (program, arguments) =
        words.split_first().map_or(("", words), |(p, rest)| (p.as_str(), rest));
    let failed = |source: io::Error| {
        let searched = !program.contains('/');
        let unusable =
            matches!(source.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied);
        if searched && unusable {
            RunError::NotFound(program.to_owned())
        } else {
            RunError::Start { program: program.to_owned(), source }
        }
    };
    let mut child = Command::new(program)
        .args(arguments)
        .envs(environment.iter().map(|(key, value)| (key, value)))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(failed)?;
    let group = Pid::from_child(&child);
    let stdout = child.stdout.take();
    let stderr = child.stderr.take();
    // Where a thread cannot be started the command is let run, its output lost, until its time
    // is up; that is all that can be done without memory for a thread.
    Ok(Running {
        child,
        group,
        stdout: Output::read("exec-stdout", stdout),
        stderr: Output::read("exec-stderr", stderr),
        exited: watch(group),
    })
}

/// Tells when the command has ended, but leaves it to be reaped by whoever is told: until then its
/// number belongs to it, so that no signal can hit another process. If nobody listens any more the
/// command is reaped here.
fn watch(pid: Pid) -> Option<Receiver<()>> {
    let (exited, receiver) = bounded(0);
    let wait = move || {
        let _ = rustix::process::waitid(
            WaitId::Pid(pid),
            WaitIdOptions::EXITED | WaitIdOptions::NOWAIT,
        );
        if exited.send(()).is_err() {
            let _ = rustix::process::waitid(WaitId::Pid(pid), WaitIdOptions::EXITED);
        }
    };
    thread::Builder::new().name("exec-wait".into()).spawn(wait).ok().map(|_| receiver)
}

impl Output {
    fn read(thread_name: &str, pipe: Option<impl Read + Send + 'static>) -> Output {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let (closes_at_end, open) = bounded(0);
        if let Some(pipe) = pipe {
            let bytes = bytes.clone();
            let read = move || read_to_end(pipe, &bytes, closes_at_end);
            // A failure closes the channel just as the end of the output does.
            let _ = thread::Builder::new().name(thread_name.into()).spawn(read);
        }
        Output { bytes, open }
    }

    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.bytes.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Reads until the end, an error, or one byte more than allowed.
fn read_to_end(mut pipe: impl Read, bytes: &Mutex<Vec<u8>>, closes_at_end: Sender<()>) {
    let mut chunk = vec![0; 64 << 10];
    loop {
        match pipe.read(&mut chunk) {
            Ok(0) => break,
            Ok(count) => {
                let mut bytes = bytes.lock().unwrap_or_else(PoisonError::into_inner);
                let room = (MOST_OUTPUT_BYTES + 1).saturating_sub(bytes.len());
                bytes.extend_from_slice(&chunk[..count.min(room)]);
                if bytes.len() > MOST_OUTPUT_BYTES {
                    break;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    drop(closes_at_end);
}

/// What has been done to make a command end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pressure {
    None,
    Terminated,
    Killed,
}

impl Running {
    fn wait(mut self, timeout: Duration, clock: &dyn Clock) -> Ran {
        let mut pressure = Pressure::None;
        let mut timer = clock.after(timeout);
        let mut exited = false;
        let closed = never();
        let (mut stdout_open, mut stderr_open) = (true, true);
        while !exited || stdout_open || stderr_open {
            select! {
                recv(self.exited.as_ref().filter(|_| !exited).unwrap_or(&closed)) -> _ => exited = true,
                recv(if stdout_open { &self.stdout.open } else { &closed }) -> _ => stdout_open = false,
                recv(if stderr_open { &self.stderr.open } else { &closed }) -> _ => stderr_open = false,
                recv(timer) -> _ => match pressure {
                    Pressure::None => {
                        pressure = Pressure::Terminated;
                        self.signal(Signal::TERM);
                        timer = clock.after(GRACE);
                    }
                    Pressure::Terminated => {
                        pressure = Pressure::Killed;
                        self.signal(Signal::KILL);
                        timer = clock.after(LAST_WAIT);
                    }
                    // It hangs in the kernel, or something that left its group holds its output.
                    Pressure::Killed => {
                        exited = exited || self.has_ended();
                        break;
                    }
                },
            }
        }
        let (stdout, stderr) = (self.stdout.take(), self.stderr.take());
        let too_much = stdout.len() > MOST_OUTPUT_BYTES || stderr.len() > MOST_OUTPUT_BYTES;
        let result = match exited.then(|| self.child.wait()) {
            _ if too_much => Err(RunError::TooMuchOutput),
            None => Err(RunError::TimedOut),
            Some(Err(error)) => Err(RunError::Wait(error)),
            Some(Ok(status)) => match failure_of(status) {
                // A command that ends well when it is asked to end has not failed.
                None => Ok(()),
                Some(_) if pressure != Pressure::None => Err(RunError::TimedOut),
                Some(failure) => Err(failure),
            },
        };
        Ran { stdout, stderr, result }
    }

    /// Whether it has ended although nobody has come to tell of it yet, as on a machine that has much
    /// to do.
    fn has_ended(&self) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        let ended = rustix::process::waitid(WaitId::Pid(self.group), options);
        let has_ended = ended.is_ok_and(|status| status.is_some());
        if has_ended && let Some(exited) = &self.exited {
            // So that nobody else waits for its number once it has been reaped.
            let _ = exited.recv();
        }
        has_ended
    }

    fn signal(&self, signal: Signal) {
        // It fails where all of the group have ended, which is what is wanted.
        let _ = rustix::process::kill_process_group(self.group, signal);
    }
}

fn failure_of(status: ExitStatus) -> Option<RunError> {
    match (status.code(), status.signal()) {
        (Some(0), _) => None,
        (Some(code), _) => Some(RunError::Exit(code)),
        (None, signal) => Some(RunError::Signal {
            signal: signal.unwrap_or(0),
            dumped_core: status.core_dumped(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::Timestamp;
    use crate::system::RealClock;
    use crate::system::fake::FakeClock;

    fn sh(script: &str) -> Vec<String> {
        ["sh", "-c", script].map(String::from).to_vec()
    }

    fn run_sh(script: &str) -> Ran {
        run(&sh(script), &[], Duration::from_secs(60), &RealClock::new())
    }

    fn error_of(ran: &Ran) -> String {
        ran.result.as_ref().unwrap_err().to_string()
    }

    #[test]
    fn outputs_and_exit_status_are_kept_apart() {
        let ran = run_sh("echo out; echo err >&2; exit 3");
        assert_eq!((&ran.stdout[..], &ran.stderr[..]), (&b"out\n"[..], &b"err\n"[..]));
        assert_eq!(error_of(&ran), "exit status 3");
        assert!(run_sh("true").result.is_ok());
        assert_eq!(error_of(&run_sh("kill -9 $$")), "signal: killed");
        assert_eq!(error_of(&run_sh("kill -TERM $$")), "signal: terminated");
    }

    #[test]
    fn large_outputs_do_not_block_the_command() {
        let ran = run_sh("head -c 3000000 /dev/zero; head -c 2000000 /dev/zero >&2");
        assert_eq!((ran.stdout.len(), ran.stderr.len()), (3_000_000, 2_000_000));
    }

    #[test]
    fn commands_that_cannot_be_started_are_named() {
        let error = |program: &str| {
            let words = [program.to_owned()];
            error_of(&run(&words, &[], Duration::from_secs(60), &RealClock::new()))
        };
        assert_eq!(
            error("no-such-command"),
            "exec: \"no-such-command\": executable file not found in $PATH"
        );
        assert_eq!(error("/no/such"), "fork/exec /no/such: no such file or directory");
        assert_eq!(error("/etc"), "fork/exec /etc: permission denied");
    }

    #[test]
    fn the_environment_is_added_to_the_agents() {
        let environment = [("COLOUR".to_owned(), "blue".to_owned())];
        let clock = RealClock::new();
        let script = sh("echo $COLOUR ${PATH:+path}");
        let ran = run(&script, &environment, Duration::from_secs(60), &clock);
        assert_eq!(ran.stdout, b"blue path\n");
    }

    /// Runs a script on a clock that moves on by `steps` once the script has written a line.
    fn run_with_steps(script: &str, steps: &[Duration]) -> Ran {
        let clock = Arc::new(FakeClock::at(Timestamp::EPOCH));
        let folder = tempfile::tempdir().unwrap();
        let ready = folder.path().join("ready");
        rustix::fs::mkfifoat(
            rustix::fs::CWD,
            &ready,
            rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        )
        .unwrap();
        let script = script.to_owned();
        thread::scope(|scope| {
            let clock_of_run = clock.clone();
            let environment = [("READY".to_owned(), ready.to_str().unwrap().to_owned())];
            let ran = scope.spawn(move || {
                run(&sh(&script), &environment, Duration::from_secs(5), &*clock_of_run)
            });
            // Opening blocks until the script opens the other end.
            std::fs::read(&ready).unwrap();
            for step in steps {
                clock.wait_for_timers(1);
                clock.advance(*step);
            }
            ran.join().unwrap()
        })
    }

    #[test]
    fn a_command_whose_time_is_up_is_terminated_with_all_it_started() {
        let ran = run_with_steps(
            "sleep 1000 & sleep 1000 & echo part; echo > $READY; wait",
            &[Duration::from_secs(5)],
        );
        assert_eq!(error_of(&ran), "command timed out");
        assert_eq!(ran.stdout, b"part\n");
    }

    #[test]
    fn a_command_that_ends_well_when_terminated_has_not_failed() {
        let ran = run_with_steps(
            "trap 'echo done; exit 0' TERM; echo > $READY; while :; do sleep 0.01; done",
            &[Duration::from_secs(5)],
        );
        assert!(ran.result.is_ok(), "{:?}", ran.result);
        assert_eq!(ran.stdout, b"done\n");
    }

    #[test]
    fn a_command_that_ignores_the_signal_is_killed() {
        let ran = run_with_steps(
            "trap '' TERM; echo > $READY; while :; do sleep 0.01; done",
            &[Duration::from_secs(5), GRACE],
        );
        assert_eq!(error_of(&ran), "command timed out");
    }

    #[test]
    fn what_left_the_group_and_holds_the_output_is_not_waited_for() {
        // Time moves on only when the command has ended, or it would be ended itself. What holds
        // its output goes when the test's folder does. It has written more than is taken at a time
        // and fits into the pipe, so that some of it has been taken then.
        let holder = "read -r _ _ state _ < /proc/$1/stat
            while [ \"$state\" != Z ]; do read -r _ _ state _ < /proc/$1/stat; done
            echo > $READY
            while [ -e $READY ]; do sleep 0.05; done";
        let ran = run_with_steps(
            &format!("head -c 300000 /dev/zero; setsid sh -c '{holder}' holder $$ &"),
            &[Duration::from_secs(5), GRACE, LAST_WAIT],
        );
        assert!(ran.result.is_ok(), "{:?}", ran.result);
        assert!(!ran.stdout.is_empty());
        assert!(vec![0; 300_000].starts_with(&ran.stdout), "{} bytes", ran.stdout.len());
    }
}
