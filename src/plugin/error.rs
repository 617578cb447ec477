//! What plugins can fail with, sorted by what the engine must decide.

use super::secrets::SecretError;
use super::settings::{Position, SettingsError};

/// Any error of a plugin that the engine only has to report.
pub type PluginError = Box<dyn std::error::Error + Send + Sync>;

/// Why a plugin could not be built from its settings.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// Options that are unknown, missing or of a wrong type, each with its place in the file.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Settings(Vec<SettingsError>),
    /// A secret that is not to be had.
    #[error("{error}")]
    Secret {
        /// Where it is referred to.
        position: Position,
        /// Why not.
        error: SecretError,
    },
    /// Options that are well-formed but make no sense together or on this machine.
    #[error(transparent)]
    Invalid(PluginError),
}

impl From<Vec<SettingsError>> for BuildError {
    fn from(errors: Vec<SettingsError>) -> BuildError {
        BuildError::Settings(errors)
    }
}

impl BuildError {
    /// Makes an error from a message, for a value that the plugin does not take.
    pub fn invalid(message: impl Into<PluginError>) -> BuildError {
        BuildError::Invalid(message.into())
    }
}

/// Why an input could not start.
#[derive(Debug, thiserror::Error)]
#[error("{source}")]
pub struct StartError {
    /// Whether the same may succeed later, for `startup_error_behavior = "retry"`.
    pub retryable: bool,
    /// What went wrong.
    pub source: PluginError,
}

/// Why an output could not connect.
#[derive(Debug, thiserror::Error)]
#[error("{source}")]
pub struct ConnectError {
    /// Whether the same may succeed later, for `startup_error_behavior = "retry"`.
    pub retryable: bool,
    /// What went wrong.
    pub source: PluginError,
}

/// A metric of a batch that can never be written, and why.
#[derive(Debug)]
pub struct Rejection {
    /// The metric's place in the batch.
    pub index: usize,
    /// Why it can never be written.
    pub reason: PluginError,
}

/// What became of a batch that was not written as a whole.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// Nothing was written; the whole batch is kept for another try.
    #[error("{0}")]
    Retry(PluginError),
    /// Some were written; those named are kept or given up, and all others count as delivered.
    #[error("{source}")]
    Partial {
        /// Places in the batch of the metrics to keep for another try, ascending.
        retry: Vec<usize>,
        /// The metrics to give up, ascending by place.
        rejected: Vec<Rejection>,
        /// What went wrong first.
        source: PluginError,
    },
}

impl WriteError {
    /// Makes the error that keeps the whole batch.
    pub fn retry(source: impl Into<PluginError>) -> WriteError {
        WriteError::Retry(source.into())
    }
}

/// What a parser answers that has to see more before it can make a metric, because only a part of
/// a header has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not enough data")]
pub struct NotEnoughData;
