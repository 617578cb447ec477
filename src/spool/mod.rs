//! Records on the disk until all who are to have them are done with them.
//!
//! A [`Spool`] is a folder of segment files to which records are appended, and from which any
//! number of readers ("cursors") take them in order, each at its own pace. What a reader has done
//! with stands in a file of its own. A segment that everybody is done with is deleted.
//!
//! What the spool promises, and `tests` hold against a model at every byte and every call:
//! a record that [`Spool::commit`] has brought to a file is read again after the process was
//! killed at any moment, in order and as it was, until the reader has finished it; what was cut
//! off or damaged is noticed by its checksum, told in a [`Notice`], counted in [`Lost`], and costs
//! no more than the rest of its segment. While the disk takes nothing, records wait in memory,
//! within a limit.
//!
//! The format of the files is told in `segment`, `record` and `cursor`.

mod cursor;
mod done;
mod limits;
mod notice;
mod reading;
mod record;
mod recovery;
mod room;
mod segment;
mod staged;

pub use cursor::Lost;
pub use limits::{Limits, Overflow, SpoolOptions, Sync};
pub use notice::Notice;

use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use cursor::Cursor;
use done::Done;
use segment::Segment;
use staged::Staged;

use crate::system::{Clock, DataFiles, ErrorWords};

/// How many bytes are written or read at once, unless a record is longer.
const CHUNK_BYTES: usize = 64 * 1024;

/// From where on a reader reads that is new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// From the oldest record that is there.
    Oldest,
    /// What comes from now on.
    Newest,
}

/// One of the readers of a spool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CursorId(usize);

/// Records in segment files; see the module.
pub struct Spool {
    files: Box<dyn DataFiles>,
    clock: Arc<dyn Clock>,
    options: SpoolOptions,
    /// Ascending by their records; the last one may be open.
    segments: VecDeque<Segment>,
    /// Whether the last segment is appended to. One from before the start never is.
    is_open: bool,
    /// What is not in a file yet.
    staged: Staged,
    cursors: Vec<Cursor>,
    notices: Vec<Notice>,
    /// Whether the disk took nothing the last time.
    is_in_memory: bool,
    /// Whether the last try to remember what a reader has done failed.
    is_unable_to_save: bool,
    /// When the oldest of what is not on the disk for sure was written, in elapsed time.
    unsynced_since: Option<Duration>,
    buffer: Vec<u8>,
}

impl Spool {
    /// How the names of segment files end.
    pub const SEGMENT_SUFFIX: &str = segment::SUFFIX;

    /// Opens what is in these files, and mends it where it is damaged.
    ///
    /// # Errors
    /// If the files cannot be listed or read. What is damaged is no error.
    pub fn open(
        files: Box<dyn DataFiles>,
        options: SpoolOptions,
        clock: Arc<dyn Clock>,
    ) -> io::Result<Spool> {
        recovery::open(files, options, clock)
    }

    /// The reader of this name, as it was left, or a new one.
    pub fn cursor(&mut self, name: &str, start: Start) -> CursorId {
        if let Some(at) = self.cursors.iter().position(|cursor| cursor.name == name) {
            return CursorId(at);
        }
        let next = match start {
            Start::Oldest => self.segments.front().map_or(self.staged.first, |first| first.first),
            Start::Newest => self.next(),
        };
        self.cursors.push(Cursor::new(name, Done::new(next, [])));
        let at = self.cursors.len() - 1;
        self.cursors[at].is_unsaved = true;
        self.save();
        CursorId(at)
    }

    /// Forgets the readers that have other names, so that nothing is kept for them any more.
    ///
    /// Ids that were given out before are no longer good.
    pub fn forget_others(&mut self, names: &[&str]) {
        let (kept, gone): (Vec<_>, Vec<_>) =
            self.cursors.drain(..).partition(|cursor| names.contains(&cursor.name.as_str()));
        self.cursors = kept;
        for cursor in gone {
            if let Err(error) = self.files.remove(&Cursor::file_name(&cursor.name)) {
                self.note("deleting the file of a reader", &error);
            }
        }
        self.sweep();
    }

    /// Adds a record that `encode` appends to the bytes it gets, and returns its number.
    ///
    /// It is in memory until [`Spool::commit`]. `None` means that there was no room for it (see
    /// [`Overflow::Refuse`]), or that it is empty or longer than 64 MiB.
    pub fn push(&mut self, encode: impl FnOnce(&mut Vec<u8>)) -> Option<u64> {
        let number = self.next();
        let size_before = self.staged.size();
        let clock = &self.clock;
        if !self.staged.push(|| seconds_now(clock.as_ref()), encode) {
            return None;
        }
        if !self.make_room() {
            self.staged.take_back(size_before);
            return None;
        }
        if self.staged.size() >= CHUNK_BYTES && !self.is_in_memory {
            self.write_staged();
        }
        Some(number)
    }

    /// Brings everything that was pushed to the files, and those to the disk if that is due.
    ///
    /// If the disk takes nothing, the records wait in memory and the next commit tries again.
    pub fn commit(&mut self) {
        self.staged.end_group();
        self.write_staged();
        if self.is_unable_to_save {
            self.save();
        }
        self.make_room();
        self.sync_if_due();
    }

    /// Brings to the disk what has waited for it long enough; to be called every now and then.
    pub fn sync_if_due(&mut self) {
        let Some(since) = self.unsynced_since else { return };
        let is_due = match self.options.sync {
            Sync::EveryGroup => true,
            Sync::Within(span) => self.clock.elapsed().saturating_sub(since) >= span,
            Sync::Never => false,
        };
        if is_due {
            self.sync();
        }
    }

