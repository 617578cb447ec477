//! A disk in memory that tests fill up, break, and stop in the middle of a write.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::DataFiles;

/// What a disk keeps when the process that writes to it ends in the middle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// The process was killed: all that was written is there.
    Kill,
    /// Power was lost: of each file there is what was brought to the disk, and a part of the rest.
    PowerLoss,
}

/// Files in memory; clones share them.
#[derive(Debug, Clone, Default)]
pub struct FakeFiles {
    disk: Arc<Mutex<Disk>>,
}

#[derive(Debug, Clone, Default)]
struct Disk {
    files: BTreeMap<String, FakeFile>,
    /// How many bytes fit on it.
    capacity: Option<usize>,
    /// How much can be done until the process stops: a byte written counts one, and so does any
    /// other change.
    steps_left: Option<usize>,
    has_stopped: bool,
}

#[derive(Debug, Clone, Default)]
struct FakeFile {
    bytes: Vec<u8>,
    /// How many of the bytes a loss of power does not take; `None` while the file itself is not
    /// on the disk.
    synced: Option<usize>,
}

impl FakeFiles {
    /// Lets the process stop after so many steps: from then on every change fails, and a write in
    /// which that happens is done in part.
    pub fn stop_after(&self, steps: usize) {
        self.disk().steps_left = Some(steps);
    }

    /// Whether the process has stopped.
    pub fn has_stopped(&self) -> bool {
        self.disk().has_stopped
    }

    /// Lets only so many bytes fit on the disk.
    pub fn set_capacity(&self, capacity: Option<usize>) {
        self.disk().capacity = capacity;
    }

    /// What the next process finds.
    #[must_use]
    pub fn after(&self, stop: Stop) -> FakeFiles {
        let mut disk = self.disk().clone();
        disk.steps_left = None;
        disk.has_stopped = false;
        if stop == Stop::PowerLoss {
            disk.files.retain(|_, file| file.synced.is_some());
            for file in disk.files.values_mut() {
                let synced = file.synced.unwrap_or(0);
                let rest = file.bytes.len().saturating_sub(synced);
                file.bytes.truncate(synced + rest / 2);
            }
        }
        FakeFiles { disk: Arc::new(Mutex::new(disk)) }
    }

    /// Changes the bytes of a file, as a bad disk or a clumsy hand does.
    pub fn tamper(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        if let Some(file) = self.disk().files.get_mut(name) {
            change(&mut file.bytes);
        }
    }

    /// The names of the files, in their order.
    pub fn names(&self) -> Vec<String> {
        self.disk().files.keys().cloned().collect()
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Disk {
    /// Takes up to `wanted` steps and returns how many there were left.
    fn steps(&mut self, wanted: usize) -> usize {
        let Some(left) = &mut self.steps_left else { return wanted };
        let taken = wanted.min(*left);
        *left -= taken;
        self.has_stopped |= taken < wanted;
        taken
    }

    fn step(&mut self) -> io::Result<()> {
        if self.steps(1) == 1 { Ok(()) } else { Err(stopped()) }
    }

    fn room(&self) -> usize {
        let taken: usize = self.files.values().map(|file| file.bytes.len()).sum();
        self.capacity.map_or(usize::MAX, |capacity| capacity.saturating_sub(taken))
    }

    fn file(&mut self, name: &str) -> io::Result<&mut FakeFile> {
        self.files.get_mut(name).ok_or_else(missing)
    }
}

fn stopped() -> io::Error {
    io::Error::other("the process has stopped")
}

fn missing() -> io::Error {
    io::Error::from_raw_os_error(2)
}

fn full() -> io::Error {
    io::Error::from_raw_os_error(28)
}

impl DataFiles for FakeFiles {
    fn list(&self) -> io::Result<Vec<(String, u64)>> {
        let disk = self.disk();
        let size = |file: &FakeFile| file.bytes.len() as u64;
        Ok(disk.files.iter().map(|(name, file)| (name.clone(), size(file))).collect())
    }

    fn read(&self, name: &str, offset: u64, most: usize, buffer: &mut Vec<u8>) -> io::Result<()> {
        let mut disk = self.disk();
        let bytes = &disk.file(name)?.bytes;
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
        let end = start.saturating_add(most).min(bytes.len());
        buffer.extend_from_slice(&bytes[start..end]);
        Ok(())
    }

    fn append(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut disk = self.disk();
        let fitting = bytes.len().min(disk.room());
        let done = disk.steps(fitting);
        let has_stopped = disk.has_stopped;
        if !has_stopped || done > 0 {
            let file = disk.files.entry(name.to_owned()).or_default();
            file.bytes.extend_from_slice(&bytes[..done]);
        }
        match (has_stopped, fitting < bytes.len()) {
            (true, _) => Err(stopped()),
            (false, true) => Err(full()),
            (false, false) => Ok(()),
        }
    }

    fn sync(&mut self, name: &str) -> io::Result<()> {
        let mut disk = self.disk();
        disk.step()?;
        let file = disk.file(name)?;
        file.synced = Some(file.bytes.len());
        Ok(())
    }

    fn cut(&mut self, name: &str, size: u64) -> io::Result<()> {
        let mut disk = self.disk();
        disk.step()?;
        let file = disk.file(name)?;
        file.bytes.truncate(usize::try_from(size).unwrap_or(usize::MAX));
        file.synced = file.synced.map(|synced| synced.min(file.bytes.len()));
        Ok(())
    }

    fn replace(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut disk = self.disk();
        if bytes.len() > disk.room() {
            return Err(full());
        }
        if disk.steps(bytes.len()) < bytes.len() {
            return Err(stopped());
        }
        let synced = disk.files.get(name).and_then(|file| file.synced).map(|_| 0);
        disk.files.insert(name.to_owned(), FakeFile { bytes: bytes.to_vec(), synced });
        Ok(())
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        let mut disk = self.disk();
        disk.step()?;
        let file = disk.files.remove(from).ok_or_else(missing)?;
        disk.files.insert(to.to_owned(), file);
        Ok(())
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        let mut disk = self.disk();
        disk.step()?;
        disk.files.remove(name).map(|_| ()).ok_or_else(missing)
    }
}
