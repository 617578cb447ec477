//! Asks other programs for processes.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output, Stdio};

use crate::plugin::Quoted;
use crate::system::ErrorWords;

/// Why a program gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// It could not be started.
    #[error("{program}: {}", ErrorWords(source))]
    Start {
        /// The program.
        program: String,
        /// What the system says.
        source: io::Error,
    },
    /// It says that it failed.
    #[error("error running {}: exit status {code}", Quoted::new(program))]
    Exit {
        /// The program.
        program: String,
        /// What it ended with.
        code: i32,
    },
    /// It was ended by a signal.
    #[error("error running {}: signal {signal}", Quoted::new(program))]
    Signal {
        /// The program.
        program: String,
        /// The signal's number.
        signal: i32,
    },
    /// It wrote something that is no number of a process.
    #[error("invalid pid {}", Quoted::new(.0))]
    Pid(String),
}

/// Runs a program and returns what it writes; an exit code of `nothing` is as good as none.
pub(super) fn output(
    program: &str,
    arguments: &[&str],
    nothing: i32,
) -> Result<String, CommandError> {
    let named = || program.to_owned();
    let Output { status, stdout, .. } = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .map_err(|source| CommandError::Start { program: named(), source })?;
    match (status.code(), status.signal()) {
        (Some(code), _) if code != 0 && code != nothing => {
            Err(CommandError::Exit { program: named(), code })
        }
        (None, Some(signal)) => Err(CommandError::Signal { program: named(), signal }),
        _ => Ok(String::from_utf8_lossy(&stdout).into_owned()),
    }
}

/// Reads the number of a process.
pub(super) fn parse_pid(text: &str) -> Result<i32, CommandError> {
    text.parse().map_err(|_| CommandError::Pid(text.to_owned()))
}

/// The numbers that `pgrep` writes.
pub(super) fn pgrep(program: &str, arguments: &[&str]) -> Result<Vec<i32>, CommandError> {
    // 1 means that there is no such process.
    let text = output(program, arguments, 1)?;
    text.split_ascii_whitespace().map(parse_pid).collect()
}

/// The main process of a systemd unit, if it has one.
pub(super) fn systemd_main_pid(unit: &str) -> Result<Option<i32>, CommandError> {
    let text = output("systemctl", &["show", unit], 0)?;
    let mut values = text.lines().filter_map(|line| line.strip_prefix("MainPID="));
    match values.next() {
        None | Some("" | "0") => Ok(None),
        Some(pid) => parse_pid(pid).map(Some),
    }
}

/// The systemd units that are installed and match one of the patterns.
pub(super) fn systemd_units(patterns: &[String]) -> Result<Vec<String>, CommandError> {
    let mut arguments = vec![
        "list-unit-files",
        "--no-legend",
        "--no-pager",
        "--state=enabled,disabled,static",
        "--",
    ];
    arguments.extend(patterns.iter().map(String::as_str));
    // It says 1 where nothing matches.
    let text = output("systemctl", &arguments, 1)?;
    let names = text.lines().filter_map(|line| line.split_ascii_whitespace().next());
    Ok(names.map(str::to_owned).collect())
}

/// A unit of supervisord.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SupervisorUnit {
    pub name: String,
    pub status: String,
    /// Why it does not run.
    pub error: Option<String>,
    /// The number of its process and how long it has run.
    pub running: Option<(String, String)>,
}

/// What supervisord says of units.
pub(super) fn supervisor_units(units: &[String]) -> Result<Vec<SupervisorUnit>, CommandError> {
    let mut arguments = vec!["status"];
    arguments.extend(units.iter().map(String::as_str));
    // 3 means that one of them is stopped.
    let text = output("supervisorctl", &arguments, 3)?;
    Ok(text.lines().filter_map(parse_supervisor).collect())
}

fn parse_supervisor(line: &str) -> Option<SupervisorUnit> {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let [name, status, rest @ ..] = words.as_slice() else { return None };
    let error = matches!(*status, "FATAL" | "EXITED" | "BACKOFF" | "STOPPING");
    // As in `RUNNING   pid 11779, uptime 17:41:16`.
    let running = match rest {
        ["pid", pid, "uptime", uptime @ ..] if *status == "RUNNING" => {
            let uptime = uptime.first().copied().unwrap_or_default();
            Some((pid.replace(',', ""), uptime.to_owned()))
        }
        _ => None,
    };
    Some(SupervisorUnit {
        name: (*name).to_owned(),
        status: (*status).to_owned(),
        error: error.then(|| rest.join(" ")),
        running,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_of_supervised_units_is_read() {
        let unit = |name: &str, status: &str| SupervisorUnit {
            name: name.into(),
            status: status.into(),
            error: None,
            running: None,
        };
        for (line, expected) in [
            (
                "web  RUNNING   pid 11779, uptime 17:41:16",
                Some(SupervisorUnit {
                    running: Some(("11779".into(), "17:41:16".into())),
                    ..unit("web", "RUNNING")
                }),
            ),
            (
                "db   FATAL     Exited too quickly",
                Some(SupervisorUnit {
                    error: Some("Exited too quickly".into()),
                    ..unit("db", "FATAL")
                }),
            ),
            ("x    STOPPED   Not started", Some(unit("x", "STOPPED"))),
            ("x    RUNNING", Some(unit("x", "RUNNING"))),
            ("word", None),
            ("", None),
        ] {
            assert_eq!(parse_supervisor(line), expected, "{line}");
        }
    }

    #[test]
    fn programs_answer_fail_or_have_nothing_to_say() {
        let run =
            |script: &str| output("sh", &["-c", script], 1).map_err(|error| error.to_string());
        assert_eq!(run("echo 1").unwrap(), "1\n");
        assert_eq!(run("exit 1").unwrap(), "");
        assert_eq!(run("exit 2").unwrap_err(), "error running \"sh\": exit status 2");
        assert_eq!(run("kill -9 $$").unwrap_err(), "error running \"sh\": signal 9");
        assert!(output("no-such-program", &[], 0).is_err());
        assert!(parse_pid("12x").is_err());
    }
}
