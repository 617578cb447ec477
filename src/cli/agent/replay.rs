//! `metric-agent replay`: sends metrics of dead-letter files again.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use super::load::Look;
use super::{Arguments, CliError, list, protect_secrets, run_arguments};
use crate::agent::dead_letters::DeadLetter;
use crate::agent::replay::{Replay, Replayed, Unaddressed, find};
use crate::agent::running_output::RunningOutput;
use crate::cli::flags::{Flag, Parsed, Program, Stop, Takes, Words};
use crate::cli::signals::Signals;
use crate::config::lossless_lines;
use crate::letters::{Letters, LettersError, Numbered};
use crate::system::{System, TakeError, TakenLines};

/// The first argument that asks for it.
pub(super) const WORD: &str = "replay";

const SENDING: &str = "Sending";
const CONFIGURATION: &str = "Configuration";

/// The command line of `metric-agent replay`.
pub const PROGRAM: Program = Program {
    name: "metric-agent replay",
    about: "Sends the metrics of dead-letter files again: each to the output of the configuration that gave it up, past that output's filter, which it has passed before. What is given up again stays in the file with the new reason; a file of which all was sent is deleted.",
    words: Words::Files,
    flags: &[
        Flag::new(
            "output",
            Takes::Value("NAME"),
            "",
            SENDING,
            "Send all metrics to this output, such as `kafka`, or an alias; in place of those that gave them up",
        ),
        Flag::new(
            "dry-run",
            Takes::Switch,
            "",
            SENDING,
            "Send nothing and leave the files alone; print what would be sent, a line for each metric",
        ),
        Flag::new("debug", Takes::Switch, "", SENDING, "Log what helps to find a fault, too"),
        Flag::new(
            "config",
            Takes::Values("FILE_OR_URL"),
            "",
            CONFIGURATION,
            "Take the outputs of this configuration; may be repeated. Without it the same places are tried as for a run",
        ),
        Flag::new(
            "config-directory",
            Takes::Values("FOLDER"),
            "",
            CONFIGURATION,
            "Also read every *.conf in this folder and below it; may be repeated",
        ),
        Flag::new(
            "strict-env-handling",
            Takes::Switch,
            "",
            CONFIGURATION,
            "Put environment variables into string values only, which is what happens anyway",
        ),
        Flag::new(
            "non-strict-env-handling",
            Takes::Switch,
            "",
            CONFIGURATION,
            "Put environment variables into the text before it is parsed, whatever they contain",
        ),
        Flag::new(
            "old-env-behavior",
            Takes::Switch,
            "",
            CONFIGURATION,
            "Replace environment variables as Telegraf did before 1.27",
        ),
        Flag::new(
            "select",
            Takes::Values("LABEL=VALUE;…"),
            "",
            CONFIGURATION,
            "Use only plugins with these labels, as for a run; may be repeated",
        ),
        Flag::new(
            "password",
            Takes::Value("WORD"),
            "",
            CONFIGURATION,
            "Unlock secret stores with this password, unless their settings have one",
        ),
        Flag::new(
            "unprotected",
            Takes::Switch,
            "",
            CONFIGURATION,
            "Let the process be dumped to disk with the secrets in it when it crashes",
        ),
        Flag::new(
            "config-url-retry-attempts",
            Takes::Number("N"),
            "3",
            CONFIGURATION,
            "Ask a server again this often, ten seconds apart, that does not hand out its configuration; -1 for ever",
        ),
    ],
    after_help: "A running agent may go on writing to the file: it is renamed to FILE.replaying first, and what is left goes back to FILE. \
If replay is killed, FILE.replaying still holds everything; replay it by that name, and what had been sent is sent twice. \
An output that takes nothing is tried five times, two seconds apart; then its metrics stay in the file as they are, and so does a line that holds no metric.\n\n\
SIGTERM and SIGINT end it after what is under way; the rest stays in the file.\n\nExit codes: 0 if all metrics were sent (with --dry-run: would be), 1 if any is left, or on an error.\n\n\
Examples:\n  metric-agent replay --config /etc/telegraf/telegraf.conf --dry-run outputs.kafka.dead-letters.jsonl\n  \
metric-agent replay --config /etc/telegraf/telegraf.conf outputs.kafka.dead-letters*.jsonl",
};

/// Why not everything was sent.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReplayError {
    #[error("--output: {0}")]
    Output(Unaddressed),
    #[error("{0}")]
    Take(#[from] TakeError),
    #[error("opening {}: {source}", path.display())]
    Open { path: PathBuf, source: io::Error },
    #[error("{}: {source}; it still holds everything, also what was sent", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("deleting {}, of which all was sent or put back: {source}", path.display())]
    Delete { path: PathBuf, source: io::Error },
    #[error("{rejected} metrics were given up again, {unsent} were not sent, and {damaged} lines hold none", rejected = .0.rejected, unsent = .0.unsent, damaged = .0.damaged)]
    Left(Replayed),
}

