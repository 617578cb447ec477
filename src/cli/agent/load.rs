//! Loading the configuration that the command line names, and setting the log up as it says.

use std::path::PathBuf;
use std::sync::Arc;

use crossbeam_channel::{Receiver, bounded, select_biased};
use jiff::tz::TimeZone;
use log::LevelFilter;

use super::remote::WebServers;
use super::{Arguments, CliError, RunMode};
use crate::agent::options::AgentOptions;
use crate::agent::running_output::RunningOutput;
use crate::agent::startup::StartupError;
use crate::cli::logging::{self, LogDestination, LogFormat, LogSettings};
use crate::cli::signals::Signals;
use crate::config::coverage::Coverage;
use crate::config::errors::ConfigErrors;
use crate::config::remote::{Attempts, Remote, is_remote};
use crate::config::sources::{self, Sources};
use crate::config::{Defaults, LoadOptions, Loaded, Loader, Parts, Plugins, Purpose};
use crate::plugin::Statistics;
use crate::plugin::secrets::SecretStores;
use crate::system::thread::spawn;
use crate::system::{Rotation, System, environment_variable};

/// A configuration on its way, or what is to be known of one.
pub(super) struct Loading<T = Loaded> {
    /// Gets what it came to; exactly one message.
    pub outcome: Receiver<Result<T, CliError>>,
}

/// What configurations are loaded with, again and again.
#[derive(Clone)]
pub(super) struct ConfigLoader {
    arguments: Arc<Arguments>,
    system: System,
    statistics: Statistics,
    pub(super) servers: Arc<WebServers>,
}

impl ConfigLoader {
    /// Makes a loader for what the command line asks for.
    pub(super) fn new(
        arguments: &Arguments,
        system: &System,
        statistics: &Statistics,
    ) -> ConfigLoader {
        ConfigLoader {
            arguments: Arc::new(arguments.clone()),
            system: system.clone(),
            statistics: statistics.clone(),
            servers: Arc::new(WebServers::from_environment(system.clock.clone())),
        }
    }

    /// Begins to load the configuration for the run that was asked for; files are read at once,
    /// servers asked beside whatever else there is to do.
    ///
    /// # Errors
    /// If the system has no room for another thread.
    pub(super) fn begin(&self) -> Result<Loading, CliError> {
        let purpose = match self.arguments.mode {
            RunMode::Test { .. } => Purpose::Test,
            RunMode::Daemon | RunMode::Once { .. } => Purpose::Run,
        };
        self.begin_to(purpose, |loader, sources| loader.load(sources))
    }

    /// Loads the configuration, unless a signal ends the wait for a server.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub(super) fn load(&self, signals: &Signals) -> Result<Loaded, CliError> {
        self.begin()?.wait(signals)
    }

    /// Reads one configuration as it is, unless a signal ends the wait for its server.
    ///
    /// # Errors
    /// If it was told to stop; within, why it cannot be read.
    pub(super) fn read(
        &self,
        name: &str,
        signals: &Signals,
    ) -> Result<Result<Vec<u8>, String>, CliError> {
        if !is_remote(name) {
            return Ok(sources::read(name).map_err(|problem| problem.to_string()));
        }
        let (sender, bytes) = bounded(1);
        let (servers, name) = (self.servers.clone(), name.to_owned());
        let attempts = Attempts::from_number(self.arguments.options.url_attempts);
        let fetch = move || {
            let fetched = attempts.and_then(|attempts| servers.fetch(&name, attempts));
            // Nobody waits any more if the program has been told to stop.
            let _ = sender.send(fetched.map_err(|error| error.to_string()));
        };
        // It ends with the process: a server that hangs is not to hold its end up.
        std::mem::forget(spawn("config-fetch", fetch).map_err(CliError::LoadThread)?);
        select_biased! {
            recv(bytes) -> bytes => bytes.map_err(|_| CliError::LoadFailed),
            recv(signals.stopping) -> _ => Err(CliError::Run(StartupError::Stopped)),
        }
    }

    fn begin_to<T: Send + 'static>(
        &self,
        purpose: Purpose,
        work: impl FnOnce(&Loader<'_>, &Sources) -> Result<T, ConfigErrors> + Send + 'static,
    ) -> Result<Loading<T>, CliError> {
        let (sender, outcome) = bounded(1);
        let files = self.arguments.sources.find(&environment_variable).unwrap_or_default();
        let loader = self.clone();
        let load = move || {
            // Nobody waits any more if the program has been told to stop.
            let _ = sender.send(loader.work(purpose, work));
        };
        if files.iter().any(|file| is_remote(file)) {
            let thread = spawn("config-load", load).map_err(CliError::LoadThread)?;
            // It ends with the process: a server that hangs is not to hold its end up.
            std::mem::forget(thread);
        } else {
            load();
        }
        Ok(Loading { outcome })
    }

    fn work<T>(
        &self,
        purpose: Purpose,
        work: impl FnOnce(&Loader<'_>, &Sources) -> Result<T, ConfigErrors>,
    ) -> Result<T, CliError> {
        let options = LoadOptions { purpose, ..self.arguments.options.clone() };
        let loader = Loader {
            options: &options,
            plugins: &Plugins::all(),
            environment: &environment_variable,
            system: &self.system,
            statistics: &self.statistics,
            remote: self.servers.as_ref(),
        };
        Ok(work(&loader, &self.arguments.sources)?)
    }
}

