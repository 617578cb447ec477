//! Feeds files of dead letters back: their records are produced again, to the topic that they came
//! from or to another.
//!
//! What is damaged is named and passed over. Records that the cluster did not take are named, too,
//! and can be kept in a file of the same form, so that a second try produces no others.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::kafka::dead_letters::{Letters, LettersError, Numbered};
use crate::kafka::{ProduceError, Record};

/// How many records are produced at once, and how many bytes they have together at least if they
/// are fewer.
const BATCH_RECORDS: usize = 1_000;
const BATCH_BYTES: usize = 8 << 20;

/// Kept records are the owner's and the group's business only, as those in data files are.
const MODE: u32 = 0o640;

/// How many failures are told one by one.
const MOST_TOLD: u64 = 100;

/// What is to be done with letters.
#[derive(Debug, Clone, Default)]
pub struct ReplaySettings {
    /// Files to read, in this order.
    pub files: Vec<PathBuf>,
    /// The topic for all records; each goes to its own if absent.
    pub topic: Option<String>,
    /// Where letters are kept that were not produced; must not exist.
    pub rest: Option<PathBuf>,
}

/// Why nothing was replayed, or not everything that failed was kept.
#[derive(Debug, thiserror::Error)]
#[error("{action} {}: {source}", path.display())]
pub struct ReplayError {
    /// What was being done, such as `opening`.
    pub action: &'static str,
    /// The file.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

/// What has become of the letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Replayed {
    /// Records that the cluster has taken.
    pub produced: u64,
    /// Records that it has not, or that were not tried any more.
    pub failed: u64,
    /// Lines that could not be read, and files that could not be read to their end.
    pub damaged: u64,
}

/// Takes records and says what has become of each, as [`crate::kafka::Producer`] does.
pub type Produce<'p> = dyn FnMut(&[Record<'_>]) -> Vec<Result<(), ProduceError>> + 'p;

/// Replays the files; `goes_on` is asked before each batch.
///
/// It gives up when of a whole batch nothing was delivered: the cluster is away. What then is left
/// is read all the same, counted as failed, and kept.
///
/// # Errors
/// If a file cannot be opened, or the file for the rest cannot be made; then nothing was produced.
/// If the rest cannot be written.
pub fn replay(
    settings: &ReplaySettings,
    produce: &mut Produce<'_>,
    goes_on: impl Fn() -> bool,
) -> Result<Replayed, ReplayError> {
    // All of them before the first record, since a mistake in a name should cost nothing.
    let opened = settings.files.iter().map(|path| Ok((path.as_path(), open(path)?)));
    let opened = opened.collect::<Result<Vec<_>, ReplayError>>()?;
    let mut replay = Replay {
        topic: settings.topic.as_deref(),
        rest: settings.rest.as_deref().map(Rest::create).transpose()?,
        produce,
        goes_on: &goes_on,
        has_given_up: false,
        replayed: Replayed::default(),
    };
    for (path, file) in opened {
        replay.file(path, file)?;
    }
    let Replay { rest, replayed, .. } = replay;
    if let Some(rest) = rest {
        rest.finish()?;
    }
    Ok(replayed)
}

fn open(path: &Path) -> Result<BufReader<File>, ReplayError> {
    let failed = |source| ReplayError { action: "opening", path: path.to_owned(), source };
    OpenOptions::new().read(true).open(path).map(BufReader::new).map_err(failed)
}

struct Replay<'r, 'p> {
    topic: Option<&'r str>,
    rest: Option<Rest>,
    produce: &'r mut Produce<'p>,
    goes_on: &'r dyn Fn() -> bool,
    has_given_up: bool,
    replayed: Replayed,
}

impl Replay<'_, '_> {
    fn file(&mut self, path: &Path, file: BufReader<File>) -> Result<(), ReplayError> {
        let mut batch = Vec::new();
        let mut batch_bytes = 0;
        for letter in Letters::new(file) {
            match letter {
                Ok(letter) => {
                    let value = letter.letter.value.as_ref();
                    batch_bytes += value.map_or(0, |value| value.as_slice().len());
                    batch.push(letter);
                }
                Err(error) => {
                    self.replayed.damaged += 1;
                    log::error!(target: "", "{}: {error}; passed over", path.display());
                    if let LettersError::Read(_) = error {
                        break;
                    }
                }
            }
            if batch.len() >= BATCH_RECORDS || batch_bytes >= BATCH_BYTES {
                self.batch(path, &batch)?;
                batch.clear();
                batch_bytes = 0;
            }
        }
        self.batch(path, &batch)
    }

