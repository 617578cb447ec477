//! Bringing outputs and service inputs up, as their `startup_error_behavior` asks for.

use std::io;
use std::time::Duration;

use crossbeam_channel::Receiver;

use super::buffer::{BufferError, Placement};
use super::intake::Intake;
use super::options::StartupErrorBehavior;
use super::running_input::RunningInput;
use super::running_output::RunningOutput;
use super::state_file::StateFileError;
use crate::metric::Metric;
use crate::plugin::{ConnectError, StartError};
use crate::spool::Spool;
use crate::system::{DataFolder, System, Waited};

/// How long an output that could not connect waits before its second and last try.
const SECOND_CONNECT_AFTER: Duration = Duration::from_secs(15);

/// Why a plan could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartupError {
    /// An output could not connect, twice.
    #[error("connecting output {name}: error connecting to output {name:?}: {source}")]
    Connect {
        /// The output, such as `outputs.kafka`.
        name: String,
        /// What it said.
        source: ConnectError,
    },
    /// A service input could not start.
    #[error("starting input {name}: {source}")]
    Start {
        /// The input, such as `inputs.statsd`.
        name: String,
        /// What it said.
        source: StartError,
    },
    /// A processor could not start.
    #[error("starting processor {name}: {source}")]
    StartProcessor {
        /// The processor, such as `processors.execd`.
        name: String,
        /// What it said.
        source: StartError,
    },
    /// The plugins' states could not be restored.
    #[error(transparent)]
    States(#[from] StateFileError),
    /// The buffer of an output is not to be had.
    #[error("opening the buffer of output {name}: {source}")]
    Buffer {
        /// The output, such as `outputs.kafka`.
        name: String,
        /// Why.
        source: BufferError,
    },
    /// The agent was told to stop while it started.
    #[error("stopped while starting")]
    Stopped,
    /// The system has no room for another thread.
    #[error("starting a thread: {0}")]
    Thread(#[from] io::Error),
}

/// Opens the buffers that are in files.
pub(super) fn open_buffers(
    outputs: &mut [RunningOutput],
    system: &System,
) -> Result<(), StartupError> {
    for output in outputs.iter_mut() {
        let name = output.log.name().to_owned();
        output.open_buffer(system).map_err(|source| StartupError::Buffer { name, source })?;
    }
    warn_about_orphans(outputs);
    Ok(())
}

/// Says so if metrics wait on the disk for an output that is not there.
fn warn_about_orphans(outputs: &[RunningOutput]) {
    let folder = |output: &RunningOutput| match &output.placement {
        Placement::Disk { folder, .. } => Some(folder.clone()),
        Placement::Memory => None,
    };
    let folders: Vec<_> = outputs.iter().filter_map(folder).collect();
    let Some(parent) = folders.first().and_then(|folder| folder.parent()) else { return };
    for orphan in DataFolder::below(parent, Spool::SEGMENT_SUFFIX) {
        if !folders.contains(&orphan) {
            log::warn!(
                target: "agent",
                "{} holds metrics that no output of this configuration sends; they belong to one \
                 that had other settings",
                orphan.display()
            );
        }
    }
}

/// Connects every output as its `startup_error_behavior` asks for, and returns those that run.
pub(super) fn connect_all(
    outputs: Vec<RunningOutput>,
    system: &System,
    interrupted: &Receiver<()>,
) -> Result<Vec<RunningOutput>, StartupError> {
    let mut connected = Vec::new();
    for mut output in outputs {
        match connect(&mut output, system, interrupted) {
            Ok(Connected::Runs) => connected.push(output),
            Ok(Connected::LeftOut) => output.close(),
            Err(error) => {
                connected.iter_mut().for_each(RunningOutput::close);
                return Err(error);
            }
        }
    }
    Ok(connected)
}

enum Connected {
    Runs,
    LeftOut,
}

fn connect(
    output: &mut RunningOutput,
    system: &System,
    interrupted: &Receiver<()>,
) -> Result<Connected, StartupError> {
    let name = output.log.name().to_owned();
    log::debug!(target: "agent", "Attempting connection to [{name}]");
    let Err(error) = output.connect() else {
        log::debug!(target: "agent", "Successfully connected to {name}");
        return Ok(Connected::Runs);
    };
    match output.startup_error_behavior {
        StartupErrorBehavior::Retry if error.retryable => {
            output.log.info(format_args!("Connect failed: {error}; retrying..."));
            return Ok(Connected::Runs);
        }
        StartupErrorBehavior::Ignore | StartupErrorBehavior::Probe if error.retryable => {
            log::info!(
                target: "agent",
                "Failed to connect to [{name}], error was {:?};  shutting down plugin...",
                error.to_string()
            );
            return Ok(Connected::LeftOut);
        }
        _ => {}
    }
    log::error!(
        target: "agent",
        "Failed to connect to [{name}], retrying in 15s, error was {:?}",
        error.to_string()
    );
    if system.clock.wait(SECOND_CONNECT_AFTER, interrupted) == Waited::Stopped {
        return Err(StartupError::Stopped);
    }
    output.connect().map_err(|source| StartupError::Connect { name: name.clone(), source })?;
    log::debug!(target: "agent", "Successfully connected to {name}");
    Ok(Connected::Runs)
}

/// Gives each output what its predecessor of the same name could not write.
pub(super) fn hand_over(unwritten: Vec<(String, Vec<Metric>)>, outputs: &mut [RunningOutput]) {
    for (name, metrics) in unwritten {
        match outputs.iter_mut().find(|output| output.log.name() == name) {
            Some(output) => output.adopt(metrics),
            None => log::warn!(
                target: "agent",
                "{} metrics could not be delivered: {name} is no longer configured",
                metrics.len()
            ),
        }
    }
}

/// Starts every input as its `startup_error_behavior` asks for, and returns those that run.
pub(super) fn start_inputs(
    inputs: Vec<RunningInput>,
    intake: &Intake,
    daemon: bool,
    system: &System,
) -> Result<Vec<RunningInput>, StartupError> {
    log::debug!(target: "agent", "Starting service inputs");
    let mut running: Vec<RunningInput> = Vec::new();
    for mut input in inputs {
        let precision = input.timing.service_precision;
        let Err(source) = input.start(intake, precision, system) else {
            running.push(input);
            continue;
        };
        let name = input.log.name().to_owned();
        match input.startup_error_behavior {
            _ if !daemon => {
                log::error!(target: "agent", "Starting input {name}: {source}");
                input.report_start(&source);
            }
            StartupErrorBehavior::Retry if source.retryable => {
                input.log.info(format_args!("Startup failed: {source}; retrying..."));
                running.push(input);
            }
            // Anything else is a fault of the settings or of the machine, which only a person can
            // mend: Telegraf ends then, too.
            StartupErrorBehavior::Ignore | StartupErrorBehavior::Probe if source.retryable => {
                log::info!(
                    target: "agent",
                    "Failed to start {name}, shutting down plugin: {source}"
                );
            }
            _ => {
                // Nothing has come in yet that would have to be finished with.
                running.iter_mut().for_each(|input| drop(input.stop()));
                return Err(StartupError::Start { name, source });
            }
        }
    }
    Ok(running)
}
