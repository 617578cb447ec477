//! The thread of one output: it waits for a flush to be due and writes.

use crossbeam_channel::{Receiver, select_biased};

use super::buffer::Leftover;
use super::chance::up_to;
use super::health::Health;
use super::running_output::RunningOutput;
use super::watch::Watched;
use crate::plugin::PluginError;
use crate::system::{Clock, System};

/// What an output left behind.
pub(super) struct Remaining {
    /// The output, such as `outputs.kafka`.
    pub name: String,
    /// What it could not write.
    pub unwritten: Leftover,
}

/// What an output is told.
pub(super) struct Signals {
    /// Closes when nothing more will come.
    pub stopped: Receiver<()>,
    /// Closes when nothing more is waited for, although something may hang that could bring more.
    pub junction_gone: Receiver<()>,
    /// Asks for a flush.
    pub flush: Receiver<()>,
}

/// Runs an output until it is told that nothing more will come, then flushes it once and closes it.
pub(super) fn run(
    mut output: RunningOutput,
    watch: &Watched,
    signals: &Signals,
    system: &System,
) -> Remaining {
    let Signals { stopped, junction_gone, flush } = signals;
    let clock = system.clock.as_ref();
    let name = output.log.name().to_owned();
    let mut chance = system.random.derive(&name);
    let flushing = output.flushing;
    let batch_ready = output.batch_ready();
    let health = output.health();
    let report = |result| report(&name, result, &health, clock);
    let mut next_flush = || clock.after(flushing.interval + up_to(flushing.jitter, &mut chance));
    let mut flush_due = next_flush();
    loop {
        let result = select_biased! {
            recv(stopped) -> _ => break,
            recv(junction_gone) -> _ => break,
            recv(flush_due) -> _ => {
                flush_due = next_flush();
                watch.during(clock, || output.write(clock))
            }
            recv(flush) -> _ => watch.during(clock, || output.write(clock)),
            recv(batch_ready) -> _ => watch.during(clock, || output.write_batch(clock)),
        };
        report(result);
        output.log_fullness();
    }
    let result = watch.during(clock, || output.write(clock));
    report(result);
    output.log_fullness();
    output.close();
    Remaining { name, unwritten: output.close_buffer() }
}

fn report(name: &str, result: Result<(), PluginError>, health: &Health, clock: &dyn Clock) {
    if let Err(error) = result {
        health.failed(clock.now(), &error);
        log::error!(target: "agent", "Error writing to {name}: {error}");
    }
}
