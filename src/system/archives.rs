//! The names of rotated files, and how many of them stay.
//!
//! # References
//! Telegraf names them `stem.2006-01-02-UNIXSECONDS.ext`, the date in local time.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;

use crate::metric::Timestamp;

/// The archives of one file.
#[derive(Debug)]
pub struct Archives {
    folder: PathBuf,
    stem: String,
    /// With its dot, or empty.
    extension: String,
    /// The second in the name of the archive made last.
    last: i64,
}

impl Archives {
    /// The archives of the file at `path`.
    pub fn of(path: &Path) -> Archives {
        let name = path.file_name().map(OsStr::to_string_lossy).unwrap_or_default();
        // Unlike in Rust a name such as ".metrics" is all extension in Go, and so in Telegraf.
        let (stem, extension) = name.split_at(name.rfind('.').unwrap_or(name.len()));
        let folder = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        Archives { folder, stem: stem.to_owned(), extension: extension.to_owned(), last: i64::MIN }
    }

    /// A path for a file that is archived at `now`, at which nothing is yet.
    ///
    /// Telegraf overwrites an archive of the same second; here the later one gets the next second,
    /// also where the earlier one has been deleted since, so that names tell the order.
    pub fn free_path(&mut self, now: Timestamp) -> PathBuf {
        let mut second = now.seconds().max(self.last.saturating_add(1));
        loop {
            let path = self.folder.join(self.name(second));
            if fs::symlink_metadata(&path).is_err() {
                self.last = second;
                return path;
            }
            second = second.saturating_add(1);
        }
    }

    /// Deletes the oldest archives beyond the `keep` newest.
    ///
    /// # Errors
    /// The first that cannot be listed or deleted.
    pub fn delete_beyond(&self, keep: usize) -> io::Result<()> {
        let archives = self.newest_first()?;
        let surplus = archives.into_iter().skip(keep).rev();
        surplus.into_iter().try_for_each(|(path, _)| fs::remove_file(path))
    }

    /// The archives that there are, the newest first, each with its size in bytes.
    ///
    /// # Errors
    /// If the folder cannot be listed.
    pub fn newest_first(&self) -> io::Result<Vec<(PathBuf, u64)>> {
        let mut archives = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            if let Some(second) = entry.file_name().to_str().and_then(|name| self.second_of(name)) {
                archives.push((second, entry.path(), entry.metadata()?.len()));
            }
        }
        archives.sort();
        Ok(archives.into_iter().rev().map(|(_, path, size)| (path, size)).collect())
    }

    fn name(&self, second: i64) -> String {
        let date = jiff::Timestamp::from_second(second)
            .unwrap_or(jiff::Timestamp::UNIX_EPOCH)
            .to_zoned(TimeZone::system())
            .date();
        format!("{}.{date}-{second}{}", self.stem, self.extension)
    }

    /// The second in the name of an archive; none if it is another file.
    fn second_of(&self, name: &str) -> Option<i64> {
        let stamp = name
            .strip_prefix(self.stem.as_str())?
            .strip_prefix('.')?
            .strip_suffix(self.extension.as_str())?;
        let (date, second) = stamp.rsplit_once('-')?;
        let date_like =
            date.len() >= 10 && date.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
        let digits = second.bytes().all(|byte| byte.is_ascii_digit());
        if date_like && digits { second.parse().ok() } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn archives_are_told_from_other_files() {
        let archives = Archives::of(Path::new("/var/log/metrics.out"));
        for (name, second) in [
            ("metrics.2023-11-14-1700000000.out", Some(1_700_000_000)),
            ("metrics.out", None),
            ("metrics.my-notes.out", None),
            ("metrics.2023-11-14-1700000000.out.gz", None),
            ("metrics.2023-11-14-.out", None),
            ("other.2023-11-14-1700000000.out", None),
        ] {
            assert_eq!(archives.second_of(name), second, "{name}");
        }
        let name = archives.name(1_700_000_000);
        assert_eq!(archives.second_of(&name), Some(1_700_000_000), "{name}");
    }

    #[test]
    fn names_without_extension_and_hidden_ones_are_split_as_telegraf_does() {
        let name = |path: &str| Archives::of(Path::new(path)).name(1_700_000_000);
        assert!(name("a/metrics").starts_with("metrics.2023-11-1"));
        assert!(name("a/metrics").ends_with("-1700000000"));
        assert!(name(".metrics").starts_with(".2023-11-1"));
        assert!(name(".metrics").ends_with("-1700000000.metrics"));
    }
}
