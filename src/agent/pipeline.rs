//! Threads and channels from a plan.
//!
//! ```text
//! input threads ──▶ junction thread ──▶ output queues ──▶ output threads
//!               │   processors,      ▲
//!               │   aggregators      │
//!               └────────────────────┘ where there are none of both
//! ```
//!
//! One bounded channel carries groups of metrics from the inputs to the junction, which applies
//! the processors in order, shows each metric to the aggregators, and adds what is left to the
//! queue of every output. Without processors and aggregators there is no junction, and the inputs
//! add to the queues themselves. Shutdown runs the same way: the inputs end and their ends of the
//! channel drop, the junction empties it, pushes the aggregators and drops the stop signal of the
//! outputs, which flush once and close. Inputs that want to know what has become of their metrics
//! finish last. A plugin that hangs does not hold up the others: after a while
//! the next stage is told that nothing more will come.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::activity::Activity;
use super::buffer::Leftover;
use super::input_thread::{Crew, Member, Rounds};
use super::intake::{Fanout, Intake};
use super::junction::{Destination, Junction};
use super::output_thread::{self, Remaining, Signals};
use super::plan::Plan;
use super::running_input::{Finishing, RunningInput};
use super::running_output::RunningOutput;
use super::startup::{self, StartupError};
use super::state_file::{StateFile, StateFileError};
use super::watch::{Subject, Watched, watch};
use crate::metric::Metric;
use crate::plugin::settings::format_duration;
use crate::system::thread::{Thread, Working, spawn};
use crate::system::{Clock, System};

/// How many groups of metrics the inputs can be ahead of the junction.
const CHANNEL_GROUPS: usize = 32;

/// How often the watch looks at brief inputs. That one of them takes long is next to impossible,
/// and looking after each round would double what it costs.
const BRIEF_LOOK: Duration = Duration::from_secs(60);

/// How long inputs have to end: a round that is under way and what runs beside them, such as programs,
/// which get ten seconds. This and the three below are less in all than the ninety seconds after which
/// systemd kills.
const INPUTS_MAY_TAKE: Duration = Duration::from_secs(20);

/// How long processors and aggregators have for what is still on its way.
const JUNCTION_MAY_TAKE: Duration = Duration::from_secs(15);

/// How long outputs have to write what they hold.
const OUTPUTS_MAY_TAKE: Duration = Duration::from_secs(42);

/// How long inputs have to take note of what has become of their metrics.
const FINISH_MAY_TAKE: Duration = Duration::from_secs(10);

/// What the pipeline does.
pub enum Mode {
    /// Gathers every interval until it is stopped.
    Daemon,
    /// Gathers once, then waits for `wait` for service inputs, and ends.
    Once {
        /// How long service inputs get.
        wait: Duration,
    },
    /// As `Once`, but metrics go to `print` and the outputs are left alone.
    Test {
        /// How long service inputs get.
        wait: Duration,
        /// Takes the metrics.
        print: Box<dyn FnMut(Vec<Metric>) + Send>,
    },
}

impl Mode {
    fn once_wait(&self) -> Option<Duration> {
        match self {
            Mode::Daemon => None,
            Mode::Once { wait } | Mode::Test { wait, .. } => Some(*wait),
        }
    }
}

/// What was left when a pipeline had ended.
#[derive(Default)]
pub struct Ended {
    /// For each output its name and what it could not write, if that is anything.
    pub unwritten: Vec<(String, Leftover)>,
    /// Why the plugins' states could not be kept.
    pub states_lost: Option<StateFileError>,
}

impl Ended {
    /// How many metrics could not be written, wherever they are.
    pub fn n_unwritten(&self) -> u64 {
        self.unwritten.iter().map(|(_, leftover)| leftover.count()).sum()
    }

    /// The metrics that are in memory only, for the outputs of the next pipeline.
    pub fn in_memory(self) -> Vec<(String, Vec<Metric>)> {
        let in_memory = self.unwritten.into_iter().map(|(name, left)| (name, left.in_memory));
        in_memory.filter(|(_, metrics)| !metrics.is_empty()).collect()
    }
}

/// A running plan; dropping it stops it.
pub struct Pipeline {
    // The order of the fields is the order of shutdown.
    stop: Option<Sender<()>>,
    inputs: Vec<Thread>,
    /// Tells the junction that nothing more will come, even if an input that hangs has its end of
    /// the channel still.
    inputs_work: Option<Sender<()>>,
    junction: Vec<Thread>,
    /// Tells the outputs the same.
    junction_works: Option<Sender<()>>,
    flush: Vec<Sender<()>>,
    outputs: Vec<Thread>,
    remaining: Receiver<Remaining>,
    /// What inputs that have ended still have to do.
    finishing: Receiver<Finishing>,
    stop_watch: Option<Sender<()>>,
    watch: Option<Thread>,
    finished: Receiver<()>,
    state_file: Option<StateFile>,
    activity: Activity,
    clock: Arc<dyn Clock>,
}

