//! What is counted of the requests, for `inputs.internal`.

use crate::plugin::{Counter, Statistics};

/// The counters of one listener.
pub(super) struct Counters {
    pub(super) bytes_received: Counter,
    pub(super) requests_served: Counter,
    pub(super) writes_served: Counter,
    pub(super) queries_served: Counter,
    pub(super) pings_served: Counter,
    pub(super) requests_received: Counter,
    pub(super) not_founds_served: Counter,
    pub(super) auth_failures: Counter,
}

impl Counters {
    /// The counters of the listener at `address`.
    pub(super) fn new(statistics: &Statistics, address: &str) -> Counters {
        let counter =
            |field| statistics.counter("influxdb_listener", field, &[("address", address)]);
        // Nothing is kept for later; it is there because it is in Telegraf.
        counter("buffers_created");
        Counters {
            bytes_received: counter("bytes_received"),
            requests_served: counter("requests_served"),
            writes_served: counter("writes_served"),
            queries_served: counter("queries_served"),
            pings_served: counter("pings_served"),
            requests_received: counter("requests_received"),
            not_founds_served: counter("not_founds_served"),
            auth_failures: counter("auth_failures"),
        }
    }
}
