//! The thread of one input: it waits for a round to be due and gathers.

use std::time::Duration;

use crossbeam_channel::Receiver;

use super::chance::up_to;
use super::intake::Intake;
use super::running_input::RunningInput;
use super::schedule::{Alignment, Schedule};
use super::watch::Watched;
use crate::metric::Timestamp;
use crate::system::{System, Waited};

/// How long a differential input waits between its baseline and the round that counts.
const BASELINE_PAUSE: Duration = Duration::from_millis(500);

/// The rounds of an input.
#[derive(Clone, Copy)]
pub(super) struct Rounds {
    /// Whether rounds fall on multiples of the interval.
    pub alignment: Alignment,
    /// When the agent started; the same for all inputs.
    pub start_time: Timestamp,
    /// Gather once, wait this long and end; `None` is every interval until stopped.
    pub once_wait: Option<Duration>,
}

impl Rounds {
    /// Gathers until `stopped` closes, or once, and ends the input.
    pub(super) fn run(
        self,
        mut input: RunningInput,
        watch: &Watched,
        intake: &Intake,
        stopped: &Receiver<()>,
        system: &System,
    ) {
        match self.once_wait {
            Some(wait) => once(&mut input, wait, intake, stopped, system),
            None => self.repeat(&mut input, watch, intake, stopped, system),
        }
        input.stop();
    }

    fn repeat(
        self,
        input: &mut RunningInput,
        watch: &Watched,
        intake: &Intake,
        stopped: &Receiver<()>,
        system: &System,
    ) {
        let timing = input.timing;
        let mut chance = system.random.derive(input.log.name());
        let mut schedule =
            Schedule::new(timing.interval, timing.offset, self.alignment, self.start_time);
        loop {
            let now = system.clock.now();
            let wait = schedule.next(now).since(now) + up_to(timing.jitter, &mut chance);
            if system.clock.wait(wait, stopped) == Waited::Stopped {
                return;
            }
            watch.during(system.clock.as_ref(), || input.gather(intake, system));
        }
    }
}

fn once(
    input: &mut RunningInput,
    wait: Duration,
    intake: &Intake,
    stopped: &Receiver<()>,
    system: &System,
) {
    if input.is_differential() {
        input.gather_baseline(system);
        if system.clock.wait(BASELINE_PAUSE, stopped) == Waited::Stopped {
            return;
        }
    }
    input.gather(intake, system);
    if !wait.is_zero() {
        // A stop ends the wait; there is nothing else left to do.
        let _ = system.clock.wait(wait, stopped);
    }
}
