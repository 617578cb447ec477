//! Signals as messages.
//!
//! The handlers are installed by the first line of `main`, so that a signal that comes while the
//! program still starts waits for it instead of ending it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGXFSZ};

use super::state_report::StateReport;
use crate::system::thread;

/// With which code SIGQUIT ends the process.
const QUIT_EXIT_CODE: i32 = 2;

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM, SIGINT: finish and end.
    Stop,
    /// SIGHUP: read the configuration again.
    Reload,
    /// SIGUSR1: write what is waiting.
    Flush,
}

/// The signals of this process.
pub struct Signals {
    /// Every signal in the order it came.
    pub received: Receiver<Signal>,
    /// Closes at the first signal that asks to stop, for waits deep in the program.
    pub stopping: Receiver<()>,
    /// What SIGQUIT prints before it ends the process with 2, as a Go program does.
    pub report: StateReport,
}

impl Signals {
    /// Installs the handlers.
    ///
    /// A second signal that asks to stop ends the process at once with `128 + signal`, as the
    /// shell counts death by a signal.
    ///
    /// # Errors
    /// If the system has no room for the pipe or the thread that this takes.
    pub fn install() -> io::Result<Signals> {
        let signals =
            signal_hook::iterator::Signals::new([SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGQUIT])?;
        // A file that has reached the limit of its size is an error of the write, as a full disk
        // is; without a handler it would be the end of the process. Nobody looks at the flag.
        signal_hook::flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)))?;
        let (sender, received) = unbounded();
        let (stop, stopping) = bounded(0);
        let report = StateReport::default();
        let printed = report.clone();
        let thread = thread::spawn("signals", move || forward(signals, &sender, stop, &printed))?;
        // It ends with the process; there is nothing to wait for.
        std::mem::forget(thread);
        Ok(Signals { received, stopping, report })
    }

    /// Whether a signal that asks to stop has come.
    pub fn is_stopping(&self) -> bool {
        matches!(self.stopping.try_recv(), Err(error) if error.is_disconnected())
    }
}

fn forward(
    mut signals: signal_hook::iterator::Signals,
    sender: &Sender<Signal>,
    stop: Sender<()>,
    report: &StateReport,
) {
    let mut stop = Some(stop);
    for signal in signals.forever() {
        let message = match signal {
            SIGHUP => Signal::Reload,
            SIGUSR1 => Signal::Flush,
            // Here and not in the main thread, which may be what hangs.
            SIGQUIT => {
                report.print();
                std::process::exit(QUIT_EXIT_CODE);
            }
            _ => Signal::Stop,
        };
        if message == Signal::Stop && stop.take().is_none() {
            log::warn!(target: "", "A second signal ends the process at once; what was not written is lost");
            std::process::exit(128 + signal);
        }
        // The receiver is gone when the program is about to end anyway.
        let _ = sender.send(message);
    }
}
