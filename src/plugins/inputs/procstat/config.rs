//! The settings of the input.

use serde::{Deserialize, Serialize};

use super::finder::PidFinder;
use crate::plugin::go::Regex;
use crate::plugin::{BuildError, Patterns, Quoted};

/// The settings of the input.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default)]
pub struct Config {
    /// A file with the number of a process.
    pub pid_file: String,
    /// What the name of a program matches.
    pub exe: String,
    /// What a command line matches.
    pub pattern: String,
    /// Who owns the processes.
    pub user: String,
    /// The systemd unit that they belong to.
    pub systemd_unit: String,
    /// Whether all processes of the unit are meant rather than the main one.
    pub include_systemd_children: bool,
    /// The control group that they belong to.
    pub cgroup: String,
    /// The units of supervisord that they belong to.
    pub supervisor_units: Vec<String>,
    /// The older form for a single unit.
    pub supervisor_unit: String,
    /// A service of Windows.
    pub win_service: String,
    /// The name to report instead of the process's own.
    pub process_name: String,
    /// What stands before the names of fields.
    pub prefix: String,
    /// How the usage of CPUs is counted.
    pub mode: String,
    /// What becomes a tag rather than a field.
    pub tag_with: Vec<String>,
    /// An older way to say `pid` in `tag_with`.
    pub pid_tag: bool,
    /// An older way to say `cmdline` in `tag_with`.
    pub cmdline_tag: bool,
    /// What is collected.
    pub properties: Vec<String>,
    /// The sockets that are collected.
    pub socket_protocols: Vec<String>,
    /// How processes are found.
    pub pid_finder: PidFinder,
    /// Newer filters, which take the place of all options that find processes.
    pub filter: Option<Vec<FilterConfig>>,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            pid_file: String::new(),
            exe: String::new(),
            pattern: String::new(),
            user: String::new(),
            systemd_unit: String::new(),
            include_systemd_children: false,
            cgroup: String::new(),
            supervisor_units: Vec::new(),
            supervisor_unit: String::new(),
            win_service: String::new(),
            process_name: String::new(),
            prefix: String::new(),
            mode: "irix".to_owned(),
            tag_with: Vec::new(),
            pid_tag: false,
            cmdline_tag: false,
            properties: ["cpu", "memory", "mmap"].map(str::to_owned).to_vec(),
            socket_protocols: vec!["all".to_owned()],
            pid_finder: PidFinder::default(),
            filter: None,
        }
    }
}

/// A newer filter.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct FilterConfig {
    /// Its name, which becomes a tag.
    pub name: String,
    /// Files with the number of a process.
    pub pid_files: Vec<String>,
    /// Patterns for systemd units.
    pub systemd_units: Vec<String>,
    /// Patterns for control groups.
    pub cgroups: Vec<String>,
    /// Units of supervisord.
    pub supervisor_units: Vec<String>,
    /// Services of Windows.
    pub win_services: Vec<String>,
    /// Regular expressions for command lines.
    pub patterns: Vec<String>,
    /// Patterns for owners.
    pub users: Vec<String>,
    /// Patterns for the paths of programs.
    pub executables: Vec<String>,
    /// Patterns for names of processes.
    pub process_names: Vec<String>,
    /// How many generations of children belong to it, all if negative.
    pub recursion_depth: i64,
}

/// What is reported of a process, and how.
#[derive(Debug, Clone, Default)]
pub(super) struct Report {
    /// What stands before the names of fields, with its `_`.
    pub prefix: String,
    /// The name to report instead of the process's own.
    pub process_name: Option<String>,
    /// Whether the usage of all CPUs together is 100 %, rather than that of each.
    pub divides_by_cpus: bool,
    pub tags: Tags,
    pub has_cpu: bool,
    pub has_limits: bool,
    pub has_memory: bool,
    pub has_mmap: bool,
    /// The sockets to report.
    pub sockets: Vec<Protocol>,
}

