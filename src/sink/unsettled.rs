//! Files that threads of a sink left behind with an end that is not settled: renamed ones, and those
//! of threads that there are no more.

use std::path::{Path, PathBuf};

use super::file::FileError;
use super::journal::{Entry, Journal, Replay, journal_path};
use super::journaled::JournaledFile;
use super::ownership::StoreId;
use super::settings::Settings;
use super::store::{find_file, journals};

/// Files to be settled by the threads that start.
pub(super) struct Unsettled {
    files: Vec<JournaledFile>,
    threads: u32,
}

/// Looks through the journals of a folder, but for those of the files that threads write to now.
///
/// # Errors
/// If a journal or a file that is not settled cannot be read.
pub(super) fn find(
    folder: &Path,
    store: StoreId,
    settings: &Settings,
) -> Result<Unsettled, FileError> {
    let of_threads: Vec<PathBuf> = (0..settings.threads)
        .map(|number| journal_path(&folder.join(format!("consumer-thread-{number}.csv"))))
        .collect();
    let mut files = Vec::new();
    for path in journals(folder)?.into_iter().filter(|path| !of_threads.contains(path)) {
        let failed = |source| FileError { action: "opening", path: path.clone(), source };
        let Some((journal, replay)) = Journal::open(&path).map_err(failed)? else { continue };
        if let Some(file) = open(folder, store, journal, replay, settings)? {
            files.push(file);
        }
    }
    let threads = u32::try_from(settings.threads).unwrap_or(u32::MAX).max(1);
    Ok(Unsettled { files, threads })
}

/// Opens the file of a journal if it has an end to settle.
fn open(
    folder: &Path,
    store: StoreId,
    mut journal: Journal,
    replay: Replay,
    settings: &Settings,
) -> Result<Option<JournaledFile>, FileError> {
    let path = journal.path().display().to_string();
    let Some(header) = replay.header.clone() else {
        log::warn!(target: "", "{path} does not say what it is about; it is passed over");
        return Ok(None);
    };
    let is_settled = replay.unconfirmed().next().is_none() && replay.unfinished.is_none();
    if header.writer.store != store {
        if !is_settled {
            let writer = header.writer;
            log::warn!(target: "", "{path} is of another folder's writer {writer}; it is passed over");
        }
        return Ok(None);
    }
    match find_file(folder, header.file)? {
        Some((data, length)) => {
            // What a killed process wrote last is in no batch yet.
            let has_more = length > replay.length && !replay.is_ended;
            if is_settled && !has_more {
                return Ok(None);
            }
            JournaledFile::open_aside(&data, journal, replay, header.writer, settings.fsync)
                .map(Some)
        }
        None if is_settled => {
            // Its file has left the folder for good, and nobody has to ask for anything.
            let removed = std::fs::remove_file(journal.path());
            removed.map_err(|source| FileError {
                action: "removing",
                path: path.into(),
                source,
            })?;
            Ok(None)
        }
        None => {
            let mut entries = Vec::new();
            for batch in replay.unconfirmed() {
                for part in &batch.parts {
                    let (first, last) = (part.offsets.start, part.offsets.end - 1);
                    log::warn!(
                        target: "",
                        "The file of {path} has left the folder; undecided: whether {} records of {}, offsets \
                         {first} to {last}, were committed by this sink or read again by others",
                        part.records,
                        part.partition
                    );
                    entries.push(Entry::Undecided {
                        number: batch.number,
                        partition: part.partition.clone(),
                        offsets: part.offsets.clone(),
                    });
                }
            }
            entries.push(Entry::Settled(replay.last_number));
            let written = journal.write(&entries);
            written.map_err(|source| FileError {
                action: "writing to",
                path: path.into(),
                source,
            })?;
            Ok(None)
        }
    }
}

