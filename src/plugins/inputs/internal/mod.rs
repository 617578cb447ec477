//! What the agent itself has done.
//!
//! # References
//! Telegraf's `inputs.internal` and the names in its `models` folder.

mod memory;

use std::sync::Arc;

use compact_str::{CompactString, format_compact};
use serde::{Deserialize, Serialize};

use crate::metric::{Field, Metric, Timestamp, Value};
use crate::plugin::{
    Accumulator, Build, BuildError, Context, Declaration, Input, PluginError, Statistic, Statistics,
};
use crate::system::HostFile;
use memory::Memory;

/// Declares `inputs.internal`.
pub static PLUGIN: Declaration<dyn Input> =
    Declaration::new::<Config>("internal", include_str!("sample.conf"));

/// Telegraf's dashboards group by the version of Go, so that the tag must be there.
const GO_VERSION: &str = "none";

/// The fields of `internal_agent`: sums of a field over all plugins of a kind.
const TOTALS: [(&str, &str, &str); 7] = [
    ("metrics_written", "write", "metrics_written"),
    ("metrics_rejected", "write", "metrics_rejected"),
    ("metrics_dropped", "write", "metrics_dropped"),
    ("write_errors", "write", "write_errors"),
    ("metrics_gathered", "gather", "metrics_gathered"),
    ("gather_errors", "gather", "gather_errors"),
    ("gather_timeouts", "gather", "gather_timeouts"),
];

/// The settings of `inputs.internal`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    collect_memstats: bool,
    collect_gostats: bool,
    per_instance: bool,
}

impl Default for Config {
    fn default() -> Config {
        Config { collect_memstats: true, collect_gostats: false, per_instance: false }
    }
}

impl Build<dyn Input> for Config {
    fn build(self, context: &Context<'_>) -> Result<Box<dyn Input>, BuildError> {
        if self.collect_gostats {
            context.log.warn("Option \"collect_gostats\" has no effect: there is no Go runtime");
        }
        context.statistics.watch_formats();
        Ok(Box::new(Internal {
            statistics: context.statistics.clone(),
            grouping: if self.per_instance { Grouping::ByInstance } else { Grouping::ByName },
            // The process itself is meant, wherever the host's /proc may be.
            status: self.collect_memstats.then(|| HostFile::new("/proc/self/status".into())),
            buffer: Vec::new(),
        }))
    }
}

/// Which numbers make one metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Grouping {
    /// Those of plugins that have the same name and alias, added up.
    ByName,
    /// Those of one plugin.
    ByInstance,
}

struct Internal {
    statistics: Statistics,
    grouping: Grouping,
    /// Where the memory is told, if it is wanted.
    status: Option<HostFile>,
    buffer: Vec<u8>,
}

impl Input for Internal {
    fn gather(&mut self, accumulator: &mut Accumulator<'_>) -> Result<(), PluginError> {
        let now = accumulator.now();
        self.statistics.refresh();
        let all = self.statistics.all();
        let groups = grouped(&all, self.grouping);
        accumulator.add(agent_metric(&groups, now));
        groups.iter().for_each(|group| accumulator.add(group.metric(now)));
        if let Some(status) = &mut self.status {
            status.read(&mut self.buffer)?;
            if let Some(memory) = Memory::parse(&String::from_utf8_lossy(&self.buffer)) {
                accumulator.add(memory_metric(memory, now));
            }
        }
        Ok(())
    }

    fn is_brief(&self) -> bool {
        true
    }
}

/// The numbers that make one metric.
struct Group<'a> {
    measurement: &'static str,
    tags: &'a [(&'static str, String)],
    /// The plugin's own name; empty if its numbers are added to those of others.
    instance: Arc<str>,
    fields: Vec<(&'static str, u64)>,
}

fn grouped(all: &[Statistic], grouping: Grouping) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for Statistic { measurement, field, tags, instance, number } in all {
        let number = number.take();
        let instance = match grouping {
            Grouping::ByName => Arc::default(),
            Grouping::ByInstance => instance.clone(),
        };
        let found = groups.iter_mut().find(|group| {
            group.measurement == *measurement && group.tags == tags && group.instance == instance
        });
        match found {
            Some(group) => group.add(field, number),
            None => {
                groups.push(Group { measurement, tags, instance, fields: vec![(field, number)] })
            }
        }
    }
    groups
}