/// Runs the command; `arguments` are those behind the word.
pub(super) fn main(
    arguments: impl IntoIterator<Item = OsString>,
    signals: io::Result<Signals>,
    system: &System,
) -> Result<(), CliError> {
    match PROGRAM.parse(arguments) {
        Ok(parsed) => {
            protect_secrets(&parsed);
            run(&parsed, &run_arguments(&parsed)?, &signals?, system)
        }
        Err(Stop::Help(help)) => Ok(list::print(&help)?),
        Err(Stop::Wrong { message, .. }) => {
            Err(CliError::Usage(format!("{message}; metric-agent replay --help shows all flags")))
        }
    }
}

fn run(
    parsed: &Parsed,
    arguments: &Arguments,
    signals: &Signals,
    system: &System,
) -> Result<(), CliError> {
    let mut outputs = Look { arguments, system, signals }.outputs()?;
    let only = parsed.value("output").map(|name| find(&outputs, name, None));
    let only = only.transpose().map_err(ReplayError::Output)?;
    let files: Vec<PathBuf> = parsed.words().into_iter().map(PathBuf::from).collect();
    // A mistake in a name should cost nothing.
    files.iter().try_for_each(|path| open(path).map(drop))?;
    let mut all = Replayed::default();
    if parsed.is_on("dry-run") {
        for path in &files {
            all += look_through(path, &outputs, only)?;
        }
        log::info!(target: "", "{} metrics would be sent", all.sent);
    } else {
        for path in &files {
            all += send(path, &mut outputs, only, signals, system)?;
        }
        outputs.iter_mut().for_each(RunningOutput::close);
        log::info!(target: "", "{} metrics sent", all.sent);
    }
    if all.is_all_sent() { Ok(()) } else { Err(ReplayError::Left(all).into()) }
}

fn open(path: &Path) -> Result<BufReader<std::fs::File>, ReplayError> {
    let failed = |source| ReplayError::Open { path: path.to_owned(), source };
    OpenOptions::new().read(true).open(path).map(BufReader::new).map_err(failed)
}

/// Sends what is in a file.
fn send(
    path: &Path,
    outputs: &mut [RunningOutput],
    only: Option<usize>,
    signals: &Signals,
    system: &System,
) -> Result<Replayed, ReplayError> {
    let taken = TakenLines::take(path)?;
    let mut replay = Replay {
        recipients: outputs,
        only,
        serializer: lossless_lines(),
        clock: system.clock.as_ref(),
        stopped: &signals.stopping,
    };
    let name = path.display().to_string();
    let replayed = replay.file(&name, taken.reader(), |lines| taken.put_back(lines));
    let path = taken.path().to_owned();
    match replayed {
        Ok(replayed) => {
            taken.done().map_err(|source| ReplayError::Delete { path, source })?;
            Ok(replayed)
        }
        Err(source) => Err(ReplayError::File { path, source }),
    }
}

/// Prints what would be sent of a file.
fn look_through(
    path: &Path,
    outputs: &[RunningOutput],
    only: Option<usize>,
) -> Result<Replayed, CliError> {
    let mut replayed = Replayed::default();
    let letters: Letters<_, DeadLetter<'static>> = Letters::new(open(path)?);
    let name = path.display();
    for read in letters {
        let Numbered { line, letter } = match read {
            Ok(numbered) => numbered,
            Err(LettersError::Read(source)) => {
                return Err(ReplayError::Open { path: path.to_owned(), source }.into());
            }
            Err(error) => {
                log::error!(target: "", "{name}: {error}");
                replayed.damaged += 1;
                continue;
            }
        };
        if let Err(error) = letter.to_metric() {
            log::error!(target: "", "{name}: line {line}: {error}");
            replayed.damaged += 1;
            continue;
        }
        let at = only.map_or_else(|| find(outputs, &letter.output, Some(&letter.id)), Ok);
        match at {
            Ok(at) => {
                let output = outputs[at].log.name();
                let metric = letter.metric.as_deref().unwrap_or("a metric without line protocol");
                list::print(&format!("{output} <- {metric}\n"))?;
                replayed.sent += 1;
            }
            Err(error) => {
                log::error!(target: "", "{name}: line {line}: {error}");
                replayed.unsent += 1;
            }
        }
    }
    Ok(replayed)
}
