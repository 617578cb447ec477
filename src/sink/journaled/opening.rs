//! Opening a data file with its journal, in whatever state both were left.

use std::path::Path;

use super::{Finding, JournaledFile, Use, journal_failed};
use crate::sink::file::FileError;
use crate::sink::journal::{Batch, Entry, Journal, Replay, journal_path};
use crate::sink::ownership::Writer;
use crate::sink::settings::Fsync;

impl JournaledFile {
    /// Opens a file that this writer appends to, making it if it is missing. Afterwards the file
    /// ends with its last batch.
    ///
    /// # Errors
    /// If the file or its journal cannot be opened, read, made or cut.
    pub fn open(path: &Path, writer: Writer, fsync: Fsync) -> Result<JournaledFile, FileError> {
        JournaledFile::open_below(path, b"", writer, fsync)
    }

    /// Opens a file as [`JournaledFile::open`] does; one that is empty begins with a header, which
    /// belongs to no record.
    ///
    /// # Errors
    /// The same as for [`JournaledFile::open`].
    pub fn open_below(
        path: &Path,
        header: &[u8],
        writer: Writer,
        fsync: Fsync,
    ) -> Result<JournaledFile, FileError> {
        let mut file = JournaledFile::bare(path, writer, fsync)?;
        header.clone_into(&mut file.header);
        let journal_path = journal_path(path);
        let opened = Journal::open(&journal_path).map_err(|source| FileError {
            action: "opening",
            path: journal_path,
            source,
        })?;
        match opened {
            None => file.begin_without_journal()?,
            Some((journal, replay)) => {
                let header = replay.header.as_ref();
                let describes_this = header.is_some_and(|header| file.is_described_by(header));
                if describes_this {
                    file.follow(journal, replay)?;
                } else {
                    let mut journal = journal;
                    let renamed = journal.set_aside();
                    renamed.map_err(|source| journal_failed("renaming", &journal, source))?;
                    file.last_number = replay.last_number;
                    file.confirmed = replay.last_number;
                    file.findings.push(Finding::Replaced { path: path.to_owned() });
                    file.begin_without_journal()?;
                }
            }
        }
        Ok(file)
    }

    /// Opens a file that was renamed, with the journal that was set aside for it.
    ///
    /// # Errors
    /// The same as for [`JournaledFile::open`].
    pub fn open_aside(
        path: &Path,
        journal: Journal,
        replay: Replay,
        writer: Writer,
        fsync: Fsync,
    ) -> Result<JournaledFile, FileError> {
        let mut file = JournaledFile::bare(path, writer, fsync)?;
        file.of_use = Use::SettledOnly;
        file.follow(journal, replay)?;
        Ok(file)
    }

    fn begin_without_journal(&mut self) -> Result<(), FileError> {
        if let Some(torn) = self.data.cut_torn_line()? {
            self.findings.push(Finding::Torn { path: self.path().to_owned(), bytes: torn.bytes });
        }
        self.begin_journal()
    }

    /// Makes the file end where the journal says.
    fn follow(&mut self, journal: Journal, replay: Replay) -> Result<(), FileError> {
        if let Some(first) = replay.damage.first() {
            self.findings.push(Finding::JournalDamaged {
                path: journal.path().to_owned(),
                at: first.bytes.start,
                lines: replay.damage.len(),
            });
        }
        self.journal = Some(journal);
        self.recent = replay.batches;
        self.kept = replay.kept;
        self.confirmed = replay.confirmed;
        self.last_number = replay.last_number;
        self.rewriting = replay.unfinished;
        self.is_ended = replay.is_ended;
        if !self.finish_rewrite()? {
            return Ok(());
        }
        let (expected, found) = (replay.length, self.data.length());
        self.closed = expected;
        self.length = expected;
        if (found > expected || self.has_unconfirmed()) && self.is_overwritten(replay.settled)? {
            // What somebody else has put there is not this journal's to cut.
            return self.begin_anew();
        }
        if found > expected {
            // After an orderly end, or where entries are missing, it may be somebody else's.
            if replay.is_ended || replay.ends_in_damage {
                let path = self.path().to_owned();
                self.findings.push(Finding::Changed { path, expected, found });
                return self.begin_anew();
            }
            let path = self.path().to_owned();
            self.findings.push(Finding::Unfinished { path, bytes: found - expected });
            self.data.truncate(expected)?;
        }
        if found < expected { self.follow_shorter(found) } else { Ok(()) }
    }

    /// Whether the file does not hold what the journal says of the last batch that was committed.
    fn is_overwritten(&mut self, settled: Option<Batch>) -> Result<bool, FileError> {
        let last = self.recent.iter().rfind(|batch| batch.number <= self.confirmed);
        let Some(last) = last.cloned().or(settled) else { return Ok(false) };
        let Batch { bytes, checksum, .. } = last;
        if self.data.length() < bytes.end || self.checksum(&bytes)? == checksum {
            // One that is too short is looked at on its own.
            return Ok(false);
        }
        self.findings.push(Finding::Overwritten { path: self.path().to_owned(), bytes });
        Ok(true)
    }

    /// The file is shorter than its journal says. After a power failure that may be so of the last
    /// batches, none of which was committed: the flush goes before the commit.
    fn follow_shorter(&mut self, found: u64) -> Result<(), FileError> {
        let first_missing = self.recent.iter().position(|batch| batch.bytes.end > found);
        let Some(first_missing) = first_missing else {
            let (path, expected) = (self.path().to_owned(), self.closed);
            self.findings.push(Finding::Changed { path, expected, found });
            return self.begin_anew();
        };
        let missing = self.recent.split_off(first_missing);
        let mut is_damaged = false;
        for batch in missing.iter().filter(|batch| batch.number <= self.confirmed) {
            is_damaged = true;
            for part in &batch.parts {
                self.findings.push(Finding::Missing {
                    path: self.data.path().to_owned(),
                    partition: part.partition.clone(),
                    offsets: part.offsets.clone(),
                    records: part.records,
                });
            }
        }
        if is_damaged {
            return self.begin_anew();
        }
        let Some(first) = missing.front() else { return Ok(()) };
        let (number, length) = (first.number, first.bytes.start);
        if let Some(journal) = &mut self.journal {
            let written = journal.write(&[Entry::Cut { number, length }]);
            written.map_err(|source| journal_failed("writing to", journal, source))?;
        }
        self.closed = length;
        self.take_back_open()
    }
}
