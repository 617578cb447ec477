//! Follows files and parses the lines that are appended to them.
//!
//! One thread follows all files: it waits for the kernel to tell of changes, reads the new lines of
//! each file in turn, and stops reading while too many lines are under way to the outputs.
//!
//! # References
//! Telegraf's `inputs.tail`; inotify(7).

mod ansi;
mod config;
mod encoding;
mod file;
mod followed;
mod follower;
mod lines;
mod multiline;
mod offsets;
mod slots;
mod watcher;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use crossbeam_channel::{Sender, bounded};

use crate::plugin::{
    Accumulator, Build, BuildError, Context, Declaration, DeprecatedOption, Input, Parsers,
    PluginError, PluginLog, Quoted, ServiceAccumulator, StartError, Stateful,
};
use crate::system::thread::{Thread, spawn};
use crate::system::{Glob, System};
pub use config::{Config, InitialReadOffset, MultilineConfig, Quotation, WatchMethod, WhichLine};
use followed::Manner;
use follower::{Follower, Matches};
use lines::Lines;
use multiline::Rule;
use offsets::Offsets;
use slots::Slots;
use watcher::Watcher;

/// The input as the table lists it.
pub static PLUGIN: Declaration<dyn Input> =
    Declaration::new::<Config>("tail", include_str!("sample.conf")).deprecating(&[FROM_BEGINNING]);

const FROM_BEGINNING: DeprecatedOption = DeprecatedOption {
    option: "from_beginning",
    since: "1.34.0",
    removal: "1.40.0",
    notice: "use 'initial_read_offset' with value 'beginning' instead",
};

impl Build<dyn Input> for Config {
    fn build(self, context: &Context<'_>) -> Result<Box<dyn Input>, BuildError> {
        let max_lines = usize::try_from(self.max_undelivered_lines)
            .ok()
            .filter(|lines| *lines > 0)
            .ok_or_else(|| BuildError::invalid("max_undelivered_lines must be positive"))?;
        let mut begin = self.initial_read_offset;
        if let Some(from_beginning) = self.from_beginning {
            FROM_BEGINNING.log_use_in("inputs.tail");
            if from_beginning && begin == InitialReadOffset::default() {
                begin = InitialReadOffset::Beginning;
            }
        }
        let multiline = self.multiline.clone().unwrap_or_default();
        Rule::new(&multiline).map_err(|error| BuildError::invalid(error.to_string()))?;
        // Wrong options of the parser are told of at once.
        context.parser("influx")?;
        Ok(Box::new(Tail {
            begin,
            max_lines,
            multiline,
            parsers: Some(context.parsers("influx")),
            log: context.log.clone(),
            system: context.system.clone(),
            offsets: Offsets::default(),
            unreadable: BTreeSet::new(),
            running: None,
            config: self,
        }))
    }
}

struct Tail {
    config: Config,
    begin: InitialReadOffset,
    max_lines: usize,
    multiline: MultilineConfig,
    /// Until the thread has them.
    parsers: Option<Parsers>,
    log: PluginLog,
    system: System,
    offsets: Offsets,
    /// The patterns without a file that were looked into.
    unreadable: BTreeSet<String>,
    running: Option<Running>,
}

struct Running {
    // The order of the fields is the order of stopping.
    stop: Sender<()>,
    matches: Matches,
    thread: Thread,
}

impl Tail {
    /// The paths that the patterns match, each once, in the order of the patterns.
    fn paths(&mut self) -> Vec<PathBuf> {
        let mut paths = Vec::new();
        let mut seen = BTreeSet::new();
        for pattern in &self.config.files {
            let glob = match Glob::for_files(pattern) {
                Ok(glob) => glob,
                Err(error) => {
                    let pattern = Quoted::new(pattern);
                    self.log.error(format_args!("Glob {pattern} failed to compile: {error}"));
                    continue;
                }
            };
            let found = glob.paths();
            if found.is_empty()
                && pattern.contains(['*', '?', '['])
                && self.unreadable.insert(pattern.clone())
                && let Some(folder) = unreadable_folder(pattern)
            {
                self.log.warn(format_args!(
                    "Directory {} cannot be listed, and a wildcard stands behind it: give this \
                     program the right to read it",
                    Quoted::new(folder.as_os_str().as_encoded_bytes())
                ));
            }
            paths.extend(found.into_iter().filter(|path| seen.insert(path.clone())));
        }
        paths
    }

    fn start_thread(
        &mut self,
        accumulator: ServiceAccumulator,
        parsers: Parsers,
    ) -> Result<Running, PluginError> {
        let config = &self.config;
        let watcher = Watcher::new(config.watch_method)?;
        let matches = Matches::new(watcher.waker());
        let (stop, stopped) = bounded(0);
        let follower = Follower {
            manner: Manner {
                encoding: config.character_encoding,
                is_pipe: config.pipe,
                multiline: Rule::new(&self.multiline)?,
            },
            begin: self.begin,
            parsers,
            lines: Lines {
                accumulator,
                slots: Slots::new(self.max_lines),
                stopped,
                strips_colors: config.filters.iter().any(|filter| filter == "ansi_color"),
                path_tag: config.path_tag.clone(),
                log: self.log.clone(),
                pending: Vec::new(),
                has_told_of_no_metrics: false,
            },
            watcher,
            matches: matches.clone(),
            offsets: self.offsets.clone(),
            clock: self.system.clock.clone(),
            followed: BTreeMap::new(),
        };
        let thread = spawn("tail", move || follower.run())?;
        Ok(Running { stop, matches, thread })
    }
}

impl Input for Tail {
    fn start(&mut self, accumulator: ServiceAccumulator) -> Result<(), StartError> {
        let Some(parsers) = self.parsers.take() else { return Ok(()) };
        let running = self
            .start_thread(accumulator, parsers)
            .map_err(|source| StartError { retryable: false, source })?;
        running.matches.set(self.paths());
        self.running = Some(running);
        Ok(())
    }

    fn gather(&mut self, _accumulator: &mut Accumulator<'_>) -> Result<(), PluginError> {
        let paths = self.paths();
        if let Some(running) = &self.running {
            running.matches.set(paths);
        }
        Ok(())
    }

    fn stop(&mut self) {
        let Some(Running { stop, matches, thread }) = self.running.take() else { return };
        drop(stop);
        matches.wake();
        thread.join();
        self.offsets.leave();
    }

    fn is_service(&self) -> bool {
        true
    }

    fn stateful(&mut self) -> Option<&mut dyn Stateful> {
        Some(&mut self.offsets)
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The folder before the first wildcard, if it is there and cannot be listed.
fn unreadable_folder(pattern: &str) -> Option<PathBuf> {
    let parts = Path::new(pattern).iter();
    let folder: PathBuf =
        parts.take_while(|part| !part.to_string_lossy().contains(['*', '?', '['])).collect();
    let listed = std::fs::read_dir(&folder);
    listed.is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied).then_some(folder)
}

#[cfg(test)]
mod tests;
