//! How often each processor was interrupted, and by what.
//!
//! # References
//! Telegraf's `inputs.interrupts`.

mod table;

use compact_str::{CompactString, format_compact};
use serde::{Deserialize, Serialize};

use crate::metric::{Field, Metric, Tag, Timestamp};
use crate::plugin::{
    Accumulator, Build, BuildError, Context, Declaration, Input, PluginError, Quoted,
};
use crate::system::{HostFile, Root};
use table::Interrupt;

/// Declares `inputs.interrupts`.
pub static PLUGIN: Declaration<dyn Input> =
    Declaration::new::<Config>("interrupts", include_str!("sample.conf"));

/// The measurements with the files they are read from.
const TABLES: [(&str, &str); 2] = [("interrupts", "interrupts"), ("soft_interrupts", "softirqs")];

/// The settings of `inputs.interrupts`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    cpu_as_tag: bool,
}

impl Build<dyn Input> for Config {
    fn build(self, context: &Context<'_>) -> Result<Box<dyn Input>, BuildError> {
        let host = &context.system.host;
        let tables = TABLES.map(|(measurement, file)| Table {
            measurement,
            path: host.path(Root::Proc, file).display().to_string(),
            file: host.file(Root::Proc, file),
        });
        let shape = if self.cpu_as_tag { Shape::MetricPerCpu } else { Shape::FieldPerCpu };
        let reporter = Reporter { shape, names: Vec::new() };
        Ok(Box::new(Interrupts { tables, reporter, buffer: Vec::new(), counts: Vec::new() }))
    }
}

struct Interrupts {
    tables: [Table; 2],
    reporter: Reporter,
    buffer: Vec<u8>,
    counts: Vec<i64>,
}

struct Table {
    measurement: &'static str,
    path: String,
    file: HostFile,
}

impl Input for Interrupts {
    fn gather(&mut self, accumulator: &mut Accumulator<'_>) -> Result<(), PluginError> {
        let Interrupts { tables, reporter, buffer, counts } = self;
        for Table { measurement, path, file } in tables {
            if file.read(buffer).is_err() {
                accumulator.report(format!("could not open file: {path}"));
                continue;
            }
            let now = accumulator.now();
            let text = String::from_utf8_lossy(buffer);
            let report = |interrupt: &Interrupt<'_>| {
                reporter.report(measurement, interrupt, now, accumulator);
            };
            if let Err(error) = table::parse(&text, counts, report) {
                accumulator.report(format!("parsing {}: {error}", Quoted::new(path.as_str())));
            }
        }
        Ok(())
    }
}

/// How processors are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// By the names of fields.
    FieldPerCpu,
    /// By a tag.
    MetricPerCpu,
}

/// Makes metrics of interrupts.
struct Reporter {
    shape: Shape,
    /// Names for the columns, as many as were needed so far.
    names: Vec<CompactString>,
}

impl Reporter {
    fn report(
        &mut self,
        measurement: &'static str,
        interrupt: &Interrupt<'_>,
        now: Timestamp,
        accumulator: &mut Accumulator<'_>,
    ) {
        let Reporter { shape, names } = self;
        for column in names.len()..interrupt.counts.len() {
            names.push(match shape {
                Shape::FieldPerCpu => format_compact!("CPU{column}"),
                Shape::MetricPerCpu => format_compact!("cpu{column}"),
            });
        }
        let columns = names.iter().zip(interrupt.counts);
        match shape {
            Shape::FieldPerCpu => {
                let mut fields = Vec::with_capacity(interrupt.counts.len() + 1);
                fields.extend(columns.map(|(name, count)| field(name.clone(), *count)));
                fields.push(field(CompactString::const_new("total"), interrupt.total()));
                let tags = tags(interrupt, None);
                accumulator.add(Metric::from_lists(measurement, now, tags, fields));
            }
            Shape::MetricPerCpu => {
                for (name, count) in columns {
                    let fields = vec![field(CompactString::const_new("count"), *count)];
                    let tags = tags(interrupt, Some(name));
                    accumulator.add(Metric::from_lists(measurement, now, tags, fields));
                }
            }
        }
    }
}

fn field(key: CompactString, count: i64) -> Field {
    Field { key, value: count.into() }
}

/// The tags in order of their keys.
fn tags(interrupt: &Interrupt<'_>, cpu: Option<&CompactString>) -> Vec<Tag> {
    let tag = |key, value| Tag { key: CompactString::const_new(key), value };
    let mut tags = Vec::with_capacity(4);
    tags.extend(cpu.map(|cpu| tag("cpu", cpu.clone())));
    tags.push(tag("device", interrupt.device.clone()));
    tags.push(tag("irq", interrupt.id.into()));
    tags.push(tag("type", interrupt.kind.clone()));
    tags
}
