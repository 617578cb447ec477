//! What a consumer thread writes: records on their way to its files, those files, and others that
//! are not settled yet.
//!
//! Everything that goes to a file between two commits is one batch in the journal of that file, and
//! has one number in all of them: what one commit covers is in the files as a whole or not at all.

mod dead_letter;
mod left;
mod opening;
mod slots;
#[cfg(test)]
mod tests;

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use crossbeam_channel::Sender;

use super::batch::{Batch, Origin};
use super::file::{FileError, Place};
use super::files::names::Names;
use super::journal::journal_path;
use super::journaled::{Finding, JournaledFile, SettleError};
use super::ownership::Writer;
use super::recovery::{CommittedOffsets, Ruling};
use super::rows::{Record, Rows};
use super::settings::{Format, Settings};
use crate::kafka::group::{Partition, RecordView};
use crate::metric::Timestamp;
use crate::system::Clock;
use left::{Fate, LeftFile};
use slots::{Lines, Slots};

/// A batch of records and the files that it goes to.
pub(super) struct Output {
    /// The thread's name, which stands before its log lines.
    name: String,
    writer: Writer,
    settings: Arc<Settings>,
    /// Makes rows of records; without it they are written as they come.
    rows: Option<Box<Rows>>,
    slots: Slots,
    /// Files that nothing is written to any more, or not yet again.
    left: Vec<LeftFile>,
    names: Names,
    /// Gets the files that have ended and have their names.
    ended_files: Sender<PathBuf>,
    clock: Arc<dyn Clock>,
    /// The number of the last batch in whichever file.
    last_number: u64,
    /// Whole records that are not in a file yet.
    batch: Batch,
    has_changed_files: bool,
}

/// What a write has brought into the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Written {
    /// How many records.
    pub(super) records: u64,
    /// How many bytes, line ends included.
    pub(super) bytes: u64,
}

/// What all outputs of a sink share.
#[derive(Clone)]
pub(super) struct Shared {
    /// What the sink is told.
    pub(super) settings: Arc<Settings>,
    /// The names in its folder.
    pub(super) names: Names,
    /// Gets the files that have ended and have their names.
    pub(super) ended_files: Sender<PathBuf>,
    /// The clock.
    pub(super) clock: Arc<dyn Clock>,
}

impl Output {
    /// Makes an output without a file.
    pub(super) fn new(name: String, writer: Writer, shared: Shared) -> Output {
        let Shared { settings, names, ended_files, clock } = shared;
        let rows = match &settings.format {
            Format::Raw => None,
            Format::Csv(rows) => Some(Box::new(Rows::new(rows.clone()))),
        };
        Output {
            name,
            writer,
            rows,
            slots: Slots::new(&settings.files.template),
            left: Vec::new(),
            names,
            ended_files,
            clock,
            last_number: 0,
            batch: Batch::default(),
            has_changed_files: false,
            settings,
        }
    }

    /// Opens the file that there is in any case, if there is one: faults of the folder are found
    /// at once, and people see where the records will be.
    ///
    /// # Errors
    /// Whatever opening it fails with.
    pub(super) fn open_first(&mut self) -> Result<(), FileError> {
        let has_one_file = self.rows.is_none()
            && !self.is_rotated()
            && self.settings.files.template.has_one_file_a_thread();
        if !has_one_file {
            return Ok(());
        }
        let at = self.slots.of(&Lines::Values, "", 0);
        self.open_slot(at, 0)
    }

    /// Whose records these are.
    pub(super) fn writer(&self) -> Writer {
        self.writer
    }

    /// Whether files end while the sink runs.
    fn is_rotated(&self) -> bool {
        self.settings.files.rotation.is_on()
    }

    /// Where the files are found that are written to: removed if one is, moved if one is.
    pub(super) fn place(&self) -> Place {
        self.slots.files().map(JournaledFile::place).fold(Place::Here, worse)
    }

    /// What the files are called that are written to, for people.
    pub(super) fn path(&self) -> PathBuf {
        let mut files = self.slots.files();
        match (files.next(), files.next()) {
            (Some(only), None) => only.path().to_owned(),
            _ => self.names.folder().to_owned(),
        }
    }

    /// The paths of the files that are written to, if others have come to be since this was asked.
    pub(super) fn take_changed_paths(&mut self) -> Option<Vec<PathBuf>> {
        std::mem::take(&mut self.has_changed_files).then(|| self.paths())
    }

    /// The paths of the files that are written to.
    pub(super) fn paths(&self) -> Vec<PathBuf> {
        self.slots.files().map(|file| file.path().to_owned()).collect()
    }

