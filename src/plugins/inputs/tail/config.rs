//! The settings of the input.

use serde::{Deserialize, Deserializer, Serialize};

use crate::plugin::CharacterEncoding;
use crate::plugin::go::{Regex, RegexError};
use crate::plugin::settings::Duration;

/// How long lines of an unfinished multi-line entry are held unless the settings say otherwise.
const MULTILINE_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(5);

/// The settings of the input.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default)]
pub struct Config {
    /// Patterns for the files to follow.
    pub files: Vec<String>,
    /// Where to begin in a file.
    pub initial_read_offset: InitialReadOffset,
    /// The older switch between beginning and end.
    pub from_beginning: Option<bool>,
    /// Whether the files are named pipes.
    pub pipe: bool,
    /// How to learn of changes.
    pub watch_method: WatchMethod,
    /// How many lines may be under way to the outputs.
    pub max_undelivered_lines: i64,
    /// How the bytes are to be read as text.
    pub character_encoding: CharacterEncoding,
    /// The tag that takes the file's path; empty for none.
    pub path_tag: String,
    /// What to take away from lines before they are parsed.
    pub filters: Vec<String>,
    /// How lines are joined.
    pub multiline: Option<MultilineConfig>,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            files: Vec::new(),
            initial_read_offset: InitialReadOffset::default(),
            from_beginning: None,
            pipe: false,
            watch_method: WatchMethod::default(),
            max_undelivered_lines: 1000,
            character_encoding: CharacterEncoding::default(),
            path_tag: "path".to_owned(),
            filters: Vec::new(),
            multiline: None,
        }
    }
}

/// Where to begin in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum InitialReadOffset {
    /// At its beginning.
    Beginning,
    /// At its end.
    End,
    /// Where an earlier run ended, or at its beginning.
    SavedOrBeginning,
    /// Where an earlier run ended, or at its end.
    #[default]
    #[serde(alias = "")]
    SavedOrEnd,
}

/// How to learn of changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum WatchMethod {
    /// The kernel tells.
    #[default]
    Inotify,
    /// By looking every quarter of a second.
    Poll,
}

impl<'de> Deserialize<'de> for WatchMethod {
    /// Takes everything but `poll` for inotify, as Telegraf does.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<WatchMethod, D::Error> {
        let name = String::deserialize(deserializer)?;
        Ok(if name == "poll" { WatchMethod::Poll } else { WatchMethod::Inotify })
    }
}

/// How lines are joined.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct MultilineConfig {
    /// What the lines to join match; empty for none.
    pub pattern: String,
    /// Which line they are joined to.
    pub match_which_line: WhichLine,
    /// Whether the lines to join are those that do not match.
    pub invert_match: bool,
    /// Whether line ends stay between joined lines.
    pub preserve_newline: bool,
    /// Which quotes keep lines together.
    pub quotation: Quotation,
    /// How long an unfinished entry is held; zero is the default.
    pub timeout: Duration,
}

impl MultilineConfig {
    /// Compiles the pattern, if there is any.
    pub(super) fn regex(&self) -> Result<Option<Regex>, RegexError> {
        (!self.pattern.is_empty()).then(|| Regex::new(&self.pattern)).transpose()
    }

    pub(super) fn timeout(&self) -> std::time::Duration {
        match self.timeout.to_std() {
            std::time::Duration::ZERO => MULTILINE_TIMEOUT,
            timeout => timeout,
        }
    }
}

/// Which line a matching line is joined to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum WhichLine {
    /// The one before it.
    #[default]
    Previous,
    /// The one after it.
    Next,
}

impl<'de> Deserialize<'de> for WhichLine {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<WhichLine, D::Error> {
        let name = String::deserialize(deserializer)?;
        if name.eq_ignore_ascii_case("previous") {
            Ok(WhichLine::Previous)
        } else if name.eq_ignore_ascii_case("next") {
            Ok(WhichLine::Next)
        } else {
            Err(serde::de::Error::custom(format!(
                "unknown multiline MatchWhichLine {name:?}, expecting \"previous\" or \"next\""
            )))
        }
    }
}

/// Which quotes keep lines together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Quotation {
    /// None.
    #[default]
    #[serde(alias = "")]
    Ignore,
    /// `'`
    SingleQuotes,
    /// `"`
    DoubleQuotes,
    /// `` ` ``
    Backticks,
}

impl Quotation {
    /// The sign itself.
    pub(super) fn sign(self) -> Option<u8> {
        match self {
            Quotation::Ignore => None,
            Quotation::SingleQuotes => Some(b'\''),
            Quotation::DoubleQuotes => Some(b'"'),
            Quotation::Backticks => Some(b'`'),
        }
    }
}
