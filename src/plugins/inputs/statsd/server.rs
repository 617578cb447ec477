//! What is done with each line that comes in.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use compact_str::CompactString;

use super::cache::{Cache, Series};
use super::config::Config;
use super::datadog::{self, Tags};
use super::line::{self, Kind, LineError, RateError};
use crate::plugin::{
    Accumulator, Counter, NameTemplates, PluginError, PluginLog, ServiceAccumulator, Statistics,
};
use crate::socket::Receiver;
use crate::system::Clock;

/// Takes lines from all connections and packets.
pub(super) struct Server {
    cache: Mutex<Cache>,
    naming: Arc<Naming>,
    datadog: Datadog,
    counters: Counters,
    accumulator: ServiceAccumulator,
    clock: Arc<dyn Clock>,
}

/// How names become measurements, tags and fields.
pub(super) struct Naming {
    pub(super) templates: NameTemplates,
    pub(super) sanitizing: Sanitizing,
    /// Whether dots become underscores, and dashes two of them.
    pub(super) convert: bool,
}

/// What is done to names before anything else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sanitizing {
    None,
    Upstream,
}

/// Which of Datadog's extensions are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Datadog {
    extensions: bool,
    distributions: bool,
    container_tag: bool,
    /// The tag of counters, if they are to say since when they count.
    temporality: Option<&'static str>,
}

impl Datadog {
    pub(super) fn from_config(config: &Config) -> Datadog {
        let temporality = if config.delete_counters { "delta" } else { "cumulative" };
        Datadog {
            extensions: config.datadog_extensions,
            distributions: config.datadog_extensions && config.datadog_distributions,
            container_tag: config.datadog_keep_container_tag,
            temporality: config.enable_aggregation_temporality.then_some(temporality),
        }
    }
}

/// What the input counts about itself.
pub(super) struct Counters {
    packets: Counter,
    bytes: Counter,
    connections: Counter,
    all_connections: Counter,
    parse_time_ns: Counter,
}

impl Counters {
    pub(super) fn new(statistics: &Statistics, config: &Config, is_udp: bool) -> Counters {
        let tags = [("address", config.service_address.as_str())];
        let counter = |field| statistics.counter("statsd", field, &tags);
        let tcp = (counter("tcp_packets_received"), counter("tcp_bytes_received"));
        let udp = (counter("udp_packets_received"), counter("udp_bytes_received"));
        counter("tcp_max_connections").set(u64::try_from(config.max_tcp_connections).unwrap_or(0));
        let pending = u64::try_from(config.allowed_pending_messages).unwrap_or(0);
        counter("max_pending_messages").set(pending);
        // Nothing waits here, so that nothing is dropped.
        counter("pending_messages").set(0);
        counter("udp_packets_dropped").set(0);
        let (packets, bytes) = if is_udp { udp } else { tcp };
        Counters {
            packets,
            bytes,
            connections: counter("tcp_current_connections"),
            all_connections: counter("tcp_total_connections"),
            parse_time_ns: counter("parse_time_ns"),
        }
    }
}

impl Server {
    pub(super) fn new(
        cache: Cache,
        naming: Arc<Naming>,
        datadog: Datadog,
        counters: Counters,
        accumulator: ServiceAccumulator,
        clock: Arc<dyn Clock>,
    ) -> Server {
        Server { cache: Mutex::new(cache), naming, datadog, counters, accumulator, clock }
    }

    pub(super) fn log(&self) -> &PluginLog {
        self.accumulator.log()
    }