    /// Ends the use of the spool: writes what waits in memory, and deletes what nobody needs.
    ///
    /// Shows to `visit` the records that somebody still needs and that the disk did not take.
    pub fn close(mut self, mut visit: impl FnMut(u64, &[u8])) {
        self.commit();
        if self.options.sync != Sync::Never && self.unsynced_since.is_some() {
            self.sync();
        }
        self.is_open = false;
        self.save();
        self.sweep();
        for (number, _, payload) in self.staged.records() {
            if self.cursors.iter().any(|cursor| !cursor.done.contains(number)) {
                visit(number, payload);
            }
        }
    }

    /// The number of the record that is pushed next.
    pub fn next(&self) -> u64 {
        self.staged.first + self.staged.count
    }

    /// The number of the first record that is in memory only, or of the next one.
    pub fn in_files_until(&self) -> u64 {
        self.staged.first
    }

    /// How many records a reader has not finished.
    pub fn waiting(&self, CursorId(cursor): CursorId) -> u64 {
        self.cursors[cursor].done.missing(0..self.next())
    }

    /// Whether a reader has finished or lost a record.
    pub fn is_done(&self, CursorId(cursor): CursorId, number: u64) -> bool {
        self.cursors[cursor].done.contains(number)
    }

    /// What a reader has lost so far.
    pub fn lost(&self, CursorId(cursor): CursorId) -> Lost {
        self.cursors[cursor].lost
    }

    /// How many bytes the records take in files and in memory.
    pub fn size_bytes(&self) -> u64 {
        let in_files: u64 = self.segments.iter().map(|segment| segment.size).sum();
        in_files + self.staged.size() as u64
    }

    /// What there is to tell since it was last asked.
    pub fn take_notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    /// Ends what a reader had out: these records it is done with, the others it gets again.
    pub fn finish(&mut self, CursorId(at): CursorId, done: impl IntoIterator<Item = Range<u64>>) {
        let cursor = &mut self.cursors[at];
        for range in done {
            cursor.mark(range);
        }
        cursor.out_end = 0;
        // Those that were out could not be dropped; what comes back may be too much by now.
        self.make_room();
        self.save();
        self.sweep();
    }

    /// Writes as much as the disk takes of what is in memory.
    fn write_staged(&mut self) {
        let first = self.staged.first;
        while !self.staged.is_empty() {
            if let Err(error) = self.write_piece() {
                if !self.is_in_memory {
                    self.is_in_memory = true;
                    let error = ErrorWords(&error).to_string();
                    self.notices.push(Notice::InMemory { error });
                }
                return;
            }
        }
        if self.is_in_memory {
            self.is_in_memory = false;
            let records = self.staged.first - first;
            self.notices.push(Notice::BackOnDisk { records });
        }
    }

    /// Writes some whole records.
    fn write_piece(&mut self) -> io::Result<()> {
        let is_full = |segment: &Segment| {
            segment.size >= self.options.segment_bytes && segment.first < segment.end
        };
        if self.is_open && self.segments.back().is_some_and(is_full) {
            self.is_open = false;
            self.sweep();
        }
        if !self.is_open {
            self.begin_segment()?;
        }
        let Some(segment) = self.segments.back_mut() else { return Ok(()) };
        let room = self.options.segment_bytes.saturating_sub(segment.size);
        let room = usize::try_from(room).unwrap_or(CHUNK_BYTES);
        let (bytes, count) = self.staged.piece(room.min(CHUNK_BYTES));
        if let Err(error) = self.files.append(&segment.name(), bytes) {
            // What was written of it would be taken for records by those that come after it.
            if self.files.cut(&segment.name(), segment.size).is_err() {
                self.is_open = false;
            }
            return Err(error);
        }
        segment.size += bytes.len() as u64;
        segment.end += count;
        let length = bytes.len();
        self.staged.drop_front(length, count);
        let elapsed = self.clock.elapsed();
        self.unsynced_since.get_or_insert(elapsed);
        Ok(())
    }

    fn begin_segment(&mut self) -> io::Result<()> {
        if self.unsynced_since.is_some() && self.options.sync != Sync::Never {
            // What comes later must not outlast what came before.
            self.sync();
        }
        let first = self.staged.first;
        let name = Segment::name_of(first);
        let header = segment::header(first);
        // Whatever a try before this one has left there goes.
        self.files.replace(&name, &header)?;
        let size = header.len() as u64;
        self.segments.push_back(Segment { first, end: first, size, is_damaged: false });
        self.is_open = true;
        Ok(())
    }

    fn sync(&mut self) {
        self.unsynced_since = None;
        if let Some(segment) = self.segments.back()
            && let Err(error) = self.files.sync(&segment.name())
        {
            self.note("bringing metrics to the disk", &error);
        }
    }

    /// Remembers what the readers have done.
    fn save(&mut self) {
        let mut failure = None;
        for cursor in self.cursors.iter_mut().filter(|cursor| cursor.is_unsaved) {
            let bytes = cursor::encode(&cursor.done);
            match self.files.replace(&Cursor::file_name(&cursor.name), &bytes) {
                Ok(()) => cursor.is_unsaved = false,
                Err(error) => failure = Some(error),
            }
        }
        // Told once, and not at every batch.
        if let Some(error) = &failure
            && !self.is_unable_to_save
        {
            self.note("remembering which metrics were written", error);
        }
        self.is_unable_to_save = failure.is_some();
    }

    fn note(&mut self, doing: &'static str, error: &io::Error) {
        let error = ErrorWords(error).to_string();
        self.notices.push(Notice::Failed { doing, error });
    }
}

/// The wall-clock time in seconds since 1970, as records keep it.
fn seconds_now(clock: &dyn Clock) -> u32 {
    u32::try_from(clock.now().seconds().max(0)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
