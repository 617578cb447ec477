//! How a program ended, in the words of Go.

use std::fmt;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

/// Shows how a program ended: `exit status 3`, `signal: killed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExitWords(ExitStatus);

impl ExitWords {
    /// Wraps what the system says.
    pub fn new(status: ExitStatus) -> ExitWords {
        ExitWords(status)
    }

    /// Whether the program says that it did what it should.
    pub fn is_success(self) -> bool {
        self.0.success()
    }
}

impl fmt::Display for ExitWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.code() {
            Some(code) => write!(f, "exit status {code}"),
            None => {
                let dumped = if self.0.core_dumped() { " (core dumped)" } else { "" };
                write!(f, "signal: {}{dumped}", signal_name(self.0.signal().unwrap_or(0)))
            }
        }
    }
}

/// The name of a signal as Go prints it.
pub fn signal_name(signal: i32) -> String {
    const NAMES: [&str; 15] = [
        "hangup",
        "interrupt",
        "quit",
        "illegal instruction",
        "trace/breakpoint trap",
        "aborted",
        "bus error",
        "floating point exception",
        "killed",
        "user defined signal 1",
        "segmentation fault",
        "user defined signal 2",
        "broken pipe",
        "alarm clock",
        "terminated",
    ];
    let name = usize::try_from(signal - 1).ok().and_then(|at| NAMES.get(at));
    name.map_or_else(|| format!("signal {signal}"), |name| (*name).to_owned())
}
