//! The files in a folder that belong to one process: appended to, read, and replaced as a whole.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

/// What is locked for as long as the folder is in use.
const LOCK: &str = "lock";

/// Behind the name of a file that is being replaced.
const UNFINISHED: &str = ".new";

/// Files in one folder, by name.
///
/// It is a trait so that tests can have a disk that fills up, fails, or stops in the middle of a
/// write. Every function fails with whatever the system says.
pub trait DataFiles: Send {
    /// The name and the size in bytes of each file, in no order.
    fn list(&self) -> io::Result<Vec<(String, u64)>>;

    /// Reads up to `most` bytes from `offset` on to the end of `buffer`; fewer only where the file
    /// ends.
    fn read(&self, name: &str, offset: u64, most: usize, buffer: &mut Vec<u8>) -> io::Result<()>;

    /// Writes to the end of a file, which is made if it is missing. What failed may have left a
    /// part of the bytes there.
    fn append(&mut self, name: &str, bytes: &[u8]) -> io::Result<()>;

    /// Waits until what was appended to a file would outlast a loss of power.
    fn sync(&mut self, name: &str) -> io::Result<()>;

    /// Shortens a file to `size` bytes.
    fn cut(&mut self, name: &str, size: u64) -> io::Result<()>;

    /// Puts a file in the place of the one that has the name, so that there is the old one or the
    /// new one and never half of it.
    fn replace(&mut self, name: &str, bytes: &[u8]) -> io::Result<()>;

    /// Gives a file another name.
    fn rename(&mut self, from: &str, to: &str) -> io::Result<()>;

    /// Deletes a file.
    fn remove(&mut self, name: &str) -> io::Result<()>;
}

/// Why a folder cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum DataFolderError {
    /// Somebody else has it.
    #[error("{} is in use by another process, or by another plugin with the same settings", .path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// The system does not let it be made, opened or locked.
    #[error("{}: {}", .path.display(), super::ErrorWords(source))]
    Io {
        /// The folder or file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// A folder of the file system, locked for as long as this value lives.
///
/// Folders are made for their owner alone (mode 0700), and so are files (0600).
#[derive(Debug)]
pub struct DataFolder {
    path: PathBuf,
    /// Holds the lock.
    _lock: File,
    /// The file that was last appended to stays open.
    open: Option<(String, File)>,
    /// Whether that file may be new, so that the folder is to be written to the disk with it.
    may_be_new: bool,
}

impl DataFolder {
    /// Opens a folder, making it if it is missing, and locks it against others.
    ///
    /// # Errors
    /// If another process holds the lock, or the system does not let it be made or opened.
    pub fn open(path: &Path) -> Result<DataFolder, DataFolderError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| DataFolderError::Io { path, source }
        };
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed(path))?;
        let lock_path = path.join(LOCK);
        let mut options = OpenOptions::new();
        let lock = options.write(true).create(true).truncate(false).mode(0o600).open(&lock_path);
        let lock = lock.map_err(failed(&lock_path))?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {
                let path = path.to_owned();
                Ok(DataFolder { path, _lock: lock, open: None, may_be_new: false })
            }
            Err(Errno::WOULDBLOCK) => Err(DataFolderError::InUse { path: path.to_owned() }),
            Err(error) => Err(failed(&lock_path)(error.into())),
        }
    }

    /// The folders below `parent` that hold a file whose name ends so.
    ///
    /// What cannot be read is left out: this is for telling people, who may look for themselves.
    pub fn below(parent: &Path, suffix: &str) -> Vec<PathBuf> {
        let paths = |folder: &Path| -> Vec<PathBuf> {
            let entries = fs::read_dir(folder).into_iter().flatten().flatten();
            entries.map(|entry| entry.path()).collect()
        };
        let is_wanted = |path: &PathBuf| path.to_str().is_some_and(|path| path.ends_with(suffix));
        let mut folders = paths(parent);
        folders.retain(|folder| paths(folder).iter().any(is_wanted));
        folders.sort();
        folders
    }

    fn opened_to_append(&mut self, name: &str) -> io::Result<&mut File> {
        if self.open.as_ref().is_none_or(|(open, _)| open != name) {
            let mut options = OpenOptions::new();
            let file = options.append(true).create(true).mode(0o600).open(self.path.join(name))?;
            self.open = Some((name.to_owned(), file));
            self.may_be_new = true;
        }
        self.open
            .as_mut()
            .map(|(_, file)| file)
            .ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }

    fn close(&mut self, name: &str) {
        if self.open.as_ref().is_some_and(|(open, _)| open == name) {
            self.open = None;
        }
    }
}

