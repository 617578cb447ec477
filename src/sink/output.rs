//! What a consumer thread writes: a batch of whole records in memory, and the file behind it.

use std::path::Path;

use super::file::{DataFile, FileError, Place, push_record};
use super::settings::{Fsync, Settings};

/// A batch of records and the file that it goes to.
pub(super) struct Output {
    /// The thread's name, which stands before its log lines.
    name: String,
    file: DataFile,
    fsync: Fsync,
    /// How long the file was after the last flush.
    flushed_length: u64,
    /// Whole records that are not in the file yet.
    batch: Vec<u8>,
    records: u64,
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
    /// Makes an empty batch for `file`.
    pub(super) fn new(name: String, file: DataFile, settings: &Settings) -> Output {
        Output {
            name,
            flushed_length: file.length(),
            file,
            fsync: settings.fsync,
            batch: Vec::new(),
            records: 0,
            most_bytes: settings.batch_bytes,
            most_records: settings.batch_records as u64,
        }
    }

    /// Where the file is found now.
    pub(super) fn place(&self) -> Place {
        self.file.place()
    }

    /// The file's path.
    pub(super) fn path(&self) -> &Path {
        self.file.path()
    }

    /// Puts a record's value into the batch.
    pub(super) fn push(&mut self, value: &[u8]) {
        push_record(&mut self.batch, value);
        self.records += 1;
    }

    /// Whether the batch should be written before more comes to it.
    pub(super) fn is_full(&self) -> bool {
        self.batch.len() >= self.most_bytes || self.records >= self.most_records
    }

    /// How many records are in the batch.
    pub(super) fn waiting(&self) -> u64 {
        self.records
    }

    /// Brings the batch into the file, all or nothing; after an error it is still in the batch.
    ///
    /// # Errors
    /// Whatever writing fails with, such as a full disk.
    pub(super) fn write(&mut self) -> Result<Written, FileError> {
        let written = Written { records: self.records, bytes: self.batch.len() as u64 };
        if written.records > 0 {
            self.file.append(&self.batch)?;
            self.drop_batch();
        }
        Ok(written)
    }

    /// Sees to it that what was written is on the disk, if that is asked for.
    ///
    /// # Errors
    /// Whatever flushing fails with; [`Output::take_back_unflushed`] has to follow.
    pub(super) fn flush(&mut self) -> Result<(), FileError> {
        if self.fsync == Fsync::Commit {
            self.file.flush()?;
        }
        self.flushed_length = self.file.length();
        Ok(())
    }

    /// Takes what was written since the last flush out of the file again.
    ///
    /// # Errors
    /// Whatever cutting the file fails with.
    pub(super) fn take_back_unflushed(&mut self) -> Result<(), FileError> {
        self.file.truncate(self.flushed_length)
    }

    /// Forgets the batch.
    pub(super) fn drop_batch(&mut self) {
        self.batch.clear();
        self.records = 0;
        // One large record must not keep its memory for good.
        self.batch.shrink_to(2 * self.most_bytes);
    }

    /// Leaves the file for a new one under the old path. What was written to the old one has to be
    /// flushed or taken back before.
    ///
    /// # Errors
    /// Whatever opening the new one fails with; the old one stays.
    pub(super) fn reopen(&mut self) -> Result<(), FileError> {
        let (file, torn) = DataFile::open(self.file.path())?;
        self.file = file;
        self.flushed_length = self.file.length();
        let (name, path) = (&self.name, self.file.path().display());
        log::info!(target: name, "{path} was moved or removed; going on in a new file");
        if let Some(torn) = torn {
            log::warn!(
                target: name,
                "{path} ended in a torn record of {} bytes, cut off",
                torn.bytes
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn output(settings: &Settings) -> (tempfile::TempDir, Output) {
        let folder = tempfile::tempdir().unwrap();
        let (file, _) = DataFile::open(&folder.path().join("consumer-thread-0.csv")).unwrap();
        (folder, Output::new("consumer-thread-0".into(), file, settings))
    }

    #[test]
    fn a_batch_is_full_by_records_or_by_bytes() {
        let settings = Settings { batch_records: 3, batch_bytes: 20, ..Settings::default() };
        let (_folder, mut output) = output(&settings);
        for is_full in [false, false, true] {
            output.push(b"a");
            assert_eq!(output.is_full(), is_full);
        }
        assert_eq!(output.write().unwrap(), Written { records: 3, bytes: 6 });
        assert!(!output.is_full());
        output.push(&[b'x'; 20]);
        assert!(output.is_full());
    }

    #[test]
    fn a_file_that_was_moved_away_is_left_for_a_new_one() {
        let (folder, mut output) = output(&Settings::default());
        output.push(b"one");
        output.write().unwrap();
        let moved = folder.path().join("moved");
        fs::rename(output.path(), &moved).unwrap();
        assert_eq!(output.place(), Place::Moved);
        output.reopen().unwrap();
        output.push(b"two");
        output.write().unwrap();
        assert_eq!(fs::read(&moved).unwrap(), b"one\n");
        assert_eq!(fs::read(output.path()).unwrap(), b"two\n");
    }

    #[test]
    fn only_what_was_not_flushed_is_taken_back() {
        let (_folder, mut output) = output(&Settings::default());
        output.push(b"kept");
        output.write().unwrap();
        output.flush().unwrap();
        output.push(b"taken back");
        output.write().unwrap();
        output.take_back_unflushed().unwrap();
        assert_eq!(fs::read(output.path()).unwrap(), b"kept\n");
    }

    #[test]
    fn a_batch_that_cannot_be_written_waits() {
        let (file, _) = DataFile::open(Path::new("/dev/full")).unwrap();
        let mut output = Output::new("consumer-thread-0".into(), file, &Settings::default());
        output.push(b"one");
        assert!(output.write().is_err());
        assert_eq!(output.waiting(), 1);
    }
}
