//! How full the mounted file systems are.
//!
//! # References
//! Telegraf's `inputs.disk`; proc(5), "/proc/pid/mountinfo"; statvfs(3).

mod labels;
mod mounts;
mod path;
mod table;

use std::borrow::Cow;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use crate::metric::{Field, Metric, Tag, Timestamp, Value, ValueType};
use crate::plugin::{
    Accumulator, Build, BuildError, Context, Declaration, Input, PluginError, PluginLog, Quoted,
};
use crate::system::{ErrorWords, Host, Root, SpaceUsage, System};
use labels::Labels;
use mounts::Mount;
use table::{Look, MountTable};

/// Declares `inputs.disk`.
pub static PLUGIN: Declaration<dyn Input> =
    Declaration::new::<Config>("disk", include_str!("sample.conf"));

/// The settings of `inputs.disk`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    mount_points: Vec<String>,
    ignore_fs: Vec<String>,
    ignore_mount_opts: Vec<String>,
}

impl Build<dyn Input> for Config {
    fn build(self, context: &Context<'_>) -> Result<Box<dyn Input>, BuildError> {
        Ok(Box::new(Disk {
            table: MountTable::new(&context.system.host),
            targets: Vec::new(),
            labels: Labels::default(),
            config: self,
            system: context.system.clone(),
            log: context.log.clone(),
        }))
    }
}

struct Disk {
    config: Config,
    system: System,
    log: PluginLog,
    table: MountTable,
    /// What is to be asked about, made anew only when the mounts have changed.
    targets: Vec<Target>,
    labels: Labels,
}

/// A file system to ask about.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Target {
    /// Where it is seen from here.
    path: PathBuf,
    device_id: String,
    /// What the list of mounts calls the device.
    device: String,
    path_tag: CompactString,
    fs_type: CompactString,
    mode: &'static str,
    /// Whether it was found to have no size, which such a file system never gets.
    is_sizeless: bool,
    /// What was found in the last round; none if it has no size or could not be asked.
    usage: Option<SpaceUsage>,
}

/// File systems that are nothing but a view of the kernel, and have no size.
const VIEWS: [&str; 13] = [
    "binfmt_misc",
    "bpf",
    "cgroup",
    "cgroup2",
    "configfs",
    "debugfs",
    "devpts",
    "mqueue",
    "proc",
    "pstore",
    "securityfs",
    "sysfs",
    "tracefs",
];

impl Input for Disk {
    fn gather(&mut self, accumulator: &mut Accumulator<'_>) -> Result<(), PluginError> {
        self.update_targets(Look::IfTold)?;
        let look = self.measure();
        if look == Look::Anyway && self.update_targets(look)? {
            self.measure();
        }
        let elapsed = self.system.clock.elapsed();
        let host = &self.system.host;
        for target in &self.targets {
            let Some(usage) = &target.usage else { continue };
            let device = device(target, host);
            let name = device.strip_prefix("/dev/").unwrap_or(&device);
            let label = self.labels.of(name, host, elapsed);
            accumulator.add(metric(target, &device, label, usage, accumulator.now()));
        }
        Ok(())
    }
}

impl Disk {
    /// Brings the targets up to date, and tells whether they were made anew.
    fn update_targets(&mut self, look: Look) -> Result<bool, PluginError> {
        let changed = if cfg!(target_os = "linux") {
            self.table.read_changed(look)
        } else {
            table::read_portably().map(Some)
        };
        let changed = changed.map_err(|error| format!("error getting disk usage info: {error}"))?;
        let Some(mounts) = changed else { return Ok(false) };
        self.targets = self.select(&mounts);
        self.labels.clear();
        Ok(true)
    }

    /// Asks about every target, and tells how to look at the list of mounts then: it says what the
    /// kernel tells nobody of if a file system has become read-only after an error, or if it is no
    /// longer where it was.
    fn measure(&mut self) -> Look {
        let mut look = Look::IfTold;
        for target in self.targets.iter_mut().filter(|target| !target.is_sizeless) {
            let before = target.usage.take();
            match SpaceUsage::of(&target.path) {
                Ok(usage) if usage.total_bytes == 0 => {
                    // They are not asked again until the list of mounts changes.
                    target.is_sizeless = VIEWS.contains(&target.fs_type.as_str());
                }
                Ok(usage) => {
                    if before.is_some_and(|before| before.is_read_only != usage.is_read_only) {
                        look = Look::Anyway;
                    }
                    target.usage = Some(usage);
                }
                Err(error) => {
                    if before.is_some() {
                        look = Look::Anyway;
                    }
                    self.log.debug(format_args!(
                        "[SystemPS] => unable to get disk usage ({}): {}",
                        Quoted::new(target.path.as_os_str().as_encoded_bytes()),
                        ErrorWords(&error)
                    ));
                }
            }
        }
        look
    }

