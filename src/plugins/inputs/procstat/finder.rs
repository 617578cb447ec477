//! Finds processes as the older options ask for, and by what manages them.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::command::{
    CommandError, SupervisorUnit, parse_pid, pgrep, supervisor_units, systemd_main_pid,
    systemd_units,
};
use super::config::Config;
use super::group::Group;
use super::process::Reader;
use super::users::Users;
use crate::plugin::Quoted;
use crate::plugin::go::{Regex, RegexError};
use crate::system::{ErrorWords, Glob, Host, Root};

/// How processes are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PidFinder {
    /// By asking `pgrep`.
    #[default]
    #[serde(alias = "")]
    Pgrep,
    /// By looking at all of them.
    Native,
}

impl PidFinder {
    /// Its name in metrics.
    pub(super) fn name(self) -> &'static str {
        match self {
            PidFinder::Pgrep => "pgrep",
            PidFinder::Native => "native",
        }
    }
}

/// Why processes were not found.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// A file with a number cannot be read.
    #[error("failed to read pidfile {}: open {path}: {}", Quoted::new(path), ErrorWords(source))]
    PidFile {
        /// The file.
        path: String,
        /// What the system says.
        source: io::Error,
    },
    /// A file with a number holds none.
    #[error("failed to parse PID in file {}: {}", Quoted::new(path), Quoted::new(text))]
    PidFileContent {
        /// The file.
        path: String,
        /// What it holds.
        text: String,
    },
    /// A control group is no folder.
    #[error("not a directory {}", .0.display())]
    NoFolder(PathBuf),
    /// A pattern for control groups is malformed.
    #[error("glob failed: syntax error in pattern")]
    Glob,
    /// Something cannot be read.
    #[error("open {}: {}", .path.display(), ErrorWords(source))]
    Read {
        /// What.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A program gave no answer.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// A regular expression is malformed.
    #[error(transparent)]
    Regex(#[from] RegexError),
    /// There is no such thing here.
    #[error("os not supporting win_service option")]
    Windows,
}

/// Finds processes.
pub(super) struct Finder<'a> {
    pub host: &'a Host,
    /// Where `pgrep` is.
    pub pgrep: &'a str,
    pub users: &'a mut Users,
}

