//! The requests that are asked, one file for each subject.
//!
//! Each is understood in the newest version that all brokers since Kafka 3.0 know, and in later
//! ones where those tell more.
//!
//! # References
//! The message definitions in Kafka's `clients/src/main/resources/common/message`.

mod batch;
mod configs;
mod fetch;
mod groups;
mod log_dirs;
mod login;
mod metadata;
mod offsets;
mod quorum;
mod quotas;
mod registration;
#[cfg(test)]
mod tests;
mod versions;

pub use groups::{GroupDescription, GroupKind, GroupMember, ListedGroup};
pub use log_dirs::{LogDir, LogDirPartition};
pub use metadata::{BrokerAddress, Metadata, PartitionMetadata, TopicMetadata};
pub use offsets::CommittedOffset;
pub use quorum::{Quorum, QuorumReplica};
pub use quotas::{ClientQuota, QuotaEntity};
pub use registration::Registration;

pub(super) use configs::DescribeConfigs;
pub(super) use fetch::{Fetch, FetchFrom};
pub(super) use groups::{ConsumerGroupDescribe, DescribeGroups, ListGroups};
pub(super) use log_dirs::DescribeLogDirs;
pub(super) use login::{SaslAuthenticate, SaslHandshake};
pub(super) use metadata::MetadataRequest;
pub(super) use offsets::{ListOffsets, OffsetFetch};
pub(super) use quorum::DescribeQuorum;
pub(super) use quotas::DescribeClientQuotas;
pub(super) use registration::DescribeCluster;
pub(super) use versions::{ApiVersions, OfferedVersions};

use super::decode::{Decoded, Decoder};
use super::error::ErrorCode;

/// An answer that is an error as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    /// The error.
    pub(super) code: ErrorCode,
    /// What the broker says about it.
    pub(super) message: Option<String>,
}

/// Reads an error code, and where there is one the message behind it.
fn refusal(answer: &mut Decoder<'_>) -> Decoded<Option<Refusal>> {
    let code = ErrorCode::of(answer.int16()?);
    let message = answer.nullable_string()?;
    Ok(code.map(|code| Refusal { code, message }))
}

/// Reads an error code that no message follows.
fn bare_refusal(answer: &mut Decoder<'_>) -> Decoded<Option<Refusal>> {
    let code = ErrorCode::of(answer.int16()?);
    Ok(code.map(|code| Refusal { code, message: None }))
}
