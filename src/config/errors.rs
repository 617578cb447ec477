//! What can be wrong with a configuration, in Telegraf's words, with the place and a hint.

use std::fmt;
use std::io;
use std::sync::Arc;

use super::environment::MissingVariable;
use super::remote::FetchError;
use super::text::NotText;
use super::toml::SyntaxError;
use crate::plugin::secrets::SecretError;
use crate::plugin::settings::{Duration, Place, Position, SettingsError};
use crate::system::ErrorWords;

/// Everything that is wrong with a configuration; never empty.
#[derive(Debug)]
pub struct ConfigErrors(pub Vec<ConfigError>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            let line_end = if index == 0 { "" } else { "\n" };
            write!(f, "{line_end}{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

impl From<ConfigError> for ConfigErrors {
    fn from(error: ConfigError) -> ConfigErrors {
        ConfigErrors(vec![error])
    }
}

/// One thing that is wrong with a configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// No file was named, and none is where files are looked for.
    #[error(
        "unable to load default config paths: no config file specified, and could not find one in \
         {}",
        .places.join(", ")
    )]
    NoFile {
        /// Where it was looked for.
        places: Vec<String>,
    },
    /// A folder of `--config-directory` cannot be read.
    #[error("reading config directory failed: open {path}: {}", ErrorWords(.source))]
    Directory {
        /// The folder.
        path: String,
        /// Why not.
        source: io::Error,
    },
    /// A file is at fault.
    #[error("loading config file {file} failed: {problem}")]
    File {
        /// The file as the user named it.
        file: Arc<str>,
        /// What is wrong with it.
        problem: Box<Problem>,
    },
    /// The files are well, but say nothing that could run.
    #[error("[telegraf] Error running agent: {0}")]
    Whole(WholeError),
    /// No metric would ever see a processor.
    #[error(
        "cannot set both skip_processors_before_aggregators and skip_processors_after_aggregators \
         as true"
    )]
    ProcessorsSkipped,
}

impl ConfigError {
    /// Where in its file it is.
    pub(super) fn position(&self) -> Position {
        match self {
            ConfigError::File { problem, .. } => problem.position(),
            _ => Position::default(),
        }
    }
}

/// What is wrong with the configuration as a whole.
#[derive(Debug, thiserror::Error)]
pub enum WholeError {
    /// Nothing takes metrics out.
    #[error("no outputs found, probably invalid config file provided")]
    NoOutputs,
    /// Nothing brings metrics in.
    #[error("no inputs found, probably invalid config file provided")]
    NoInputs,
    /// Rounds must have some time between them.
    #[error("agent interval must be positive, found {0}")]
    Interval(Duration),
    /// Flushes must have some time between them.
    #[error("agent flush_interval must be positive; found {0}")]
    FlushInterval(Duration),
    /// The log cannot be what the settings ask for.
    #[error("setting up logging failed: {0}")]
    Log(String),
}

/// What is wrong with one file.
#[derive(Debug)]
pub enum Problem {
    /// It cannot be read.
    Read {
        /// What was tried: `open` or `read`.
        action: &'static str,
        /// The file.
        path: String,
        /// Why it failed.
        source: io::Error,
    },
    /// It lies on a server and could not be fetched.
    Fetch(FetchError),
    /// It names something by a scheme that nobody knows.
    Scheme(String),
    /// Its bytes are no text.
    NotToml {
        /// The file.
        path: String,
        /// Whether it is text of another kind.
        utf16: bool,
    },
    /// Its text is no TOML.
    Syntax {
        /// The file.
        file: Arc<str>,
        /// Where and why.
        error: SyntaxError,
    },
    /// A variable that it requires is not set.
    Variable {
        /// Where it is asked for.
        place: Place,
        /// Which one.
        missing: MissingVariable,
    },
    /// A section has a form that it cannot have.
    Shape {
        /// Where it stands.
        place: Place,
        /// What is wrong, in Telegraf's words.
        message: String,
    },
    /// There is no such plugin.
    Undefined {
        /// Where it is asked for.
        place: Place,
        /// What is wrong, in Telegraf's words.
        message: String,
        /// What may help.
        hint: String,
    },
    /// Nobody knows an option.
    Unknown {
        /// The plugin, such as `inputs.cpu`; empty in `[agent]`.
        plugin: String,
        /// The option.
        error: SettingsError,
    },
    /// An option has a value that it cannot have.
    Value {
        /// What Telegraf calls the section in such errors: `[agent]:` or `cpu,`.
        section: String,
        /// The option.
        error: SettingsError,
    },
    /// A plugin cannot be made of its options.
    Build {
        /// Where it is asked for.
        place: Place,
        /// The kind in the singular, such as `input`.
        kind: &'static str,
        /// The name in the log, such as `inputs.cpu`.
        plugin: String,
        /// Why not.
        message: String,
    },
    /// A secret is asked for that is not to be had.
    Secret {
        /// Where it is asked for.
        place: Place,
        /// Why not.
        error: SecretError,
    },
}

