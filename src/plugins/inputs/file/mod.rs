//! Parses whole files, anew each interval.
//!
//! # References
//! Telegraf's `inputs.file`.

mod encoding;

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::metric::Metric;
use crate::plugin::{
    Accumulator, Build, BuildError, Context, Declaration, Input, Parser, PluginError, PluginLog,
    Quoted,
};
use crate::system::{ErrorWords, Glob, GlobError};

pub use encoding::CharacterEncoding;

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
    #[error("could not parse {}: {source}", Quoted::new(path.to_string_lossy().as_bytes()))]
    Parse {
        /// Its path.
        path: PathBuf,
        /// What the parser says.
        source: PluginError,
    },
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

    fn parse(&mut self, path: &Path) -> Result<Vec<Metric>, FileError> {
        let text = self.config.character_encoding.decode(read(path)?);
        self.parser.reset();
        let metrics = self
            .parser
            .parse(&text)
            .map_err(|source| FileError::Parse { path: path.to_owned(), source })?;
        if metrics.is_empty() && !self.has_told_of_no_metrics {
            self.has_told_of_no_metrics = true;
            self.log.debug(format_args!(
                "No metrics came out of {}; if some should have, look at the options of the \
                 parser. This is said only once.",
                path.display()
            ));
        }
        Ok(metrics)
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
fn read(path: &Path) -> Result<Vec<u8>, FileError> {
    let mut file = std::fs::File::open(path)
        .map_err(|source| FileError::Open { path: path.to_owned(), source })?;
    let mut bytes = Vec::new();
    io::Read::read_to_end(&mut file, &mut bytes)
        .map_err(|source| FileError::Read { path: path.to_owned(), source })?;
    Ok(bytes)
}

impl Input for FileInput {
    fn gather(&mut self, accumulator: &mut Accumulator<'_>) -> Result<(), PluginError> {
        for path in self.paths()? {
            for mut metric in self.parse(&path)? {
                self.tag(&path, &mut metric);
                accumulator.add(metric);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
