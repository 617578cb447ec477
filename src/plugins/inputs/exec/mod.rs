//! Runs commands and parses what they write.
//!
//! # References
//! Telegraf's `inputs.exec`.

mod config;
mod run;
mod words;

use std::borrow::Cow;
use std::path::Path;
use std::thread;

use crossbeam_channel::{Sender, unbounded};

use crate::metric::Metric;
use crate::plugin::{
    Accumulator, Build, BuildError, Context, Declaration, Input, Parser, PluginError, PluginLog,
    ProgramExit, Quoted,
};
use crate::system::{Glob, System};

pub use config::{Command, CommandError, Config};
pub use run::RunError;
use run::{Ran, run};
pub use words::SplitError;

/// How many bytes of what a failed command wrote to standard error go into its error.
const SHOWN_BYTES: usize = 512;

/// The input as the table lists it.
pub static PLUGIN: Declaration<dyn Input> =
    Declaration::new::<Config>("exec", include_str!("sample.conf"));

impl Build<dyn Input> for Config {
    fn build(self, context: &Context<'_>) -> Result<Box<dyn Input>, BuildError> {
        let parser = context.parser("json")?;
        let commands = self.commands_as_words().map_err(BuildError::invalid)?;
        self.log_lines(&commands);
        let runner = Runner {
            commands,
            variables: self.variables(),
            config: self,
            system: context.system.clone(),
            log: context.log.clone(),
        };
        // As in Telegraf, which keeps this default of one parser for this input only.
        let memory = match context.settings().get("csv_reset_mode") {
            Some(_) => ParserMemory::AsParserSays,
            None => ParserMemory::OneOutput,
        };
        Ok(Box::new(Exec { runner, parser, memory, has_told_of_no_metrics: false }))
    }
}

/// Why a command gave no metrics.
#[derive(Debug, thiserror::Error)]
pub enum ExecError {
    /// It failed.
    #[error("exec: {source} for command {}: {stderr}", Quoted::new(command))]
    Run {
        /// The command, its words joined by blanks.
        command: String,
        /// The first line it wrote to standard error.
        stderr: String,
        /// How it failed.
        source: RunError,
    },
    /// The parser does not understand what it wrote.
    #[error("exec: could not parse the output of command {}: {source}", Quoted::new(command))]
    Parse {
        /// The command, its words joined by blanks.
        command: String,
        /// What the parser says.
        source: PluginError,
    },
}

/// An input that runs commands.
struct Exec {
    runner: Runner,
    parser: Box<dyn Parser>,
    memory: ParserMemory,
    has_told_of_no_metrics: bool,
}

/// How long the parser remembers what it has read, such as a header.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ParserMemory {
    /// Until the command has ended: each output has a header of its own.
    OneOutput,
    /// As long as its own options say.
    AsParserSays,
}

/// The part of the input that runs commands, which threads share.
struct Runner {
    config: Config,
    commands: Vec<Vec<String>>,
    variables: Vec<(String, String)>,
    system: System,
    log: PluginLog,
}

impl Runner {
    /// The commands with patterns for programs replaced by the programs there are.
    fn expanded(&self) -> Vec<Vec<String>> {
        let mut expanded = Vec::new();
        for command in &self.commands {
            let Some((program, arguments)) = command.split_first() else { continue };
            let paths = match Glob::for_commands(program) {
                Ok(glob) => glob.paths(),
                Err(error) => {
                    let program = Quoted::new(program);
                    self.log.error(format_args!("Matching command {program} failed: {error}"));
                    continue;
                }
            };
            if paths.is_empty() || !program.contains(['*', '?', '[', '\\']) {
                // It is looked for where programs are.
                expanded.push(command.clone());
                continue;
            }
            for path in paths {
                // What a pattern finds here is meant, not a program of that name elsewhere.
                let path = if path.parent() == Some(Path::new("")) {
                    Path::new(".").join(path)
                } else {
                    path
                };
                let program = path.to_string_lossy().into_owned();
                expanded.push([vec![program], arguments.to_vec()].concat());
            }
        }
        expanded
    }

    /// Runs all commands at the same time, and sends what came of each as soon as it ends.
    fn run_all<'scope>(
        &'scope self,
        scope: &'scope thread::Scope<'scope, '_>,
        commands: &'scope [Vec<String>],
        ended: &Sender<(&'scope [String], Ran)>,
    ) {
        for command in commands {
            let ended = ended.clone();
            let run = move || {
                let timeout = self.config.timeout.to_std();
                let ran = run(command, &self.variables, timeout, &*self.system.clock);
                // The receiver waits for every command.
                let _ = ended.send((command, ran));
            };
            let name = "exec".to_owned();
            if let Err(error) = thread::Builder::new().name(name).spawn_scoped(scope, run) {
                let command = Quoted::new(&command[0]);
                self.log.error(format_args!("Starting a thread for {command} failed: {error}"));
            }
        }
    }

