//! `metric-agent status` and `metric-agent reload`: asking a running agent how it is, and telling it
//! to read its configuration again.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use super::list;
use super::status_server::socket_to_ask;
use crate::agent::status::{Snapshot, table};
use crate::cli::flags::{Flag, Parsed, Program, Stop, Takes, Words};
use crate::status::{AskError, Place, Question, ask};
use crate::system::System;

/// The first arguments that ask for these.
pub(super) const STATUS: &str = "status";
pub(super) const RELOAD: &str = "reload";

/// An agent runs, and something needs looking after; or it did not take the new configuration.
const NOT_WELL: u8 = 1;

/// No agent has answered.
const UNKNOWN: u8 = 2;

const ASKING: &str = "Asking";

const SOCKET: Flag = Flag::new(
    "socket",
    Takes::Value("PATH"),
    "",
    ASKING,
    "Ask the agent at this socket: its --status-socket, or status_socket of [agent]. Without it that is status.sock in $RUNTIME_DIRECTORY or in /run/metric-agent",
);

/// The command line of `metric-agent status`.
pub const PROGRAM: Program = Program {
    name: "metric-agent status",
    about: "Tells how a running metric-agent is doing: for each input what it has brought, its last gather and last error; for each output what it has received and written, what waits, what was dropped and why, its last success and last error; and what came of the last reload. Only the user who runs the agent may ask.",
    words: Words::None,
    flags: &[SOCKET, Flag::new("json", Takes::Switch, "", ASKING, "Print JSON, for programs")],
    after_help: "Exit codes: 0 if the agent is healthy, 1 if the last that is known of an input or output is an error or the last reload was refused, \
2 if no agent runs there, it cannot be asked or does not answer within 5 s, or the command line is wrong.\n\nExamples:\n  \
metric-agent status\n  metric-agent status --json | jq '.outputs[] | {name, waiting}'",
};

/// The command line of `metric-agent reload`.
pub const RELOAD_PROGRAM: Program = Program {
    name: "metric-agent reload",
    about: "Has a running metric-agent read its configuration again, as SIGHUP does, and waits for what comes of it. A configuration that is wrong is refused, and the one before keeps running.",
    words: Words::None,
    flags: &[SOCKET],
    after_help: "Exit codes: 0 if the new configuration runs, 1 if it was refused, with the reason, 2 if no agent runs there, it cannot be asked \
or does not answer within 5 min, or the command line is wrong.",
};

/// Runs `metric-agent status`; `arguments` are those behind the word.
pub(super) fn status(arguments: impl IntoIterator<Item = OsString>, system: &System) -> ExitCode {
    asked(&PROGRAM, arguments, |parsed, socket| {
        let limit = Duration::from_secs(5);
        let question = Question { method: "GET", path: "/status", limit };
        let answer = ask(&place(&socket), &question, &system.clock)?;
        if answer.status != 200 {
            return Err(AskError::failed(&socket, format!("the answer is {}", answer.status_line)));
        }
        let snapshot: Snapshot = serde_json::from_str(&answer.text).map_err(|error| {
            AskError::failed(&socket, format!("the answer is not understood: {error}"))
        })?;
        let text = if parsed.is_on("json") { answer.text } else { table(&snapshot) };
        Ok((text, if snapshot.healthy { ExitCode::SUCCESS } else { NOT_WELL.into() }))
    })
}

/// Runs `metric-agent reload`; `arguments` are those behind the word.
pub(super) fn reload(arguments: impl IntoIterator<Item = OsString>, system: &System) -> ExitCode {
    asked(&RELOAD_PROGRAM, arguments, |_, socket| {
        let limit = Duration::from_secs(310);
        let question = Question { method: "POST", path: "/reload", limit };
        let answer = ask(&place(&socket), &question, &system.clock)?;
        match answer.status {
            200 => Ok((answer.text, ExitCode::SUCCESS)),
            409 => {
                answer.text.lines().for_each(|line| log::error!(target: "", "{line}"));
                Ok((String::new(), NOT_WELL.into()))
            }
            _ => Err(AskError::failed(&socket, answer.text.trim_end())),
        }
    })
}

fn place(socket: &std::path::Path) -> Place<'_> {
    Place { program: "metric-agent", path: socket, hint: "--socket names another one" }
}

/// Parses a command line, asks, and prints what comes of it.
fn asked(
    program: &Program,
    arguments: impl IntoIterator<Item = OsString>,
    ask: impl FnOnce(&Parsed, PathBuf) -> Result<(String, ExitCode), AskError>,
) -> ExitCode {
    let parsed = match program.parse(arguments) {
        Ok(parsed) => parsed,
        Err(Stop::Help(help)) => return printed(&help, ExitCode::SUCCESS),
        Err(Stop::Wrong { message, .. }) => {
            return unknown(&format!("{message}; {} --help shows all flags", program.name));
        }
    };
    match ask(&parsed, socket_to_ask(parsed.value("socket"))) {
        Ok((text, code)) => printed(&text, code),
        Err(error) => unknown(&error.to_string()),
    }
}

/// Prints a text; `code` says how it ends, however much of the text anybody reads.
fn printed(text: &str, code: ExitCode) -> ExitCode {
    if text.is_empty() {
        return code;
    }
    match list::print(text) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            unknown(&format!("printing: {error}"))
        }
        _ => code,
    }
}

fn unknown(reason: &str) -> ExitCode {
    log::error!(target: "", "{reason}");
    UNKNOWN.into()
}
