//! How a producer writes, and what that means in librdkafka's words.

use std::time::Duration;

use rdkafka::ClientConfig;

use crate::kafka::Connection;

/// How long a broker waits for the other replicas before it says that a write failed.
const ACK_TIME: Duration = Duration::from_secs(10);

/// How long one call waits for its records at most, however often the library may try again.
const LONGEST_DELIVERY_TIME: Duration = Duration::from_secs(30);

/// How long a topic may be missing after it was asked for the first time: a broker that creates
/// topics by itself needs a moment until all brokers know them.
const TOPIC_CREATION_TIME: Duration = Duration::from_secs(5);

/// How long records wait for others before a batch is sent.
///
/// All records of a call are handed over in a fraction of this, so that each partition gets one
/// large batch rather than many small ones; a call takes that much longer.
const LINGER: Duration = Duration::from_millis(5);

/// How much is held in memory before a call waits for acknowledgements, in KiB.
const QUEUE_KIBIBYTES: u32 = 32 * 1024;

/// How a producer writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProducerSettings {
    /// Who must have a record before it counts as written.
    pub acks: Acks,
    /// How often a record may be written when the library has to repeat itself.
    pub delivery: Delivery,
    /// How batches are packed.
    pub compression: Compression,
    /// The most bytes that key and value of a record may have together; 1000 and up.
    pub max_message_bytes: u32,
    /// How often a write that failed is tried again.
    pub max_retries: u32,
}

/// Who must have a record before it counts as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acks {
    /// Nobody: records count as written when they are sent.
    None,
    /// The leader of the partition.
    Leader,
    /// All replicas that are in sync.
    All,
}

/// How often a record may be written when the library has to repeat itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// Twice, if the acknowledgement of the first write was lost.
    AtLeastOnce,
    /// Once, within one call; brokers recognize repetitions by number. Wants [`Acks::All`] and
    /// at least one retry.
    Idempotent,
}

/// How batches are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// With gzip.
    Gzip,
    /// With Snappy.
    Snappy,
    /// With LZ4.
    Lz4,
    /// With Zstandard.
    Zstd,
}

/// How records are put together into batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Batching {
    /// As many as fit.
    Full,
    /// One in each, so that a broker judges each by itself.
    RecordByRecord,
}

impl Default for ProducerSettings {
    /// The defaults of Telegraf's `outputs.kafka`.
    fn default() -> ProducerSettings {
        ProducerSettings {
            acks: Acks::All,
            delivery: Delivery::AtLeastOnce,
            compression: Compression::None,
            max_message_bytes: 1_000_000,
            max_retries: 3,
        }
    }
}

impl ProducerSettings {
    /// How long one call waits for its records: as long as the first try and its repetitions may
    /// take, but no more than half a minute. The caller keeps what failed and tries again later,
    /// and stopping must not take minutes because a cluster is away.
    pub fn delivery_time(&self) -> Duration {
        ACK_TIME.saturating_mul(self.max_retries.saturating_add(1)).min(LONGEST_DELIVERY_TIME)
    }

    pub(super) fn client_config(
        &self,
        connection: &Connection,
        batching: Batching,
    ) -> ClientConfig {
        let mut config = connection.client_config();
        let mut set = |name: &str, value: String| {
            // Properties that the user sets himself win.
            if !connection.properties.iter().any(|(set, _)| set == name) {
                config.set(name, value);
            }
        };
        let acks = match self.acks {
            Acks::None => "0",
            Acks::Leader => "1",
            Acks::All => "all",
        };
        set("acks", acks.to_owned());
        set("enable.idempotence", (self.delivery == Delivery::Idempotent).to_string());
        let codec = match self.compression {
            Compression::None => "none",
            Compression::Gzip => "gzip",
            Compression::Snappy => "snappy",
            Compression::Lz4 => "lz4",
            Compression::Zstd => "zstd",
        };
        set("compression.codec", codec.to_owned());
        set("message.max.bytes", self.max_message_bytes.to_string());
        set("message.send.max.retries", self.max_retries.to_string());
        set("request.timeout.ms", ACK_TIME.as_millis().to_string());
        set("message.timeout.ms", self.delivery_time().as_millis().to_string());
        set("topic.metadata.propagation.max.ms", TOPIC_CREATION_TIME.as_millis().to_string());
        // The partitioner is the one of Sarama; records without a key are spread one by one.
        set("partitioner", "fnv1a_random".to_owned());
        set("sticky.partitioning.linger.ms", "0".to_owned());
        set("linger.ms", LINGER.as_millis().to_string());
        let queue_kibibytes = QUEUE_KIBIBYTES.max(self.max_message_bytes / 1024 * 2);
        set("queue.buffering.max.kbytes", queue_kibibytes.to_string());
        if batching == Batching::RecordByRecord {
            set("batch.num.messages", "1".to_owned());
        }
        config
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_grows_with_the_retries_up_to_half_a_minute() {
        for (max_retries, seconds) in [(0, 10), (1, 20), (2, 30), (3, 30), (u32::MAX, 30)] {
            let settings = ProducerSettings { max_retries, ..ProducerSettings::default() };
            assert_eq!(settings.delivery_time().as_secs(), seconds);
        }
    }

    #[test]
    fn properties_of_the_user_win() {
        let mut connection = Connection::plain(vec!["a:1".into()], "test");
        connection.properties.push(("linger.ms".into(), "100".into()));
        let config = ProducerSettings::default().client_config(&connection, Batching::Full);
        assert_eq!(config.get("linger.ms"), Some("100"));
        assert_eq!(config.get("partitioner"), Some("fnv1a_random"));
    }
}
