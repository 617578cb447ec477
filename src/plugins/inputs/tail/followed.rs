//! A path that is followed, whatever file is there.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::file::{Begin, Fate, OpenFile, Turn};
use super::lines::Lines;
use super::multiline::{Joiner, Rule};
use super::watcher::{Watch, Watcher};
use crate::plugin::CharacterEncoding;
use crate::plugin::Parser;

/// How many chunks of a file are read before others get their turn.
const CHUNKS_A_TURN: usize = 16;

/// What all followed files have in common.
pub(super) struct Manner {
    /// How the bytes are to be read as text.
    pub encoding: CharacterEncoding,
    /// Whether the files are named pipes.
    pub is_pipe: bool,
    /// How lines are joined, if they are.
    pub multiline: Option<Rule>,
}

/// A path that is followed.
pub(super) struct Followed {
    path: PathBuf,
    /// The path as metrics carry it.
    name: String,
    file: OpenFile,
    parser: Box<dyn Parser>,
    joiner: Joiner,
    /// When held lines are given up, as elapsed time.
    due: Option<Duration>,
    /// Tells of the file itself.
    watch: Option<Watch>,
    /// Tells of a file that takes the place of one that is gone.
    folder_watch: Option<Watch>,
}

impl Followed {
    /// Opens the file at `path` and watches it.
    ///
    /// # Errors
    /// If it cannot be opened or watched.
    pub(super) fn new(
        path: &Path,
        begin: Begin,
        parser: Box<dyn Parser>,
        manner: &Manner,
        watcher: &Watcher,
    ) -> io::Result<Followed> {
        let file = OpenFile::open(path, begin, manner.encoding)?;
        Ok(Followed {
            path: path.to_owned(),
            name: path.to_string_lossy().into_owned(),
            file,
            parser,
            joiner: Joiner::default(),
            due: None,
            watch: watcher.watch_file(path)?,
            folder_watch: None,
        })
    }

    /// The path as metrics carry it.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// What tells of it.
    pub(super) fn watches(&self) -> impl Iterator<Item = Watch> {
        [self.watch, self.folder_watch].into_iter().flatten()
    }

    /// When held lines are given up, as elapsed time.
    pub(super) fn due(&self) -> Option<Duration> {
        self.due
    }

    /// Where to go on after a restart; the beginning of what comes if the file is gone.
    pub(super) fn offset(&self) -> u64 {
        match self.file.fate() {
            Ok(Fate::Same) => self.file.position(),
            _ => 0,
        }
    }

    /// Reads what is new, and goes over to another file that has taken the place of this one.
    ///
    /// # Errors
    /// Whatever the system says; following it makes no sense any more.
    pub(super) fn advance(
        &mut self,
        manner: &Manner,
        lines: &mut Lines,
        watcher: &Watcher,
        now: Duration,
    ) -> io::Result<Turn> {
        if self.file.rewind_if_truncated()? {
            lines.log.debug(format_args!("Truncated: {}", self.name));
        }
        if self.read(manner, lines, now)? == Turn::More {
            return Ok(Turn::More);
        }
        match self.file.fate()? {
            Fate::Same => {}
            Fate::Gone => {
                if self.folder_watch.is_none() {
                    self.folder_watch = watcher.watch_folder(folder(&self.path))?;
                    // It may have come before the watch began.
                    return Ok(if self.file.fate()? == Fate::Gone {
                        Turn::End
                    } else {
                        Turn::More
                    });
                }
            }
            Fate::Replaced => {
                // The last lines may have been written since the end was seen.
                if self.read(manner, lines, now)? == Turn::More {
                    return Ok(Turn::More);
                }
                self.replace(manner, lines, watcher, now)?;
                return Ok(Turn::More);
            }
        }
        Ok(Turn::End)
    }

    fn read(&mut self, manner: &Manner, lines: &mut Lines, now: Duration) -> io::Result<Turn> {
        for _ in 0..CHUNKS_A_TURN {
            let Followed { name, file, parser, joiner, due, .. } = self;
            let mut sink = Sink { rule: &manner.multiline, name, parser, joiner, due, lines, now };
            let turn = file.read(&mut |line| sink.take(line))?;
            if turn == Turn::End || lines.is_stopped() {
                return Ok(Turn::End);
            }
        }
        Ok(Turn::More)
    }

    fn replace(
        &mut self,
        manner: &Manner,
        lines: &mut Lines,
        watcher: &Watcher,
        now: Duration,
    ) -> io::Result<()> {
        let Followed { name, file, parser, joiner, due, .. } = self;
        let mut sink = Sink { rule: &manner.multiline, name, parser, joiner, due, lines, now };
        file.finish(&mut |line| sink.take(line));
        let begin = if manner.is_pipe { Begin::Here } else { Begin::At(0) };
        self.file = OpenFile::open(&self.path, begin, manner.encoding)?;
        lines.log.debug(format_args!("Another file has taken the place of {}", self.name));
        self.watch = watcher.watch_file(&self.path)?;
        self.folder_watch = None;
        Ok(())
    }

    /// Gives up waiting for more lines if the time has come.
    pub(super) fn flush_if_due(&mut self, lines: &mut Lines, now: Duration) {
        if self.due.is_some_and(|due| due <= now) {
            self.flush(lines);
        }
    }

    /// Hands over held lines.
    pub(super) fn flush(&mut self, lines: &mut Lines) {
        self.due = None;
        let text = self.joiner.flush();
        if !text.is_empty() {
            lines.take(&text, &self.name, &mut *self.parser);
        }
    }
}

/// Where the lines of one file go.
struct Sink<'a> {
    rule: &'a Option<Rule>,
    name: &'a str,
    parser: &'a mut Box<dyn Parser>,
    joiner: &'a mut Joiner,
    due: &'a mut Option<Duration>,
    lines: &'a mut Lines,
    now: Duration,
}

impl Sink<'_> {
    fn take(&mut self, line: &[u8]) {
        let Some(rule) = self.rule else {
            self.lines.take(line, self.name, &mut **self.parser);
            return;
        };
        let text = self.joiner.push(rule, line);
        if !text.is_empty() {
            self.lines.take(&text, self.name, &mut **self.parser);
        }
        *self.due = self.joiner.is_waiting().then(|| self.now.saturating_add(rule.timeout));
    }
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}
