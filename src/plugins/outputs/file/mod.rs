//! Appends metrics to files, or writes them to the standard output.
//!
//! # References
//! Telegraf's `outputs.file`.

mod compression;
mod target;

use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::metric::Metric;
use crate::plugin::settings::{Duration, Size};
use crate::plugin::{
    Build, BuildError, ConnectError, Context, Declaration, Output, PluginError, PluginLog,
    Rejection, Serializer, WriteError,
};
use crate::system::Clock;

use compression::Compression;
pub use compression::CompressionError;
pub use target::FileError;
use target::{LogFile, Rotation, Target};

/// The output as the table lists it.
pub static PLUGIN: Declaration<dyn Output> =
    Declaration::new::<Config>("file", include_str!("sample.conf"));

/// The settings of the output.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default)]
pub struct Config {
    /// Paths of the files; `stdout` is the standard output, and what an empty list means.
    pub files: Vec<String>,
    /// Whether a batch is serialized as a whole.
    pub use_batch_format: bool,
    /// The age at which a file is put aside; zero for never.
    pub rotation_interval: Duration,
    /// The size at which a file is put aside; zero for never.
    pub rotation_max_size: Size,
    /// How many files that were put aside are kept; -1 for all.
    pub rotation_max_archives: i64,
    /// `zstd`, `gzip`, `zlib`, or empty for none.
    pub compression_algorithm: String,
    /// The level of that algorithm; negative for its default.
    pub compression_level: i32,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            files: vec!["stdout".into()],
            use_batch_format: false,
            rotation_interval: Duration::ZERO,
            rotation_max_size: Size::from_bytes(0),
            rotation_max_archives: 5,
            compression_algorithm: String::new(),
            compression_level: -1,
        }
    }
}

impl Build<dyn Output> for Config {
    fn build(self, context: &Context<'_>) -> Result<Box<dyn Output>, BuildError> {
        let keep = match self.rotation_max_archives {
            -1 => None,
            keep => Some(usize::try_from(keep).map_err(|_| {
                BuildError::invalid(format!(
                    "rotation_max_archives must be -1 for all, or a number of files; found {keep}"
                ))
            })?),
        };
        let interval = self.rotation_interval.to_std();
        Ok(Box::new(FileOutput {
            serializer: context.serializer("influx")?,
            compression: Compression::from_options(
                &self.compression_algorithm,
                self.compression_level,
            )
            .map_err(BuildError::invalid)?,
            rotation: Rotation {
                interval: (!interval.is_zero()).then_some(interval),
                max_bytes: Some(self.rotation_max_size.bytes()).filter(|bytes| *bytes > 0),
                keep,
            },
            format: if self.use_batch_format { Format::Batches } else { Format::Metrics },
            files: if self.files.is_empty() { vec!["stdout".into()] } else { self.files },
            clock: context.system.clock.clone(),
            log: context.log.clone(),
            targets: Vec::new(),
            room: Vec::new(),
        }))
    }
}

/// What the serializer is given at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Metrics,
    Batches,
}

/// An output to files.
struct FileOutput {
    serializer: Box<dyn Serializer>,
    compression: Compression,
    rotation: Rotation,
    format: Format,
    files: Vec<String>,
    clock: Arc<dyn Clock>,
    log: PluginLog,
    targets: Vec<Target>,
    /// What the last batch was serialized in, empty again, if that is worth keeping.
    room: Vec<u8>,
}

/// The most bytes that are kept from one batch to the next: getting much memory anew for each
/// costs as much as filling it, and keeping more for the rare large one would be a waste.
const MOST_ROOM: usize = 2 << 20;

/// A batch as bytes.
struct Serialized {
    bytes: Vec<u8>,
    /// Places in the batch of the metrics that are in `bytes`, and where each ends there; only the
    /// last one counts as a place to cut at if the bytes are one whole.
    parts: Vec<(usize, usize)>,
    rejected: Vec<Rejection>,
}

impl FileOutput {
    fn serialize(&mut self, batch: &[Metric]) -> Result<Serialized, WriteError> {
        let mut bytes = std::mem::take(&mut self.room);
        let mut parts = Vec::with_capacity(batch.len());
        let mut rejected = Vec::new();
        match self.format {
            Format::Metrics => {
                for (index, metric) in batch.iter().enumerate() {
                    match self.serializer.serialize(metric, &mut bytes) {
                        Ok(()) => parts.push((index, bytes.len())),
                        Err(reason) => rejected.push(Rejection { index, reason }),
                    }
                }
            }
            Format::Batches => {
                rejected = self
                    .serializer
                    .serialize_batch(batch, &mut bytes)
                    .map_err(reject_all(batch))?;
                let is_written =
                    |index: &usize| rejected.iter().all(|rejection| rejection.index != *index);
                parts.extend((0..batch.len()).filter(is_written).map(|index| (index, bytes.len())));
            }
        }
        if self.compression != Compression::None && !bytes.is_empty() {
            bytes = self.compression.apply(bytes).map_err(WriteError::retry)?;
            parts.iter_mut().for_each(|(_, end)| *end = bytes.len());
        }
        Ok(Serialized { bytes, parts, rejected })
    }

