//! The log as a plugin sees it: its own name stands before each line.

use std::fmt;
use std::sync::Arc;

use log::{Level, Record};

use super::Counter;

/// Writes log lines under a plugin's name, such as `inputs.cpu` or `inputs.cpu::alias`.
///
/// The name is the record's target; the logger prints it as `[inputs.cpu]` and knows by it which
/// plugins have a `log_level` of their own.
#[derive(Debug, Clone)]
pub struct PluginLog {
    name: Arc<str>,
    errors: Counter,
}

impl PluginLog {
    /// Makes the log of the plugin called `name`.
    pub fn new(name: impl Into<Arc<str>>) -> PluginLog {
        PluginLog { name: name.into(), errors: Counter::default() }
    }

    /// The same log, whose errors are counted in `errors`.
    #[must_use]
    pub fn counting_errors(self, errors: Counter) -> PluginLog {
        PluginLog { errors, ..self }
    }

    /// The plugin's name as it stands in the log.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Logs what needs somebody's attention: `E!`.
    pub fn error(&self, message: impl fmt::Display) {
        self.errors.add(1);
        self.log(Level::Error, format_args!("{message}"));
    }

    /// Logs what may need attention: `W!`.
    pub fn warn(&self, message: impl fmt::Display) {
        self.log(Level::Warn, format_args!("{message}"));
    }

    /// Logs what is worth knowing: `I!`.
    pub fn info(&self, message: impl fmt::Display) {
        self.log(Level::Info, format_args!("{message}"));
    }

    /// Logs what helps to find a fault: `D!`.
    pub fn debug(&self, message: impl fmt::Display) {
        self.log(Level::Debug, format_args!("{message}"));
    }

    /// Whether `D!` lines would be written, to spare the work of making them.
    pub fn is_debug(&self) -> bool {
        log::log_enabled!(target: &self.name, Level::Debug)
    }

    fn log(&self, level: Level, message: fmt::Arguments<'_>) {
        log::logger().log(&Record::builder().level(level).target(&self.name).args(message).build());
    }
}
