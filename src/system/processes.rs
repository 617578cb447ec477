//! Reading the `stat` of every process again and again.

use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::buffer::spare_capacity;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, RawDir, SeekFrom};
use rustix::io::Errno;
use rustix::process::Resource;

use super::host::{is_kernels_own, worded};

/// Holds the names of some hundred processes, so that few calls read them all.
const NAMES_BYTES: usize = 16 * 1024;

/// Holds the names of some dozen, which is as many as come in a round unless a great many do.
const NEWEST_BYTES: usize = 1024;

/// Most files hold less, so that one call reads them.
const STAT_BYTES: usize = 1024;

/// How many files stay open at most, whatever the system allows.
const MOST_KEPT: u64 = 1024;

/// The processes of a `/proc`, gone through again and again.
///
/// In the kernel's own one the files stay open: to open and close one takes longer than to have
/// the kernel write it. To list all processes takes a quarter of the time of a round, and is
/// mostly not needed. The kernel tells whether some have come: the folder has a link for each
/// process, whoever may see it, and if there are as many as there are files open, and each of
/// those can still be read, then these are all. Those who come are mostly right behind the one
/// that came last, since numbers are given in turn. Where processes are hidden, or are those of a
/// container, there are always more, and all are listed.
#[derive(Debug)]
pub struct HostProcesses {
    path: PathBuf,
    folder: Option<File>,
    names: Vec<MaybeUninit<u8>>,
    /// In the order of their numbers.
    kept: Vec<KeptStat>,
    most_kept: usize,
    /// Where in the list the one stands that came last.
    newest_at: u64,
    /// The links of the folder that are not for processes.
    n_other_links: usize,
    /// The path at hand, kept for its room.
    relative: Vec<u8>,
}

/// The `stat` of a process that was there in the last round.
#[derive(Debug)]
struct KeptStat {
    number: u32,
    file: OwnedFd,
}

/// Which part of the list of processes is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// From the newest process on as much as one short call reads.
    Newest,
    /// All of it.
    Whole,
}

/// Where the `stat` of a process is.
#[derive(Debug, Clone, Copy)]
pub struct StatPlace<'a> {
    folder: &'a Path,
    process: Process<'a>,
}

/// What a process is called.
#[derive(Debug, Clone, Copy)]
enum Process<'a> {
    Number(u32),
    Name(&'a [u8]),
}

impl StatPlace<'_> {
    /// The path, for messages.
    pub fn path(&self) -> PathBuf {
        let process = match self.process {
            Process::Number(number) => number.to_string(),
            Process::Name(name) => String::from_utf8_lossy(name).into_owned(),
        };
        self.folder.join(process).join("stat")
    }
}

impl HostProcesses {
    /// Makes the processes of the folder at `path`, which need not be there.
    pub fn new(path: PathBuf) -> HostProcesses {
        HostProcesses {
            path,
            folder: None,
            names: Vec::new(),
            kept: Vec::new(),
            most_kept: 0,
            newest_at: 0,
            n_other_links: 0,
            relative: Vec::new(),
        }
    }

