//! What lies in the folders: journals, data files, and which belongs to which.
//!
//! A journal names its data file by the number that the file has on its disk. A folder that was
//! copied has other numbers, and a file that was moved has another name; so a file is taken for a
//! journal's if its name or number is right and it begins with what the journal says.

use std::fs::{self, File};
use std::io::{self, BufReader};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use super::bytes::holds;
use super::contents::{Contents, open, unpacked_name};
use crate::sink::journal::{Batch, Batches, FileId, Header};
use crate::sink::status::SOCKET_FILE;
use crate::sink::store::{STORE_FILE, journals};

/// Why folders cannot be checked.
#[derive(Debug, thiserror::Error)]
#[error("{action} {}: {source}", path.display())]
pub struct SurveyError {
    /// What was being done, such as `reading`.
    pub action: &'static str,
    /// The folder or file.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

/// Whether a sink writes to a folder now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Activity {
    Running,
    Idle,
}

pub(super) struct Folder {
    pub(super) path: PathBuf,
    pub(super) activity: Activity,
}

/// A journal as it is when the check begins.
pub(super) struct JournalFile {
    pub(super) path: PathBuf,
    pub(super) folder: usize,
    /// How much of it is looked at.
    pub(super) length: u64,
    /// None if no line says what it is about.
    pub(super) header: Option<Header>,
    /// The first batch that stays, if there is any.
    pub(super) first: Option<Batch>,
    /// Its data file, by its place in [`Survey::data`].
    pub(super) data: Option<usize>,
}

/// A file that may hold records.
pub(super) struct DataFile {
    pub(super) path: PathBuf,
    pub(super) folder: usize,
    id: FileId,
}

/// Everything in the folders.
pub(super) struct Survey {
    pub(super) folders: Vec<Folder>,
    pub(super) journals: Vec<JournalFile>,
    pub(super) data: Vec<DataFile>,
}

impl Survey {
    /// Looks through the folders.
    ///
    /// # Errors
    /// If a folder or a journal cannot be read, or a folder is none of metric-sink's.
    pub(super) fn of(folders: &[PathBuf]) -> Result<Survey, SurveyError> {
        let mut survey = Survey { folders: Vec::new(), journals: Vec::new(), data: Vec::new() };
        for path in folders {
            let real = path.canonicalize().map_err(failed("reading", path))?;
            // The same folder twice would be all its records twice.
            let is_known = |folder: &Folder| folder.path.canonicalize().is_ok_and(|it| it == real);
            if !survey.folders.iter().any(is_known) {
                let activity = activity(path);
                survey.folders.push(Folder { path: path.clone(), activity });
                survey.add_data(survey.folders.len() - 1)?;
                survey.add_journals(survey.folders.len() - 1)?;
            }
        }
        for journal in 0..survey.journals.len() {
            survey.journals[journal].data = survey.data_of(journal)?;
        }
        Ok(survey)
    }

    fn add_data(&mut self, folder: usize) -> Result<(), SurveyError> {
        let path = &self.folders[folder].path;
        for entry in fs::read_dir(path).map_err(failed("reading", path))? {
            let entry = entry.map_err(failed("reading", path))?;
            let is_hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
            // A file that goes away in between is none of them.
            let Ok(metadata) = fs::metadata(entry.path()) else { continue };
            if metadata.is_file() && !is_hidden {
                let id = FileId::of(&metadata);
                self.data.push(DataFile { path: entry.path(), folder, id });
            }
        }
        Ok(())
    }

    fn add_journals(&mut self, folder: usize) -> Result<(), SurveyError> {
        let path = &self.folders[folder].path;
        let found = journals(path).map_err(|error| SurveyError {
            action: "reading",
            path: path.clone(),
            source: error.source,
        })?;
        let is_used = path.join(STORE_FILE).exists();
        if found.is_empty() && !is_used {
            let source =
                io::Error::other("it is no output folder of metric-sink: no journal is in it");
            return Err(failed("checking", path)(source));
        }
        for path in found {
            // One that is removed in between was done with.
            let Ok(length) = whole_length(&path) else { continue };
            let mut batches = open_journal(&path, length)?;
            let first = batches.next().map_err(failed("reading", &path))?.map(|(_, batch)| batch);
            let header = batches.facts().header.clone();
            self.journals.push(JournalFile { path, folder, length, header, first, data: None });
        }
        Ok(())
    }

