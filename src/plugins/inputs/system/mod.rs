//! Load, uptime, processors, users, and what the system is.
//!
//! # References
//! Telegraf's `inputs.system`; proc(5), "/proc/loadavg"; utmp(5); sysinfo(2).

mod cpus;
mod dmi;
mod platform;
mod uptime;
mod users;

use std::io;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use crate::metric::{Field, Metric, Timestamp, Value, ValueType};
use crate::plugin::settings::Duration;
use crate::plugin::{
    Accumulator, Build, BuildError, Context, Declaration, Input, PluginError, PluginLog, Quoted,
};
use crate::system::{self, HostFile, MachineStatus, PortableMachine, Root};
use cpus::{Counts, Cpus};

/// Declares `inputs.system`.
pub static PLUGIN: Declaration<dyn Input> =
    Declaration::new::<Config>("system", include_str!("sample.conf"));

/// Whether the kernel tells in files and calls of Linux.
const IS_LINUX: bool = cfg!(target_os = "linux");

const EIGHT_HOURS: Duration = Duration::from_secs(8 * 60 * 60);

/// The settings of `inputs.system`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    include: Vec<String>,
    os_cache_ttl: Duration,
    dmi_cache_ttl: Duration,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            include: vec!["legacy".into()],
            os_cache_ttl: EIGHT_HOURS,
            dmi_cache_ttl: EIGHT_HOURS,
        }
    }
}

/// What is to be reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Group {
    /// What there was before there was a choice, in three metrics of its own.
    Legacy,
    Load,
    Users,
    Cpus,
    Uptime,
    Os,
    Dmi,
}

impl Group {
    fn from_name(name: &str) -> Option<Group> {
        Some(match name {
            "legacy" => Group::Legacy,
            "load" => Group::Load,
            "users" => Group::Users,
            "cpus" => Group::Cpus,
            "uptime" => Group::Uptime,
            "os" => Group::Os,
            "dmi" => Group::Dmi,
            _ => return None,
        })
    }
}

impl Build<dyn Input> for Config {
    fn build(self, context: &Context<'_>) -> Result<Box<dyn Input>, BuildError> {
        let mut groups = Vec::new();
        for name in &self.include {
            let group = Group::from_name(name).ok_or_else(|| {
                let name = Quoted::new(name);
                BuildError::invalid(format!("invalid 'include' option {name}"))
            })?;
            if !groups.contains(&group) {
                groups.push(group);
            }
        }
        if groups.is_empty() {
            groups.push(Group::Legacy);
        }
        if !IS_LINUX && groups.contains(&Group::Dmi) {
            context.log.warn("'dmi' is not supported on this platform, ignoring");
            groups.retain(|group| *group != Group::Dmi);
        }
        Ok(Box::new(SystemInput::new(&self, groups, context.system.clone(), context.log.clone())))
    }
}

struct SystemInput {
    groups: Vec<Group>,
    system: system::System,
    log: PluginLog,
    loadavg: HostFile,
    cpus: Cpus,
    os: Kept,
    dmi: Kept,
    buffer: Vec<u8>,
}

impl Input for SystemInput {
    fn gather(&mut self, accumulator: &mut Accumulator<'_>) -> Result<(), PluginError> {
        let now = accumulator.now();
        let mut fields = Vec::with_capacity(8);
        for at in 0..self.groups.len() {
            let gathered = match self.groups[at] {
                Group::Legacy => self.gather_legacy(accumulator, now),
                group => self.gather_group(group, &mut fields),
            };
            // The other groups are not to suffer.
            if let Err(error) = gathered {
                accumulator.report(error);
            }
        }
        if !fields.is_empty() {
            accumulator.add(Metric::from_lists("system", now, Vec::new(), fields));
        }
        Ok(())
    }
}

impl SystemInput {
    fn new(
        config: &Config,
        groups: Vec<Group>,
        system: system::System,
        log: PluginLog,
    ) -> SystemInput {
        SystemInput {
            groups,
            loadavg: system.host.file(Root::Proc, "loadavg"),
            cpus: Cpus::new(&system.host),
            os: Kept::new(config.os_cache_ttl),
            dmi: Kept::new(config.dmi_cache_ttl),
            buffer: Vec::new(),
            system,
            log,
        }
    }

