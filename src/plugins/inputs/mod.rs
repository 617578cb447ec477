//! Plugins that bring metrics in.

pub mod conntrack;
pub mod cpu;
pub mod disk;
pub mod diskio;
pub mod exec;
pub mod execd;
pub mod file;
pub mod http;
pub mod http_listener_v2;
pub mod influxdb_listener;
pub mod internal;
pub mod interrupts;
pub mod jolokia2_agent;
pub mod kafka_cluster;
pub mod kafka_consumer;
pub mod kafka_consumer_lag;
pub mod kernel;
pub mod linux_sysctl_fs;
pub mod mem;
pub mod mock;
pub mod net;
pub mod netstat;
pub mod nstat;
pub mod processes;
pub mod procstat;
pub mod prometheus;
pub mod socket_listener;
pub mod statsd;
pub mod swap;
pub mod system;
pub mod systemd_units;
pub mod tail;
pub mod temp;

use crate::plugin::{Declaration, Input};

/// Every input, sorted by name.
pub static ALL: &[&Declaration<dyn Input>] = &[
    &conntrack::PLUGIN,
    &cpu::PLUGIN,
    &disk::PLUGIN,
    &diskio::PLUGIN,
    &exec::PLUGIN,
    &execd::PLUGIN,
    &file::PLUGIN,
    &http::PLUGIN,
    &http_listener_v2::PLUGIN,
    &influxdb_listener::PLUGIN,
    &internal::PLUGIN,
    &interrupts::PLUGIN,
    &jolokia2_agent::PLUGIN,
    &kafka_cluster::PLUGIN,
    &kafka_consumer::PLUGIN,
    &kafka_consumer_lag::PLUGIN,
    &kernel::PLUGIN,
    &linux_sysctl_fs::PLUGIN,
    &mem::PLUGIN,
    &mock::PLUGIN,
    &net::PLUGIN,
    &netstat::PLUGIN,
    &nstat::PLUGIN,
    &processes::PLUGIN,
    &procstat::PLUGIN,
    &prometheus::PLUGIN,
    &socket_listener::PLUGIN,
    &statsd::PLUGIN,
    &swap::PLUGIN,
    &system::PLUGIN,
    &systemd_units::PLUGIN,
    &tail::PLUGIN,
    &temp::PLUGIN,
];