    fn named(&self, folder: usize, is_it: impl Fn(&Path) -> bool) -> Option<usize> {
        self.data.iter().position(|data| data.folder == folder && is_it(&data.path))
    }

    /// Finds a journal's data file.
    fn data_of(&self, journal: usize) -> Result<Option<usize>, SurveyError> {
        let JournalFile { path, folder, header, first, .. } = &self.journals[journal];
        let Some(header) = header else { return Ok(None) };
        // A file that was compressed keeps its journal.
        let named = self.named(*folder, |data| is_journal_of(path, data)).or_else(|| {
            self.named(*folder, |data| {
                unpacked_name(data).is_some_and(|data| is_journal_of(path, &data))
            })
        });
        let numbered = |same_folder: bool| {
            let all = self.data.iter().enumerate();
            let found = all.filter(move |(_, data)| {
                data.id.is_still(&header.file) && (data.folder == *folder) == same_folder
            });
            found.map(|(at, _)| at)
        };
        let Some(first) = first else {
            return Ok(numbered(true).next().or(named));
        };
        let is_described = |at: usize| self.journals.iter().any(|other| other.data == Some(at));
        let others = (0..self.data.len()).filter(|at| !is_described(*at));
        let mut candidates: Vec<usize> = Vec::new();
        for at in numbered(true).chain(named).chain(numbered(false)).chain(others) {
            if !candidates.contains(&at) {
                candidates.push(at);
            }
        }
        for at in candidates {
            let path = &self.data[at].path;
            match Contents::open(path).and_then(|mut contents| holds(&mut contents, first)) {
                Ok(true) => return Ok(Some(at)),
                Ok(false) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                // Whatever lies beside the data files is nobody's business here.
                Err(error) if Some(at) != named => {
                    log::debug!(target: "", "{}: {error}", path.display())
                }
                Err(error) => return Err(failed("reading", path)(error)),
            }
        }
        // Under its own name it is the journal's, damaged as it may be.
        Ok(named)
    }
}

/// Whether this is the journal beside a data file, and not one that was set aside.
fn is_journal_of(journal: &Path, data: &Path) -> bool {
    crate::sink::journal::journal_path(data) == journal
}

/// Opens a journal for reading its first `length` bytes.
///
/// # Errors
/// If it cannot be opened.
pub(super) fn open_journal(
    path: &Path,
    length: u64,
) -> Result<Batches<BufReader<File>>, SurveyError> {
    let file = open(path).map_err(failed("opening", path))?;
    Ok(Batches::new(BufReader::with_capacity(64 * 1024, file), length))
}

/// How long a journal is up to the end of its last whole line.
fn whole_length(path: &Path) -> io::Result<u64> {
    const BLOCK: u64 = 64 * 1024;
    let mut contents = Contents::plain(path)?;
    let mut end = contents.length()?;
    while end > 0 {
        let start = end.saturating_sub(BLOCK);
        let mut last = None;
        contents.read(start, end, |at, piece| {
            let found = memchr::memrchr(b'\n', piece).map(|found| at + found as u64 + 1);
            last = found.or(last);
        })?;
        match last {
            Some(last) => return Ok(last),
            None => end = start,
        }
    }
    Ok(0)
}

/// An error that names what was being done and to which file.
pub(super) fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> SurveyError {
    let path = path.to_owned();
    move |source| SurveyError { action, path, source }
}

/// Asks whether a sink runs. Trying its lock would keep one out that starts at this moment.
fn activity(folder: &Path) -> Activity {
    match UnixStream::connect(folder.join(SOCKET_FILE)) {
        Ok(_) => Activity::Running,
        // It is another user's, and there.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Activity::Running,
        Err(_) => Activity::Idle,
    }
}
