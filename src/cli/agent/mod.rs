//! metric-agent's command line: what was asked for, and doing it.

mod banner;
mod check;
mod compare;
pub mod flags;
mod folders;
mod list;
mod load;
mod migrate;
mod pidfile;
mod remote;
pub mod replay;
mod run;
mod secrets;
pub mod status;
mod status_server;
mod watch;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use log::LevelFilter;

use crate::agent::startup::StartupError;
use crate::agent::state_file::StateFileError;
use crate::cli::flags::{Parsed, Stop};
use crate::cli::logging::{self, LogError};
use crate::cli::signals::Signals;
use crate::config::environment::{Dialect, Handling};
use crate::config::errors::ConfigErrors;
use crate::config::selector::Selector;
use crate::config::sources::Sources;
use crate::config::{LoadOptions, PluginFilters};
use crate::plugin::Kind;
use crate::plugin::settings::{self, parse_duration};
use crate::system::{Secret, System, forbid_core_dumps};
use compare::CompareError;
use load::Look;
use migrate::{Existing, MigrationError};
use replay::ReplayError;
use secrets::SecretsError;
use watch::{Notice, WatchError, WatchOptions};

/// How often changed files are looked for if nothing else is said.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// What a run does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RunMode {
    /// Gathers until a signal ends it.
    Daemon,
    /// Gathers once and writes to the outputs.
    Once { wait_seconds: u32 },
    /// Gathers once and prints.
    Test { wait_seconds: u32 },
}

/// A command line that makes sense.
#[derive(Debug, Clone)]
struct Arguments {
    sources: Sources,
    options: LoadOptions,
    mode: RunMode,
    /// The level that flags ask for, which beats the configuration's.
    level: Option<LevelFilter>,
    pidfile: Option<PathBuf>,
    /// Where it is to answer, in place of what the configuration says.
    status_socket: Option<String>,
    watch: Option<WatchOptions>,
    /// How often servers are asked whether their configurations have changed.
    url_watch: Option<Duration>,
    plugin_sources: PluginSources,
}

/// Whether the start says which file asks for which plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PluginSources {
    Listed,
    Unlisted,
}

