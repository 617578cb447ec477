//! A file of lines that several processes append to, and that one of them takes away to work
//! through it.
//!
//! Whoever appends locks the file, looks whether it still has its name, writes whole lines, and
//! brings them to the disk before letting go. So nobody ever writes to a file that was taken.
//!
//! # References
//! flock(2), and fcntl(2) for locks that do not stand in each other's way.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, BufReader, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, fcntl_lock, flock};
use rustix::io::Errno;

use super::Archives;
use crate::metric::Timestamp;

/// Lines are their owner's business only.
const MODE: u32 = 0o600;

/// A file is set aside when it has this part of what may be kept, so that little is lost at once.
const PARTS: u64 = 4;

/// Behind the name of a file that was taken.
const TAKEN: &str = ".replaying";

/// A file that lines are appended to, and which is set aside in parts as it grows.
#[derive(Debug)]
pub struct SharedLines {
    path: PathBuf,
    most_bytes: u64,
    archives: Archives,
}

impl SharedLines {
    /// The lines at `path`, of which about `most_bytes` are kept; nothing is opened yet.
    pub fn new(path: PathBuf, most_bytes: u64) -> SharedLines {
        let archives = Archives::of(&path);
        SharedLines { path, most_bytes, archives }
    }

    /// Where they are.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends whole lines, which are on the disk when this returns, and tells which files with
    /// older lines were deleted to make room.
    ///
    /// # Errors
    /// Whatever the system says; then nothing of the lines is in the file.
    pub fn append(&mut self, lines: &[u8], now: Timestamp) -> io::Result<Vec<PathBuf>> {
        let mut file = lock(&self.path)?;
        let size = file.metadata()?.len();
        let added = lines.len() as u64;
        if size > 0 && size.saturating_add(added) > self.most_bytes / PARTS {
            fs::rename(&self.path, self.archives.free_path(now))?;
            file = lock(&self.path)?;
        }
        add(&mut file, &self.path, lines)?;
        let size = file.metadata()?.len();
        drop(file);
        self.discard_beyond(self.most_bytes.saturating_sub(size))
    }

    /// Deletes the oldest files that were set aside, until the others have `most_bytes` at most.
    fn discard_beyond(&self, most_bytes: u64) -> io::Result<Vec<PathBuf>> {
        let mut discarded = Vec::new();
        let mut kept = 0;
        for (path, size) in self.archives.newest_first()? {
            kept += size;
            if kept > most_bytes {
                fs::remove_file(&path)?;
                discarded.push(path);
            }
        }
        Ok(discarded)
    }
}

/// Why a file cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum TakeError {
    /// One that was taken before is still there.
    #[error(
        "{} is there: that file is being worked through, or was when something broke off; in that \
         case do it first, under this name", path.display()
    )]
    TakenBefore {
        /// The file.
        path: PathBuf,
    },
    /// Another process works through it.
    #[error("{} is being worked through by another process", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// The system does not let it be opened, locked or renamed.
    #[error("{}: {}", path.display(), super::ErrorWords(source))]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// A file of lines that nobody else writes to any more; it keeps its other name until it is
/// [done](TakenLines::done) with.
#[derive(Debug)]
pub struct TakenLines {
    file: File,
    /// Where it is now.
    path: PathBuf,
    /// Where it was, and where lines go back to.
    origin: PathBuf,
}

impl TakenLines {
    /// Takes a file away from those who append to it. One that was taken before, by a process that
    /// is gone, is taken by the name that it has since.
    ///
    /// # Errors
    /// If another process has it, or the system does not let it.
    pub fn take(path: &Path) -> Result<TakenLines, TakeError> {
        let failed = |source| TakeError::Io { path: path.to_owned(), source };
        let name = path.as_os_str().to_string_lossy();
        let (file, taken, origin) = match name.strip_suffix(TAKEN) {
            Some(origin) => {
                let file = open_to_take(path).map_err(failed)?;
                (file, path.to_owned(), PathBuf::from(origin))
            }
            None => {
                let taken = PathBuf::from(format!("{name}{TAKEN}"));
                let file = open_to_take(path).map_err(failed)?;
                flock(&file, FlockOperation::LockExclusive)
                    .map_err(|error| failed(error.into()))?;
                // Not by renaming, which would replace what is there.
                fs::hard_link(path, &taken).map_err(|source| match source.kind() {
                    io::ErrorKind::AlreadyExists => TakeError::TakenBefore { path: taken.clone() },
                    _ => failed(source),
                })?;
                fs::remove_file(path).map_err(failed)?;
                // Those who wait for the lock find that the file has lost its name.
                flock(&file, FlockOperation::Unlock).map_err(|error| failed(error.into()))?;
                (file, taken, path.to_owned())
            }
        };
        match fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(TakenLines { file, path: taken, origin }),
            Err(Errno::WOULDBLOCK | Errno::ACCESS) => Err(TakeError::InUse { path: taken }),
            Err(error) => Err(failed(error.into())),
        }
    }

    /// Where it is now.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its lines, to be read once.
    pub fn reader(&self) -> BufReader<&File> {
        BufReader::new(&self.file)
    }

    /// Appends lines to the file of the old name, whoever else appends to that by now.
    ///
    /// # Errors
    /// Whatever the system says.
    pub fn put_back(&self, lines: &[u8]) -> io::Result<()> {
        add(&mut lock(&self.origin)?, &self.origin, lines)
    }

    /// Deletes the file; what is still wanted of it was put back.
    ///
    /// # Errors
    /// Whatever the system says.
    pub fn done(self) -> io::Result<()> {
        fs::remove_file(&self.path)
    }
}

