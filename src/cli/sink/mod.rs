//! metric-sink's command line: settings, progress on the screen, and the end.

mod embedded;
mod file_options;
pub mod flags;
pub mod replay;
mod settings;
pub mod status;
pub mod verify;

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use crossbeam_channel::{Receiver, bounded, select};
use log::LevelFilter;

use crate::cli::flags::{Parsed, Stop};
use crate::cli::logging;
use crate::cli::signals::{Signal, Signals};
use crate::cli::systemd::ServiceManager;
use crate::kafka::{ConnectError, EmbeddedError};
use crate::sink::replay::ReplayError;
use crate::sink::settings::Settings;
use crate::sink::status::{Bytes, Snapshot, ThreadStatus, Totals};
use crate::sink::{Sink, SinkError, ThreadEnd};
use crate::system::System;
use settings::SettingsError;

/// How often the live line is renewed.
const LIVE_INTERVAL: Duration = Duration::from_secs(1);

/// How long threads may take to end; each bounds its own steps below this.
const END_LIMIT: Duration = Duration::from_secs(5);

#[derive(Debug, thiserror::Error)]
enum CliError {
    #[error("{0}")]
    Usage(String),
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error(transparent)]
    Sink(#[from] SinkError),
    #[error(transparent)]
    Embedded(#[from] EmbeddedError),
    #[error("{0} of the consumer threads ended with an error")]
    Threads(usize),
    #[error(transparent)]
    Replay(#[from] ReplayError),
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error("{failed} records were not produced, and {damaged} lines or files could not be read")]
    Unreplayed { failed: u64, damaged: u64 },
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Runs metric-sink; `arguments` are those behind the program's name.
pub fn main(
    arguments: impl IntoIterator<Item = OsString>,
    signals: io::Result<Signals>,
    system: &System,
) -> ExitCode {
    logging::start(LevelFilter::Info);
    let mut arguments = arguments.into_iter().peekable();
    if arguments.next_if(|first| first == embedded::WORD).is_some() {
        return exit_code(embedded::main(arguments, signals));
    }
    if arguments.next_if(|first| first == replay::WORD).is_some() {
        return exit_code(replay::main(arguments, signals, system));
    }
    if arguments.next_if(|first| first == status::WORD).is_some() {
        return status::main(arguments, system);
    }
    if arguments.next_if(|first| first == verify::WORD).is_some() {
        return verify::main(arguments, system);
    }
    exit_code(match flags::PROGRAM.parse(arguments) {
        Ok(parsed) if parsed.is_on("version") => {
            print(&format!("metric-sink {}\n", env!("CARGO_PKG_VERSION")))
        }
        Ok(parsed) => match parsed.words().first() {
            None => run(&parsed, signals, system),
            Some(word) => Err(CliError::Usage(format!(
                "unexpected {word:?}; commands stand before all flags, and metric-sink --help shows them"
            ))),
        },
        Err(Stop::Help(help)) => print(&help),
        Err(Stop::Wrong { message, .. }) => {
            Err(CliError::Usage(format!("{message}; metric-sink --help shows all flags")))
        }
    })
}

fn exit_code(result: Result<(), CliError>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(CliError::Io(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            error.to_string().lines().for_each(|line| log::error!(target: "", "{line}"));
            ExitCode::FAILURE
        }
    }
}

fn print(text: &str) -> Result<(), CliError> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

fn run(parsed: &Parsed, signals: io::Result<Signals>, system: &System) -> Result<(), CliError> {
    let level = match (parsed.is_on("quiet"), parsed.is_on("debug")) {
        (true, _) => LevelFilter::Error,
        (false, true) => LevelFilter::Debug,
        (false, false) => LevelFilter::Info,
    };
    logging::start(level);
    let settings = settings::settings(parsed)?;
    let signals = signals?;
    log::info!(
        target: "",
        "metric-sink {}: {} threads of group {} read {} at {} into {}",
        env!("CARGO_PKG_VERSION"),
        settings.threads,
        settings.group,
        settings.topics.join(", "),
        settings.brokers.join(", "),
        settings.output_dir.display()
    );
    let live = if io::stderr().is_terminal() && level >= LevelFilter::Info {
        Report::LiveLine
    } else {
        Report::LogLines
    };
    let report_interval = match live {
        Report::LiveLine => LIVE_INTERVAL,
        Report::LogLines => settings.report_interval,
    };
    let settings = Settings { report_interval, ..settings };
    let (stop, stopped) = bounded(0);
    let sink = Sink::start(settings, system, &stopped)?;
    let n_threads = sink.board.threads();
    let manager = ServiceManager::from_environment();
    manager.ready();
    let board = sink.board.clone();
    signals.report.set(move || {
        let lines = summary(&board.snapshot())
            .into_iter()
            .map(|(name, line)| format!("  {name}: {line}\n"));
        lines.fold("\nprogress:\n".to_owned(), |text, line| text + &line)
    });
    let mut ends = watch(&sink, &signals, live, report_interval, system, &manager);
    manager.stopping();
    drop(stop);
    wait_for_ends(&sink.ended, n_threads, &mut ends, system);
    summarize(&sink.board.snapshot());
    let failed = ends.iter().filter(|end| end.result.is_err()).count();
    let all_ended = ends.len() == n_threads;
    if all_ended {
        sink.join();
    } else {
        log::warn!(target: "", "{} threads did not end in time", n_threads - ends.len());
        // Joining them would wait for the cluster.
        sink.leave_behind();
    }
    log::info!(target: "", "Bye");
    match failed {
        0 if all_ended => Ok(()),
        failed => Err(CliError::Threads(failed.max(n_threads - ends.len()))),
    }
}

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Report {
    /// One line on the terminal, renewed in place.
    LiveLine,
    /// A log line each interval.
    LogLines,
}

/// Reports progress until a signal or a thread's end; returns the threads that have ended.
fn watch(
    sink: &Sink,
    signals: &Signals,
    report: Report,
    interval: Duration,
    system: &System,
    manager: &ServiceManager,
) -> Vec<ThreadEnd> {
    let clock = system.clock.as_ref();
    let mut before = Totals::default();
    let mut last = clock.elapsed();
    let mut report_due = clock.after(interval);
    let mut sign_due = manager.sign_due(clock);
    logging::set_live_line(report == Report::LiveLine);
    let ends = loop {
        select! {
            recv(signals.received) -> signal => match signal {
                Ok(Signal::Stop) | Err(_) => break Vec::new(),
                Ok(Signal::Reload) => {
                    log::info!(target: "", "Files that were moved away are left for new ones");
                    sink.reopening.ask();
                }
                Ok(Signal::Flush) => {
                    log::info!(target: "", "This signal has no meaning for metric-sink; going on");
                }
            },
            recv(sink.ended) -> end => {
                // One thread without the others would leave its partitions to them without a word.
                let ends: Vec<_> = end.into_iter().collect();
                ends.iter().for_each(log_end);
                break ends;
            }
            recv(sign_due) -> _ => {
                manager.alive();
                sign_due = manager.sign_due(clock);
            }
            recv(report_due) -> _ => {
                report_due = clock.after(interval);
                let now = clock.elapsed();
                let totals = sink.board.snapshot().totals;
                let line = totals.line(&before, now.saturating_sub(last));
                match report {
                    Report::LiveLine => logging::write_live_line(&line),
                    Report::LogLines => log::info!(target: "", "{line}"),
                }
                (before, last) = (totals, now);
            }
        }
    };
    logging::set_live_line(false);
    ends
}

fn wait_for_ends(
    ended: &Receiver<ThreadEnd>,
    n_threads: usize,
    ends: &mut Vec<ThreadEnd>,
    system: &System,
) {
    let deadline = system.clock.after(END_LIMIT);
    while ends.len() < n_threads {
        select! {
            recv(ended) -> end => match end {
                Ok(end) => {
                    log_end(&end);
                    ends.push(end);
                }
                Err(_) => return,
            },
            recv(deadline) -> _ => return,
        }
    }
}

fn log_end(end: &ThreadEnd) {
    if let Err(error) = &end.result {
        log::error!(target: &end.name, "{error}");
    }
}

/// Says what every thread has written and where each partition stands.
fn summarize(snapshot: &Snapshot) {
    for (name, line) in summary(snapshot) {
        log::info!(target: &name, "{line}");
    }
}

/// A line for each thread, and one without a name for all of them.
fn summary(snapshot: &Snapshot) -> Vec<(String, String)> {
    let line = |thread: &ThreadStatus| {
        let partitions: Vec<_> = thread
            .partitions
            .iter()
            .filter_map(|each| {
                let (topic, number, at) = (&each.topic, each.partition, each.position?);
                let lag = each.lag.map(|lag| format!(" (lag {lag})")).unwrap_or_default();
                Some(format!("{topic} [{number}] at {at}{lag}"))
            })
            .collect();
        let partitions =
            if partitions.is_empty() { "no partition".to_owned() } else { partitions.join(", ") };
        let text = format!("{} records, {}; {partitions}", thread.records, Bytes(thread.bytes));
        (thread.name.clone(), text)
    };
    let mut lines: Vec<_> = snapshot.threads.iter().map(line).collect();
    let Totals { records, bytes, doubtful, .. } = snapshot.totals;
    let lag = snapshot.totals.lag_in_words();
    let mut all = format!("{records} records, {} in all; {lag}", Bytes(bytes));
    if doubtful > 0 {
        // Never zero for nothing: the log has named each range.
        all += &format!("; {doubtful} records undecided or missing, see the warnings");
    }
    lines.push((String::new(), all));
    lines
}