/// What becomes a tag rather than a field.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tags {
    pub cmdline: bool,
    pub pid: bool,
    pub ppid: bool,
    pub status: bool,
    pub user: bool,
    pub level: bool,
    pub protocol: bool,
    pub state: bool,
    pub src: bool,
    pub src_port: bool,
    pub dest: bool,
    pub dest_port: bool,
    pub name: bool,
}

/// A kind of socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    Tcp4,
    Tcp6,
    Udp4,
    Udp6,
    Unix,
}

impl Protocol {
    const ALL: [Protocol; 5] =
        [Protocol::Tcp4, Protocol::Tcp6, Protocol::Udp4, Protocol::Udp6, Protocol::Unix];

    /// Its name in settings and metrics.
    pub(super) fn name(self) -> &'static str {
        match self {
            Protocol::Tcp4 => "tcp4",
            Protocol::Tcp6 => "tcp6",
            Protocol::Udp4 => "udp4",
            Protocol::Udp6 => "udp6",
            Protocol::Unix => "unix",
        }
    }
}

impl Config {
    /// What is reported of a process.
    ///
    /// # Errors
    /// If there is no such tag, property or protocol.
    pub(super) fn report(&self) -> Result<Report, BuildError> {
        let has = |name: &str| self.properties.iter().any(|property| property == name);
        let known = ["cpu", "limits", "memory", "mmap", "sockets"];
        if let Some(unknown) = self.properties.iter().find(|name| !known.contains(&name.as_str())) {
            return Err(invalid("properties", unknown));
        }
        Ok(Report {
            prefix: if self.prefix.is_empty() {
                String::new()
            } else {
                format!("{}_", self.prefix)
            },
            process_name: Some(self.process_name.clone()).filter(|name| !name.is_empty()),
            divides_by_cpus: self.mode.eq_ignore_ascii_case("solaris"),
            tags: self.tags(has("sockets"))?,
            has_cpu: has("cpu"),
            has_limits: has("limits"),
            has_memory: has("memory"),
            has_mmap: has("mmap"),
            sockets: if has("sockets") { self.protocols()? } else { Vec::new() },
        })
    }

    fn tags(&self, has_sockets: bool) -> Result<Tags, BuildError> {
        let mut tags = Tags { pid: self.pid_tag, cmdline: self.cmdline_tag, ..Tags::default() };
        for name in &self.tag_with {
            let (tag, is_of_socket) = match name.as_str() {
                "cmdline" => (&mut tags.cmdline, false),
                "pid" => (&mut tags.pid, false),
                "ppid" => (&mut tags.ppid, false),
                "status" => (&mut tags.status, false),
                "user" => (&mut tags.user, false),
                "level" => (&mut tags.level, false),
                // These are tags anyway.
                "child_level" | "parent_pid" => continue,
                "protocol" => (&mut tags.protocol, true),
                "state" => (&mut tags.state, true),
                "src" => (&mut tags.src, true),
                "src_port" => (&mut tags.src_port, true),
                "dest" => (&mut tags.dest, true),
                "dest_port" => (&mut tags.dest_port, true),
                "name" => (&mut tags.name, true),
                _ => return Err(invalid("tag_with", name)),
            };
            if is_of_socket && !has_sockets {
                return Err(BuildError::invalid(format!(
                    "socket tagging option {} specified without sockets enabled",
                    Quoted::new(name)
                )));
            }
            *tag = true;
        }
        Ok(tags)
    }

