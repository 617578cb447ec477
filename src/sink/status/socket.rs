//! The socket in the output folder at which a running sink is asked.
//!
//! # References
//! unix(7) for the length of addresses, which holds for the text of the path and not for the place
//! it leads to; proc(5): `/proc/self/fd`.

use std::fs;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, open};
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, listen, socket_with,
};

use crate::http::Listener;

/// The name of the socket in an output folder.
pub const SOCKET_FILE: &str = ".metric-sink.sock";

/// Its name until it is listened at.
const UNFINISHED: &str = ".metric-sink.sock.new";

/// Only who runs the sink may ask it.
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
    /// The folder or its file system does not take one.
    #[error("making the socket {}: {source}", path.display())]
    Io {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// A path in a folder that is short enough for an address, whatever that of the folder.
pub(super) struct ShortPath {
    pub(super) path: PathBuf,
    /// What a short path leads through.
    _folder: Option<OwnedFd>,
}

impl ShortPath {
    /// Finds one for a name in a folder.
    pub(super) fn of(folder: &Path, name: &str) -> io::Result<ShortPath> {
        let path = folder.join(name);
        if path.as_os_str().len() <= MOST_BYTES {
            return Ok(ShortPath { path, _folder: None });
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = open(folder, flags, Mode::empty())?;
        let path = PathBuf::from(format!("/proc/self/fd/{}/{name}", folder.as_raw_fd()));
        Ok(ShortPath { path, _folder: Some(folder) })
    }
}

/// Begins to listen in a folder that is locked for this process.
///
/// A socket that a dead sink has left is replaced. Nobody can connect before the mode is set.
pub(super) fn listen_in(folder: &Path) -> Result<Listener, SocketError> {
    let path = folder.join(SOCKET_FILE);
    let failed = |source| SocketError::Io { path: path.clone(), source };
    match fs::symlink_metadata(&path) {
        Ok(found) if !found.file_type().is_socket() => {
            return Err(SocketError::Occupied { path });
        }
        _ => {}
    }
    let unfinished = folder.join(UNFINISHED);
    if fs::symlink_metadata(&unfinished).is_ok_and(|found| found.file_type().is_socket()) {
        fs::remove_file(&unfinished).map_err(failed)?;
    }
    let listener = listen_at(&ShortPath::of(folder, UNFINISHED).map_err(failed)?.path);
    let listener = listener.and_then(|listener| {
        fs::rename(&unfinished, &path)?;
        Ok(listener)
    });
    listener.map(|listener| Listener::Unix(listener, path.clone())).map_err(failed)
}

fn listen_at(path: &Path) -> io::Result<UnixListener> {
    let address = SocketAddrUnix::new(path)?;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    bind(&socket, &address)?;
    fs::set_permissions(path, fs::Permissions::from_mode(MODE))?;
    listen(&socket, BACKLOG)?;
    Ok(UnixListener::from(socket))
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    fn connects(folder: &Path) -> bool {
        UnixStream::connect(ShortPath::of(folder, SOCKET_FILE).unwrap().path).is_ok()
    }

    #[test]
    fn the_socket_is_its_owners_alone_and_goes_with_the_listener() {
        let folder = tempfile::tempdir().unwrap();
        let listener = listen_in(folder.path()).unwrap();
        let path = folder.path().join(SOCKET_FILE);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(connects(folder.path()));
        drop(listener);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_a_dead_sink_has_left_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        for name in [SOCKET_FILE, UNFINISHED] {
            drop(UnixListener::bind(folder.path().join(name)).unwrap());
        }
        assert!(!connects(folder.path()));
        let _listener = listen_in(folder.path()).unwrap();
        assert!(connects(folder.path()));
    }

    #[test]
    fn a_folder_with_a_path_too_long_for_an_address_has_a_socket_too() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("x".repeat(120));
        fs::create_dir(&folder).unwrap();
        let listener = listen_in(&folder).unwrap();
        assert!(connects(&folder));
        drop(listener);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
    }

    #[test]
    fn what_is_no_socket_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(SOCKET_FILE);
        fs::write(&path, "mine").unwrap();
        let error = listen_in(folder.path()).unwrap_err();
        assert!(error.to_string().contains("is in the way"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), b"mine");
    }
}
