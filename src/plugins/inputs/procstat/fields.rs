//! What is reported of one process.

use std::time::Duration;

use crate::metric::{Metric, Timestamp, Value};

use super::config::Report;
use super::process::{Reader, Stat, Status};
use super::users::Users;

/// A process that was seen before.
#[derive(Debug)]
pub(super) struct Known {
    pub pid: i32,
    /// Tags that it got when it was first seen.
    pub tags: Vec<(&'static str, String)>,
    /// When it started; another process may get its number later.
    start_ticks: u64,
    /// When that was, in nanoseconds since 1970; read once, because the boot of a container is
    /// known to the second only.
    created_at_ns: i64,
    /// Time on CPUs and the elapsed time when it was read.
    last_cpu: Option<(u64, Duration)>,
}

/// What is the same for all processes of a round.
#[derive(Debug, Clone, Copy)]
pub(super) struct Machine {
    pub ticks_per_second: u64,
    pub page_bytes: u64,
    pub memory_bytes: Option<u64>,
    pub boot_time_seconds: Option<u64>,
    pub n_cpus: usize,
}

impl Known {
    /// A process that is seen for the first time; none if it has no name, and so has ended.
    pub(super) fn new(
        pid: i32,
        mut tags: Vec<(&'static str, String)>,
        report: &Report,
        machine: &Machine,
        reader: &mut Reader<'_>,
    ) -> Option<Known> {
        let name = reader.name(pid).filter(|name| !name.is_empty())?;
        tags.push(("process_name", report.process_name.clone().unwrap_or(name)));
        let start_ticks = reader.stat(pid).map_or(0, |stat| stat.start_ticks);
        let created_at_ns = machine.created_at_ns(start_ticks);
        Some(Known { pid, tags, start_ticks, created_at_ns, last_cpu: None })
    }

    /// Whether it is still the process that was seen first.
    pub(super) fn is_same(&self, reader: &mut Reader<'_>) -> bool {
        reader.stat(self.pid).is_none_or(|stat| stat.start_ticks == self.start_ticks)
    }

    /// The metric of the process as it stands.
    pub(super) fn metric(
        &mut self,
        report: &Report,
        machine: &Machine,
        reader: &mut Reader<'_>,
        users: &mut Users,
        time: Timestamp,
        elapsed: Duration,
    ) -> Metric {
        let pid = self.pid;
        let mut metric = Metric::new("procstat", time);
        for (key, value) in &self.tags {
            metric.set_tag(*key, value.as_str());
        }
        let mut fields = Fields { prefix: &report.prefix, metric };
        let stat = reader.stat(pid);
        let status = reader.status(pid);
        let n_files = reader.n_files(pid);
        if let Some(status) = &status {
            fields.add("num_threads", status.n_threads);
        }
        if let Some(n_files) = n_files {
            fields.add("num_fds", i64::try_from(n_files).unwrap_or(i64::MAX));
        }
        if let Some(status) = &status {
            fields.add("voluntary_context_switches", status.voluntary_switches);
            fields.add("involuntary_context_switches", status.involuntary_switches);
        }
        if let Some(stat) = &stat {
            fields.add("minor_faults", stat.minor_faults);
            fields.add("major_faults", stat.major_faults);
            fields.add("child_minor_faults", stat.child_minor_faults);
            fields.add("child_major_faults", stat.child_major_faults);
        }
        if let Some(io) = reader.io(pid) {
            fields.add("read_count", io.reads);
            fields.add("write_count", io.writes);
            fields.add("read_bytes", io.read_bytes);
            fields.add("write_bytes", io.written_bytes);
            fields.add("disk_read_bytes", io.disk_read_bytes);
            fields.add("disk_write_bytes", io.disk_written_bytes);
        }
        if stat.is_some() {
            fields.add("created_at", self.created_at_ns);
        }
        if let Some(stat) = stat.as_ref().filter(|_| report.has_cpu) {
            self.add_cpu(&mut fields, stat, report, machine, elapsed);
        }
        if report.has_memory {
            add_memory(&mut fields, pid, machine, reader);
        }
        if report.has_mmap
            && let Some(maps) = reader.maps(pid)
        {
            maps.into_iter().for_each(|(name, kibibytes)| fields.add(name, kibibytes));
        }
        if report.has_limits
            && let (Some(stat), Some(status), Some(n_files)) = (&stat, &status, n_files)
        {
            add_limits(&mut fields, pid, machine, reader, &Used { stat, status, n_files });
        }
        add_identity(fields, pid, report, reader, stat.as_ref(), status.as_ref(), users)
    }

    fn add_cpu(
        &mut self,
        fields: &mut Fields<'_>,
        stat: &Stat,
        report: &Report,
        machine: &Machine,
        elapsed: Duration,
    ) {
        fields.add("cpu_time_user", machine.seconds(stat.user_ticks));
        fields.add("cpu_time_system", machine.seconds(stat.system_ticks));
        fields.add("cpu_time_iowait", machine.seconds(stat.io_wait_ticks));
        let now = (stat.cpu_ticks(), elapsed);
        let Some((ticks, at)) = self.last_cpu.replace(now) else { return };
        let n_cpus = machine.n_cpus as f64;
        let delta = elapsed.saturating_sub(at).as_secs_f64() * n_cpus;
        let used = machine.seconds(stat.cpu_ticks().saturating_sub(ticks));
        let usage = if delta == 0.0 || used <= 0.0 { 0.0 } else { used / delta * 100.0 * n_cpus };
        let usage = if report.divides_by_cpus { usage / n_cpus } else { usage };
        fields.add("cpu_usage", usage);
    }
}

impl Machine {
    fn seconds(&self, ticks: u64) -> f64 {
        ticks as f64 / self.ticks_per_second as f64
    }

