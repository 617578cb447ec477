//! The socket at which a running program is asked.
//!
//! # References
//! unix(7) for the length of addresses, which holds for the text of the path and not for the place
//! it leads to; proc(5): `/proc/self/fd`.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, open};
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, listen, socket_with,
};

use crate::http::Listener;

/// Behind its name until it is listened at.
const UNFINISHED: &str = ".new";

/// Only who runs the program may ask it.
const MODE: u32 = 0o600;

/// The longest path that an address holds, with room for the byte that ends it.
const MOST_BYTES: usize = 107;

/// How many callers may wait to be let in.
const BACKLOG: i32 = 64;

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// Something else has its name.
    #[error("{} is in the way: it is not a socket", path.display())]
    Occupied {
        /// What is in the way.
        path: PathBuf,
    },
    /// Another process listens there.
    #[error("another process answers at {}", path.display())]
    Answered {
        /// The socket.
        path: PathBuf,
    },
    /// The folder or its file system does not take one.
    #[error("making the socket {}: {source}", path.display())]
    Io {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// A path of a socket that is short enough for an address, whatever that of its folder.
pub(super) struct ShortPath {
    pub(super) path: PathBuf,
    /// What a short path leads through.
    _folder: Option<OwnedFd>,
}

impl ShortPath {
    /// Finds one for a path.
    pub(super) fn of(path: &Path) -> io::Result<ShortPath> {
        if path.as_os_str().len() <= MOST_BYTES {
            return Ok(ShortPath { path: path.to_owned(), _folder: None });
        }
        let folder = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name.ok_or_else(|| io::Error::new(ErrorKind::NotFound, "it names no socket"))?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = open(folder, flags, Mode::empty())?;
        let path = PathBuf::from(format!("/proc/self/fd/{}/{name}", folder.as_raw_fd()));
        Ok(ShortPath { path, _folder: Some(folder) })
    }
}

/// Begins to listen at a path.
///
/// A socket that a dead process has left is replaced. Nobody can connect before the mode is set.
///
/// # Errors
/// If another process listens there, something else is there, or the folder or its file system does not take a socket.
pub fn listen_at(path: &Path) -> Result<Listener, SocketError> {
    let failed = |source| SocketError::Io { path: path.to_owned(), source };
    match fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => {
            return Err(SocketError::Occupied { path: path.to_owned() });
        }
        Ok(_) if UnixStream::connect(ShortPath::of(path).map_err(failed)?.path).is_ok() => {
            return Err(SocketError::Answered { path: path.to_owned() });
        }
        _ => {}
    }
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(UNFINISHED);
    let unfinished = PathBuf::from(unfinished);
    if fs::symlink_metadata(&unfinished).is_ok_and(|found| found.file_type().is_socket()) {
        fs::remove_file(&unfinished).map_err(failed)?;
    }
    let listener = bind_at(&ShortPath::of(&unfinished).map_err(failed)?.path);
    let listener = listener.and_then(|listener| {
        fs::rename(&unfinished, path)?;
        Ok(listener)
    });
    listener.map(|listener| Listener::Unix(listener, path.to_owned())).map_err(failed)
}

fn bind_at(path: &Path) -> io::Result<UnixListener> {
    let address = SocketAddrUnix::new(path)?;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    bind(&socket, &address)?;
    fs::set_permissions(path, fs::Permissions::from_mode(MODE))?;
    listen(&socket, BACKLOG)?;
    Ok(UnixListener::from(socket))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOCKET_FILE: &str = "status.sock";

    fn connects(folder: &Path) -> bool {
        UnixStream::connect(ShortPath::of(&folder.join(SOCKET_FILE)).unwrap().path).is_ok()
    }

    #[test]
    fn the_socket_is_its_owners_alone_and_goes_with_the_listener() {
        let folder = tempfile::tempdir().unwrap();
        let listener = listen_at(&folder.path().join(SOCKET_FILE)).unwrap();
        let path = folder.path().join(SOCKET_FILE);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(connects(folder.path()));
        drop(listener);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_a_dead_process_has_left_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        for name in [SOCKET_FILE, "status.sock.new"] {
            drop(UnixListener::bind(folder.path().join(name)).unwrap());
        }
        assert!(!connects(folder.path()));
        let _listener = listen_at(&folder.path().join(SOCKET_FILE)).unwrap();
        assert!(connects(folder.path()));
    }

    #[test]
    fn a_folder_with_a_path_too_long_for_an_address_has_a_socket_too() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("x".repeat(120));
        fs::create_dir(&folder).unwrap();
        let listener = listen_at(&folder.join(SOCKET_FILE)).unwrap();
        assert!(connects(&folder));
        drop(listener);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
    }

    #[test]
    fn what_is_no_socket_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(SOCKET_FILE);
        fs::write(&path, "mine").unwrap();
        let error = listen_at(&folder.path().join(SOCKET_FILE)).unwrap_err();
        assert!(error.to_string().contains("is in the way"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), b"mine");
    }
}
