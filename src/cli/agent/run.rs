//! Running a configuration until a signal or a single round ends it.

use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use crossbeam_channel::{RecvError, select};

use super::banner::{self, OutputUse};
use super::load;
use super::pidfile::Pidfile;
use super::watch::ConfigWatch;
use super::{Arguments, CliError, RunMode};
use crate::agent::pipeline::{Ended, Mode, Pipeline};
use crate::agent::startup::StartupError;
use crate::cli::signals::{Signal, Signals};
use crate::config::Loaded;
use crate::metric::Metric;
use crate::plugin::{Serializer, Statistics};
use crate::plugins::serializers::influx;
use crate::system::System;

/// Why a pipeline was ended.
enum End {
    /// A signal asked for it.
    Stopped,
    /// All inputs have ended by themselves.
    Finished,
    /// A new configuration stands ready.
    Reloaded(Box<Loaded>),
}

/// Runs the agent to its end.
///
/// # Errors
/// If the configuration is wrong, something cannot start, or a single round did not succeed.
pub(super) fn run(
    arguments: &Arguments,
    system: &System,
    signals: &Signals,
) -> Result<(), CliError> {
    let statistics = Statistics::default();
    let mut loaded = load::load(arguments, system, &statistics)?;
    load::configure_logging(arguments, &loaded, system)?;
    let watch = match (arguments.watch, arguments.mode) {
        (Some(options), RunMode::Daemon) => {
            ConfigWatch::start(options, &arguments.sources, system)?
        }
        _ => ConfigWatch::none(),
    };
    let _pidfile = match (&arguments.pidfile, arguments.mode) {
        (Some(path), RunMode::Daemon) => write_pidfile(path),
        _ => None,
    };
    let mut unwritten = Vec::new();
    loop {
        announce(arguments, &loaded);
        let mode = mode(arguments);
        let started = Pipeline::start(loaded.plan, mode, unwritten, system, &signals.stopping);
        let pipeline = match started {
            Ok(pipeline) => pipeline,
            // Told to end before anything ran: a daemon has ended well, a single round has not.
            Err(StartupError::Stopped) if arguments.mode == RunMode::Daemon => return Ok(()),
            Err(error) => return Err(CliError::Run(error)),
        };
        let end = wait(&pipeline, arguments, system, &statistics, signals, &watch);
        let ended = pipeline.stop();
        match end {
            End::Reloaded(next) => {
                log::info!(target: "", "Reloading Telegraf config");
                loaded = *next;
                load::configure_logging(arguments, &loaded, system)?;
                unwritten = ended.unwritten;
            }
            End::Stopped | End::Finished => {
                return finish(arguments, &ended, &statistics);
            }
        }
    }
}

fn write_pidfile(path: &Path) -> Option<Pidfile> {
    match Pidfile::write(path) {
        Ok(pidfile) => Some(pidfile),
        // As with Telegraf, a daemon that cannot say its number is still worth running.
        Err(error) => {
            log::error!(target: "", "Unable to create pidfile {}: {error}", path.display());
            None
        }
    }
}

fn announce(arguments: &Arguments, loaded: &Loaded) {
    let outputs = match arguments.mode {
        RunMode::Test { .. } => OutputUse::Unused,
        RunMode::Daemon | RunMode::Once { .. } => OutputUse::Used,
    };
    banner::log_loaded(&loaded.plugins, outputs, &loaded.tags, arguments.plugin_sources);
    if arguments.mode == RunMode::Daemon {
        banner::log_config(&loaded.plan);
    }
    banner::log_processor_default(&loaded.plan.agent);
}

fn mode(arguments: &Arguments) -> Mode {
    let wait = |seconds: u32| Duration::from_secs(seconds.into());
    match arguments.mode {
        RunMode::Daemon => Mode::Daemon,
        RunMode::Once { wait_seconds } => Mode::Once { wait: wait(wait_seconds) },
        RunMode::Test { wait_seconds } => {
            let mut printer = Printer { serializer: influx::for_test_mode(), line: Vec::new() };
            Mode::Test {
                wait: wait(wait_seconds),
                print: Box::new(move |metrics| printer.print(&metrics)),
            }
        }
    }
}

/// Prints metrics on standard output for `--test`.
struct Printer {
    serializer: influx::Influx,
    line: Vec<u8>,
}

impl Printer {
    fn print(&mut self, metrics: &[Metric]) {
        let mut out = io::stdout().lock();
        for metric in metrics {
            self.line.clear();
            if self.serializer.serialize(metric, &mut self.line).is_err() {
                // A metric without a value that can be shown is left out, as from an output.
                continue;
            }
            // Nobody reads any more; the run still ends in order.
            let _ = out.write_all(b"> ").and_then(|()| out.write_all(&self.line));
        }
        let _ = out.flush();
    }
}

/// Waits for what ends the pipeline.
fn wait(
    pipeline: &Pipeline,
    arguments: &Arguments,
    system: &System,
    statistics: &Statistics,
    signals: &Signals,
    watch: &ConfigWatch,
) -> End {
    loop {
        let signal = select! {
            recv(pipeline.finished()) -> _ => return End::Finished,
            recv(signals.received) -> signal => signal,
            recv(watch.changed) -> changed => changed.map(|()| Signal::Reload),
        };
        match signal {
            Ok(Signal::Stop) | Err(RecvError) => return End::Stopped,
            Ok(Signal::Flush) => pipeline.flush(),
            Ok(Signal::Reload) => match load::load(arguments, system, statistics) {
                Ok(loaded) => return End::Reloaded(Box::new(loaded)),
                Err(error) => {
                    error.log();
                    log::error!(
                        target: "",
                        "The configuration was not reloaded; the one before keeps running"
                    );
                }
            },
        }
    }
}

/// Says what was lost, and whether a single round succeeded.
fn finish(arguments: &Arguments, ended: &Ended, statistics: &Statistics) -> Result<(), CliError> {
    for (output, metrics) in &ended.unwritten {
        log::error!(
            target: "agent",
            "{} metrics could not be delivered to {output} and are lost",
            metrics.len()
        );
    }
    log::debug!(target: "agent", "Stopped Successfully");
    if arguments.mode == RunMode::Daemon {
        return Ok(());
    }
    let gather_failures = statistics.gather_failures().get();
    if gather_failures > 0 {
        return Err(CliError::InputsFailed(gather_failures));
    }
    let unwritten: usize = ended.unwritten.iter().map(|(_, metrics)| metrics.len()).sum();
    let given_up = total(statistics, "write", "metrics_rejected")
        + total(statistics, "write", "metrics_dropped");
    match unwritten as u64 + given_up {
        0 => Ok(()),
        unsent => Err(CliError::Unsent(unsent)),
    }
}

fn total(statistics: &Statistics, measurement: &str, field: &str) -> u64 {
    let all = statistics.all();
    let matching = all.iter().filter(|each| each.measurement == measurement && each.field == field);
    matching.map(|each| each.number.take()).sum()
}