    /// When a process was started, to the millisecond.
    fn created_at_ns(&self, start_ticks: u64) -> i64 {
        let since_boot_ms = start_ticks.saturating_mul(1_000) / self.ticks_per_second;
        let boot_ms = self.boot_time_seconds.unwrap_or(0).saturating_mul(1_000);
        let created_ns = since_boot_ms.saturating_add(boot_ms).saturating_mul(1_000_000);
        i64::try_from(created_ns).unwrap_or(i64::MAX)
    }
}

/// The metric while its fields are added.
struct Fields<'a> {
    prefix: &'a str,
    metric: Metric,
}

impl Fields<'_> {
    fn add(&mut self, name: &str, value: impl Into<Value>) {
        if self.prefix.is_empty() {
            self.metric.set_field(name, value);
        } else {
            self.metric.set_field(format!("{}{name}", self.prefix), value);
        }
    }

    fn add_as(&mut self, name: &'static str, value: &str, is_tag: bool) {
        if is_tag {
            self.metric.set_tag(name, value);
        } else {
            self.add(name, value);
        }
    }
}

fn add_memory(fields: &mut Fields<'_>, pid: i32, machine: &Machine, reader: &mut Reader<'_>) {
    let Some((resident_pages, virtual_pages)) = reader.memory_pages(pid) else { return };
    let resident = resident_pages.saturating_mul(machine.page_bytes);
    fields.add("memory_rss", resident);
    fields.add("memory_vms", virtual_pages.saturating_mul(machine.page_bytes));
    if let Some(total) = machine.memory_bytes {
        // Telegraf computes it with single precision, and its digits are those.
        fields.add("memory_usage", f64::from(100.0 * resident as f32 / total as f32));
    }
}

/// What a process uses of that which is limited.
struct Used<'a> {
    stat: &'a Stat,
    status: &'a Status,
    n_files: u64,
}

