//! Parses whole files, anew each interval.
//!
//! # References
//! Telegraf's `inputs.file`.

mod text;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::metric::Metric;
use crate::plugin::{
    Accumulator, Build, BuildError, CharacterEncoding, Context, Declaration, Input, NotEnoughData,
    Parser, PluginError, PluginLog, Quoted,
};
use crate::system::{ErrorWords, Glob, GlobError};

use text::Text;

/// Of a file up to this size no metric counts if any of it cannot be parsed. What is longer is
/// parsed part by part where its format allows that: nobody has room for files of any size.
const WHOLE_UP_TO: usize = 2 << 20;

/// How much of a longer file is parsed at a time: so much that it and its metrics stay in the
/// processor's cache until they are handed on.
const PART: usize = 64 << 10;

/// The input as the table lists it.
pub static PLUGIN: Declaration<dyn Input> =
    Declaration::new::<Config>("file", include_str!("sample.conf"));

/// The settings of the input.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Config {
    /// Patterns for the files to parse.
    pub files: Vec<String>,
    /// The tag that takes the file's name; empty for none.
    pub file_tag: String,
    /// The tag that takes the file's absolute path; empty for none.
    pub file_path_tag: String,
    /// How the bytes are to be read as text.
    pub character_encoding: CharacterEncoding,
}

impl Build<dyn Input> for Config {
    fn build(self, context: &Context<'_>) -> Result<Box<dyn Input>, BuildError> {
        Ok(Box::new(FileInput {
            parser: context.parser("influx")?,
            config: self,
            log: context.log.clone(),
            has_told_of_no_metrics: false,
        }))
    }
}

/// Why files gave no metrics.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// A pattern is malformed.
    #[error("could not compile glob {}: {source}", Quoted::new(pattern))]
    Glob {
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        source: GlobError,
    },
    /// No file has a path that the pattern matches.
    #[error("could not find file(s): {pattern}")]
    NotFound {
        /// The pattern.
        pattern: String,
    },
    /// A file cannot be opened.
    #[error("open {}: {}", .path.display(), ErrorWords(source))]
    Open {
        /// Its path.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file cannot be read to its end.
    #[error(
        "could not read {}: read {}: {}",
        Quoted::new(path.to_string_lossy().as_bytes()), .path.display(), ErrorWords(source)
    )]
    Read {
        /// Its path.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The parser does not understand a file.
    #[error(
        "could not parse {}{}: {source}",
        Quoted::new(path.to_string_lossy().as_bytes()), after_lines(*.lines_before)
    )]
    Parse {
        /// Its path.
        path: PathBuf,
        /// How many of its lines come before the part that is at fault.
        lines_before: usize,
        /// What the parser says.
        source: PluginError,
    },
}

fn after_lines(count: usize) -> String {
    match count {
        0 => String::new(),
        count => format!(" after its first {count} lines"),
    }
}

/// An input that reads files.
struct FileInput {
    config: Config,
    parser: Box<dyn Parser>,
    log: PluginLog,
    has_told_of_no_metrics: bool,
}

impl FileInput {
    /// All files, before any is read: a pattern without a file voids the round.
    fn paths(&self) -> Result<Vec<PathBuf>, FileError> {
        let mut paths = Vec::new();
        for pattern in &self.config.files {
            let glob = Glob::for_files(pattern)
                .map_err(|source| FileError::Glob { pattern: pattern.clone(), source })?;
            let found = glob.paths();
            if found.is_empty() {
                return Err(FileError::NotFound { pattern: pattern.clone() });
            }
            paths.extend(found);
        }
        Ok(paths)
    }

    /// Adds the metrics of a file, part by part if it is long.
    fn gather_file(
        &mut self,
        path: &Path,
        accumulator: &mut Accumulator<'_>,
    ) -> Result<(), FileError> {
        let mut text = Text::new(open(path)?, self.config.character_encoding);
        let mut has_metrics = false;
        let mut lines_before = 0;
        let mut wanted = WHOLE_UP_TO;
        self.parser.reset();
        loop {
            let end = self
                .read_part(&mut text, wanted)
                .map_err(|source| FileError::Read { path: path.to_owned(), source })?;
            let part = &text.unused()[..end];
            let metrics = match self.parser.parse(part) {
                Ok(metrics) => metrics,
                Err(error) if error.is::<NotEnoughData>() && !text.has_ended() => Vec::new(),
                Err(source) => {
                    return Err(FileError::Parse { path: path.to_owned(), lines_before, source });
                }
            };
            has_metrics |= !metrics.is_empty();
            for mut metric in metrics {
                self.tag(path, &mut metric);
                accumulator.add(metric);
            }
            if text.has_ended() {
                break;
            }
            lines_before += memchr::memchr_iter(b'\n', part).count();
            text.mark_used(end);
            wanted = PART;
        }
        if !has_metrics {
            self.tell_of_no_metrics(path);
        }
        Ok(())
    }

    /// Reads so many bytes, and on until they begin with a part that can be parsed, whose length
    /// it returns.
    fn read_part(&self, text: &mut Text, mut wanted: usize) -> io::Result<usize> {
        loop {
            text.read(wanted)?;
            if text.has_ended() {
                return Ok(text.unused().len());
            }
            if let Some(end) = self.parser.part_of_text(text.unused()) {
                return Ok(end);
            }
            // Twice as much each time, so that it is not looked through over and over.
            wanted = text.unused().len().max(PART);
        }
    }

    fn tell_of_no_metrics(&mut self, path: &Path) {
        if !self.has_told_of_no_metrics {
            self.has_told_of_no_metrics = true;
            self.log.debug(format_args!(
                "No metrics came out of {}; if some should have, look at the options of the \
                 parser. This is said only once.",
                path.display()
            ));
        }
    }

    fn tag(&self, path: &Path, metric: &mut Metric) {
        if !self.config.file_tag.is_empty()
            && let Some(name) = path.file_name()
        {
            metric.set_tag(self.config.file_tag.as_str(), name.to_string_lossy());
        }
        if !self.config.file_path_tag.is_empty()
            && let Ok(path) = std::path::absolute(path)
        {
            metric.set_tag(self.config.file_path_tag.as_str(), path.to_string_lossy());
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "files that users name are this input's subject")]
fn open(path: &Path) -> Result<File, FileError> {
    File::open(path).map_err(|source| FileError::Open { path: path.to_owned(), source })
}

impl Input for FileInput {
    fn gather(&mut self, accumulator: &mut Accumulator<'_>) -> Result<(), PluginError> {
        for path in self.paths()? {
            self.gather_file(&path, accumulator)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
