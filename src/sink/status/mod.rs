//! What a running sink tells of itself: one snapshot, from which the live line, the log, the table
//! for people, the JSON and the metrics for Prometheus are made.
//!
//! Threads note what they do in a [`ThreadProgress`](super::progress::ThreadProgress); a [`Board`]
//! makes a [`Snapshot`] of all of them whenever somebody asks. It is served at a socket in the
//! output folder and, where that is wanted, at a port.
//!
//! Nothing in a snapshot comes from the properties of the Kafka client, which may hold passwords.

mod ask;
mod board;
mod prometheus;
mod server;
mod table;
mod totals;

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::system::UtcTime;

pub use ask::ask;
pub use board::Board;
pub use prometheus::prometheus;
pub use server::StatusServerError;
pub(super) use server::StatusServers;
pub use table::table;
pub use totals::{Bytes, Totals};

/// The name of the socket in an output folder.
pub const SOCKET_FILE: &str = ".metric-sink.sock";

/// A sink at one moment. Its fields, as JSON names them, are part of the interface: they are added
/// to, and neither renamed nor removed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The program's version.
    pub version: String,
    /// The process id.
    pub pid: u32,
    /// When the sink was started.
    pub started_at: UtcTime,
    /// For how long it has been running.
    pub uptime_seconds: f64,
    /// Whether every thread is at work, or waits for work.
    pub healthy: bool,
    /// Why not, a sentence for each thread that is not.
    pub problems: Vec<String>,
    /// The consumer group.
    pub group: String,
    /// The topics that are read.
    pub topics: Vec<String>,
    /// The addresses that the sink begins with.
    pub brokers: Vec<String>,
    /// The folder of the files.
    pub output_dir: String,
    /// All threads together.
    pub totals: Totals,
    /// Each thread.
    pub threads: Vec<ThreadStatus>,
}

/// What a thread is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ThreadState {
    /// It waits for the group to say which partitions are its.
    Joining,
    /// It is a member of the group and has no partition.
    Idle,
    /// It reads and writes.
    Reading,
    /// It cannot write or flush, and tries again.
    Stuck,
    /// Nothing was heard of it for longer than anything should take.
    Silent,
    /// It has ended.
    Ended,
    /// Something that a newer sink tells.
    #[serde(other)]
    Unknown,
}

impl ThreadState {
    /// All that a sink tells.
    pub const ALL: [ThreadState; 6] = [
        ThreadState::Joining,
        ThreadState::Idle,
        ThreadState::Reading,
        ThreadState::Stuck,
        ThreadState::Silent,
        ThreadState::Ended,
    ];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            ThreadState::Joining => "joining",
            ThreadState::Idle => "idle",
            ThreadState::Reading => "reading",
            ThreadState::Stuck => "stuck",
            ThreadState::Silent => "silent",
            ThreadState::Ended => "ended",
            ThreadState::Unknown => "unknown",
        }
    }

    /// Whether somebody should look after the thread.
    pub fn is_problem(self) -> bool {
        matches!(self, ThreadState::Stuck | ThreadState::Silent | ThreadState::Ended)
    }
}

/// A thread at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ThreadStatus {
    /// Its name.
    pub name: String,
    /// What it is doing.
    pub state: ThreadState,
    /// Why it is stuck, silent, or has ended.
    pub reason: Option<String>,
    /// For how long it has been stuck or silent.
    pub stuck_seconds: Option<f64>,
    /// Records that this run has written; those that were taken back and written again count twice.
    pub records: u64,
    /// Bytes of them, line ends included.
    pub bytes: u64,
    /// Records a second over the last ten seconds.
    pub records_per_second: f64,
    /// Bytes a second over the last ten seconds.
    pub bytes_per_second: f64,
    /// The partitions that it has now.
    pub partitions: Vec<PartitionStatus>,
    /// The last commit that has ended.
    pub last_commit: Option<CommitStatus>,
    /// When a commit last succeeded.
    pub last_successful_commit_at: Option<UtcTime>,
    /// For how long a commit has been under way.
    pub commit_under_way_seconds: Option<f64>,
    /// What has happened how often.
    pub counters: Counters,
    /// The files that it writes to.
    pub files: Vec<FileStatus>,
}

/// A partition at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionStatus {
    /// The topic.
    pub topic: String,
    /// The partition's number.
    pub partition: i32,
    /// The offset that is read next, once it is known.
    pub position: Option<i64>,
    /// The offset that the group goes on at, once it is known.
    pub committed_offset: Option<i64>,
    /// The offset that the next record written to the partition will have, once it is known.
    pub end_offset: Option<i64>,
    /// How many records there are from the position to the end.
    pub lag: Option<u64>,
}

/// How a commit has ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CommitStatus {
    /// When it ended.
    pub ended_at: UtcTime,
    /// How long ago that was.
    pub seconds_ago: f64,
    /// How long it took.
    pub duration_seconds: f64,
    /// How it ended.
    pub outcome: CommitOutcome,
    /// What went wrong.
    pub error: Option<String>,
}

/// How a commit can end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CommitOutcome {
    /// The group has noted the offsets.
    Ok,
    /// The group has moved on: the partitions are, or soon will be, another member's.
    Refused,
    /// Anything else, such as a coordinator that does not answer; it is tried again.
    Failed,
    /// Something that a newer sink tells.
    #[serde(other)]
    Unknown,
}

impl CommitOutcome {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            CommitOutcome::Ok => "ok",
            CommitOutcome::Refused => "refused",
            CommitOutcome::Failed => "failed",
            CommitOutcome::Unknown => "unknown",
        }
    }
}

/// What has happened how often in this run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counters {
    /// Commits that succeeded.
    pub commits: u64,
    /// Commits that the group refused because it had moved on.
    pub commits_refused: u64,
    /// Commits that failed for another reason.
    pub commits_failed: u64,
    /// Writes that failed.
    pub write_errors: u64,
    /// Flushes that failed.
    pub flush_errors: u64,
    /// How often records were taken back, to be read again.
    pub taken_back: u64,
    /// Records that were taken out of the files again because they were not committed.
    pub records_taken_out: u64,
    /// Records that may stand in the files more than once, or not at all.
    pub records_doubtful: u64,
    /// How often the group has changed which partitions are the thread's.
    pub rebalances: u64,
}

/// A file that is being written to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileStatus {
    /// Its path.
    pub path: String,
    /// Its length; absent if it was not asked for or cannot be found out.
    pub bytes: Option<u64>,
}

impl Snapshot {
    /// Looks up how long the files are; while a disk hangs this may, too.
    pub fn measure_files(&mut self) {
        for file in self.threads.iter_mut().flat_map(|thread| &mut thread.files) {
            file.bytes = std::fs::metadata(Path::new(&file.path)).ok().map(|found| found.len());
        }
    }

    /// The snapshot as JSON, on several lines.
    ///
    /// # Errors
    /// None that is to be expected of texts and numbers.
    pub fn to_json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }
}

impl ThreadStatus {
    /// What is wrong with the thread, in a sentence.
    pub(super) fn problem(&self) -> Option<String> {
        if !self.state.is_problem() {
            return None;
        }
        let mut text = format!(
            "{} {}",
            self.name,
            match self.state {
                ThreadState::Ended => "has ended",
                ThreadState::Silent => "is silent",
                _ => "is stuck",
            }
        );
        if let Some(seconds) = self.stuck_seconds {
            text.push_str(&format!(" for {seconds:.0} s"));
        }
        if let Some(reason) = &self.reason {
            text.push_str(&format!(": {reason}"));
        }
        Some(text)
    }
}

#[cfg(test)]
mod tests;
