//! How busy the processors are: the share of time in each state since the last round.
//!
//! # References
//! Telegraf's `inputs.cpu`; proc(5) for the meaning of the states.

mod cores;
mod portable;
mod stat;

use std::collections::HashMap;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use crate::metric::{Field, Metric, Tag, Timestamp, ValueType};
use crate::plugin::{Accumulator, Build, BuildError, Context, Declaration, Input, PluginError};
use crate::system::{HostFile, Root, System};
use cores::Core;
use stat::{CpuTimes, FIELDS};

/// Declares `inputs.cpu`.
pub static PLUGIN: Declaration<dyn Input> =
    Declaration::new::<Config>("cpu", include_str!("sample.conf"));

/// The name under which all processors together are reported.
const TOTAL: &str = "cpu-total";

/// The settings of `inputs.cpu`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    percpu: bool,
    totalcpu: bool,
    collect_cpu_time: bool,
    report_active: bool,
    core_tags: bool,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            percpu: true,
            totalcpu: true,
            collect_cpu_time: false,
            report_active: false,
            core_tags: false,
        }
    }
}

impl Build<dyn Input> for Config {
    fn build(self, context: &Context<'_>) -> Result<Box<dyn Input>, BuildError> {
        if !cfg!(target_os = "linux") {
            return portable::build(self, &context.log);
        }
        let system = context.system.clone();
        let mut cores = HashMap::new();
        if self.core_tags {
            let mut cpuinfo = Vec::new();
            match system.host.read(Root::Proc, "cpuinfo", &mut cpuinfo) {
                Ok(()) => cores = cores::parse(&cpuinfo),
                Err(error) => {
                    context.log.warn(format_args!("Failed to gather info about CPUs: {error}"))
                }
            }
        }
        let file = system.host.file_in_one_piece(Root::Proc, "stat");
        Ok(Box::new(Cpu {
            config: self,
            system,
            file,
            cores,
            buffer: Vec::new(),
            last: Vec::new(),
        }))
    }
}

struct Cpu {
    config: Config,
    system: System,
    file: HostFile,
    cores: HashMap<CompactString, Core>,
    buffer: Vec<u8>,
    /// What the last round read; empty before the first.
    last: Vec<CpuTimes>,
}

impl Input for Cpu {
    fn gather(&mut self, accumulator: &mut Accumulator<'_>) -> Result<(), PluginError> {
        let times = self.read().map_err(|error| format!("error getting CPU info: {error}"))?;
        let now = accumulator.now();
        let result = times.iter().try_for_each(|times| {
            if self.config.collect_cpu_time {
                accumulator.add(self.time_metric(times, now));
            }
            if let Some(metric) = self.usage_metric(times, now)? {
                accumulator.add(metric);
            }
            Ok(())
        });
        self.last = times;
        result
    }

    fn is_brief(&self) -> bool {
        true
    }

    fn is_differential(&self) -> bool {
        true
    }
}

impl Cpu {
    /// Reads the times of the processors that are to be reported: each one first, then all.
    fn read(&mut self) -> Result<Vec<CpuTimes>, PluginError> {
        self.file.read(&mut self.buffer)?;
        let ticks_per_second = self.system.host.clock_ticks_per_second() as f64;
        let (total, mut each): (Vec<_>, Vec<_>) = stat::parse(&self.buffer, ticks_per_second)
            .into_iter()
            .partition(|times| times.cpu == TOTAL);
        if !self.config.percpu {
            each.clear();
        }
        if self.config.totalcpu {
            each.extend(total);
        }
        Ok(each)
    }

    fn time_metric(&self, times: &CpuTimes, now: Timestamp) -> Metric {
        let mut fields = Vec::with_capacity(FIELDS.len() + 1);
        for ((_, name), seconds) in FIELDS.iter().zip(times.seconds()) {
            fields.push(field(name, *seconds));
        }
        if self.config.report_active {
            fields.push(field("time_active", times.active()));
        }
        self.metric(times, fields, now).with_type(ValueType::Counter)
    }

    /// The shares since the last round, in percent; none if there was no last round for this
    /// processor, or no time has passed.
    fn usage_metric(
        &self,
        times: &CpuTimes,
        now: Timestamp,
    ) -> Result<Option<Metric>, PluginError> {
        let Some(last) = self.last.iter().find(|last| last.cpu == times.cpu) else {
            return Ok(None);
        };
        let total = times.total() - last.total();
        if total < 0.0 {
            // Counters went back, as they do when a virtual machine moves to another host.
            return Err("current total CPU time is less than previous total CPU time".into());
        }
        if total == 0.0 {
            return Ok(None);
        }
        let [user, nice, system, idle, iowait, irq, softirq, steal, guest, guest_nice]: [f64; 10] =
            std::array::from_fn(|state| times.seconds()[state] - last.seconds()[state]);
        // The kernel counts the time of guests twice: as their own and as user or nice.
        let own = [user - guest, nice - guest_nice];
        let [user, nice] = own;
        let spent = [user, nice, system, idle, iowait, irq, softirq, steal, guest, guest_nice];
        let mut fields = Vec::with_capacity(FIELDS.len() + 1);
        for ((name, _), seconds) in FIELDS.iter().zip(spent) {
            fields.push(field(name, 100.0 * seconds / total));
        }
        if self.config.report_active {
            fields.push(field("usage_active", 100.0 * (times.active() - last.active()) / total));
        }
        Ok(Some(self.metric(times, fields, now).with_type(ValueType::Gauge)))
    }

    fn metric(&self, times: &CpuTimes, fields: Vec<Field>, now: Timestamp) -> Metric {
        let tag = Tag { key: CompactString::const_new("cpu"), value: times.cpu.clone() };
        let mut metric = Metric::from_lists("cpu", now, vec![tag], fields);
        if self.config.core_tags {
            let core = self.cores.get(&times.cpu).cloned().unwrap_or_default();
            for (key, id) in [("core_id", core.core_id), ("physical_id", core.physical_id)] {
                if !id.is_empty() {
                    metric.set_tag(key, id);
                }
            }
        }
        metric
    }
}

fn field(name: &'static str, value: f64) -> Field {
    Field { key: CompactString::const_new(name), value: value.into() }
}
