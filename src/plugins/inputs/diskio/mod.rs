//! What the disks have done.
//!
//! # References
//! Telegraf's `inputs.diskio`; the kernel's `Documentation/admin-guide/iostats.rst`; iostat(1) for
//! what follows from the counters of two rounds.

mod diskstats;
mod properties;
mod template;

use std::collections::{HashMap, HashSet};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use crate::metric::{Field, Metric, Tag, Value, ValueType};
use crate::plugin::{
    Accumulator, Build, BuildError, Context, Declaration, Input, Patterns, PluginError, PluginLog,
    Quoted,
};
use crate::system::{Host, HostFile, Root, System};
use diskstats::Counters;
use properties::{Properties, PropertyCache, PropertyError, path_in};
use template::Template;

/// Declares `inputs.diskio`.
pub static PLUGIN: Declaration<dyn Input> =
    Declaration::new::<Config>("diskio", include_str!("sample.conf"));

/// The settings of `inputs.diskio`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    devices: Vec<String>,
    device_tags: Vec<String>,
    name_templates: Vec<String>,
    skip_serial_number: bool,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            devices: Vec::new(),
            device_tags: Vec::new(),
            name_templates: Vec::new(),
            skip_serial_number: true,
        }
    }
}

impl Build<dyn Input> for Config {
    fn build(self, context: &Context<'_>) -> Result<Box<dyn Input>, BuildError> {
        let wanted = if self.devices.iter().any(|device| device.contains(['*', '?', '['])) {
            let patterns = Patterns::new(&self.devices).map_err(|error| {
                BuildError::invalid(format!("error compiling device pattern: {error}"))
            })?;
            patterns.map_or(Wanted::All, Wanted::Matching)
        } else if self.devices.is_empty() {
            Wanted::All
        } else {
            Wanted::Named(self.devices)
        };
        let system = context.system.clone();
        let disks = || system.host.for_disks();
        Ok(Box::new(DiskIo {
            wanted,
            device_tags: self.device_tags,
            templates: self.name_templates.iter().map(|text| Template::new(text)).collect(),
            serial: if self.skip_serial_number { Serial::Skip } else { Serial::Report },
            diskstats: system.host.file(Root::Proc, "diskstats"),
            buffer: Vec::new(),
            disks: disks(),
            properties: PropertyCache::new(disks()),
            warned: HashSet::new(),
            wwids: HashMap::new(),
            last: HashMap::new(),
            last_at: Duration::ZERO,
            log: context.log.clone(),
            system,
        }))
    }
}

/// Which devices to report.
#[derive(Debug)]
enum Wanted {
    All,
    /// Those with these names, or that these links lead to.
    Named(Vec<String>),
    /// Those whose names or links match.
    Matching(Patterns),
}

/// Whether there is a tag with the serial number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Serial {
    Report,
    Skip,
}

/// What the properties of a device were wanted for when a warning was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Purpose {
    Name,
    Tags,
}

struct DiskIo {
    wanted: Wanted,
    device_tags: Vec<String>,
    templates: Vec<Template>,
    serial: Serial,
    system: System,
    log: PluginLog,
    diskstats: HostFile,
    buffer: Vec<u8>,
    /// The host below the roots for properties of disks.
    disks: Host,
    properties: PropertyCache,
    /// Each warning is given once.
    warned: HashSet<(Purpose, CompactString)>,
    /// The names that disks have for the whole world, or none; they have them as long as they are
    /// there.
    wwids: HashMap<CompactString, Option<CompactString>>,
    last: HashMap<CompactString, Counters>,
    last_at: Duration,
}

impl Input for DiskIo {
    fn gather(&mut self, accumulator: &mut Accumulator<'_>) -> Result<(), PluginError> {
        let mut devices = Vec::with_capacity(self.last.len().max(8));
        self.read(|name, counters| devices.push((name, counters)))
            .map_err(|error| format!("error getting disk io info: {error}"))?;
        let current: HashMap<_, _> = devices.iter().cloned().collect();
        if current.len() < devices.len() {
            keep_last_of_each(&mut devices);
        }
        // Another disk may go by the name of one that is gone: its counters begin anew.
        self.wwids.retain(|name, _| match (self.last.get(name), current.get(name)) {
            (Some(before), Some(now)) => before.reads <= now.reads,
            _ => false,
        });
        let now = self.system.clock.elapsed();
        let passed_ms = now.saturating_sub(self.last_at).as_millis();
        for (name, counters) in &devices {
            let Some(tags) = self.tags(name) else { continue };
            let mut fields = counter_fields(counters);
            if let Some(last) = self.last.get(name) {
                fields.extend(derived_fields(counters, last, passed_ms));
            }
            let metric = Metric::from_lists("diskio", accumulator.now(), tags, fields);
            accumulator.add(metric.with_type(ValueType::Counter));
        }
        self.last_at = now;
        self.last = current;
        Ok(())
    }

