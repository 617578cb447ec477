//! Reading what the kernel tells in files, below roots that containers and tests can move.
//!
//! # References
//! Telegraf honours `HOST_PROC`, `HOST_SYS`, `HOST_ETC`, `HOST_RUN`, `HOST_VAR`, `HOST_DEV` and
//! `HOST_MOUNT_PREFIX`; the names are kept, because containers rely on them.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// The roots under which the host's files are found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostRoots {
    /// `/proc`, or `HOST_PROC`.
    pub proc: PathBuf,
    /// `/sys`, or `HOST_SYS`.
    pub sys: PathBuf,
    /// `/etc`, or `HOST_ETC`.
    pub etc: PathBuf,
    /// `/run`, or `HOST_RUN`.
    pub run: PathBuf,
    /// `/var`, or `HOST_VAR`.
    pub var: PathBuf,
    /// `/dev`, or `HOST_DEV`.
    pub dev: PathBuf,
    /// What stands before every mount point seen from here; empty, or `HOST_MOUNT_PREFIX`.
    pub mount_prefix: PathBuf,
}

impl HostRoots {
    /// The roots as the environment of this process names them.
    #[expect(clippy::disallowed_methods, reason = "this is the door to the environment")]
    pub fn from_environment() -> HostRoots {
        HostRoots::from_variables(|name| std::env::var_os(name).map(PathBuf::from))
    }

    /// The roots as `variable` names them; empty and missing variables leave the default.
    pub fn from_variables(variable: impl Fn(&str) -> Option<PathBuf>) -> HostRoots {
        let root = |name: &str, default: &str| {
            variable(name)
                .filter(|value| !value.as_os_str().is_empty())
                .unwrap_or_else(|| PathBuf::from(default))
        };
        HostRoots {
            proc: root("HOST_PROC", "/proc"),
            sys: root("HOST_SYS", "/sys"),
            etc: root("HOST_ETC", "/etc"),
            run: root("HOST_RUN", "/run"),
            var: root("HOST_VAR", "/var"),
            dev: root("HOST_DEV", "/dev"),
            mount_prefix: root("HOST_MOUNT_PREFIX", ""),
        }
    }
}

/// The value of an environment variable; one that is not UTF-8 counts as unset.
#[expect(clippy::disallowed_methods, reason = "this is the door to the environment")]
pub fn environment_variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Which root a path is below.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Root {
    /// Process and kernel information.
    Proc,
    /// Devices and drivers.
    Sys,
    /// Configuration of the host.
    Etc,
    /// State since boot.
    Run,
    /// State that outlives a boot.
    Var,
    /// Device nodes.
    Dev,
}

/// Reads the host's files.
#[derive(Debug)]
pub struct Host {
    roots: HostRoots,
}

impl Host {
    /// Makes a host that reads below `roots`.
    pub fn new(roots: HostRoots) -> Host {
        Host { roots }
    }

    /// The roots it reads below.
    pub fn roots(&self) -> &HostRoots {
        &self.roots
    }

    /// The full path of `path` below `root`.
    pub fn path(&self, root: Root, path: impl AsRef<Path>) -> PathBuf {
        let root = match root {
            Root::Proc => &self.roots.proc,
            Root::Sys => &self.roots.sys,
            Root::Etc => &self.roots.etc,
            Root::Run => &self.roots.run,
            Root::Var => &self.roots.var,
            Root::Dev => &self.roots.dev,
        };
        root.join(path)
    }

    /// Reads a whole file below `root` into `buffer`, replacing what was there.
    ///
    /// Keeping the buffer between calls spares an allocation each round.
    ///
    /// # Errors
    /// Whatever opening or reading fails with, the path named.
    #[expect(clippy::disallowed_methods, reason = "this is the door to the host's files")]
    pub fn read(&self, root: Root, path: impl AsRef<Path>, buffer: &mut Vec<u8>) -> io::Result<()> {
        buffer.clear();
        let path = self.path(root, path);
        std::fs::File::open(&path)
            .and_then(|mut file| file.read_to_end(buffer))
            .map(|_| ())
            .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
    }

    /// The name of this host, as `uname -n` gives it.
    pub fn name(&self) -> String {
        rustix::system::uname().nodename().to_string_lossy().into_owned()
    }

    /// Clock ticks per second, the unit of CPU times in `/proc/stat`.
    pub fn clock_ticks_per_second(&self) -> u64 {
        rustix::param::clock_ticks_per_second()
    }

    /// The size of a page of memory.
    pub fn page_size_bytes(&self) -> u64 {
        rustix::param::page_size() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_move_the_roots_and_empty_ones_do_not() {
        let roots = HostRoots::from_variables(|name| match name {
            "HOST_PROC" => Some("/host/proc".into()),
            "HOST_SYS" => Some("".into()),
            _ => None,
        });
        assert_eq!(roots.proc, Path::new("/host/proc"));
        assert_eq!(roots.sys, Path::new("/sys"));
        assert_eq!(roots.mount_prefix, Path::new(""));
    }

    #[test]
    fn a_file_that_is_missing_is_named_in_the_error() {
        let host = Host::new(HostRoots::from_variables(|_| Some("/nonexistent".into())));
        let error = host.read(Root::Proc, "stat", &mut Vec::new()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert!(error.to_string().starts_with("/nonexistent/stat: "), "{error}");
    }
}
