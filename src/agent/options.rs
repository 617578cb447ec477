//! The settings that the engine understands, whatever the plugin: `[agent]` and the options that
//! every plugin of a kind may carry beside its own.
//!
//! Each struct here is read from the same table as the plugin's own settings; none of them uses
//! `flatten`, so that an option unknown to all of them is noticed.
//!
//! # References
//! Telegraf's `docs/CONFIGURATION.md` and `config.AgentConfig`; defaults are those of its code.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::buffer::Placement;
use super::dead_letters::Keeping;
use crate::plugin::settings::{Duration, Size};
use crate::spool::Sync;

/// Where dead letters are below the folder for state.
const DEAD_LETTERS: &str = "dead-letters";

/// The `[agent]` table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AgentOptions {
    /// How often inputs gather; must be above zero.
    pub interval: Duration,
    /// Whether rounds fall on multiples of the interval.
    pub round_interval: bool,
    /// How many metrics an output gets at most in one write; zero is 1000.
    pub metric_batch_size: usize,
    /// How many unwritten metrics are kept for each output; zero is 10000.
    pub metric_buffer_limit: usize,
    /// Up to how much later than due an input gathers, by chance.
    pub collection_jitter: Duration,
    /// How much later than due every input gathers.
    pub collection_offset: Duration,
    /// How often outputs write; must be above zero.
    pub flush_interval: Duration,
    /// Up to how much is added to every flush interval, by chance.
    pub flush_jitter: Duration,
    /// What times are rounded to; zero derives it from the interval.
    pub precision: Duration,
    /// Logs debug messages.
    pub debug: bool,
    /// Logs errors only; beats `debug`.
    pub quiet: bool,
    /// Deprecated in favour of `logformat` and `logfile`.
    pub logtarget: String,
    /// `text` or `structured`.
    pub logformat: String,
    /// The key of the message in structured logs; empty is `msg`.
    pub structured_log_message_key: String,
    /// The file to log to; empty is standard error.
    pub logfile: String,
    /// How old a log file gets; zero is without end.
    pub logfile_rotation_interval: Duration,
    /// How large a log file gets; zero is without end.
    pub logfile_rotation_max_size: Size,
    /// How many rotated log files stay; -1 is all.
    pub logfile_rotation_max_archives: i64,
    /// The time zone of the log: an IANA name or `local`; empty is UTC.
    pub log_with_timezone: String,
    /// What the tag `host` says; empty is the machine's name.
    pub hostname: String,
    /// Leaves the tag `host` out.
    pub omit_hostname: bool,
    /// Accepted for SNMP plugins, which are not here.
    pub snmp_translator: String,
    /// Where plugins keep their state between runs; empty is nowhere.
    pub statefile: String,
    /// Puts a plugin's own tags back after its tag filters.
    pub always_include_local_tags: bool,
    /// Puts global tags back after tag filters.
    pub always_include_global_tags: bool,
    /// Whether aggregates pass by the processors; unset is `false`.
    pub skip_processors_after_aggregators: Option<bool>,
    /// Whether metrics pass by the processors on their way to the aggregators.
    pub skip_processors_before_aggregators: bool,
    /// How often loading a configuration from a URL is tried; zero is 3.
    pub config_url_retry_attempts: i64,
    /// Where unwritten metrics wait: `memory` (also if empty), or `disk_write_through`, which is also
    /// called `disk`.
    pub buffer_strategy: String,
    /// The folder of the disk buffer.
    pub buffer_directory: String,
    /// Whether the disk buffer is flushed to the disk at every write; unset is `true`.
    pub buffer_disk_sync: Option<bool>,
    /// The socket at which the agent is asked how it is; empty is in the folder that the service manager
    /// gives, `none` is nowhere.
    pub status_socket: String,
    /// The folder for metrics that outputs can never write; empty is below the state folder.
    pub dead_letter_directory: String,
    /// How much of them is kept for each output; zero is nothing.
    pub dead_letter_max_size: Size,
}

impl Default for AgentOptions {
    fn default() -> AgentOptions {
        AgentOptions {
            interval: Duration::from_secs(10),
            round_interval: true,
            metric_batch_size: 0,
            metric_buffer_limit: 0,
            collection_jitter: Duration::ZERO,
            collection_offset: Duration::ZERO,
            flush_interval: Duration::from_secs(10),
            flush_jitter: Duration::ZERO,
            precision: Duration::ZERO,
            debug: false,
            quiet: false,
            logtarget: String::new(),
            logformat: "text".into(),
            structured_log_message_key: String::new(),
            logfile: String::new(),
            logfile_rotation_interval: Duration::ZERO,
            logfile_rotation_max_size: Size::from_bytes(0),
            logfile_rotation_max_archives: 5,
            log_with_timezone: String::new(),
            hostname: String::new(),
            omit_hostname: false,
            snmp_translator: "netsnmp".into(),
            statefile: String::new(),
            always_include_local_tags: false,
            always_include_global_tags: false,
            skip_processors_after_aggregators: None,
            skip_processors_before_aggregators: false,
            config_url_retry_attempts: 0,
            buffer_strategy: String::new(),
            buffer_directory: String::new(),
            buffer_disk_sync: None,
            status_socket: String::new(),
            dead_letter_directory: String::new(),
            dead_letter_max_size: Size::from_bytes(100_000_000),
        }
    }
}

impl AgentOptions {
    /// The batch size with its default filled in.
    pub fn batch_size(&self) -> usize {
        if self.metric_batch_size == 0 { 1_000 } else { self.metric_batch_size }
    }

    /// The buffer limit with its default filled in.
    pub fn buffer_limit(&self) -> usize {
        if self.metric_buffer_limit == 0 { 10_000 } else { self.metric_buffer_limit }
    }
}

