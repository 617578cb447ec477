//! How the memory is used.
//!
//! # References
//! Telegraf's `inputs.mem`, whose `used` is total less available since 1.36; proc(5).

mod meminfo;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use crate::metric::{Field, Metric, Timestamp, Value, ValueType};
use crate::plugin::{Accumulator, Build, BuildError, Context, Declaration, Input, PluginError};
use crate::system::{HostFile, PortableMemory, Root, System};
use meminfo::Meminfo;

/// Declares `inputs.mem`.
pub static PLUGIN: Declaration<dyn Input> =
    Declaration::new::<Config>("mem", include_str!("sample.conf"));

/// Fields with the lines of the file that they are taken from as they stand.
const PLAIN_FIELDS: [(&str, &str); 27] = [
    ("active", "Active"),
    ("buffered", "Buffers"),
    ("commit_limit", "CommitLimit"),
    ("committed_as", "Committed_AS"),
    ("dirty", "Dirty"),
    ("free", "MemFree"),
    ("high_free", "HighFree"),
    ("high_total", "HighTotal"),
    ("huge_page_size", "Hugepagesize"),
    ("huge_pages_free", "HugePages_Free"),
    ("huge_pages_total", "HugePages_Total"),
    ("inactive", "Inactive"),
    ("low_free", "LowFree"),
    ("low_total", "LowTotal"),
    ("mapped", "Mapped"),
    ("page_tables", "PageTables"),
    ("shared", "Shmem"),
    ("slab", "Slab"),
    ("sreclaimable", "SReclaimable"),
    ("sunreclaim", "SUnreclaim"),
    ("swap_cached", "SwapCached"),
    ("swap_free", "SwapFree"),
    ("swap_total", "SwapTotal"),
    ("vmalloc_chunk", "VmallocChunk"),
    ("vmalloc_total", "VmallocTotal"),
    ("vmalloc_used", "VmallocUsed"),
    ("write_back", "Writeback"),
];

/// What `collect_extended` adds.
const EXTENDED_FIELDS: [(&str, &str); 6] = [
    ("active_file", "Active(file)"),
    ("inactive_file", "Inactive(file)"),
    ("active_anon", "Active(anon)"),
    ("inactive_anon", "Inactive(anon)"),
    ("unevictable", "Unevictable"),
    ("percpu", "Percpu"),
];

/// The settings of `inputs.mem`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    collect_extended: bool,
}

impl Build<dyn Input> for Config {
    fn build(self, context: &Context<'_>) -> Result<Box<dyn Input>, BuildError> {
        let system = context.system.clone();
        Ok(Box::new(Mem::new(self, system)))
    }
}

struct Mem {
    config: Config,
    system: System,
    file: HostFile,
    buffer: Vec<u8>,
}

impl Input for Mem {
    fn gather(&mut self, accumulator: &mut Accumulator<'_>) -> Result<(), PluginError> {
        let now = accumulator.now();
        let metric = if cfg!(target_os = "linux") {
            self.read(now)
        } else {
            PortableMemory::read()
                .map(|memory| portable_metric(memory, now))
                .map_err(PluginError::from)
        };
        let metric =
            metric.map_err(|error| format!("error getting virtual memory info: {error}"))?;
        accumulator.add(metric);
        Ok(())
    }

    fn is_brief(&self) -> bool {
        true
    }
}

/// The fields that a system without `/proc` tells.
fn portable_metric(memory: PortableMemory, now: Timestamp) -> Metric {
    let PortableMemory { total, free, available, swap_total, swap_free } = memory;
    let mut fields = usage(total, available);
    fields.push(field("free", free));
    fields.push(field("swap_total", swap_total));
    fields.push(field("swap_free", swap_free));
    metric(fields, now)
}

/// The fields that every system tells, with room for all others.
fn usage(total: u64, available: u64) -> Vec<Field> {
    let used = total.saturating_sub(available);
    let percent = |part: u64| 100.0 * part as f64 / total as f64;
    let mut fields = Vec::with_capacity(40);
    fields.push(field("total", total));
    fields.push(field("available", available));
    fields.push(field("used", used));
    fields.push(field("used_percent", percent(used)));
    fields.push(field("available_percent", percent(available)));
    fields
}

fn field(name: &'static str, value: impl Into<Value>) -> Field {
    Field { key: CompactString::const_new(name), value: value.into() }
}

fn metric(fields: Vec<Field>, now: Timestamp) -> Metric {
    Metric::from_lists("mem", now, Vec::new(), fields).with_type(ValueType::Gauge)
}

impl Mem {
    fn new(config: Config, system: System) -> Mem {
        let file = system.host.file_in_one_piece(Root::Proc, "meminfo");
        Mem { config, system, file, buffer: Vec::new() }
    }

    fn read(&mut self, now: Timestamp) -> Result<Metric, PluginError> {
        self.file.read(&mut self.buffer)?;
        let text = String::from_utf8_lossy(&self.buffer);
        let meminfo = Meminfo::parse(&text)?;
        let available = meminfo.available(|| self.low_watermark_bytes());
        let mut fields = usage(meminfo.get("MemTotal"), available);
        fields.push(field("cached", meminfo.cached()));
        fields.push(field("write_back_tmp", meminfo.get("WritebackTmp")));
        fields.extend(PLAIN_FIELDS.map(|(name, line)| field(name, meminfo.get(line))));
        if self.config.collect_extended {
            fields.extend(EXTENDED_FIELDS.map(|(name, line)| field(name, meminfo.get(line))));
        }
        Ok(metric(fields, now))
    }

    fn low_watermark_bytes(&self) -> Option<u64> {
        let mut zoneinfo = Vec::new();
        self.system.host.read(Root::Proc, "zoneinfo", &mut zoneinfo).ok()?;
        let pages = meminfo::low_watermark_pages(&String::from_utf8_lossy(&zoneinfo));
        Some(pages.saturating_mul(self.system.host.page_size_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_portable_reading_agrees_with_proc() {
        let system = System::real();
        let mut mem = Mem::new(Config::default(), system);
        let kernel = mem.read(Timestamp::EPOCH).unwrap();
        let portable = portable_metric(PortableMemory::read().unwrap(), Timestamp::EPOCH);
        let field = |metric: &Metric, name: &str| match metric.field(name) {
            Some(Value::Unsigned(bytes)) => *bytes as f64,
            other => panic!("{name}: {other:?}"),
        };
        for name in ["total", "swap_total"] {
            assert_eq!(field(&kernel, name), field(&portable, name), "{name}");
        }
        // The two are read one after the other, while the machine goes on.
        let tenth = field(&kernel, "total") / 10.0;
        for name in ["available", "used", "free"] {
            let apart = (field(&kernel, name) - field(&portable, name)).abs();
            assert!(apart < tenth, "{name} lies {apart} bytes apart");
        }
    }

    #[test]
    fn a_metric_has_all_of_telegrafs_fields() {
        let system = System::real();
        let mut mem = Mem::new(Config::default(), system);
        assert_eq!(mem.read(Timestamp::EPOCH).unwrap().fields().len(), 34);
        mem.config.collect_extended = true;
        assert_eq!(mem.read(Timestamp::EPOCH).unwrap().fields().len(), 40);
    }
}