impl Used<'_> {
    fn of(&self, name: &str, machine: &Machine) -> Option<u64> {
        Some(match name {
            "cpu_time" => {
                let user = machine.seconds(self.stat.user_ticks);
                (user + machine.seconds(self.stat.system_ticks)) as u64
            }
            "memory_data" => self.status.data_bytes,
            "memory_stack" => self.status.stack_bytes,
            "memory_rss" => self.status.rss_bytes,
            "num_fds" => self.n_files,
            "memory_locked" => self.status.locked_bytes,
            "memory_vms" => self.status.vms_bytes,
            "signals_pending" => self.status.pending_signals,
            // As the system call tells it: 40 for the highest, 1 for the lowest.
            "nice_priority" => u64::try_from(20 - self.stat.nice).unwrap_or(0),
            "realtime_priority" => u64::try_from(-self.stat.priority - 1).unwrap_or(0),
            _ => return None,
        })
    }
}

fn add_limits(
    fields: &mut Fields<'_>,
    pid: i32,
    machine: &Machine,
    reader: &mut Reader<'_>,
    used: &Used<'_>,
) {
    for limit in reader.limits(pid).unwrap_or_default() {
        fields.add(&format!("rlimit_{}_soft", limit.name), limit.soft);
        fields.add(&format!("rlimit_{}_hard", limit.name), limit.hard);
        if let Some(used) = used.of(limit.name, machine) {
            fields.add(limit.name, used);
        }
    }
}

fn add_identity(
    mut fields: Fields<'_>,
    pid: i32,
    report: &Report,
    reader: &mut Reader<'_>,
    stat: Option<&Stat>,
    status: Option<&Status>,
    users: &mut Users,
) -> Metric {
    let tags = report.tags;
    if let Some(line) = reader.command_line(pid) {
        fields.add_as("cmdline", &line, tags.cmdline);
    }
    if tags.pid {
        fields.metric.set_tag("pid", pid.to_string());
    } else {
        // This one has no prefix.
        fields.metric.set_field("pid", i64::from(pid));
    }
    if let Some(stat) = stat {
        if tags.ppid {
            fields.metric.set_tag("ppid", stat.parent.to_string());
        } else {
            fields.add("ppid", stat.parent);
        }
    }
    if let Some(status) = status {
        fields.add_as("status", status.state, tags.status);
        if let Some(uid) = status.uid {
            fields.add_as("user", users.name(uid), tags.user);
        }
    }
    fields.metric
}

#[cfg(test)]
mod tests {
    use super::*;

    const MACHINE: Machine = Machine {
        ticks_per_second: 100,
        page_bytes: 4096,
        memory_bytes: None,
        boot_time_seconds: Some(1_700_000_000),
        n_cpus: 4,
    };

    #[test]
    fn a_process_was_created_so_many_ticks_after_boot() {
        assert_eq!(MACHINE.created_at_ns(1_234), 1_700_000_012_340_000_000);
        assert_eq!(MACHINE.created_at_ns(u64::MAX), i64::MAX);
        let machine = Machine { boot_time_seconds: None, ..MACHINE };
        assert_eq!(machine.created_at_ns(1_234), 12_340_000_000);
    }

    #[test]
    fn usage_is_that_of_one_processor_or_of_all() {
        let usage = |divides_by_cpus| {
            let report = Report { divides_by_cpus, ..Report::default() };
            let metric = Metric::new("procstat", Timestamp::EPOCH);
            let mut fields = Fields { prefix: "", metric };
            let mut process = Known {
                pid: 1,
                tags: Vec::new(),
                start_ticks: 0,
                created_at_ns: 0,
                last_cpu: None,
            };
            for (user_ticks, seconds) in [(100, 10), (400, 12)] {
                let stat = Stat { user_ticks, ..Stat::default() };
                let elapsed = Duration::from_secs(seconds);
                process.add_cpu(&mut fields, &stat, &report, &MACHINE, elapsed);
                if seconds == 10 {
                    assert_eq!(fields.metric.field("cpu_usage"), None);
                }
            }
            fields.metric.field("cpu_usage").cloned()
        };
        // Three seconds on processors in two seconds.
        assert_eq!(usage(false), Some(Value::Float(150.0)));
        assert_eq!(usage(true), Some(Value::Float(37.5)));
    }
}