    /// Reads the `stat` of every process into `buffer` and has it visited, in no order.
    ///
    /// Processes that end meanwhile are left out, and so are those of others that are hidden.
    ///
    /// # Errors
    /// Whatever opening or reading fails with, the path named; and the first error of a visit.
    pub fn visit_stats<E: From<io::Error>>(
        &mut self,
        buffer: &mut Vec<u8>,
        mut visit: impl FnMut(StatPlace<'_>, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let folder = self.open_folder()?;
        // Before the files are read: who is there then and can be read later was there all along.
        let n_links = n_links(&folder);
        self.visit_kept(buffer, &mut visit)?;
        if !self.kept_are_all(n_links) {
            self.visit_listed(Part::Newest, &folder, buffer, &mut visit)?;
            if !self.kept_are_all(self::n_links(&folder)) {
                self.visit_listed(Part::Whole, &folder, buffer, &mut visit)?;
            }
        }
        self.folder = (self.most_kept > 0).then_some(folder);
        Ok(())
    }

    fn kept_are_all(&self, n_links: usize) -> bool {
        !self.kept.is_empty() && n_links == self.n_other_links + self.kept.len()
    }

    /// The folder, out of `self`: it is not kept if something fails.
    #[expect(clippy::disallowed_methods, reason = "this is the door to the host's files")]
    fn open_folder(&mut self) -> io::Result<File> {
        if let Some(folder) = self.folder.take() {
            return Ok(folder);
        }
        let folder = File::open(&self.path).map_err(|error| worded("open", &self.path, &error))?;
        self.kept.clear();
        // Others need files too: three quarters of what the system allows are theirs.
        let allowed = rustix::process::getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        let most = (allowed / 4).min(MOST_KEPT) as usize;
        self.most_kept = if is_kernels_own(&folder) { most } else { 0 };
        Ok(folder)
    }

    /// Visits those of the last round that are still there, and forgets the others.
    fn visit_kept<E>(
        &mut self,
        buffer: &mut Vec<u8>,
        visit: &mut impl FnMut(StatPlace<'_>, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let folder = &self.path;
        let mut result = Ok(());
        self.kept.retain(|KeptStat { number, file }| {
            if result.is_err() {
                return true;
            }
            // The number of a process that has ended may be that of another one now.
            if read_stat(file, buffer).is_err() {
                return false;
            }
            result = visit(StatPlace { folder, process: Process::Number(*number) }, buffer);
            true
        });
        result
    }

    /// Lists processes and visits those that have not been visited yet.
    fn visit_listed<E: From<io::Error>>(
        &mut self,
        part: Part,
        folder: &File,
        buffer: &mut Vec<u8>,
        visit: &mut impl FnMut(StatPlace<'_>, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let failed = |error: Errno| worded("read", &self.path, &error.into());
        let (mut at, n_bytes) = match part {
            Part::Newest if self.kept.is_empty() => return Ok(()),
            Part::Newest => (self.newest_at, NEWEST_BYTES),
            Part::Whole => (0, NAMES_BYTES),
        };
        rustix::fs::seek(folder, SeekFrom::Start(at)).map_err(failed)?;
        self.names.resize(NAMES_BYTES, MaybeUninit::uninit());
        let mut names = RawDir::new(folder, &mut self.names[..n_bytes]);
        let mut n_other_folders = 0;
        let mut n_listed = 0;
        loop {
            if part == Part::Newest && n_listed > 0 && names.is_buffer_empty() {
                break;
            }
            n_listed += 1;
            let Some(entry) = names.next() else { break };
            let entry = match entry {
                Ok(entry) => entry,
                Err(Errno::INTR) => continue,
                Err(error) => return Err(failed(error).into()),
            };
            let entry_at = std::mem::replace(&mut at, entry.next_entry_cookie());
            let name = entry.file_name().to_bytes();
            if !name.first().is_some_and(u8::is_ascii_digit) {
                // With its own name and that in the folder above, it has two links by itself.
                n_other_folders += usize::from(entry.file_type() == FileType::Directory);
                continue;
            }
            let number = std::str::from_utf8(name).ok().and_then(|name| name.parse::<u32>().ok());
            let room = match number.map(|number| (number, find(&self.kept, number))) {
                Some((_, Ok(_))) => continue,
                Some((number, Err(place))) if self.kept.len() < self.most_kept => {
                    Some((number, place))
                }
                // What is not kept would be visited again when all are listed.
                _ if part == Part::Newest => break,
                _ => None,
            };
            set_stat(&mut self.relative, name);
            let place = StatPlace { folder: &self.path, process: Process::Name(name) };
            let file = match open_and_read(folder, &self.relative, buffer) {
                Ok(file) => file,
                Err(error) if is_gone(error) || !shows(folder, &self.relative) => continue,
                Err(error) => return Err(worded("open", &place.path(), &error.into()).into()),
            };
            visit(place, buffer)?;
            if let Some((number, place)) = room {
                self.kept.insert(place, KeptStat { number, file });
                self.newest_at = entry_at;
            }
        }
        if part == Part::Whole {
            self.n_other_links = n_other_folders;
        }
        Ok(())
    }
}

/// Where among those that are kept a process is, or would be.
fn find(kept: &[KeptStat], number: u32) -> Result<usize, usize> {
    kept.binary_search_by_key(&number, |kept| kept.number)
}

/// How many names the folder has: one for each folder in it, for each process, and two of its own.
fn n_links(folder: &File) -> usize {
    rustix::fs::fstat(folder).map_or(0, |status| status.st_nlink as usize)
}

/// Makes the path of the `stat` of the process `name` below the folder.
fn set_stat(path: &mut Vec<u8>, name: &[u8]) {
    path.clear();
    path.extend_from_slice(name);
    path.extend_from_slice(b"/stat");
}

fn open_and_read(folder: &File, path: &[u8], buffer: &mut Vec<u8>) -> Result<OwnedFd, Errno> {
    let path = Path::new(std::ffi::OsStr::from_bytes(path));
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let file = rustix::fs::openat(folder, path, flags, Mode::empty())?;
    read_stat(&file, buffer)?;
    Ok(file)
}

/// Whether the file at `path` below the folder can be seen at all.
fn shows(folder: &File, path: &[u8]) -> bool {
    let path = Path::new(std::ffi::OsStr::from_bytes(path));
    rustix::fs::statat(folder, path, AtFlags::SYMLINK_NOFOLLOW).is_ok()
}

/// Whether a process has ended since its name was read.
fn is_gone(error: Errno) -> bool {
    error == Errno::NOENT || error == Errno::SRCH
}

/// Reads a file that the kernel makes in one piece: a read that leaves room in the buffer is the
/// last.
fn read_stat(file: impl AsFd, buffer: &mut Vec<u8>) -> Result<(), Errno> {
    buffer.clear();
    buffer.reserve(STAT_BYTES);
    loop {
        let at = buffer.len() as u64;
        match rustix::io::pread(&file, spare_capacity(buffer), at) {
            Ok(_) if buffer.len() < buffer.capacity() => return Ok(()),
            Ok(_) => buffer.reserve(buffer.len()),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests;
