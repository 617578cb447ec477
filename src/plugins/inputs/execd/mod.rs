//! Keeps a program running and parses what it writes.
//!
//! # References
//! Telegraf's `inputs.execd`.

use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration as StdDuration;

use serde::{Deserialize, Serialize};

use crate::plugin::settings::{Duration, Size};
use crate::plugin::{
    Accumulator, Build, BuildError, Context, Declaration, Input, Parser, PluginError,
    ServiceAccumulator, StartError,
};
use crate::process::{
    OnFailure, Parsed, Patience, Process, Reader, Readers, Settings, Signal, for_each_piece,
    log_by_level,
};
use crate::system::System;

/// How long the program may take to read the line end that asks it for metrics.
const STDIN_PATIENCE: StdDuration = StdDuration::from_secs(1);

/// The input as the table lists it.
pub static PLUGIN: Declaration<dyn Input> =
    Declaration::new::<Config>("execd", include_str!("sample.conf"));

/// The settings of the input.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default)]
pub struct Config {
    /// The program and its arguments.
    pub command: Vec<String>,
    /// Variables to add to the environment, as `KEY=value`.
    pub environment: Vec<String>,
    /// How much is read at a time.
    pub buffer_size: Size,
    /// How the program is asked for metrics: `none`, `STDIN`, `SIGHUP`, `SIGUSR1` or `SIGUSR2`.
    pub signal: String,
    /// How long a program that has ended stays down.
    pub restart_delay: Duration,
    /// Whether a program that fails is not started again.
    pub stop_on_error: bool,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            command: Vec::new(),
            environment: Vec::new(),
            buffer_size: Size::from_bytes(64 << 10),
            signal: "none".into(),
            restart_delay: Duration::from_secs(10),
            stop_on_error: false,
        }
    }
}

impl Build<dyn Input> for Config {
    fn build(self, context: &Context<'_>) -> Result<Box<dyn Input>, BuildError> {
        if self.command.is_empty() {
            return Err(BuildError::invalid("no command specified"));
        }
        let settings = Settings {
            command: self.command,
            environment: self.environment,
            restart_delay: self.restart_delay.to_std(),
            on_failure: if self.stop_on_error { OnFailure::Stop } else { OnFailure::Restart },
        };
        Ok(Box::new(Execd {
            settings,
            buffer_bytes: usize::try_from(self.buffer_size.bytes()).unwrap_or(usize::MAX),
            signal: self.signal,
            parser: Arc::new(Mutex::new(context.parser("influx")?)),
            system: context.system.clone(),
            process: None,
        }))
    }
}

/// An input that keeps a program running.
struct Execd {
    settings: Settings,
    buffer_bytes: usize,
    signal: String,
    parser: Arc<Mutex<Box<dyn Parser>>>,
    system: System,
    process: Option<Process>,
}

impl Execd {
    fn stdout_reader(&self, accumulator: ServiceAccumulator) -> Reader {
        let parser = self.parser.clone();
        let buffer_bytes = self.buffer_bytes;
        let mut has_told_of_no_metrics = false;
        Box::new(move |stdout: &mut dyn Read| {
            let mut parser = parser.lock().unwrap_or_else(PoisonError::into_inner);
            let read = for_each_piece(stdout, &mut **parser, buffer_bytes, |parsed| match parsed {
                Parsed::Metrics(mut metrics) => accumulator.add_all(&mut metrics),
                Parsed::Error(error) => accumulator.report(error),
                Parsed::Nothing if has_told_of_no_metrics => {}
                Parsed::Nothing => {
                    has_told_of_no_metrics = true;
                    accumulator.log().debug(
                        "No metrics came out of a line; if some should have, look at the options \
                         of the parser. This is said only once.",
                    );
                }
            });
            if let Err(error) = read {
                accumulator.report(format!("error reading stdout: {error}"));
            }
        })
    }
}

impl Input for Execd {
    fn start(&mut self, accumulator: ServiceAccumulator) -> Result<(), StartError> {
        let log = accumulator.log().clone();
        let stdout = self.stdout_reader(accumulator.clone());
        let stderr_log = log.clone();
        let stderr = move |stderr: &mut dyn Read| {
            if let Err(error) = log_by_level(stderr, &stderr_log) {
                accumulator.report(format!("error reading stderr: {error}"));
            }
        };
        let readers = Readers { stdout, stderr: Box::new(stderr) };
        let clock = self.system.clock.clone();
        let process = Process::start(self.settings.clone(), readers, log.clone(), clock);
        self.process =
            Some(process.map_err(|error| StartError { retryable: false, source: error.into() })?);
        Ok(())
    }

    fn gather(&mut self, _: &mut Accumulator<'_>) -> Result<(), PluginError> {
        let Some(process) = &self.process else { return Ok(()) };
        let signal = match self.signal.as_str() {
            "none" => return Ok(()),
            "STDIN" => {
                return process
                    .write(b"\n", Patience::AtMost(STDIN_PATIENCE))
                    .map_err(|error| format!("writing to stdin failed: {error}").into());
            }
            "SIGHUP" => Signal::HUP,
            "SIGUSR1" => Signal::USR1,
            "SIGUSR2" => Signal::USR2,
            other => return Err(format!("invalid signal: {other}").into()),
        };
        Ok(process.signal(signal)?)
    }

    fn stop(&mut self) {
        self.process = None;
    }

    fn is_service(&self) -> bool {
        true
    }
}
