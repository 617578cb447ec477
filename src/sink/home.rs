//! The output folder: who may write to it, what it is known by, and what to do when it is removed
//! while the sink runs.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::SinkError;
use super::file::FileError;
use super::lock::FolderLock;
use super::ownership::StoreId;
use super::store::{STORE_FILE, keep_store_id, store_id};
use crate::system::{Clock, Random};

/// A folder that belongs to this process.
pub(super) struct Home {
    folder: PathBuf,
    store: StoreId,
    /// What is to be done when the folder was made anew. It goes before the lock.
    when_restored: OnceLock<Box<dyn Fn() + Send + Sync>>,
    clock: Arc<dyn Clock>,
    lock: Mutex<FolderLock>,
}

/// How a folder was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// As it was left.
    AsItWas,
    /// Removed; it was made anew.
    Gone,
}

impl Home {
    /// Makes a folder if it is missing, locks it, and finds out what it is known by.
    ///
    /// # Errors
    /// If it cannot be made, is another sink's, or does not keep its id.
    pub(super) fn claim(
        folder: PathBuf,
        clock: &Arc<dyn Clock>,
        random: &Random,
    ) -> Result<Home, SinkError> {
        fs::create_dir_all(&folder)
            .map_err(|source| SinkError::Folder { path: folder.clone(), source })?;
        let lock = FolderLock::acquire(&folder, clock.as_ref())?;
        let store = store_id(&folder, random)?;
        let (when_restored, clock) = (OnceLock::new(), clock.clone());
        Ok(Home { folder, store, when_restored, clock, lock: Mutex::new(lock) })
    }

    /// What it is known by.
    pub(super) fn store(&self) -> StoreId {
        self.store
    }

    /// Has something done whenever the folder was made anew; once.
    pub(super) fn when_restored(&self, act: impl Fn() + Send + Sync + 'static) {
        let _ = self.when_restored.set(Box::new(act));
    }

    /// Sees to it that the folder is this process's, making it anew if somebody has removed it: it
    /// is locked again and gets its id again, which stands in commits and journals.
    ///
    /// # Errors
    /// If it cannot be made, or is another sink's meanwhile.
    pub(super) fn restore(&self) -> Result<Found, FileError> {
        let mut lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        if lock.is_in(&self.folder) {
            return Ok(Found::AsItWas);
        }
        let failed = |action, source| FileError { action, path: self.folder.clone(), source };
        if lock.is_somewhere() {
            // With another one under its path there would be two of the same id.
            let error = io::Error::other("it was moved away, or its disk was; it is waited for");
            return Err(failed("going on in", error));
        }
        fs::create_dir_all(&self.folder).map_err(|source| failed("making", source))?;
        let new = FolderLock::acquire(&self.folder, self.clock.as_ref())
            .map_err(|error| failed("locking", io::Error::other(error)))?;
        match fs::read_to_string(self.folder.join(STORE_FILE)) {
            Ok(text) if text.trim_end() == self.store.to_string() => {
                // The lock alone was removed.
                *lock = new;
                return Ok(Found::AsItWas);
            }
            Ok(_) => {
                let error = io::Error::other("it is the folder of another metric-sink now");
                return Err(failed("going on in", error));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                keep_store_id(&self.folder, self.store)?;
            }
            Err(source) => return Err(failed("reading the id of", source)),
        }
        *lock = new;
        log::warn!(
            target: "",
            "{} was removed with all that was in it, and is made anew: what was committed and in it is \
             not written again",
            self.folder.display()
        );
        if let Some(act) = self.when_restored.get() {
            act();
        }
        Ok(Found::Gone)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::metric::Timestamp;
    use crate::system::fake::FakeClock;

    #[test]
    fn a_folder_that_was_removed_is_made_anew_with_its_id_and_its_lock() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("out");
        let clock: Arc<dyn Clock> = Arc::new(FakeClock::at(Timestamp::EPOCH));
        let random = Random::from_seed(1);
        let home = Home::claim(folder.clone(), &clock, &random).unwrap();
        let times = Arc::new(AtomicU32::new(0));
        let counted = times.clone();
        home.when_restored(move || {
            counted.fetch_add(1, Ordering::Relaxed);
        });
        assert_eq!(home.restore().unwrap(), Found::AsItWas);
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(home.restore().unwrap(), Found::Gone);
        assert_eq!(home.restore().unwrap(), Found::AsItWas);
        assert_eq!(times.load(Ordering::Relaxed), 1);
        assert_eq!(store_id(&folder, &random).unwrap(), home.store());
        FolderLock::acquire(&folder, clock.as_ref()).unwrap_err();
    }

    #[test]
    fn a_folder_that_was_moved_away_is_waited_for() {
        let parent = tempfile::tempdir().unwrap();
        let (folder, elsewhere) = (parent.path().join("out"), parent.path().join("elsewhere"));
        let clock: Arc<dyn Clock> = Arc::new(FakeClock::at(Timestamp::EPOCH));
        let home = Home::claim(folder.clone(), &clock, &Random::from_seed(1)).unwrap();
        fs::rename(&folder, &elsewhere).unwrap();
        assert!(home.restore().unwrap_err().to_string().contains("it is waited for"));
        assert!(!folder.exists());
        fs::rename(&elsewhere, &folder).unwrap();
        assert_eq!(home.restore().unwrap(), Found::AsItWas);
    }

    #[test]
    fn a_folder_that_is_another_sinks_by_now_is_left_to_it() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("out");
        let clock: Arc<dyn Clock> = Arc::new(FakeClock::at(Timestamp::EPOCH));
        let random = Random::from_seed(1);
        let home = Home::claim(folder.clone(), &clock, &random).unwrap();
        fs::remove_dir_all(&folder).unwrap();
        fs::create_dir(&folder).unwrap();
        let lock = FolderLock::acquire(&folder, clock.as_ref()).unwrap();
        assert!(home.restore().unwrap_err().to_string().contains("another metric-sink"));
        drop(lock);
        fs::write(folder.join(STORE_FILE), "0123456789ab\n").unwrap();
        assert!(home.restore().unwrap_err().to_string().contains("another metric-sink"));
        assert_eq!(fs::read_to_string(folder.join(STORE_FILE)).unwrap(), "0123456789ab\n");
    }
}