    fn batch(&mut self, path: &Path, batch: &[Numbered]) -> Result<(), ReplayError> {
        if batch.is_empty() {
            return Ok(());
        }
        if !self.has_given_up && !(self.goes_on)() {
            log::warn!(target: "", "Told to stop; the rest is not produced");
            self.has_given_up = true;
        }
        if self.has_given_up {
            self.replayed.failed += batch.len() as u64;
            return batch.iter().try_for_each(|letter| self.keep(letter));
        }
        let records: Vec<_> = batch.iter().map(|letter| record(letter, self.topic)).collect();
        let outcomes = (self.produce)(&records);
        for (letter, outcome) in batch.iter().zip(&outcomes) {
            match outcome {
                Ok(()) => self.replayed.produced += 1,
                Err(error) => {
                    self.replayed.failed += 1;
                    self.tell(path, letter, error);
                    self.keep(letter)?;
                }
            }
        }
        let is_away = |outcome: &Result<(), ProduceError>| {
            outcome.as_ref().is_err_and(|error| !error.is_permanent())
        };
        if outcomes.iter().all(is_away) {
            log::error!(target: "", "Giving up: none of {} records was delivered", batch.len());
            self.has_given_up = true;
        }
        Ok(())
    }

    /// Names a record that failed, unless very many have.
    fn tell(&self, path: &Path, letter: &Numbered, error: &ProduceError) {
        if self.replayed.failed > MOST_TOLD {
            return;
        }
        let Numbered { line, letter } = letter;
        let (topic, partition, offset) = (&letter.topic, letter.partition, letter.offset);
        let path = path.display();
        log::error!(target: "", "{path}: line {line} ({topic} [{partition}] at {offset}): {error}");
        if self.replayed.failed == MOST_TOLD {
            log::error!(target: "", "Further failures are only counted");
        }
    }

    fn keep(&mut self, letter: &Numbered) -> Result<(), ReplayError> {
        self.rest.as_mut().map_or(Ok(()), |rest| rest.push(letter))
    }
}

/// The record that a letter holds.
fn record<'l>(letter: &'l Numbered, topic: Option<&'l str>) -> Record<'l> {
    let letter = &letter.letter;
    Record {
        topic: topic.unwrap_or(&letter.topic),
        key: letter.key.as_ref().map(|key| key.as_slice()),
        value: letter.value.as_ref().map(|value| value.as_slice()),
        headers: letter
            .headers
            .iter()
            .map(|header| {
                (header.key.as_ref(), header.value.as_ref().map(|value| value.as_slice()))
            })
            .collect(),
        timestamp_ms: letter.timestamp_ms.filter(|time| *time > 0),
    }
}

/// Letters that were not produced, on their way to a file; without any it is removed again.
struct Rest {
    path: PathBuf,
    file: BufWriter<File>,
    line: Vec<u8>,
    kept: u64,
}

impl Rest {
    fn create(path: &Path) -> Result<Rest, ReplayError> {
        let file =
            OpenOptions::new().write(true).create_new(true).mode(MODE).open(path).map_err(
                |source| ReplayError { action: "making", path: path.to_owned(), source },
            )?;
        let file = BufWriter::new(file);
        Ok(Rest { path: path.to_owned(), file, line: Vec::new(), kept: 0 })
    }

    fn push(&mut self, letter: &Numbered) -> Result<(), ReplayError> {
        self.line.clear();
        letter.letter.push_line(&mut self.line);
        self.kept += 1;
        self.file.write_all(&self.line).map_err(|source| self.failed("writing to", source))
    }

    fn finish(mut self) -> Result<(), ReplayError> {
        if self.kept == 0 {
            let removed = std::fs::remove_file(&self.path);
            return removed.map_err(|source| self.failed("removing the empty", source));
        }
        let flushed = self.file.flush().and_then(|()| self.file.get_ref().sync_data());
        flushed.map_err(|source| self.failed("writing to", source))?;
        let (kept, path) = (self.kept, self.path.display());
        log::info!(target: "", "{kept} records that were not produced are in {path}");
        Ok(())
    }

    fn failed(&self, action: &'static str, source: io::Error) -> ReplayError {
        ReplayError { action, path: self.path.clone(), source }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::fs;

    use super::*;
    use crate::kafka::dead_letters::{Bytes, DeadLetter, Header};

    fn letter(offset: i64) -> DeadLetter<'static> {
        DeadLetter {
            topic: "t".into(),
            partition: 0,
            offset,
            timestamp_ms: Some(offset),
            reason: "because".into(),
            key: (offset % 2 == 1).then(|| Bytes::from(b"key".as_slice())),
            headers: vec![
                Header { key: "h".into(), value: None },
                Header { key: "h".into(), value: Some(Bytes::from(b"1".as_slice())) },
            ],
            value: (offset != 3).then(|| Bytes::from(format!("value {offset}").into_bytes())),
        }
    }

    fn lines(offsets: std::ops::Range<i64>) -> Vec<u8> {
        let mut file = Vec::new();
        offsets.for_each(|offset| letter(offset).push_line(&mut file));
        file
    }

