//! The journal as a file that is appended to.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::entry::{Entry, Header};
use super::replay::{RECENT, Replay, replay};

/// How much of a journal is read at first: enough for what is of interest at its end.
const END_BYTES: u64 = 256 * 1024;

/// How long the first line may be.
const HEADER_BYTES: u64 = 4096;

/// The journal of a data file.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    /// How long it is when all entries are in it; what a failed write leaves behind is cut off.
    length: u64,
    /// How much of it is on the disk for certain.
    flushed: u64,
    /// What a write has left half-way, or a flush may have lost.
    harm: Harm,
    /// Entries that need not be on the disk soon, and go along with the next that do.
    waiting: String,
}

/// What has to be put right before anything else is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Harm {
    None,
    /// There may be part of an entry behind the last one, which could not be cut off.
    Torn,
    /// What was written since the last flush may not reach the disk: after a failed flush the kernel
    /// counts it as clean.
    Unflushed,
}

/// The journal of a data file.
pub fn journal_path(data: &Path) -> PathBuf {
    let name = data.file_name().unwrap_or_default().to_string_lossy();
    data.with_file_name(format!(".{name}.journal"))
}

impl Journal {
    /// Opens a journal, and reads its end; nothing if there is none. An unfinished entry at the end
    /// is cut off.
    ///
    /// # Errors
    /// If it cannot be opened, read or cut.
    pub fn open(path: &Path) -> io::Result<Option<(Journal, Replay)>> {
        let mut file = match OpenOptions::new().read(true).append(true).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let replay = read_end(&mut file)?;
        file.set_len(replay.whole_bytes)?;
        Ok(Some((Journal::of(path, file, replay.whole_bytes), replay)))
    }

    /// Makes a journal that begins with a header.
    ///
    /// # Errors
    /// If there is one already, or it cannot be made or written.
    pub fn create(path: &Path, header: Header) -> io::Result<Journal> {
        let file =
            OpenOptions::new().read(true).append(true).create_new(true).mode(0o640).open(path)?;
        let mut journal = Journal::of(path, file, 0);
        if let Err(error) = journal.write(&[Entry::Header(header)]) {
            // One that says nothing would be in the way of the next try.
            let _ = fs::remove_file(path);
            return Err(error);
        }
        Ok(journal)
    }

    fn of(path: &Path, file: File, length: u64) -> Journal {
        let (flushed, waiting) = (length, String::new());
        Journal { path: path.to_owned(), file, length, flushed, harm: Harm::None, waiting }
    }

    /// The journal's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the bytes lie that a rewrite puts at the end of the data file.
    pub fn side_path(&self) -> PathBuf {
        self.path.with_extension("redo")
    }

    /// Adds an entry that may be lost; it is written with the next that may not.
    pub fn note(&mut self, entry: &Entry) {
        entry.encode(&mut self.waiting);
    }

    /// Appends entries, all or nothing.
    ///
    /// # Errors
    /// Whatever writing fails with, such as a full disk.
    pub fn write(&mut self, entries: &[Entry]) -> io::Result<()> {
        self.put_right()?;
        let noted = self.waiting.len();
        entries.iter().for_each(|entry| entry.encode(&mut self.waiting));
        if let Err(error) = self.file.write_all(self.waiting.as_bytes()) {
            self.waiting.truncate(noted);
            if self.file.set_len(self.length).is_err() {
                // Tried again before anything is written. Whoever opens it before that cuts the
                // line off, because it is unfinished.
                self.harm = Harm::Torn;
            }
            return Err(error);
        }
        self.length += self.waiting.len() as u64;
        self.waiting.clear();
        Ok(())
    }

    /// Cuts off what a failed write has left, and writes again what a failed flush may have lost.
    fn put_right(&mut self) -> io::Result<()> {
        match self.harm {
            Harm::None => return Ok(()),
            Harm::Torn => self.file.set_len(self.length)?,
            Harm::Unflushed => {
                let lost = read(&mut self.file, self.flushed, self.length)?;
                let lost = String::from_utf8(lost).map_err(io::Error::other)?;
                self.file.set_len(self.flushed)?;
                self.length = self.flushed;
                self.waiting.insert_str(0, &lost);
            }
        }
        self.harm = Harm::None;
        Ok(())
    }

