//! What is produced, and what became of it.

use rdkafka::error::RDKafkaErrorCode;

/// A record to be written to a topic.
#[derive(Debug, Clone)]
pub struct Record<'a> {
    /// The topic.
    pub topic: &'a str,
    /// The key, by which the partition is chosen; without one it is chosen by chance.
    pub key: Option<&'a [u8]>,
    /// The value; none marks the key as deleted in a compacted topic.
    pub value: Option<&'a [u8]>,
    /// The headers, in this order; a header may have no value.
    pub headers: Vec<(&'a str, Option<&'a [u8]>)>,
    /// The time in milliseconds since 1970, above zero; the time of sending if absent.
    pub timestamp_ms: Option<i64>,
}

/// Why a record was not written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProduceError {
    /// It is larger than the client or the topic allows.
    #[error("the record is larger than allowed")]
    TooLarge,
    /// The topic does not exist, and the brokers do not create it.
    #[error("the topic does not exist, and the brokers do not create it")]
    UnknownTopic,
    /// There can be no topic of this name.
    #[error("there can be no topic of this name")]
    InvalidTopic,
    /// The broker finds fault with the record, for example with its time.
    #[error("the broker does not take the record: {0}")]
    Invalid(String),
    /// It did not get through this time.
    #[error("{0}")]
    NotDelivered(String),
}

impl ProduceError {
    /// Whether trying again is in vain.
    pub fn is_permanent(&self) -> bool {
        !matches!(self, ProduceError::NotDelivered(_))
    }
}

impl ProduceError {
    /// Whether it lies in the record itself, so that no topic of these settings will ever take it.
    pub fn concerns_record(&self) -> bool {
        matches!(self, ProduceError::TooLarge | ProduceError::Invalid(_))
    }
}

impl From<RDKafkaErrorCode> for ProduceError {
    fn from(code: RDKafkaErrorCode) -> ProduceError {
        match code {
            RDKafkaErrorCode::MessageSizeTooLarge | RDKafkaErrorCode::MessageBatchTooLarge => {
                ProduceError::TooLarge
            }
            RDKafkaErrorCode::UnknownTopic
            | RDKafkaErrorCode::UnknownPartition
            | RDKafkaErrorCode::UnknownTopicOrPartition => ProduceError::UnknownTopic,
            RDKafkaErrorCode::InvalidTopic => ProduceError::InvalidTopic,
            RDKafkaErrorCode::InvalidTimestamp | RDKafkaErrorCode::InvalidRecord => {
                ProduceError::Invalid(words(code))
            }
            _ => ProduceError::NotDelivered(words(code)),
        }
    }
}

/// What the library says about an error, without the name of the code before it.
pub(super) fn words(code: RDKafkaErrorCode) -> String {
    let shown = code.to_string();
    match shown.split_once(" (").and_then(|(_, words)| words.strip_suffix(')')) {
        Some(words) => words.to_owned(),
        None => shown,
    }
}

/// Whether a broker says this of a whole batch of records, of which one is at fault.
pub(super) fn concerns_whole_batch(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::MessageSizeTooLarge
            | RDKafkaErrorCode::MessageBatchTooLarge
            | RDKafkaErrorCode::InvalidTimestamp
            | RDKafkaErrorCode::InvalidRecord
            | RDKafkaErrorCode::InvalidDifferentRecord
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_cannot_get_better_is_permanent() {
        for (code, permanent) in [
            (RDKafkaErrorCode::MessageSizeTooLarge, true),
            (RDKafkaErrorCode::MessageBatchTooLarge, true),
            (RDKafkaErrorCode::InvalidTimestamp, true),
            (RDKafkaErrorCode::InvalidRecord, true),
            (RDKafkaErrorCode::UnknownTopic, true),
            (RDKafkaErrorCode::UnknownTopicOrPartition, true),
            (RDKafkaErrorCode::InvalidTopic, true),
            (RDKafkaErrorCode::InvalidDifferentRecord, false),
            (RDKafkaErrorCode::NotLeaderForPartition, false),
            (RDKafkaErrorCode::NotEnoughReplicas, false),
            (RDKafkaErrorCode::TopicAuthorizationFailed, false),
            (RDKafkaErrorCode::MessageTimedOut, false),
            (RDKafkaErrorCode::BrokerTransportFailure, false),
        ] {
            assert_eq!(ProduceError::from(code).is_permanent(), permanent, "{code:?}");
        }
    }

    #[test]
    fn errors_are_shown_in_words() {
        let error = ProduceError::from(RDKafkaErrorCode::NotEnoughReplicas);
        assert_eq!(error.to_string(), "Broker: Not enough in-sync replicas");
    }
}