fn open_to_take(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).open(path)
}

/// Opens a file for appending, making it and its folder if they are missing, and locks it until it
/// is closed.
fn lock(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    loop {
        let mut options = OpenOptions::new();
        let file = options.read(true).append(true).create(true).mode(MODE).open(path)?;
        flock(&file, FlockOperation::LockExclusive)?;
        // While this waited the file may have been taken or set aside.
        if has_name(&file, path)? {
            return Ok(file);
        }
    }
}

fn has_name(file: &File, path: &Path) -> io::Result<bool> {
    let own = file.metadata()?;
    match fs::metadata(path) {
        Ok(named) => Ok((named.dev(), named.ino()) == (own.dev(), own.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Appends lines to a file that is locked, and waits until they are on the disk.
fn add(file: &mut File, path: &Path, lines: &[u8]) -> io::Result<()> {
    let size = file.metadata()?.len();
    let mut last = [b'\n'];
    if let Some(at) = size.checked_sub(1) {
        file.read_exact_at(&mut last, at)?;
    }
    // Who was killed in the middle of a line has left it without an end.
    let written = if last == [b'\n'] { Ok(()) } else { file.write_all(b"\n") }
        .and_then(|()| file.write_all(lines))
        .and_then(|()| file.sync_data());
    if let Err(error) = written {
        // Half a line would only be in the way; if it has to stay the next one begins behind it.
        let _ = file.set_len(size);
        return Err(error);
    }
    if size == 0 {
        sync_folder_of(path)?;
    }
    Ok(())
}

/// A file that is new is found again after a loss of power only once its folder is on the disk, too.
fn sync_folder_of(path: &Path) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    #[expect(clippy::disallowed_methods, reason = "this is a door to files of the agent")]
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn now(second: i64) -> Timestamp {
        Timestamp::from_nanos(second * 1_000_000_000)
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn lines_are_appended_for_their_owner_alone_and_behind_a_torn_one() {
        let outer = tempfile::tempdir().unwrap();
        let path = outer.path().join("below/a.jsonl");
        let mut lines = SharedLines::new(path.clone(), 1000);
        lines.append(b"one\n", now(1)).unwrap();
        lines.append(b"two\n", now(1)).unwrap();
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"tor").unwrap();
        lines.append(b"three\n", now(1)).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\ntwo\ntor\nthree\n");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn what_is_kept_has_a_limit_and_the_oldest_goes_first() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.jsonl");
        let mut lines = SharedLines::new(path, 100);
        let mut discarded = 0;
        for number in 0..40 {
            let line = format!("line {number:04}\n");
            discarded += lines.append(line.as_bytes(), now(1000 + number)).unwrap().len();
            let sizes = fs::read_dir(folder.path()).unwrap();
            let total: u64 = sizes.map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
            assert!(total <= 100, "{total} bytes after line {number}");
        }
        assert!(discarded > 10, "{discarded}");
        let newest = fs::read_to_string(folder.path().join("a.jsonl")).unwrap();
        assert!(newest.ends_with("line 0039\n"), "{newest}");
        let total = names(folder.path()).len();
        assert!(total >= 4, "most of what may be kept is kept: {total} files");
    }

    #[test]
    fn a_file_that_was_taken_is_written_to_no_more() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.jsonl");
        let mut lines = SharedLines::new(path.clone(), 1000);
        lines.append(b"old\n", now(1)).unwrap();
        let taken = TakenLines::take(&path).unwrap();
        lines.append(b"new\n", now(2)).unwrap();
        let mut text = String::new();
        taken.reader().read_to_string(&mut text).unwrap();
        assert_eq!(text, "old\n");
        let again = TakenLines::take(&path).unwrap_err();
        assert!(matches!(again, TakeError::TakenBefore { .. }), "{again}");
        taken.put_back(b"back\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new\nback\n");
        taken.done().unwrap();
        assert_eq!(names(folder.path()), ["a.jsonl"]);
    }

    #[test]
    fn what_was_left_by_one_who_broke_off_is_taken_by_its_new_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.jsonl");
        SharedLines::new(path.clone(), 1000).append(b"old\n", now(1)).unwrap();
        drop(TakenLines::take(&path).unwrap());
        assert_eq!(names(folder.path()), ["a.jsonl.replaying"]);
        let taken = TakenLines::take(&folder.path().join("a.jsonl.replaying")).unwrap();
        taken.put_back(b"back\n").unwrap();
        taken.done().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "back\n");
        let missing = TakenLines::take(&folder.path().join("b")).unwrap_err();
        assert!(matches!(missing, TakeError::Io { .. }), "{missing}");
    }
}
