//! The threads of inputs: each waits for a round to be due and gathers.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::Receiver;
use fastrand::Rng;

use super::chance::up_to;
use super::intake::Intake;
use super::running_input::{Finishing, RunningInput};
use super::schedule::{Alignment, Schedule};
use super::watch::Watched;
use crate::metric::Timestamp;
use crate::system::{System, Waited};

/// How long a differential input waits between its baseline and the round that counts.
const BASELINE_PAUSE: Duration = Duration::from_millis(500);

/// The rounds of inputs.
#[derive(Clone, Copy)]
pub(super) struct Rounds {
    /// Whether rounds fall on multiples of the interval.
    pub alignment: Alignment,
    /// When the agent started; the same for all inputs.
    pub start_time: Timestamp,
    /// Gather once, wait this long and end; `None` is every interval until stopped.
    pub once_wait: Option<Duration>,
}

/// An input and what watches over its gathers.
pub(super) struct Member {
    /// The input.
    pub input: RunningInput,
    /// What warns of gathers that take too long.
    pub watch: Arc<Watched>,
}

/// The inputs of one thread: one that may have to wait, or all that are brief.
pub(super) struct Crew {
    /// The name of the thread.
    pub name: String,
    /// The inputs, in file order.
    pub members: Vec<Member>,
}

impl Crew {
    /// Spreads inputs over threads.
    pub(super) fn divide(members: Vec<Member>) -> Vec<Crew> {
        let (brief, waiting): (Vec<_>, Vec<_>) =
            members.into_iter().partition(|member| member.input.is_brief());
        let own_thread = |member: Member| Crew {
            name: member.input.log.name().to_owned(),
            members: vec![member],
        };
        let mut crews: Vec<Crew> = waiting.into_iter().map(own_thread).collect();
        if !brief.is_empty() {
            crews.push(Crew { name: "inputs".to_owned(), members: brief });
        }
        crews
    }
}

impl Rounds {
    /// Gathers until `stopped` closes, or once, ends the inputs, and tells what is left for them to
    /// do after the outputs have ended.
    pub(super) fn run(
        self,
        mut crew: Vec<Member>,
        intake: &Intake,
        stopped: &Receiver<()>,
        system: &System,
    ) -> Vec<Finishing> {
        match self.once_wait {
            Some(wait) => once(&mut crew, wait, intake, stopped, system),
            None => self.repeat(&mut crew, intake, stopped, system),
        }
        crew.iter_mut().filter_map(|member| member.input.stop()).collect()
    }

    fn repeat(self, crew: &mut [Member], intake: &Intake, stopped: &Receiver<()>, system: &System) {
        let clock = system.clock.as_ref();
        let mut turns: Vec<Turn> =
            crew.iter().map(|member| self.first_turn(&member.input, system)).collect();
        loop {
            let next = turns.iter_mut().zip(crew.iter_mut()).min_by_key(|(turn, _)| turn.due);
            let Some((turn, member)) = next else { return };
            let wait = turn.due.saturating_sub(clock.elapsed());
            if clock.wait(wait, stopped) == Waited::Stopped {
                return;
            }
            member.watch.during(clock, || member.input.gather(intake, system));
            turn.pass(system);
        }
    }

    fn first_turn(self, input: &RunningInput, system: &System) -> Turn {
        let timing = input.timing;
        let schedule =
            Schedule::new(timing.interval, timing.offset, self.alignment, self.start_time);
        let chance = system.random.derive(input.log.name());
        let mut turn = Turn { schedule, jitter: timing.jitter, chance, due: Duration::ZERO };
        turn.pass(system);
        turn
    }
}

/// When an input's turn comes.
struct Turn {
    schedule: Schedule,
    jitter: Duration,
    chance: Rng,
    /// The elapsed time at which it is due, which no jump of the wall clock moves.
    due: Duration,
}

impl Turn {
    /// Goes on to the next turn.
    fn pass(&mut self, system: &System) {
        let now = system.clock.now();
        let wait = self.schedule.next(now).since(now) + up_to(self.jitter, &mut self.chance);
        self.due = system.clock.elapsed() + wait;
    }
}

fn once(
    crew: &mut [Member],
    wait: Duration,
    intake: &Intake,
    stopped: &Receiver<()>,
    system: &System,
) {
    let mut has_baseline = false;
    for member in crew.iter_mut().filter(|member| member.input.is_differential()) {
        member.input.gather_baseline(system);
        has_baseline = true;
    }
    if has_baseline && system.clock.wait(BASELINE_PAUSE, stopped) == Waited::Stopped {
        return;
    }
    crew.iter_mut().for_each(|member| member.input.gather(intake, system));
    if !wait.is_zero() {
        // A stop ends the wait; there is nothing else left to do.
        let _ = system.clock.wait(wait, stopped);
    }
}
