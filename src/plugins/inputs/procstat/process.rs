//! What the kernel tells of one process.
//!
//! # References
//! proc(5); gopsutil's `process`, whose readings Telegraf reports.

use std::collections::HashMap;
use std::io;
use std::path::Path;

use crate::metric::Timestamp;
use crate::system::{Host, Root};

/// What `/proc/PID/stat` tells.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Stat {
    pub parent: i64,
    pub minor_faults: u64,
    pub child_minor_faults: u64,
    pub major_faults: u64,
    pub child_major_faults: u64,
    /// In clock ticks.
    pub user_ticks: u64,
    /// In clock ticks.
    pub system_ticks: u64,
    /// In clock ticks.
    pub io_wait_ticks: u64,
    pub priority: i64,
    pub nice: i64,
    /// In clock ticks since boot.
    pub start_ticks: u64,
}

impl Stat {
    pub(super) fn parse(text: &str) -> Option<Stat> {
        // The name in parentheses may hold anything, parentheses included.
        let (_, rest) = text.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        // As proc(5) numbers them, from 1; those after the name begin with 3.
        let field = |number: usize| fields.get(number - 3).copied();
        let unsigned = |number| field(number)?.parse::<u64>().ok();
        let signed = |number| field(number)?.parse::<i64>().ok();
        Some(Stat {
            parent: signed(4)?,
            minor_faults: unsigned(10)?,
            child_minor_faults: unsigned(11)?,
            major_faults: unsigned(12)?,
            child_major_faults: unsigned(13)?,
            user_ticks: unsigned(14)?,
            system_ticks: unsigned(15)?,
            priority: signed(18)?,
            nice: signed(19)?,
            start_ticks: unsigned(22)?,
            io_wait_ticks: unsigned(42).unwrap_or(0),
        })
    }

    /// Time on CPUs.
    pub(super) fn cpu_ticks(&self) -> u64 {
        self.user_ticks + self.system_ticks
    }
}

/// What `/proc/PID/status` tells.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Status {
    pub name: String,
    pub state: &'static str,
    pub uid: Option<u32>,
    pub parent: i64,
    pub n_threads: i64,
    pub voluntary_switches: i64,
    pub involuntary_switches: i64,
    pub rss_bytes: u64,
    pub vms_bytes: u64,
    pub data_bytes: u64,
    pub stack_bytes: u64,
    pub locked_bytes: u64,
    /// A set of bits, as Telegraf reports it.
    pub pending_signals: u64,
}

impl Status {
    pub(super) fn parse(text: &str) -> Status {
        let mut status = Status::default();
        for line in text.lines() {
            let Some((key, value)) = line.split_once(":\t") else { continue };
            let first = || value.split_ascii_whitespace().next().unwrap_or_default();
            let number = || first().parse().unwrap_or_default();
            let bytes = || first().parse::<u64>().unwrap_or_default().saturating_mul(1024);
            match key {
                "Name" => status.name = value.trim_matches([' ', '\t']).to_owned(),
                "State" => status.state = state_name(value.chars().next()),
                "Uid" => status.uid = first().parse().ok(),
                "PPid" => status.parent = number(),
                "Threads" => status.n_threads = number(),
                "voluntary_ctxt_switches" => status.voluntary_switches = number(),
                "nonvoluntary_ctxt_switches" => status.involuntary_switches = number(),
                "VmRSS" => status.rss_bytes = bytes(),
                "VmSize" => status.vms_bytes = bytes(),
                "VmData" => status.data_bytes = bytes(),
                "VmStk" => status.stack_bytes = bytes(),
                "VmLck" => status.locked_bytes = bytes(),
                "ShdPnd" => {
                    status.pending_signals = u64::from_str_radix(first(), 16).unwrap_or_default();
                }
                _ => {}
            }
        }
        status
    }
}

fn state_name(letter: Option<char>) -> &'static str {
    match letter {
        Some('A') => "daemon",
        Some('D' | 'U') => "blocked",
        Some('E') => "detached",
        Some('I') => "idle",
        Some('L') => "lock",
        Some('O') => "orphan",
        Some('R') => "running",
        Some('S') => "sleep",
        Some('T' | 't') => "stop",
        Some('W') => "wait",
        Some('Y') => "system",
        Some('Z') => "zombie",
        _ => "",
    }
}

