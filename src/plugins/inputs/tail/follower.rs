//! The thread that follows all files of an input.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::config::InitialReadOffset;
use super::file::{Begin, Turn};
use super::followed::{Followed, Manner};
use super::lines::Lines;
use super::offsets::Offsets;
use super::watcher::{Happened, Waker, Watch, Watcher};
use crate::plugin::{Parsers, Quoted};
use crate::system::Clock;

/// The paths that patterns have last matched, until the thread takes them.
#[derive(Debug, Clone)]
pub(super) struct Matches {
    paths: Arc<Mutex<Option<Vec<PathBuf>>>>,
    waker: Waker,
}

impl Matches {
    pub(super) fn new(waker: Waker) -> Matches {
        Matches { paths: Arc::default(), waker }
    }

    /// Tells the thread which paths to follow from now on.
    pub(super) fn set(&self, paths: Vec<PathBuf>) {
        *self.paths.lock().unwrap_or_else(PoisonError::into_inner) = Some(paths);
        self.waker.wake();
    }

    /// Wakes the thread, so that it sees that it is to stop.
    pub(super) fn wake(&self) {
        self.waker.wake();
    }

    fn take(&self) -> Option<Vec<PathBuf>> {
        self.paths.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// The thread that follows all files of an input.
pub(super) struct Follower {
    pub manner: Manner,
    pub begin: InitialReadOffset,
    pub parsers: Parsers,
    pub lines: Lines,
    pub watcher: Watcher,
    pub matches: Matches,
    /// Where earlier runs ended, and in the end where this one did.
    pub offsets: Offsets,
    pub clock: Arc<dyn Clock>,
    pub followed: BTreeMap<PathBuf, Followed>,
}

impl Follower {
    /// Follows until the input stops, and leaves the offsets.
    pub(super) fn run(mut self) {
        // Files with more to read than a turn takes.
        let mut unread = BTreeSet::new();
        loop {
            if let Some(paths) = self.matches.take() {
                unread.extend(self.follow(paths));
            }
            unread = self.advance(unread);
            self.flush_due();
            self.lines.hand_over();
            if self.lines.is_stopped() {
                break;
            }
            if unread.is_empty() {
                unread = self.wait();
            }
        }
        self.finish();
    }

    /// Waits for files to change and returns those that may have.
    fn wait(&self) -> BTreeSet<PathBuf> {
        let due = self.followed.values().filter_map(Followed::due).min();
        let limit = due.map(|due| due.saturating_sub(self.clock.elapsed()));
        let watches = match self.watcher.wait(limit) {
            Happened::To(watches) if watches.is_empty() => return BTreeSet::new(),
            Happened::To(watches) => Some(watches),
            Happened::Anything => None,
        };
        let has_changed = |file: &Followed| match &watches {
            Some(watches) => file.watches().any(|watch| watches.contains(&watch)),
            None => true,
        };
        let changed = self.followed.iter().filter(|(_, file)| has_changed(file));
        changed.map(|(path, _)| path.clone()).collect()
    }

    /// Reads on in these files and returns those with more to read.
    fn advance(&mut self, mut paths: BTreeSet<PathBuf>) -> BTreeSet<PathBuf> {
        paths.retain(|path| {
            let Some(file) = self.followed.get_mut(path) else { return false };
            let before: Vec<Watch> = file.watches().collect();
            let now = self.clock.elapsed();
            let turn = file.advance(&self.manner, &mut self.lines, &self.watcher, now);
            let turn = turn.unwrap_or_else(|error| {
                self.give_up(path, &error);
                Turn::End
            });
            self.unwatch(&before);
            turn == Turn::More
        });
        paths
    }

    fn give_up(&mut self, path: &Path, error: &io::Error) {
        let Some(mut file) = self.followed.remove(path) else { return };
        file.flush(&mut self.lines);
        let name = Quoted::new(file.name());
        self.lines.log.error(format_args!("Tailing {name}: {error}"));
        let watches: Vec<Watch> = file.watches().collect();
        self.unwatch(&watches);
    }

    /// Ends those of the watches that no file needs any more.
    fn unwatch(&self, watches: &[Watch]) {
        for watch in watches {
            if !self.followed.values().any(|file| file.watches().any(|other| other == *watch)) {
                self.watcher.remove(*watch);
            }
        }
    }

    fn flush_due(&mut self) {
        let now = self.clock.elapsed();
        for file in self.followed.values_mut() {
            file.flush_if_due(&mut self.lines, now);
        }
    }

    /// Follows these paths from now on and returns those that are new.
    fn follow(&mut self, paths: Vec<PathBuf>) -> Vec<PathBuf> {
        let wanted: BTreeSet<&PathBuf> = paths.iter().collect();
        let gone: Vec<PathBuf> =
            self.followed.keys().filter(|path| !wanted.contains(path)).cloned().collect();
        let mut new = Vec::new();
        for path in paths {
            if !self.followed.contains_key(&path) && self.follow_new(&path) {
                new.push(path);
            }
        }
        for path in gone {
            self.lines.log.debug(format_args!(
                "Removing tailer for {} as it's no longer in the glob pattern",
                quoted(&path)
            ));
            // Its last lines were written before it was removed.
            self.advance(BTreeSet::from([path.clone()]));
            if let Some(mut file) = self.followed.remove(&path) {
                file.flush(&mut self.lines);
                self.record(&file);
                self.unwatch(&file.watches().collect::<Vec<_>>());
            }
        }
        new
    }

    fn follow_new(&mut self, path: &Path) -> bool {
        let begin = self.begin_in(path);
        let parser = match self.parsers.build() {
            Ok(parser) => parser,
            Err(error) => {
                self.lines.log.error(format_args!("Creating parser: {error}"));
                return false;
            }
        };
        match Followed::new(path, begin, parser, &self.manner, &self.watcher) {
            Ok(file) => {
                self.lines.log.debug(format_args!("Tail added for {}", quoted(path)));
                self.followed.insert(path.to_owned(), file);
                true
            }
            Err(error) => {
                let path = path.display();
                self.lines.log.debug(format_args!("Failed to open file ({path}): {error}"));
                false
            }
        }
    }

    fn begin_in(&self, path: &Path) -> Begin {
        let saved = || {
            let offset = self.offsets.get(&path.to_string_lossy())?;
            self.lines.log.debug(format_args!("Using offset {offset} for {}", quoted(path)));
            Some(Begin::At(offset))
        };
        match self.begin {
            _ if self.manner.is_pipe => Begin::Here,
            InitialReadOffset::Beginning => Begin::At(0),
            InitialReadOffset::End => Begin::End,
            InitialReadOffset::SavedOrBeginning => saved().unwrap_or(Begin::At(0)),
            InitialReadOffset::SavedOrEnd => saved().unwrap_or(Begin::End),
        }
    }

    fn record(&self, file: &Followed) {
        if !self.manner.is_pipe {
            let (name, offset) = (file.name(), file.offset());
            let quoted = Quoted::new(name);
            self.lines.log.debug(format_args!("Recording offset {offset} for {quoted}"));
            self.offsets.set(name, offset);
        }
    }

    fn finish(mut self) {
        for mut file in std::mem::take(&mut self.followed).into_values() {
            file.flush(&mut self.lines);
            self.record(&file);
        }
        self.lines.hand_over();
    }
}

fn quoted(path: &Path) -> Quoted<'_> {
    Quoted::new(path.as_os_str().as_encoded_bytes())
}
