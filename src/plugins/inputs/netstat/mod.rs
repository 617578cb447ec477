//! How many network connections there are, by their state.
//!
//! # References
//! Telegraf's `inputs.netstat`, which counts what gopsutil's `net.Connections` lists.

mod connections;

use std::collections::HashMap;
use std::io;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use crate::metric::{Field, Metric};
use crate::plugin::{Accumulator, Build, BuildError, Context, Declaration, Input, PluginError};
use crate::system::{HostFile, Root, System};
use connections::{Counts, Protocol, STATES, parse_unix};

/// Declares `inputs.netstat`.
pub static PLUGIN: Declaration<dyn Input> =
    Declaration::new::<Config>("netstat", include_str!("sample.conf"));

/// The settings of `inputs.netstat`: there are none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {}

impl Build<dyn Input> for Config {
    fn build(self, context: &Context<'_>) -> Result<Box<dyn Input>, BuildError> {
        let system = context.system.clone();
        let file = |name| system.host.file(Root::Proc, format!("net/{name}"));
        Ok(Box::new(Netstat {
            internet: [
                (Protocol::Tcp, Absence::Fails, file("tcp")),
                (Protocol::Tcp, Absence::IsNormal, file("tcp6")),
                (Protocol::Udp, Absence::Fails, file("udp")),
                (Protocol::Udp, Absence::IsNormal, file("udp6")),
            ],
            unix: file("unix"),
            system,
            buffer: Vec::new(),
        }))
    }
}

/// What it means that a list is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Absence {
    /// The kernel has no IPv6.
    IsNormal,
    /// The round has failed.
    Fails,
}

struct Netstat {
    internet: [(Protocol, Absence, HostFile); 4],
    unix: HostFile,
    system: System,
    buffer: Vec<u8>,
}

impl Input for Netstat {
    fn gather(&mut self, accumulator: &mut Accumulator<'_>) -> Result<(), PluginError> {
        let counts =
            self.count().map_err(|error| format!("error getting net connections info: {error}"))?;
        let mut fields = Vec::with_capacity(STATES.len() + 2);
        for (name, count) in STATES.into_iter().zip(counts.states) {
            fields.push(field(name, count));
        }
        fields.push(field("tcp_none", counts.none));
        fields.push(field("udp_socket", counts.datagram));
        let now = accumulator.now();
        accumulator.add(Metric::from_lists("netstat", now, Vec::new(), fields));
        Ok(())
    }
}

impl Netstat {
    fn count(&mut self) -> Result<Counts, PluginError> {
        let mut counts = Counts::default();
        for (protocol, absence, file) in &mut self.internet {
            match file.read(&mut self.buffer) {
                Ok(()) => counts.add_internet(*protocol, &String::from_utf8_lossy(&self.buffer)),
                Err(error)
                    if *absence == Absence::IsNormal && error.kind() == io::ErrorKind::NotFound => {
                }
                Err(error) => return Err(error.into()),
            }
        }
        self.unix.read(&mut self.buffer)?;
        let text = String::from_utf8_lossy(&self.buffer);
        let sockets = parse_unix(&text)?;
        // Going through all processes is what takes the time here.
        let mut holders: HashMap<u64, i64> =
            sockets.iter().map(|socket| (socket.inode, 0)).collect();
        if !holders.is_empty() {
            let count = |inode| {
                if let Some(count) = holders.get_mut(&inode) {
                    *count += 1;
                }
            };
            let host = &self.system.host;
            host.visit_open_sockets(count)
                .map_err(|error| format!("could not get pid(s), 0: {error}"))?;
        }
        counts.add_unix(&sockets, |inode| holders.get(&inode).copied().unwrap_or(0));
        Ok(counts)
    }
}

fn field(name: &'static str, count: i64) -> Field {
    Field { key: CompactString::const_new(name), value: count.into() }
}