impl Unsettled {
    /// The files that a thread has to settle: its own, and a share of those of threads that there
    /// are no more.
    pub(super) fn take_of(&mut self, thread: u32) -> Vec<JournaledFile> {
        let threads = self.threads;
        self.files.extract_if(.., |file| file.writer().thread % threads == thread).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::IoSlice;

    use super::*;
    use crate::kafka::group::Partition;
    use crate::sink::journaled::Piece;
    use crate::sink::ownership::{Committed, History, Writer};
    use crate::sink::recovery::CommittedOffsets;
    use crate::sink::settings::Fsync;

    const STORE: StoreId = StoreId::SAMPLE;

    fn settings() -> Settings {
        Settings { threads: 1, ..Settings::default() }
    }

    fn append(file: &mut JournaledFile, offset: i64) {
        let partition = Partition { topic: "t".into(), number: 0 };
        let bytes = vec![IoSlice::new(b"line\n")];
        let offsets = offset..offset + 1;
        file.append(&mut [Piece { partition: &partition, offsets, records: 1, bytes }]).unwrap();
    }

    /// A folder in which thread 3 has left a committed record, and what `leave` makes of it.
    fn left(leave: impl FnOnce(&mut JournaledFile)) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("consumer-thread-3.csv");
        let writer = Writer { store: STORE, thread: 3 };
        let mut file = JournaledFile::open(&path, writer, Fsync::Commit).unwrap();
        append(&mut file, 0);
        file.close_batch(1).unwrap();
        file.confirmed(1);
        leave(&mut file);
        (folder, path)
    }

    /// Only the first record was ever committed.
    fn committed() -> CommittedOffsets {
        let history = Some(History::begin(Writer { store: STORE, thread: 3 }, 0));
        let partition = Partition { topic: "t".into(), number: 0 };
        CommittedOffsets::from([(partition, Committed { offset: Some(1), history })])
    }

    fn settle(folder: &Path) -> usize {
        let mut files = find(folder, STORE, &settings()).unwrap().take_of(0);
        files.iter_mut().for_each(|file| {
            file.settle(&committed()).unwrap();
        });
        files.len()
    }

    #[test]
    fn what_a_thread_that_is_no_more_has_left_is_settled_by_another() {
        let (folder, path) = left(|file| {
            append(file, 1);
            file.close_batch(2).unwrap();
        });
        assert_eq!(settle(folder.path()), 1);
        assert_eq!(fs::read_to_string(path).unwrap(), "line\n");
        assert_eq!(settle(folder.path()), 0);
    }

    #[test]
    fn what_is_in_no_batch_goes_from_such_a_file_too() {
        let (folder, path) = left(|file| {
            file.settle(&committed()).unwrap();
            append(file, 1);
        });
        assert_eq!(fs::read_to_string(&path).unwrap(), "line\nline\n");
        assert_eq!(settle(folder.path()), 1);
        assert_eq!(fs::read_to_string(path).unwrap(), "line\n");
    }

    #[test]
    fn a_renamed_file_is_found_and_one_that_has_gone_is_asked_for_once() {
        let unsettled = |file: &mut JournaledFile| {
            append(file, 1);
            file.close_batch(2).unwrap();
        };
        let (folder, path) = left(unsettled);
        let moved = folder.path().join("moved");
        fs::rename(&path, &moved).unwrap();
        assert_eq!(settle(folder.path()), 1);
        assert_eq!(fs::read_to_string(moved).unwrap(), "line\n");

        let (folder, path) = left(unsettled);
        fs::remove_file(&path).unwrap();
        assert_eq!(settle(folder.path()), 0);
        assert_eq!(journals(folder.path()).unwrap().len(), 1, "told of");
        assert_eq!(settle(folder.path()), 0);
        assert_eq!(journals(folder.path()).unwrap().len(), 0, "and done with");
    }

    #[test]
    fn the_files_of_another_folder_are_left_alone() {
        let (folder, path) = left(|file| append(file, 1));
        let other = find(folder.path(), StoreId::new(5), &settings()).unwrap();
        assert!(other.files.is_empty());
        assert_eq!(fs::read_to_string(path).unwrap(), "line\nline\n");
    }
}