    fn gather_group(&mut self, group: Group, fields: &mut Vec<Field>) -> Result<(), PluginError> {
        let now = self.system.clock.elapsed();
        let host = &self.system.host;
        match group {
            Group::Legacy => {}
            Group::Load => fields.extend(load_fields(self.loads()?)),
            Group::Users => match self.users() {
                Ok(users) => fields.extend(user_fields(users)),
                Err(error) if is_common(&error) => {}
                Err(error) => self.log.warn(format_args!("Reading users: {error}")),
            },
            Group::Cpus => fields.extend(cpu_fields(self.count_cpus()?)),
            Group::Uptime => fields.push(field("uptime", read_uptime()?)),
            Group::Os => fields.extend_from_slice(self.os.fields(now, || read_os(host))?),
            Group::Dmi => fields.extend_from_slice(self.dmi.fields(now, || Ok(dmi::read(host)))?),
        }
        Ok(())
    }

    fn gather_legacy(
        &mut self,
        accumulator: &mut Accumulator<'_>,
        now: Timestamp,
    ) -> Result<(), PluginError> {
        let metric = |fields, value_type| {
            Metric::from_lists("system", now, Vec::new(), fields).with_type(value_type)
        };
        let mut fields = Vec::with_capacity(7);
        fields.extend(load_fields(self.loads()?));
        fields.extend(cpu_fields(self.count_cpus()?));
        match self.users() {
            Ok(users) => fields.extend(user_fields(users)),
            Err(error) => self.log.debug(format_args!("Reading users: {error}")),
        }
        accumulator.add(metric(fields, ValueType::Gauge));

        let uptime = read_uptime()?;
        accumulator.add(metric(vec![field("uptime", uptime)], ValueType::Counter));
        let format = field("uptime_format", uptime::format(uptime));
        accumulator.add(metric(vec![format], ValueType::Untyped));
        Ok(())
    }

    fn loads(&mut self) -> Result<[f64; 3], PluginError> {
        if !IS_LINUX {
            let machine = PortableMachine::read();
            let machine = machine.map_err(|error| format!("reading load averages: {error}"))?;
            return Ok(machine.loads);
        }
        let loads =
            self.loadavg.read(&mut self.buffer).ok().and_then(|()| parse_loadavg(&self.buffer));
        Ok(loads.unwrap_or_else(|| MachineStatus::read().loads))
    }

    fn count_cpus(&mut self) -> Result<Counts, PluginError> {
        if !IS_LINUX {
            let machine = PortableMachine::read();
            let machine = machine.map_err(|error| format!("reading logical CPU count: {error}"))?;
            return Ok(Counts {
                logical: machine.n_cpus as i64,
                physical: machine.n_physical_cpus as i64,
            });
        }
        self.cpus.count(&self.system.host)
    }

    fn users(&mut self) -> io::Result<users::Users> {
        self.system.host.read(Root::Var, "run/utmp", &mut self.buffer)?;
        Ok(users::count(&self.buffer))
    }
}

/// Whether the lack of the file with the users is nothing to warn of: systems without it are many.
fn is_common(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied)
}

fn parse_loadavg(text: &[u8]) -> Option<[f64; 3]> {
    let mut words = std::str::from_utf8(text).ok()?.split_ascii_whitespace();
    let mut load = || words.next()?.parse().ok();
    Some([load()?, load()?, load()?])
}

fn read_uptime() -> Result<u64, PluginError> {
    if IS_LINUX {
        return Ok(MachineStatus::read().uptime_seconds);
    }
    let machine = PortableMachine::read().map_err(|error| format!("reading uptime: {error}"))?;
    Ok(machine.uptime_seconds)
}

fn read_os(host: &system::Host) -> Result<Vec<Field>, PluginError> {
    if !IS_LINUX {
        let machine = PortableMachine::read();
        let machine = machine.map_err(|error| format!("reading platform information: {error}"))?;
        return Ok(portable_os_fields(machine));
    }
    let platform = platform::read(host);
    Ok(vec![
        field("os", "linux"),
        field("arch", host.architecture()),
        field("platform", platform.name),
        field("platform_family", platform.family),
        field("platform_version", platform.version),
        field("kernel_version", host.kernel_release()),
    ])
}

