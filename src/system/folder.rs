//! Going through a folder of the kernel again and again, such as `/proc` for its processes.

use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Mode, OFlags, RawDir, SeekFrom};
use rustix::io::Errno;

use super::host::{is_kernels_own, worded};

/// Holds the names of some hundred processes, so that few calls read them all.
const NAMES_BYTES: usize = 16 * 1024;

/// A folder that is gone through again and again.
///
/// One of the kernel's own proc file system stays open, and what is in it is opened relative to
/// it: that spares looking the path up for every process. Nothing is allocated for an entry.
#[derive(Debug)]
pub struct HostFolder {
    path: PathBuf,
    open: Option<File>,
    names: Vec<MaybeUninit<u8>>,
    /// The path of a file in an entry, kept for its room.
    relative: Vec<u8>,
}

impl HostFolder {
    /// Makes the folder at `path`, which need not be there.
    pub fn new(path: PathBuf) -> HostFolder {
        HostFolder { path, open: None, names: Vec::new(), relative: Vec::new() }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Visits everything in the folder but `.` and `..`, in no order.
    ///
    /// # Errors
    /// Whatever opening or reading fails with, the path named; and the first error of a visit.
    #[expect(clippy::disallowed_methods, reason = "this is the door to the host's files")]
    pub fn visit<E: From<io::Error>>(
        &mut self,
        mut visit: impl FnMut(FolderEntry<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let folder = match self.open.take() {
            Some(folder) => {
                rustix::fs::seek(&folder, SeekFrom::Start(0))
                    .map_err(|error| worded("read", &self.path, &error.into()))?;
                folder
            }
            None => File::open(&self.path).map_err(|error| worded("open", &self.path, &error))?,
        };
        self.names.resize(NAMES_BYTES, MaybeUninit::uninit());
        let mut names = RawDir::new(&folder, &mut self.names);
        while let Some(entry) = names.next() {
            let entry = match entry {
                Ok(entry) => entry,
                Err(Errno::INTR) => continue,
                Err(error) => return Err(worded("read", &self.path, &error.into()).into()),
            };
            let name = entry.file_name().to_bytes();
            if name != b"." && name != b".." {
                visit(FolderEntry { name, folder: folder.as_fd(), relative: &mut self.relative })?;
            }
        }
        self.open = is_kernels_own(&folder).then_some(folder);
        Ok(())
    }
}

/// Something in a folder.
#[derive(Debug)]
pub struct FolderEntry<'a> {
    name: &'a [u8],
    folder: BorrowedFd<'a>,
    relative: &'a mut Vec<u8>,
}

impl FolderEntry<'_> {
    /// Its name.
    pub fn name(&self) -> &[u8] {
        self.name
    }

    /// Reads `file` in this entry, itself a folder, into `buffer`, replacing what was there.
    ///
    /// The file must be one that the kernel makes in one piece, such as `stat` of a process: a
    /// read that leaves room in the buffer is taken for the last.
    ///
    /// # Errors
    /// Whatever opening or reading fails with, as the kernel tells it.
    pub fn read_record(&mut self, file: &str, buffer: &mut Vec<u8>) -> io::Result<()> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let file = rustix::fs::openat(self.folder, self.relative(file), flags, Mode::empty())?;
        let room = buffer.capacity().max(1024);
        buffer.resize(room, 0);
        let mut length = 0;
        loop {
            match rustix::io::read(&file, &mut buffer[length..]) {
                Ok(n_read) => length += n_read,
                Err(Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            }
            if length < buffer.len() {
                break;
            }
            buffer.resize(2 * length, 0);
        }
        buffer.truncate(length);
        Ok(())
    }

    /// Whether `file` in this entry can be seen at all.
    pub fn shows(&mut self, file: &str) -> bool {
        rustix::fs::statat(self.folder, self.relative(file), AtFlags::SYMLINK_NOFOLLOW).is_ok()
    }

    fn relative(&mut self, file: &str) -> &Path {
        self.relative.clear();
        self.relative.extend_from_slice(self.name);
        self.relative.push(b'/');
        self.relative.extend_from_slice(file.as_bytes());
        Path::new(std::ffi::OsStr::from_bytes(self.relative))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn what_is_in_a_folder_is_read_relative_to_it_and_anew_each_time() {
        let place = tempfile::tempdir().unwrap();
        let mut folder = HostFolder::new(place.path().join("proc"));
        assert!(folder.visit(|_| Ok::<_, io::Error>(())).is_err());
        for size in [3, 1_023, 1_024, 5_000] {
            for name in ["1", "22"] {
                let inner = place.path().join("proc").join(name);
                std::fs::create_dir_all(&inner).unwrap();
                std::fs::write(inner.join("stat"), vec![b'x'; size]).unwrap();
            }
            std::fs::create_dir_all(place.path().join("proc/empty")).unwrap();
            let mut found = BTreeMap::new();
            let mut buffer = Vec::new();
            let visited = folder.visit(|mut entry| {
                let read = entry.read_record("stat", &mut buffer).map(|()| buffer.len()).ok();
                assert_eq!(entry.shows("stat"), read.is_some());
                found.insert(entry.name().to_vec(), read);
                Ok::<_, io::Error>(())
            });
            visited.unwrap();
            let expected = [(&b"1"[..], Some(size)), (b"22", Some(size)), (b"empty", None)];
            assert!(found.iter().map(|(name, read)| (&name[..], *read)).eq(expected), "{found:?}");
        }
        assert!(folder.open.is_none());
    }

    #[test]
    fn the_kernels_own_folder_stays_open() {
        let own = std::process::id().to_string();
        let mut folder = HostFolder::new("/proc".into());
        for _ in 0..2 {
            let mut found = false;
            folder
                .visit(|entry| {
                    found |= entry.name() == own.as_bytes();
                    Ok::<_, io::Error>(())
                })
                .unwrap();
            assert!(found && folder.open.is_some());
        }
    }

    #[test]
    fn an_error_of_a_visit_ends_it() {
        let mut folder = HostFolder::new("/proc".into());
        let error = folder.visit(|_| Err(io::Error::other("enough"))).unwrap_err();
        assert_eq!(error.to_string(), "enough");
    }
}
