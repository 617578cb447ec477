//! Which file the lines of a slot go to: the one that an earlier run has left, or a new one.

use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use super::Output;
use super::left::{Fate, is_of, number_of};
use super::slots::{Lines, OpenFile, Slot};
use crate::kafka::dead_letters::FILE_SUFFIX;
use crate::sink::file::FileError;
use crate::sink::files::names::{WhileOpen, own_name};
use crate::sink::files::period::tell;
use crate::sink::files::rotation::Now;
use crate::sink::files::template::{NamePattern, Values, Variable, of_measurement, of_topic};
use crate::sink::journal::journal_path;
use crate::sink::journaled::JournaledFile;
use crate::sink::rows::header_of;

impl Output {
    /// Opens the file of a slot, unless it is open; `first` is the offset of its first record.
    ///
    /// # Errors
    /// Whatever opening or making it fails with; it may be tried again.
    pub(super) fn open_slot(&mut self, at: usize, first: i64) -> Result<(), FileError> {
        let slot = self.slots.get(at);
        if slot.open.is_some() {
            return Ok(());
        }
        let lines = slot.lines.clone();
        let now = Now { wall: self.clock.now(), elapsed: self.clock.elapsed() };
        let mut period = self.settings.files.rotation.period_of(now.wall);
        let file = if matches!(lines, Lines::DeadLetters) {
            let path = self.names.folder().join(format!("{}{FILE_SUFFIX}", self.name));
            self.let_go_of_confirmed();
            if self.left.iter().any(|left| left.file.is_at(&path)) {
                // Whoever still has it would cut it where it ended.
                let source = io::Error::other("what failed to be taken out of it is still in it");
                return Err(FileError { action: "opening", path, source });
            }
            self.open_file(&path, b"")?
        } else {
            let values = self.values_of(slot);
            let header = lines.header();
            if let Some(open) = self.take_left(&values, header) {
                period = open.period;
                open.file
            } else if let Some(path) = self.found_file(&values, header)? {
                self.open_file(&path, header)?
            } else {
                let began = period.map_or(now.wall, |period| period.from);
                self.begin_file(values, header, began, first)?
            }
        };
        self.last_number = self.last_number.max(file.last_number());
        self.slots.get_mut(at).open = Some(OpenFile { file, period, written_at: now.elapsed });
        self.has_changed_files = true;
        Ok(())
    }

    fn open_file(&self, path: &Path, header: &[u8]) -> Result<JournaledFile, FileError> {
        JournaledFile::open_below(path, header, self.writer, self.settings.fsync)
    }

    fn begin_file(
        &self,
        mut values: Values,
        header: &[u8],
        began: crate::metric::Timestamp,
        first: i64,
    ) -> Result<JournaledFile, FileError> {
        let files = &self.settings.files;
        tell(&mut values, began, &files.zone);
        values.set(Variable::First, first.to_string());
        let while_open = if self.is_rotated() { WhileOpen::Marked } else { WhileOpen::OwnName };
        self.names.with_free(&files.template, &values, while_open, |path| {
            let journal = journal_path(path);
            let had_journal = journal.exists();
            self.open_file(path, header).inspect_err(|_| {
                // Nothing is in it, and trying again would leave one more each time.
                let _ = fs::remove_file(path);
                if !had_journal {
                    let _ = fs::remove_file(&journal);
                }
            })
        })
    }

    /// What stands in the names of a slot's files, as far as they have it in common.
    fn values_of(&self, slot: &Slot) -> Values {
        let mut values = self.known();
        if let Some(topic) = &slot.topic {
            values.set(Variable::Topic, of_topic(topic));
        }
        if let Some(partition) = slot.partition {
            values.set(Variable::Partition, partition.to_string());
        }
        if let Lines::Rows(layout) = &slot.lines
            && let Some(measurement) = &layout.measurement
        {
            values.set(Variable::Measurement, of_measurement(measurement));
        }
        values
    }

