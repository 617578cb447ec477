//! A client for what librdkafka cannot be asked from here: offsets of other groups, folders of
//! partitions, quotas, controllers.
//!
//! It asks and never writes. One thread does everything: a request goes to all brokers that it
//! concerns before the first answer is waited for, so that a round takes as long as the slowest
//! broker. Each client has one connection to each broker and neither threads nor buffers beyond
//! that, where a client of librdkafka has a thread for each broker.
//!
//! The messages are written by hand. The crate `kafka-protocol` has all of them in all versions,
//! generated; of those a dozen is needed, each in a version or two.
//!
//! # References
//! Kafka's protocol guide; KIP-482 for compact forms, KIP-511 for versions, KIP-896 for what
//! Kafka 4 still understands.

mod address;
mod cluster;
mod decode;
mod encode;
mod error;
mod link;
mod messages;
mod questions;
mod record_times;
mod request;
mod scram;

pub use address::BadAddress;
pub use cluster::{Cluster, Gathered, SetupError};
pub use error::{ErrorCode, WireError};
pub use messages::{
    BrokerAddress, ClientQuota, CommittedOffset, GroupDescription, GroupKind, GroupMember,
    ListedGroup, LogDir, LogDirPartition, Metadata, PartitionMetadata, Quorum, QuorumReplica,
    QuotaEntity, Registration, TopicMetadata,
};
pub use questions::{GroupOffsets, PartitionEnd, PartitionPlace};
pub use record_times::{RecordPlace, RecordTimes};
