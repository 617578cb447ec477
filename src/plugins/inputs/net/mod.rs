//! What the network interfaces carry.
//!
//! # References
//! Telegraf's `inputs.net`; the kernel's Documentation/ABI/testing/sysfs-class-net for the speed.

mod dev;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use crate::metric::{Field, Metric, Tag, Timestamp, ValueType};
use crate::plugin::{
    Accumulator, Build, BuildError, Context, Declaration, DeprecatedOption, Input, Patterns,
    PluginError,
};
use crate::system::{HostFile, Link, Root, System, environment_variable};
use dev::{FIELDS, Interface};

/// Declares `inputs.net`.
pub static PLUGIN: Declaration<dyn Input> =
    Declaration::new::<Config>("net", include_str!("sample.conf"))
        .deprecating(&[IGNORE_PROTOCOL_STATS]);

/// What stands for the speed of an interface that has none.
const UNKNOWN_SPEED: i64 = -1;

/// The settings of `inputs.net`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    interfaces: Vec<String>,
    #[serde(skip_serializing)]
    ignore_protocol_stats: bool,
}

const IGNORE_PROTOCOL_STATS: DeprecatedOption = DeprecatedOption {
    option: "ignore_protocol_stats",
    since: "1.37.0",
    removal: "1.45.0",
    notice: "option is ignored",
};

impl Build<dyn Input> for Config {
    fn build(self, context: &Context<'_>) -> Result<Box<dyn Input>, BuildError> {
        if self.ignore_protocol_stats {
            IGNORE_PROTOCOL_STATS.log_use_in("inputs.net");
        }
        let patterns = Patterns::new(&self.interfaces)
            .map_err(|error| BuildError::invalid(format!("error compiling filter: {error}")))?;
        // The interfaces in another's /proc may be none of this machine's network namespace, so
        // that nothing is known about their state.
        let proc_is_moved = environment_variable("HOST_PROC").is_some_and(|root| !root.is_empty());
        let selection = match patterns {
            Some(patterns) => Selection::Named(patterns),
            None if proc_is_moved => Selection::All,
            None => Selection::InUse,
        };
        let system = context.system.clone();
        let file = system.host.file(Root::Proc, "net/dev");
        Ok(Box::new(Net { selection, system, file, buffer: Vec::new() }))
    }
}

/// Which interfaces are reported.
#[derive(Debug)]
enum Selection {
    /// Those with these names.
    Named(Patterns),
    /// Those that are up, without the loopback.
    InUse,
    /// Every one.
    All,
}

impl Selection {
    /// Whether an interface is reported; `links` are looked at only for those in use.
    fn selects(&self, name: &str, links: &[Link]) -> bool {
        match self {
            Selection::Named(patterns) => patterns.match_any(name),
            Selection::InUse => {
                let link = links.iter().find(|link| link.name == name);
                link.is_some_and(|link| link.is_up() && !link.is_loopback())
            }
            Selection::All => true,
        }
    }
}

struct Net {
    selection: Selection,
    system: System,
    file: HostFile,
    buffer: Vec<u8>,
}

impl Input for Net {
    fn gather(&mut self, accumulator: &mut Accumulator<'_>) -> Result<(), PluginError> {
        self.file
            .read(&mut self.buffer)
            .map_err(|error| format!("error getting net io info: {error}"))?;
        let text = String::from_utf8_lossy(&self.buffer);
        let interfaces =
            dev::parse(&text).map_err(|error| format!("error getting net io info: {error}"))?;
        let links = match self.selection {
            Selection::InUse => {
                Link::all().map_err(|error| format!("error getting list of interfaces: {error}"))?
            }
            Selection::Named(_) | Selection::All => Vec::new(),
        };
        let now = accumulator.now();
        let mut speed_text = Vec::new();
        for interface in interfaces {
            if self.selection.selects(interface.name, &links) {
                let speed = speed(&self.system, interface.name, &mut speed_text);
                accumulator.add(metric(&interface, speed, now));
            }
        }
        Ok(())
    }

    fn is_brief(&self) -> bool {
        true
    }
}

/// The speed in Mbit/s; virtual interfaces and those without a cable have none.
fn speed(system: &System, interface: &str, buffer: &mut Vec<u8>) -> i64 {
    let path = format!("class/net/{interface}/speed");
    if system.host.read(Root::Sys, path, buffer).is_err() {
        return UNKNOWN_SPEED;
    }
    let text = std::str::from_utf8(buffer).unwrap_or_default();
    text.strip_suffix('\n').unwrap_or(text).parse().unwrap_or(UNKNOWN_SPEED)
}

fn metric(interface: &Interface<'_>, speed: i64, now: Timestamp) -> Metric {
    let tag = Tag { key: CompactString::const_new("interface"), value: interface.name.into() };
    let mut fields = Vec::with_capacity(FIELDS + 1);
    for (name, counter) in interface.fields() {
        fields.push(Field { key: CompactString::const_new(name), value: counter.into() });
    }
    fields.push(Field { key: CompactString::const_new("speed"), value: speed.into() });
    Metric::from_lists("net", now, vec![tag], fields).with_type(ValueType::Counter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interfaces_in_use_are_up_and_no_loopback() {
        let (up, loopback) = (0x1, 0x8);
        let links = [Link::new("lo", up | loopback), Link::new("eth0", up), Link::new("eth1", 0)];
        let selected: Vec<_> = ["lo", "eth0", "eth1", "veth7"]
            .into_iter()
            .filter(|name| Selection::InUse.selects(name, &links))
            .collect();
        assert_eq!(selected, ["eth0"]);
    }

    #[test]
    fn interfaces_that_are_named_are_reported_whatever_their_state() {
        let patterns = Patterns::new(&["l*".into(), "eth1".into()]).unwrap().unwrap();
        let selection = Selection::Named(patterns);
        let selected: Vec<_> = ["lo", "eth0", "eth1"]
            .into_iter()
            .filter(|name| selection.selects(name, &[]))
            .collect();
        assert_eq!(selected, ["lo", "eth1"]);
    }
}
