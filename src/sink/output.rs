//! What a consumer thread writes: a batch of whole records in memory, the file that it goes to, and
//! files of before that are not settled yet.

use std::fs;
use std::path::Path;

use super::batch::Batch;
use super::file::{FileError, Place};
use super::journal::journal_path;
use super::journaled::{Finding, JournaledFile, SettleError};
use super::ownership::Writer;
use super::recovery::{CommittedOffsets, Ruling};
use super::settings::{Fsync, Settings};
use crate::kafka::group::Partition;

/// A batch of records and the file that it goes to.
pub(super) struct Output {
    /// The thread's name, which stands before its log lines.
    name: String,
    writer: Writer,
    file: JournaledFile,
    /// Files that nothing is written to any more, and of which not everything is confirmed.
    others: Vec<JournaledFile>,
    fsync: Fsync,
    /// The number of the last batch in whichever file.
    last_number: u64,
    /// Whole records that are not in the file yet.
    batch: Batch,
    most_bytes: usize,
    most_records: u64,
}

/// What a write has brought into the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Written {
    /// How many records.
    pub(super) records: u64,
    /// How many bytes, line ends included.
    pub(super) bytes: u64,
}

impl Output {
    /// Makes an empty batch for `file`; `others` are files to settle.
    pub(super) fn new(
        name: String,
        file: JournaledFile,
        others: Vec<JournaledFile>,
        settings: &Settings,
    ) -> Output {
        let writer = file.writer();
        let of_writer = others.iter().filter(|each| each.writer() == writer).chain([&file]);
        Output {
            name,
            writer,
            last_number: of_writer.map(JournaledFile::last_number).max().unwrap_or(0),
            file,
            others,
            fsync: settings.fsync,
            batch: Batch::default(),
            most_bytes: settings.batch_bytes,
            most_records: settings.batch_records as u64,
        }
    }

    /// Whose records these are.
    pub(super) fn writer(&self) -> Writer {
        self.writer
    }

    /// Where the file is found now.
    pub(super) fn place(&self) -> Place {
        self.file.place()
    }

    /// The file's path.
    pub(super) fn path(&self) -> &Path {
        self.file.path()
    }

    /// What was found in the files that people should know of.
    pub(super) fn take_findings(&mut self) -> Vec<Finding> {
        let others = self.others.iter_mut().flat_map(JournaledFile::take_findings);
        let mut findings: Vec<_> = others.collect();
        findings.append(&mut self.file.take_findings());
        findings
    }

    /// Puts a record's value into the batch.
    pub(super) fn push(&mut self, topic: &str, number: i32, offset: i64, value: &[u8]) {
        self.batch.push(topic, number, offset, value);
    }

    /// Whether the batch should be written before more comes to it.
    pub(super) fn is_full(&self) -> bool {
        self.batch.len() >= self.most_bytes || self.batch.records() >= self.most_records
    }

    /// How many records are in the batch.
    pub(super) fn waiting(&self) -> u64 {
        self.batch.records()
    }

    /// Brings the batch into the file, all or nothing; after an error it is still in the batch.
    ///
    /// # Errors
    /// Whatever writing fails with, such as a full disk.
    pub(super) fn write(&mut self) -> Result<Written, FileError> {
        let written = Written { records: self.batch.records(), bytes: self.batch.len() as u64 };
        if written.records > 0 {
            self.file.append(&mut self.batch.pieces())?;
            self.drop_batch();
        }
        Ok(written)
    }

    /// Makes what was written a batch of its own in the journal and sees to it that both are on the
    /// disk, if that is asked for. Returns the number under which its commit is known.
    ///
    /// # Errors
    /// Whatever writing or flushing fails with; [`Output::take_back_open`] has to follow.
    pub(super) fn flush(&mut self) -> Result<u64, FileError> {
        let number = self.last_number + 1;
        let has_open = self.file.open_bytes() > 0;
        if has_open {
            self.last_number = number;
            self.file.close_batch(number)?;
            if let Err(error) = self.file.flush() {
                if let Err(error) = self.file.take_back_from(number) {
                    let name = &self.name;
                    log::error!(target: name, "{error}; some records may stand in the file twice");
                }
                return Err(error);
            }
        }
        Ok(self.last_number)
    }

    /// The commit with this number was accepted.
    pub(super) fn confirmed(&mut self, number: u64) {
        self.file.confirmed(number);
        self.others.iter_mut().for_each(|each| each.confirmed(number));
        self.drop_settled();
    }

    /// Whether records of these partitions are in the files and not confirmed.
    pub(super) fn has_unconfirmed_of(&self, partitions: &[Partition]) -> bool {
        let mut files = self.others.iter().chain([&self.file]);
        files.any(|file| {
            file.has_unconfirmed() && file.partitions().any(|each| partitions.contains(each))
        })
    }

    /// The partitions on which it depends what becomes of the ends of the files.
    pub(super) fn partitions_to_settle(&self) -> Vec<Partition> {
        let files = self.others.iter().chain([&self.file]);
        let mut partitions: Vec<_> = files.flat_map(JournaledFile::partitions).cloned().collect();
        partitions.sort();
        partitions.dedup();
        partitions
    }

    /// The writers of files whose ends are not settled, with the partitions in them.
    pub(super) fn unsettled(&self) -> impl Iterator<Item = (Writer, &Partition)> {
        let files = self.others.iter().chain([&self.file]);
        let unsettled = files.filter(|file| file.has_unconfirmed());
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
        for file in self.others.iter_mut().chain([&mut self.file]) {
            rulings.append(&mut file.settle(committed)?);
        }
        self.drop_settled();
        Ok(rulings)
    }

