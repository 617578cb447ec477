//! What becomes of files that have ended: they are compressed, and the oldest go.
//!
//! It has a thread of its own, because compressing takes longer than the group waits.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use crossbeam_channel::{Receiver, Sender, TryRecvError, select, unbounded};

use super::FileSettings;
use super::keeping::{Ended, Keep};
use super::names::{Names, OPEN, PACKED, own_name};
use super::packing::{Packed, Packing};
use super::template::Variable::Topic;
use super::template::{NamePattern, Values, of_topic};
use crate::kafka::dead_letters::FILE_SUFFIX;
use crate::metric::Timestamp;
use crate::sink::journal::{has_ended, journal_path};
use crate::system::Clock;
use crate::system::thread::{self, Thread};

/// How often files are looked at that get too old.
const LOOK_INTERVAL: Duration = Duration::from_secs(60);

/// Stands before its log lines.
const NAME: &str = "files";

/// The thread that looks after files that have ended.
pub struct Finisher {
    thread: Option<Thread>,
}

struct Work {
    names: Names,
    /// What the names of its files look like, for each topic.
    patterns: Vec<NamePattern>,
    packing: Option<Packing>,
    keep: Keep,
    clock: Arc<dyn Clock>,
    stop: Receiver<()>,
}

impl Finisher {
    /// Starts the thread if there is anything to do for it; files are handed to it by the sender,
    /// and it ends when there is none of that any more. Compressing ends when `stop` closes, and is
    /// begun anew at the next start.
    ///
    /// It has to be started before the files are opened that are appended to.
    ///
    /// # Errors
    /// If the system has no room for another thread.
    pub fn start(
        names: Names,
        settings: &FileSettings,
        topics: &[String],
        clock: Arc<dyn Clock>,
        stop: Receiver<()>,
    ) -> io::Result<(Finisher, Sender<PathBuf>)> {
        let (sender, ended) = unbounded();
        let FileSettings { template, packing, keep, .. } = settings;
        if packing.is_none() && !keep.is_limited() {
            return Ok((Finisher { thread: None }, sender));
        }
        let pattern_of = |topic: &String| {
            let values = Values::default();
            // One that begins so stands for all topics of which the expression is right.
            let is_expression = topic.starts_with('^');
            let known = if is_expression { values } else { values.with(Topic, of_topic(topic)) };
            template.pattern(&known)
        };
        let patterns = topics.iter().map(pattern_of).collect();
        let keep = keep.clone();
        let work = Work { names, patterns, packing: *packing, keep, clock, stop };
        let waiting = work.unpacked();
        let run = move || {
            waiting.iter().for_each(|path| work.pack(path));
            work.run(&ended);
        };
        Ok((Finisher { thread: Some(thread::spawn(NAME, run)?) }, sender))
    }

    /// Lets the thread go with the process.
    pub fn leave_behind(self) {
        std::mem::forget(self.thread);
    }
}

impl Work {
    fn run(&self, ended: &Receiver<PathBuf>) {
        self.remove_surplus();
        loop {
            select! {
                recv(ended) -> path => match path {
                    Ok(path) => self.pack(&path),
                    Err(_) => return,
                },
                recv(self.clock.after(LOOK_INTERVAL)) -> _ => {}
            }
            self.remove_surplus();
        }
    }

    fn is_to_end(&self) -> bool {
        self.stop.try_recv() == Err(TryRecvError::Disconnected)
    }

    /// Files that have ended and were not compressed before the last run ended.
    fn unpacked(&self) -> Vec<PathBuf> {
        if self.packing.is_none() {
            return Vec::new();
        }
        let mut ended = self.ended();
        ended.retain(|path| !is_packed(path));
        ended
    }

    /// All files that are called as the template says, and of which nothing is in doubt.
    fn ended(&self) -> Vec<PathBuf> {
        let names = match self.names.list() {
            Ok(names) => names,
            Err(error) => {
                log::warn!(target: NAME, "{error}; files that have ended are looked for later");
                return Vec::new();
            }
        };
        let paths = names
            .into_iter()
            .filter(|name| self.is_ours(name))
            .map(|name| self.names.folder().join(name));
        let is_over =
            |path: &PathBuf| is_packed(path) || has_ended(&journal_path(path)).unwrap_or(false);
        paths.filter(is_over).collect()
    }

    /// Whether a file is one that ends and that is called as the template says.
    fn is_ours(&self, name: &str) -> bool {
        let own = own_name(name);
        !name.ends_with(OPEN)
            && !own.ends_with(FILE_SUFFIX)
            && self.patterns.iter().any(|pattern| pattern.read(own).is_some())
    }

    fn pack(&self, path: &Path) {
        let Some(packing) = self.packing else { return };
        if !path.file_name().is_some_and(|name| self.is_ours(&name.to_string_lossy())) {
            return;
        }
        match packing.pack(path, &|| self.is_to_end()) {
            Ok(Packed::Done(packed)) => {
                log::debug!(target: NAME, "{} is {} now", path.display(), packed.display());
            }
            Ok(Packed::Stopped) => {}
            // Somebody has taken it away, who is welcome to it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => log::warn!(
                target: NAME,
                "Compressing {}: {error}; it stays as it is until the next start",
                path.display()
            ),
        }
    }

    fn remove_surplus(&self) {
        if !self.keep.is_limited() {
            return;
        }
        let files = self.ended().into_iter().filter_map(look_at).collect();
        for Ended { path, .. } in self.keep.surplus(files, self.clock.now()) {
            let removed =
                fs::remove_file(&path).and_then(|()| match fs::remove_file(journal_path(&path)) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                    _ => Ok(()),
                });
            match removed {
                Ok(()) => log::info!(target: NAME, "{} was removed: --keep", path.display()),
                Err(error) => log::warn!(target: NAME, "Removing {}: {error}", path.display()),
            }
        }
    }
}