/// What `/proc/PID/io` tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Io {
    pub reads: u64,
    pub writes: u64,
    pub read_bytes: u64,
    pub written_bytes: u64,
    pub disk_read_bytes: u64,
    pub disk_written_bytes: u64,
}

impl Io {
    pub(super) fn parse(text: &str) -> Option<Io> {
        let mut io = Io::default();
        for (key, value) in text.lines().filter_map(|line| line.split_once(": ")) {
            let value = value.trim().parse().ok()?;
            match key {
                "rchar" => io.read_bytes = value,
                "wchar" => io.written_bytes = value,
                "syscr" => io.reads = value,
                "syscw" => io.writes = value,
                "read_bytes" => io.disk_read_bytes = value,
                "write_bytes" => io.disk_written_bytes = value,
                _ => {}
            }
        }
        Some(io)
    }
}

/// The lines of `smaps` or `smaps_rollup` that are reported, with the names of their fields.
const MAPS: [(&str, &str); 9] = [
    ("Size", "memory_size"),
    ("Pss", "memory_pss"),
    ("Shared_Clean", "memory_shared_clean"),
    ("Shared_Dirty", "memory_shared_dirty"),
    ("Private_Clean", "memory_private_clean"),
    ("Private_Dirty", "memory_private_dirty"),
    ("Referenced", "memory_referenced"),
    ("Anonymous", "memory_anonymous"),
    ("Swap", "memory_swap"),
];

/// Sums the memory maps up: names of fields with kibibytes.
pub(super) fn parse_maps(text: &str) -> [(&'static str, u64); 9] {
    let mut sums = MAPS.map(|(_, field)| (field, 0));
    for line in text.lines() {
        let Some((key, value)) = line.split_once(':') else { continue };
        if let Some(at) = MAPS.iter().position(|(name, _)| *name == key) {
            let number = value.trim().trim_end_matches(" kB").trim();
            sums[at].1 += number.parse::<u64>().unwrap_or_default();
        }
    }
    sums
}

/// A limit of a process; what is unlimited is the highest number there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limit {
    pub name: &'static str,
    pub soft: u64,
    pub hard: u64,
}

/// The limits that are reported, as the kernel and as metrics name them.
const LIMITS: [(&str, &str); 11] = [
    ("Max cpu time", "cpu_time"),
    ("Max data size", "memory_data"),
    ("Max stack size", "memory_stack"),
    ("Max resident set", "memory_rss"),
    ("Max open files", "num_fds"),
    ("Max locked memory", "memory_locked"),
    ("Max address space", "memory_vms"),
    ("Max file locks", "file_locks"),
    ("Max pending signals", "signals_pending"),
    ("Max nice priority", "nice_priority"),
    ("Max realtime priority", "realtime_priority"),
];

/// Reads what `/proc/PID/limits` tells.
pub(super) fn parse_limits(text: &str) -> Vec<Limit> {
    let parse = |line: &str| {
        let (text, name) =
            LIMITS.iter().find_map(|(text, name)| Some((line.strip_prefix(text)?, *name)))?;
        let mut values = text.split_ascii_whitespace().map(|value| match value {
            "unlimited" => Some(u64::MAX),
            value => value.parse().ok(),
        });
        Some(Limit { name, soft: values.next()??, hard: values.next()?? })
    };
    text.lines().filter_map(parse).collect()
}

/// Reads the files of processes.
pub(super) struct Reader<'h> {
    host: &'h Host,
    buffer: Vec<u8>,
}