    /// What is confirmed now stays, whatever the group says later: a partition begins again.
    pub(super) fn hold_confirmed(&mut self) {
        self.file.hold_confirmed();
        self.others.iter_mut().for_each(JournaledFile::hold_confirmed);
    }

    fn drop_settled(&mut self) {
        for file in self.others.iter_mut().filter(|file| !file.has_unconfirmed()) {
            // What was noted goes to the journal with it; without it the next start asks again.
            if let Err(error) = file.end() {
                log::debug!(target: &self.name, "{error}");
            }
        }
        self.others.retain(JournaledFile::has_unconfirmed);
    }

    /// Takes what was written since the last flush out of the file again.
    ///
    /// # Errors
    /// Whatever cutting the file fails with.
    pub(super) fn take_back_open(&mut self) -> Result<(), FileError> {
        self.file.take_back_open()
    }

    /// Forgets the batch.
    pub(super) fn drop_batch(&mut self) {
        self.batch.clear(2 * self.most_bytes);
    }

    /// Leaves the file for a new one under the old path. What was written to the old one has to be
    /// flushed or taken back before.
    ///
    /// # Errors
    /// Whatever opening the new one fails with; the old one stays.
    pub(super) fn reopen(&mut self) -> Result<(), FileError> {
        let path = self.file.path().to_owned();
        if self.file.place() == Place::Removed {
            // What it says of is gone.
            let journal = journal_path(&path);
            if let Err(error) = fs::remove_file(&journal) {
                log::debug!(target: &self.name, "removing {}: {error}", journal.display());
            }
        } else {
            self.file.set_journal_aside()?;
        }
        let file = JournaledFile::open(&path, self.writer, self.fsync)?;
        let before = std::mem::replace(&mut self.file, file);
        if before.place() != Place::Removed {
            self.others.push(before);
            self.drop_settled();
        }
        let name = &self.name;
        log::info!(target: name, "{} was moved or removed; going on in a new file", path.display());
        Ok(())
    }

    /// Notes that the sink ends in order, where it does.
    pub(super) fn end(&mut self) {
        if let Err(error) = self.file.end() {
            log::debug!(target: &self.name, "{error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::ownership::StoreId;

    fn open(path: &Path) -> JournaledFile {
        let writer = Writer { store: StoreId::new(1), thread: 0 };
        JournaledFile::open(path, writer, Fsync::Commit).unwrap()
    }

    fn output(settings: &Settings) -> (tempfile::TempDir, Output) {
        let folder = tempfile::tempdir().unwrap();
        let file = open(&folder.path().join("consumer-thread-0.csv"));
        (folder, Output::new("consumer-thread-0".into(), file, Vec::new(), settings))
    }

    #[test]
    fn a_batch_is_full_by_records_or_by_bytes() {
        let settings = Settings { batch_records: 3, batch_bytes: 20, ..Settings::default() };
        let (_folder, mut output) = output(&settings);
        for (offset, is_full) in [(0, false), (1, false), (2, true)] {
            output.push("t", 0, offset, b"a");
            assert_eq!(output.is_full(), is_full);
        }
        assert_eq!(output.write().unwrap(), Written { records: 3, bytes: 6 });
        assert!(!output.is_full());
        output.push("t", 0, 3, &[b'x'; 20]);
        assert!(output.is_full());
    }

    #[test]
    fn a_file_that_was_moved_away_is_left_for_a_new_one_and_settled_all_the_same() {
        let (folder, mut output) = output(&Settings::default());
        output.push("t", 0, 0, b"one");
        output.write().unwrap();
        let number = output.flush().unwrap();
        let moved = folder.path().join("moved");
        fs::rename(output.path(), &moved).unwrap();
        assert_eq!(output.place(), Place::Moved);
        output.reopen().unwrap();
        output.push("t", 0, 1, b"two");
        output.write().unwrap();
        assert!(output.flush().unwrap() > number);
        assert_eq!(fs::read(&moved).unwrap(), b"one\n");
        assert_eq!(fs::read(output.path()).unwrap(), b"two\n");
        let partition = Partition { topic: "t".into(), number: 0 };
        let nothing = CommittedOffsets::from([(partition, Default::default())]);
        assert_eq!(output.settle(&nothing).unwrap().len(), 2);
        assert_eq!(fs::read(&moved).unwrap(), b"");
        assert_eq!(fs::read(output.path()).unwrap(), b"");
    }

    #[test]
    fn only_what_was_not_flushed_is_taken_back() {
        let (_folder, mut output) = output(&Settings::default());
        output.push("t", 0, 0, b"kept");
        output.write().unwrap();
        output.flush().unwrap();
        output.push("t", 0, 1, b"taken back");
        output.write().unwrap();
        output.take_back_open().unwrap();
        assert_eq!(fs::read(output.path()).unwrap(), b"kept\n");
    }

    #[test]
    fn a_batch_that_cannot_be_written_waits() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("consumer-thread-0.csv");
        std::os::unix::fs::symlink("/dev/full", &path).unwrap();
        let settings = Settings::default();
        let mut output =
            Output::new("consumer-thread-0".into(), open(&path), Vec::new(), &settings);
        output.push("t", 0, 0, b"one");
        assert!(output.write().is_err());
        assert_eq!(output.waiting(), 1);
    }
}
