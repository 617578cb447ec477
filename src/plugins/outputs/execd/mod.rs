//! Keeps a program running and writes metrics to its standard input.
//!
//! # References
//! Telegraf's `outputs.execd`.

use std::io::Read;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::metric::Metric;
use crate::plugin::settings::Duration;
use crate::plugin::{
    Build, BuildError, ConnectError, Context, Declaration, Output, PluginError, PluginLog,
    Rejection, Serializer, WriteError,
};
use crate::process::{OnFailure, Patience, Process, Reader, Readers, Settings, for_each_line};
use crate::system::Clock;

/// A longer line that the program writes is logged in pieces.
const MOST_LINE_BYTES: usize = 64 << 10;

/// The output as the table lists it.
pub static PLUGIN: Declaration<dyn Output> =
    Declaration::new::<Config>("execd", include_str!("sample.conf"));

/// The settings of the output.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Config {
    /// The program and its arguments.
    pub command: Vec<String>,
    /// Variables to add to the environment, as `KEY=value`.
    pub environment: Vec<String>,
    /// How long a program that has ended stays down.
    pub restart_delay: Duration,
    /// Whether metrics that cannot be serialized are left out rather than void the batch.
    pub ignore_serialization_error: bool,
    /// Whether a batch is serialized as a whole.
    pub use_batch_format: bool,
}

impl Build<dyn Output> for Config {
    fn build(self, context: &Context<'_>) -> Result<Box<dyn Output>, BuildError> {
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
            format: if self.use_batch_format {
                Format::Batches
            } else {
                Format::Metrics(if self.ignore_serialization_error {
                    Unserializable::Skip
                } else {
                    Unserializable::Fail
                })
            },
            serializer: context.serializer("influx")?,
            log: context.log.clone(),
            clock: context.system.clock.clone(),
            process: None,
            bytes: Vec::new(),
        }))
    }
}

/// What the serializer is given at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Metrics(Unserializable),
    Batches,
}

/// What a metric that cannot be serialized means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unserializable {
    /// It is logged and left out.
    Skip,
    /// The batch fails there.
    Fail,
}

/// Why metrics did not get to the program.
#[derive(Debug, thiserror::Error)]
pub enum ExecdError {
    /// Metrics have no form in the format.
    #[error("error serializing metrics: {0}")]
    Serialize(PluginError),
    /// The program does not take them.
    #[error("error writing metrics: {0}")]
    Write(#[from] crate::process::WriteError),
}

/// An output to a program.
struct Execd {
    settings: Settings,
    format: Format,
    serializer: Box<dyn Serializer>,
    log: PluginLog,
    clock: Arc<dyn Clock>,
    process: Option<Process>,
    /// Kept for its memory.
    bytes: Vec<u8>,
}

impl Execd {
    fn reader(&self, log_line: impl Fn(&PluginLog, &str) + Send + 'static) -> Reader {
        let log = self.log.clone();
        Box::new(move |stream: &mut dyn Read| {
            let read = for_each_line(stream, MOST_LINE_BYTES, |line| {
                log_line(&log, &String::from_utf8_lossy(line));
            });
            if let Err(error) = read {
                log.error(format_args!("Error reading stderr: {error}"));
            }
        })
    }

    /// Writes metrics to the program that are whole pieces of its input.
    fn send(&self, bytes: &[u8]) -> Result<(), ExecdError> {
        let process = self.process.as_ref().ok_or(crate::process::WriteError::Closed)?;
        Ok(process.write(bytes, Patience::Endless)?)
    }

    fn write_batch(&mut self, batch: &[Metric]) -> Result<Vec<Rejection>, ExecdError> {
        self.bytes.clear();
        let rejected = self
            .serializer
            .serialize_batch(batch, &mut self.bytes)
            .map_err(ExecdError::Serialize)?;
        self.send(&self.bytes)?;
        Ok(rejected)
    }
}

impl Output for Execd {
    fn connect(&mut self) -> Result<(), ConnectError> {
        let readers = Readers {
            stdout: self.reader(|log, line| log.info(line)),
            stderr: self.reader(|log, line| log.error(format_args!("stderr: {line}"))),
        };
        let (log, clock) = (self.log.clone(), self.clock.clone());
        let process = Process::start(self.settings.clone(), readers, log, clock);
        self.process =
            Some(process.map_err(|error| ConnectError { retryable: false, source: error.into() })?);
        Ok(())
    }

    fn write(&mut self, batch: &[Metric]) -> Result<(), WriteError> {
        let skip = match self.format {
            Format::Metrics(unserializable) => unserializable == Unserializable::Skip,
            Format::Batches => {
                let rejected = self.write_batch(batch).map_err(WriteError::retry)?;
                let Some(first) = rejected.first() else { return Ok(()) };
                let source = ExecdError::Serialize(first.reason.to_string().into()).into();
                return Err(WriteError::Partial { retry: Vec::new(), rejected, source });
            }
        };
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.clear();
        let mut rejected = Vec::new();
        let mut failed_at = None;
        for (index, metric) in batch.iter().enumerate() {
            match self.serializer.serialize(metric, &mut bytes) {
                Ok(()) => {}
                Err(reason) if skip => {
                    self.log.error(format_args!(
                        "Skipping metric due to a serialization error: {reason}"
                    ));
                    rejected.push(Rejection { index, reason });
                }
                Err(reason) => {
                    failed_at = Some((index, reason));
                    break;
                }
            }
        }
        let sent = self.send(&bytes);
        self.bytes = bytes;
        sent.map_err(WriteError::retry)?;
        match failed_at {
            // Those before it are with the program. It would fail again and again, so it is given
            // up, and those behind it are tried again.
            Some((index, reason)) => Err(WriteError::Partial {
                retry: (index + 1..batch.len()).collect(),
                source: ExecdError::Serialize(reason.to_string().into()).into(),
                rejected: vec![Rejection { index, reason }],
            }),
            None if rejected.is_empty() => Ok(()),
            None => {
                let source = format!("{} metrics could not be serialized", rejected.len()).into();
                Err(WriteError::Partial { retry: Vec::new(), rejected, source })
            }
        }
    }

    fn close(&mut self) -> Result<(), PluginError> {
        self.process = None;
        Ok(())
    }
}
