//! What tests are made with: Kafka clusters, topics, and the programs running.

mod cluster;
mod group;
mod machine;
mod program;
mod topic;
mod wait;

pub(crate) use cluster::Cluster;
pub(crate) use machine::{Fails, Machine};
pub(crate) use program::{Ended, Program, Running};
pub(crate) use topic::{Record, Topic};
pub(crate) use wait::wait_for;
