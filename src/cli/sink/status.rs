//! `metric-sink status`: how a running sink is doing.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::print;
use crate::cli::flags::{Flag, Parsed, Program, Stop, Takes, Words};
use crate::sink::status::{SOCKET_FILE, ask, table};
use crate::status::AskError;
use crate::system::System;

/// The first argument that asks for it.
pub(super) const WORD: &str = "status";

/// A sink runs, and a thread of it is stuck, silent or has ended.
const NOT_HEALTHY: u8 = 1;

/// No sink has told how it is.
const UNKNOWN: u8 = 2;

const ASKING: &str = "Asking";

/// The command line of `metric-sink status`.
pub const PROGRAM: Program = Program {
    name: "metric-sink status",
    about: "Tells how a running metric-sink is doing: threads, partitions with position and lag, rates, the last commits, the files. It asks through the socket .metric-sink.sock in the output folder, which only the user who runs the sink may use.",
    words: Words::None,
    flags: &[
        Flag::new(
            "output-dir",
            Takes::Value("FOLDER"),
            ".",
            ASKING,
            "Ask the sink that writes its files here",
        ),
        Flag::new("socket", Takes::Value("PATH"), "", ASKING, "Ask at this socket instead"),
        Flag::new("json", Takes::Switch, "", ASKING, "Print JSON, for programs"),
    ],
    after_help: "Exit codes: 0 if the sink is healthy, 1 if one of its threads is stuck, silent or has ended, 2 if no sink runs \
there, it cannot be asked or does not answer within 5 s, or the command line is wrong.\n\n\
States: joining (waits for the group), idle (has no partition), reading, stuck (cannot write or flush, and tries again), \
silent (does not come back from what it began), ended.\n\nExamples:\n  \
metric-sink status --output-dir /var/lib/metrics\n  \
metric-sink status --json | jq '.totals.lag'",
};

/// Runs the command; `arguments` are those behind the word.
pub(super) fn main(arguments: impl IntoIterator<Item = OsString>, system: &System) -> ExitCode {
    let parsed = match PROGRAM.parse(arguments) {
        Ok(parsed) => parsed,
        Err(Stop::Help(help)) => return printed(&help, ExitCode::SUCCESS),
        Err(Stop::Wrong { message, .. }) => {
            return unknown(&format!("{message}; metric-sink status --help shows all flags"));
        }
    };
    match ask_and_print(&parsed, system) {
        Ok(code) => code,
        Err(error) => unknown(&error.to_string()),
    }
}

fn ask_and_print(parsed: &Parsed, system: &System) -> Result<ExitCode, AskError> {
    let socket = match parsed.value("socket") {
        Some(socket) => PathBuf::from(socket),
        None => Path::new(parsed.value("output-dir").unwrap_or(".")).join(SOCKET_FILE),
    };
    let answer = ask(&socket, &system.clock)?;
    let text = if parsed.is_on("json") { answer.json } else { table(&answer.snapshot) };
    let code = if answer.snapshot.healthy { ExitCode::SUCCESS } else { NOT_HEALTHY.into() };
    Ok(printed(&text, code))
}

/// Prints a text; `code` says how it ends, however much of the text anybody reads.
pub(super) fn printed(text: &str, code: ExitCode) -> ExitCode {
    match print(text) {
        Err(super::CliError::Io(error)) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            unknown(&format!("printing: {error}"))
        }
        _ => code,
    }
}

fn unknown(reason: &str) -> ExitCode {
    log::error!(target: "", "{reason}");
    UNKNOWN.into()
}