    pub(super) fn gather(&self, accumulator: &mut Accumulator<'_>) {
        self.cache().gather(accumulator);
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_line(&self, cache: &mut Cache, line: &str, source: &str) {
        let read = match line {
            _ if !self.datadog.extensions => None,
            line if line.starts_with("_e") => {
                Some(datadog::event(line, self.accumulator.now(), source))
            }
            line if line.starts_with("_sc|") => {
                Some(datadog::service_check(line, self.accumulator.now(), source))
            }
            _ => None,
        };
        match read {
            Some(Ok(metric)) => self.accumulator.add_all(&mut vec![metric]),
            Some(Err(error)) => {
                self.log().error(format_args!("Parsing line failed: {error}"));
                self.log().debug(format_args!("  line was: {line}"));
            }
            None => {
                if let Err(error) = self.take_values(cache, line) {
                    self.log().error(error);
                }
            }
        }
    }

    fn take_values(&self, cache: &mut Cache, line: &str) -> Result<(), LineError> {
        let mut line_tags = Tags::new();
        let line = match self.datadog.extensions {
            true => self.take_tags(line, &mut line_tags),
            false => Cow::Borrowed(line),
        };
        let (bucket, values) = line::split(&line)?;
        let (name, field, bucket_tags) = self.naming.read(bucket);
        for value in values.split(':') {
            let sample = line::sample(value, &line, |error| match error {
                RateError::Number(_) => self.log().error(error),
                RateError::Form(_) => self.log().debug(error),
            })?;
            if sample.kind == Kind::Distribution && !self.datadog.distributions {
                continue;
            }
            let mut tags = bucket_tags.clone();
            datadog::set(&mut tags, "metric_type", sample.kind.name());
            if let Some(temporality) = self.datadog.temporality
                && sample.kind == Kind::Counter
            {
                datadog::set(&mut tags, "temporality", temporality);
            }
            line_tags.iter().for_each(|(key, value)| datadog::set(&mut tags, key, value));
            tags.sort();
            cache.add(&Series { name: &name, field: &field, tags: &tags }, &sample);
        }
        Ok(())
    }

    /// Takes Datadog's tags out of a line.
    fn take_tags<'l>(&self, line: &'l str, tags: &mut Tags) -> Cow<'l, str> {
        if !line.split('|').any(|part| part.starts_with('#') || part.starts_with("c:")) {
            return Cow::Borrowed(line);
        }
        let mut rest: Vec<&str> = Vec::new();
        for part in line.split('|') {
            if let Some(list) = part.strip_prefix('#') {
                datadog::read_tags(tags, list);
            } else if let Some(container) = part.strip_prefix("c:") {
                if self.datadog.container_tag {
                    datadog::set(tags, "container", container);
                }
            } else {
                rest.push(part);
            }
        }
        Cow::Owned(rest.join("|"))
    }
}

impl Naming {
    /// Takes a bucket apart into measurement, field and tags: `name,tag=value,…`.
    fn read(&self, bucket: &str) -> (CompactString, CompactString, Tags) {
        let mut parts = bucket.split(',');
        let name = parts.next().unwrap_or_default();
        let name = match self.sanitizing {
            Sanitizing::None => Cow::Borrowed(name),
            Sanitizing::Upstream => line::sanitized(name),
        };
        // Only what stands before a blank is a name.
        let name = name.split_whitespace().next().map(|name| self.templates.apply(name));
        let mut made = name.unwrap_or_default();
        let known = made.tags.len();
        for (key, value) in parts.filter_map(|part| part.split_once('=')) {
            if !key.is_empty() && !made.tags[..known].iter().any(|(tag, _)| tag == key) {
                datadog::set(&mut made.tags, key, value);
            }
        }
        if self.convert && made.measurement.contains(['.', '-']) {
            made.measurement = made.measurement.replace('.', "_").replace('-', "__").into();
        }
        if made.field.is_empty() {
            made.field = super::DEFAULT_FIELD.into();
        }
        (made.measurement, made.field, made.tags)
    }
}

impl Receiver for Server {
    fn take(&self, message: &[u8], source: Option<IpAddr>) {
        if message.is_empty() {
            return;
        }
        let began = self.clock.elapsed();
        let text = String::from_utf8_lossy(message);
        let source = match self.datadog.extensions {
            true => source.map_or_else(String::new, |source| source.to_string()),
            false => String::new(),
        };
        let mut cache = self.cache();
        for line in text.split('\n').map(str::trim).filter(|line| !line.is_empty()) {
            self.take_line(&mut cache, line, &source);
        }
        drop(cache);
        let took = self.clock.elapsed().saturating_sub(began);
        self.counters.parse_time_ns.set(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
        self.counters.packets.add(1);
        self.counters.bytes.add(message.len() as u64);
    }

    fn report(&self, error: PluginError) {
        self.log().error(format_args!("Error reading: {error}"));
    }

    fn opened(&self) {
        self.counters.all_connections.add(1);
        self.counters.connections.add(1);
    }

    fn closed(&self) {
        // The number goes down by what brings it round.
        self.counters.connections.add(u64::MAX);
    }

    fn refused(&self, name: &str) {
        self.log().info(format_args!("Refused TCP Connection from {name}"));
        self.log()
            .warn("Maximum TCP Connections reached, you may want to adjust max_tcp_connections");
    }
}
