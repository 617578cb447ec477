//! What the client library and the group refuse.

use std::time::Duration;

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::kafka::PropertyError;

/// Why offsets were not committed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// The group has moved on: other members have the partitions now, or soon will.
    #[error("the group has moved on ({0}); another member reads these records again")]
    MovedOn(String),
    /// It was given up after this time, and may have been accepted.
    #[error("the client library has not answered for {} s", .0.as_secs())]
    Unanswered(Duration),
    /// Anything else, such as a coordinator that does not answer; it may pass.
    #[error("{0}")]
    Other(GroupError),
}

/// What the client library refuses to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct GroupError(pub(super) String);

impl From<KafkaError> for GroupError {
    fn from(error: KafkaError) -> GroupError {
        GroupError(PropertyError::from(error).to_string())
    }
}

impl From<KafkaError> for CommitError {
    fn from(error: KafkaError) -> CommitError {
        use RDKafkaErrorCode::{
            AssignmentLost, Fenced, FencedInstanceId, IllegalGeneration, RebalanceInProgress,
            StaleMemberEpoch, UnknownMemberId,
        };
        match error.rdkafka_error_code() {
            Some(
                code @ (RebalanceInProgress | UnknownMemberId | IllegalGeneration
                | FencedInstanceId | Fenced | AssignmentLost | StaleMemberEpoch),
            ) => CommitError::MovedOn(code.to_string()),
            _ => CommitError::Other(error.into()),
        }
    }
}