impl AgentOptions {
    /// Where the unwritten metrics of the output with this id wait.
    pub fn buffer_placement(&self, id: &str) -> Placement {
        match self.buffer_strategy.as_str() {
            "disk" | "disk_write_through" => Placement::Disk {
                folder: Path::new(&self.buffer_directory).join(id),
                sync: match self.buffer_disk_sync {
                    Some(false) => Sync::Never,
                    None | Some(true) => Sync::EveryGroup,
                },
            },
            _ => Placement::Memory,
        }
    }

    /// Where what the output of this name can never write is kept, if anywhere: in a file of its own,
    /// in the agent's folder for them, or below the folder for state.
    pub fn dead_letters(
        &self,
        name: &str,
        own_file: &str,
        state_folder: Option<&Path>,
    ) -> Option<Keeping> {
        let most_bytes = self.dead_letter_max_size.bytes();
        if most_bytes == 0 {
            return None;
        }
        let folder = match self.dead_letter_directory.as_str() {
            _ if !own_file.is_empty() => {
                return Some(Keeping { path: PathBuf::from(own_file), most_bytes });
            }
            "" => state_folder?.join(DEAD_LETTERS),
            folder => PathBuf::from(folder),
        };
        Some(Keeping::in_folder(&folder, name, most_bytes))
    }
}

/// The options that every plugin may carry.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct IdentityOptions {
    /// A name that tells two plugins of the same type apart in the log.
    pub alias: String,
    /// The level from which this plugin's lines are logged; empty is the agent's.
    pub log_level: String,
    /// What `--select` selects by.
    pub labels: BTreeMap<String, String>,
}

/// When an input gathers, and what happens if it cannot start.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct InputOptions {
    /// How often it gathers; zero is the agent's interval.
    pub interval: Duration,
    /// What its times are rounded to; zero derives it.
    pub precision: Duration,
    /// Up to how much later than due it gathers; unset is the agent's.
    pub collection_jitter: Option<Duration>,
    /// How much later than due it gathers; zero is the agent's.
    pub collection_offset: Duration,
    /// What to do when it cannot start.
    pub startup_error_behavior: StartupErrorBehavior,
    /// Where metrics take their time from.
    pub time_source: TimeSource,
}

/// When and how much an output writes, and what happens if it cannot connect.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct OutputOptions {
    /// How often it writes; zero is the agent's.
    pub flush_interval: Duration,
    /// Up to how much is added to every flush interval; unset is the agent's.
    pub flush_jitter: Option<Duration>,
    /// How many metrics it gets in one write; zero is the agent's.
    pub metric_batch_size: usize,
    /// How many unwritten metrics are kept; zero is the agent's.
    pub metric_buffer_limit: usize,
    /// The file for metrics that it can never write; empty is one in the agent's folder for them.
    pub dead_letter_file: String,
    /// What to do when it cannot connect.
    pub startup_error_behavior: StartupErrorBehavior,
}

/// Where a processor stands.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct ProcessorOptions {
    /// Lower ones come first; equal ones stay in file order.
    pub order: i64,
}

/// The window of an aggregator.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default)]
pub struct AggregatorOptions {
    /// How long a window is.
    pub period: Duration,
    /// How much later than the window a metric may be.
    pub delay: Duration,
    /// How much earlier than the window a metric may be.
    pub grace: Duration,
    /// Whether the metrics that were aggregated end here.
    pub drop_original: bool,
}

impl Default for AggregatorOptions {
    fn default() -> AggregatorOptions {
        AggregatorOptions {
            period: Duration::from_secs(30),
            delay: Duration::from_millis(100),
            grace: Duration::ZERO,
            drop_original: false,
        }
    }
}

/// How metrics are renamed and tagged.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct NamingOptions {
    /// Replaces the name.
    pub name_override: String,
    /// Goes before the name.
    pub name_prefix: String,
    /// Goes behind the name.
    pub name_suffix: String,
    /// Tags for metrics that lack them.
    pub tags: BTreeMap<String, String>,
}

/// What to do with a plugin that cannot start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StartupErrorBehavior {
    /// The agent ends.
    #[default]
    #[serde(alias = "")]
    Error,
    /// It is tried again in every round.
    Retry,
    /// The agent goes on without the plugin.
    Ignore,
    /// As `ignore`, and the plugin is asked whether it will work before it is started.
    Probe,
}

/// Where metrics take their time from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeSource {
    /// The time that the plugin gave them.
    #[default]
    #[serde(alias = "")]
    Metric,
    /// The start of the gather.
    CollectionStart,
    /// The end of the gather.
    CollectionEnd,
}

/// Which metrics, tags and fields pass.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct FilterOptions {
    /// Names that pass; none listed is all.
    pub namepass: Vec<String>,
    /// Characters that `*` and `?` in `namepass` stop at.
    pub namepass_separator: String,
    /// Names that do not pass.
    pub namedrop: Vec<String>,
    /// Characters that `*` and `?` in `namedrop` stop at.
    pub namedrop_separator: String,
    /// Tags of which at least one must match.
    pub tagpass: Option<BTreeMap<String, Vec<String>>>,
    /// Tags of which none may match.
    pub tagdrop: Option<BTreeMap<String, Vec<String>>>,
    /// A condition in CEL.
    pub metricpass: String,
    /// Fields that stay; none listed is all.
    pub fieldinclude: Vec<String>,
    /// Fields that go.
    pub fieldexclude: Vec<String>,
    /// Tags that stay; none listed is all.
    pub taginclude: Vec<String>,
    /// Tags that go.
    pub tagexclude: Vec<String>,
}
