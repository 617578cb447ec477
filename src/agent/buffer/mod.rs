//! The metrics of one output that are not written yet.
//!
//! A batch is taken out of the front, the output tries to write it, and what it could not write
//! comes back to the front in its old order.

mod disk;
mod memory;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use memory::MemoryBuffer;

pub use disk::BufferError;
use disk::DiskBuffer;

use crate::metric::Metric;
use crate::plugin::{PluginLog, Rejection, WriteError};
use crate::spool::Sync;
use crate::system::Clock;

/// Where the metrics of an output wait.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Placement {
    /// In memory.
    #[default]
    Memory,
    /// In files.
    Disk {
        /// The folder of this output.
        folder: PathBuf,
        /// When they are brought to the disk.
        sync: Sync,
    },
}

/// Unwritten metrics, wherever they wait.
pub enum Buffer {
    /// In memory, up to a number of metrics.
    Memory(MemoryBuffer),
    /// In files, as long as the disk takes them.
    Disk(Box<DiskBuffer>),
}

/// What became of the metrics of a batch, by count; those of the first four add up to its size.
#[derive(Debug, Default)]
pub struct BatchEnd {
    /// Written.
    pub written: usize,
    /// Given up by the output, each with its reason.
    pub rejected: Vec<Rejection>,
    /// Back in the buffer for another try.
    pub kept: usize,
    /// Lost because the buffer had filled up in the meantime.
    pub dropped: usize,
    /// Lost since the last batch because the disk gave back something else than it got.
    pub lost: usize,
    /// Metrics of the batch that are needed no more. To free very many takes a while, which is
    /// better spent when nobody waits for the buffer.
    pub done_with: Vec<Metric>,
}

/// What a buffer leaves when its output has ended.
#[derive(Debug, Default)]
pub struct Leftover {
    /// Metrics that are nowhere else.
    pub in_memory: Vec<Metric>,
    /// How many wait on the disk, for the next start.
    pub on_disk: u64,
    /// How many were in memory only, and are read again from where they came.
    pub to_be_read_again: u64,
}

impl Leftover {
    /// Sorts out what was left in memory. All of it was left behind, and what can be read again will
    /// be: to keep it, too, would double it.
    fn new(mut in_memory: Vec<Metric>, on_disk: u64) -> Leftover {
        let in_all = in_memory.len();
        in_memory.retain(|metric| {
            metric.companion.leave_behind();
            metric.companion.origin().is_none()
        });
        let to_be_read_again = (in_all - in_memory.len()) as u64;
        Leftover { in_memory, on_disk, to_be_read_again }
    }

    /// Whether everything was written.
    pub fn is_empty(&self) -> bool {
        self.count() + self.to_be_read_again == 0
    }

    /// How many metrics were not written and are not read again.
    pub fn count(&self) -> u64 {
        self.in_memory.len() as u64 + self.on_disk
    }
}

impl Buffer {
    /// An empty buffer for at most `limit` metrics.
    pub fn in_memory(limit: usize) -> Buffer {
        Buffer::Memory(MemoryBuffer::new(limit))
    }

    /// The buffer in files, with what it holds from before.
    ///
    /// # Errors
    /// If the files cannot be had.
    pub fn on_disk(
        folder: &Path,
        sync: Sync,
        clock: Arc<dyn Clock>,
        log: PluginLog,
    ) -> Result<Buffer, BufferError> {
        DiskBuffer::open(folder, sync, clock, log).map(|disk| Buffer::Disk(Box::new(disk)))
    }

    /// How many metrics wait.
    pub fn len(&self) -> usize {
        match self {
            Buffer::Memory(memory) => memory.len(),
            Buffer::Disk(disk) => disk.len(),
        }
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many metrics wait or are out for writing.
    pub fn held(&self) -> usize {
        match self {
            Buffer::Memory(memory) => memory.held(),
            Buffer::Disk(disk) => disk.held(),
        }
    }

    /// Adds metrics at the end and returns how many were dropped for want of room.
    pub fn add_all(&mut self, metrics: Vec<Metric>) -> usize {
        match self {
            Buffer::Memory(memory) => memory.add_all(metrics),
            Buffer::Disk(disk) => metrics.into_iter().map(|metric| disk.add(metric)).sum(),
        }
    }

    /// Ends a group of metrics that were added; now they outlast the process, or power, if they
    /// wait in files.
    pub fn commit(&mut self) {
        match self {
            Buffer::Memory(_) => {}
            Buffer::Disk(disk) => disk.commit(),
        }
    }

    /// Takes up to `size` of the oldest metrics out for writing.
    ///
    /// # Errors
    /// If files cannot be read.
    pub fn begin(&mut self, size: usize) -> Result<Vec<Metric>, BufferError> {
        match self {
            Buffer::Memory(memory) => Ok(memory.begin(size)),
            Buffer::Disk(disk) => disk.begin(size),
        }
    }

    /// Ends the writing of a batch that [`Buffer::begin`] gave out.
    pub fn end(&mut self, batch: Vec<Metric>, result: Result<(), WriteError>) -> BatchEnd {
        match self {
            Buffer::Memory(memory) => memory.end(batch, result),
            Buffer::Disk(disk) => {
                let end = disk.end(batch.len(), result);
                BatchEnd { done_with: batch, ..end }
            }
        }
    }

    /// Ends its use, and tells what is left.
    pub fn close(&mut self) -> Leftover {
        match std::mem::replace(self, Buffer::in_memory(1)) {
            Buffer::Memory(mut memory) => Leftover::new(memory.take_all(), 0),
            Buffer::Disk(disk) => disk.close(),
        }
    }
}