fn is_packed(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    PACKED.iter().any(|ending| name.ends_with(ending))
}

fn look_at(path: PathBuf) -> Option<Ended> {
    let metadata = fs::metadata(&path).ok().filter(fs::Metadata::is_file)?;
    let modified = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    let modified = Timestamp::from_nanos(i64::try_from(modified.as_nanos()).ok()?);
    Some(Ended { path, modified, bytes: metadata.len() })
}

#[cfg(test)]
mod tests {
    use crossbeam_channel::bounded;

    use super::*;
    use crate::sink::file::FileError;
    use crate::sink::files::template::Template;
    use crate::sink::journaled::JournaledFile;
    use crate::sink::ownership::{StoreId, Writer};
    use crate::sink::settings::Fsync;
    use crate::system::RealClock;

    fn ended(path: &Path) -> Result<(), FileError> {
        let writer = Writer { store: StoreId::new(1), thread: 0 };
        fs::write(path, "line\n").unwrap();
        JournaledFile::open(path, writer, Fsync::Never)?.end()
    }

    fn names_in(folder: &Path) -> Vec<String> {
        let mut names = Names::new(folder.to_owned()).list().unwrap();
        names.sort();
        names
    }

    fn settings(packing: Option<Packing>, keep: Option<&str>) -> FileSettings {
        let mut settings = FileSettings {
            template: Template::parse("{date}").unwrap(),
            packing,
            ..FileSettings::default()
        };
        keep.into_iter().for_each(|keep| settings.keep.add(keep).unwrap());
        settings
    }

    /// Starts and ends it, with this file handed on.
    fn finish(folder: &Path, settings: &FileSettings, path: Option<&Path>) {
        let (stop, stopped) = bounded(0);
        let names = Names::new(folder.to_owned());
        let clock = Arc::new(RealClock::new());
        let (finisher, sender) =
            Finisher::start(names, settings, &["t".to_owned()], clock, stopped).unwrap();
        path.into_iter().for_each(|path| sender.send(path.to_owned()).unwrap());
        drop(sender);
        drop(finisher);
        drop(stop);
    }

    #[test]
    fn what_has_ended_is_compressed_and_what_an_earlier_run_has_left_too() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in ["2020-06-17.csv", "2020-06-18.csv", "other.csv"] {
            ended(&path(name)).unwrap();
        }
        fs::write(path("2020-06-16.csv"), "not ours: there is no journal").unwrap();
        fs::write(path("2020-06-19.csv.open"), "").unwrap();
        let settings = settings(Some(Packing::Gzip), None);
        finish(folder.path(), &settings, Some(&path("2020-06-18.csv")));
        assert_eq!(
            names_in(folder.path()),
            [
                "2020-06-16.csv",
                "2020-06-17.csv.gz",
                "2020-06-18.csv.gz",
                "2020-06-19.csv.open",
                "other.csv",
            ]
        );
    }

    #[test]
    fn files_of_other_topics_and_dead_letters_are_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let others = ["0.dead-letters.jsonl", "1.jsonl.gz", "other-0.jsonl"];
        for name in others.into_iter().chain(["t-0.jsonl"]) {
            ended(&path(name)).unwrap();
        }
        let settings = FileSettings {
            template: Template::parse("{topic}-{partition}.jsonl").unwrap(),
            ..settings(Some(Packing::Zstd), Some("1B"))
        };
        finish(folder.path(), &settings, Some(&path("0.dead-letters.jsonl")));
        assert_eq!(names_in(folder.path()), others);
    }

    #[test]
    fn only_files_that_have_ended_ever_go() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in ["2020-06-17.csv", "2020-06-18.csv", "other.csv"] {
            ended(&path(name)).unwrap();
        }
        fs::write(path("2020-06-16.csv.zst"), "").unwrap();
        fs::write(path("2020-06-15.csv"), "not ours: there is no journal").unwrap();
        fs::write(path("2020-06-19.csv.open"), "").unwrap();
        let old = UNIX_EPOCH + Duration::from_secs(1000);
        let file = fs::OpenOptions::new().write(true).open(path("2020-06-18.csv")).unwrap();
        file.set_modified(old).unwrap();
        finish(folder.path(), &settings(None, Some("1h")), None);
        let all = [
            "2020-06-15.csv",
            "2020-06-16.csv.zst",
            "2020-06-17.csv",
            "2020-06-19.csv.open",
            "other.csv",
        ];
        assert_eq!(names_in(folder.path()), all);
        assert!(!journal_path(&path("2020-06-18.csv")).exists());
        finish(folder.path(), &settings(None, Some("1")), None);
        let left = names_in(folder.path()).len();
        assert_eq!(left, 4, "of two that have ended one has gone");
    }
}
