//! How many processors and cores there are.
//!
//! # References
//! The kernel's `Documentation/admin-guide/cputopology.rst`; proc(5), "/proc/cpuinfo". The order in
//! which the sources are asked is that of psutil, which Telegraf's library follows.

use std::collections::{HashMap, HashSet};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::plugin::PluginError;
use crate::system::{Host, HostFile, Root};

const FOLDER: &str = "devices/system/cpu";

/// Counts processors, and again only once some have come or gone.
///
/// Making `/proc/cpuinfo` is dear on a machine with many processors, and the topology is two files
/// for each of them.
#[derive(Debug)]
pub(super) struct Cpus {
    cpuinfo: HostFile,
    buffer: Vec<u8>,
    counted: Option<Counted>,
}

/// What was counted, and which processors were online then.
#[derive(Debug)]
struct Counted {
    online: Vec<u8>,
    counts: Counts,
}

/// Processors as software sees them, and cores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) logical: i64,
    pub(super) physical: i64,
}

impl Cpus {
    pub(super) fn new(host: &Host) -> Cpus {
        let cpuinfo = host.file(Root::Proc, "cpuinfo");
        Cpus { cpuinfo, buffer: Vec::new(), counted: None }
    }

    /// Counts the processors and cores.
    ///
    /// # Errors
    /// If neither the topology nor the files in `/proc` can be read.
    pub(super) fn count(&mut self, host: &Host) -> Result<Counts, PluginError> {
        let online = self.online(host);
        if let (Some(counted), Some(online)) = (&self.counted, &online)
            && counted.online == *online
        {
            return Ok(counted.counts);
        }
        let counts = self.count_anew(host)?;
        // Only the kernel's own file is sure to agree with the list of those online.
        self.counted = online
            .filter(|_| self.cpuinfo.is_kernels_own())
            .map(|online| Counted { online, counts });
        Ok(counts)
    }

    fn online(&mut self, host: &Host) -> Option<Vec<u8>> {
        let path = Path::new(FOLDER).join("online");
        host.read(Root::Sys, path, &mut self.buffer).ok()?;
        Some(std::mem::take(&mut self.buffer))
    }

    fn count_anew(&mut self, host: &Host) -> Result<Counts, PluginError> {
        let cpuinfo = self.cpuinfo.read(&mut self.buffer);
        let cpuinfo = cpuinfo.map(|()| String::from_utf8_lossy(&self.buffer).to_lowercase());
        let mut logical = cpuinfo.as_deref().map_or(0, count_in_cpuinfo);
        if logical == 0 {
            let mut stat = Vec::new();
            host.read(Root::Proc, "stat", &mut stat)
                .map_err(|error| format!("reading logical CPU count: {error}"))?;
            logical = count_in_stat(&stat);
        }
        let physical = match count_cores(host) {
            0 => cpuinfo
                .as_deref()
                .map(count_cores_in_cpuinfo)
                .map_err(|error| format!("reading physical CPU count: {error}"))?,
            cores => cores,
        };
        Ok(Counts { logical, physical })
    }
}

/// The processors that `/proc/cpuinfo` lists; its text in lower case.
fn count_in_cpuinfo(cpuinfo: &str) -> i64 {
    let is_processor = |line: &str| {
        line.starts_with("processor")
            && line.split_once(':').is_some_and(|(_, number)| number.trim().parse::<i32>().is_ok())
    };
    cpuinfo.split('\n').filter(|line| is_processor(line)).count() as i64
}

/// The processors that `/proc/stat` lists.
fn count_in_stat(stat: &[u8]) -> i64 {
    let lines = stat.split(|byte| *byte == b'\n');
    lines
        .filter_map(|line| line.strip_prefix(b"cpu"))
        .filter(|rest| rest.first().is_some_and(u8::is_ascii_digit))
        .count() as i64
}

/// The cores of the topology: processors that share one name the same siblings.
fn count_cores(host: &Host) -> i64 {
    let cpus: Vec<_> = host
        .names_in(Root::Sys, FOLDER)
        .unwrap_or_default()
        .into_iter()
        .filter(|name| {
            let number = name.as_bytes().strip_prefix(b"cpu");
            number.and_then(<[u8]>::first).is_some_and(u8::is_ascii_digit)
        })
        .collect();
    // Two names of the same, of which kernels before 5.3 know only the second.
    for name in ["topology/core_cpus_list", "topology/thread_siblings_list"] {
        let siblings: HashSet<_> = cpus
            .iter()
            .filter_map(|cpu| one_line(host, &Path::new(FOLDER).join(cpu).join(name)).ok())
            .flatten()
            .collect();
        if !siblings.is_empty() {
            return siblings.len() as i64;
        }
    }
    0
}

/// What a file says if it is a single line.
fn one_line(host: &Host, path: &Path) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    host.read(Root::Sys, path, &mut line)?;
    if line.last() == Some(&b'\n') {
        line.pop();
    } else if line.is_empty() {
        return Ok(None);
    }
    Ok(Some(line).filter(|line| !line.contains(&b'\n')))
}

/// The cores of all sockets, as the sections of `/proc/cpuinfo` tell them; its text in lower case.
fn count_cores_in_cpuinfo(cpuinfo: &str) -> i64 {
    let mut cores_of_sockets = HashMap::new();
    let (mut socket, mut cores) = (None, None);
    let lines = cpuinfo.strip_suffix('\n').unwrap_or(cpuinfo).split('\n');
    for line in lines.map(str::trim) {
        if line.is_empty() {
            // A blank line ends the section of a processor.
            if let (Some(socket), Some(cores)) = (socket, cores) {
                cores_of_sockets.insert(socket, i64::from(cores));
            }
            (socket, cores) = (None, None);
            continue;
        }
        let Some((key, value)) = line.split_once(':') else { continue };
        let place = match key.trim() {
            "physical id" => &mut socket,
            "cpu cores" => &mut cores,
            _ => continue,
        };
        if let Ok(value) = value.trim().parse::<i32>() {
            *place = Some(value);
        }
    }
    cores_of_sockets.values().sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn processors_are_those_with_a_number() {
        assert_eq!(count_in_cpuinfo("processor\t: 0\nflags: x\n\nprocessor\t: 1\n"), 2);
        assert_eq!(count_in_cpuinfo("processor : armv7 rev 4\nprocessor\nprocessors: 2\n"), 1);
        assert_eq!(count_in_stat(b"cpu  1 2\ncpu0 1\ncpu1 1\nintr 5\ncpux 1\n"), 2);
    }

    #[test]
    fn the_cores_of_each_socket_count_once() {
        let section = |socket: &str| format!("physical id\t: {socket}\ncpu cores\t: 4\n\n");
        let cpuinfo = ["0", "0", "1", "x"].map(section).concat();
        assert_eq!(count_cores_in_cpuinfo(&cpuinfo), 8);
        assert_eq!(count_cores_in_cpuinfo("physical id: 0\ncpu cores: 4\n"), 0);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(
            text in "((processor|physical id|cpu cores)?[: a0-9-]{0,12}\n?){0,8}"
        ) {
            count_in_cpuinfo(&text);
            count_in_stat(text.as_bytes());
            count_cores_in_cpuinfo(&text);
        }
    }
}
