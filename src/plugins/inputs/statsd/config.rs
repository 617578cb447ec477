//! The settings of the input.

use serde::{Deserialize, Serialize};

use super::cache::{CacheSettings, NumberType, Temporality};
use super::running_stats::PERCENTILE_VALUES;
use crate::plugin::BuildError;
use crate::plugin::settings::Duration;
use crate::socket::{Address, Family, ListenSettings, Network, Packing, Splitter};

/// The settings of the input.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default)]
pub struct Config {
    /// `udp`, `udp4`, `udp6` or `tcp`.
    pub protocol: String,
    /// Where to listen.
    pub service_address: String,
    /// How many connections there may be.
    pub max_tcp_connections: i64,
    /// Whether connections are probed.
    pub tcp_keep_alive: bool,
    /// Time between probes.
    pub tcp_keep_alive_period: Option<Duration>,
    /// Kept for configurations that have it.
    pub allowed_pending_messages: i64,
    /// Kept for configurations that have it.
    pub number_workers_threads: i64,
    /// The percentiles of timings and histograms.
    pub percentiles: Vec<f64>,
    /// How many values percentiles are taken of.
    pub percentile_limit: i64,
    /// Whether gauges are forgotten once they are handed out.
    pub delete_gauges: bool,
    /// Whether counters are.
    pub delete_counters: bool,
    /// Whether sets are.
    pub delete_sets: bool,
    /// Whether timings and histograms are.
    pub delete_timings: bool,
    /// Whether dots and dashes in names are replaced.
    pub convert_names: bool,
    /// Whether counters are floating point numbers.
    pub float_counters: bool,
    /// Whether the numbers of timings are.
    pub float_timings: bool,
    /// Whether the sizes of sets are.
    pub float_sets: bool,
    /// Whether metrics say since when they count.
    pub enable_aggregation_temporality: bool,
    /// What joins the parts of names.
    pub metric_separator: String,
    /// Whether Datadog's tags, events and service checks are read.
    pub datadog_extensions: bool,
    /// Whether Datadog's distributions are.
    pub datadog_distributions: bool,
    /// Whether Datadog's container ids become tags.
    pub datadog_keep_container_tag: bool,
    /// The size of the kernel's buffer; zero for its default.
    pub read_buffer_size: i64,
    /// `upstream` to clean names as other statsd servers do.
    pub sanitize_name_method: String,
    /// What becomes of the parts of names.
    pub templates: Vec<String>,
    /// How long a series stays that gets no values; zero for ever.
    pub max_ttl: Duration,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            protocol: "udp".into(),
            service_address: ":8125".into(),
            max_tcp_connections: 250,
            tcp_keep_alive: false,
            tcp_keep_alive_period: None,
            allowed_pending_messages: 10_000,
            number_workers_threads: 5,
            percentiles: Vec::new(),
            percentile_limit: 0,
            delete_gauges: true,
            delete_counters: true,
            delete_sets: true,
            delete_timings: true,
            convert_names: false,
            float_counters: false,
            float_timings: false,
            float_sets: false,
            enable_aggregation_temporality: false,
            metric_separator: "_".into(),
            datadog_extensions: false,
            datadog_distributions: false,
            datadog_keep_container_tag: false,
            read_buffer_size: 0,
            sanitize_name_method: String::new(),
            templates: Vec::new(),
            max_ttl: Duration::ZERO,
        }
    }
}

/// When series are forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deletion {
    /// Once they are handed out.
    EachGather,
    /// Never, or when their time is up.
    Never,
}

impl Deletion {
    fn from_option(delete: bool) -> Deletion {
        if delete { Deletion::EachGather } else { Deletion::Never }
    }
}

impl Config {
    /// How to listen.
    pub(super) fn listen_settings(&self) -> Result<ListenSettings, BuildError> {
        /// What the system does unless it is told otherwise.
        const KEEP_ALIVE: std::time::Duration = std::time::Duration::from_secs(7200);
        let network = match self.protocol.as_str() {
            "udp" => Network::Udp(Family::Any),
            "udp4" => Network::Udp(Family::V4),
            "udp6" => Network::Udp(Family::V6),
            "tcp" => Network::Tcp(Family::Any),
            other => {
                return Err(BuildError::invalid(format!(
                    "unknown protocol {other:?}; use \"udp\", \"udp4\", \"udp6\" or \"tcp\""
                )));
            }
        };
        let place = self.service_address.clone();
        let period = self.tcp_keep_alive_period.map(Duration::to_std).unwrap_or(KEEP_ALIVE);
        Ok(ListenSettings {
            address: Address { network, place, interface: String::new() },
            splitter: Splitter::Newline,
            packing: Packing::None,
            max_decompression_bytes: 0,
            max_connections: Some(usize::try_from(self.max_tcp_connections).unwrap_or(0)),
            read_timeout: None,
            read_buffer_bytes: match network {
                Network::Udp(_) => {
                    usize::try_from(self.read_buffer_size).ok().filter(|bytes| *bytes > 0)
                }
                _ => None,
            },
            keep_alive: self.tcp_keep_alive.then_some(period),
            socket_mode: None,
            allowed_sources: Vec::new(),
            multicast_source: None,
            tls: None,
        })
    }

    /// How values are kept and handed out.
    pub(super) fn cache_settings(&self) -> CacheSettings {
        let number = |float| if float { NumberType::Float } else { NumberType::Integer };
        CacheSettings {
            percentiles: self.percentiles.clone(),
            percentile_limit: match usize::try_from(self.percentile_limit) {
                Ok(limit @ 1..) => limit,
                _ => PERCENTILE_VALUES,
            },
            gauges: Deletion::from_option(self.delete_gauges),
            counters: Deletion::from_option(self.delete_counters),
            sets: Deletion::from_option(self.delete_sets),
            timings: Deletion::from_option(self.delete_timings),
            counters_as: number(self.float_counters),
            timings_as: number(self.float_timings),
            sets_as: number(self.float_sets),
            max_ttl: Some(self.max_ttl.to_std()).filter(|ttl| !ttl.is_zero()),
            temporality: match self.enable_aggregation_temporality {
                true => Temporality::Told,
                false => Temporality::Untold,
            },
        }
    }
}