    fn is_brief(&self) -> bool {
        true
    }
}

impl DiskIo {
    fn read(&mut self, visit: impl FnMut(CompactString, Counters)) -> Result<(), PluginError> {
        self.diskstats.read(&mut self.buffer)?;
        match &self.wanted {
            Wanted::Named(devices) => {
                let names: HashSet<String> =
                    devices.iter().map(|device| resolve(device, &self.disks)).collect();
                diskstats::parse(&self.buffer, |name| names.contains(name), visit)?;
            }
            // Links count as well as names, and are known only once the device is looked at.
            Wanted::All | Wanted::Matching(_) => {
                diskstats::parse(&self.buffer, |_| true, visit)?;
            }
        }
        Ok(())
    }

    /// The tags of a device; none if it is not wanted after all.
    fn tags(&mut self, device: &str) -> Option<Vec<Tag>> {
        let properties = if self.needs_properties(device) {
            self.properties(device, Purpose::Name)
        } else {
            None
        };
        if let Wanted::Matching(patterns) = &self.wanted
            && !patterns.match_any(device)
        {
            let links = properties.as_ref().and_then(|properties| properties.get("DEVLINKS"));
            let mut links = links.map_or("", String::as_str).split(' ');
            links.find(|link| patterns.match_any(link.strip_prefix("/dev/").unwrap_or(link)))?;
        }
        let name = properties.and_then(|properties| {
            self.templates.iter().find_map(|template| template.fill(&properties))
        });
        let mut tags = vec![tag("name", name.as_deref().unwrap_or(device))];
        if let Some(wwid) = self.wwid(device) {
            tags.push(tag("wwid", wwid));
        }
        if !self.device_tags.is_empty()
            && let Some(properties) = self.properties(device, Purpose::Tags)
        {
            let known = self.device_tags.iter();
            tags.extend(known.filter_map(|name| Some(tag(name, properties.get(name)?))));
        }
        if self.serial == Serial::Report {
            let serial = serial_number(&self.system.host, device).unwrap_or_default();
            let serial = serial.replace(['\n', '\r'], "");
            let serial = match serial.trim() {
                "" => "unknown",
                serial => serial,
            };
            tags.push(tag("serial", serial));
        }
        Some(tags)
    }

    /// Whether the properties of a device are to be read: for its name, or to warn that there are
    /// none.
    fn needs_properties(&self, device: &str) -> bool {
        !self.templates.is_empty()
            || matches!(self.wanted, Wanted::Matching(_))
            || !(self.properties.knows(device)
                || self.warned.contains(&(Purpose::Name, device.into())))
    }

    /// The properties of a device; warns once if there are none.
    fn properties(&mut self, device: &str, purpose: Purpose) -> Option<Properties> {
        match self.properties.of(device) {
            Ok(properties) => Some(properties),
            Err(error) => {
                self.warn(device, purpose, &error);
                None
            }
        }
    }

    fn warn(&mut self, device: &str, purpose: Purpose, error: &PropertyError) {
        if self.warned.insert((purpose, device.into())) {
            let what = match purpose {
                Purpose::Name => "name",
                Purpose::Tags => "tags",
            };
            let device = Quoted::new(device);
            self.log.warn(format_args!("Unable to gather disk {what} for {device}: {error}"));
        }
    }

    fn wwid(&mut self, device: &str) -> Option<CompactString> {
        if let Some(known) = self.wwids.get(device) {
            return known.clone();
        }
        let wwid = read_wwid(&self.disks, device);
        self.wwids.insert(device.into(), wwid.clone());
        wwid
    }
}

