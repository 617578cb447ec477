//! Loading the configuration that the command line names, and setting the log up as it says.

use std::path::PathBuf;

use jiff::tz::TimeZone;
use log::LevelFilter;

use super::{Arguments, CliError, RunMode};
use crate::agent::options::AgentOptions;
use crate::cli::logging::{self, LogDestination, LogFormat, LogSettings};
use crate::config::coverage::Coverage;
use crate::config::errors::ConfigErrors;
use crate::config::sources::Sources;
use crate::config::{Defaults, LoadOptions, Loaded, Loader, Parts, Plugins, Purpose};
use crate::plugin::Statistics;
use crate::system::{Rotation, System, environment_variable};

/// Loads the configuration for the run that was asked for.
///
/// # Errors
/// Everything that is wrong with it.
pub(super) fn load(
    arguments: &Arguments,
    system: &System,
    statistics: &Statistics,
) -> Result<Loaded, CliError> {
    let purpose = match arguments.mode {
        RunMode::Test { .. } => Purpose::Test,
        RunMode::Daemon | RunMode::Once { .. } => Purpose::Run,
    };
    load_for(purpose, arguments, system, statistics)
}

/// Checks the configuration by the rules of a run, and runs nothing.
///
/// # Errors
/// Everything that is wrong with it.
pub(super) fn check(arguments: &Arguments, system: &System) -> Result<(), CliError> {
    load_for(Purpose::Check, arguments, system, &Statistics::default()).map(drop)
}

/// Reads the configuration without building it.
///
/// # Errors
/// Everything that is wrong with its text.
pub(super) fn parts(arguments: &Arguments, system: &System) -> Result<Parts, CliError> {
    let statistics = Statistics::default();
    with_loader(&arguments.options, system, &statistics, |loader| loader.parts(&arguments.sources))
}

/// Prints the configuration as it comes to effect.
///
/// # Errors
/// Everything that is wrong with it.
pub(super) fn effective(
    arguments: &Arguments,
    system: &System,
    defaults: Defaults,
) -> Result<String, CliError> {
    let options = LoadOptions { purpose: Purpose::Check, ..arguments.options.clone() };
    with_loader(&options, system, &Statistics::default(), |loader| {
        loader.effective(&arguments.sources, defaults)
    })
}

/// Looks how much of other configurations there is here.
///
/// # Errors
/// If there is nothing to look at.
pub(super) fn coverage(
    sources: &Sources,
    arguments: &Arguments,
    system: &System,
) -> Result<Coverage, CliError> {
    let statistics = Statistics::default();
    with_loader(&arguments.options, system, &statistics, |loader| loader.coverage(sources))
}

fn load_for(
    purpose: Purpose,
    arguments: &Arguments,
    system: &System,
    statistics: &Statistics,
) -> Result<Loaded, CliError> {
    let options = LoadOptions { purpose, ..arguments.options.clone() };
    with_loader(&options, system, statistics, |loader| loader.load(&arguments.sources))
}

fn with_loader<T>(
    options: &LoadOptions,
    system: &System,
    statistics: &Statistics,
    work: impl FnOnce(&Loader<'_>) -> Result<T, ConfigErrors>,
) -> Result<T, CliError> {
    let environment = &environment_variable;
    Ok(work(&Loader { options, plugins: &Plugins::all(), environment, system, statistics })?)
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
