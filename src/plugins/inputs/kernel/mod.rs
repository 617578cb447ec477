//! What the kernel counts, how it merges pages, and how long tasks have to wait.
//!
//! # References
//! Telegraf's `inputs.kernel`; proc(5), "/proc/stat"; the kernel's
//! `Documentation/admin-guide/mm/ksm.rst` and `Documentation/accounting/psi.rst`.

mod pressure;
mod stat;

use std::io;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use crate::metric::{Field, Metric, Tag, Value, ValueType};
use crate::plugin::{
    Accumulator, Build, BuildError, Context, Declaration, Input, PluginError, Quoted,
};
use crate::system::{Host, HostFile, Root};
use pressure::{Kind, Pressure};

/// Declares `inputs.kernel`.
pub static PLUGIN: Declaration<dyn Input> =
    Declaration::new::<Config>("kernel", include_str!("sample.conf"));

const ENTROPY: &str = "sys/kernel/random/entropy_avail";
const KSM: &str = "kernel/mm/ksm";

/// Files on the merging of pages with the fields for them.
const KSM_FIELDS: [(&str, &str); 14] = [
    ("full_scans", "ksm_full_scans"),
    ("max_page_sharing", "ksm_max_page_sharing"),
    ("merge_across_nodes", "ksm_merge_across_nodes"),
    ("pages_shared", "ksm_pages_shared"),
    ("pages_sharing", "ksm_pages_sharing"),
    ("pages_to_scan", "ksm_pages_to_scan"),
    ("pages_unshared", "ksm_pages_unshared"),
    ("pages_volatile", "ksm_pages_volatile"),
    ("run", "ksm_run"),
    ("sleep_millisecs", "ksm_sleep_millisecs"),
    ("stable_node_chains", "ksm_stable_node_chains"),
    ("stable_node_chains_prune_millisecs", "ksm_stable_node_chains_prune_millisecs"),
    ("stable_node_dups", "ksm_stable_node_dups"),
    ("use_zero_pages", "ksm_use_zero_pages"),
];

/// Those that only newer kernels have.
const NEW_KSM_FIELDS: [(&str, &str); 1] = [("general_profit", "ksm_general_profit")];

/// What tasks wait for.
const RESOURCES: [&str; 3] = ["cpu", "memory", "io"];

/// The settings of `inputs.kernel`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    collect: Vec<String>,
}

impl Build<dyn Input> for Config {
    fn build(self, context: &Context<'_>) -> Result<Box<dyn Input>, BuildError> {
        let host = &context.system.host;
        for name in self.collect.iter().filter(|name| !["ksm", "psi"].contains(&name.as_str())) {
            let name = Quoted::new(name);
            context.log.warn(format_args!("nothing is called {name}; 'collect' knows ksm and psi"));
        }
        let has = |name: &str| self.collect.iter().any(|wanted| wanted == name);
        let folder = host.path(Root::Sys, KSM);
        if has("ksm") && !folder.exists() {
            return Err(BuildError::invalid(format!(
                "directory {} does not exist. KSM is not enabled in this kernel",
                Quoted::new(folder.as_os_str().as_encoded_bytes())
            )));
        }
        let proc = &host.roots().proc;
        if has("psi") && !proc.is_dir() {
            let quoted = Quoted::new(proc.as_os_str().as_encoded_bytes());
            return Err(BuildError::invalid(format!(
                "failed to initialize procfs on {}: mount point {quoted} is not a directory",
                proc.display()
            )));
        }
        Ok(Box::new(Kernel {
            stat: host.file(Root::Proc, "stat"),
            entropy: host.file(Root::Proc, ENTROPY),
            ksm: if has("ksm") { ksm_files(host) } else { Vec::new() },
            pressure: if has("psi") { pressure_files(host) } else { Vec::new() },
            buffer: Vec::new(),
        }))
    }
}

fn ksm_files(host: &Host) -> Vec<KsmFile> {
    let file = |need| {
        move |(name, field): &(&str, &'static str)| KsmFile {
            file: host.file(Root::Sys, format!("{KSM}/{name}")),
            field,
            need,
        }
    };
    let old = KSM_FIELDS.iter().map(file(Need::Required));
    old.chain(NEW_KSM_FIELDS.iter().map(file(Need::Optional))).collect()
}