    /// Sees to it that what was written is on the disk.
    ///
    /// # Errors
    /// Whatever flushing fails with. What was written since the last flush that succeeded is written
    /// again with the next entries.
    pub fn flush(&mut self) -> io::Result<()> {
        if self.harm == Harm::Unflushed {
            // Without that it would succeed and prove nothing.
            self.write(&[])?;
        }
        if let Err(error) = self.file.sync_data() {
            // One that was torn before is cut to where it was flushed, which does as well.
            self.harm = Harm::Unflushed;
            return Err(error);
        }
        self.flushed = self.length;
        Ok(())
    }

    /// Whether entries wait that were only noted.
    pub fn has_notes(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Moves the journal to another name, because its data file has got another.
    ///
    /// # Errors
    /// Whatever renaming fails with.
    pub fn rename(&mut self, path: &Path) -> io::Result<()> {
        if self.path != path {
            fs::rename(&self.path, path)?;
            path.clone_into(&mut self.path);
        }
        Ok(())
    }

    /// Moves the journal to a free name, because its data file was moved or replaced.
    ///
    /// # Errors
    /// Whatever renaming fails with.
    pub fn set_aside(&mut self) -> io::Result<()> {
        let name = self.path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let mut number = 1;
        let free = loop {
            let free = self.path.with_file_name(format!("{name}.{number}.journal"));
            if !free.try_exists()? {
                break free;
            }
            number += 1;
        };
        fs::rename(&self.path, &free)?;
        self.path = free;
        Ok(())
    }
}

/// Whether a journal says that its file has ended in order; it is only read.
///
/// # Errors
/// Whatever reading fails with, a journal that there is none of included.
#[expect(clippy::disallowed_methods, reason = "the sink's subject is files")]
pub fn has_ended(path: &Path) -> io::Result<bool> {
    /// No entry of an end is as long.
    const LAST_BYTES: u64 = 256;
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let end = read(&mut file, length.saturating_sub(LAST_BYTES), length)?;
    let Some(end) = end.strip_suffix(b"\n") else { return Ok(false) };
    let line = memchr::memrchr(b'\n', end).map_or(end, |at| &end[at + 1..]);
    Ok(matches!(Entry::decode(line), Ok(Entry::End(_))))
}

/// Reads as much of the end as tells which of the last batches are confirmed.
fn read_end(file: &mut File) -> io::Result<Replay> {
    let length = file.metadata()?.len();
    let mut wanted = END_BYTES;
    loop {
        let start = length.saturating_sub(wanted);
        let mut text = read(file, start, length)?;
        // What begins in the middle of a line begins with the next one.
        let skipped = match start {
            0 => 0,
            _ => memchr::memchr(b'\n', &text).map_or(text.len(), |at| at + 1),
        };
        text.drain(..skipped);
        let mut replayed = replay(&text, start + skipped as u64);
        let first = replayed.batches.front();
        let is_enough = replayed.batches.len() >= RECENT
            && first.is_some_and(|batch| batch.number <= replayed.confirmed);
        // Where batches were cut, others that are not confirmed may stand before them.
        let are_before_confirmed =
            replayed.first_read.is_some_and(|first| replayed.confirmed + 1 >= first);
        let is_settled = replayed.batches.is_empty() && are_before_confirmed;
        if start == 0 || is_enough || is_settled || replayed.header.is_some() {
            if replayed.header.is_none() && start > 0 {
                let head = read(file, 0, HEADER_BYTES.min(length))?;
                let line = memchr::memchr(b'\n', &head).map_or(0, |at| at + 1);
                replayed.header = replay(&head[..line], 0).header;
            }
            return Ok(replayed);
        }
        wanted *= 4;
    }
}

fn read(file: &mut File, start: u64, end: u64) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    file.seek(SeekFrom::Start(start))?;
    Read::by_ref(file).take(end - start).read_to_end(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::group::Partition;
    use crate::sink::journal::{Batch, Part, Segment, samples};

    fn header() -> Header {
        samples::header(0)
    }

    fn batch(number: u64) -> Entry {
        let partition = Partition { topic: "a-topic-with-a-longer-name".into(), number: 0 };
        let segments = vec![Segment { start: number, length: 1 }];
        let offset = i64::try_from(number).unwrap();
        let part = Part { partition, offsets: offset..offset + 1, records: 1, segments };
        Entry::Batch(Batch { number, bytes: number..number + 1, checksum: 0, parts: vec![part] })
    }

    fn new() -> (tempfile::TempDir, PathBuf, Journal) {
        let folder = tempfile::tempdir().unwrap();
        let path = journal_path(&folder.path().join("consumer-thread-0.csv"));
        let journal = Journal::create(&path, header()).unwrap();
        (folder, path, journal)
    }

    #[test]
    fn a_journal_stands_hidden_beside_its_file() {
        let (folder, path, journal) = new();
        assert_eq!(path, folder.path().join(".consumer-thread-0.csv.journal"));
        assert_eq!(journal.side_path(), folder.path().join(".consumer-thread-0.csv.redo"));
    }

    #[test]
    fn what_is_noted_goes_with_what_is_written() {
        let (_folder, path, mut journal) = new();
        journal.write(&[batch(1)]).unwrap();
        journal.note(&Entry::Confirmed(1));
        assert_eq!(Journal::open(&path).unwrap().unwrap().1.confirmed, 0);
        journal.write(&[batch(2)]).unwrap();
        journal.flush().unwrap();
        let (_, replay) = Journal::open(&path).unwrap().unwrap();
        assert_eq!((replay.confirmed, replay.last_number), (1, 2));
        assert_eq!(replay.header, Some(header()));
    }

    #[test]
    fn an_unfinished_entry_is_cut_off_and_written_over() {
        let (_folder, path, mut journal) = new();
        journal.write(&[batch(1)]).unwrap();
        fs::write(&path, [&fs::read(&path).unwrap()[..], b"batch 2 10"].concat()).unwrap();
        let (mut journal, replay) = Journal::open(&path).unwrap().unwrap();
        assert_eq!(replay.last_number, 1);
        journal.write(&[batch(3)]).unwrap();
        let (_, replay) = Journal::open(&path).unwrap().unwrap();
        assert_eq!((replay.last_number, replay.damage.len()), (3, 0));
    }

    #[test]
    fn of_a_long_journal_the_end_is_read_and_the_header() {
        let (_folder, path, mut journal) = new();
        for number in 1..20_000 {
            journal.note(&batch(number));
            if number < 15_000 {
                journal.note(&Entry::Confirmed(number));
            }
        }
        journal.write(&[batch(20_000)]).unwrap();
        assert!(fs::metadata(&path).unwrap().len() > 4 * END_BYTES);
        let (_, replay) = Journal::open(&path).unwrap().unwrap();
        assert_eq!(replay.header, Some(header()));
        assert_eq!(replay.confirmed, 14_999);
        assert_eq!(replay.unconfirmed().count(), 5_001);
    }

    #[test]
    fn an_unconfirmed_batch_before_long_ones_that_were_cut_is_found() {
        let (_folder, path, mut journal) = new();
        journal.write(&[batch(1), Entry::Confirmed(1), batch(2)]).unwrap();
        let long = match batch(3) {
            Entry::Batch(mut batch) => {
                let segment = batch.parts[0].segments[0];
                batch.parts[0].segments = vec![segment; 200_000];
                Entry::Batch(batch)
            }
            other => other,
        };
        // Its flush has failed, and the answer to the first came only then.
        journal.write(&[long, Entry::Confirmed(1), Entry::Cut { number: 3, length: 0 }]).unwrap();
        assert!(fs::metadata(&path).unwrap().len() > 2 * END_BYTES);
        let (_, replay) = Journal::open(&path).unwrap().unwrap();
        let unconfirmed: Vec<_> = replay.unconfirmed().map(|batch| batch.number).collect();
        assert_eq!(unconfirmed, [2]);
    }

    #[test]
    fn a_journal_that_is_set_aside_gets_a_name_that_is_free() {
        let (folder, path, mut first) = new();
        first.set_aside().unwrap();
        let mut second = Journal::create(&path, header()).unwrap();
        second.set_aside().unwrap();
        assert_eq!(first.path(), folder.path().join(".consumer-thread-0.csv.1.journal"));
        assert_eq!(second.path(), folder.path().join(".consumer-thread-0.csv.2.journal"));
        assert!(Journal::open(&path).unwrap().is_none());
    }
}
