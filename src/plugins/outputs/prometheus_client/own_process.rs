//! What this program itself uses, as programs tell Prometheus by custom.
//!
//! # References
//! `ProcessCollector` of `client_golang` for names and descriptions; proc(5).

use std::borrow::Cow;
use std::sync::Arc;

use super::listing::{ListedSeries, Listing};
use crate::metric::{Timestamp, ValueType};
use crate::plugin::exposition::Measured;
use crate::system::{Host, Root};

/// Reads what the kernel knows about this program.
pub(super) struct OwnProcess {
    host: Arc<Host>,
}

/// A number that is told, under what name, and what about it.
type Told = (&'static str, ValueType, &'static str, f64);

impl OwnProcess {
    /// Reads below the roots of `host`.
    pub(super) fn new(host: Arc<Host>) -> OwnProcess {
        OwnProcess { host }
    }

    /// Puts all that can be read on the list.
    pub(super) fn list(&self, listing: &mut Listing<'_>) {
        let mut told = Vec::new();
        self.tell_use(&mut told);
        self.tell_files(&mut told);
        self.tell_network(&mut told);
        for (name, value_type, help, value) in told {
            let series = ListedSeries {
                labels: Cow::Borrowed(&[]),
                time: Timestamp::EPOCH,
                measured: Cow::Owned(Measured::Single(value)),
            };
            listing.add(name, value_type, help, [series]);
        }
    }

    fn text(&self, path: &str) -> Option<String> {
        let mut buffer = Vec::new();
        self.host.read(Root::Proc, path, &mut buffer).ok()?;
        String::from_utf8(buffer).ok()
    }

    fn tell_use(&self, told: &mut Vec<Told>) {
        let Some(stat) = self.text("self/stat") else { return };
        // The name is in brackets and may hold anything; the state, which follows it, is field 3.
        let Some((_, fields)) = stat.rsplit_once(')') else { return };
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let field = |number: usize| fields.get(number - 3)?.parse::<f64>().ok();
        let ticks_per_second = self.host.clock_ticks_per_second() as f64;
        if let (Some(user), Some(system)) = (field(14), field(15)) {
            told.push((
                "process_cpu_seconds_total",
                ValueType::Counter,
                "Total user and system CPU time spent in seconds.",
                (user + system) / ticks_per_second,
            ));
        }
        if let Some(bytes) = field(23) {
            told.push((
                "process_virtual_memory_bytes",
                ValueType::Gauge,
                "Virtual memory size in bytes.",
                bytes,
            ));
        }
        if let Some(pages) = field(24) {
            told.push((
                "process_resident_memory_bytes",
                ValueType::Gauge,
                "Resident memory size in bytes.",
                pages * self.host.page_size_bytes() as f64,
            ));
        }
        if let (Some(ticks), Some(boot_time)) = (field(22), self.boot_time()) {
            told.push((
                "process_start_time_seconds",
                ValueType::Gauge,
                "Start time of the process since unix epoch in seconds.",
                boot_time + ticks / ticks_per_second,
            ));
        }
    }

    fn boot_time(&self) -> Option<f64> {
        let stat = self.text("stat")?;
        stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
    }

    fn tell_files(&self, told: &mut Vec<Told>) {
        if let Ok(names) = self.host.names_in(Root::Proc, "self/fd") {
            told.push((
                "process_open_fds",
                ValueType::Gauge,
                "Number of open file descriptors.",
                names.len() as f64,
            ));
        }
        let Some(limits) = self.text("self/limits") else { return };
        let limit = |name: &str| {
            let line = limits.lines().find_map(|line| line.strip_prefix(name))?;
            match line.split_whitespace().next()? {
                "unlimited" => Some(u64::MAX as f64),
                number => number.parse().ok(),
            }
        };
        if let Some(most) = limit("Max open files") {
            told.push((
                "process_max_fds",
                ValueType::Gauge,
                "Maximum number of open file descriptors.",
                most,
            ));
        }
        if let Some(most) = limit("Max address space") {
            told.push((
                "process_virtual_memory_max_bytes",
                ValueType::Gauge,
                "Maximum amount of virtual memory available in bytes.",
                most,
            ));
        }
    }

    fn tell_network(&self, told: &mut Vec<Told>) {
        let Some(netstat) = self.text("self/net/netstat") else { return };
        // A line of names, and one of numbers.
        let mut lines = netstat.lines().filter_map(|line| line.strip_prefix("IpExt:"));
        let (Some(names), Some(numbers)) = (lines.next(), lines.next()) else { return };
        let number = |wanted| {
            let mut pairs = names.split_whitespace().zip(numbers.split_whitespace());
            let found = pairs.find(|(name, _)| *name == wanted);
            found.and_then(|(_, number)| number.parse().ok()).unwrap_or(0.0)
        };
        told.push((
            "process_network_receive_bytes_total",
            ValueType::Counter,
            "Number of bytes received by the process over the network.",
            number("InOctets"),
        ));
        told.push((
            "process_network_transmit_bytes_total",
            ValueType::Counter,
            "Number of bytes sent by the process over the network.",
            number("OutOctets"),
        ));
    }
}
