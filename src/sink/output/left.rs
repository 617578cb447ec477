//! Files that nothing is written to any more, or not yet again, and what becomes of each.

use std::path::Path;

use super::Output;
use super::slots::OpenFile;
use crate::sink::file::{FileError, Place};
use crate::sink::files::names::{OPEN, WhileOpen, is_marked_open, own_name};
use crate::sink::files::rotation::{Age, Now};
use crate::sink::files::template::{NamePattern, Values, Variable, of_topic};
use crate::sink::journal::first_and_last_offset;
use crate::sink::journaled::JournaledFile;

/// What becomes of a file once nothing in it is unconfirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It stays as it is.
    Stays,
    /// It gets its own name.
    Published,
    /// It may be appended to again.
    GoneOnWith(Age),
}

/// A file that nothing is written to any more, or not yet again.
#[derive(Debug)]
pub(super) struct LeftFile {
    pub(super) file: JournaledFile,
    pub(super) fate: Fate,
}

impl LeftFile {
    /// A file whose time is over.
    pub(super) fn ended(open: OpenFile) -> LeftFile {
        let fate = if is_marked_open(open.file.path()) { Fate::Published } else { Fate::Stays };
        LeftFile { file: open.file, fate }
    }

    fn is_confirmed(&self) -> bool {
        !self.file.has_unconfirmed() && self.file.open_bytes() == 0
    }
}

impl Output {
    /// Takes in files that an earlier run has left; of those that are marked as open, this thread
    /// goes on with its own, if they are called as they would be now.
    pub(crate) fn take_in(&mut self, files: Vec<JournaledFile>) {
        let pattern = self.settings.files.template.pattern(&self.known());
        for file in files {
            let fate = if !is_marked_open(file.path()) {
                // Killed between the two renames that give a file its own name.
                let has_old_journal = file.journal_path().is_some_and(is_journal_of_open);
                if has_old_journal { Fate::Published } else { Fate::Stays }
            } else if file.writer() == self.writer
                && self.is_rotated()
                && is_of(&pattern, file.path())
            {
                let modified = file.modified().unwrap_or_else(|| self.clock.now());
                let period = self.settings.files.rotation.period_of(modified);
                let written_at = self.clock.elapsed();
                Fate::GoneOnWith(Age { bytes: file.length(), period, written_at })
            } else {
                Fate::Published
            };
            if file.writer() == self.writer {
                self.last_number = self.last_number.max(file.last_number());
            }
            self.left.push(LeftFile { file, fate });
        }
    }

    /// What stands in names of this writer's files whatever is in them.
    pub(super) fn known(&self) -> Values {
        let mut known = Values::default();
        known.set(Variable::Thread, self.writer.thread.to_string());
        if let [topic] = self.settings.topics.as_slice() {
            known.set(Variable::Topic, of_topic(topic));
        }
        known
    }

    /// Ends the files whose time has come; they are published once everything in them is confirmed.
    pub(crate) fn end_due_files(&mut self) {
        if !self.is_rotated() {
            return;
        }
        let now = Now { wall: self.clock.now(), elapsed: self.clock.elapsed() };
        let rotation = &self.settings.files.rotation;
        for slot in self.slots.iter_mut() {
            let is_due = |open: &mut OpenFile| {
                is_marked_open(open.file.path()) && rotation.due(&open.age(), now).is_some()
            };
            if let Some(open) = slot.open.take_if(is_due) {
                self.left.push(LeftFile::ended(open));
                self.has_changed_files = true;
            }
        }
        for left in &mut self.left {
            if let Fate::GoneOnWith(age) = left.fate
                && rotation.due(&age, now).is_some()
            {
                left.fate = Fate::Published;
            }
        }
        self.let_go_of_confirmed();
    }

    /// Lets go of files of which nothing is in doubt any more.
    pub(super) fn let_go_of_confirmed(&mut self) {
        let mut waiting = Vec::with_capacity(self.left.len());
        for mut left in std::mem::take(&mut self.left) {
            // What could not be taken back must not get a name of its own with the rest.
            if !left.is_confirmed() || left.file.cut_torn().is_err() {
                waiting.push(left);
                continue;
            }
            match left.fate {
                Fate::GoneOnWith(_) => waiting.push(left),
                Fate::Stays => {
                    // What was noted goes to the journal with it; without it the next start asks
                    // again.
                    if let Err(error) = left.file.end() {
                        log::debug!(target: &self.name, "{error}");
                    }
                    if self.is_rotated() && left.file.place() == Place::Here {
                        self.hand_on(left.file.path());
                    }
                }
                Fate::Published => match self.publish(&mut left.file) {
                    Ok(()) => {}
                    Err(error) => {
                        log::debug!(target: &self.name, "{error}; it is tried again");
                        waiting.push(left);
                    }
                },
            }
        }
        self.left = waiting;
    }

    /// Gives a file its own name; its journal goes with it.
    fn publish(&self, file: &mut JournaledFile) -> Result<(), FileError> {
        file.end()?;
        if file.place() != Place::Here {
            // Somebody has moved it away, and called it what they want it to be called.
            return Ok(());
        }
        let path = file.path().to_owned();
        if is_marked_open(&path) {
            match self.name_with_offsets(file) {
                Some(values) => {
                    let template = &self.settings.files.template;
                    let own_name = WhileOpen::OwnName;
                    self.names.with_free(template, &values, own_name, |own| file.rename(own))?;
                }
                None => self.names.with_own(&path, |own| file.rename(own))?,
            }
        } else {
            // The journal alone has not got its name yet.
            file.rename(&path)?;
        }
        log::debug!(
            target: &self.name,
            "{} has ended and is {} now",
            path.display(),
            file.path().display()
        );
        self.hand_on(file.path());
        Ok(())
    }

    /// The values of a name that tells the last offset, which nobody knows before the end.
    fn name_with_offsets(&self, file: &JournaledFile) -> Option<Values> {
        let template = &self.settings.files.template;
        if !template.has(Variable::Last) {
            return None;
        }
        let name = own_name_of(file.path());
        let mut values = template.pattern(&self.known()).read(&name)?.values;
        let offsets = file.journal_path().and_then(|path| first_and_last_offset(path).ok());
        if let Some((_, last)) = offsets.flatten() {
            values.set(Variable::Last, last.to_string());
        }
        Some(values)
    }

    fn hand_on(&self, path: &Path) {
        // Whoever compresses and removes may have ended; the next start looks for what is left.
        let _ = self.ended_files.send(path.to_owned());
    }
}

/// The number of a file that is called as the pattern says, but for the mark of an open one.
pub(super) fn number_of(pattern: &NamePattern, path: &Path) -> Option<u32> {
    pattern.read(&own_name_of(path)).map(|read| read.number)
}

/// Whether a file is called as the pattern says, but for the mark of an open one.
pub(super) fn is_of(pattern: &NamePattern, path: &Path) -> bool {
    number_of(pattern, path).is_some()
}

fn is_journal_of_open(journal: &Path) -> bool {
    let name = journal.file_name().unwrap_or_default().to_string_lossy();
    name.strip_suffix(".journal").is_some_and(|data| data.ends_with(OPEN))
}

fn own_name_of(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    own_name(&name).to_owned()
}
