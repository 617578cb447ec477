//! A data file with its journal: appending in batches, and settling what a batch has come to.
//!
//! What is appended belongs to the open batch until [`JournaledFile::close_batch`] writes its entry.
//! From then on it is unconfirmed until [`JournaledFile::confirmed`], and if that never comes it is
//! for [`JournaledFile::settle`] to decide. Nothing else takes anything out of the file.

mod finding;
mod opening;
mod settling;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::ops::Range;
use std::path::Path;

pub use finding::Finding;
pub use settling::SettleError;

use super::file::{DataFile, FileError, Place};
use super::journal::{Batch, Entry, FileId, Header, Journal, Part, Segment, journal_path};
use super::ownership::Writer;
use super::settings::Fsync;
use super::store::flush_folder;
use crate::kafka::group::Partition;

/// How many confirmed batches are kept in mind, to be judged again at the next takeover.
const RECENT: usize = super::journal::RECENT;

/// Records of one partition that are appended.
#[derive(Debug)]
pub struct Piece<'a> {
    /// The partition.
    pub partition: &'a Partition,
    /// The first offset, and the one after the last.
    pub offsets: Range<i64>,
    /// How many records.
    pub records: u64,
    /// Whole lines, in the order of their offsets.
    pub bytes: Vec<IoSlice<'a>>,
}

/// What becomes of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    /// It is appended to.
    Appended,
    /// It was renamed, or its thread is no more: it is only settled.
    SettledOnly,
}

/// A data file and its journal. Devices and pipes have none, and nothing is ever taken back there.
#[derive(Debug)]
pub struct JournaledFile {
    writer: Writer,
    fsync: Fsync,
    of_use: Use,
    data: DataFile,
    journal: Option<Journal>,
    /// Where the last batch ends.
    closed: u64,
    /// Where the file ends, if nobody else has changed it.
    length: u64,
    /// A write has failed half-way and could not be taken back.
    is_torn: bool,
    open: Vec<Part>,
    open_checksum: u32,
    /// The last batches since somebody has asked the group.
    recent: VecDeque<Batch>,
    confirmed: u64,
    last_number: u64,
    /// A rewrite of the end that is decided and not finished: first batch, place, checksum.
    rewriting: Option<(u64, Range<u64>, u32)>,
    findings: Vec<Finding>,
}

impl JournaledFile {
    /// The data file's path.
    pub fn path(&self) -> &Path {
        self.data.path()
    }

    /// Whose records these are.
    pub fn writer(&self) -> Writer {
        self.writer
    }

    /// Where the file is found now.
    pub fn place(&self) -> Place {
        self.data.place()
    }

    /// The highest number of a batch.
    pub fn last_number(&self) -> u64 {
        self.last_number
    }

    /// The partitions on which it depends what becomes of the end of the file.
    pub fn partitions(&self) -> impl Iterator<Item = &Partition> {
        self.recent.iter().flat_map(|batch| &batch.parts).map(|part| &part.partition)
    }

    /// Whether there are batches that are not confirmed.
    pub fn has_unconfirmed(&self) -> bool {
        self.recent.back().is_some_and(|batch| batch.number > self.confirmed)
    }

    /// How many bytes were appended since the last batch.
    pub fn open_bytes(&self) -> u64 {
        self.length.saturating_sub(self.closed)
    }

    /// What was found that people should know of.
    pub fn take_findings(&mut self) -> Vec<Finding> {
        std::mem::take(&mut self.findings)
    }

