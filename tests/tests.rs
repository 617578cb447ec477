//! The programs as their users meet them, against a real Apache Kafka; and the house rules.
//!
//! One crate for all, so that it is linked once. A module for each subject; [`support`] starts
//! clusters and programs.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![expect(clippy::print_stderr, reason = "a failed test shows what the programs have logged")]
#![expect(
    clippy::disallowed_methods,
    reason = "a test runs on the clock and files of this machine"
)]

mod agent;
mod agent_buffer;
mod agent_kafka;
mod agent_letters;
mod agent_status;
mod command_line;
mod compare;
mod config_check;
mod config_url;
mod docs;
mod event_time;
mod examples;
mod kafka_cluster;
mod kafka_inputs;
mod secrets;
mod sink;
mod support;
mod tidy;
