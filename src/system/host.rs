//! Reading what the kernel tells in files, below roots that containers and tests can move.
//!
//! # References
//! Telegraf honours `HOST_PROC`, `HOST_SYS`, `HOST_ETC`, `HOST_RUN`, `HOST_VAR`, `HOST_DEV`,
//! `HOST_PROC_MOUNTINFO`, `HOST_MOUNT_PREFIX` and `HOST_ROOT`; the names are kept, because
//! containers rely on them.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use rustix::buffer::spare_capacity;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::PROC_SUPER_MAGIC;
use rustix::io::Errno;

use super::{ErrorWords, HostProcesses};

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
    /// The list of mounts; empty for that of the first process, or `HOST_PROC_MOUNTINFO`.
    pub mountinfo: PathBuf,
    /// Where properties of disks are looked up.
    pub disks: DiskRoots,
}

/// The roots for properties of disks, which also follow `HOST_ROOT` and `HOST_MOUNT_PREFIX`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskRoots {
    /// `/dev`, or `HOST_DEV`, or `dev` in `HOST_ROOT` or in `HOST_MOUNT_PREFIX`.
    pub dev: PathBuf,
    /// `/run`, in the same way.
    pub run: PathBuf,
    /// `/sys`, in the same way.
    pub sys: PathBuf,
}

impl HostRoots {
    /// The roots as the environment of this process names them.
    #[expect(clippy::disallowed_methods, reason = "this is the door to the environment")]
    pub fn from_environment() -> HostRoots {
        HostRoots::from_variables(|name| std::env::var_os(name).map(PathBuf::from))
    }

    /// The roots as `variable` names them; empty and missing variables leave the default.
    pub fn from_variables(variable: impl Fn(&str) -> Option<PathBuf>) -> HostRoots {
        let set = |name: &str| variable(name).filter(|value| !value.as_os_str().is_empty());
        let root = |name: &str, default: &str| set(name).unwrap_or_else(|| PathBuf::from(default));
        let whole = set("HOST_ROOT").or_else(|| set("HOST_MOUNT_PREFIX"));
        let disk_root = |name: &str, folder: &str| {
            set(name).unwrap_or_else(|| whole.as_deref().unwrap_or(Path::new("/")).join(folder))
        };
        HostRoots {
            proc: root("HOST_PROC", "/proc"),
            sys: root("HOST_SYS", "/sys"),
            etc: root("HOST_ETC", "/etc"),
            run: root("HOST_RUN", "/run"),
            var: root("HOST_VAR", "/var"),
            dev: root("HOST_DEV", "/dev"),
            mount_prefix: root("HOST_MOUNT_PREFIX", ""),
            mountinfo: root("HOST_PROC_MOUNTINFO", ""),
            disks: DiskRoots {
                dev: disk_root("HOST_DEV", "dev"),
                run: disk_root("HOST_RUN", "run"),
                sys: disk_root("HOST_SYS", "sys"),
            },
        }
    }
}

/// The value of an environment variable; one that is not UTF-8 counts as unset.
#[expect(clippy::disallowed_methods, reason = "this is the door to the environment")]
pub fn environment_variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The names of the environment variables that begin with `prefix`, in any order.
pub fn environment_names(prefix: &str) -> Vec<String> {
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    names.filter(|name| name.starts_with(prefix)).collect()
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

    /// The same host, seen below the roots for properties of disks.
    pub fn for_disks(&self) -> Host {
        let DiskRoots { dev, run, sys } = self.roots.disks.clone();
        Host::new(HostRoots { dev, run, sys, ..self.roots.clone() })
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
        let mut file = File::open(&path).map_err(|error| worded("open", &path, &error))?;
        file.read_to_end(buffer).map(|_| ()).map_err(|error| worded("read", &path, &error))
    }

    /// The names in the folder `path` below `root`, in no order.
    ///
    /// # Errors
    /// Whatever opening or reading fails with, the path named.
    pub fn names_in(&self, root: Root, path: impl AsRef<Path>) -> io::Result<Vec<OsString>> {
        let path = self.path(root, path);
        std::fs::read_dir(&path)
            .and_then(|entries| entries.map(|entry| Ok(entry?.file_name())).collect())
            .map_err(|error| worded("open", &path, &error))
    }

    /// The processes, gone through again and again.
    pub fn processes(&self) -> HostProcesses {
        HostProcesses::new(self.path(Root::Proc, ""))
    }

    /// A file below `root` that is read again and again.
    pub fn file(&self, root: Root, path: impl AsRef<Path>) -> HostFile {
        HostFile::new(self.path(root, path))
    }

    /// A file below `root` that is read again and again, and that the kernel makes in one piece
    /// (`single_open` in its source): `/proc/stat`, `meminfo`, `uptime`, `loadavg`. No read is
    /// needed to see its end.
    pub fn file_in_one_piece(&self, root: Root, path: impl AsRef<Path>) -> HostFile {
        HostFile { makes: Makes::OnePiece, ..self.file(root, path) }
    }

    /// The name of this host, as `uname -n` gives it.
    pub fn name(&self) -> String {
        rustix::system::uname().nodename().to_string_lossy().into_owned()
    }

    /// The release of the kernel, as `uname -r` gives it.
    pub fn kernel_release(&self) -> String {
        rustix::system::uname().release().to_string_lossy().into_owned()
    }

    /// The architecture of the machine, as `uname -m` gives it.
    pub fn architecture(&self) -> String {
        rustix::system::uname().machine().to_string_lossy().into_owned()
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
    makes: Makes,
    open: Option<File>,
}

/// How the kernel makes a file's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Makes {
    /// All at once: a read that leaves room in the buffer has brought everything.
    OnePiece,
    /// By records: a read may bring less than there is.
    Pieces,
}

