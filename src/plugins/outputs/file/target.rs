//! Where the bytes go: a file that is appended to, or the standard output.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::metric::Timestamp;
use crate::plugin::Quoted;
use crate::system::{Archives, ErrorWords};

/// Files hold data that is nobody's business but the owner's and the group's.
const MODE: u32 = 0o640;

/// What went wrong with a file.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be opened.
    #[error("open {}: {}", .path.display(), ErrorWords(source))]
    Open {
        /// Its path.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It cannot be written to.
    #[error("failed to write message: write {}: {}", .path.display(), ErrorWords(source))]
    Write {
        /// Its path.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It cannot be renamed, or its archives not deleted.
    #[error("unable to rotate the file {}: {}", Quoted::new(path.to_string_lossy().as_bytes()), ErrorWords(source))]
    Rotate {
        /// Its path.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// When files are put aside, and how many of them stay.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rotation {
    /// The age at which a file is put aside.
    pub(super) interval: Option<Duration>,
    /// The size at which a file is put aside.
    pub(super) max_bytes: Option<u64>,
    /// How many archives stay; none means all.
    pub(super) keep: Option<usize>,
}

/// Something to write to.
#[derive(Debug)]
pub(super) enum Target {
    Stdout,
    File(LogFile),
}

impl Target {
    /// Writes all of `bytes`, or nothing as far as that is in its power.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), FileError> {
        match self {
            Target::Stdout => {
                let mut stdout = io::stdout().lock();
                stdout.write_all(bytes).and_then(|()| stdout.flush()).map_err(|source| {
                    FileError::Write { path: PathBuf::from("/dev/stdout"), source }
                })
            }
            Target::File(file) => file.write(bytes),
        }
    }

    /// Takes back the last write, as far as that is in its power.
    pub(super) fn take_back(&mut self) {
        if let Target::File(file) = self {
            file.take_back();
        }
    }

    /// How many bytes may be written before the target is due for rotation by its size.
    pub(super) fn room(&self) -> u64 {
        match self {
            Target::Stdout => u64::MAX,
            Target::File(file) => {
                file.rotation.max_bytes.map_or(u64::MAX, |most| most.saturating_sub(file.size))
            }
        }
    }

    /// Puts the file aside if it has become too old or too large.
    pub(super) fn rotate_if_due(&mut self, now: Timestamp) -> Result<(), FileError> {
        match self {
            Target::Stdout => Ok(()),
            Target::File(file) => file.rotate_if_due(now),
        }
    }
}

/// A file that is appended to.
#[derive(Debug)]
pub(super) struct LogFile {
    path: PathBuf,
    file: File,
    rotation: Rotation,
    archives: Archives,
    /// Its size after the last write.
    size: u64,
    /// Its size before the last write, if that can be taken back.
    size_before: Option<u64>,
    /// When it is too old.
    expires: Option<Timestamp>,
}

impl LogFile {
    /// Opens a file, puts it aside at once if it is due, and begins a new one then.
    pub(super) fn open(
        path: &Path,
        rotation: Rotation,
        now: Timestamp,
    ) -> Result<LogFile, FileError> {
        let file = open(path)?;
        let mut opened = LogFile {
            path: path.to_owned(),
            file,
            rotation,
            archives: Archives::of(path),
            size: 0,
            size_before: None,
            expires: None,
        };
        opened.read_state(now);
        opened.rotate_if_due(now)?;
        Ok(opened)
    }

    /// Learns size and age of the file that was just opened.
    ///
    /// The age counts from the last write of an earlier run, so that an agent that is restarted
    /// more often than files rotate rotates them nevertheless.
    fn read_state(&mut self, now: Timestamp) {
        let metadata = self.file.metadata().ok();
        self.size = metadata.as_ref().map_or(0, Metadata::len);
        self.size_before = None;
        let changed = metadata
            .filter(|metadata| metadata.len() > 0)
            .map_or(now, |metadata| Timestamp::from_seconds(metadata.mtime()));
        self.expires = self.rotation.interval.map(|interval| changed.after(interval));
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), FileError> {
        let before = self.follow_path()?;
        self.size = before.len();
        self.size_before = before.is_file().then_some(self.size);
        if let Err(source) = self.file.write_all(bytes) {
            // Half a line left behind would spoil the line that is tried again.
            self.take_back();
            return Err(FileError::Write { path: self.path.clone(), source });
        }
        self.size += bytes.len() as u64;
        Ok(())
    }

    /// Opens the path anew if the file there has been removed or moved away, for writing to a
    /// file that nobody can find is losing data. Returns the state of the file.
    fn follow_path(&mut self) -> Result<Metadata, FileError> {
        let failed = |source| FileError::Write { path: self.path.clone(), source };
        let open_file = self.file.metadata().map_err(failed)?;
        if !open_file.is_file() {
            return Ok(open_file);
        }
        match std::fs::metadata(&self.path) {
            Ok(there) if (there.dev(), there.ino()) == (open_file.dev(), open_file.ino()) => {
                Ok(open_file)
            }
            _ => {
                self.file = open(&self.path)?;
                self.file.metadata().map_err(failed)
            }
        }
    }

    fn take_back(&mut self) {
        if let Some(before) = self.size_before.take() {
            // Where this fails, too, there is nothing left to try; the write is reported anyway.
            if self.file.set_len(before).is_ok() {
                self.size = before;
            }
        }
    }

    fn rotate_if_due(&mut self, now: Timestamp) -> Result<(), FileError> {
        let too_old = self.expires.is_some_and(|expires| now > expires);
        let too_large = self.rotation.max_bytes.is_some_and(|most| self.size >= most);
        if self.size == 0 || !(too_old || too_large) {
            return Ok(());
        }
        let archive = self.archives.free_path(now);
        let failed = |source| FileError::Rotate { path: self.path.clone(), source };
        std::fs::rename(&self.path, archive).map_err(failed)?;
        self.file = open(&self.path)?;
        self.read_state(now);
        match self.rotation.keep {
            Some(keep) => self
                .archives
                .delete_beyond(keep)
                .map_err(|source| FileError::Rotate { path: self.path.clone(), source }),
            None => Ok(()),
        }
    }
}

fn open(path: &Path) -> Result<File, FileError> {
    OpenOptions::new()
        // A named pipe that nobody reads yet opens only if it is opened for both.
        .read(true)
        .append(true)
        .create(true)
        .mode(MODE)
        .open(path)
        .map_err(|source| FileError::Open { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);
    const NEVER: Rotation = Rotation { interval: None, max_bytes: None, keep: Some(5) };

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn files_are_appended_to_and_not_readable_by_everybody() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.out");
        LogFile::open(&path, NEVER, NOW).unwrap().write(b"a\n").unwrap();
        LogFile::open(&path, NEVER, NOW).unwrap().write(b"b\n").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"a\nb\n");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o007, 0);
    }

    #[test]
    fn a_file_that_was_moved_away_or_removed_is_begun_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.out");
        let mut file = LogFile::open(&path, NEVER, NOW).unwrap();
        file.write(b"a\n").unwrap();
        fs::rename(&path, folder.path().join("m.out.1")).unwrap();
        file.write(b"b\n").unwrap();
        fs::remove_file(&path).unwrap();
        file.write(b"c\n").unwrap();
        assert_eq!(fs::read(folder.path().join("m.out.1")).unwrap(), b"a\n");
        assert_eq!(fs::read(&path).unwrap(), b"c\n");
    }

    #[test]
    fn a_write_can_be_taken_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.out");
        let mut file = LogFile::open(&path, NEVER, NOW).unwrap();
        file.write(b"kept\n").unwrap();
        file.write(b"not kept\n").unwrap();
        file.take_back();
        assert_eq!(fs::read(&path).unwrap(), b"kept\n");
        file.write(b"next\n").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"kept\nnext\n");
    }

    #[test]
    fn a_full_disk_is_an_error_that_names_the_file() {
        let mut file = LogFile::open(Path::new("/dev/full"), NEVER, NOW).unwrap();
        let error = file.write(b"a\n").unwrap_err();
        assert_eq!(
            error.to_string(),
            "failed to write message: write /dev/full: no space left on device"
        );
    }

    #[test]
    fn a_file_that_is_too_large_is_put_aside_and_only_so_many_archives_stay() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.out");
        let rotation = Rotation { max_bytes: Some(4), keep: Some(2), ..NEVER };
        let mut file = LogFile::open(&path, rotation, NOW).unwrap();
        for line in [b"1111", b"2222", b"3333", b"4444"] {
            file.write(line).unwrap();
            // All in one second: no archive may overwrite another.
            file.rotate_if_due(NOW).unwrap();
        }
        let names = names(folder.path());
        assert_eq!(names.len(), 3);
        let archives: Vec<_> = names[..2]
            .iter()
            .map(|name| fs::read_to_string(folder.path().join(name)).unwrap())
            .collect();
        assert_eq!(archives, ["3333", "4444"]);
        assert_eq!(names[2], "m.out");
        assert_eq!(fs::read(&path).unwrap(), b"");
    }

    #[test]
    fn a_file_that_is_too_old_is_put_aside_also_one_of_an_earlier_run() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.out");
        fs::write(&path, "old").unwrap();
        let modified = fs::metadata(&path).unwrap().mtime();
        let rotation = Rotation { interval: Some(Duration::from_secs(60)), keep: None, ..NEVER };
        let soon = Timestamp::from_seconds(modified + 60);
        let late = Timestamp::from_seconds(modified + 61);
        let mut file = LogFile::open(&path, rotation, soon).unwrap();
        assert_eq!(names(folder.path()), ["m.out"]);
        file.rotate_if_due(late).unwrap();
        assert_eq!(names(folder.path()).len(), 2);
        drop(LogFile::open(&path, rotation, late.after(Duration::from_secs(3600))).unwrap());
        assert_eq!(names(folder.path()).len(), 2, "an empty file is not worth an archive");
    }
}
