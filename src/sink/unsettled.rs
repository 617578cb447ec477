//! Files that threads of a sink left behind with an end that is not settled: renamed ones, and those
//! of threads that there are no more.

use std::path::{Path, PathBuf};

use hashbrown::{HashMap, HashSet};

use super::file::FileError;
use super::files::names::is_marked_open;
use super::journal::{Entry, FileId, Header, Journal, Replay, journal_path};
use super::journaled::JournaledFile;
use super::ownership::StoreId;
use super::settings::Settings;
use super::store::{files_by_inode, journals};

/// Files to be settled by the threads that start.
pub(super) struct Unsettled {
    files: Vec<JournaledFile>,
    threads: u32,
}

/// Looks through the journals of a folder, but for those of the files that are open already. Found
/// are the files with an end that is not settled, and those that are marked as open.
///
/// # Errors
/// If a journal or a file that is not settled cannot be read.
pub(super) fn find(
    folder: &Path,
    store: StoreId,
    settings: &Settings,
    open_already: &[PathBuf],
) -> Result<Unsettled, FileError> {
    let mut data = DataFiles::in_folder(folder)?;
    data.described.extend(open_already.iter().filter_map(|path| inode_of(path)));
    let of_open: Vec<_> = open_already.iter().map(|path| journal_path(path)).collect();
    let mut opened = Vec::new();
    for path in journals(folder)?.into_iter().filter(|path| !of_open.contains(path)) {
        let failed = |source| FileError { action: "opening", path: path.clone(), source };
        let Some((journal, replay)) = Journal::open(&path).map_err(failed)? else { continue };
        let header = replay.header.as_ref();
        let own = data_path(&path).filter(|own| {
            header.is_some_and(|header| FileId::at(own).is_some_and(|id| id.is_still(&header.file)))
        });
        data.described.extend(own.as_deref().and_then(inode_of));
        opened.push((journal, replay, own));
    }
    let mut files = Vec::new();
    for (journal, replay, own) in opened {
        let found = match (own, replay.header.as_ref()) {
            (Some(own), _) => Found::At(own),
            (None, Some(header)) => data.of(header),
            (None, None) => Found::Nowhere,
        };
        if let Some(file) = open(found, store, journal, replay, settings)? {
            files.push(file);
        }
    }
    let threads = u32::try_from(settings.threads).unwrap_or(u32::MAX).max(1);
    Ok(Unsettled { files, threads })
}

/// The files of a folder by their numbers, which outlast their names.
struct DataFiles {
    by_inode: HashMap<u64, PathBuf>,
    /// Those with a journal beside them: what another journal says is about a file that there was
    /// before, whose number, or whose place, was used again.
    described: HashSet<u64>,
}

impl DataFiles {
    fn in_folder(folder: &Path) -> Result<DataFiles, FileError> {
        Ok(DataFiles { by_inode: files_by_inode(folder)?, described: HashSet::new() })
    }

    /// The file of a journal that does not stand beside it.
    fn of(&self, header: &Header) -> Found {
        let inode = header.file.inode;
        match self.by_inode.get(&inode) {
            Some(_) if self.described.contains(&inode) => Found::Superseded,
            Some(path) => match FileId::at(path) {
                Some(id) if id.is_still(&header.file) => Found::At(path.clone()),
                Some(_) => Found::Superseded,
                None => Found::Nowhere,
            },
            None => Found::Nowhere,
        }
    }
}

/// Where the file of a journal is found.
enum Found {
    At(PathBuf),
    /// It was begun anew, or its number was given to another: nothing in it is this journal's to cut.
    Superseded,
    /// It has left the folder.
    Nowhere,
}

fn inode_of(path: &Path) -> Option<u64> {
    FileId::at(path).map(|id| id.inode)
}

/// The file that a journal stands beside, by its name.
fn data_path(journal: &Path) -> Option<PathBuf> {
    let name = journal.file_name()?.to_str()?;
    let name = name.strip_prefix('.')?.strip_suffix(".journal")?;
    Some(journal.with_file_name(name))
}

