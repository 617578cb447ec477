//! Reading what drivers tell in `/sys`, where a read may have to wait for the hardware.

use std::io;
use std::path::Path;

use rustix::fs::{Mode, OFlags, open};

/// The name of what a link leads to; `None` if there is no link.
pub fn link_name(path: &Path) -> Option<String> {
    let target = std::fs::read_link(path).ok()?;
    Some(target.file_name()?.to_string_lossy().into_owned())
}

/// Reads the beginning of a file into `buffer`, and returns how much that is.
///
/// A driver that would have to wait, because its device sleeps, says so instead.
///
/// # Errors
/// Whatever opening or reading fails with; [`io::ErrorKind::WouldBlock`] if it would have to wait.
pub fn read_without_waiting(path: &Path, buffer: &mut [u8]) -> io::Result<usize> {
    let file = open(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty())?;
    Ok(rustix::io::read(&file, buffer)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_tell_their_last_name() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("device");
        std::os::unix::fs::symlink("../../nvme0", &link).unwrap();
        assert_eq!(link_name(&link).as_deref(), Some("nvme0"));
        assert_eq!(link_name(folder.path()), None);
    }

    #[test]
    fn a_pipe_that_nobody_has_written_to_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("temp1_input");
        let (kind, mode) = (rustix::fs::FileType::Fifo, Mode::RUSR | Mode::WUSR);
        rustix::fs::mknodat(rustix::fs::CWD, &path, kind, mode, 0).unwrap();
        let writer = std::fs::File::options().read(true).write(true).open(&path).unwrap();
        let mut buffer = [0; 8];
        let error = read_without_waiting(&path, &mut buffer).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        drop(writer);
        std::fs::write(folder.path().join("other"), "41000\n").unwrap();
        let length = read_without_waiting(&folder.path().join("other"), &mut buffer).unwrap();
        assert_eq!(&buffer[..length], b"41000\n");
    }
}
