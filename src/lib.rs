//! Machine metrics from hosts through Kafka into files.
//!
//! Two programs share this library. **metric-agent** gathers metrics as Telegraf does and writes
//! them to outputs such as Kafka. **metric-sink** reads a topic with several members of one
//! consumer group and appends what they read to files.
//!
//! The modules in reading order: a [`metric`] is a plain value; [`system`] is the machine it comes
//! from; [`plugin`] is the contract between the plugins in [`plugins`] and the engine in
//! [`agent`]; [`config`] turns a `telegraf.conf` into what the engine runs. [`http`] alone knows HTTP
//! and TLS, [`kafka`] alone the Kafka client, [`process`] keeps programs running beside the
//! agent, and [`socket`] listens; [`spool`] keeps unsent records on the disk, and [`letters`] what can
//! never be sent; [`sink`] is the consumer program, [`status`] is how running programs are asked; [`cli`] holds
//! both command lines.

pub mod agent;
pub mod cli;
pub mod config;
pub mod crypto;
pub mod http;
pub mod kafka;
pub mod letters;
pub mod metric;
pub mod plugin;
pub mod plugins;
pub mod process;
pub mod sink;
pub mod socket;
pub mod spool;
pub mod status;
pub mod system;