impl Group<'_> {
    fn add(&mut self, field: &'static str, number: u64) {
        match self.fields.iter_mut().find(|(name, _)| *name == field) {
            Some((_, sum)) => *sum = sum.saturating_add(number),
            None => self.fields.push((field, number)),
        }
    }

    fn metric(&self, now: Timestamp) -> Metric {
        let fields = self.fields.iter().map(|(name, number)| field(name, *number)).collect();
        let name = format_compact!("internal_{}", self.measurement);
        let mut metric = Metric::from_lists(name, now, Vec::new(), fields)
            .with_tag("version", env!("CARGO_PKG_VERSION"));
        for (key, value) in self.tags {
            metric.set_tag(*key, value);
        }
        if !self.instance.is_empty() {
            metric.set_tag("_id", &*self.instance);
        }
        metric
    }
}

/// The numbers of the agent as a whole.
fn agent_metric(groups: &[Group<'_>], now: Timestamp) -> Metric {
    let total = |measurement, name| {
        let of_kind = groups.iter().filter(|group| group.measurement == measurement);
        let fields = of_kind.flat_map(|group| &group.fields);
        fields.filter(|(field, _)| *field == name).map(|(_, number)| *number).sum()
    };
    let fields = TOTALS.map(|(name, measurement, summed)| field(name, total(measurement, summed)));
    Metric::from_lists("internal_agent", now, Vec::new(), fields.into())
        .with_tag("go_version", GO_VERSION)
        .with_tag("version", env!("CARGO_PKG_VERSION"))
}

fn memory_metric(memory: Memory, now: Timestamp) -> Metric {
    let Memory { resident, anonymous } = memory;
    Metric::new("internal_memstats", now)
        .with_field("alloc_bytes", anonymous)
        .with_field("heap_alloc_bytes", anonymous)
        .with_field("heap_in_use_bytes", anonymous)
        .with_field("heap_sys_bytes", anonymous)
        .with_field("sys_bytes", resident)
        .with_field("num_gc", 0_u64)
        .with_field("pointer_lookups", 0_u64)
}

fn field(name: &'static str, number: u64) -> Field {
    let number = i64::try_from(number).unwrap_or(i64::MAX);
    Field { key: CompactString::const_new(name), value: Value::Integer(number) }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn statistics() -> Statistics {
        let statistics = Statistics::default();
        for (instance, gathered) in [("a", 3), ("b", 4)] {
            let plugin = statistics.of_instance(instance).of_plugin("inputs.cpu");
            plugin.counter("metrics_gathered").add(gathered);
            plugin.average_time("gather_time_ns").add(Duration::from_nanos(10));
        }
        let output = statistics.of_instance("c").of_plugin("outputs.kafka::far");
        output.counter("metrics_written").add(5);
        statistics.counter("mqtt_consumer", "payload_size", &[]).set(u64::MAX);
        statistics
    }

    fn shown(metric: &Metric) -> String {
        let tags = metric.tags().iter().filter(|tag| tag.key != "version");
        let tags: Vec<_> = tags.map(|tag| format!("{}={}", tag.key, tag.value)).collect();
        let fields: Vec<_> = metric
            .fields()
            .iter()
            .map(|field| format!("{}={:?}", field.key, field.value))
            .collect();
        format!("{} [{}] {}", metric.name, tags.join(","), fields.join(",")).replace("Integer", "")
    }

    #[test]
    fn plugins_of_one_name_are_added_up_or_kept_apart() {
        let all = statistics().all();
        let shown: Vec<_> = grouped(&all, Grouping::ByName)
            .iter()
            .map(|group| shown(&group.metric(Timestamp::EPOCH)))
            .collect();
        assert_eq!(
            shown,
            [
                "internal_gather [input=cpu] metrics_gathered=(7),gather_time_ns=(20)",
                "internal_write [alias=far,output=kafka] metrics_written=(5)",
                "internal_mqtt_consumer [] payload_size=(9223372036854775807)",
            ]
        );
        let all = statistics().all();
        let apart = grouped(&all, Grouping::ByInstance);
        let ids: Vec<_> = apart.iter().map(|group| &*group.instance).collect();
        assert_eq!(ids, ["a", "b", "c", ""]);
        assert_eq!(apart[1].metric(Timestamp::EPOCH).tag("_id"), Some("b"));
    }

    #[test]
    fn the_agents_numbers_are_sums_over_its_plugins() {
        let all = statistics().all();
        let metric = agent_metric(&grouped(&all, Grouping::ByInstance), Timestamp::EPOCH);
        assert_eq!(
            shown(&metric),
            "internal_agent [go_version=none] metrics_written=(5),metrics_rejected=(0),\
             metrics_dropped=(0),write_errors=(0),metrics_gathered=(7),gather_errors=(0),\
             gather_timeouts=(0)"
        );
    }
}
