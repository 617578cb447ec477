//! The kernel's counters of network protocols.
//!
//! # References
//! Telegraf's `inputs.nstat`; nstat(8).

mod counters;

use std::io;
use std::path::PathBuf;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use crate::metric::{Field, Metric, Tag};
use crate::plugin::{Accumulator, Build, BuildError, Context, Declaration, Input, PluginError};
use crate::system::{HostFile, environment_variable};
use counters::{Zeros, parse_lines, parse_pairs_of_lines};

/// Declares `inputs.nstat`.
pub static PLUGIN: Declaration<dyn Input> =
    Declaration::new::<Config>("nstat", include_str!("sample.conf"));

/// The settings of `inputs.nstat`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    proc_net_netstat: String,
    proc_net_snmp: String,
    proc_net_snmp6: String,
    dump_zeros: bool,
}

impl Build<dyn Input> for Config {
    fn build(self, _context: &Context<'_>) -> Result<Box<dyn Input>, BuildError> {
        let file = |option, variable, default| {
            HostFile::new(path(option, variable, default, environment_variable))
        };
        Ok(Box::new(Nstat {
            netstat: file(self.proc_net_netstat, "PROC_NET_NETSTAT", "/net/netstat"),
            snmp: file(self.proc_net_snmp, "PROC_NET_SNMP", "/net/snmp"),
            snmp6: file(self.proc_net_snmp6, "PROC_NET_SNMP6", "/net/snmp6"),
            zeros: if self.dump_zeros { Zeros::Report } else { Zeros::LeaveOut },
            buffer: Vec::new(),
        }))
    }
}

/// Where a file is: as the option says, or the variable, or in the folder of `PROC_ROOT`.
///
/// `HOST_PROC` plays no part, unlike for other inputs: so it is in Telegraf.
fn path(
    option: String,
    variable: &str,
    default: &str,
    environment: impl Fn(&str) -> Option<String>,
) -> PathBuf {
    let set = |name: &str| environment(name).filter(|value| !value.is_empty());
    let option = Some(option).filter(|path| !path.is_empty());
    let path = option.or_else(|| set(variable)).unwrap_or_else(|| {
        let root = set("PROC_ROOT");
        format!("{}{default}", root.as_deref().unwrap_or("/proc"))
    });
    PathBuf::from(path)
}

struct Nstat {
    netstat: HostFile,
    snmp: HostFile,
    snmp6: HostFile,
    zeros: Zeros,
    buffer: Vec<u8>,
}

impl Input for Nstat {
    fn gather(&mut self, accumulator: &mut Accumulator<'_>) -> Result<(), PluginError> {
        let Nstat { netstat, snmp, snmp6, zeros, buffer } = self;
        for (name, file) in [("netstat", netstat), ("snmp", snmp)] {
            file.read(buffer)?;
            let fields = parse_pairs_of_lines(&String::from_utf8_lossy(buffer), *zeros);
            accumulator.add(metric(name, fields, accumulator));
        }
        match snmp6.read(buffer) {
            Ok(()) => {
                let fields = parse_lines(&String::from_utf8_lossy(buffer), *zeros);
                accumulator.add(metric("snmp6", fields, accumulator));
                Ok(())
            }
            // The kernel was built or started without IPv6.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

fn metric(name: &'static str, fields: Vec<Field>, accumulator: &Accumulator<'_>) -> Metric {
    let tag = Tag { key: CompactString::const_new("name"), value: CompactString::const_new(name) };
    Metric::from_lists("nstat", accumulator.now(), vec![tag], fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_where_the_option_the_variable_or_the_root_says() {
        let whole = |name: &str| (name == "PROC_NET_SNMP").then(|| "/captured/snmp".to_owned());
        let root = |name: &str| (name == "PROC_ROOT").then(|| "/host/proc".to_owned());
        let empty = |_: &str| Some(String::new());
        let snmp = |option: &str, environment: &dyn Fn(&str) -> Option<String>| {
            path(option.to_owned(), "PROC_NET_SNMP", "/net/snmp", environment)
        };
        assert_eq!(snmp("/mine", &whole), PathBuf::from("/mine"));
        assert_eq!(snmp("", &whole), PathBuf::from("/captured/snmp"));
        assert_eq!(snmp("", &root), PathBuf::from("/host/proc/net/snmp"));
        assert_eq!(snmp("", &empty), PathBuf::from("/proc/net/snmp"));
    }
}