    fn protocols(&self) -> Result<Vec<Protocol>, BuildError> {
        let mut protocols = Vec::new();
        for name in &self.socket_protocols {
            if name == "all" {
                if self.socket_protocols.len() > 1 {
                    return Err(BuildError::invalid(
                        "additional 'socket_protocol' settings besides 'all' are not allowed",
                    ));
                }
                return Ok(Protocol::ALL.to_vec());
            }
            let protocol = Protocol::ALL.into_iter().find(|protocol| protocol.name() == name);
            let protocol = protocol.ok_or_else(|| invalid("socket_protocol", name))?;
            if protocols.contains(&protocol) {
                return Err(BuildError::invalid(format!(
                    "duplicate {} in 'socket_protocol' setting",
                    Quoted::new(name)
                )));
            }
            protocols.push(protocol);
        }
        // None is the same as all.
        Ok(if protocols.is_empty() { Protocol::ALL.to_vec() } else { protocols })
    }

    /// Whether one of the older options to find processes is set.
    pub(super) fn has_selection(&self) -> bool {
        let texts = [
            &self.pid_file,
            &self.exe,
            &self.pattern,
            &self.user,
            &self.systemd_unit,
            &self.cgroup,
            &self.supervisor_unit,
            &self.win_service,
        ];
        !self.supervisor_units.is_empty() || texts.iter().any(|text| !text.is_empty())
    }
}

fn invalid(option: &str, value: &str) -> BuildError {
    BuildError::invalid(format!("invalid '{option}' setting {}", Quoted::new(value)))
}

/// Where the processes of a newer filter come from.
#[derive(Debug)]
pub(super) enum Service {
    PidFiles(Vec<String>),
    Cgroups(Vec<String>),
    SystemdUnits(Vec<String>),
    SupervisorUnits(Vec<String>),
    /// Not on this system.
    Windows,
    Any,
}

/// A newer filter, ready for use.
#[derive(Debug)]
pub(super) struct Filter {
    pub name: String,
    pub service: Service,
    pub patterns: Vec<Regex>,
    pub users: Option<Patterns>,
    pub executables: Option<Patterns>,
    pub process_names: Option<Patterns>,
    pub recursion_depth: i64,
}

impl Filter {
    /// Makes the filter that the settings ask for.
    ///
    /// # Errors
    /// What is wrong with them.
    pub(super) fn new(config: &FilterConfig) -> Result<Filter, String> {
        let name = config.name.clone();
        if name.is_empty() {
            return Err("filter must be named".to_owned());
        }
        let quoted = Quoted::new(&name);
        let mut patterns = Vec::new();
        for pattern in &config.patterns {
            patterns.push(Regex::new(pattern).map_err(|error| {
                let pattern = Quoted::new(pattern);
                format!("compiling pattern {pattern} of filter {quoted} failed: {error}")
            })?);
        }
        let compile = |what: &str, list: &[String]| {
            Patterns::new(list)
                .map_err(|error| format!("compiling {what} filter for {quoted} failed: {error}"))
        };
        Ok(Filter {
            service: service(config)?,
            patterns,
            users: compile("users", &config.users)?,
            executables: compile("executables", &config.executables)?,
            process_names: compile("process-names", &config.process_names)?,
            recursion_depth: config.recursion_depth,
            name,
        })
    }
}

fn service(config: &FilterConfig) -> Result<Service, String> {
    let lists = [
        ("pid_files", &config.pid_files),
        ("cgroups", &config.cgroups),
        ("systemd_units", &config.systemd_units),
        ("supervisor_units", &config.supervisor_units),
        ("win_services", &config.win_services),
    ];
    let active: Vec<_> = lists.into_iter().filter(|(_, list)| !list.is_empty()).collect();
    match active[..] {
        [] => Ok(Service::Any),
        [(name, list)] => {
            let list = list.clone();
            Ok(match name {
                "pid_files" => Service::PidFiles(list),
                "cgroups" => Service::Cgroups(list),
                "systemd_units" => Service::SystemdUnits(list),
                "supervisor_units" => Service::SupervisorUnits(list),
                _ => Service::Windows,
            })
        }
        _ => {
            let names: Vec<_> = active.iter().map(|(name, _)| *name).collect();
            Err(format!("cannot select multiple services {:?}", names.join(", ")))
        }
    }
}
