//! A file that is appended to and set aside when it gets too old or too large.
//!
//! # References
//! Telegraf's `internal/rotate`.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::{Archives, Clock};
use crate::metric::Timestamp;

/// When a file is set aside, and how many of those stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotation {
    /// How old a file gets; zero is without end.
    pub interval: Duration,
    /// How large a file gets, in bytes; zero is without end.
    pub max_size_bytes: u64,
    /// How many of the files that were set aside stay, the newest; `None` is all.
    pub keep: Option<usize>,
}

impl Rotation {
    /// A file that only grows.
    pub const NEVER: Rotation =
        Rotation { interval: Duration::ZERO, max_size_bytes: 0, keep: None };
}

/// A file that is appended to and rotated.
pub struct RotatingFile {
    path: PathBuf,
    mode: u32,
    rotation: Rotation,
    archives: Archives,
    clock: Arc<dyn Clock>,
    file: File,
    size_bytes: u64,
    expires: Timestamp,
}

impl RotatingFile {
    /// Opens a file for appending, making it with `mode` and its folder if they are missing.
    ///
    /// A file from before that is due is rotated at once, so that the age counts over restarts.
    ///
    /// # Errors
    /// Whatever making the folder or opening the file fails with.
    pub fn open(
        path: &Path,
        rotation: Rotation,
        mode: u32,
        clock: Arc<dyn Clock>,
    ) -> io::Result<RotatingFile> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        let (file, size_bytes, modified) = open_to_append(path, mode)?;
        let mut this = RotatingFile {
            path: path.to_owned(),
            mode,
            rotation,
            archives: Archives::of(path),
            file,
            size_bytes,
            expires: modified.unwrap_or_else(|| clock.now()).after(rotation.interval),
            clock,
        };
        this.rotate_if_due()?;
        Ok(this)
    }

    /// The file itself, for flushing it to the disk.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Rotates the file if it is too old, also when nothing is being written.
    ///
    /// # Errors
    /// If the next file cannot be opened; writing then goes on into the old one.
    pub fn rotate_if_due(&mut self) -> io::Result<()> {
        let Rotation { interval, max_size_bytes, .. } = self.rotation;
        let too_old = !interval.is_zero() && self.clock.now() > self.expires;
        let too_large = max_size_bytes > 0 && self.size_bytes >= max_size_bytes;
        if (too_old || too_large) && self.size_bytes > 0 { self.rotate() } else { Ok(()) }
    }

    fn rotate(&mut self) -> io::Result<()> {
        let now = self.clock.now();
        // Writing into an old file beats losing lines: it is tried again at the next write.
        fs::rename(&self.path, self.archives.free_path(now))?;
        let (file, size_bytes, _) = open_to_append(&self.path, self.mode)?;
        self.file = file;
        self.size_bytes = size_bytes;
        self.expires = now.after(self.rotation.interval);
        if let Some(keep) = self.rotation.keep {
            // What cannot be deleted now is tried again at the next rotation.
            let _ = self.archives.delete_beyond(keep);
        }
        Ok(())
    }
}

impl Write for RotatingFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.size_bytes += written as u64;
        // Only between whole writes, so that no line is torn.
        if written == bytes.len() {
            // What was to be written is written; a rotation that failed is tried again next time.
            let _ = self.rotate_if_due();
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn open_to_append(path: &Path, mode: u32) -> io::Result<(File, u64, Option<Timestamp>)> {
    let file = OpenOptions::new().append(true).create(true).mode(mode).open(path)?;
    let metadata = file.metadata()?;
    let modified = metadata
        .modified()
        .ok()
        .and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok())
        .map(|since| Timestamp::EPOCH.after(since));
    Ok((file, metadata.len(), modified))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::fake::FakeClock;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn clock(seconds: i64) -> Arc<FakeClock> {
        Arc::new(FakeClock::at(Timestamp::from_seconds(seconds)))
    }

    #[test]
    fn a_file_that_is_large_enough_is_set_aside_and_the_newest_stay() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.log");
        let rotation = Rotation { max_size_bytes: 4, keep: Some(2), ..Rotation::NEVER };
        let clock = clock(1_136_214_245);
        let mut file = RotatingFile::open(&path, rotation, 0o640, clock).unwrap();
        fs::write(folder.path().join("a.other.log"), "stays").unwrap();
        for line in ["one\n", "two\n", "three\n", "4"] {
            file.write_all(line.as_bytes()).unwrap();
        }
        assert_eq!(
            names(folder.path()),
            ["a.2006-01-02-1136214246.log", "a.2006-01-02-1136214247.log", "a.log", "a.other.log"]
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), "4");
        let newest = folder.path().join("a.2006-01-02-1136214247.log");
        assert_eq!(fs::read_to_string(newest).unwrap(), "three\n");
    }

    #[test]
    fn age_counts_from_the_last_change_even_over_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("b");
        fs::write(&path, "old").unwrap();
        let now = RealNow::seconds(&path);
        let rotation = Rotation { interval: Duration::from_secs(60), ..Rotation::NEVER };
        RotatingFile::open(&path, rotation, 0o640, clock(now + 59)).unwrap();
        assert_eq!(names(folder.path()).len(), 1);
        RotatingFile::open(&path, rotation, 0o640, clock(now + 62)).unwrap();
        assert_eq!(names(folder.path()).len(), 2);
        assert_eq!(fs::read_to_string(&path).unwrap(), "");
    }

    /// The file system's own time, which is what ages are counted from.
    struct RealNow;

    impl RealNow {
        fn seconds(path: &Path) -> i64 {
            let modified = fs::metadata(path).unwrap().modified().unwrap();
            modified.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() as i64
        }
    }

    #[test]
    fn missing_folders_are_made() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x/y/z.log");
        let mut file = RotatingFile::open(&path, Rotation::NEVER, 0o640, clock(0)).unwrap();
        file.write_all(b"line\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "line\n");
    }
}
