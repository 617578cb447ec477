//! Settling the end of a file: keeping and taking out what was decided.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, IoSlice, Read, Write};
use std::ops::Range;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::{Finding, JournaledFile, journal_failed};
use crate::sink::file::FileError;
use crate::sink::journal::{Batch, Entry};
use crate::sink::ownership::Verdict;
use crate::sink::recovery::{CommittedOffsets, Kept, NotKnown, Plan, Ruling, judge};
use crate::sink::settings::Fsync;
use crate::sink::store::flush_folder;

/// Why the end of a file could not be settled.
#[derive(Debug, thiserror::Error)]
pub enum SettleError {
    /// The group was not asked about all partitions.
    #[error(transparent)]
    NotKnown(#[from] NotKnown),
    /// The file or its journal cannot be read, written or cut.
    #[error(transparent)]
    File(#[from] FileError),
}

impl JournaledFile {
    /// Takes out what is not confirmed, and the open batch; what is left stays for good.
    ///
    /// The commits of the writer have to be refused from now on, and `committed` has to have been
    /// read after that.
    ///
    /// # Errors
    /// If the files cannot be changed; it may be tried again.
    pub fn settle(&mut self, committed: &CommittedOffsets) -> Result<Vec<Ruling>, SettleError> {
        self.finish_rewrite()?;
        self.look_for_changes()?;
        if self.open_bytes() > 0 {
            self.take_back_open()?;
        }
        self.look_whether_kept_are_forgotten(committed);
        if self.recent.is_empty() {
            return Ok(Vec::new());
        }
        let judged = judge(&self.recent, self.confirmed, self.writer, committed)?;
        self.check(&judged.plan)?;
        let mut entries = Vec::new();
        for ruling in judged.rulings.iter().filter(|each| each.verdict == Verdict::Undecided) {
            let Ruling { number, partition, offsets, records, .. } = ruling.clone();
            self.findings.push(Finding::Undecided {
                path: self.data.path().to_owned(),
                partition: partition.clone(),
                offsets: offsets.clone(),
                records,
            });
            entries.push(Entry::Undecided { number, partition, offsets });
        }
        match judged.plan {
            Plan::Keep => {}
            Plan::Cut { number, length } => {
                self.write_entries(&[Entry::Cut { number, length }])?;
                self.recent.retain(|batch| batch.number < number);
                self.closed = length;
                self.flush_journal()?;
                self.take_back_open()?;
                if self.fsync == Fsync::Commit {
                    self.data.flush()?;
                }
            }
            Plan::Rewrite { number, start, kept } => self.rewrite(number, start, kept)?,
        }
        entries.push(Entry::Settled(self.last_number));
        self.write_entries(&entries)?;
        self.flush_journal()?;
        for mut batch in self.recent.drain(..) {
            // What is undecided was told of.
            batch.parts.retain(|part| {
                let committed = committed.get(&part.partition).and_then(|known| known.offset);
                committed.is_some_and(|committed| part.offsets.end <= committed)
            });
            self.kept.keep(batch.parts);
        }
        self.confirmed = self.last_number;
        Ok(judged.rulings)
    }

    /// Looks whether the group has gone back behind records that nobody judges any more.
    fn look_whether_kept_are_forgotten(&mut self, committed: &CommittedOffsets) {
        for (partition, offsets) in self.kept.behind(committed) {
            let path = self.data.path().to_owned();
            self.findings.push(Finding::Forgotten { path, partition, offsets });
        }
    }

    /// What is confirmed now stays, whatever the group says later.
    pub fn hold_confirmed(&mut self) {
        let confirmed = self.confirmed;
        if self.recent.front().is_some_and(|batch| batch.number <= confirmed) {
            self.recent.retain(|batch| batch.number > confirmed);
            self.kept.forget();
            if let Some(journal) = &mut self.journal {
                journal.note(&Entry::Settled(confirmed));
            }
        }
    }

    /// Looks whether unconfirmed batches that stay, or are copied, hold what was written.
    fn check(&mut self, plan: &Plan) -> Result<(), FileError> {
        let cut_from = match plan {
            Plan::Cut { number, .. } => *number,
            Plan::Keep | Plan::Rewrite { .. } => u64::MAX,
        };
        let mut to_check = Vec::new();
        for batch in &self.recent {
            if batch.number <= self.confirmed || batch.number >= cut_from {
                continue;
            }
            to_check.push((batch.bytes.clone(), batch.checksum));
        }
        for (bytes, checksum) in to_check {
            if self.checksum(&bytes)? != checksum {
                self.findings
                    .push(Finding::ChecksumWrong { path: self.data.path().to_owned(), bytes });
            }
        }
        Ok(())
    }

    /// The CRC-32C of a stretch of the file.
    pub(super) fn checksum(&mut self, bytes: &Range<u64>) -> Result<u32, FileError> {
        let mut checksum = 0;
        self.data.read_stretch(bytes.start, bytes.end - bytes.start, |piece| {
            checksum = crc32c::crc32c_append(checksum, piece);
            Ok(())
        })?;
        Ok(checksum)
    }

    /// Replaces the end of the file by some of its records.
    fn rewrite(&mut self, number: u64, start: u64, kept: Vec<Kept>) -> Result<(), FileError> {
        let Some(journal) = &self.journal else { return Ok(()) };
        let side = journal.side_path();
        let failed = |source| FileError { action: "writing", path: side.clone(), source };
        let create =
            || OpenOptions::new().write(true).create(true).truncate(true).mode(0o640).open(&side);
        let mut out = BufWriter::new(create().map_err(failed)?);
        let mut checksum = 0;
        let mut batches: Vec<Batch> = Vec::with_capacity(kept.len());
        for Kept { mut batch, from } in kept {
            batch.checksum = 0;
            for segment in from {
                self.data.read_stretch(segment.start, segment.length, |bytes| {
                    batch.checksum = crc32c::crc32c_append(batch.checksum, bytes);
                    checksum = crc32c::crc32c_append(checksum, bytes);
                    out.write_all(bytes)
                })?;
            }
            batches.push(batch);
        }
        let out = out.into_inner().map_err(|error| failed(error.into_error()))?;
        if self.fsync == Fsync::Commit {
            let folder = side.parent().unwrap_or(Path::new("."));
            out.sync_all().and_then(|()| flush_folder(folder)).map_err(failed)?;
        }
        let end = batches.last().map_or(start, |batch| batch.bytes.end);
        let mut entries: Vec<_> = batches.iter().cloned().map(Entry::Kept).collect();
        entries.push(Entry::Rewrite { number, bytes: start..end, checksum });
        self.write_entries(&entries)?;
        self.recent.retain(|batch| batch.number < number);
        self.recent.extend(batches);
        self.rewriting = Some((number, start..end, checksum));
        self.flush_journal()?;
        self.finish_rewrite()?;
        Ok(())
    }

    /// Finishes a rewrite that is decided; tells whether the file can be relied on then. The side
    /// file may be gone, or not be what it was.
    pub(super) fn finish_rewrite(&mut self) -> Result<bool, FileError> {
        let Some((number, bytes, checksum)) = self.rewriting.clone() else { return Ok(true) };
        let is_done = self.put_back(&bytes, checksum)?;
        self.rewriting = None;
        if !is_done {
            self.findings.push(Finding::RewriteLost { path: self.path().to_owned(), bytes });
            self.begin_anew()?;
            return Ok(false);
        }
        self.closed = bytes.end;
        self.length = bytes.end;
        self.write_entries(&[Entry::Rewritten(number)])?;
        self.flush_journal()?;
        if let Some(journal) = &self.journal {
            // Without `rewritten` it would be repeated; with it the file is of no use.
            let _ = fs::remove_file(journal.side_path());
        }
        Ok(true)
    }

    /// Puts the side file at the end of the data file; may be repeated. Tells whether it is there
    /// and right.
    fn put_back(&mut self, bytes: &Range<u64>, checksum: u32) -> Result<bool, FileError> {
        let Some(journal) = &self.journal else { return Ok(false) };
        let side = journal.side_path();
        let failed = |source| FileError { action: "reading", path: side.clone(), source };
        let mut found = (0, 0);
        let is_there = read_side(&side, |piece| {
            found = (found.0 + piece.len() as u64, crc32c::crc32c_append(found.1, piece));
            Ok(())
        });
        match is_there {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            result => result.map_err(failed)?,
        }
        if found != (bytes.end - bytes.start, checksum) || self.data.length() < bytes.start {
            return Ok(false);
        }
        self.data.truncate(bytes.start)?;
        let mut written = Ok(());
        read_side(&side, |piece| {
            written = self.data.append(&mut [IoSlice::new(piece)]);
            written.as_ref().map_or_else(|_| Err(ErrorKind::Other.into()), |()| Ok(()))
        })
        .or_else(|error| std::mem::replace(&mut written, Ok(())).and(Err(failed(error))))?;
        if self.fsync == Fsync::Commit {
            self.data.flush()?;
        }
        Ok(true)
    }

    fn write_entries(&mut self, entries: &[Entry]) -> Result<(), FileError> {
        let Some(journal) = &mut self.journal else { return Ok(()) };
        let written = journal.write(entries);
        written.map_err(|source| journal_failed("writing to", journal, source))
    }
}

#[expect(clippy::disallowed_methods, reason = "the sink's subject is files")]
fn read_side(path: &Path, mut take: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let mut file = File::open(path)?;
    let mut piece = vec![0; 256 * 1024];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(()),
            read => take(&piece[..read])?,
        }
    }
}
