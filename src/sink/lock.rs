//! One sink a folder: a lock that ends with the process that holds it.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use crate::system::Clock;

/// The name of the lock file in an output folder.
pub const LOCK_FILE: &str = ".metric-sink.lock";

/// Why a folder could not be locked.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process writes to the folder.
    #[error(
        "{} is being written to by another metric-sink ({holder}); stop it, or choose another --output-dir",
        folder.display()
    )]
    Held {
        /// The folder.
        folder: PathBuf,
        /// What the other process says of itself.
        holder: String,
    },
    /// The lock file cannot be made or locked.
    #[error("locking {}: {source}", path.display())]
    Io {
        /// The lock file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// A locked folder; it is let go when the value is dropped, or the process ends in whatever way.
#[derive(Debug)]
pub struct FolderLock {
    file: File,
}

impl FolderLock {
    /// Locks a folder for this process.
    ///
    /// # Errors
    /// If another process holds it, which is named, or the lock file cannot be made.
    pub fn acquire(folder: &Path, clock: &dyn Clock) -> Result<FolderLock, LockError> {
        let path = folder.join(LOCK_FILE);
        let failed = |source| LockError::Io { path: path.clone(), source };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o640)
            .open(&path)
            .map_err(failed)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let mut holder = String::new();
                // Whoever holds it may not have written its name yet.
                let _ = file.read_to_string(&mut holder);
                let holder = match holder.trim() {
                    "" => "its process id is not known yet".to_owned(),
                    holder => holder.to_owned(),
                };
                return Err(LockError::Held { folder: folder.to_owned(), holder });
            }
            Err(error) => return Err(failed(error.into())),
        }
        let since = jiff::Timestamp::from_second(clock.now().seconds()).unwrap_or_default();
        file.set_len(0)
            .and_then(|()| file.seek(SeekFrom::Start(0)))
            .and_then(|_| writeln!(file, "process {} since {since}", std::process::id()))
            .map_err(failed)?;
        Ok(FolderLock { file })
    }

    /// Whether the lock is in some folder still, if perhaps not under its path.
    pub fn is_somewhere(&self) -> bool {
        self.file.metadata().is_ok_and(|found| found.nlink() > 0)
    }

    /// Whether the lock is still in a folder: without it, another process could lock that, too.
    pub fn is_in(&self, folder: &Path) -> bool {
        let number = |found: Metadata| (found.dev(), found.ino());
        let found = fs::metadata(folder.join(LOCK_FILE)).map(number).ok();
        found.is_some() && self.file.metadata().map(number).ok() == found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::Timestamp;
    use crate::system::fake::FakeClock;

    #[test]
    fn a_folder_has_one_holder_who_is_named_to_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let clock = FakeClock::at(Timestamp::from_seconds(1_136_214_245));
        let lock = FolderLock::acquire(folder.path(), &clock).unwrap();
        let error = FolderLock::acquire(folder.path(), &clock).unwrap_err();
        let own = format!("(process {} since 2006-01-02T15:04:05Z)", std::process::id());
        assert!(error.to_string().contains(&own), "{error}");
        drop(lock);
        FolderLock::acquire(folder.path(), &clock).unwrap();
    }

    #[test]
    fn a_folder_that_is_missing_is_named() {
        let clock = FakeClock::at(Timestamp::EPOCH);
        let error = FolderLock::acquire(Path::new("/nonexistent/folder"), &clock).unwrap_err();
        assert!(error.to_string().contains("/nonexistent/folder"), "{error}");
    }
}
