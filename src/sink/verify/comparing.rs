//! Comparing every record in the files with the topic, byte by byte.

use std::collections::HashMap;
use std::io;
use std::ops::Range;
use std::path::Path;

use super::VerifyError;
use super::contents::{Contents, PIECE};
use super::finding::{Finding, Kind};
use super::findings::Findings;
use super::survey::{JournalFile, Survey, failed, open_journal};
use crate::kafka::TopicReader;
use crate::kafka::group::Partition;
use crate::sink::file::push_record;
use crate::sink::journal::{Part, Segment};

/// Reads all records of the files from the topic, and tells where they differ.
///
/// # Errors
/// If a file or the topic cannot be read.
pub(super) fn compare(
    survey: &Survey,
    reader: &mut TopicReader,
    findings: &mut Findings,
) -> Result<(), VerifyError> {
    let mut starts = HashMap::new();
    for journal in &survey.journals {
        let Some(data) = journal.data.and_then(|at| survey.data.get(at)) else { continue };
        let mut contents = Contents::open(&data.path).map_err(failed("opening", &data.path))?;
        if contents.is_packed() {
            let what = "it is compressed: its checksums were looked at, and not every record";
            findings.push(Finding::note(Kind::Remark, what).of_file(&data.path));
            continue;
        }
        compare_file(journal, &data.path, &mut contents, reader, &mut starts, findings)?;
    }
    Ok(())
}

fn compare_file(
    journal: &JournalFile,
    path: &Path,
    contents: &mut Contents,
    reader: &mut TopicReader,
    starts: &mut HashMap<Partition, i64>,
    findings: &mut Findings,
) -> Result<(), VerifyError> {
    let mut batches = open_journal(&journal.path, journal.length)?;
    let mut is_raw = true;
    while let Some((_, batch)) = batches.next().map_err(failed("reading", &journal.path))? {
        for part in &batch.parts {
            let start = match starts.get(&part.partition) {
                Some(start) => *start,
                None => {
                    let start = reader.log(&part.partition)?.start;
                    starts.insert(part.partition.clone(), start);
                    start
                }
            };
            if part.offsets.start < start {
                // The topic has dropped the first of them.
                continue;
            }
            let compared = compare_part(contents, part, reader)?;
            let compared = compared.map_err(failed("reading", path))?;
            let finding = match compared {
                Compared::Alike => continue,
                Compared::Dropped => continue,
                Compared::Spread => {
                    is_raw = false;
                    continue;
                }
                Compared::Differs { offset, at } => {
                    let what = "the record is not what the topic holds at this offset";
                    Finding::fault(Kind::Different, what)
                        .of_offsets(&part.partition, offset..offset + 1)
                        .at(at..at + 1)
                }
            };
            findings.push(finding.of_file(path));
        }
    }
    if !is_raw {
        let what =
            "some of its batches are spread over several files; their bytes are not compared";
        findings.push(Finding::note(Kind::Remark, what).of_file(path));
    }
    Ok(())
}

/// What comparing the records of a batch has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Compared {
    Alike,
    Differs {
        /// The first record that differs.
        offset: i64,
        /// Where it stands.
        at: u64,
    },
    /// The topic holds fewer records than the file by now, because it is compacted.
    Dropped,
    /// The topic holds more of them: the others are in other files, or missing, which was told.
    Spread,
}

fn compare_part(
    contents: &mut Contents,
    part: &Part,
    reader: &mut TopicReader,
) -> Result<io::Result<Compared>, VerifyError> {
    let mut cursor = Cursor::new(contents, &part.segments);
    let mut differs = None;
    let mut failure = None;
    let mut count = 0;
    let mut expected = Vec::new();
    let offsets: &Range<i64> = &part.offsets;
    reader.read(&part.partition, offsets, |offset, value| {
        count += 1;
        if differs.is_some() || failure.is_some() {
            return;
        }
        expected.clear();
        push_record(&mut expected, value);
        let at = cursor.at();
        match cursor.is_next(&expected) {
            Ok(true) => {}
            Ok(false) => differs = Some(Compared::Differs { offset, at }),
            Err(error) => failure = Some(error),
        }
    })?;
    if let Some(error) = failure {
        return Ok(Err(error));
    }
    Ok(Ok(match count.cmp(&part.records) {
        std::cmp::Ordering::Less => Compared::Dropped,
        std::cmp::Ordering::Greater => Compared::Spread,
        std::cmp::Ordering::Equal => differs.unwrap_or(Compared::Alike),
    }))
}

/// Goes through the stretches of a partition's records.
struct Cursor<'f> {
    contents: &'f mut Contents,
    segments: std::slice::Iter<'f, Segment>,
    /// What is left of the stretch.
    rest: Range<u64>,
    /// What was read of it and not looked at yet.
    ahead: Vec<u8>,
    used: usize,
}

impl<'f> Cursor<'f> {
    fn new(contents: &'f mut Contents, segments: &'f [Segment]) -> Cursor<'f> {
        Cursor { contents, segments: segments.iter(), rest: 0..0, ahead: Vec::new(), used: 0 }
    }

    /// Where the next byte stands.
    fn at(&mut self) -> u64 {
        if self.rest.is_empty()
            && let Some(next) = self.segments.next()
        {
            self.rest = next.start..next.start + next.length;
            self.ahead.clear();
            self.used = 0;
        }
        self.rest.start
    }

    /// Whether these bytes come next; goes behind them.
    fn is_next(&mut self, expected: &[u8]) -> io::Result<bool> {
        // A record is never divided between two stretches.
        let start = self.at();
        let end = start + expected.len() as u64;
        if end > self.rest.end {
            return Ok(false);
        }
        if self.ahead.len() - self.used < expected.len() {
            let most = end.max(start + PIECE as u64).min(self.rest.end);
            self.ahead.clear();
            self.used = 0;
            let ahead = &mut self.ahead;
            self.contents.read(start, most, |_, piece| ahead.extend_from_slice(piece))?;
        }
        let next = self.ahead.get(self.used..self.used + expected.len());
        self.used += expected.len();
        self.rest.start = end;
        Ok(next == Some(expected))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_looked_for_where_their_stretches_are() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let long = vec![b'x'; PIECE + 5];
        let content = [b"one\ntwo\n", &long[..], b"-three\nfour\n"].concat();
        std::fs::write(file.path(), &content).unwrap();
        let mut contents = Contents::open(file.path()).unwrap();
        let length = long.len() as u64;
        let segments =
            [Segment { start: 4, length: 4 + length }, Segment { start: 9 + length, length: 11 }];
        let mut cursor = Cursor::new(&mut contents, &segments);
        for (expected, is_next) in [
            (&b"two\n"[..], true),
            (&long, true),
            (b"three\n", true),
            (b"five\n", false),
            (b"x", false),
        ] {
            assert_eq!(cursor.is_next(expected).unwrap(), is_next);
        }
    }
}
