//! What a member is told, as librdkafka wants it said.
//!
//! # References
//! librdkafka's `CONFIGURATION.md`.

use std::time::Duration;

use rdkafka::config::RDKafkaLogLevel;

use crate::kafka::Connection;

/// Which rebalance protocol the group speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GroupProtocol {
    /// The members agree among themselves; every broker knows it.
    #[default]
    Classic,
    /// The brokers assign, since Kafka 4.0 (KIP-848).
    Consumer,
}

/// How the members of a group that agree among themselves share the partitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Assignor {
    /// Each topic by itself, in stretches of partitions.
    #[default]
    Range,
    /// All partitions of all topics in turn.
    RoundRobin,
    /// Each member keeps what it has as far as that is fair, and goes on reading it while others
    /// change hands (KIP-429).
    CooperativeSticky,
}

impl Assignor {
    fn name(self) -> &'static str {
        match self {
            Assignor::Range => "range",
            Assignor::RoundRobin => "roundrobin",
            Assignor::CooperativeSticky => "cooperative-sticky",
        }
    }
}

/// Where a partition begins for which the group has committed nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StartOffset {
    /// At the oldest record that is there.
    #[default]
    Earliest,
    /// At what comes after the member was assigned the partition.
    Latest,
    /// At the first record of this time or later, in milliseconds since 1970.
    At {
        /// The time.
        epoch_ms: i64,
    },
}

/// What a member is and what it reads.
#[derive(Debug, Clone)]
pub struct GroupSettings {
    /// How to reach the cluster; its properties win over what is set here.
    pub connection: Connection,
    /// The group's name.
    pub group: String,
    /// The topics it reads.
    pub topics: Vec<String>,
    /// Where partitions without a committed offset begin.
    pub start: StartOffset,
    /// How the group rebalances.
    pub protocol: GroupProtocol,
    /// How the members share the partitions, if they agree among themselves.
    pub assignor: Assignor,
    /// How long the group waits for a member that is not heard of.
    pub session_timeout: Duration,
    /// A name that stays over restarts; none for a new member each time.
    pub instance_id: Option<String>,
    /// How much is read ahead, in bytes of record values.
    pub read_ahead_bytes: usize,
    /// How often the library counts what lags behind.
    pub lag_interval: Duration,
}

impl GroupSettings {
    pub(super) fn client_config(&self) -> rdkafka::ClientConfig {
        let mut config = rdkafka::ClientConfig::new();
        let millis = |span: Duration| span.as_millis().to_string();
        config.set("group.id", &self.group);
        // Offsets are committed by the owner, after what they cover is in a file.
        config.set("enable.auto.commit", "false");
        config.set("enable.auto.offset.store", "false");
        // Partitions without a committed offset begin where `start` says, which the member finds out
        // itself. This is for those whose next record the broker has deleted meanwhile: going on at
        // the oldest that is left loses least.
        config.set("auto.offset.reset", "earliest");
        match self.protocol {
            GroupProtocol::Classic => {
                config.set("session.timeout.ms", millis(self.session_timeout));
                config.set("heartbeat.interval.ms", millis(HEARTBEAT));
                config.set("partition.assignment.strategy", self.assignor.name());
            }
            // The brokers set these for the whole group.
            GroupProtocol::Consumer => {
                config.set("group.protocol", "consumer");
            }
        }
        if let Some(instance_id) = &self.instance_id {
            config.set("group.instance.id", instance_id);
        }
        // By default the library waits a second before it fetches again once its queue was full.
        config.set("fetch.queue.backoff.ms", "10");
        let read_ahead_kbytes = (self.read_ahead_bytes / 1024).max(1);
        config.set("queued.max.messages.kbytes", read_ahead_kbytes.to_string());
        // Beside its value each record costs the library some hundred bytes, which it does not count.
        let read_ahead_records = (self.read_ahead_bytes / RECORD_BYTES).clamp(1_000, 10_000_000);
        config.set("queued.min.messages", read_ahead_records.to_string());
        // A fetch is a part of what is read ahead; a record larger than that is still fetched.
        let fetch_bytes = (self.read_ahead_bytes / 2).clamp(64 * 1024, 16 * 1024 * 1024);
        config.set("max.partition.fetch.bytes", fetch_bytes.to_string());
        config.set("fetch.max.bytes", (fetch_bytes * 4).max(1024 * 1024).to_string());
        config.set("receive.message.max.bytes", MAX_RESPONSE_BYTES.to_string());
        // A topic that is made later, or grows, is noticed within this.
        config.set("topic.metadata.refresh.interval.ms", "10000");
        config.set("statistics.interval.ms", millis(self.lag_interval));
        let mut config = self.connection.client_config_over(&config);
        // A broker that hangs up on a member that it does not understand says nothing else, such as
        // one that wants a login. That it closes idle connections the library keeps to itself.
        if !self.connection.properties.iter().any(|(name, _)| name == "log.connection.close") {
            config.set("log.connection.close", "true");
        }
        // Who asks the library for its debug lines should get them.
        let is_debugged = config.get("debug").is_some();
        config.set_log_level(if is_debugged {
            RDKafkaLogLevel::Debug
        } else {
            RDKafkaLogLevel::Info
        });
        config
    }
}

/// How often a member says that it is there. A member learns of a rebalance by the answer, so that
/// this decides how long the first one keeps what the others are waiting for. The library counts
/// coarsely: with 200 ms that is half a second, with 100 ms a third of one at most.
const HEARTBEAT: Duration = Duration::from_millis(100);

/// Of records that are smaller only as many are read ahead as there would be of this size.
const RECORD_BYTES: usize = 256;

/// The largest response that is taken from a broker; it bounds the size of a record.
const MAX_RESPONSE_BYTES: u32 = 512 * 1024 * 1024;
