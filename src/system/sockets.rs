//! Which sockets the processes hold: what the links in `/proc/PID/fd` lead to.
//!
//! # References
//! proc_pid_fd(5).

use std::ffi::CStr;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{CWD, Mode, OFlags, RawDir, openat, readlinkat_raw};
use rustix::io::Errno;

use super::{Host, Root};

/// Holds the names of some hundred processes or descriptors, so that few calls read them all.
const NAMES_BYTES: usize = 16 * 1024;

/// Longer than `socket:[` and any number; what does not fit leads elsewhere.
const LINK_BYTES: usize = 48;

impl Host {
    /// Tells `visit` the inode of the socket behind each open descriptor of each process, once for
    /// each descriptor.
    ///
    /// Processes that may not be looked into, or that have ended meanwhile, are passed over.
    ///
    /// # Errors
    /// If the processes cannot be listed, or one cannot be looked into for another reason.
    pub fn visit_open_sockets(&self, mut visit: impl FnMut(u64)) -> io::Result<()> {
        let proc = open_folder(CWD, self.path(Root::Proc, "").as_path())?;
        let mut processes = vec![MaybeUninit::uninit(); NAMES_BYTES];
        let mut descriptors = vec![MaybeUninit::uninit(); NAMES_BYTES];
        let mut path = Vec::new();
        let mut processes = RawDir::new(&proc, &mut processes);
        while let Some(process) = processes.next() {
            let process = process?;
            let name = process.file_name().to_bytes();
            if !name.iter().all(u8::is_ascii_digit) {
                continue;
            }
            path.clear();
            path.extend_from_slice(name);
            path.extend_from_slice(b"/fd");
            let folder = match open_folder(&proc, path.as_slice()) {
                Ok(folder) => folder,
                Err(Errno::ACCESS | Errno::PERM | Errno::NOENT | Errno::SRCH) => continue,
                Err(error) => return Err(error.into()),
            };
            let mut entries = RawDir::new(&folder, &mut descriptors);
            while let Some(Ok(entry)) = entries.next() {
                visit_socket(&folder, entry.file_name(), &mut visit);
            }
        }
        Ok(())
    }
}

fn open_folder(at: impl AsFd, path: impl rustix::path::Arg) -> Result<OwnedFd, Errno> {
    openat(at, path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}

fn visit_socket(folder: &OwnedFd, descriptor: &CStr, visit: &mut impl FnMut(u64)) {
    let mut link = [0; LINK_BYTES];
    // What is no link, such as `.`, or was closed meanwhile, is no socket.
    if let Ok(length) = readlinkat_raw(folder, descriptor, &mut link)
        && let Some(inode) = socket_inode(&link[..length])
    {
        visit(inode);
    }
}

/// The inode in a link such as `socket:[4711]`.
fn socket_inode(link: &[u8]) -> Option<u64> {
    let inode = link.strip_prefix(b"socket:[")?.strip_suffix(b"]")?;
    std::str::from_utf8(inode).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;
    use crate::system::HostRoots;

    #[test]
    fn this_process_holds_its_sockets_and_what_leads_elsewhere_is_none() {
        let (one, _other) = UnixStream::pair().unwrap();
        let inode = rustix::fs::fstat(&one).unwrap().st_ino;
        let _copy = one.try_clone().unwrap();
        let host = Host::new(HostRoots::from_variables(|_| None));
        let mut holders = 0;
        host.visit_open_sockets(|open| holders += u32::from(open == inode)).unwrap();
        assert_eq!(holders, 2);
        assert_eq!(socket_inode(b"socket:[4711]"), Some(4711));
        assert_eq!(socket_inode(b"pipe:[4711]"), None);
        assert_eq!(socket_inode(b"/dev/null"), None);
    }

    #[test]
    fn a_host_without_processes_is_an_error() {
        let host = Host::new(HostRoots::from_variables(|_| Some("/nonexistent".into())));
        let error = host.visit_open_sockets(|_| {}).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