/// Opens the file of a journal if it has an end to settle, or is marked as open.
fn open(
    found: Found,
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
    match found {
        Found::At(data) => {
            let length = std::fs::metadata(&data).map_or(0, |metadata| metadata.len());
            // What a killed process wrote last is in no batch yet.
            let has_more = length > replay.length && !replay.is_ended;
            // The file may have got its own name when the journal had not yet.
            let is_beside = journal_path(&data) == journal.path();
            let is_published = !is_marked_open(&data) && (is_beside || !is_of_open(&journal));
            if is_settled && !has_more && is_published {
                return Ok(None);
            }
            JournaledFile::open_aside(&data, journal, replay, header.writer, settings.fsync)
                .map(Some)
        }
        Found::Superseded if is_settled => Ok(None),
        Found::Nowhere if is_settled => {
            // Its file has left the folder for good, and nobody has to ask for anything.
            let removed = std::fs::remove_file(journal.path());
            removed.map_err(|source| FileError {
                action: "removing",
                path: path.into(),
                source,
            })?;
            Ok(None)
        }
        Found::Superseded | Found::Nowhere => {
            give_up(&mut journal, &replay)?;
            Ok(None)
        }
    }
}

/// Whether a journal is called as that of a file that is marked as open.
fn is_of_open(journal: &Journal) -> bool {
    data_path(journal.path()).is_some_and(|data| is_marked_open(&data))
}

/// Says of records whose file has left the folder that nobody can tell.
fn give_up(journal: &mut Journal, replay: &Replay) -> Result<(), FileError> {
    let path = journal.path().to_owned();
    let mut entries = Vec::new();
    for batch in replay.unconfirmed() {
        for part in &batch.parts {
            let (first, last) = (part.offsets.start, part.offsets.end - 1);
            log::warn!(
                target: "",
                "The file of {} has left the folder or was begun anew; undecided: whether {} \
                 records of {}, offsets {first} to {last}, were committed by this sink or read \
                 again by others",
                path.display(),
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
    written.map_err(|source| FileError { action: "writing to", path, source })
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
        CommittedOffsets::from([(
            partition,
            Committed { offset: Some(1), history, ..Committed::default() },
        )])
    }

    fn settle(folder: &Path) -> usize {
        let mut files = find(folder, STORE, &settings(), &[]).unwrap().take_of(0);
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
    fn files_that_are_marked_as_open_are_found_even_if_they_are_settled() {
        let (folder, path) = left(|file| file.end().unwrap());
        assert_eq!(settle(folder.path()), 0);
        let marked = folder.path().join("consumer-thread-3.csv.open");
        fs::rename(&path, &marked).unwrap();
        fs::rename(journal_path(&path), journal_path(&marked)).unwrap();
        assert_eq!(settle(folder.path()), 1);
        // Killed between the two renames that give it its own name.
        fs::rename(&marked, &path).unwrap();
        assert_eq!(settle(folder.path()), 1);
        fs::rename(journal_path(&marked), journal_path(&path)).unwrap();
        assert_eq!(settle(folder.path()), 0);
    }

    #[test]
    fn a_journal_that_was_set_aside_takes_nothing_from_a_file_that_has_another() {
        let (folder, path) = left(|_| {});
        let writer = Writer { store: STORE, thread: 3 };
        // Somebody has emptied the file, as `copytruncate` does, and it has grown again.
        let mut file = JournaledFile::open(&path, writer, Fsync::Commit).unwrap();
        fs::write(&path, "").unwrap();
        for offset in 1..4 {
            append(&mut file, offset);
        }
        file.close_batch(2).unwrap();
        file.confirmed(2);
        file.end().unwrap();
        assert_eq!(journals(folder.path()).unwrap().len(), 2);
        assert_eq!(settle(folder.path()), 0);
        assert_eq!(fs::read_to_string(path).unwrap(), "line\n".repeat(3));
    }

    #[test]
    fn what_somebody_else_has_added_stays_although_the_journal_before_does_not_know_of_it() {
        for threads in [0, 1] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("consumer-thread-0.csv");
            let writer = Writer { store: STORE, thread: 0 };
            let open = || JournaledFile::open(&path, writer, Fsync::Commit).unwrap();
            let mut file = open();
            append(&mut file, 0);
            file.close_batch(1).unwrap();
            file.confirmed(1);
            file.end().unwrap();
            drop(file);
            fs::write(&path, "line\nby hand\n").unwrap();
            let mut file = open();
            append(&mut file, 1);
            file.close_batch(2).unwrap();
            file.confirmed(2);
            file.end().unwrap();
            drop(file);
            let settings = Settings { threads, ..settings() };
            assert!(find(folder.path(), STORE, &settings, &[]).unwrap().files.is_empty());
            assert_eq!(fs::read_to_string(&path).unwrap(), "line\nby hand\nline\n");
        }
    }

    #[test]
    fn the_files_of_another_folder_are_left_alone() {
        let (folder, path) = left(|file| append(file, 1));
        let other = find(folder.path(), StoreId::new(5), &settings(), &[]).unwrap();
        assert!(other.files.is_empty());
        assert_eq!(fs::read_to_string(path).unwrap(), "line\nline\n");
    }
}
