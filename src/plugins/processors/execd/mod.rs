//! Keeps a program running that metrics pass through.
//!
//! # References
//! Telegraf's `processors.execd`.

use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::metric::Metric;
use crate::plugin::settings::Duration;
use crate::plugin::{
    Build, BuildError, Context, Declaration, Parser, PluginLog, Processor, Serializer,
    ServiceAccumulator, StartError,
};
use crate::process::{
    OnFailure, Parsed, Patience, Process, Readers, Settings, for_each_piece, log_by_level,
};
use crate::system::Clock;

/// How much is read from the program at a time.
const BUFFER_BYTES: usize = 64 << 10;

/// The processor as the table lists it.
pub static PLUGIN: Declaration<dyn Processor> =
    Declaration::new::<Config>("execd", include_str!("sample.conf"));

/// The settings of the processor.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default)]
pub struct Config {
    /// The program and its arguments.
    pub command: Vec<String>,
    /// Variables to add to the environment, as `KEY=value`.
    pub environment: Vec<String>,
    /// How long a program that has ended stays down.
    pub restart_delay: Duration,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            command: Vec::new(),
            environment: Vec::new(),
            restart_delay: Duration::from_secs(10),
        }
    }
}

impl Build<dyn Processor> for Config {
    fn build(self, context: &Context<'_>) -> Result<Box<dyn Processor>, BuildError> {
        if self.command.is_empty() {
            return Err(BuildError::invalid("no command specified"));
        }
        Ok(Box::new(Execd {
            settings: Settings {
                command: self.command,
                environment: self.environment,
                restart_delay: self.restart_delay.to_std(),
                on_failure: OnFailure::Restart,
            },
            parser: Arc::new(Mutex::new(context.parser("influx")?)),
            serializer: context.serializer("influx")?,
            log: context.log.clone(),
            clock: context.system.clock.clone(),
            process: None,
            bytes: Vec::new(),
        }))
    }
}

/// A processor that is a program.
struct Execd {
    settings: Settings,
    parser: Arc<Mutex<Box<dyn Parser>>>,
    serializer: Box<dyn Serializer>,
    log: PluginLog,
    clock: Arc<dyn Clock>,
    process: Option<Process>,
    /// Kept for its memory.
    bytes: Vec<u8>,
}

impl Processor for Execd {
    fn start(&mut self, later: ServiceAccumulator) -> Result<(), StartError> {
        let parser = self.parser.clone();
        let log = self.log.clone();
        let stdout = move |stdout: &mut dyn Read| {
            let mut parser = parser.lock().unwrap_or_else(PoisonError::into_inner);
            let read = for_each_piece(stdout, &mut **parser, BUFFER_BYTES, |parsed| match parsed {
                Parsed::Metrics(mut metrics) => later.add_all(&mut metrics),
                Parsed::Error(error) => later.report(error),
                Parsed::Nothing => {}
            });
            if let Err(error) = read {
                log.error(format_args!("Error reading stdout: {error}"));
            }
        };
        let log = self.log.clone();
        let stderr = move |stderr: &mut dyn Read| {
            if let Err(error) = log_by_level(stderr, &log) {
                log.error(format_args!("Error reading stderr: {error}"));
            }
        };
        let readers = Readers { stdout: Box::new(stdout), stderr: Box::new(stderr) };
        let (log, clock) = (self.log.clone(), self.clock.clone());
        let process = Process::start(self.settings.clone(), readers, log, clock);
        self.process =
            Some(process.map_err(|error| StartError { retryable: false, source: error.into() })?);
        Ok(())
    }

    fn apply(&mut self, metrics: Vec<Metric>) -> Vec<Metric> {
        self.bytes.clear();
        for metric in &metrics {
            if let Err(error) = self.serializer.serialize(metric, &mut self.bytes) {
                self.log.error(format_args!("Error in plugin: metric serializing error: {error}"));
            }
        }
        let Some(process) = &self.process else { return Vec::new() };
        if let Err(error) = process.write(&self.bytes, Patience::Endless) {
            self.log
                .error(format_args!("Error in plugin: error writing to process stdin: {error}"));
        }
        Vec::new()
    }

    fn stop(&mut self) {
        self.process = None;
    }
}
