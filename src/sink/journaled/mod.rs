//! A data file with its journal: appending in batches, and settling what a batch has come to.
//!
//! What is appended belongs to the open batch until [`JournaledFile::close_batch`] writes its entry.
//! From then on it is unconfirmed until [`JournaledFile::confirmed`], and if that never comes it is
//! for [`JournaledFile::settle`] to decide. Nothing else takes anything out of the file.

mod appending;
mod finding;
mod opening;
mod settling;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fs;
use std::io::{self, IoSlice};
use std::ops::Range;
use std::path::Path;

pub use finding::Finding;
pub use settling::SettleError;

use super::file::{DataFile, FileError, Place};
use super::journal::{Batch, Entry, FileId, Header, Journal, KeptOffsets, Part, journal_path};
use super::ownership::Writer;
use super::settings::Fsync;
use super::store::flush_folder;
use crate::kafka::group::Partition;
use crate::metric::Timestamp;
use appending::LastAppend;

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
    /// Something stands behind `length` that could not be taken back.
    is_torn: bool,
    /// The journal says that the sink has ended in order.
    is_ended: bool,
    open: Vec<Part>,
    open_checksum: u32,
    /// What was appended last, which can still be taken back alone.
    last: Option<LastAppend>,
    /// When the file was written to before it was opened.
    modified: Option<Timestamp>,
    /// What stands before all records: it belongs to none of them.
    header: Vec<u8>,
    /// The last batches since somebody has asked the group.
    recent: VecDeque<Batch>,
    /// Where those end that were committed and that nobody asks about any more.
    kept: KeptOffsets,
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

    /// How long the file is, if nobody else has changed it.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// What was found that people should know of.
    pub fn take_findings(&mut self) -> Vec<Finding> {
        std::mem::take(&mut self.findings)
    }

    /// Sees to it that all batches and their entries are on the disk, if that is asked for.
    ///
    /// # Errors
    /// Whatever flushing fails with; [`JournaledFile::take_back_from`] has to follow.
    pub fn flush(&mut self) -> Result<(), FileError> {
        self.data.commit_begins();
        if self.fsync == Fsync::Never {
            return Ok(());
        }
        self.data.flush()?;
        self.flush_journal()
    }

    fn flush_journal(&mut self) -> Result<(), FileError> {
        match &mut self.journal {
            Some(journal) if self.fsync == Fsync::Commit => {
                let flushed = journal.flush();
                flushed.map_err(|source| journal_failed("flushing", journal, source))
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
            && let Some(batch) = self.recent.pop_front_if(|batch| batch.number <= number)
        {
            self.kept.keep(batch.parts);
        }
    }

    /// Notes that the sink ends in order, if all is confirmed.
    ///
    /// # Errors
    /// Whatever writing fails with; then the next start has more to look at.
    pub fn end(&mut self) -> Result<(), FileError> {
        if self.has_unconfirmed() || self.open_bytes() > 0 {
            return Ok(());
        }
        self.cut_torn()?;
        let length = self.length;
        if self.data.length() != length {
            return Ok(());
        }
        let Some(journal) = &mut self.journal else { return Ok(()) };
        let written = journal.write(&[Entry::End(length)]);
        written.map_err(|source| journal_failed("writing to", journal, source))?;
        self.is_ended = true;
        Ok(())
    }

    /// Opens the data file alone.
    fn bare(path: &Path, writer: Writer, fsync: Fsync) -> Result<JournaledFile, FileError> {
        let data = DataFile::open(path)?;
        Ok(JournaledFile {
            writer,
            fsync,
            of_use: Use::Appended,
            modified: data.modified(),
            data,
            journal: None,
            closed: 0,
            length: 0,
            is_torn: false,
            is_ended: false,
            open: Vec::new(),
            open_checksum: 0,
            last: None,
            header: Vec::new(),
            recent: VecDeque::new(),
            kept: KeptOffsets::default(),
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

    /// Appends to a file again that was only to be settled, and of which nothing is in doubt.
    pub fn resume(&mut self, header: &[u8]) {
        self.of_use = Use::Appended;
        header.clone_into(&mut self.header);
    }

    /// Gives the file another name, and its journal, too. A file that has it is replaced.
    ///
    /// The data file goes first: whoever finds it under the new name knows its journal by the file
    /// that it describes.
    ///
    /// # Errors
    /// Whatever renaming fails with; it may be tried again.
    pub fn rename(&mut self, path: &Path) -> Result<(), FileError> {
        if self.data.path() != path {
            self.data.rename(path)?;
        }
        if let Some(journal) = &mut self.journal {
            let renamed = journal.rename(&journal_path(path));
            renamed.map_err(|source| journal_failed("renaming", journal, source))?;
        }
        if self.fsync == Fsync::Commit {
            let folder = path.parent().unwrap_or(Path::new("."));
            flush_folder(folder).map_err(|source| FileError {
                action: "flushing",
                path: folder.to_owned(),
                source,
            })?;
        }
        Ok(())
    }

    /// When the file was last written to before it was opened, by the clock of its file system.
    pub fn modified(&self) -> Option<Timestamp> {
        self.modified
    }

    /// Whether this is the file that is found at a path.
    pub fn is_at(&self, path: &Path) -> bool {
        let id = self.data.id();
        fs::metadata(path).is_ok_and(|found| id == Some(FileId::of(&found)))
    }

    /// The journal's path, if there is one.
    pub fn journal_path(&self) -> Option<&Path> {
        self.journal.as_ref().map(Journal::path)
    }

    /// Takes out what could not be taken out when it should have been.
    ///
    /// # Errors
    /// Whatever cutting the file fails with.
    pub fn cut_torn(&mut self) -> Result<(), FileError> {
        if self.is_torn {
            self.data.truncate(self.length)?;
            self.is_torn = false;
        }
        Ok(())
    }

    /// Begins a journal anew if somebody has changed the file meanwhile, as logrotate's
    /// `copytruncate` does.
    fn look_for_changes(&mut self) -> Result<(), FileError> {
        self.cut_torn()?;
        if self.journal.is_none() {
            // That of a file can be missing only because it could not be made, as on a full disk.
            let lacks_it = self.of_use == Use::Appended && self.data.id().is_some();
            return if lacks_it { self.begin_journal() } else { Ok(()) };
        }
        if self.data.length() == self.length {
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
        self.accept_last();
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
        // From here on this journal has nothing to say: what comes behind is not to be cut off.
        entries.push(Entry::End(self.data.length()));
        self.recent.clear();
        self.kept.forget();
        self.open.clear();
        self.confirmed = self.last_number;
        let Some(journal) = &mut self.journal else { return Ok(()) };
        let written = journal.write(&entries);
        written.map_err(|source| journal_failed("writing to", journal, source))?;
        self.is_ended = true;
        Ok(())
    }

    /// Makes a journal for a file that has none.
    fn begin_journal(&mut self) -> Result<(), FileError> {
        if !self.header.is_empty() && self.data.length() == 0 {
            let mut written = self.data.append(&mut [IoSlice::new(&self.header)]);
            if self.fsync == Fsync::Commit {
                written = written.and_then(|()| self.data.flush());
            }
            if let Err(error) = written {
                // Part of a header must not stay, nor one that may never reach the disk.
                self.length = 0;
                self.is_torn = self.data.truncate(0).is_err();
                return Err(error);
            }
        }
        self.closed = self.data.length();
        self.length = self.closed;
        self.open_checksum = 0;
        self.journal = None;
        self.is_ended = false;
        let Some(id) = self.data.id() else { return Ok(()) };
        let path = journal_path(self.data.path());
        let failed = |source| FileError { action: "making", path: path.clone(), source };
        let header = Header { writer: self.writer, file: id, begin: self.closed };
        let mut journal = Journal::create(&path, header).map_err(failed)?;
        if self.fsync == Fsync::Commit {
            let folder = path.parent().unwrap_or(Path::new("."));
            if let Err(source) = journal.flush().and_then(|()| flush_folder(folder)) {
                // One that may not be there tomorrow would be in the way of the next try.
                let _ = fs::remove_file(&path);
                return Err(failed(source));
            }
        }
        self.journal = Some(journal);
        Ok(())
    }

    /// Whether a journal is about this file.
    fn is_described_by(&self, header: &Header) -> bool {
        let id = self.data.id();
        id.is_some_and(|id| id.is_still(&header.file)) && header.writer == self.writer
    }
}

fn journal_failed(action: &'static str, journal: &Journal, source: io::Error) -> FileError {
    FileError { action, path: journal.path().to_owned(), source }
}
