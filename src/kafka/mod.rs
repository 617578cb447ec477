//! The one place that knows the Kafka client crate, and Kafka's protocol where that does not do.
//!
//! Everything here is synchronous: a caller's thread does the work, and librdkafka's own threads
//! do the talking. Nothing here knows metrics, plugins or configuration files.
//!
//! # References
//! librdkafka's `INTRODUCTION.md` and `CONFIGURATION.md`.

mod admin;
mod connection;
pub mod dead_letters;
mod embedded;
mod follower;
pub mod group;
mod lag;
mod log;
mod partition;
mod producer;
mod reader;
#[cfg(test)]
pub(crate) mod reading;
mod record;
mod statistics;
mod token;
pub mod wire;

pub use admin::{Admin, AdminError, Creation, Topic};
pub use connection::{
    Connection, Credentials, OlderTls, PropertyError, Sasl, Tls, TlsFileError, Verification,
};
pub use embedded::{EmbeddedCluster, EmbeddedError};
pub use follower::{Followed, TopicFollower};
pub use lag::PartitionLag;
pub use log::{ClientError, ClientLog, Outlook};
pub use partition::sarama_partition;
pub use producer::{
    Acks, Compression, ConnectError, Delivery, Producer, ProducerSettings, ProducerStatistics,
};
pub use reader::{ReadError, TopicReader};
pub use record::{ProduceError, Record};
pub use statistics::ClientStatistics;
pub use token::{Token, TokenSource};