    /// Says why there is no output to parse, if a command has failed.
    fn check(&self, command: &[String], ran: &mut Ran) -> Result<(), ExecError> {
        if self.config.ignore_error {
            return Ok(());
        }
        std::mem::replace(&mut ran.result, Ok(())).map_err(|source| {
            let stderr = String::from_utf8_lossy(&self.shown(&ran.stderr)).into_owned();
            ExecError::Run { command: command.join(" "), stderr, source }
        })
    }

    /// What is shown of what a failed command wrote to standard error.
    fn shown<'s>(&self, stderr: &'s [u8]) -> Cow<'s, [u8]> {
        match self.log.is_debug() {
            true => Cow::Borrowed(stderr),
            false => Cow::Owned(first_line(stderr.to_vec())),
        }
    }

    /// Adds how a command has ended to the metrics of its output.
    fn add_exit(&self, ran: &Ran, parser: &dyn Parser, metrics: &mut Vec<Metric>) {
        let reason;
        let code = match &ran.result {
            Ok(()) => Ok(0),
            Err(RunError::Exit(code)) => Ok(*code),
            // As the original numbers it.
            Err(RunError::Signal { .. }) => Ok(-1),
            Err(error) => {
                reason = error.to_string();
                Err(reason.as_str())
            }
        };
        parser.add_exit(&ProgramExit { code, stderr: &self.shown(&ran.stderr) }, metrics);
    }

    fn tell_of_no_metrics(&self, command: &[String]) {
        self.log.debug(format_args!(
            "No metrics came out of command {}; if some should have, look at the options of the \
             parser. This is said only once.",
            Quoted::new(&command.join(" "))
        ));
    }

    /// Logs each line at the level that it begins with.
    fn log_lines(&self, stderr: &[u8]) {
        for line in String::from_utf8_lossy(stderr).lines() {
            match line.split_at_checked(3) {
                _ if line.trim().is_empty() => {}
                Some(("E! ", message)) => self.log.error(message),
                Some(("W! ", message)) => self.log.warn(message),
                Some(("I! ", message)) => self.log.info(message),
                Some(("D! " | "T! ", message)) => self.log.debug(message),
                _ => self.log.error(line),
            }
        }
    }
}

/// The first line, and at most so much of it; dots if that is not all.
fn first_line(mut text: Vec<u8>) -> Vec<u8> {
    let mut is_cut = text.len() > SHOWN_BYTES;
    text.truncate(SHOWN_BYTES);
    if let Some(end) = memchr::memchr(b'\n', &text)
        && end > 0
    {
        // The line end itself is nothing to miss.
        is_cut |= end + 1 < text.len();
        text.truncate(end);
    }
    if is_cut {
        text.extend_from_slice(b"...");
    }
    text
}

impl Input for Exec {
    fn gather(&mut self, accumulator: &mut Accumulator<'_>) -> Result<(), PluginError> {
        let Exec { runner, parser, memory, has_told_of_no_metrics } = self;
        let commands = runner.expanded();
        thread::scope(|scope| {
            let (ended, receiver) = unbounded();
            runner.run_all(scope, &commands, &ended);
            drop(ended);
            // Each output is parsed as soon as it is there: metrics without a time of their own
            // get that of the parsing, and one slow command must not delay all others.
            for (command, mut ran) in receiver {
                let mut gather = || {
                    if !parser.reads_exits() {
                        runner.check(command, &mut ran)?;
                    }
                    if runner.config.log_stderr {
                        runner.log_lines(&ran.stderr);
                    }
                    if *memory == ParserMemory::OneOutput {
                        parser.reset();
                    }
                    let mut metrics = parse(&mut **parser, command, &ran.stdout)?;
                    if metrics.is_empty() && !*has_told_of_no_metrics {
                        *has_told_of_no_metrics = true;
                        runner.tell_of_no_metrics(command);
                    }
                    if parser.reads_exits() {
                        runner.add_exit(&ran, &**parser, &mut metrics);
                    }
                    metrics.into_iter().for_each(|metric| accumulator.add(metric));
                    Ok::<_, ExecError>(())
                };
                if let Err(error) = gather() {
                    accumulator.report(error);
                }
            }
        });
        Ok(())
    }
}

fn parse(
    parser: &mut dyn Parser,
    command: &[String],
    output: &[u8],
) -> Result<Vec<Metric>, ExecError> {
    parser.parse(output).map_err(|source| ExecError::Parse { command: command.join(" "), source })
}

#[cfg(test)]
mod tests;