impl<T> Loading<T> {
    fn wait(self, signals: &Signals) -> Result<T, CliError> {
        select_biased! {
            recv(self.outcome) -> outcome => outcome.unwrap_or(Err(CliError::LoadFailed)),
            recv(signals.stopping) -> _ => Err(CliError::Run(StartupError::Stopped)),
        }
    }
}

/// A configuration that is looked at, and not run.
pub(super) struct Look<'a> {
    pub arguments: &'a Arguments,
    pub system: &'a System,
    pub signals: &'a Signals,
}

impl Look<'_> {
    /// Checks the configuration by the rules of a run.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub(super) fn check(&self) -> Result<(), CliError> {
        self.look(Purpose::Check, |loader, sources| loader.load(sources).map(drop))
    }

    /// Loads the secret stores and nothing else.
    ///
    /// # Errors
    /// Everything that is wrong with them and with the files that they stand in.
    pub(super) fn secret_stores(&self) -> Result<SecretStores, CliError> {
        self.look(Purpose::SecretStores, |loader, sources| Ok(loader.load(sources)?.secret_stores))
    }

    /// Loads the configuration by the rules of a check, for its outputs.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub(super) fn outputs(&self) -> Result<Vec<RunningOutput>, CliError> {
        self.look(Purpose::Check, |loader, sources| Ok(loader.load(sources)?.plan.outputs))
    }

    /// Reads the configuration without building it.
    ///
    /// # Errors
    /// Everything that is wrong with its text.
    pub(super) fn parts(&self) -> Result<Parts, CliError> {
        self.look(Purpose::Check, |loader, sources| loader.parts(sources))
    }

    /// Prints the configuration as it comes to effect.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub(super) fn effective(&self, defaults: Defaults) -> Result<String, CliError> {
        self.look(Purpose::Check, move |loader, sources| loader.effective(sources, defaults))
    }

    /// Looks how much of other configurations there is here.
    ///
    /// # Errors
    /// If there is nothing to look at.
    pub(super) fn coverage(&self, of: Sources) -> Result<Coverage, CliError> {
        self.look(Purpose::Check, move |loader, _| loader.coverage(&of))
    }

    fn look<T: Send + 'static>(
        &self,
        purpose: Purpose,
        work: impl FnOnce(&Loader<'_>, &Sources) -> Result<T, ConfigErrors> + Send + 'static,
    ) -> Result<T, CliError> {
        let loader = ConfigLoader::new(self.arguments, self.system, &Statistics::default());
        loader.begin_to(purpose, work)?.wait(self.signals)
    }
}

/// Sets the log up as the configuration and the flags ask for.
///
/// # Errors
/// If the log file cannot be opened.
pub(super) fn configure_logging(
    arguments: &Arguments,
    loaded: &Loaded,
    system: &System,
) -> Result<(), CliError> {
    let agent = &loaded.plan.agent;
    let level = arguments.level.unwrap_or(match (agent.quiet, agent.debug) {
        (true, _) => LevelFilter::Error,
        (false, true) => LevelFilter::Debug,
        (false, false) => LevelFilter::Info,
    });
    let settings = LogSettings {
        level,
        plugin_levels: loaded.plugin_levels.clone(),
        format: log_format(agent),
        time_zone: time_zone(&agent.log_with_timezone),
        destination: log_destination(agent),
    };
    Ok(logging::configure(settings, system.clock.clone())?)
}

fn log_format(agent: &AgentOptions) -> LogFormat {
    if agent.logformat != "structured" {
        return LogFormat::Text;
    }
    let key = agent.structured_log_message_key.as_str();
    LogFormat::Structured { message_key: if key.is_empty() { "msg" } else { key }.to_owned() }
}

fn log_destination(agent: &AgentOptions) -> LogDestination {
    if agent.logfile.is_empty() || agent.logtarget == "stderr" {
        return LogDestination::Stderr;
    }
    LogDestination::File {
        path: PathBuf::from(&agent.logfile),
        rotation: Rotation {
            interval: agent.logfile_rotation_interval.to_std(),
            max_size_bytes: agent.logfile_rotation_max_size.bytes(),
            // -1 keeps all of them.
            keep: usize::try_from(agent.logfile_rotation_max_archives).ok(),
        },
    }
}

/// The zone by its name; the loader has checked that there is one.
fn time_zone(name: &str) -> TimeZone {
    if name.is_empty() {
        TimeZone::UTC
    } else if name.eq_ignore_ascii_case("local") {
        TimeZone::system()
    } else {
        TimeZone::get(name).unwrap_or(TimeZone::UTC)
    }
}
