//! Appending to the open batch, closing it, and taking back what nobody has tried to commit.

use super::{JournaledFile, Piece, journal_failed};
use crate::sink::file::FileError;
use crate::sink::journal::{Batch, Entry, Part, Segment};

/// What one call has appended to the open batch.
#[derive(Debug)]
pub(super) struct LastAppend {
    parts: Vec<Part>,
    length_before: u64,
    checksum_before: u32,
}

impl JournaledFile {
    /// Appends records to the open batch, all or nothing.
    ///
    /// # Errors
    /// Whatever writing fails with, such as a full disk.
    pub fn append(&mut self, pieces: &mut [Piece<'_>]) -> Result<(), FileError> {
        self.accept_last();
        self.look_for_changes()?;
        self.go_on_after_end()?;
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
            self.is_torn = self.journal.is_some() && self.data.length() > self.length;
            return Err(error);
        }
        let mut start = self.length;
        let mut parts = Vec::with_capacity(pieces.len());
        for (piece, end) in pieces.iter().zip(ends) {
            parts.push(Part {
                partition: piece.partition.clone(),
                offsets: piece.offsets.clone(),
                records: piece.records,
                segments: vec![Segment { start, length: end - start }],
            });
            start = end;
        }
        let (length_before, checksum_before) = (self.length, self.open_checksum);
        self.last = Some(LastAppend { parts, length_before, checksum_before });
        self.length = start;
        self.open_checksum = checksum;
        Ok(())
    }

    /// Takes out of the file what the last [`JournaledFile::append`] has brought into it: what was
    /// meant to go to several files goes to all of them or to none.
    pub fn take_back_last(&mut self) {
        let Some(LastAppend { length_before, checksum_before, .. }) = self.last.take() else {
            return;
        };
        self.length = length_before;
        self.open_checksum = checksum_before;
        if let Err(error) = self.data.truncate(length_before) {
            log::debug!(target: "", "{error}; it is tried again before anything is written");
            self.is_torn = self.journal.is_some();
        }
    }

    /// What was appended last stays in the open batch.
    pub(super) fn accept_last(&mut self) {
        for part in self.last.take().into_iter().flat_map(|last| last.parts) {
            // A partition that begins again, because its topic was made anew, begins another part.
            let known = self.open.iter_mut().rev().find(|known| {
                known.partition == part.partition && known.offsets.end <= part.offsets.start
            });
            let Some(known) = known else {
                self.kept.come_to(&part);
                self.open.push(part);
                continue;
            };
            known.offsets.end = part.offsets.end;
            known.records += part.records;
            for segment in part.segments {
                match known.segments.last_mut() {
                    Some(last) if last.start + last.length == segment.start => {
                        last.length += segment.length;
                    }
                    _ => known.segments.push(segment),
                }
            }
        }
    }

    /// Writes the entry of the open batch; [`JournaledFile::flush`] has to follow before a commit.
    ///
    /// `number` is larger than that of any batch of the writer before.
    ///
    /// # Errors
    /// Whatever writing fails with; the batch stays open.
    pub fn close_batch(&mut self, number: u64) -> Result<(), FileError> {
        self.accept_last();
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

    /// Takes the open batch out of the file.
    ///
    /// # Errors
    /// Whatever cutting the file fails with. The batch is void all the same: the cut is tried again
    /// before anything is appended or settled, and by the next start.
    pub fn take_back_open(&mut self) -> Result<(), FileError> {
        self.length = self.closed;
        self.last = None;
        self.open.clear();
        self.open_checksum = 0;
        let cut = self.data.truncate(self.closed);
        self.is_torn = cut.is_err() && self.journal.is_some();
        cut
    }

    /// Takes the batches from a number on out of the file, none of which anybody has tried to
    /// commit, and the open one.
    ///
    /// # Errors
    /// The same as for [`JournaledFile::take_back_open`].
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

    /// Says in the journal that records come again behind an end in order: without it they would
    /// count as somebody else's if this process were killed before its first commit.
    fn go_on_after_end(&mut self) -> Result<(), FileError> {
        if !self.is_ended {
            return Ok(());
        }
        if let Some(journal) = &mut self.journal {
            let written = journal.write(&[Entry::Confirmed(self.confirmed)]);
            written.map_err(|source| journal_failed("writing to", journal, source))?;
        }
        self.flush_journal()?;
        self.is_ended = false;
        Ok(())
    }
}
