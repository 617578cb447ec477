//! Going through a folder of the kernel again and again, such as `/proc` for its processes.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::buffer::spare_capacity;
use rustix::fs::{AtFlags, Mode, OFlags, RawDir, SeekFrom};
use rustix::io::Errno;
use rustix::process::Resource;

use super::host::{is_kernels_own, worded};

/// Holds the names of some hundred processes, so that few calls read them all.
const NAMES_BYTES: usize = 16 * 1024;

/// Most files hold less, so that one call reads them.
const RECORD_BYTES: usize = 1024;

/// How many files stay open at most, whatever the system allows.
const MOST_KEPT: u64 = 1024;

/// A folder that is gone through again and again.
///
/// One of the kernel's own proc file system stays open, and so do the files that are read in it:
/// to open and close the file of a process takes longer than to have the kernel write it. Nothing
/// is allocated for an entry that is read again.
#[derive(Debug)]
pub struct HostFolder {
    path: PathBuf,
    open: Option<File>,
    names: Vec<MaybeUninit<u8>>,
    files: Files,
}

impl HostFolder {
    /// Makes the folder at `path`, which need not be there.
    pub fn new(path: PathBuf) -> HostFolder {
        HostFolder { path, open: None, names: Vec::new(), files: Files::new() }
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
        let failed = |doing, path: &Path, error: Errno| worded(doing, path, &error.into());
        let folder = if let Some(folder) = self.open.take() {
            rustix::fs::seek(&folder, SeekFrom::Start(0))
                .map_err(|error| failed("read", &self.path, error))?;
            folder
        } else {
            let folder = File::open(&self.path);
            let folder = folder.map_err(|error| worded("open", &self.path, &error))?;
            self.files.forget(is_kernels_own(&folder));
            folder
        };
        self.names.resize(NAMES_BYTES, MaybeUninit::uninit());
        let mut names = RawDir::new(&folder, &mut self.names);
        while let Some(entry) = names.next() {
            let entry = match entry {
                Ok(entry) => entry,
                Err(Errno::INTR) => continue,
                Err(error) => return Err(failed("read", &self.path, error).into()),
            };
            let name = entry.file_name().to_bytes();
            if name != b"." && name != b".." {
                visit(FolderEntry { name, folder: &folder, files: &mut self.files })?;
            }
        }
        self.files.end_round();
        self.open = (self.files.most_kept > 0).then_some(folder);
        Ok(())
    }
}

/// The files of a folder's entries that stay open.
#[derive(Debug)]
struct Files {
    /// By their paths below the folder.
    kept: HashMap<Vec<u8>, KeptFile>,
    most_kept: usize,
    round: u64,
    /// The path at hand, kept for its room.
    path: Vec<u8>,
}

#[derive(Debug)]
struct KeptFile {
    file: OwnedFd,
    /// When it was last read.
    round: u64,
}

impl Files {
    fn new() -> Files {
        Files { kept: HashMap::new(), most_kept: 0, round: 0, path: Vec::new() }
    }

    /// Begins anew with a folder of which files may be kept or not.
    fn forget(&mut self, is_kernels_own: bool) {
        self.kept.clear();
        // Others need files too: three quarters of what the system allows are theirs.
        let allowed = rustix::process::getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        let most = (allowed / 4).min(MOST_KEPT) as usize;
        self.most_kept = if is_kernels_own { most } else { 0 };
    }

    /// Closes what has not been read in this round: it is there no more.
    fn end_round(&mut self) {
        self.kept.retain(|_, file| file.round == self.round);
        self.round += 1;
    }
}

/// Something in a folder.
#[derive(Debug)]
pub struct FolderEntry<'a> {
    name: &'a [u8],
    folder: &'a File,
    files: &'a mut Files,
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
        self.set_path(file);
        let files = &mut *self.files;
        if let Some(kept) = files.kept.get_mut(&files.path) {
            kept.round = files.round;
            if read_record(&kept.file, buffer).is_ok() {
                return Ok(());
            }
            // The process has ended; another one may go by the same name now.
            files.kept.remove(&files.path);
        }
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let path = Path::new(std::ffi::OsStr::from_bytes(&files.path));
        let file = rustix::fs::openat(self.folder, path, flags, Mode::empty())?;
        read_record(&file, buffer)?;
        if files.kept.len() < files.most_kept {
            files.kept.insert(files.path.clone(), KeptFile { file, round: files.round });
        }
        Ok(())
    }

    /// Whether `file` in this entry can be seen at all.
    pub fn shows(&mut self, file: &str) -> bool {
        self.set_path(file);
        let path = Path::new(std::ffi::OsStr::from_bytes(&self.files.path));
        rustix::fs::statat(self.folder, path, AtFlags::SYMLINK_NOFOLLOW).is_ok()
    }

    fn set_path(&mut self, file: &str) {
        let path = &mut self.files.path;
        path.clear();
        path.extend_from_slice(self.name);
        path.push(b'/');
        path.extend_from_slice(file.as_bytes());
    }
}

fn read_record(file: impl AsFd, buffer: &mut Vec<u8>) -> io::Result<()> {
    buffer.clear();
    buffer.reserve(RECORD_BYTES);
    loop {
        let at = buffer.len() as u64;
        match rustix::io::pread(&file, spare_capacity(buffer), at) {
            Ok(_) if buffer.len() < buffer.capacity() => return Ok(()),
            Ok(_) => buffer.reserve(buffer.len()),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
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
    fn files_stay_open_as_long_as_their_processes_are_there() {
        let mut folder = HostFolder::new("/proc".into());
        let mut cat = std::process::Command::new("cat");
        let mut child = cat.stdin(std::process::Stdio::piped()).spawn().unwrap();
        let path = format!("{}/stat", child.id()).into_bytes();
        let mut buffer = Vec::new();
        let mut visit = || {
            let mut found = None;
            folder
                .visit(|mut entry| {
                    if path.starts_with(entry.name()) && path[entry.name().len()] == b'/' {
                        found = entry.read_record("stat", &mut buffer).ok();
                    }
                    Ok::<_, io::Error>(())
                })
                .unwrap();
            (found.is_some(), folder.files.kept.contains_key(&path))
        };
        assert_eq!(visit(), (true, true));
        assert_eq!(visit(), (true, true));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(visit(), (false, false));
        assert!(String::from_utf8_lossy(&buffer).contains("(cat)"));
    }

    #[test]
    fn an_error_of_a_visit_ends_it() {
        let mut folder = HostFolder::new("/proc".into());
        let error = folder.visit(|_| Err(io::Error::other("enough"))).unwrap_err();
        assert_eq!(error.to_string(), "enough");
    }
}