impl Finder<'_> {
    /// The processes that the older options ask for; the first that is set counts.
    pub(super) fn find(&mut self, config: &Config) -> Result<Vec<Group>, FindError> {
        let one =
            |pids, key, value: &str| Ok(vec![Group::new(pids, vec![(key, value.to_owned())])]);
        if !config.supervisor_units.is_empty() {
            return self.supervised(config);
        }
        if !config.systemd_unit.is_empty() {
            let unit = &config.systemd_unit;
            if config.include_systemd_children {
                return self.cgroup(&self.cgroup_of_unit(unit));
            }
            let pids = systemd_main_pid(unit)?.into_iter().collect();
            return one(pids, "systemd_unit", unit);
        }
        if !config.win_service.is_empty() {
            return Err(FindError::Windows);
        }
        if !config.cgroup.is_empty() {
            return self.cgroup(&config.cgroup);
        }
        if !config.pid_file.is_empty() {
            return one(vec![pid_in_file(&config.pid_file)?], "pidfile", &config.pid_file);
        }
        let is_native = config.pid_finder == PidFinder::Native;
        let (pids, key, value) = if !config.exe.is_empty() {
            let pids = if is_native {
                self.matching(&config.exe, |reader, pid| reader.executable(pid))?
            } else {
                pgrep(self.pgrep, &[&config.exe])?
            };
            (pids, "exe", &config.exe)
        } else if !config.pattern.is_empty() {
            let pids = if is_native {
                self.matching(&config.pattern, |reader, pid| reader.command_line(pid))?
            } else {
                pgrep(self.pgrep, &["-f", &config.pattern])?
            };
            (pids, "pattern", &config.pattern)
        } else {
            let pids = if is_native {
                self.owned_by(&config.user)?
            } else {
                pgrep(self.pgrep, &["-u", &config.user])?
            };
            (pids, "user", &config.user)
        };
        one(pids, key, value)
    }

    fn pids(&self) -> Result<Vec<i32>, FindError> {
        let path = || self.host.path(Root::Proc, "");
        Reader::new(self.host).pids().map_err(|source| FindError::Read { path: path(), source })
    }

    fn matching(
        &self,
        pattern: &str,
        text: impl Fn(&mut Reader<'_>, i32) -> Option<String>,
    ) -> Result<Vec<i32>, FindError> {
        let pattern = Regex::new(pattern)?;
        let mut reader = Reader::new(self.host);
        let mut pids = self.pids()?;
        pids.retain(|pid| text(&mut reader, *pid).is_some_and(|text| pattern.is_match(&text)));
        Ok(pids)
    }

    fn owned_by(&mut self, user: &str) -> Result<Vec<i32>, FindError> {
        let mut reader = Reader::new(self.host);
        let mut pids = self.pids()?;
        pids.retain(|pid| {
            let uid = reader.status(*pid).and_then(|status| status.uid);
            uid.is_some_and(|uid| self.users.name(uid) == user)
        });
        Ok(pids)
    }

    fn supervised(&self, config: &Config) -> Result<Vec<Group>, FindError> {
        let known = supervisor_units(&config.supervisor_units)?;
        let mut groups = Vec::new();
        for name in &config.supervisor_units {
            let Some(unit) = known.iter().find(|unit| unit.name == *name) else { continue };
            let Some((pid, _)) = &unit.running else {
                groups.push(Group::new(Vec::new(), unit_tags(unit)));
                continue;
            };
            let pids = match config.pid_finder {
                PidFinder::Pgrep => pgrep(self.pgrep, &["-P", pid])?,
                PidFinder::Native => self.children(parse_pid(pid)?)?,
            };
            if pids.is_empty() {
                continue;
            }
            let mut tags = unit_tags(unit);
            if !config.pattern.is_empty() {
                tags.push(("pattern", config.pattern.clone()));
                tags.push(("parent_pid", config.pattern.clone()));
            }
            groups.push(Group::new(pids, tags));
        }
        Ok(groups)
    }

    fn children(&self, pid: i32) -> Result<Vec<i32>, FindError> {
        let path = || self.host.path(Root::Proc, "");
        let mut children = Reader::new(self.host)
            .children()
            .map_err(|source| FindError::Read { path: path(), source })?;
        Ok(children.remove(&pid).unwrap_or_default())
    }

    /// The processes of newer filters by units of supervisord.
    pub(super) fn by_supervisor(&self, units: &[String]) -> Result<Vec<Group>, FindError> {
        let mut groups = Vec::new();
        for unit in supervisor_units(units)? {
            let mut tags = unit_tags(&unit);
            let mut pids = Vec::new();
            if let Some((pid, _)) = &unit.running {
                pids = self.children(parse_pid(pid)?)?;
                tags.push(("parent_pid", pid.clone()));
            }
            groups.push(Group::new(pids, tags));
        }
        Ok(groups)
    }

    /// The main processes of systemd units.
    pub(super) fn by_systemd(&self, patterns: &[String]) -> Result<Vec<Group>, FindError> {
        let mut groups = Vec::new();
        for unit in systemd_units(patterns)? {
            if let Some(pid) = systemd_main_pid(&unit)? {
                groups.push(Group::new(vec![pid], vec![("systemd_unit", unit)]));
            }
        }
        Ok(groups)
    }

    /// The processes of files with numbers.
    pub(super) fn by_pid_files(&self, paths: &[String]) -> Result<Vec<Group>, FindError> {
        let group = |path: &String| {
            Ok(Group::new(vec![pid_in_file(path)?], vec![("pidfile", path.clone())]))
        };
        paths.iter().map(group).collect()
    }

    /// The processes of control groups.
    pub(super) fn by_cgroups(&self, patterns: &[String]) -> Result<Vec<Group>, FindError> {
        let mut groups = Vec::new();
        for pattern in patterns {
            groups.extend(self.cgroup(pattern)?);
        }
        Ok(groups)
    }

    fn cgroup_of_unit(&self, unit: &str) -> String {
        // Where the first version of control groups is in use systemd has a hierarchy of its own.
        let slice = "systemd/system.slice";
        let has_own = self.cgroup_root().join(slice).exists();
        format!("{}/{unit}", if has_own { slice } else { "system.slice" })
    }

    fn cgroup_root(&self) -> PathBuf {
        self.host.path(Root::Sys, "fs/cgroup")
    }

    fn cgroup(&self, pattern: &str) -> Result<Vec<Group>, FindError> {
        let path = self.cgroup_root().join(pattern);
        let glob = Glob::for_commands(&path.to_string_lossy()).map_err(|_| FindError::Glob)?;
        let mut groups = Vec::new();
        for folder in glob.paths() {
            let tags = vec![
                ("cgroup", pattern.to_owned()),
                ("cgroup_full", folder.to_string_lossy().into_owned()),
            ];
            groups.push(Group::new(pids_in_cgroup(&folder)?, tags));
        }
        Ok(groups)
    }
}

fn unit_tags(unit: &SupervisorUnit) -> Vec<(&'static str, String)> {
    let mut tags = vec![("supervisor_unit", unit.name.clone()), ("status", unit.status.clone())];
    tags.extend(unit.error.clone().map(|error| ("error", error)));
    tags.extend(unit.running.clone().map(|(_, uptime)| ("uptimes", uptime)));
    tags
}

fn pid_in_file(path: &str) -> Result<i32, FindError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| FindError::PidFile { path: path.to_owned(), source })?;
    let text = text.trim();
    text.parse()
        .map_err(|_| FindError::PidFileContent { path: path.to_owned(), text: text.to_owned() })
}

fn pids_in_cgroup(folder: &Path) -> Result<Vec<i32>, FindError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        |source| FindError::Read { path, source }
    };
    if !std::fs::metadata(folder).map_err(failed(folder))?.is_dir() {
        return Err(FindError::NoFolder(folder.to_owned()));
    }
    let path = folder.join("cgroup.procs");
    let text = std::fs::read_to_string(&path).map_err(failed(&path))?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.map(|line| parse_pid(line).map_err(FindError::from)).collect()
}
