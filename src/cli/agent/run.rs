//! Running a configuration until a signal or a single round ends it.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, never, select};

use super::banner::{self, OutputUse};
use super::load::{self, ConfigLoader};
use super::pidfile::Pidfile;
use super::remote::RemoteWatch;
use super::status_server::{self, Outcome, StatusServer};
use super::watch::ConfigWatch;
use super::{Arguments, CliError, RunMode};
use crate::agent::activity::Activity;
use crate::agent::pipeline::{Ended, Mode, Pipeline};
use crate::agent::startup::StartupError;
use crate::agent::status::{Board, Phase};
use crate::cli::signals::{Signal, Signals};
use crate::cli::systemd::ServiceManager;
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
    let loader = ConfigLoader::new(arguments, system, &statistics);
    let mut loaded = match loader.load(signals) {
        // Told to end before anything ran: a daemon has ended well, a single round has not.
        Err(CliError::Run(StartupError::Stopped)) if arguments.mode == RunMode::Daemon => {
            return Ok(());
        }
        loaded => loaded?,
    };
    load::configure_logging(arguments, &loaded, system)?;
    let watch = match (arguments.watch, arguments.mode) {
        (Some(options), RunMode::Daemon) => {
            ConfigWatch::start(options, &arguments.sources, system)?
        }
        _ => ConfigWatch::none(),
    };
    let url_watch = match (arguments.url_watch, arguments.mode) {
        (Some(interval), RunMode::Daemon) => {
            RemoteWatch::start(loader.servers.clone(), &arguments.sources, interval)
                .map_err(CliError::WatchRemote)?
        }
        _ => RemoteWatch::none(),
    };
    let _pidfile = match (&arguments.pidfile, arguments.mode) {
        (Some(path), RunMode::Daemon) => write_pidfile(path),
        _ => None,
    };
    let manager = ServiceManager::from_environment();
    let board = Arc::new(Board::new(statistics.clone(), system.clock.clone()));
    let (mut server, wishes) = StatusServer::new(board.clone(), system.clock.clone());
    let waiting = Vec::new();
    let mut outside = Outside {
        loader,
        system,
        signals,
        statistics,
        watch,
        url_watch,
        manager,
        board,
        wishes,
        waiting,
    };
    let mut unwritten = Vec::new();
    let mut is_reloading = false;
    loop {
        announce(arguments, &loaded);
        outside.board.starts(&loaded.files);
        if arguments.mode == RunMode::Daemon {
            let (flag, setting) = (&arguments.status_socket, &loaded.plan.agent.status_socket);
            server.listen(status_server::socket(flag.as_deref(), setting));
        }
        // Before the outputs connect, as with Telegraf: a host whose Kafka is away is to come up.
        outside.manager.ready();
        outside.report_state(Activity::default());
        let mode = mode(arguments);
        let started = Pipeline::start(loaded.plan, mode, unwritten, system, &signals.stopping);
        let pipeline = match started {
            Ok(pipeline) => pipeline,
            Err(StartupError::Stopped) if arguments.mode == RunMode::Daemon => return Ok(()),
            Err(error) => return Err(CliError::Run(error)),
        };
        outside.report_state(pipeline.activity());
        outside.board.runs(pipeline.activity());
        if std::mem::take(&mut is_reloading) {
            outside.reload_ended(&Ok(()));
        }
        let end = outside.wait(&pipeline);
        match end {
            End::Reloaded(_) => {
                outside.manager.reloading();
                outside.board.enters(Phase::Reloading);
                is_reloading = true;
            }
            End::Stopped | End::Finished => {
                outside.manager.stopping();
                outside.board.enters(Phase::Stopping);
            }
        }
        let ended = pipeline.stop();
        match end {
            End::Reloaded(next) => {
                log::info!(target: "", "Reloading Telegraf config");
                if let Some(error) = &ended.states_lost {
                    log::error!(target: "agent", "{error}");
                }
                loaded = *next;
                load::configure_logging(arguments, &loaded, system)?;
                unwritten = ended.in_memory();
            }
            End::Stopped | End::Finished => {
                return finish(arguments, ended, &outside.statistics);
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
    banner::log_loaded(loaded, outputs, arguments.plugin_sources);
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

/// A configuration that is loaded while the one before still runs.
struct Reload {
    /// Gets what it came to; never anything while none is on its way.
    outcome: Receiver<Result<Loaded, CliError>>,
    state: ReloadState,
}

/// Whether a configuration is on its way.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ReloadState {
    Idle,
    Loading,
    /// It is, and what it is made of has changed since.
    Outdated,
}

/// What became of the wish for a new configuration.
enum Wish {
    Fulfilled,
    /// It was uttered again in the meantime.
    Again,
}

impl Default for Reload {
    fn default() -> Reload {
        Reload { outcome: never(), state: ReloadState::Idle }
    }
}

impl Reload {
    fn begin(&mut self, loader: &ConfigLoader) -> Result<(), CliError> {
        if self.state == ReloadState::Idle {
            self.outcome = loader.begin()?.outcome;
            self.state = ReloadState::Loading;
        } else {
            self.state = ReloadState::Outdated;
        }
        Ok(())
    }

    fn end(&mut self) -> Wish {
        match std::mem::take(self).state {
            ReloadState::Outdated => Wish::Again,
            ReloadState::Idle | ReloadState::Loading => Wish::Fulfilled,
        }
    }
}

/// What a running pipeline is watched with, and by whom.
struct Outside<'a> {
    loader: ConfigLoader,
    system: &'a System,
    signals: &'a Signals,
    statistics: Statistics,
    watch: ConfigWatch,
    url_watch: RemoteWatch,
    manager: ServiceManager,
    board: Arc<Board>,
    /// Who asks for a new configuration at the socket.
    wishes: Receiver<status_server::Wish>,
    /// Who waits to hear what comes of it.
    waiting: Vec<Sender<Outcome>>,
}

impl Outside<'_> {
    /// Waits for what ends the pipeline.
    fn wait(&mut self, pipeline: &Pipeline) -> End {
        let clock = self.system.clock.as_ref();
        let mut sign_due = self.manager.sign_due(clock);
        let mut reload = Reload::default();
        loop {
            let signal = select! {
                recv(pipeline.finished()) -> _ => return End::Finished,
                recv(self.signals.received) -> signal => signal.unwrap_or(Signal::Stop),
                recv(self.watch.changed) -> _ => Signal::Reload,
                recv(self.wishes) -> wish => {
                    self.waiting.extend(wish.map(|wish| wish.outcome));
                    Signal::Reload
                }
                recv(self.url_watch.changed) -> _ => Signal::Reload,
                recv(reload.outcome) -> outcome => {
                    let outcome = outcome.unwrap_or(Err(CliError::LoadFailed));
                    match (outcome, reload.end()) {
                        // What was loaded is older than the last wish to load it.
                        (_, Wish::Again) => Signal::Reload,
                        (Ok(loaded), Wish::Fulfilled) => return End::Reloaded(Box::new(loaded)),
                        (Err(error), Wish::Fulfilled) => {
                            self.refuse(&error);
                            continue;
                        }
                    }
                }
                recv(sign_due) -> _ => {
                    self.give_sign(&pipeline.activity());
                    sign_due = self.manager.sign_due(clock);
                    continue;
                }
            };
            match signal {
                Signal::Stop => return End::Stopped,
                Signal::Flush => pipeline.flush(),
                Signal::Reload => {
                    if let Err(error) = reload.begin(&self.loader) {
                        self.refuse(&error);
                    }
                }
            }
        }
    }

    /// Says why the configuration stays the one that it is.
    fn refuse(&mut self, error: &CliError) {
        error.log();
        log::error!(
            target: "",
            "The configuration was not reloaded; the one before keeps running"
        );
        self.manager.reload_refused();
        self.reload_ended(&Err(error.to_string()));
    }

    /// Tells all who asked for it what came of a new configuration.
    fn reload_ended(&mut self, outcome: &Outcome) {
        self.board.reload_ended(outcome.as_ref().err().cloned());
        for waiting in self.waiting.drain(..) {
            // Who does not wait any more need not hear it.
            let _ = waiting.send(outcome.clone());
        }
    }

    /// Lets the service manager know that the agent works, unless none of its inputs gets on.
    fn give_sign(&self, activity: &Activity) {
        let limit = self.manager.patience().unwrap_or(Duration::MAX);
        if !activity.is_stuck(self.system.clock.elapsed(), limit) {
            self.manager.alive();
        }
    }

    /// Lets SIGQUIT tell what the plugins do, and all that the agent counts about itself.
    fn report_state(&self, activity: Activity) {
        let (clock, statistics) = (self.system.clock.clone(), self.statistics.clone());
        self.signals.report.set(move || {
            let now = clock.elapsed();
            let mut text = format!("\nrunning for {now:.3?}; work:\n");
            activity.describe(now).lines().for_each(|line| {
                let _ = writeln!(text, "  {line}");
            });
            text.push_str("\nstatistics:\n");
            for each in statistics.all() {
                let tags = each.tags.iter().map(|(key, value)| format!(",{key}={value}"));
                let tags: String = tags.collect();
                let (name, field, number) = (each.measurement, each.field, each.number.take());
                let _ = writeln!(text, "  internal_{name}{tags} {field}={number}");
            }
            text
        });
    }
}