    /// Appends records to the open batch, all or nothing.
    ///
    /// # Errors
    /// Whatever writing fails with, such as a full disk.
    pub fn append(&mut self, pieces: &mut [Piece<'_>]) -> Result<(), FileError> {
        self.look_for_changes()?;
        let mut start = self.length;
        let mut checksum = self.open_checksum;
        let mut slices = Vec::with_capacity(pieces.len());
        let mut ends = Vec::with_capacity(pieces.len());
        for piece in pieces.iter_mut() {
            for slice in std::mem::take(&mut piece.bytes) {
                start += slice.len() as u64;
                checksum = crc32c::crc32c_append(checksum, &slice);
                slices.push(slice);
            }
            ends.push(start);
        }
        if let Err(error) = self.data.append(&mut slices) {
            self.is_torn = self.journal.is_some() && self.data.length() != self.length;
            return Err(error);
        }
        let mut start = self.length;
        for (piece, end) in pieces.iter().zip(ends) {
            self.add_open(piece, start..end);
            start = end;
        }
        self.length = start;
        self.open_checksum = checksum;
        Ok(())
    }

    fn add_open(&mut self, piece: &Piece<'_>, bytes: Range<u64>) {
        let segment = Segment { start: bytes.start, length: bytes.end - bytes.start };
        // A partition that begins again, because its topic was made anew, begins another part.
        let known = self.open.iter_mut().rev().find(|part| {
            part.partition == *piece.partition && part.offsets.end <= piece.offsets.start
        });
        match known {
            Some(part) => {
                part.offsets.end = piece.offsets.end;
                part.records += piece.records;
                match part.segments.last_mut() {
                    Some(last) if last.start + last.length == segment.start => {
                        last.length += segment.length;
                    }
                    _ => part.segments.push(segment),
                }
            }
            None => self.open.push(Part {
                partition: piece.partition.clone(),
                offsets: piece.offsets.clone(),
                records: piece.records,
                segments: vec![segment],
            }),
        }
    }

    /// Writes the entry of the open batch; [`JournaledFile::flush`] has to follow before a commit.
    ///
    /// `number` is larger than that of any batch of the writer before.
    ///
    /// # Errors
    /// Whatever writing fails with; the batch stays open.
    pub fn close_batch(&mut self, number: u64) -> Result<(), FileError> {
        if self.open.is_empty() {
            return Ok(());
        }
        let batch = Batch {
            number,
            bytes: self.closed..self.length,
            checksum: self.open_checksum,
            parts: std::mem::take(&mut self.open),
        };
        let Some(journal) = &mut self.journal else {
            self.closed = self.length;
            self.open_checksum = 0;
            return Ok(());
        };
        let entry = Entry::Batch(batch);
        let written = journal.write(std::slice::from_ref(&entry));
        let Entry::Batch(batch) = entry else { return Ok(()) };
        if let Err(source) = written {
            self.open = batch.parts;
            return Err(journal_failed("writing to", journal, source));
        }
        self.recent.push_back(batch);
        self.closed = self.length;
        self.open_checksum = 0;
        self.last_number = number;
        Ok(())
    }

    /// Sees to it that all batches and their entries are on the disk, if that is asked for.
    ///
    /// # Errors
    /// Whatever flushing fails with; [`JournaledFile::take_back_from`] has to follow.
    pub fn flush(&mut self) -> Result<(), FileError> {
        if self.fsync == Fsync::Never {
            return Ok(());
        }
        self.data.flush()?;
        self.flush_journal()
    }

    fn flush_journal(&self) -> Result<(), FileError> {
        match &self.journal {
            Some(journal) if self.fsync == Fsync::Commit => {
                journal.flush().map_err(|source| journal_failed("flushing", journal, source))
            }
            _ => Ok(()),
        }
    }

    /// The commit of all batches up to this number was accepted.
    pub fn confirmed(&mut self, number: u64) {
        let number = number.min(self.last_number);
        if number <= self.confirmed {
            return;
        }
        self.confirmed = number;
        if let Some(journal) = &mut self.journal {
            journal.note(&Entry::Confirmed(number));
        }
        while self.recent.len() > RECENT
            && self.recent.front().is_some_and(|batch| batch.number <= number)
        {
            self.recent.pop_front();
        }
    }

    /// Takes the open batch out of the file.
    ///
    /// # Errors
    /// Whatever cutting the file fails with.
    pub fn take_back_open(&mut self) -> Result<(), FileError> {
        self.data.truncate(self.closed)?;
        self.length = self.closed;
        self.open.clear();
        self.open_checksum = 0;
        Ok(())
    }

    /// Takes the batches from a number on out of the file, none of which anybody has tried to
    /// commit, and the open one.
    ///
    /// # Errors
    /// Whatever cutting the file fails with.
    pub fn take_back_from(&mut self, number: u64) -> Result<(), FileError> {
        if let Some(batch) = self.recent.iter().find(|batch| batch.number >= number) {
            self.closed = batch.bytes.start;
            if let Some(journal) = &mut self.journal {
                // Without it the batch would be judged as unconfirmed, which it is.
                journal.note(&Entry::Cut { number, length: self.closed });
            }
            self.recent.retain(|batch| batch.number < number);
        }
        self.take_back_open()
    }

    /// Notes that the sink ends in order, if all is confirmed.
    ///
    /// # Errors
    /// Whatever writing fails with; then the next start has more to look at.
    pub fn end(&mut self) -> Result<(), FileError> {
        if self.has_unconfirmed() || !self.open.is_empty() {
            return Ok(());
        }
        let length = self.length;
        if self.data.length() != length {
            return Ok(());
        }
        let Some(journal) = &mut self.journal else { return Ok(()) };
        let written = journal.write(&[Entry::End(length)]);
        written.map_err(|source| journal_failed("writing to", journal, source))
    }

    /// Opens the data file alone.
    fn bare(path: &Path, writer: Writer, fsync: Fsync) -> Result<JournaledFile, FileError> {
        Ok(JournaledFile {
            writer,
            fsync,
            of_use: Use::Appended,
            data: DataFile::open(path)?,
            journal: None,
            closed: 0,
            length: 0,
            is_torn: false,
            open: Vec::new(),
            open_checksum: 0,
            recent: VecDeque::new(),
            confirmed: 0,
            last_number: 0,
            rewriting: None,
            findings: Vec::new(),
        })
    }

    /// Gives the journal another name, because the file has one.
    ///
    /// # Errors
    /// Whatever renaming fails with.
    pub fn set_journal_aside(&mut self) -> Result<(), FileError> {
        self.of_use = Use::SettledOnly;
        let Some(journal) = &mut self.journal else { return Ok(()) };
        let renamed = journal.set_aside();
        renamed.map_err(|source| journal_failed("renaming", journal, source))
    }

    /// Begins a journal anew if somebody has changed the file meanwhile, as logrotate's
    /// `copytruncate` does.
    fn look_for_changes(&mut self) -> Result<(), FileError> {
        if self.is_torn {
            self.data.truncate(self.length)?;
            self.is_torn = false;
        }
        if self.journal.is_none() || self.data.length() == self.length {
            return Ok(());
        }
        self.findings.push(Finding::Changed {
            path: self.path().to_owned(),
            expected: self.length,
            found: self.data.length(),
        });
        self.begin_anew()
    }

    /// Leaves the journal to what it describes, and begins another one at the file's end.
    fn begin_anew(&mut self) -> Result<(), FileError> {
        self.give_up_judging()?;
        if self.of_use == Use::SettledOnly {
            self.closed = self.data.length();
            self.length = self.closed;
            return Ok(());
        }
        if let Some(journal) = &mut self.journal {
            let renamed = journal.set_aside();
            renamed.map_err(|source| journal_failed("renaming", journal, source))?;
        }
        self.begin_journal()
    }

    /// Says of unconfirmed batches that nobody can take them back any more.
    fn give_up_judging(&mut self) -> Result<(), FileError> {
        let unconfirmed = self.recent.iter().filter(|batch| batch.number > self.confirmed);
        let parts =
            unconfirmed.flat_map(|batch| batch.parts.iter().map(|part| (batch.number, part)));
        let mut entries = Vec::new();
        for (number, part) in parts.chain(self.open.iter().map(|part| (0, part))) {
            entries.push(Entry::Undecided {
                number,
                partition: part.partition.clone(),
                offsets: part.offsets.clone(),
            });
            self.findings.push(Finding::Undecided {
                path: self.data.path().to_owned(),
                partition: part.partition.clone(),
                offsets: part.offsets.clone(),
                records: part.records,
            });
        }
        entries.push(Entry::Settled(self.last_number));
        self.recent.clear();
        self.open.clear();
        self.confirmed = self.last_number;
        let Some(journal) = &mut self.journal else { return Ok(()) };
        let written = journal.write(&entries);
        written.map_err(|source| journal_failed("writing to", journal, source))
    }

    /// Makes a journal for a file that has none.
    fn begin_journal(&mut self) -> Result<(), FileError> {
        self.closed = self.data.length();
        self.length = self.closed;
        self.open_checksum = 0;
        self.journal = None;
        let Some(id) = self.data.id() else { return Ok(()) };
        let path = journal_path(self.data.path());
        let failed = |source| FileError { action: "making", path: path.clone(), source };
        let header = Header { writer: self.writer, file: id, begin: self.closed };
        let journal = Journal::create(&path, header).map_err(failed)?;
        if self.fsync == Fsync::Commit {
            journal.flush().map_err(failed)?;
            flush_folder(path.parent().unwrap_or(Path::new("."))).map_err(failed)?;
        }
        self.journal = Some(journal);
        Ok(())
    }

    /// Whether a journal's header is about this file. The number of a device may be another one
    /// after the machine has been started again, that of a file in its folder stays.
    fn is_described_by(&self, header: &Header) -> bool {
        let id = self.data.id();
        id.is_some_and(|FileId { inode, .. }| inode == header.file.inode)
            && header.writer == self.writer
    }
}

fn journal_failed(action: &'static str, journal: &Journal, source: io::Error) -> FileError {
    FileError { action, path: journal.path().to_owned(), source }
}
