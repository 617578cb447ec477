//! A file that records are appended to, whole lines only.
//!
//! Data reaches the file in whole groups of records. A write that fails half-way is taken back, so
//! that the file always ends with a whole record; a tail that a killed process left torn is cut
//! off when the file is opened. What is cut off was never committed, and is read again.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, IoSlice, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use super::journal::FileId;
use super::page_cache::PageCache;
use crate::metric::Timestamp;

/// Files hold data that is nobody's business but the owner's and the group's.
const MODE: u32 = 0o640;

/// What went wrong with a data file.
#[derive(Debug, thiserror::Error)]
#[error("{action} {}: {source}", path.display())]
pub struct FileError {
    /// What was being done, such as `writing to`.
    pub action: &'static str,
    /// The file.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

/// A file that records are appended to.
#[derive(Debug)]
pub struct DataFile {
    path: PathBuf,
    file: File,
    cache: PageCache,
}

/// Where an open file is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Under its path.
    Here,
    /// Elsewhere, with all that is in it: it was renamed.
    Moved,
    /// Nowhere: it was removed, and what is in it goes when it is closed.
    Removed,
}

/// What opening a file found.
#[derive(Debug, PartialEq, Eq)]
pub struct Torn {
    /// How many bytes of an unfinished record were cut off.
    pub bytes: u64,
}