/// Says what was lost, and whether a single round succeeded.
fn finish(arguments: &Arguments, ended: Ended, statistics: &Statistics) -> Result<(), CliError> {
    for (output, left) in &ended.unwritten {
        let lost = left.in_memory.len();
        if lost > 0 {
            log::error!(
                target: "agent",
                "{lost} metrics could not be delivered to {output} and are lost"
            );
        }
        if left.to_be_read_again > 0 {
            log::info!(
                target: "agent",
                "{} metrics could not be delivered to {output}; they are read again after the next \
                 start",
                left.to_be_read_again
            );
        }
        if left.on_disk > 0 {
            log::info!(
                target: "agent",
                "{} metrics for {output} wait on the disk and are sent after the next start",
                left.on_disk
            );
        }
    }
    if let Some(error) = ended.states_lost {
        return Err(CliError::States(error));
    }
    log::debug!(target: "agent", "Stopped Successfully");
    if arguments.mode == RunMode::Daemon {
        return Ok(());
    }
    let gather_failures = statistics.gather_failures().get();
    if gather_failures > 0 {
        return Err(CliError::InputsFailed(gather_failures));
    }
    let given_up = total(statistics, "write", "metrics_rejected")
        + total(statistics, "write", "metrics_dropped");
    match ended.n_unwritten() + given_up {
        0 => Ok(()),
        unsent => Err(CliError::Unsent(unsent)),
    }
}

fn total(statistics: &Statistics, measurement: &str, field: &str) -> u64 {
    let all = statistics.all();
    let matching = all.iter().filter(|each| each.measurement == measurement && each.field == field);
    matching.map(|each| each.number.take()).sum()
}