    /// Writes to every target, or to none as far as that can be had.
    fn write_to_all(&mut self, bytes: &[u8]) -> Result<(), FileError> {
        for at in 0..self.targets.len() {
            if let Err(error) = self.targets[at].write(bytes) {
                self.targets[..at].iter_mut().for_each(Target::take_back);
                return Err(error);
            }
        }
        Ok(())
    }

    /// Writes in pieces that end where a file has reached its size.
    ///
    /// The error comes with the number of metrics that were written before it.
    fn write_in_pieces(&mut self, serialized: &Serialized) -> Result<(), (usize, FileError)> {
        let parts = &serialized.parts;
        let (mut done, mut written_bytes) = (0, 0);
        while done < parts.len() {
            let room = self.targets.iter().map(Target::room).min().unwrap_or(u64::MAX);
            let fills = |(_, end): &(usize, usize)| (end - written_bytes) as u64 >= room;
            let last = parts[done..].iter().position(fills).map_or(parts.len() - 1, |at| done + at);
            let end = parts[last].1;
            if end > written_bytes {
                self.write_to_all(&serialized.bytes[written_bytes..end])
                    .map_err(|error| (done, error))?;
            }
            (done, written_bytes) = (last + 1, end);
            self.rotate();
        }
        Ok(())
    }

    fn keep_room(&mut self, mut bytes: Vec<u8>) {
        if bytes.capacity() <= MOST_ROOM {
            bytes.clear();
            self.room = bytes;
        }
    }

    fn rotate(&mut self) {
        let now = self.clock.now();
        for target in &mut self.targets {
            // What was written is in a file all the same, under its old name.
            if let Err(error) = target.rotate_if_due(now) {
                self.log.error(error);
            }
        }
    }
}

/// Makes the error of a batch that can never be written, whatever is tried.
fn reject_all(batch: &[Metric]) -> impl FnOnce(PluginError) -> WriteError {
    let count = batch.len();
    move |source| {
        let source: Arc<dyn std::error::Error + Send + Sync> = Arc::from(source);
        let reject = |index| Rejection { index, reason: Box::new(source.clone()) };
        WriteError::Partial {
            retry: Vec::new(),
            rejected: (0..count).map(reject).collect(),
            source: Box::new(source.clone()),
        }
    }
}

impl Output for FileOutput {
    fn connect(&mut self) -> Result<(), ConnectError> {
        self.targets.clear();
        let now = self.clock.now();
        for path in self.files.iter().filter(|path| *path != "stdout") {
            let opened = LogFile::open(Path::new(path), self.rotation, now);
            let file =
                opened.map_err(|error| ConnectError { retryable: true, source: error.into() })?;
            self.targets.push(Target::File(file));
        }
        // What went to the standard output cannot be taken back, so it is written last.
        let stdouts = self.files.iter().filter(|path| *path == "stdout").count();
        self.targets.extend((0..stdouts).map(|_| Target::Stdout));
        Ok(())
    }

    fn write(&mut self, batch: &[Metric]) -> Result<(), WriteError> {
        let mut serialized = self.serialize(batch)?;
        let rejected = std::mem::take(&mut serialized.rejected);
        let written = self.write_in_pieces(&serialized);
        self.keep_room(std::mem::take(&mut serialized.bytes));
        match written {
            Ok(()) => match rejected.first() {
                None => Ok(()),
                Some(first) => {
                    let source = format!("could not serialize metric: {}", first.reason).into();
                    Err(WriteError::Partial { retry: Vec::new(), rejected, source })
                }
            },
            Err((0, error)) if rejected.is_empty() => Err(WriteError::retry(error)),
            Err((done, error)) => Err(WriteError::Partial {
                retry: serialized.parts[done..].iter().map(|(index, _)| *index).collect(),
                rejected,
                source: error.into(),
            }),
        }
    }

    fn close(&mut self) -> Result<(), PluginError> {
        self.rotate();
        self.targets.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests;