impl Problem {
    /// Says why the bytes of `path` are no configuration.
    pub(super) fn not_text(path: &str, reason: NotText) -> Problem {
        Problem::NotToml { path: path.to_owned(), utf16: reason == NotText::Utf16 }
    }

    /// Where in the file it is; the beginning where it is the file as a whole.
    fn position(&self) -> Position {
        match self {
            Problem::Read { .. }
            | Problem::Fetch(_)
            | Problem::Scheme(_)
            | Problem::NotToml { .. } => Position::default(),
            Problem::Syntax { error, .. } => error.position,
            Problem::Unknown { error, .. } | Problem::Value { error, .. } => error.place.position,
            Problem::Variable { place, .. }
            | Problem::Shape { place, .. }
            | Problem::Undefined { place, .. }
            | Problem::Build { place, .. }
            | Problem::Secret { place, .. } => place.position,
        }
    }

    /// Ties the problem to its file.
    pub(super) fn of(self, file: &Arc<str>) -> ConfigError {
        ConfigError::File { file: file.clone(), problem: Box::new(self) }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::Read { action, path, source } => {
                write!(f, "{action} {path}: {}", ErrorWords(source))
            }
            Problem::Fetch(error) => error.fmt(f),
            Problem::Scheme(scheme) => write!(f, "scheme {scheme:?} not supported"),
            Problem::NotToml { path, utf16 } => {
                write!(f, "provided config is not a TOML file: {path}")?;
                if *utf16 { f.write_str("; it is UTF-16 text, save it as UTF-8") } else { Ok(()) }
            }
            Problem::Syntax { file, error } => {
                write!(f, "error parsing data: {error} {}", At(file, error.position))
            }
            Problem::Variable { place, missing } => {
                write!(f, "error parsing data: {missing} {}", at(place))
            }
            Problem::Shape { place, message } => write!(f, "{message} {}", at(place)),
            Problem::Undefined { place, message, hint } => {
                write!(f, "{message} {}; {hint}", at(place))
            }
            Problem::Unknown { plugin, error } => {
                if !plugin.is_empty() {
                    write!(f, "plugin {plugin}: ")?;
                }
                write!(f, "line {}: {}", error.place.position.line, WithPlace(error))
            }
            Problem::Value { section, error } => {
                let line = error.place.position.line;
                write!(f, "error parsing {section} line {line}: {}", WithPlace(error))
            }
            Problem::Build { place, kind, plugin, message } => {
                write!(f, "could not initialize {kind} {plugin}: {message} {}", at(place))
            }
            Problem::Secret { place, error } => write!(f, "{error} {}", at(place)),
        }
    }
}

/// A place as it stands behind a message.
struct At<'p>(&'p str, Position);

fn at(place: &Place) -> At<'_> {
    At(&place.file, place.position)
}

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({}:{}:{})", self.0, self.1.line, self.1.column)
    }
}

/// An option's error with its place behind Telegraf's words, where people who know them look.
struct WithPlace<'e>(&'e SettingsError);

impl fmt::Display for WithPlace<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0.message, at(&self.0.place))?;
        match &self.0.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(problem: Problem) -> String {
        problem.of(&"a.conf".into()).to_string()
    }

    fn place() -> Place {
        let position = Position { line: 3, column: 5 };
        Place { file: "a.conf".into(), position, section: "inputs.mem".into() }
    }

    #[test]
    fn errors_have_telegrafs_shape_with_the_place_behind_it() {
        let error = SettingsError {
            place: place(),
            message: "configuration specified the fields [\"foo\"], but they were not used".into(),
            hint: Some("did you mean `fold`?".into()),
        };
        assert_eq!(
            shown(Problem::Unknown { plugin: "inputs.mem".into(), error: error.clone() }),
            "loading config file a.conf failed: plugin inputs.mem: line 3: configuration specified \
             the fields [\"foo\"], but they were not used (a.conf:3:5); did you mean `fold`?"
        );
        assert_eq!(
            shown(Problem::Value {
                section: "mem,".into(),
                error: SettingsError {
                    message: "foo: cannot unmarshal TOML string into bool".into(),
                    hint: None,
                    ..error
                }
            }),
            "loading config file a.conf failed: error parsing mem, line 3: foo: cannot unmarshal \
             TOML string into bool (a.conf:3:5)"
        );
        let source = io::Error::from_raw_os_error(2);
        assert_eq!(
            shown(Problem::Read { action: "open", path: "a.conf".into(), source }),
            "loading config file a.conf failed: open a.conf: no such file or directory"
        );
    }
}