    /// Chooses the mounts that the settings ask for.
    fn select(&self, mounts: &[Mount]) -> Vec<Target> {
        let Config { mount_points, ignore_fs, ignore_mount_opts } = &self.config;
        let prefix = &self.system.host.roots().mount_prefix;
        let all: HashSet<&[u8]> = mounts.iter().map(|mount| &mount.mount_point[..]).collect();
        let mut targets = Vec::with_capacity(mounts.len());
        for mount in mounts {
            let has = |list: &[String], text: &[u8]| list.iter().any(|one| one.as_bytes() == text);
            let is_wanted = mount_points.is_empty() || has(mount_points, &mount.mount_point);
            let is_ignored = has(ignore_fs, mount.fs_type.as_bytes())
                || mount.options.iter().any(|option| ignore_mount_opts.contains(option));
            // Asking about a file system that waits to be mounted would mount it.
            if !is_wanted || is_ignored || mount.fs_type == "autofs" {
                continue;
            }
            let mut path = bytes_to_path(&mount.mount_point);
            if !prefix.as_os_str().is_empty()
                && !mount.mount_point.starts_with(prefix.as_os_str().as_encoded_bytes())
            {
                path = path::join(prefix, &mount.mount_point);
                // What is mounted there is listed by that name too.
                if all.contains(path.as_os_str().as_encoded_bytes()) {
                    self.log.debug(format_args!(
                        "[SystemPS] => dropped by mount prefix ({}): {}",
                        Quoted::new(path.as_os_str().as_encoded_bytes()),
                        Quoted::new(prefix.as_os_str().as_encoded_bytes())
                    ));
                    continue;
                }
            }
            targets.push(target(mount, path, prefix));
        }
        targets
    }
}

fn metric(
    target: &Target,
    device: &str,
    label: Option<CompactString>,
    usage: &SpaceUsage,
    now: Timestamp,
) -> Metric {
    let mut tags = vec![
        tag("device", device.replace("/dev/", "")),
        tag("fstype", target.fs_type.clone()),
        tag("mode", CompactString::const_new(target.mode)),
        tag("path", target.path_tag.clone()),
    ];
    if let Some(label) = label {
        tags.insert(2, tag("label", label));
    }
    let fields = vec![
        field("total", usage.total_bytes),
        field("free", usage.free_bytes),
        field("used", usage.used_bytes),
        field("used_percent", percent(usage.used_bytes, usage.free_bytes)),
        field("inodes_total", usage.inodes_total),
        field("inodes_free", usage.inodes_free),
        field("inodes_used", usage.inodes_used),
        field("inodes_used_percent", percent(usage.inodes_used, usage.inodes_free)),
    ];
    Metric::from_lists("disk", now, tags, fields).with_type(ValueType::Gauge)
}

/// The device, by its real name where the list of mounts has another.
///
/// Asked each time: at boot mounts may be there before the links to their devices.
fn device<'t>(target: &'t Target, host: &Host) -> Cow<'t, str> {
    let device = &target.device;
    if device == "none" || device.is_empty() {
        return target.fs_type.as_str().into();
    }
    if let Some(name) = device.strip_prefix("/dev/mapper/") {
        let link = host.path(Root::Dev, Path::new("mapper").join(name));
        if let Ok(real) = link.canonicalize() {
            return real.to_string_lossy().into_owned().into();
        }
    }
    if device == "/dev/root" && !target.device_id.is_empty() {
        let link = host.path(Root::Sys, format!("dev/block/{}", target.device_id));
        if let Some(name) = std::fs::read_link(link).ok().as_deref().and_then(Path::file_name) {
            return format!("/dev/{}", name.to_string_lossy()).into();
        }
    }
    device.into()
}

fn target(mount: &Mount, path: PathBuf, prefix: &Path) -> Target {
    let prefix = prefix.as_os_str().as_encoded_bytes();
    let inner = mount.mount_point.strip_prefix(prefix).unwrap_or(&mount.mount_point);
    let has = |mode: &str| mount.options.iter().any(|option| option == mode);
    Target {
        path,
        device_id: mount.device_id.clone(),
        device: mount.device.clone(),
        path_tag: path::join(Path::new("/"), inner).to_string_lossy().into(),
        fs_type: mount.fs_type.as_str().into(),
        mode: match (has("rw"), has("ro")) {
            (true, _) => "rw",
            (false, true) => "ro",
            (false, false) => "unknown",
        },
        is_sizeless: false,
        usage: None,
    }
}

fn bytes_to_path(path: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    PathBuf::from(std::ffi::OsStr::from_bytes(path))
}

/// The share of what is used in what ordinary users can use at all.
fn percent(used: u64, free: u64) -> f64 {
    if used == 0 && free == 0 {
        return 0.0;
    }
    used as f64 / (used as f64 + free as f64) * 100.0
}

fn field(name: &'static str, value: impl Into<Value>) -> Field {
    Field { key: CompactString::const_new(name), value: value.into() }
}

fn tag(key: &'static str, value: impl Into<CompactString>) -> Tag {
    Tag { key: CompactString::const_new(key), value: value.into() }
}

#[cfg(test)]
mod tests;