fn read_wwid(disks: &Host, device: &str) -> Option<CompactString> {
    let device = Path::new(device).file_name()?.to_string_lossy();
    let wwid = read_text(disks, Root::Sys, &format!("block/{device}/wwid")).ok()?;
    let wwid = wwid.strip_suffix('\n').unwrap_or(&wwid);
    (!wwid.is_empty()).then(|| wwid.into())
}

/// Leaves out all but the last line of a name that comes twice.
fn keep_last_of_each(devices: &mut Vec<(CompactString, Counters)>) {
    let mut seen = HashSet::with_capacity(devices.len());
    devices.reverse();
    devices.retain(|(name, _)| seen.insert(name.clone()));
    devices.reverse();
}

/// The name of the device that a setting stands for: itself, or what a link leads to.
fn resolve(device: &str, disks: &Host) -> String {
    let real = match Path::new(device).canonicalize() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            path_in(disks, Root::Dev, device).canonicalize()
        }
        other => other,
    };
    let real = real.unwrap_or_else(|_| device.into());
    real.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// The serial number, from udev or else from the kernel, there together with the model.
fn serial_number(host: &Host, device: &str) -> Option<String> {
    let file = std::fs::metadata(path_in(host, Root::Dev, &node_name(device))).ok()?;
    let known = host.udev_property(file.rdev(), "ID_SERIAL").filter(|serial| !serial.is_empty());
    if known.is_some() {
        return known;
    }
    // A partition has none of its own: its disk has the minor number 0.
    let folder = format!("dev/block/{}:0/device", rustix::fs::major(file.rdev()));
    let [model, serial] = ["model", "serial"]
        .map(|name| read_text(host, Root::Sys, &format!("{folder}/{name}")).ok());
    let (model, serial) = (model?, serial?);
    (!model.is_empty() && !serial.is_empty()).then(|| format!("{model}_{serial}"))
}

/// The name of the file in `/dev`: of NVMe with several paths the kernel counts each path, as in
/// `nvme0c1n1`, where there is one file `nvme0n1`.
fn node_name(device: &str) -> String {
    let (Some(path), true) = (device.find('c'), device.starts_with("nvme")) else {
        return device.to_owned();
    };
    match device[path..].find('n') {
        Some(namespace) if path > 4 => {
            format!("{}{}", &device[..path], &device[path + namespace..])
        }
        _ => device.to_owned(),
    }
}

fn read_text(host: &Host, root: Root, path: &str) -> io::Result<String> {
    let mut bytes = Vec::new();
    host.read(root, path, &mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn counter_fields(counters: &Counters) -> Vec<Field> {
    let mut fields = Vec::with_capacity(14);
    fields.extend([
        field("reads", counters.reads),
        field("writes", counters.writes),
        field("read_bytes", counters.read_bytes),
        field("write_bytes", counters.write_bytes),
        field("read_time", counters.read_ms),
        field("write_time", counters.write_ms),
        field("io_time", counters.io_ms),
        field("weighted_io_time", counters.weighted_io_ms),
        field("iops_in_progress", counters.in_progress),
        field("merged_reads", counters.merged_reads),
        field("merged_writes", counters.merged_writes),
    ]);
    fields
}

/// What follows from two readings; nothing if a counter went back.
fn derived_fields(now: &Counters, last: &Counters, passed_ms: u128) -> impl Iterator<Item = Field> {
    let grown =
        |counter: fn(&Counters) -> u64| Some(counter(now).checked_sub(counter(last))? as f64);
    let derived = || {
        let requests = grown(|c| c.reads)? + grown(|c| c.writes)?;
        let request_ms = grown(|c| c.read_ms)? + grown(|c| c.write_ms)?;
        let io_ms = grown(|c| c.io_ms)?;
        let of_requests = (requests > 0.0).then(|| {
            [field("io_await", request_ms / requests), field("io_svctm", io_ms / requests)]
        });
        let util = (passed_ms > 0).then(|| field("io_util", 100.0 * io_ms / passed_ms as f64));
        Some(of_requests.into_iter().flatten().chain(util))
    };
    derived().into_iter().flatten()
}

fn field(name: &'static str, value: impl Into<Value>) -> Field {
    Field { key: CompactString::const_new(name), value: value.into() }
}

fn tag(key: &str, value: impl AsRef<str>) -> Tag {
    Tag { key: key.into(), value: value.as_ref().into() }
}

#[cfg(test)]
mod tests;