/// Why the program ends with an error.
#[derive(Debug, thiserror::Error)]
enum CliError {
    #[error("{0}")]
    Usage(String),
    #[error("{0}")]
    Config(#[from] ConfigErrors),
    #[error("{0}")]
    Log(#[from] LogError),
    #[error("[telegraf] Error running agent: {0}")]
    Run(StartupError),
    #[error("[telegraf] Error running agent: input plugins recorded {0} errors")]
    InputsFailed(u64),
    #[error("[telegraf] Error running agent: output plugins unable to send {0} metrics")]
    Unsent(u64),
    #[error("{0}")]
    Secrets(#[from] SecretsError),
    #[error("{0}")]
    Watch(#[from] WatchError),
    #[error("{0}")]
    Migration(#[from] MigrationError),
    #[error("[telegraf] Error running agent: {0}")]
    States(StateFileError),
    #[error("watching remote configurations: {0}")]
    WatchRemote(std::io::Error),
    #[error("loading the configuration panicked")]
    LoadFailed,
    #[error("starting a thread that loads the configuration: {0}")]
    LoadThread(std::io::Error),
    #[error("{0} sections are not covered")]
    NotCovered(usize),
    #[error("{0}")]
    Compare(#[from] CompareError),
    #[error("{0}")]
    Replay(#[from] ReplayError),
    #[error("writing to standard output: {0}")]
    Print(#[from] std::io::Error),
}

impl CliError {
    /// Logs the error; one of a configuration takes a line for each thing that is wrong.
    fn log(&self) {
        for line in self.to_string().lines() {
            log::error!(target: "", "{line}");
        }
    }
}

/// Runs metric-agent; `arguments` are those behind the program's name.
pub fn main(
    arguments: impl IntoIterator<Item = OsString>,
    signals: std::io::Result<Signals>,
    system: &System,
) -> ExitCode {
    logging::start(LevelFilter::Info);
    let mut arguments = arguments.into_iter().peekable();
    if arguments.next_if(|first| first == replay::WORD).is_some() {
        return exit_code(replay::main(arguments, signals, system));
    }
    if arguments.next_if(|first| first == status::STATUS).is_some() {
        return status::status(arguments, system);
    }
    if arguments.next_if(|first| first == status::RELOAD).is_some() {
        return status::reload(arguments, system);
    }
    exit_code(match flags::PROGRAM.parse(arguments) {
        Ok(parsed) => dispatch(&parsed, signals, system),
        Err(Stop::Help(help)) => list::print(&help).map_err(CliError::from),
        Err(Stop::Wrong { message, usage }) => {
            // Telegraf prints its usage on standard output here; the error itself comes last.
            let _ = list::print(&usage);
            Err(CliError::Usage(message))
        }
    })
}

fn exit_code(result: Result<(), CliError>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(CliError::Print(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => {
            ExitCode::SUCCESS
        }
        Err(error) => {
            error.log();
            ExitCode::FAILURE
        }
    }
}

fn dispatch(
    parsed: &Parsed,
    signals: std::io::Result<Signals>,
    system: &System,
) -> Result<(), CliError> {
    let words = parsed.words();
    match words.as_slice() {
        _ if parsed.is_on("version") => Ok(list::version()?),
        _ if parsed.is_on("sample-config") => Ok(list::sample_config(parsed)?),
        _ if parsed.value("usage").is_some() => list::usage(parsed.value("usage").unwrap_or("")),
        _ if parsed.is_on("deprecation-list") => Ok(list::deprecations(parsed)?),
        _ if parsed.is_on("input-list") => Ok(list::available(Kind::Input)?),
        _ if parsed.is_on("output-list") => Ok(list::available(Kind::Output)?),
        [] => {
            protect_secrets(parsed);
            if let Some(folder) = parsed.value("plugin-directory").filter(|f| !f.is_empty()) {
                log::info!(target: "", "Loading external plugins from: {folder}");
                return Err(CliError::Usage("go plugin support is not enabled".into()));
            }
            let arguments = run_arguments(parsed)?;
            run::run(&arguments, system, &signals?)
        }
        ["version", ..] => Ok(list::version()?),
        ["help" | "h", ..] => Ok(list::print(&flags::PROGRAM.help())?),
        ["plugins", kinds @ ..] if parsed.is_on("deprecated") => {
            Ok(list::retired(kinds.first().copied())?)
        }
        ["plugins", kinds @ ..] => Ok(list::plugins(kinds.first().copied())?),
        ["compare"] => {
            let arguments = run_arguments(parsed)?;
            let signals = &signals?;
            compare::run(parsed, &Look { arguments: &arguments, system, signals })
        }
        ["config", "check", files @ ..] => {
            let arguments = run_arguments(parsed)?;
            check::run(parsed, files, &Look { arguments: &arguments, system, signals: &signals? })
        }
        ["config", "migrate", ..] => {
            let existing = match parsed.is_on("force") {
                true => Existing::Overwritten,
                false => Existing::Kept,
            };
            migrate::migrate(&run_arguments(parsed)?, existing, system, &signals?)
        }
        ["secrets", rest @ ..] => {
            protect_secrets(parsed);
            let arguments = run_arguments(parsed)?;
            secrets::run(rest, parsed, &Look { arguments: &arguments, system, signals: &signals? })
        }
        [word @ (replay::WORD | status::STATUS | status::RELOAD), ..] => Err(CliError::Usage(
            format!("{word} stands before all flags, as in metric-agent {word} --config FILE"),
        )),
        // Telegraf prints the sample for any other word behind `config`.
        ["config", ..] => Ok(list::sample_config(parsed)?),
        [word, ..] => Err(CliError::Usage(format!("unknown command {word:?}"))),
    }
}

/// Keeps what is in memory from the disk, unless the command line says that it need not.
fn protect_secrets(parsed: &Parsed) {
    if parsed.is_on("unprotected") {
        log::warn!(target: "", "Running without secret protection!");
    } else if let Err(error) = forbid_core_dumps() {
        log::debug!(target: "", "Secrets are not kept out of core dumps: {error}");
    }
}

fn run_arguments(parsed: &Parsed) -> Result<Arguments, CliError> {
    let strict = parsed.is_on("strict-env-handling");
    let non_strict = parsed.is_on("non-strict-env-handling");
    let handling = match (strict, non_strict) {
        (true, true) => {
            return Err(CliError::Usage(
                "flags --strict-env-handling and --non-strict-env-handling cannot be used together"
                    .into(),
            ));
        }
        (_, true) => Handling::NonStrict,
        _ => Handling::Strict,
    };
    if !strict && !non_strict {
        log::warn!(
            target: "",
            "Strict environment variable handling is the default, as in Telegraf since v1.38.0; \
             variables in strings convert to the type of their option. If a configuration needs \
             more than that, add the --non-strict-env-handling flag."
        );
    }
    let url_attempts = parsed.number("config-url-retry-attempts").unwrap_or_default();
    let dialect = if parsed.is_on("old-env-behavior") { Dialect::Old } else { Dialect::default() };
    let level = match (parsed.is_on("quiet"), parsed.is_on("debug")) {
        (true, _) => Some(LevelFilter::Error),
        (false, true) => Some(LevelFilter::Debug),
        (false, false) => None,
    };
    if let Some(level) = level {
        logging::start(level);
    }
    let test_wait = parsed.number("test-wait").unwrap_or(0);
    // A wait that ends before it has begun is none.
    let wait_seconds = u32::try_from(test_wait.max(0)).unwrap_or(u32::MAX);
    let mode = match (parsed.is_on("once"), parsed.is_on("test") || test_wait != 0) {
        (true, _) => RunMode::Once { wait_seconds },
        (false, true) => RunMode::Test { wait_seconds },
        (false, false) => RunMode::Daemon,
    };
    let selector = Selector::new(&parsed.values("select"))
        .map_err(|error| CliError::Usage(error.to_string()))?;
    if parsed.value("pprof-addr").is_some() {
        log::warn!(target: "", "--pprof-addr does nothing here");
    }
    Ok(Arguments {
        sources: Sources {
            files: parsed.values("config"),
            directories: parsed.values("config-directory"),
        },
        options: LoadOptions {
            handling,
            dialect,
            filters: PluginFilters {
                inputs: list::names(parsed.value("input-filter")),
                outputs: list::names(parsed.value("output-filter")),
                secret_stores: list::names(parsed.value("secretstore-filter")),
            },
            selector,
            password: Secret::new(parsed.value("password").unwrap_or_default()),
            url_attempts,
            // What is kept for later is that of an agent which goes on.
            state_folder: folders::state().filter(|_| mode == RunMode::Daemon),
            ..LoadOptions::default()
        },
        watch: watch_options(parsed)?,
        url_watch: Some(time(parsed, "config-url-watch-interval")?).filter(|time| !time.is_zero()),
        plugin_sources: match parsed.is_on("print-plugin-config-source") {
            true => PluginSources::Listed,
            false => PluginSources::Unlisted,
        },
        mode,
        level,
        pidfile: parsed.value("pidfile").map(PathBuf::from),
        status_socket: parsed.value("status-socket").map(str::to_owned),
    })
}

fn watch_options(parsed: &Parsed) -> Result<Option<WatchOptions>, CliError> {
    let interval = time(parsed, "watch-interval")?;
    let debounce = time(parsed, "watch-debounce-interval")?;
    let notice = match parsed.value("watch-config") {
        None | Some("") => return Ok(None),
        Some("poll") => Notice::Every(if interval.is_zero() { POLL_INTERVAL } else { interval }),
        Some(word) => {
            if word != "notify" {
                log::warn!(
                    target: "",
                    "--watch-config knows the words notify and poll; {word:?} is taken as notify"
                );
            }
            Notice::Events
        }
    };
    Ok(Some(WatchOptions { notice, debounce }))
}

/// The span of time that a flag names; none is no time.
fn time(parsed: &Parsed, flag: &str) -> Result<Duration, CliError> {
    let text = parsed.value(flag).unwrap_or("0s");
    match parse_duration(text) {
        Ok(time) => Ok(settings::Duration::from_nanos(time).to_std()),
        Err(error) => Err(CliError::Usage(format!(
            "invalid value {text:?} for flag -{flag}: parse error; {error}, write it as 30s or 5m"
        ))),
    }
}