fn portable_os_fields(machine: PortableMachine) -> Vec<Field> {
    // The name that Go has for the system, and so Telegraf.
    let os = match std::env::consts::OS {
        "macos" => "darwin",
        os => os,
    };
    vec![
        field("os", os),
        field("arch", machine.architecture),
        field("platform", machine.platform),
        field("platform_family", ""),
        field("platform_version", machine.platform_version),
        field("kernel_version", machine.kernel_version),
    ]
}

fn load_fields([one, five, fifteen]: [f64; 3]) -> [Field; 3] {
    [field("load1", one), field("load5", five), field("load15", fifteen)]
}

fn cpu_fields(counts: Counts) -> [Field; 2] {
    [field("n_cpus", counts.logical), field("n_physical_cpus", counts.physical)]
}

fn user_fields(users: users::Users) -> [Field; 2] {
    [field("n_users", users.sessions), field("n_unique_users", users.unique)]
}

fn field(name: &'static str, value: impl Into<Value>) -> Field {
    Field { key: CompactString::const_new(name), value: value.into() }
}

/// Fields that hardly ever change, kept for a while.
struct Kept {
    span: std::time::Duration,
    read_at: Option<std::time::Duration>,
    fields: Vec<Field>,
}

impl Kept {
    fn new(span: Duration) -> Kept {
        Kept { span: span.to_std(), read_at: None, fields: Vec::new() }
    }

    /// The fields, read anew if they are older than the span.
    fn fields(
        &mut self,
        now: std::time::Duration,
        read: impl FnOnce() -> Result<Vec<Field>, PluginError>,
    ) -> Result<&[Field], PluginError> {
        if self.read_at.is_none_or(|read_at| now.saturating_sub(read_at) > self.span) {
            self.fields = read()?;
            self.read_at = Some(now);
        }
        Ok(&self.fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value<'f>(fields: &'f [Field], name: &str) -> &'f Value {
        &fields.iter().find(|field| field.key == name).unwrap().value
    }

    #[test]
    fn the_portable_reading_agrees_with_proc() {
        let system = system::System::real();
        let log = PluginLog::new("inputs.system");
        let mut input = SystemInput::new(&Config::default(), Vec::new(), system.clone(), log);
        let portable = PortableMachine::read().unwrap();

        let counts = input.count_cpus().unwrap();
        assert_eq!(counts.logical, portable.n_cpus as i64);
        let apart = read_uptime().unwrap().abs_diff(portable.uptime_seconds);
        assert!(apart <= 2, "the uptimes lie {apart} s apart");
        // The averages are renewed every five seconds, perhaps between the two readings.
        let apart = (input.loads().unwrap()[2] - portable.loads[2]).abs();
        assert!(apart < 1.0, "the loads lie {apart} apart");

        let os = read_os(&system.host).unwrap();
        let portable = portable_os_fields(portable);
        for name in ["os", "arch", "kernel_version"] {
            assert_eq!(value(&os, name), value(&portable, name), "{name}");
        }
    }

    #[test]
    fn what_is_kept_is_read_anew_only_once_it_is_old() {
        let second = std::time::Duration::from_secs(1);
        let mut kept = Kept::new(Duration::from_secs(10));
        let mut n_read = 0_u64;
        for (now, expected) in [(0, 1), (10, 1), (11, 2), (21, 2), (22, 3)] {
            let fields = kept.fields(now * second, || {
                n_read += 1;
                Ok(vec![field("n", n_read)])
            });
            assert_eq!(value(fields.unwrap(), "n"), &Value::Unsigned(expected), "{now} s");
        }
    }

    #[test]
    fn a_failed_reading_is_tried_again() {
        let mut kept = Kept::new(EIGHT_HOURS);
        assert!(kept.fields(std::time::Duration::ZERO, || Err("no".into())).is_err());
        assert!(kept.fields(std::time::Duration::ZERO, || Ok(Vec::new())).is_ok());
    }

    #[test]
    fn loads_that_are_no_numbers_are_none() {
        assert_eq!(parse_loadavg(b"0.25 1.50 2 1/67 4242\n"), Some([0.25, 1.5, 2.0]));
        for text in [&b""[..], b"1 2\n", b"1 two 3\n", b"\xff 1 1"] {
            assert_eq!(parse_loadavg(text), None);
        }
    }
}
