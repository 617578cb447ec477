//! Reading everything once: each journal against its data file, and what all of them claim.
//!
//! Writer by writer, and of a writer's journals those side by side that are about the same time: a
//! batch may have brought records to several files.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;

use super::bytes::{self, Wrong};
use super::contents::{Contents, open};
use super::coverage::{Claim, Coverage, Run, Spot, combine, without};
use super::finding::{Finding, Kind};
use super::findings::Findings;
use super::survey::{Activity, JournalFile, Survey, SurveyError, failed, open_journal};
use crate::kafka::group::Partition;
use crate::sink::journal::{Batch, Batches, Entry, Facts, Standing};
use crate::sink::ownership::Writer;

/// Stands for the file of records whose file nobody has looked at.
pub(super) const NO_FILE: usize = usize::MAX;

/// What the files hold of a partition.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// What is confirmed.
    pub(super) coverage: Coverage,
    /// What nobody knows of yet.
    pub(super) pending: Vec<Run>,
}

/// What all journals claim.
pub(super) type Holdings = BTreeMap<Partition, Held>;

/// Reads all journals and data files.
///
/// # Errors
/// If one cannot be read.
pub(super) fn read(survey: &Survey, findings: &mut Findings) -> Result<Holdings, SurveyError> {
    let mut reading = Reading {
        survey,
        findings,
        holdings: Holdings::new(),
        explained: vec![Explained::default(); survey.data.len()],
    };
    let mut of_writers: BTreeMap<Writer, Vec<&JournalFile>> = BTreeMap::new();
    for journal in &survey.journals {
        match &journal.header {
            Some(header) => of_writers.entry(header.writer).or_default().push(journal),
            // A sink that was killed at that moment had not written anything of it yet.
            None if journal.length == 0 => {}
            None => reading.findings.push(
                Finding::fault(Kind::Journal, "it does not say what it is about")
                    .of_file(&journal.path),
            ),
        }
    }
    for (writer, journals) in of_writers {
        reading.writer(writer, journals)?;
    }
    reading.look_for_unexplained()?;
    Ok(reading.holdings)
}

/// What a data file's journals say of it.
#[derive(Debug, Clone, Default)]
struct Explained {
    /// The stretches that a batch covers, joined where they touch.
    batches: Vec<Range<u64>>,
    /// What was there before the first journal.
    before: Option<u64>,
    /// The end of it is being rewritten.
    in_rewrite: Option<u64>,
    /// Its sink has ended in order.
    is_ended: bool,
    is_described: bool,
}

impl Explained {
    fn add(&mut self, bytes: &Range<u64>) {
        match self.batches.last_mut() {
            Some(last) if last.end == bytes.start => last.end = bytes.end,
            _ => self.batches.push(bytes.clone()),
        }
    }
}

struct Reading<'s> {
    survey: &'s Survey,
    findings: &'s mut Findings,
    holdings: Holdings,
    explained: Vec<Explained>,
}

/// A journal that is being read beside its data file.
struct Source<'s> {
    journal: &'s JournalFile,
    batches: Batches<BufReader<File>>,
    data: Option<(usize, Contents)>,
    next: Option<(Standing, Batch)>,
    /// The offset behind the last record of each partition.
    ends: HashMap<Partition, i64>,
}