fn pressure_files(host: &Host) -> Vec<(&'static str, HostFile)> {
    let file = |resource| (resource, host.file(Root::Proc, format!("pressure/{resource}")));
    RESOURCES.map(file).into()
}

struct Kernel {
    stat: HostFile,
    entropy: HostFile,
    ksm: Vec<KsmFile>,
    pressure: Vec<(&'static str, HostFile)>,
    buffer: Vec<u8>,
}

/// A file on the merging of pages.
struct KsmFile {
    file: HostFile,
    field: &'static str,
    need: Need,
}

/// What becomes of a value that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    Required,
    Optional,
}

impl Input for Kernel {
    fn gather(&mut self, accumulator: &mut Accumulator<'_>) -> Result<(), PluginError> {
        read(&mut self.stat, &mut self.buffer)?;
        let mut fields = stat::parse(&self.buffer)?;
        fields.push(field("entropy_avail", read_number(&mut self.entropy, &mut self.buffer)?));
        for KsmFile { file, field: name, need } in &mut self.ksm {
            match read_number(file, &mut self.buffer) {
                Ok(number) => fields.push(field(name, number)),
                Err(_) if *need == Need::Optional => {}
                Err(error) => return Err(error),
            }
        }
        let metric = Metric::from_lists("kernel", accumulator.now(), Vec::new(), fields);
        accumulator.add(metric.with_type(ValueType::Counter));
        self.gather_pressure(accumulator)
    }
}

impl Kernel {
    fn gather_pressure(&mut self, accumulator: &mut Accumulator<'_>) -> Result<(), PluginError> {
        for (resource, file) in &mut self.pressure {
            let now = accumulator.now();
            let failed =
                |error: PluginError| format!("failed to read {resource} pressure: {error}");
            file.read(&mut self.buffer).map_err(|error| {
                let resource = Quoted::new(resource);
                failed(
                    format!("error reading file: psi_stats: unavailable for {resource}: {error}")
                        .into(),
                )
            })?;
            for (kind, pressure) in pressure::parse(&self.buffer).map_err(|e| failed(e.into()))? {
                // The kernel has nothing to tell of a processor that all tasks wait for.
                if *resource == "cpu" && kind == Kind::Full {
                    continue;
                }
                let tags = || vec![tag("resource", resource), tag("type", kind.name())];
                let metric = |fields| Metric::from_lists("pressure", now, tags(), fields);
                let Pressure { averages: [avg10, avg60, avg300], total_us } = pressure;
                let total = vec![field("total", total_us)];
                accumulator.add(metric(total).with_type(ValueType::Counter));
                let averages =
                    vec![field("avg10", avg10), field("avg60", avg60), field("avg300", avg300)];
                accumulator.add(metric(averages).with_type(ValueType::Gauge));
            }
        }
        Ok(())
    }
}

fn read(file: &mut HostFile, buffer: &mut Vec<u8>) -> Result<(), PluginError> {
    file.read(buffer).map_err(|error| {
        let path = Quoted::new(file.path().as_os_str().as_encoded_bytes());
        match error.kind() {
            io::ErrorKind::NotFound => format!("path {path} does not exist").into(),
            _ => format!("failed to read from {path}: {error}").into(),
        }
    })
}

/// Reads a file that is one whole number.
fn read_number(file: &mut HostFile, buffer: &mut Vec<u8>) -> Result<i64, PluginError> {
    read(file, buffer)?;
    stat::parse_number(buffer.trim_ascii()).map_err(|error| {
        format!("failed to parse {} as an integer: {error}", Quoted::new(buffer)).into()
    })
}

fn field(name: &'static str, value: impl Into<Value>) -> Field {
    Field { key: CompactString::const_new(name), value: value.into() }
}

fn tag(key: &'static str, value: &'static str) -> Tag {
    let [key, value] = [key, value].map(CompactString::const_new);
    Tag { key, value }
}
