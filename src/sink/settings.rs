//! What the sink is told to do.

use std::path::PathBuf;
use std::time::Duration;

use super::files::FileSettings;
use super::rows::RowSettings;
use crate::http::ListenAddress;
use crate::kafka::group::{GroupProtocol, StartOffset};

/// When data is flushed to the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fsync {
    /// Before every commit: what is committed survives a power failure.
    #[default]
    Commit,
    /// Never: what is committed survives the death of the process, and a power failure only if the
    /// kernel happened to have written it.
    Never,
}

/// How the group knows the members.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Membership {
    /// By a new id each time; a clean stop hands the partitions over at once.
    #[default]
    Dynamic,
    /// By an id of host, folder and thread; a restart within the session time-out moves nothing, a
    /// stop without restart leaves the partitions unread for that long.
    Static,
}

/// What a record becomes in a file.
#[derive(Debug, Clone, Default)]
pub enum Format {
    /// Its value as it came, as a line.
    #[default]
    Raw,
    /// Rows of CSV, made of line protocol or JSON.
    Csv(RowSettings),
}

/// Everything that the sink is told.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How many consumer threads, each a member of the group.
    pub threads: usize,
    /// Addresses of brokers.
    pub brokers: Vec<String>,
    /// Topics to read.
    pub topics: Vec<String>,
    /// The consumer group.
    pub group: String,
    /// Where the files are.
    pub output_dir: PathBuf,
    /// Where partitions without a committed offset begin.
    pub from: StartOffset,
    /// What records become.
    pub format: Format,
    /// How files are called, when they end, and what becomes of them then.
    pub files: FileSettings,
    /// When data is flushed to the disk.
    pub fsync: Fsync,
    /// How the group knows the members.
    pub membership: Membership,
    /// Which rebalance protocol the group speaks.
    pub protocol: GroupProtocol,
    /// How long the group waits for a member that is not heard of.
    pub session_timeout: Duration,
    /// How many records are written at once at most.
    pub batch_records: usize,
    /// How many bytes are written at once at most, but for a single record that is larger.
    pub batch_bytes: usize,
    /// How long records wait at most until they are flushed and committed.
    pub commit_interval: Duration,
    /// How many bytes are written at most until they are flushed and committed.
    pub commit_bytes: u64,
    /// How much each thread reads ahead, in bytes.
    pub read_ahead_bytes: usize,
    /// How often progress is reported.
    pub report_interval: Duration,
    /// Where the status is told over HTTP, if it is.
    pub http: Option<ListenAddress>,
    /// Further properties of the Kafka client.
    pub properties: Vec<(String, String)>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            threads: 5,
            brokers: vec!["127.0.0.1:9092".into()],
            topics: vec!["my-computer-metric".into()],
            group: "metric-consumers".into(),
            output_dir: PathBuf::from("."),
            from: StartOffset::Earliest,
            format: Format::Raw,
            files: FileSettings::default(),
            fsync: Fsync::Commit,
            membership: Membership::Dynamic,
            protocol: GroupProtocol::Classic,
            session_timeout: Duration::from_secs(10),
            batch_records: 20_000,
            batch_bytes: 1024 * 1024,
            commit_interval: Duration::from_secs(1),
            commit_bytes: 64 * 1024 * 1024,
            read_ahead_bytes: 2 * 1024 * 1024,
            report_interval: Duration::from_secs(10),
            http: None,
            properties: Vec::new(),
        }
    }
}
