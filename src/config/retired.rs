//! Plugins that Telegraf once had: what to use in their place.
//!
//! # References
//! Telegraf's `plugins/inputs/deprecations.go` and `plugins/outputs/deprecations.go`.

use super::sections::Role;

/// A plugin that is no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retired {
    /// Its kind as sections name it, such as `inputs`.
    pub kind: &'static str,
    /// Its name.
    pub name: &'static str,
    /// The version that has deprecated it.
    pub since: &'static str,
    /// What to do instead.
    pub notice: &'static str,
}

/// All of them, by kind and name.
pub const RETIRED: &[Retired] = &[
    input("KNXListener", "1.20.1", "has been renamed to 'knx_listener'"),
    input(
        "aerospike",
        "1.30.0",
        "use 'inputs.prometheus' with the Aerospike Prometheus Exporter instead",
    ),
    input("cassandra", "1.7.0", "use 'inputs.jolokia2' instead"),
    input("cisco_telemetry_gnmi", "1.15.0", "has been renamed to 'gnmi'"),
    input("http_listener", "1.9.0", "has been renamed to 'influxdb_listener'"),
    input("httpjson", "1.6.0", "use 'inputs.http' instead"),
    input("io", "0.10.0", "use 'inputs.diskio' instead"),
    input("jolokia", "1.5.0", "use 'inputs.jolokia2' instead"),
    input("kafka_consumer_legacy", "1.4.0", "use 'inputs.kafka_consumer' instead"),
    input("logparser", "1.15.0", "use 'inputs.tail' with 'grok' data format instead"),
    input("sflow", "1.31.0", "use 'inputs.netflow' instead"),
    input("snmp_legacy", "1.0.0", "use 'inputs.snmp' instead"),
    input("tcp_listener", "1.3.0", "use 'inputs.socket_listener' instead"),
    input("udp_listener", "1.3.0", "use 'inputs.socket_listener' instead"),
    output("amon", "1.37.0", "the service is no more"),
    output("riemann_legacy", "1.3.0", "use 'outputs.riemann' instead"),
];

const fn input(name: &'static str, since: &'static str, notice: &'static str) -> Retired {
    Retired { kind: "inputs", name, since, notice }
}

const fn output(name: &'static str, since: &'static str, notice: &'static str) -> Retired {
    Retired { kind: "outputs", name, since, notice }
}

impl Retired {
    /// Tells in the log that a configuration asks for the plugin.
    pub(super) fn log_use(&self) {
        let Retired { kind, name, since, notice } = self;
        log::error!(
            target: "",
            "DeprecationError: Plugin \"{kind}.{name}\" deprecated since version {since} and \
             removed: {notice}"
        );
    }
}

/// The retired plugin of a section, if it names one.
pub(super) fn find(role: Role, name: &str) -> Option<&'static Retired> {
    RETIRED.iter().find(|retired| retired.kind == role.plural() && retired.name == name)
}