impl DataFile {
    /// Opens a file for appending, making it if it is missing, and leaves it as it is.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub fn open(path: &Path) -> Result<DataFile, FileError> {
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(MODE)
            .open(path)
            .map_err(|source| FileError { action: "opening", path: path.to_owned(), source })?;
        Ok(DataFile { path: path.to_owned(), file, cache: PageCache::default() })
    }

    /// Cuts off what follows the last line end; tells if there was something.
    ///
    /// # Errors
    /// If the file cannot be read or cut.
    pub fn cut_torn_line(&mut self) -> Result<Option<Torn>, FileError> {
        if self.id().is_none() {
            // A device or a pipe has no tail to look at.
            return Ok(None);
        }
        let length = self.length();
        let whole = end_of_last_line(&mut self.file, length)
            .map_err(|source| self.failed("reading", source))?;
        self.truncate(whole)?;
        let bytes = length - whole;
        Ok((bytes > 0).then_some(Torn { bytes }))
    }

    /// What the file is, whatever it is called; none if it is a device or a pipe.
    pub fn id(&self) -> Option<FileId> {
        let metadata = self.file.metadata().ok().filter(fs::Metadata::is_file)?;
        Some(FileId::of(&metadata))
    }

    /// When the file was last written to, by the clock of its file system.
    pub fn modified(&self) -> Option<Timestamp> {
        let modified = self.file.metadata().ok()?.modified().ok()?;
        let since = modified.duration_since(UNIX_EPOCH).ok()?;
        i64::try_from(since.as_nanos()).ok().map(Timestamp::from_nanos)
    }

    /// The file's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Gives the file another name.
    ///
    /// # Errors
    /// Whatever renaming fails with.
    pub fn rename(&mut self, path: &Path) -> Result<(), FileError> {
        fs::rename(&self.path, path).map_err(|source| self.failed("renaming", source))?;
        path.clone_into(&mut self.path);
        Ok(())
    }

    /// How long the file is, in bytes.
    ///
    /// It is asked for each time: somebody else may have cut the file, as logrotate's
    /// `copytruncate` does.
    pub fn length(&self) -> u64 {
        self.file.metadata().map_or(0, |metadata| metadata.len())
    }

    /// Appends whole records; after an error the file is as it was before.
    ///
    /// # Errors
    /// Whatever writing fails with, such as a full disk.
    pub fn append(&mut self, mut records: &mut [IoSlice<'_>]) -> Result<(), FileError> {
        let before = self.length();
        let bytes: u64 = records.iter().map(|slice| slice.len() as u64).sum();
        while !records.is_empty() {
            let written = match self.file.write_vectored(records) {
                Ok(0) if records.iter().all(|slice| slice.is_empty()) => return Ok(()),
                Ok(0) => Err(ErrorKind::WriteZero.into()),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                result => result,
            };
            match written {
                Ok(written) => IoSlice::advance_slices(&mut records, written),
                Err(source) => {
                    if let Err(error) = self.truncate(before) {
                        // Devices cannot be cut; in a file a torn record stays, which is cut off
                        // when the file is opened again.
                        log::debug!(target: "", "taking back a failed write: {error}");
                    }
                    return Err(self.failed("writing to", source));
                }
            }
        }
        self.cache.appended(&self.file, bytes, before + bytes);
        Ok(())
    }

    /// A commit begins; with it, counting what comes too fast to stay in the kernel's memory.
    pub fn commit_begins(&mut self) {
        self.cache.commit_begins();
    }

    /// Reads a stretch of the file, piece by piece.
    ///
    /// # Errors
    /// Whatever reading fails with, the end of the file included, or `take` returns.
    pub fn read_stretch(
        &mut self,
        start: u64,
        length: u64,
        mut take: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<(), FileError> {
        let mut read = || -> io::Result<()> {
            self.file.seek(SeekFrom::Start(start))?;
            let mut left = usize::try_from(length).map_err(io::Error::other)?;
            let mut piece = vec![0; left.min(256 * 1024)];
            while left > 0 {
                let wanted = left.min(piece.len());
                self.file.read_exact(&mut piece[..wanted])?;
                take(&piece[..wanted])?;
                left -= wanted;
            }
            Ok(())
        };
        read().map_err(|source| self.failed("reading", source))
    }

    /// Sees to it that what was appended is on the disk.
    ///
    /// # Errors
    /// Whatever flushing fails with. The kernel may have dropped the data then, so that the same
    /// flush succeeding later would prove nothing: what was appended since the last flush that
    /// succeeded has to be taken back with [`DataFile::truncate`] and written again.
    pub fn flush(&mut self) -> Result<(), FileError> {
        match self.file.sync_data() {
            // Devices and pipes have nothing to flush.
            Err(error) if error.kind() == ErrorKind::InvalidInput => Ok(()),
            result => result.map_err(|source| self.failed("flushing", source)),
        }
    }

    /// Takes back everything behind `length`; a file that is shorter stays as it is.
    ///
    /// # Errors
    /// Whatever truncating fails with.
    pub fn truncate(&mut self, length: u64) -> Result<(), FileError> {
        if self.length() <= length {
            return Ok(());
        }
        self.file.set_len(length).map_err(|source| self.failed("truncating", source))
    }

    /// Where the file is found now, which others may have changed.
    pub fn place(&self) -> Place {
        let Ok(file) = self.file.metadata() else { return Place::Moved };
        if file.nlink() == 0 {
            return Place::Removed;
        }
        let is_this = |other: fs::Metadata| FileId::of(&other) == FileId::of(&file);
        if fs::metadata(&self.path).is_ok_and(is_this) { Place::Here } else { Place::Moved }
    }

    fn failed(&self, action: &'static str, source: io::Error) -> FileError {
        FileError { action, path: self.path.clone(), source }
    }
}

/// Where the last whole line of a file of this length ends.
fn end_of_last_line(file: &mut File, length: u64) -> io::Result<u64> {
    const BLOCK: u64 = 64 * 1024;
    let mut block = Vec::new();
    let mut end = length;
    while end > 0 {
        let start = end.saturating_sub(BLOCK);
        file.seek(SeekFrom::Start(start))?;
        block.clear();
        Read::by_ref(file).take(end - start).read_to_end(&mut block)?;
        if let Some(at) = memchr::memrchr(b'\n', &block) {
            return Ok(start + at as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

/// Appends a record's value as whole lines: it gets a line end unless it has one.
///
/// An empty value, and a record without a value, become an empty line, so that every record leaves
/// a trace. A value of several lines stays those lines.
pub fn push_record(out: &mut Vec<u8>, value: &[u8]) {
    out.extend_from_slice(value);
    if value.last() != Some(&b'\n') {
        out.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn file(content: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("consumer-thread-0.csv");
        fs::write(&path, content).unwrap();
        (folder, path)
    }

    #[test]
    fn every_record_ends_its_line_once() {
        let mut out = Vec::new();
        for value in [b"a".as_slice(), b"b\n", b"", b"c\nd", b"\n"] {
            push_record(&mut out, value);
        }
        assert_eq!(out, b"a\nb\n\nc\nd\n\n");
    }

    #[test]
    fn a_torn_tail_is_cut_off_and_whole_lines_stay() {
        let long = vec![b'x'; 200_000];
        for (content, whole) in [
            (b"".as_slice(), 0),
            (b"one\n", 4),
            (b"one\ntwo", 4),
            (b"torn", 0),
            (long.as_slice(), 0),
        ] {
            let (_folder, path) = file(content);
            let mut data = DataFile::open(&path).unwrap();
            let torn = data.cut_torn_line().unwrap();
            assert_eq!(torn.map_or(0, |torn| torn.bytes), content.len() as u64 - whole);
            data.append(&mut [IoSlice::new(b"ne"), IoSlice::new(b"xt\n")]).unwrap();
            assert_eq!(fs::read(&path).unwrap().len() as u64, whole + 5);
        }
    }

    #[test]
    fn a_full_device_is_an_error_that_names_the_file() {
        let mut data = DataFile::open(Path::new("/dev/full")).unwrap();
        let error = data.append(&mut [IoSlice::new(b"record\n")]).unwrap_err();
        assert!(error.to_string().starts_with("writing to /dev/full: No space left"), "{error}");
        assert_eq!(data.length(), 0);
    }

    #[test]
    fn a_file_that_was_moved_away_or_removed_is_noticed() {
        let (folder, path) = file(b"");
        let moved = folder.path().join("moved");
        let data = DataFile::open(&path).unwrap();
        assert_eq!(data.place(), Place::Here);
        fs::rename(&path, &moved).unwrap();
        assert_eq!(data.place(), Place::Moved);
        fs::write(&path, b"another").unwrap();
        assert_eq!(data.place(), Place::Moved);
        fs::remove_file(&moved).unwrap();
        assert_eq!(data.place(), Place::Removed);
    }

    #[test]
    fn data_files_are_not_world_readable() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new.csv");
        let _data = DataFile::open(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o007, 0);
    }

    proptest! {
        #[test]
        fn after_any_cut_the_file_holds_whole_records_only(
            records in prop::collection::vec("[a-z]{0,8}", 0..20),
            cut in 0usize..200,
        ) {
            let mut whole = Vec::new();
            for record in &records {
                push_record(&mut whole, record.as_bytes());
            }
            let cut = cut.min(whole.len());
            let (_folder, path) = file(&whole[..cut]);
            let mut data = DataFile::open(&path).unwrap();
            data.cut_torn_line().unwrap();
            let left = fs::read(&path).unwrap();
            prop_assert_eq!(data.length(), left.len() as u64);
            prop_assert!(whole.starts_with(&left));
            prop_assert!(left.is_empty() || left.ends_with(b"\n"));
        }
    }
}
