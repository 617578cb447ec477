//! What a running agent tells of itself: a snapshot, from which `metric-agent status` makes a table
//! or hands on the JSON.
//!
//! Nothing in it comes from the settings of plugins, which may hold secrets. Errors are those of the
//! log.

mod board;
mod table;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::system::UtcTime;

pub use board::Board;
pub use table::table;

/// An agent at one moment. Its fields, as JSON names them, are part of the interface: they are added
/// to, and neither renamed nor removed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The program's version.
    pub version: String,
    /// The process id.
    pub pid: u32,
    /// When the agent was started.
    pub started_at: UtcTime,
    /// For how long it has been running.
    pub uptime_seconds: f64,
    /// What it is doing.
    pub phase: Phase,
    /// Whether nothing needs looking after.
    pub healthy: bool,
    /// Why not, a sentence each.
    pub problems: Vec<String>,
    /// The files and addresses of its configuration.
    pub configuration: Vec<String>,
    /// When the configuration that it runs was loaded.
    pub configured_at: Option<UtcTime>,
    /// What came of the last wish for a new configuration.
    pub last_reload: Option<Reload>,
    /// Each input.
    pub inputs: Vec<InputStatus>,
    /// Each output.
    pub outputs: Vec<OutputStatus>,
}

/// What an agent is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// It connects its outputs and starts its inputs.
    Starting,
    /// It gathers and writes.
    Running,
    /// It changes to another configuration.
    Reloading,
    /// It writes what waits and ends.
    Stopping,
    /// Something that a newer agent tells.
    #[serde(other)]
    Unknown,
}

impl Phase {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Phase::Starting => "starting",
            Phase::Running => "running",
            Phase::Reloading => "reloading",
            Phase::Stopping => "stopping",
            Phase::Unknown => "unknown",
        }
    }
}

/// How a wish for a new configuration has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reload {
    /// When.
    pub ended_at: UtcTime,
    /// Why the one before is still there; absent if the new one was taken.
    pub error: Option<String>,
}

/// Something that went wrong, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastError {
    /// When.
    pub at: UtcTime,
    /// What.
    pub text: String,
}

/// An input at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InputStatus {
    /// Its name, such as `inputs.cpu::alias`.
    pub name: String,
    /// Its id; the same for the same settings.
    pub id: String,
    /// For how long it has been gathering, if it does.
    pub busy_seconds: Option<f64>,
    /// Metrics that it has brought.
    pub gathered: u64,
    /// Errors that it has logged.
    pub errors: u64,
    /// When a gather last ended well.
    pub last_gather_at: Option<UtcTime>,
    /// What last went wrong.
    pub last_error: Option<LastError>,
}

/// An output at one moment. Counts are of metrics, since the start of the agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OutputStatus {
    /// Its name, such as `outputs.kafka::alias`.
    pub name: String,
    /// Its id; the same for the same settings.
    pub id: String,
    /// For how long it has been writing, if it does.
    pub busy_seconds: Option<f64>,
    /// What it was to write.
    pub received: u64,
    /// What it has written.
    pub written: u64,
    /// What waits for its turn.
    pub waiting: u64,
    /// What is being written.
    pub in_flight: u64,
    /// What it will not write, by reason: `overflow` for want of room, `rejected` by the output.
    pub dropped: BTreeMap<String, u64>,
    /// Writes that failed, in part or as a whole.
    pub write_errors: u64,
    /// When everything of a batch was last written.
    pub last_success_at: Option<UtcTime>,
    /// What last went wrong.
    pub last_error: Option<LastError>,
}

impl OutputStatus {
    /// Whether the last thing that is known of it is an error.
    pub fn is_failing(&self) -> bool {
        is_newer(self.last_error.as_ref(), self.last_success_at)
    }
}

impl InputStatus {
    /// Whether the last thing that is known of it is an error.
    pub fn is_failing(&self) -> bool {
        is_newer(self.last_error.as_ref(), self.last_gather_at)
    }
}

fn is_newer(error: Option<&LastError>, success: Option<UtcTime>) -> bool {
    error.is_some_and(|error| success.is_none_or(|success| error.at > success))
}

impl Snapshot {
    /// The snapshot as JSON, on several lines.
    ///
    /// # Errors
    /// None that is to be expected of texts and numbers.
    pub fn to_json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }
}

#[cfg(test)]
mod tests;