    fn settings(content: &[u8]) -> (tempfile::TempDir, ReplaySettings) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("dead-letters.jsonl");
        fs::write(&file, content).unwrap();
        let rest = Some(folder.path().join("rest"));
        (folder, ReplaySettings { files: vec![file], topic: None, rest })
    }

    fn away() -> Result<(), ProduceError> {
        Err(ProduceError::NotDelivered("nobody is there".into()))
    }

    #[test]
    fn records_come_back_as_they_were() {
        let (_folder, settings) = settings(&lines(0..5));
        let mut produced = Vec::new();
        let mut produce = |records: &[Record<'_>]| {
            for record in records {
                assert_eq!(record.topic, "t");
                assert_eq!(record.headers, [("h", None), ("h", Some(b"1".as_slice()))]);
                let text =
                    |bytes: Option<&[u8]>| bytes.map(|b| String::from_utf8_lossy(b).into_owned());
                produced.push((text(record.key), text(record.value), record.timestamp_ms));
            }
            vec![Ok(()); records.len()]
        };
        let replayed = replay(&settings, &mut produce, || true).unwrap();
        assert_eq!(replayed, Replayed { produced: 5, ..Replayed::default() });
        let (key, value) = (Some("key".to_owned()), |n| Some(format!("value {n}")));
        assert_eq!(
            produced,
            [
                (None, value(0), None),
                (key.clone(), value(1), Some(1)),
                (None, value(2), Some(2)),
                (key, None, Some(3)),
                (None, value(4), Some(4)),
            ]
        );
        assert!(!settings.rest.unwrap().exists(), "without a rest there is no file for it");
    }

    #[test]
    fn what_fails_is_kept_for_another_try() {
        let (_folder, settings) = settings(&lines(0..5));
        let settings = ReplaySettings { topic: Some("other".into()), ..settings };
        let mut produce = |records: &[Record<'_>]| {
            let outcome = |record: &Record<'_>| match record.timestamp_ms {
                _ if record.topic != "other" => panic!("{}", record.topic),
                Some(2) => Err(ProduceError::TooLarge),
                Some(4) => away(),
                _ => Ok(()),
            };
            records.iter().map(outcome).collect()
        };
        let replayed = replay(&settings, &mut produce, || true).unwrap();
        assert_eq!(replayed, Replayed { produced: 3, failed: 2, damaged: 0 });
        let rest = settings.rest.clone().unwrap();
        assert_eq!(fs::read(&rest).unwrap(), [lines(2..3), lines(4..5)].concat());
        // A second run would mix up what the first has left.
        let error = replay(&settings, &mut produce, || true).unwrap_err();
        assert!(error.to_string().starts_with("making "), "{error}");
    }

    #[test]
    fn a_cluster_that_is_away_is_not_asked_for_every_batch() {
        let (_folder, settings) = settings(&lines(0..3_500));
        let mut asked = 0;
        let mut produce = |records: &[Record<'_>]| {
            asked += 1;
            records.iter().map(|_| if asked == 1 { Ok(()) } else { away() }).collect()
        };
        let replayed = replay(&settings, &mut produce, || true).unwrap();
        assert_eq!(replayed, Replayed { produced: 1_000, failed: 2_500, damaged: 0 });
        assert_eq!(asked, 2);
        assert_eq!(fs::read(settings.rest.unwrap()).unwrap(), lines(1_000..3_500));
    }

    #[test]
    fn a_stop_keeps_what_is_left() {
        let (_folder, settings) = settings(&lines(0..2_500));
        let asked = Cell::new(0);
        let goes_on = || {
            asked.set(asked.get() + 1);
            asked.get() < 2
        };
        let replayed = replay(&settings, &mut |records| vec![Ok(()); records.len()], goes_on);
        assert_eq!(replayed.unwrap(), Replayed { produced: 1_000, failed: 1_500, damaged: 0 });
        assert_eq!(fs::read(settings.rest.unwrap()).unwrap(), lines(1_000..2_500));
    }

    #[test]
    fn damaged_lines_are_passed_over_and_counted() {
        let (_folder, settings) =
            settings(&[&lines(0..1)[..], b"damaged\n", &lines(1..2), b"{\"to"].concat());
        let replayed = replay(&settings, &mut |records| vec![Ok(()); records.len()], || true);
        assert_eq!(replayed.unwrap(), Replayed { produced: 2, failed: 0, damaged: 2 });
    }

    #[test]
    fn a_file_that_is_missing_is_told_before_anything_is_produced() {
        let (folder, mut settings) = settings(&lines(0..1));
        settings.files.push(folder.path().join("missing"));
        let error = replay(&settings, &mut |_| panic!("produced"), || true).unwrap_err();
        assert!(error.to_string().starts_with("opening "), "{error}");
        assert!(!settings.rest.unwrap().exists());
    }
}