impl Reading<'_> {
    /// Reads the journals of a writer, all batches of one number together.
    fn writer(
        &mut self,
        writer: Writer,
        mut journals: Vec<&JournalFile>,
    ) -> Result<(), SurveyError> {
        // From the back on they are taken.
        journals.sort_by_key(|journal| {
            std::cmp::Reverse(journal.first.as_ref().map_or(0, |first| first.number))
        });
        let mut sources: Vec<Source<'_>> = Vec::new();
        loop {
            let least = sources.iter().filter_map(Source::number).min();
            let next =
                journals.last().map(|journal| journal.first.as_ref().map_or(0, |it| it.number));
            if let Some(first) = next
                && least.is_none_or(|least| first <= least)
                && let Some(journal) = journals.pop()
            {
                sources.push(self.open(journal)?);
                continue;
            }
            let Some(number) = least else { break };
            let mut claims = Vec::new();
            let mut pending = Vec::new();
            for source in sources.iter_mut().filter(|source| source.number() == Some(number)) {
                let Some((standing, batch)) = source.next.take() else { continue };
                source.advance()?;
                let found = self.batch(writer, source, &batch)?;
                match standing {
                    Standing::Confirmed => claims.extend(found),
                    Standing::Pending => pending.extend(found),
                }
            }
            for claim in combine(claims) {
                self.holdings.entry(claim.partition).or_default().coverage.add(claim.run);
            }
            for claim in combine(pending) {
                self.holdings.entry(claim.partition).or_default().pending.push(claim.run);
            }
            for source in sources.extract_if(.., |source| source.next.is_none()) {
                self.finish(&source);
            }
        }
        Ok(())
    }

    fn open<'j>(&mut self, journal: &'j JournalFile) -> Result<Source<'j>, SurveyError> {
        let data = match journal.data {
            None => None,
            Some(at) => {
                let path = &self.survey.data[at].path;
                Some((at, Contents::open(path).map_err(failed("opening", path))?))
            }
        };
        let batches = open_journal(&journal.path, journal.length)?;
        let mut source = Source { journal, batches, data, next: None, ends: HashMap::new() };
        source.advance()?;
        if source.next.is_none() {
            self.finish(&source);
        }
        Ok(source)
    }

    /// Checks a batch, and returns what it claims; nothing if it is not there any more.
    fn batch(
        &mut self,
        writer: Writer,
        source: &mut Source<'_>,
        batch: &Batch,
    ) -> Result<Vec<Claim>, SurveyError> {
        let Some((at, contents)) = &mut source.data else { return Ok(Vec::new()) };
        let (at, path) = (*at, &self.survey.data[*at].path);
        let in_rewrite = source.batches.facts().unfinished.clone();
        if in_rewrite.is_none_or(|rewritten| batch.bytes.end <= rewritten.start) {
            let wrong = bytes::check(contents, batch).map_err(failed("reading", path))?;
            let is_running =
                self.survey.folders[source.journal.folder].activity == Activity::Running;
            if !wrong.is_empty() && is_running && source.has_taken_out(batch.number)? {
                // While this was reading, its sink has settled it.
                self.explained[at].add(&batch.bytes);
                return Ok(Vec::new());
            }
            for wrong in &wrong {
                self.tell(path, batch, wrong);
            }
            if wrong.iter().any(|wrong| matches!(wrong, Wrong::Short { .. })) {
                self.explained[at].add(&batch.bytes);
                return Ok(Vec::new());
            }
        }
        self.explained[at].add(&batch.bytes);
        let mut claims = Vec::with_capacity(batch.parts.len());
        for part in &batch.parts {
            let end = source.ends.insert(part.partition.clone(), part.offsets.end);
            if end.is_some_and(|end| part.offsets.start < end) {
                let what = "they stand behind larger ones of the same file: the topic was made anew or the group's \
                            offset was set back";
                self.findings.push(
                    Finding::fault(Kind::Disorder, what)
                        .of_file(path)
                        .at(batch.bytes.clone())
                        .of_offsets(&part.partition, part.offsets.clone()),
                );
            }
            let byte = part.segments.first().map_or(batch.bytes.start, |segment| segment.start);
            let (offsets, records) = (part.offsets.clone(), part.records);
            let run = Run { offsets, records, writer, spot: Spot { file: at, byte } };
            claims.push(Claim { partition: part.partition.clone(), run });
        }
        Ok(claims)
    }

    fn tell(&mut self, path: &Path, batch: &Batch, wrong: &Wrong) {
        let (kind, what, bytes) = match wrong {
            Wrong::Short { length } => (
                Kind::Shortened,
                format!("batch {} is not there: the file has {length} bytes only", batch.number),
                batch.bytes.clone(),
            ),
            Wrong::Checksum => (
                Kind::Damaged,
                format!("batch {} is not what was written there", batch.number),
                batch.bytes.clone(),
            ),
            Wrong::Torn { at } => {
                (Kind::Torn, "a record does not end in a line end here".to_owned(), *at..at + 1)
            }
            Wrong::FewLines { lines, records } => (
                Kind::Torn,
                format!("batch {} has {records} records in {lines} lines", batch.number),
                batch.bytes.clone(),
            ),
            Wrong::Overlap { at } => (
                Kind::Journal,
                format!("records of batch {} overlap with others", batch.number),
                *at..at + 1,
            ),
        };
        let finding = Finding::fault(kind, what).of_file(path).at(bytes);
        if kind == Kind::Torn || kind == Kind::Journal {
            self.findings.push(finding);
            return;
        }
        for part in &batch.parts {
            self.findings.push(finding.clone().of_offsets(&part.partition, part.offsets.clone()));
        }
    }

    /// Notes what a journal says besides its batches.
    fn finish(&mut self, source: &Source<'_>) {
        let Source { journal, batches, data, .. } = source;
        let Facts { header, is_ended, unfinished, damage, undecided, .. } = batches.facts();
        if let Some(first) = damage.first() {
            let what = format!("{} lines are wrong, the first at byte {first}", damage.len());
            self.findings.push(Finding::fault(Kind::Journal, what).of_file(&journal.path));
        }
        for each in undecided {
            let what = "when its sink asked, nobody could tell whether these count; they were kept";
            self.findings.push(
                Finding::note(Kind::Undecided, what)
                    .of_file(&journal.path)
                    .of_offsets(&each.partition, each.offsets.clone()),
            );
        }
        let Some((at, _)) = data else {
            if journal.first.is_some() {
                let what =
                    "its data file is in none of the folders; what it says of is not counted";
                self.findings.push(Finding::fault(Kind::Left, what).of_file(&journal.path));
            }
            return;
        };
        let explained = &mut self.explained[*at];
        let begin = header.as_ref().map_or(0, |header| header.begin);
        explained.before = Some(explained.before.map_or(begin, |before| before.min(begin)));
        explained.is_described = true;
        // The journal of one that was set aside says nothing of the end.
        explained.is_ended |= *is_ended;
        if let Some(rewritten) = unfinished {
            explained.in_rewrite = Some(rewritten.start);
            let is_idle = self.survey.folders[journal.folder].activity == Activity::Idle;
            let what = "the end of the file was being rewritten";
            let finding = match is_idle {
                true => Finding::fault(Kind::Unsettled, what),
                false => Finding::note(Kind::InFlight, what),
            };
            self.findings.push(finding.of_file(&self.survey.data[*at].path).at(rewritten.clone()));
        }
    }

    /// Looks for bytes in data files that no batch covers.
    fn look_for_unexplained(&mut self) -> Result<(), SurveyError> {
        for (data, explained) in self.survey.data.iter().zip(&mut self.explained) {
            let path = &data.path;
            if !explained.is_described {
                let what = "no journal describes this file; what is in it is not counted";
                self.findings.push(Finding::note(Kind::Remark, what).of_file(path));
                continue;
            }
            let mut contents = match Contents::open(path) {
                Ok(contents) => contents,
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => return Err(failed("opening", path)(error)),
            };
            let length = contents.length().map_err(failed("reading", path))?;
            let before = explained.before.unwrap_or(0);
            if before > 0 {
                let what = "this was in the file before metric-sink came to it, or before its journal began anew";
                let is_covered = explained.batches.iter().any(|batch| batch.start < before);
                let mut lines = 0;
                contents
                    .read(0, before, |_, piece| {
                        lines += memchr::memchr_iter(b'\n', piece).count();
                    })
                    .map_err(failed("reading", path))?;
                // One line is the names of the columns.
                if !is_covered && lines > 1 {
                    self.findings
                        .push(Finding::note(Kind::Remark, what).of_file(path).at(0..before));
                }
            }
            explained.batches.sort_by_key(|batch| (batch.start, batch.end));
            let end = explained.in_rewrite.unwrap_or(length).min(length);
            let activity = self.survey.folders[data.folder].activity;
            for bytes in without(&(before..end), &explained.batches) {
                let count = bytes.end - bytes.start;
                let finding = if bytes.end < length || explained.is_ended {
                    Finding::fault(Kind::Unexplained, format!("no journal explains {count} bytes"))
                } else if activity == Activity::Running {
                    Finding::note(
                        Kind::InFlight,
                        format!("{count} bytes were in no batch yet when the check began"),
                    )
                } else {
                    let what =
                        format!("{count} bytes were never committed, of a sink that was killed");
                    Finding::fault(Kind::Unsettled, what)
                };
                self.findings.push(finding.of_file(path).at(bytes));
            }
        }
        Ok(())
    }
}