    /// All files, also those that are written to no more.
    fn all_files(&self) -> impl Iterator<Item = &JournaledFile> {
        self.left.iter().map(|left| &left.file).chain(self.slots.files())
    }

    /// All files, also those that are written to no more.
    fn all_files_mut(&mut self) -> impl Iterator<Item = &mut JournaledFile> {
        self.left.iter_mut().map(|left| &mut left.file).chain(self.slots.files_mut())
    }

    /// The files of this writer: the numbers of others' batches are others.
    fn own_files_mut(&mut self) -> impl Iterator<Item = &mut JournaledFile> {
        let writer = self.writer;
        self.all_files_mut().filter(move |file| file.writer() == writer)
    }

    /// What was found in the files that people should know of.
    pub(super) fn take_findings(&mut self) -> Vec<Finding> {
        self.all_files_mut().flat_map(JournaledFile::take_findings).collect()
    }

    /// Puts a record into the batch.
    pub(super) fn push(&mut self, record: &RecordView<'_>) {
        let RecordView { topic, partition: number, offset, value, .. } = *record;
        let origin = Origin { topic, number, offset };
        self.batch.begin_record();
        let Some(mut rows) = self.rows.take() else {
            let slot = self.slots.of(&Lines::Values, topic, number);
            self.batch.push_line(slot, origin, value);
            return;
        };
        let time = record.timestamp_ms().map(Timestamp::from_millis);
        let record_of_rows = Record { topic, time, value: record.has_value().then_some(value) };
        match rows.convert(&record_of_rows, &mut |of| self.newest_header(of)) {
            Ok(runs) => {
                for run in runs {
                    let slot = self.slots.of_rows(run.layout, topic, number);
                    self.batch.push_lines(slot, origin, run.rows);
                }
            }
            Err(unfit) => {
                let line = dead_letter::line(record, &unfit);
                let slot = self.slots.of(&Lines::DeadLetters, topic, number);
                self.batch.push_lines(slot, origin, &line);
            }
        }
        self.rows = Some(rows);
    }

    /// Whether the batch should be written before more comes to it.
    pub(super) fn is_full(&self) -> bool {
        self.batch.len() >= self.settings.batch_bytes
            || self.batch.records() >= self.settings.batch_records as u64
    }

    /// How many records are in the batch.
    pub(super) fn waiting(&self) -> u64 {
        self.batch.records()
    }

    /// Brings the batch into the files, all or nothing; after an error it is still in the batch.
    ///
    /// # Errors
    /// Whatever opening or writing fails with, such as a full disk.
    pub(super) fn write(&mut self) -> Result<Written, FileError> {
        let written = Written { records: self.batch.records(), bytes: self.batch.len() as u64 };
        if written.records == 0 {
            return Ok(written);
        }
        // While pieces lie in it, nothing else of the output can be changed.
        let batch = std::mem::take(&mut self.batch);
        let result = self.write_pieces(&batch);
        self.batch = batch;
        result?;
        self.drop_batch();
        for slot in self.slots.take_superseded() {
            self.left.extend(slot.open.map(LeftFile::ended));
            self.has_changed_files = true;
        }
        Ok(written)
    }

    fn write_pieces(&mut self, batch: &Batch) -> Result<(), FileError> {
        let mut pieces = batch.pieces();
        for (at, pieces) in &pieces {
            self.open_slot(*at, pieces.first().map_or(0, |piece| piece.offsets.start))?;
        }
        let now = self.clock.elapsed();
        for done in 0..pieces.len() {
            let (at, pieces_of_slot) = &mut pieces[done];
            let Some(open) = &mut self.slots.get_mut(*at).open else { continue };
            open.written_at = now;
            if let Err(error) = open.file.append(pieces_of_slot) {
                for (at, _) in &pieces[..done] {
                    if let Some(open) = &mut self.slots.get_mut(*at).open {
                        open.file.take_back_last();
                    }
                }
                return Err(error);
            }
        }
        Ok(())
    }

    /// Makes what was written one batch in the journals and sees to it that all is on the disk, if
    /// that is asked for. Returns the number under which its commit is known.
    ///
    /// # Errors
    /// Whatever writing or flushing fails with; [`Output::take_back_open`] has to follow.
    pub(super) fn flush(&mut self) -> Result<u64, FileError> {
        if self.all_files().all(|file| file.open_bytes() == 0) {
            return Ok(self.last_number);
        }
        self.last_number += 1;
        let number = self.last_number;
        let mut result = Ok(());
        for file in self.all_files_mut().filter(|file| file.open_bytes() > 0) {
            result = file.close_batch(number).and_then(|()| file.flush());
            if result.is_err() {
                break;
            }
        }
        if let Err(error) = result {
            let name = self.name.clone();
            for file in self.own_files_mut() {
                if let Err(error) = file.take_back_from(number) {
                    log::error!(target: &name, "{error}; it is tried again before anything is written");
                }
            }
            return Err(error);
        }
        Ok(number)
    }

