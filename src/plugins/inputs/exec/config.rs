//! The settings of the input, and the commands they come to.

use std::fmt;

use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::words::{SplitError, split};
use crate::plugin::Quoted;
use crate::plugin::settings::Duration;

/// The settings of the input.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default)]
pub struct Config {
    /// The commands to run.
    pub commands: Vec<Command>,
    /// One more command; the older form for a single one.
    pub command: String,
    /// Variables to add to the environment, as `KEY=value`.
    pub environment: Vec<String>,
    /// How long a command may take.
    pub timeout: Duration,
    /// Whether output counts also of a command that fails.
    pub ignore_error: bool,
    /// Whether what commands write to standard error goes to the log.
    pub log_stderr: bool,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            commands: Vec::new(),
            command: String::new(),
            environment: Vec::new(),
            timeout: Duration::from_secs(5),
            ignore_error: false,
            log_stderr: false,
        }
    }
}

/// A command in the settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Command {
    /// A line to be split into words.
    Line(String),
    /// The program and its arguments.
    Words(Vec<String>),
}

impl<'de> Deserialize<'de> for Command {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Command, D::Error> {
        struct CommandVisitor;

        impl<'de> Visitor<'de> for CommandVisitor {
            type Value = Command;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of the program and its arguments, or a command line")
            }

            fn visit_str<E: de::Error>(self, line: &str) -> Result<Command, E> {
                Ok(Command::Line(line.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut words: A) -> Result<Command, A::Error> {
                let mut command = Vec::new();
                while let Some(word) = words.next_element()? {
                    command.push(word);
                }
                Ok(Command::Words(command))
            }
        }

        deserializer.deserialize_any(CommandVisitor)
    }
}

/// Commands that cannot be run, whatever the machine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// There is none.
    #[error("no command specified")]
    None,
    /// There is one without a word.
    #[error("command cannot be empty")]
    Empty,
    /// There is one whose quotes do not end.
    #[error("unable to parse command {}: {source}", Quoted::new(line))]
    Split {
        /// The line.
        line: String,
        /// What is wrong with it.
        source: SplitError,
    },
}

impl Config {
    /// Warns of commands that are single texts, as Telegraf does, which will not take them for good.
    pub(super) fn log_lines(&self, commands: &[Vec<String>]) {
        // The older option comes last, and is a text always.
        let lines = self.commands.iter().map(|command| match command {
            Command::Line(line) => Some(line.as_str()),
            Command::Words(_) => None,
        });
        let lines = lines.chain([Some(self.command.as_str())]);
        for (words, line) in commands.iter().zip(lines) {
            let Some(line) = line else { continue };
            let words: Vec<_> = words.iter().map(|word| Quoted::new(word).to_string()).collect();
            log::warn!(
                target: "",
                "DeprecationWarning: Value \"{line}\" for option \"command\" of plugin \
                 \"inputs.exec\" deprecated since version 1.39.0 and will be removed in 1.45.0: Use \
                 array syntax instead: [{}]",
                words.join(",")
            );
        }
    }

    /// The commands as words, each at least one.
    pub(super) fn commands_as_words(&self) -> Result<Vec<Vec<String>>, CommandError> {
        let older = (!self.command.is_empty()).then(|| Command::Line(self.command.clone()));
        let words = |command: &Command| {
            let words = match command {
                Command::Words(words) => words.clone(),
                Command::Line(line) => split(line)
                    .map_err(|source| CommandError::Split { line: line.clone(), source })?,
            };
            if words.is_empty() { Err(CommandError::Empty) } else { Ok(words) }
        };
        let commands: Vec<_> =
            self.commands.iter().chain(&older).map(words).collect::<Result<_, _>>()?;
        if commands.is_empty() { Err(CommandError::None) } else { Ok(commands) }
    }

    /// The variables to add, as keys and values; what is no `KEY=value` has no effect.
    pub(super) fn variables(&self) -> Vec<(String, String)> {
        let pairs = self.environment.iter().filter_map(|entry| entry.split_once('='));
        pairs
            .filter(|(key, _)| !key.is_empty())
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect()
    }
}