impl Source<'_> {
    fn number(&self) -> Option<u64> {
        self.next.as_ref().map(|(_, batch)| batch.number)
    }

    fn advance(&mut self) -> Result<(), SurveyError> {
        self.next = self.batches.next().map_err(failed("reading", &self.journal.path))?;
        Ok(())
    }

    /// Whether a batch was cut or rewritten since the check began.
    fn has_taken_out(&self, number: u64) -> Result<bool, SurveyError> {
        let mut now = open_journal(&self.journal.path, u64::MAX)?;
        let mut stands = false;
        while let Some((_, batch)) = now.next().map_err(failed("reading", &self.journal.path))? {
            stands |= batch.number == number;
        }
        let before = self.batches.facts().unfinished.is_some();
        Ok(!stands || now.facts().unfinished.is_some() != before)
    }
}

/// What running sinks have written since the check began: nobody has looked at it, but it stands in
/// their journals, as everything does that was committed meanwhile.
///
/// # Errors
/// If a journal cannot be read.
pub(super) fn read_since(survey: &Survey, holdings: &mut Holdings) -> Result<(), SurveyError> {
    let running = survey.folders.iter().filter(|folder| folder.activity == Activity::Running);
    for folder in running {
        let found = crate::sink::store::journals(&folder.path).map_err(|error| SurveyError {
            action: "reading",
            path: folder.path.clone(),
            source: error.source,
        })?;
        for path in found {
            let known = survey.journals.iter().find(|journal| journal.path == path);
            read_tail(&path, known, holdings)?;
        }
    }
    Ok(())
}

fn read_tail(
    path: &Path,
    known: Option<&JournalFile>,
    holdings: &mut Holdings,
) -> Result<(), SurveyError> {
    let mut file = match open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed("opening", path)(error)),
    };
    let from = known.map_or(0, |journal| journal.length);
    file.seek(SeekFrom::Start(from)).map_err(failed("reading", path))?;
    let mut writer = known.and_then(|it| it.header.as_ref()).map(|header| header.writer);
    for line in BufReader::new(file).split(b'\n') {
        let batch = match Entry::decode(&line.map_err(failed("reading", path))?) {
            Ok(Entry::Batch(batch)) => batch,
            Ok(Entry::Header(header)) => {
                writer = Some(header.writer);
                continue;
            }
            _ => continue,
        };
        let Some(writer) = writer else { continue };
        let file = known.and_then(|journal| journal.data).unwrap_or(NO_FILE);
        for part in batch.parts {
            let byte = part.segments.first().map_or(batch.bytes.start, |it| it.start);
            let spot = Spot { file, byte };
            let run = Run { offsets: part.offsets, records: part.records, writer, spot };
            holdings.entry(part.partition).or_default().pending.push(run);
        }
    }
    Ok(())
}