impl Pipeline {
    /// Connects the outputs, starts everything, and returns while it runs.
    ///
    /// `unwritten` are metrics that an earlier pipeline left, by output; `interrupted` closes when
    /// the agent is to stop.
    ///
    /// # Errors
    /// If an output or a service input whose `startup_error_behavior` is `error` cannot start.
    pub fn start(
        mut plan: Plan,
        mode: Mode,
        unwritten: Vec<(String, Vec<Metric>)>,
        system: &System,
        interrupted: &Receiver<()>,
    ) -> Result<Pipeline, StartupError> {
        let alignment = plan.alignment();
        let start_time = system.clock.now();
        let once_wait = mode.once_wait();
        let daemon = once_wait.is_none();

        let state_file = match plan.agent.statefile.as_str() {
            path if daemon && !path.is_empty() => {
                let (inputs, processors) = (&mut plan.inputs, &mut plan.processors);
                Some(StateFile::restore(path.into(), inputs, processors)?)
            }
            _ => None,
        };

        let (outputs_run, outputs_stopped) = bounded(0);
        let (outputs, destination) = match mode {
            Mode::Test { print, .. } => (Vec::new(), Destination::Print(print)),
            Mode::Daemon | Mode::Once { .. } => {
                startup::open_buffers(&mut plan.outputs, system)?;
                log::debug!(target: "agent", "Connecting outputs");
                let mut outputs = startup::connect_all(plan.outputs, system, interrupted)?;
                startup::hand_over(unwritten, &mut outputs);
                let queues = outputs.iter().map(RunningOutput::queue).collect();
                (outputs, Destination::Outputs(Fanout::new(queues, outputs_run)))
            }
        };
        let is_direct = plan.processors.is_empty() && plan.aggregators.is_empty();
        // Whatever is declared here is joined if a later step fails, in reverse order: only after
        // the intake and the stop signal below have gone.
        let mut output_threads = Vec::new();
        let mut input_threads = Vec::new();
        let (inputs_work, inputs_gone) = bounded(0);
        let (junction_works, junction_gone) = bounded(0);
        let (junction, intake) = match destination {
            Destination::Outputs(fanout) if is_direct => {
                (Vec::new(), Intake::Outputs(fanout.into()))
            }
            destination => {
                let (to_junction, from_inputs) = bounded(CHANNEL_GROUPS);
                let mut junction = Junction::new(
                    plan.processors,
                    plan.aggregators,
                    plan.aggregate_processors,
                    destination,
                );
                junction.start(system)?;
                let system = system.clone();
                let thread = spawn("junction", move || {
                    junction.run(&from_inputs, &inputs_gone, start_time, alignment, &system);
                })?;
                (vec![thread], Intake::Junction(to_junction))
            }
        };
        let inputs = startup::start_inputs(plan.inputs, &intake, daemon, system)?;
        let mut watched_outputs = Vec::new();

        let (remaining_sender, remaining) = bounded(outputs.len());
        let mut flush = Vec::new();
        for output in outputs {
            let watch = watched_output(&output);
            watched_outputs.push(watch.clone());
            let (flush_sender, flush_receiver) = bounded(1);
            flush.push(flush_sender);
            let signals = Signals {
                stopped: outputs_stopped.clone(),
                junction_gone: junction_gone.clone(),
                flush: flush_receiver,
            };
            let remaining = remaining_sender.clone();
            let (system, name) = (system.clone(), output.log.name().to_owned());
            output_threads.push(spawn(&name, move || {
                let left = output_thread::run(output, &watch, &signals, &system);
                let _ = remaining.send(left);
            })?);
        }

        let (stop, stopped) = bounded(0);
        let (finished_sender, finished) = bounded::<()>(0);
        let rounds = Rounds { alignment, start_time, once_wait };
        let members: Vec<Member> = inputs
            .into_iter()
            .map(|input| Member { watch: watched_input(&input), input })
            .collect();
        let (finishing_sender, finishing) = bounded(members.len());
        let crews = Crew::divide(members);
        let watches = |crew: &Crew| crew.members.iter().map(|each| each.watch.clone()).collect();
        let watched_inputs: Vec<Vec<_>> = crews.iter().map(watches).collect();
        let watched: Vec<_> =
            watched_outputs.iter().chain(watched_inputs.iter().flatten()).cloned().collect();
        for crew in crews {
            let (stopped, intake, system) = (stopped.clone(), intake.clone(), system.clone());
            let (finished, finishing) = (finished_sender.clone(), finishing_sender.clone());
            input_threads.push(spawn(&crew.name, move || {
                let left = rounds.run(crew.members, &intake, &stopped, &system);
                left.into_iter().for_each(|each| drop(finishing.send(each)));
                drop(finished);
            })?);
        }

        let (stop_watch, watch_stopped) = bounded(0);
        let clock = system.clock.clone();
        let watch = spawn("watch", move || watch(&watched, clock.as_ref(), &watch_stopped))?;

        Ok(Pipeline {
            stop: Some(stop),
            inputs: input_threads,
            inputs_work: Some(inputs_work),
            junction,
            junction_works: Some(junction_works),
            flush,
            outputs: output_threads,
            remaining,
            finishing,
            stop_watch: Some(stop_watch),
            watch: Some(watch),
            finished,
            state_file,
            activity: Activity::new(watched_inputs, watched_outputs),
            clock: system.clock.clone(),
        })
    }