impl HostFile {
    /// Makes the file at `path`, which need not be there.
    pub fn new(path: PathBuf) -> HostFile {
        HostFile { path, makes: Makes::Pieces, open: None }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it was last read out of the kernel's own proc file system.
    pub fn is_kernels_own(&self) -> bool {
        self.open.is_some()
    }

    /// Whether it may say something else than when it was last read or this was last asked.
    ///
    /// Only for the kernel's lists of mounts and of swap space, whose changes poll(2) tells of:
    /// asking takes a hundredth of the time of reading a list of mounts.
    pub fn may_have_changed(&self) -> bool {
        let Some(file) = &self.open else { return true };
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        let ready = poll(&mut [PollFd::new(file, PollFlags::PRI)], Some(&at_once));
        ready != Ok(0)
    }

    /// Reads the whole file into `buffer`, replacing what was there.
    ///
    /// # Errors
    /// Whatever opening or reading fails with, the path named.
    #[expect(clippy::disallowed_methods, reason = "this is the door to the host's files")]
    pub fn read(&mut self, buffer: &mut Vec<u8>) -> io::Result<()> {
        // One that fails is not kept open.
        if let Some(file) = self.open.take() {
            read_whole(&file, self.makes, buffer)
                .map_err(|error| worded("read", &self.path, &error))?;
            self.open = Some(file);
            return Ok(());
        }
        let file = File::open(&self.path).map_err(|error| worded("open", &self.path, &error))?;
        read_whole(&file, self.makes, buffer)
            .map_err(|error| worded("read", &self.path, &error))?;
        self.open = is_kernels_own(&file).then_some(file);
        Ok(())
    }
}

fn read_whole(file: &File, makes: Makes, buffer: &mut Vec<u8>) -> io::Result<()> {
    buffer.clear();
    buffer.reserve(4096);
    loop {
        let at = buffer.len() as u64;
        match rustix::io::pread(file, spare_capacity(buffer), at) {
            Ok(0) => return Ok(()),
            Ok(_) if buffer.len() == buffer.capacity() => buffer.reserve(buffer.len()),
            Ok(_) if makes == Makes::OnePiece => return Ok(()),
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Whether a file or folder is of the proc file system, so that it is up to date however long it
/// is kept open.
pub(super) fn is_kernels_own(file: impl AsFd) -> bool {
    rustix::fs::fstatfs(file).is_ok_and(|system| system.f_type == PROC_SUPER_MAGIC)
}

/// The error with what was being done, in Go's words: `open /proc/stat: permission denied`.
pub(super) fn worded(doing: &str, path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{doing} {}: {}", path.display(), ErrorWords(error)))
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
    fn properties_of_disks_follow_the_root_of_the_host() {
        let prefix = ("HOST_MOUNT_PREFIX", "/prefix");
        let whole = ("HOST_ROOT", "/whole");
        let dev = ("HOST_DEV", "/dev");
        for (set, expected) in [
            (&[][..], ["/dev", "/run"]),
            (&[prefix], ["/prefix/dev", "/prefix/run"]),
            (&[prefix, whole], ["/whole/dev", "/whole/run"]),
            (&[prefix, whole, dev], ["/dev", "/whole/run"]),
        ] {
            let roots = HostRoots::from_variables(|name| {
                set.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into())
            });
            assert_eq!([roots.disks.dev, roots.disks.run], expected.map(PathBuf::from));
            assert_eq!(roots.run, Path::new("/run"));
        }
    }

    #[test]
    fn a_file_is_read_anew_each_time_whatever_its_size() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().to_path_buf();
        let host = Host::new(HostRoots::from_variables(|_| Some(root.clone())));
        let mut file = host.file(Root::Proc, "stat");
        let mut piece = host.file_in_one_piece(Root::Proc, "stat");
        let mut buffer = Vec::new();
        for size in [0, 1, 4_095, 4_096, 4_097, 100_000, 3] {
            let content = vec![b'x'; size];
            // Another file takes the place of the first.
            std::fs::write(folder.path().join("next"), &content).unwrap();
            std::fs::rename(folder.path().join("next"), folder.path().join("stat")).unwrap();
            for file in [&mut file, &mut piece] {
                file.read(&mut buffer).unwrap();
                assert_eq!(buffer, content, "{size} bytes");
            }
        }
        std::fs::remove_file(folder.path().join("stat")).unwrap();
        let error = file.read(&mut buffer).unwrap_err().to_string();
        assert!(error.ends_with("/stat: no such file or directory"), "{error}");
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
    fn only_what_stays_open_is_known_not_to_have_changed() {
        let host = Host::new(HostRoots::from_variables(|_| None));
        let mut buffer = Vec::new();
        for name in ["swaps", "self/mountinfo"] {
            let mut own = host.file(Root::Proc, name);
            assert!(own.may_have_changed(), "{name}");
            own.read(&mut buffer).unwrap();
            assert!(!own.may_have_changed(), "{name}");
        }
        let place = tempfile::NamedTempFile::new().unwrap();
        let mut captured = HostFile::new(place.path().to_owned());
        captured.read(&mut buffer).unwrap();
        assert!(captured.may_have_changed());
    }

    #[test]
    fn a_file_that_is_missing_is_named_in_the_error() {
        let host = Host::new(HostRoots::from_variables(|_| Some("/nonexistent".into())));
        let error = host.read(Root::Proc, "stat", &mut Vec::new()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert_eq!(error.to_string(), "open /nonexistent/stat: no such file or directory");
    }
}