    /// The commit with this number was accepted.
    pub(super) fn confirmed(&mut self, number: u64) {
        self.own_files_mut().for_each(|file| file.confirmed(number));
        self.let_go_of_confirmed();
    }

    /// Whether records of these partitions are in the files and not confirmed.
    pub(super) fn has_unconfirmed_of(&self, partitions: &[Partition]) -> bool {
        self.all_files().any(|file| {
            file.has_unconfirmed() && file.partitions().any(|each| partitions.contains(each))
        })
    }

    /// The partitions on which it depends what becomes of the ends of the files.
    pub(super) fn partitions_to_settle(&self) -> Vec<Partition> {
        let mut partitions: Vec<_> =
            self.all_files().flat_map(JournaledFile::partitions).cloned().collect();
        partitions.sort();
        partitions.dedup();
        partitions
    }

    /// The writers of files whose ends are not settled, with the partitions in them.
    pub(super) fn unsettled(&self) -> impl Iterator<Item = (Writer, &Partition)> {
        let unsettled = self.all_files().filter(|file| file.has_unconfirmed());
        unsettled.flat_map(|file| file.partitions().map(|partition| (file.writer(), partition)))
    }

    /// Takes out of the files what is not confirmed; see [`JournaledFile::settle`].
    ///
    /// # Errors
    /// If a file cannot be changed; it may be tried again.
    pub(super) fn settle(
        &mut self,
        committed: &CommittedOffsets,
    ) -> Result<Vec<Ruling>, SettleError> {
        let mut rulings = Vec::new();
        for file in self.all_files_mut() {
            rulings.append(&mut file.settle(committed)?);
        }
        self.let_go_of_confirmed();
        Ok(rulings)
    }

    /// What is confirmed now stays, whatever the group says later: a partition begins again.
    pub(super) fn hold_confirmed(&mut self) {
        self.all_files_mut().for_each(JournaledFile::hold_confirmed);
    }

    /// Takes what was written since the last flush out of the files again.
    ///
    /// # Errors
    /// Whatever cutting a file fails with; the others are cut all the same.
    pub(super) fn take_back_open(&mut self) -> Result<(), FileError> {
        let mut result = Ok(());
        for file in self.all_files_mut().filter(|file| file.open_bytes() > 0) {
            result = result.and(file.take_back_open());
        }
        result
    }

    /// Forgets the batch.
    pub(super) fn drop_batch(&mut self) {
        self.batch.clear(2 * self.settings.batch_bytes);
    }

    /// Leaves files that were moved or removed for new ones. What was written to them has to be
    /// flushed or taken back before.
    ///
    /// # Errors
    /// If a journal cannot get another name; it may be tried again.
    pub(super) fn leave_moved(&mut self) -> Result<(), FileError> {
        for slot in self.slots.iter_mut() {
            let Some(mut open) = slot.open.take_if(|open| open.file.place() != Place::Here) else {
                continue;
            };
            let path = open.file.path().to_owned();
            self.has_changed_files = true;
            let name = &self.name;
            if open.file.place() == Place::Removed {
                // What it says of is gone.
                let journal = journal_path(&path);
                if let Err(error) = fs::remove_file(&journal) {
                    log::debug!(target: name, "removing {}: {error}", journal.display());
                }
                log::warn!(
                    target: name,
                    "{} was moved or removed, with what was committed and in it; going on in a new file",
                    path.display()
                );
            } else {
                if let Err(error) = open.file.set_journal_aside() {
                    slot.open = Some(open);
                    return Err(error);
                }
                self.left.push(LeftFile { file: open.file, fate: Fate::Stays });
                log::info!(target: name, "{} was moved or removed; going on in a new file", path.display());
            }
        }
        self.let_go_of_confirmed();
        Ok(())
    }

    /// Notes that the sink ends in order, where it does.
    pub(super) fn end(&mut self) {
        let name = self.name.clone();
        for file in self.all_files_mut() {
            if let Err(error) = file.end() {
                log::debug!(target: &name, "{error}");
            }
        }
    }
}

/// The place that more has to be done about.
fn worse(a: Place, b: Place) -> Place {
    match (a, b) {
        (Place::Removed, _) | (_, Place::Removed) => Place::Removed,
        (Place::Moved, _) | (_, Place::Moved) => Place::Moved,
        (Place::Here, Place::Here) => Place::Here,
    }
}