    /// Takes the newest file that an earlier run has left open, if lines of this header can be
    /// appended to it; the others of its kind have ended.
    fn take_left(&mut self, values: &Values, header: &[u8]) -> Option<OpenFile> {
        let now = Now { wall: self.clock.now(), elapsed: self.clock.elapsed() };
        let pattern = self.settings.files.template.pattern(values);
        let newest = self.newest_left(&pattern);
        let mut taken = None;
        if let Some(at) = newest
            && let Fate::GoneOnWith(age) = self.left[at].fate
            && !self.left[at].file.has_unconfirmed()
            && self.settings.files.rotation.due(&age, now).is_none()
            && begins_with(self.left[at].file.path(), header)
        {
            let mut file = self.left.remove(at).file;
            file.resume(header);
            taken = Some(OpenFile { file, period: age.period, written_at: now.elapsed });
        }
        for left in &mut self.left {
            if matches!(left.fate, Fate::GoneOnWith(_)) && is_of(&pattern, left.file.path()) {
                left.fate = Fate::Published;
            }
        }
        taken
    }

    /// The one that was written to last of the files that an earlier run has left open and that are
    /// called as the pattern says.
    fn newest_left(&self, pattern: &NamePattern) -> Option<usize> {
        let open = self.left.iter().enumerate().filter_map(|(at, left)| match left.fate {
            Fate::GoneOnWith(_) => {
                let number = number_of(pattern, left.file.path())?;
                Some(((left.file.modified(), number), at))
            }
            Fate::Stays | Fate::Published => None,
        });
        open.max().map(|(_, at)| at)
    }

    /// The newest file in the folder, if lines of this header can be appended to it.
    fn found_file(&self, values: &Values, header: &[u8]) -> Result<Option<PathBuf>, FileError> {
        if self.is_rotated() {
            return Ok(None);
        }
        let Some(path) = self.newest_in_folder(values)? else { return Ok(None) };
        // Where the last whole row of a file ends is known by its journal only.
        let is_known = header.is_empty() || journal_path(&path).exists();
        let is_in_use = self.all_files().any(|file| file.is_at(&path));
        Ok((is_known && !is_in_use && begins_with(&path, header)).then_some(path))
    }

    fn newest_in_folder(&self, values: &Values) -> Result<Option<PathBuf>, FileError> {
        let names = self.names.list()?;
        let pattern = self.settings.files.template.pattern(values);
        let own = names.iter().filter(|name| own_name(name) == name.as_str());
        let numbered = own.filter_map(|name| Some((pattern.read(name)?.number, name)));
        Ok(numbered.max().map(|(_, name)| self.names.folder().join(name)))
    }

    /// The columns of the newest file of a measurement.
    pub(super) fn newest_header(&self, measurement: Option<&str>) -> Option<Vec<String>> {
        let mut values = self.known();
        if let Some(measurement) = measurement {
            values.set(Variable::Measurement, of_measurement(measurement));
        }
        let path = if self.is_rotated() {
            let at = self.newest_left(&self.settings.files.template.pattern(&values))?;
            self.left[at].file.path().to_owned()
        } else {
            self.newest_in_folder(&values).ok()??
        };
        match read_header(&path) {
            Ok(header) => header,
            Err(error) => {
                log::debug!(target: &self.name, "reading {}: {error}", path.display());
                None
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the sink's subject is files")]
fn read_header(path: &Path) -> io::Result<Option<Vec<String>>> {
    header_of(BufReader::new(File::open(path)?))
}

/// Whether a file begins with a header, or with nothing, so that it can get it.
#[expect(clippy::disallowed_methods, reason = "the sink's subject is files")]
fn begins_with(path: &Path, header: &[u8]) -> bool {
    let read = || -> io::Result<bool> {
        let mut begin = Vec::new();
        File::open(path)?.take(header.len() as u64).read_to_end(&mut begin)?;
        Ok(begin == header || fs::metadata(path)?.len() == 0)
    };
    read().unwrap_or(false)
}
