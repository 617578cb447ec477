//! The one place that knows the Kafka client crate.
//!
//! Everything here is synchronous: a caller's thread does the work, and librdkafka's own threads
//! do the talking. Nothing here knows metrics, plugins or configuration files.
//!
//! # References
//! librdkafka's `INTRODUCTION.md` and `CONFIGURATION.md`.

mod connection;
pub mod group;
mod lag;
mod log;

pub use connection::{Connection, Credentials, Sasl, Secret, Tls, Verification};
pub use lag::PartitionLag;
pub use log::{ClientError, ClientLog};
