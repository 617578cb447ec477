//! Reading what the kernel tells in files, below roots that containers and tests can move.
//!
//! # References
//! Telegraf honours `HOST_PROC`, `HOST_SYS`, `HOST_ETC`, `HOST_RUN`, `HOST_VAR`, `HOST_DEV` and
//! `HOST_MOUNT_PREFIX`; the names are kept, because containers rely on them.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::fs::PROC_SUPER_MAGIC;

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
        File::open(&path)
            .and_then(|mut file| file.read_to_end(buffer))
            .map(|_| ())
            .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
    }

    /// A file below `root` that is read again and again.
    pub fn file(&self, root: Root, path: impl AsRef<Path>) -> HostFile {
        HostFile { path: self.path(root, path), open: None }
    }

    /// The name of this host, as `uname -n` gives it.
    pub fn name(&self) -> String {
        rustix::system::uname().nodename().to_string_lossy().into_owned()
    }

    /// Clock ticks per second, the unit of CPU times in `/proc/stat`.
    pub fn clock_ticks_per_second(&self) -> u64 {
        rustix::param::clock_ticks_per_second()
    }

    /// How many processors this program may use.
    pub fn n_usable_cpus(&self) -> usize {
        rustix::thread::sched_getaffinity(None).map_or(1, |set| set.count() as usize).max(1)
    }

    /// The size of a page of memory.
    pub fn page_size_bytes(&self) -> u64 {
        rustix::param::page_size() as u64
    }
}

/// A file that is read again and again.
///
/// A file of the kernel's own proc file system stays open between reads: what it says is made at
/// each read, and looking its path up costs as much as making it. Any other file is opened anew,
/// because another may have taken its place.
#[derive(Debug)]
pub struct HostFile {
    path: PathBuf,
    open: Option<File>,
}

impl HostFile {
    /// Reads the whole file into `buffer`, replacing what was there.
    ///
    /// # Errors
    /// Whatever opening or reading fails with, the path named.
    pub fn read(&mut self, buffer: &mut Vec<u8>) -> io::Result<()> {
        self.try_read(buffer).map_err(|error| {
            self.open = None;
            io::Error::new(error.kind(), format!("{}: {error}", self.path.display()))
        })
    }

    #[expect(clippy::disallowed_methods, reason = "this is the door to the host's files")]
    fn try_read(&mut self, buffer: &mut Vec<u8>) -> io::Result<()> {
        let file = match self.open.take() {
            Some(file) => file,
            None => File::open(&self.path)?,
        };
        let room = buffer.capacity().max(4096);
        buffer.resize(room, 0);
        let mut length = 0;
        loop {
            if length == buffer.len() {
                buffer.resize(2 * length, 0);
            }
            match file.read_at(&mut buffer[length..], length as u64) {
                Ok(0) => break,
                Ok(n_read) => length += n_read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        buffer.truncate(length);
        if rustix::fs::fstatfs(&file)?.f_type == PROC_SUPER_MAGIC {
            self.open = Some(file);
        }
        Ok(())
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
    fn a_file_is_read_anew_each_time_whatever_its_size() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().to_path_buf();
        let host = Host::new(HostRoots::from_variables(|_| Some(root.clone())));
        let mut file = host.file(Root::Proc, "stat");
        let mut buffer = Vec::new();
        for size in [0, 1, 4_095, 4_096, 4_097, 100_000, 3] {
            let content = vec![b'x'; size];
            // Another file takes the place of the first.
            std::fs::write(folder.path().join("next"), &content).unwrap();
            std::fs::rename(folder.path().join("next"), folder.path().join("stat")).unwrap();
            file.read(&mut buffer).unwrap();
            assert_eq!(buffer, content, "{size} bytes");
        }
        std::fs::remove_file(folder.path().join("stat")).unwrap();
        let error = file.read(&mut buffer).unwrap_err().to_string();
        assert!(error.contains("/stat: "), "{error}");
    }

    #[test]
    fn the_kernels_own_files_stay_open_and_are_up_to_date() {
        let host = Host::new(HostRoots::from_variables(|_| None));
        let mut file = host.file(Root::Proc, "uptime");
        let mut first = Vec::new();
        file.read(&mut first).unwrap();
        assert!(file.open.is_some());
        let mut next = first.clone();
        while next == first {
            file.read(&mut next).unwrap();
        }
    }

    #[test]
    fn a_file_that_is_missing_is_named_in_the_error() {
        let host = Host::new(HostRoots::from_variables(|_| Some("/nonexistent".into())));
        let error = host.read(Root::Proc, "stat", &mut Vec::new()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert!(error.to_string().starts_with("/nonexistent/stat: "), "{error}");
    }
}