    /// What its inputs and outputs are doing, for as long as anybody wants to know.
    pub fn activity(&self) -> Activity {
        self.activity.clone()
    }

    /// Closes when all inputs have ended by themselves, as they do after a single round.
    pub fn finished(&self) -> &Receiver<()> {
        &self.finished
    }

    /// Lets every output write what it has now.
    pub fn flush(&self) {
        for output in &self.flush {
            // A flush that is waiting already will do.
            let _ = output.try_send(());
        }
    }

    /// Stops everything in the direction of the data, flushes once, and tells what is left.
    pub fn stop(mut self) -> Ended {
        let states_lost = self.stop_all().err();
        let unwritten = self
            .remaining
            .try_iter()
            .filter(|left| !left.unwritten.is_empty())
            .map(|left| (left.name, left.unwritten))
            .collect();
        Ended { unwritten, states_lost }
    }

    fn stop_all(&mut self) -> Result<(), StateFileError> {
        let clock = self.clock.clone();
        drop(self.stop.take());
        if !self.inputs.is_empty() {
            log::debug!(target: "agent", "Stopping service inputs");
            join(&mut self.inputs, INPUTS_MAY_TAKE, clock.as_ref());
            log::debug!(target: "agent", "Input channel closed");
        }
        drop(self.inputs_work.take());
        join(&mut self.junction, JUNCTION_MAY_TAKE, clock.as_ref());
        drop(self.junction_works.take());
        if !self.outputs.is_empty() {
            join(&mut self.outputs, OUTPUTS_MAY_TAKE, clock.as_ref());
            log::info!(target: "agent", "Stopping running outputs");
        }
        finish(&self.finishing, clock.as_ref());
        drop(self.stop_watch.take());
        drop(self.watch.take());
        self.state_file.take().map_or(Ok(()), |state_file| state_file.store())
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        if let Err(error) = self.stop_all() {
            log::error!(target: "agent", "{error}");
        }
    }
}

/// Lets inputs that have ended finish, all at the same time.
fn finish(finishing: &Receiver<Finishing>, clock: &dyn Clock) {
    let begin = |Finishing { name, finish }: Finishing| {
        let begun = spawn(&name, finish);
        begun.inspect_err(|error| log::error!(target: "agent", "Finishing [{name}]: {error}")).ok()
    };
    let mut threads: Vec<Thread> = finishing.try_iter().filter_map(begin).collect();
    join(&mut threads, FINISH_MAY_TAKE, clock);
}

/// Waits for threads to end; those that hang are left behind.
fn join(threads: &mut Vec<Thread>, limit: Duration, clock: &dyn Clock) {
    if threads.is_empty() {
        return;
    }
    let mut deadline = clock.after(limit);
    for thread in threads.drain(..) {
        if let Err(Working { name }) = thread.join_before(&deadline) {
            // It has passed for all of them.
            deadline = clock.after(Duration::ZERO);
            log::error!(
                target: "agent",
                "[{name}] has not ended {limit:?} after it was told to; going on without it, and \
                 without the metrics that it holds"
            );
        }
    }
}

fn watched_input(input: &RunningInput) -> Arc<Watched> {
    let (log, interval) = (input.log.clone(), input.timing.interval);
    let shown = format_duration(i64::try_from(interval.as_nanos()).unwrap_or(i64::MAX));
    let timeouts = input.gather_timeouts();
    let look_every = if input.is_brief() { BRIEF_LOOK.max(interval) } else { interval };
    let subject =
        Subject { name: input.log.name().to_owned(), id: input.id.clone(), health: input.health() };
    Watched::new(subject, interval, look_every, move || {
        timeouts.add(1);
        log.warn(format_args!(
            "Collection took longer than expected; not complete after interval of {shown}"
        ));
        log.debug("Previous collection has not completed; scheduled collection skipped");
    })
}

fn watched_output(output: &RunningOutput) -> Arc<Watched> {
    let name = output.log.name().to_owned();
    let interval = output.flushing.interval;
    let subject = Subject { name: name.clone(), id: output.id.clone(), health: output.health() };
    Watched::new(subject, interval, interval, move || {
        log::warn!(target: "agent", "[{name:?}] did not complete within its flush interval");
    })
}

#[cfg(test)]
mod tests;
