//! The buffer in files: a spool with one reader.
//!
//! As with Telegraf's `disk_write_through` all metrics go through the files, and there is no limit
//! to their number but the disk's size. Other than there they come again after a start even if an
//! input waits to hear of them: it may not be able to tell them again.
//!
//! # References
//! Telegraf's `models/buffer_disk.go`.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{BatchEnd, Leftover};
use crate::metric::{Companion, Metric};
use crate::plugin::{PluginLog, WriteError};
use crate::spool::{CursorId, Limits, Notice, Spool, SpoolOptions, Start, Sync};
use crate::system::{Clock, DataFiles, DataFolder, DataFolderError, ErrorWords};

/// The spool's only reader.
const READER: &str = "output";

/// Why metrics in files cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum BufferError {
    /// The folder is not to be had.
    #[error(transparent)]
    Folder(#[from] DataFolderError),
    /// Files in it cannot be read.
    #[error("reading the buffer in {} failed: {}", .folder.display(), ErrorWords(source))]
    Read {
        /// The folder.
        folder: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// Unwritten metrics in files.
pub struct DiskBuffer {
    spool: Spool,
    reader: CursorId,
    folder: PathBuf,
    log: PluginLog,
    /// What goes along with metrics; of it only their records go to a file.
    companions: HashMap<u64, Companion>,
    /// The numbers of the metrics that are out for writing, in their order.
    out: Vec<u64>,
    /// Those among them that hold no metric.
    undecodable: Vec<u64>,
    /// How many losses of the spool have been told.
    overflow_told: u64,
    unreadable_told: u64,
    /// How many records held no metric.
    n_undecodable: u64,
}

impl DiskBuffer {
    pub(super) fn open(
        folder: &Path,
        sync: Sync,
        clock: Arc<dyn Clock>,
        log: PluginLog,
    ) -> Result<DiskBuffer, BufferError> {
        let files = DataFolder::open(folder)?;
        let failed = |source| BufferError::Read { folder: folder.to_owned(), source };
        warn_about_strangers(&files.list().map_err(failed)?, folder, &log);
        let options = SpoolOptions::new(Limits::DISK, sync);
        let mut spool = Spool::open(Box::new(files), options, clock).map_err(failed)?;
        let reader = spool.cursor(READER, Start::Oldest);
        let mut buffer = DiskBuffer {
            spool,
            reader,
            folder: folder.to_owned(),
            log,
            companions: HashMap::new(),
            out: Vec::new(),
            undecodable: Vec::new(),
            overflow_told: 0,
            unreadable_told: 0,
            n_undecodable: 0,
        };
        buffer.tell_notices();
        let waiting = buffer.held();
        if waiting > 0 {
            let folder = buffer.folder.display();
            buffer.log.info(format_args!("{waiting} metrics wait in {folder} from before"));
        }
        Ok(buffer)
    }

    pub(super) fn len(&self) -> usize {
        self.held().saturating_sub(self.out.len())
    }

    pub(super) fn held(&self) -> usize {
        usize::try_from(self.spool.waiting(self.reader)).unwrap_or(usize::MAX)
    }

    pub(super) fn add(&mut self, mut metric: Metric) -> usize {
        let Some(number) = self.spool.push(|out| metric.encode(out)) else { return 1 };
        if !metric.companion.is_none() {
            self.companions.insert(number, std::mem::take(&mut metric.companion));
        }
        self.newly_dropped()
    }

    pub(super) fn commit(&mut self) {
        self.spool.commit();
        self.tell_notices();
    }

    pub(super) fn begin(&mut self, size: usize) -> Result<Vec<Metric>, BufferError> {
        self.spool.sync_if_due();
        self.out.clear();
        let mut batch = Vec::with_capacity(size.min(self.held()));
        let (out, undecodable) = (&mut self.out, &mut self.undecodable);
        let mut why = None;
        let result =
            self.spool.read(self.reader, size, |number, bytes| match Metric::decode(bytes) {
                Ok(metric) => {
                    batch.push(metric);
                    out.push(number);
                }
                Err(error) => {
                    undecodable.push(number);
                    why = Some(error);
                }
            });
        if let Some(error) = why {
            let count = self.undecodable.len();
            let folder = self.folder.display();
            self.log.error(format_args!("{count} metrics in {folder} are lost: {error}"));
        }
        if batch.is_empty() || result.is_err() {
            self.out.clear();
            self.finish(&[]);
        }
        self.tell_notices();
        match result {
            Ok(_) => Ok(batch),
            Err(source) => Err(BufferError::Read { folder: self.folder.clone(), source }),
        }
    }

    pub(super) fn end(&mut self, size: usize, result: Result<(), WriteError>) -> BatchEnd {
        let numbers = std::mem::take(&mut self.out);
        let (retry, rejected) = match result {
            Ok(()) => (Vec::new(), Vec::new()),
            Err(WriteError::Retry(_)) => ((0..size).collect(), Vec::new()),
            Err(WriteError::Partial { retry, rejected, .. }) => (retry, rejected),
        };
        let mut kept = retry.iter().copied().peekable();
        let is_done = |(at, _): &(usize, &u64)| kept.next_if_eq(at).is_none();
        let done = numbers.iter().enumerate().filter(is_done).map(|(_, number)| *number);
        let done: Vec<u64> = done.collect();
        self.finish(&done);
        if !self.companions.is_empty() {
            for number in &done {
                self.companions.remove(number);
            }
        }
        self.tell_notices();
        BatchEnd {
            written: done.len().saturating_sub(rejected.len()),
            rejected,
            kept: retry.len(),
            lost: self.newly_lost(),
            ..BatchEnd::default()
        }
    }

    pub(super) fn close(mut self) -> Leftover {
        self.spool.commit();
        self.tell_notices();
        let waiting = self.spool.waiting(self.reader);
        let mut in_memory = Vec::new();
        let companions = &mut self.companions;
        self.spool.close(|number, bytes| {
            let companion = companions.remove(&number).unwrap_or_default();
            if let Ok(mut metric) = Metric::decode(bytes) {
                metric.companion = companion;
                in_memory.push(metric);
            }
        });
        // What is on the disk is sent from there: it counts as done with.
        let on_disk = waiting.saturating_sub(in_memory.len() as u64);
        Leftover::new(in_memory, on_disk)
    }

    /// Is done with these metrics, and with those that are none.
    fn finish(&mut self, numbers: &[u64]) {
        let undecodable = std::mem::take(&mut self.undecodable);
        self.n_undecodable += undecodable.len() as u64;
        self.spool.finish(self.reader, runs(numbers).chain(runs(&undecodable)));
    }

    /// How many metrics were dropped for want of room since it was last asked.
    fn newly_dropped(&mut self) -> usize {
        let overflow = self.spool.lost(self.reader).overflow;
        let new = overflow - std::mem::replace(&mut self.overflow_told, overflow);
        if new > 0 {
            let (spool, reader) = (&self.spool, self.reader);
            self.companions.retain(|number, _| !spool.is_done(reader, *number));
        }
        usize::try_from(new).unwrap_or(usize::MAX)
    }

    /// How many metrics were found to be unreadable since it was last asked.
    fn newly_lost(&mut self) -> usize {
        let lost = self.spool.lost(self.reader);
        let unreadable = lost.damaged + lost.expired + self.n_undecodable;
        let new = unreadable - std::mem::replace(&mut self.unreadable_told, unreadable);
        usize::try_from(new).unwrap_or(usize::MAX)
    }

    fn tell_notices(&mut self) {
        for notice in self.spool.take_notices() {
            let text = format_args!("Buffer in {}: {notice}", self.folder.display());
            match notice {
                Notice::Torn { .. } | Notice::CursorLost { .. } => self.log.warn(text),
                Notice::BackOnDisk { .. } => self.log.info(text),
                _ => self.log.error(text),
            }
        }
    }
}

/// Ascending numbers as ranges.
fn runs(numbers: &[u64]) -> impl Iterator<Item = std::ops::Range<u64>> + '_ {
    let runs = numbers.chunk_by(|before, after| before + 1 == *after);
    runs.filter_map(|run| Some(*run.first()?..*run.last()? + 1))
}

/// Says so if Telegraf has left metrics here, which only it can read.
fn warn_about_strangers(files: &[(String, u64)], folder: &Path, log: &PluginLog) {
    let is_telegrafs =
        |name: &str| name.len() == 20 && name.bytes().all(|byte| byte.is_ascii_digit());
    let sizes = files.iter().filter(|(name, _)| is_telegrafs(name)).map(|(_, size)| size);
    let bytes: u64 = sizes.sum();
    if bytes > 0 {
        let folder = folder.display();
        log.warn(format_args!(
            "{folder} holds {bytes} bytes of metrics in the format of Telegraf, which are not \
             read; only Telegraf can send them"
        ));
    }
}

#[cfg(test)]
mod tests;