impl DataFiles for DataFolder {
    fn list(&self) -> io::Result<Vec<(String, u64)>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            let metadata = entry.metadata()?;
            if let Some(name) = entry.file_name().to_str()
                && metadata.is_file()
                && name != LOCK
            {
                files.push((name.to_owned(), metadata.len()));
            }
        }
        Ok(files)
    }

    fn read(&self, name: &str, offset: u64, most: usize, buffer: &mut Vec<u8>) -> io::Result<()> {
        #[expect(clippy::disallowed_methods, reason = "this is the door to files of the agent")]
        let file = File::open(self.path.join(name))?;
        let mut filled = buffer.len();
        let end = filled + most;
        buffer.resize(end, 0);
        while filled < end {
            let so_far = (filled + most - end) as u64;
            match file.read_at(&mut buffer[filled..], offset + so_far) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        buffer.truncate(filled);
        Ok(())
    }

    fn append(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.opened_to_append(name)?.write_all(bytes)
    }

    fn sync(&mut self, name: &str) -> io::Result<()> {
        self.opened_to_append(name)?.sync_data()?;
        if self.may_be_new {
            // A file that is new is found again only once the folder is on the disk, too.
            #[expect(
                clippy::disallowed_methods,
                reason = "this is the door to files of the agent"
            )]
            File::open(&self.path)?.sync_all()?;
            self.may_be_new = false;
        }
        Ok(())
    }

    fn cut(&mut self, name: &str, size: u64) -> io::Result<()> {
        self.opened_to_append(name)?.set_len(size)
    }

    fn replace(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let unfinished = self.path.join(format!("{name}{UNFINISHED}"));
        let mut options = OpenOptions::new();
        let mut file =
            options.write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
        file.write_all(bytes)?;
        fs::rename(unfinished, self.path.join(name))
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        self.close(from);
        fs::rename(self.path.join(from), self.path.join(to))
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        self.close(name);
        fs::remove_file(self.path.join(name))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn what_is_appended_is_read_and_a_file_is_replaced_as_a_whole() {
        let outer = tempfile::tempdir().unwrap();
        let path = outer.path().join("a/b");
        let mut folder = DataFolder::open(&path).unwrap();
        folder.append("x", b"one").unwrap();
        folder.append("x", b"two").unwrap();
        folder.sync("x").unwrap();
        let mut buffer = b"> ".to_vec();
        folder.read("x", 2, 100, &mut buffer).unwrap();
        assert_eq!(buffer, b"> etwo");
        folder.cut("x", 4).unwrap();
        folder.append("x", b"!").unwrap();
        folder.replace("y", b"old").unwrap();
        folder.replace("y", b"new").unwrap();
        folder.rename("x", "z").unwrap();
        let mut files = folder.list().unwrap();
        files.sort();
        assert_eq!(files, [("y".to_owned(), 3), ("z".to_owned(), 5)]);
        let below = |suffix| DataFolder::below(&outer.path().join("a"), suffix);
        assert_eq!(below("z"), std::slice::from_ref(&path));
        assert!(below("x").is_empty());
        folder.remove("z").unwrap();
        assert_eq!(folder.list().unwrap().len(), 1);
        assert_eq!(
            (mode(&path), mode(&path.join("y")), mode(&path.join(LOCK))),
            (0o700, 0o600, 0o600)
        );
    }

    #[test]
    fn a_folder_has_one_owner_at_a_time() {
        let outer = tempfile::tempdir().unwrap();
        let first = DataFolder::open(outer.path()).unwrap();
        let second = DataFolder::open(outer.path()).unwrap_err();
        assert!(matches!(second, DataFolderError::InUse { .. }), "{second}");
        drop(first);
        DataFolder::open(outer.path()).unwrap();
    }
}