impl<'h> Reader<'h> {
    pub(super) fn new(host: &'h Host) -> Reader<'h> {
        Reader { host, buffer: Vec::new() }
    }

    /// The numbers of all processes, ascending.
    pub(super) fn pids(&self) -> io::Result<Vec<i32>> {
        let mut pids = Vec::new();
        for entry in std::fs::read_dir(self.host.path(Root::Proc, ""))? {
            pids.extend(entry?.file_name().to_str().and_then(|name| name.parse::<i32>().ok()));
        }
        pids.sort_unstable();
        Ok(pids)
    }

    /// The numbers of the children of all processes, ascending.
    pub(super) fn children(&mut self) -> io::Result<HashMap<i32, Vec<i32>>> {
        let mut children: HashMap<i32, Vec<i32>> = HashMap::new();
        for pid in self.pids()? {
            let parent = self.stat(pid).and_then(|stat| i32::try_from(stat.parent).ok());
            if let Some(parent) = parent {
                children.entry(parent).or_default().push(pid);
            }
        }
        Ok(children)
    }

    /// Whether there is such a process.
    pub(super) fn exists(&self, pid: i32) -> bool {
        pid > 0 && std::fs::metadata(self.path(pid, "")).is_ok()
    }

    fn path(&self, pid: i32, name: &str) -> std::path::PathBuf {
        let mut path = self.host.path(Root::Proc, pid.to_string());
        if !name.is_empty() {
            path.push(name);
        }
        path
    }

    /// One of the process's files as text.
    pub(super) fn text(&mut self, pid: i32, name: &str) -> Option<String> {
        self.host.read(Root::Proc, format!("{pid}/{name}"), &mut self.buffer).ok()?;
        Some(String::from_utf8_lossy(&self.buffer).into_owned())
    }

    pub(super) fn stat(&mut self, pid: i32) -> Option<Stat> {
        Stat::parse(&self.text(pid, "stat")?)
    }

    pub(super) fn status(&mut self, pid: i32) -> Option<Status> {
        Some(Status::parse(&self.text(pid, "status")?))
    }

    /// The arguments with blanks between them.
    pub(super) fn command_line(&mut self, pid: i32) -> Option<String> {
        let text = self.text(pid, "cmdline")?;
        let words: Vec<_> = text.split('\0').filter(|word| !word.is_empty()).collect();
        Some(words.join(" "))
    }

    /// The name, which the kernel cuts at 15 bytes, in full where the command line tells it.
    pub(super) fn name(&mut self, pid: i32) -> Option<String> {
        let name = match self.text(pid, "comm") {
            Some(name) if !name.trim_end_matches('\n').is_empty() => {
                name.trim_end_matches('\n').to_owned()
            }
            _ => self.status(pid)?.name,
        };
        if name.len() < 15 {
            return Some(name);
        }
        let arguments = self.text(pid, "cmdline").unwrap_or_default();
        let program = arguments.split('\0').next().unwrap_or_default();
        let full = program.rsplit('/').next().filter(|full| full.starts_with(&name));
        Some(full.map_or_else(|| name.clone(), str::to_owned))
    }

    /// The path of the program.
    pub(super) fn executable(&self, pid: i32) -> Option<String> {
        let path = std::fs::read_link(self.path(pid, "exe")).ok()?;
        Some(path.to_string_lossy().into_owned())
    }

    /// How many files are open.
    pub(super) fn n_files(&self, pid: i32) -> Option<u64> {
        Some(std::fs::read_dir(self.path(pid, "fd")).ok()?.count() as u64)
    }

    /// The inodes of the sockets that are open.
    pub(super) fn sockets(&self, pid: i32) -> io::Result<Vec<u32>> {
        let mut inodes = Vec::new();
        for entry in std::fs::read_dir(self.path(pid, "fd"))? {
            // A file may be closed by now.
            let Ok(target) = std::fs::read_link(entry?.path()) else { continue };
            inodes.extend(socket_inode(&target));
        }
        Ok(inodes)
    }

    pub(super) fn io(&mut self, pid: i32) -> Option<Io> {
        Io::parse(&self.text(pid, "io")?)
    }

    pub(super) fn limits(&mut self, pid: i32) -> Option<Vec<Limit>> {
        Some(parse_limits(&self.text(pid, "limits")?))
    }

    pub(super) fn maps(&mut self, pid: i32) -> Option<[(&'static str, u64); 9]> {
        // Kernels since 4.15 sum up themselves.
        let name = if std::fs::metadata(self.path(pid, "smaps_rollup")).is_ok() {
            "smaps_rollup"
        } else {
            "smaps"
        };
        Some(parse_maps(&self.text(pid, name)?))
    }

    /// Resident and virtual memory in pages.
    pub(super) fn memory_pages(&mut self, pid: i32) -> Option<(u64, u64)> {
        let text = self.text(pid, "statm")?;
        let mut fields = text.split_ascii_whitespace().map(|field| field.parse::<u64>().ok());
        let virtual_pages = fields.next()??;
        Some((fields.next()??, virtual_pages))
    }

    /// Seconds from 1970 to the boot of the machine.
    ///
    /// In a container of Docker or LXC this is `now` less the uptime, as gopsutil has it: what the
    /// kernel says of the boot there may be that of the machine below.
    pub(super) fn boot_time_seconds(&mut self, now: Timestamp) -> Option<u64> {
        if self.is_in_container() {
            let text = self.machine_text("uptime")?;
            let uptime: f64 = text.split_ascii_whitespace().next()?.parse().ok()?;
            return Some((now.nanos() as f64 / 1e9 - uptime) as u64);
        }
        let text = self.machine_text("stat")?;
        text.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
    }

    fn is_in_container(&mut self) -> bool {
        let groups = self.machine_text("self/cgroup").unwrap_or_default();
        let environment = self.machine_text("1/environ").unwrap_or_default();
        groups.contains("docker")
            || groups.contains("lxc")
            || environment.contains("container=lxc")
            || Path::new("/.dockerenv").exists()
    }

    fn machine_text(&mut self, name: &str) -> Option<String> {
        self.host.read(Root::Proc, name, &mut self.buffer).ok()?;
        Some(String::from_utf8_lossy(&self.buffer).into_owned())
    }

    /// All memory of the machine in bytes.
    pub(super) fn memory_bytes(&mut self) -> Option<u64> {
        let text = self.machine_text("meminfo")?;
        let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
        line.trim().trim_end_matches(" kB").parse::<u64>().ok()?.checked_mul(1024)
    }
}

fn socket_inode(target: &Path) -> Option<u32> {
    target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STAT: &str = "42 (a) b (c) S 1 42 42 0 -1 4194560 11 12 13 14 150 160 1 2 20 -5 3 0 \
                        1234 1000 200 0 0 0 0 0 0 0 0 0 0 0 0 0 17 1 0 0 7 0 0\n";

    #[test]
    fn a_name_may_hold_blanks_and_parentheses() {
        let stat = Stat::parse(STAT).unwrap();
        assert_eq!((stat.parent, stat.user_ticks, stat.system_ticks), (1, 150, 160));
        assert_eq!((stat.minor_faults, stat.child_minor_faults), (11, 12));
        assert_eq!((stat.priority, stat.nice, stat.start_ticks), (20, -5, 1234));
        assert_eq!(stat.io_wait_ticks, 7);
        assert_eq!(Stat::parse("42 (a) S 1"), None);
    }

    #[test]
    fn sizes_are_in_bytes_and_signals_are_bits() {
        let status = Status::parse(
            "Name:\ta b\nState:\tS (sleeping)\nPPid:\t7\nUid:\t1\t2\t3\t4\nThreads:\t5\n\
             VmRSS:\t    10 kB\nShdPnd:\t0000000000000110\nvoluntary_ctxt_switches:\t9\n",
        );
        assert_eq!((status.name.as_str(), status.state), ("a b", "sleep"));
        assert_eq!((status.uid, status.parent, status.n_threads), (Some(1), 7, 5));
        assert_eq!((status.rss_bytes, status.pending_signals), (10_240, 0x110));
        assert_eq!(status.voluntary_switches, 9);
    }

    #[test]
    fn maps_are_summed_up() {
        let text = "00-01 r-xp 0 08:02 1 /bin/a\nSize: 4 kB\nPss: 3 kB\nVmFlags: rd ex\n\
                    01-02 rw-p 0 08:02 1 /bin/a\nSize: 8 kB\nPss: 1 kB\nSwapPss: 5 kB\n";
        let sums = parse_maps(text);
        assert_eq!(sums[0], ("memory_size", 12));
        assert_eq!(sums[1], ("memory_pss", 4));
        assert_eq!(sums[8], ("memory_swap", 0));
    }

    #[test]
    fn limits_without_a_limit_are_the_highest_number() {
        let limits = parse_limits(
            "Limit                     Soft Limit           Hard Limit           Units\n\
             Max cpu time              unlimited            unlimited            seconds\n\
             Max open files            1024                 4096                 files\n\
             Max nice priority         0                    1\n\
             Max processes             1                    1                    processes\n",
        );
        assert_eq!(
            limits,
            [
                Limit { name: "cpu_time", soft: u64::MAX, hard: u64::MAX },
                Limit { name: "num_fds", soft: 1024, hard: 4096 },
                Limit { name: "nice_priority", soft: 0, hard: 1 },
            ]
        );
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[ -~\n\tż]{0,80}") {
            let _ = Stat::parse(&text);
            let _ = Status::parse(&text);
            let _ = Io::parse(&text);
            let _ = parse_maps(&text);
            let _ = parse_limits(&text);
        }
    }
}
