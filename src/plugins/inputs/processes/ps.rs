//! Counting processes where there is no `/proc`, by asking ps(1).

use std::io;
use std::process::Command;

use super::Counts;
use crate::plugin::{PluginError, PluginLog, Quoted};
use crate::system::ErrorWords;

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum As {
    /// The agent's own user.
    Oneself,
    /// The superuser, if sudo lets it without a password.
    Superuser,
}

/// Runs ps and returns what it prints: the state of every process.
///
/// # Errors
/// If it cannot be run or fails.
pub(super) fn run(who: As) -> Result<Vec<u8>, PluginError> {
    let (program, arguments) = match who {
        As::Oneself => ("ps", &["axo", "state"][..]),
        As::Superuser => ("sudo", &["-n", "ps", "axo", "state"][..]),
    };
    let output = Command::new(program).args(arguments).output();
    let output = output.map_err(|error: io::Error| {
        format!("exec: {}: {}", Quoted::new(program), ErrorWords(&error))
    })?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{program} {}: {}: {}", arguments.join(" "), output.status, said.trim()).into())
}

/// Counts the states; their first letter tells.
pub(super) fn count(output: &[u8], log: &PluginLog) -> Counts {
    let mut counts = Counts::default();
    let words = output.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    for (at, word) in words.enumerate() {
        if at == 0 && word == b"STAT" {
            continue;
        }
        match word[0] {
            b'W' => counts.wait += 1,
            // On BSD these wait for a disk or another thing that cannot be interrupted.
            b'U' | b'D' | b'L' => counts.blocked += 1,
            b'Z' => counts.zombies += 1,
            b'X' => counts.dead += 1,
            b'T' => counts.stopped += 1,
            b'R' => counts.running += 1,
            b'S' => counts.sleeping += 1,
            b'I' => counts.idle += 1,
            b'?' => counts.unknown += 1,
            state => {
                log.info(format_args!("Unknown state {} from ps", Quoted::new(&[state])));
            }
        }
        counts.total += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_letter_tells_and_the_heading_is_none() {
        let log = PluginLog::new("inputs.processes");
        let counts = count(b"STAT\nSs\nR+\nU\nL\nD\nZ\n?\nI\nX\nT\nW\n-\n", &log);
        let expected = Counts {
            blocked: 3,
            zombies: 1,
            stopped: 1,
            running: 1,
            sleeping: 1,
            unknown: 1,
            idle: 1,
            dead: 1,
            wait: 1,
            total: 12,
            ..Counts::default()
        };
        assert_eq!(counts, expected);
        assert_eq!(count(b"", &log), Counts::default());
    }
}
