//! Metrics that an output can never write, kept with the reason until they are sent again.
//!
//! They go to a file of [letters], the metric as line protocol in which all types can be told apart.
//! What that cannot say, such as a number that is none or the type of the whole metric, makes the
//! letter hold the metric's bytes beside it. A batch's letters are on the disk before the batch ends,
//! so that whoever waits to hear of a metric hears only once it is somewhere.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::letters::{self, Bytes, FILE_SUFFIX};
use crate::metric::{BinaryError, Metric, Timestamp};
use crate::plugin::line_protocol::{Lines, Reason};
use crate::plugin::{PluginLog, Rejection, Serializer};
use crate::system::{ErrorWords, SharedLines, UtcTime};

/// How many bytes of letters are brought to the disk at once, roughly.
const GROUP_BYTES: usize = 1 << 20;

/// A metric with all that it takes to send it again, and why it was given up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeadLetter<'l> {
    /// When it was given up.
    pub time: UtcTime,
    /// The output that gave it up, such as `outputs.kafka::alias`.
    pub output: Cow<'l, str>,
    /// The id of that output; the same for the same settings.
    pub id: Cow<'l, str>,
    /// Why it was given up.
    pub reason: Cow<'l, str>,
    /// The metric as line protocol without its line end; absent if it has no such form.
    #[serde(deserialize_with = "Option::deserialize")]
    pub metric: Option<Cow<'l, str>>,
    /// The bytes of [`Metric::encode`], where line protocol does not tell everything; they count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exact: Option<Bytes<'l>>,
}

/// Why there is no metric in a letter.
#[derive(Debug, thiserror::Error)]
pub enum LetterError {
    /// Its line is none.
    #[error("its line protocol is wrong: {0}")]
    Line(Reason),
    /// Its bytes are none.
    #[error("its bytes are no metric: {0}")]
    Bytes(#[from] BinaryError),
    /// It has neither.
    #[error("it holds no metric")]
    Empty,
}

impl DeadLetter<'_> {
    /// The metric.
    ///
    /// # Errors
    /// If somebody has changed the letter to something else.
    pub fn to_metric(&self) -> Result<Metric, LetterError> {
        match (&self.exact, &self.metric) {
            (Some(bytes), _) => Ok(Metric::decode(bytes.as_slice())?),
            (None, Some(line)) => parse(line.as_bytes()),
            (None, None) => Err(LetterError::Empty),
        }
    }
}

/// The metric of one line; its time is always there.
fn parse(line: &[u8]) -> Result<Metric, LetterError> {
    let parsed = Lines::new(line, 1).next(|| Timestamp::EPOCH);
    parsed.map_err(|fault| LetterError::Line(fault.reason))?.ok_or(LetterError::Empty)
}

/// Where an output's letters go, and how many are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keeping {
    /// The file.
    pub path: PathBuf,
    /// How many bytes are kept in all, in the file and those that were set aside.
    pub most_bytes: u64,
}

impl Keeping {
    /// The file in `folder` for the output called `name`, such as `outputs.kafka::alias`.
    ///
    /// Outputs of one name have one file: each letter tells whose it is.
    pub fn in_folder(folder: &Path, name: &str, most_bytes: u64) -> Keeping {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        let plain: String =
            name.replace("::", ".").chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
        Keeping { path: folder.join(format!("{plain}{FILE_SUFFIX}")), most_bytes }
    }
}

/// Keeps what one output gives up.
pub struct DeadLetters {
    file: SharedLines,
    most_bytes: u64,
    id: String,
    /// Writes line protocol.
    serializer: Box<dyn Serializer>,
    log: PluginLog,
}

impl DeadLetters {
    /// Makes the keeper for the output that has this log and id; `serializer` writes line protocol
    /// in which unsigned integers are marked. The file is made with the first letter.
    pub fn new(
        keeping: Keeping,
        id: &str,
        serializer: Box<dyn Serializer>,
        log: PluginLog,
    ) -> DeadLetters {
        let Keeping { path, most_bytes } = keeping;
        let file = SharedLines::new(path, most_bytes);
        DeadLetters { file, most_bytes, id: id.to_owned(), serializer, log }
    }

    /// Where the letters go.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// Keeps the metrics of a batch that were rejected; they are on the disk when this returns, unless
    /// the log says that they cannot be.
    pub fn keep(&mut self, batch: &[Metric], rejected: &[Rejection], now: Timestamp) {
        let mut waiting = Waiting::default();
        let mut n_too_large = 0;
        for Rejection { index, reason } in rejected {
            let Some(metric) = batch.get(*index) else { continue };
            let reason = reason.to_string();
            let (name, before) = (self.log.name(), waiting.lines.len());
            let letter = letter(metric, &mut *self.serializer, name, &self.id, &reason, now);
            letters::push_line(&letter, &mut waiting.lines);
            if (waiting.lines.len() - before) as u64 > self.most_bytes {
                waiting.lines.truncate(before);
                n_too_large += 1;
                continue;
            }
            waiting.count += 1;
            if waiting.lines.len() >= GROUP_BYTES {
                self.append(std::mem::take(&mut waiting), now);
            }
        }
        if n_too_large > 0 {
            let path = self.file.path().display();
            self.log.error(format_args!(
                "{n_too_large} metrics are lost: each is larger than all that may be kept in {path}"
            ));
        }
        self.append(waiting, now);
    }

    fn append(&mut self, waiting: Waiting, now: Timestamp) {
        let Waiting { lines, count } = waiting;
        if count == 0 {
            return;
        }
        match self.file.append(&lines, now) {
            Ok(discarded) => discarded.iter().for_each(|old| {
                self.log.error(format_args!(
                    "Metrics that could not be written are lost: {} was deleted, since no more is \
                     kept than dead_letter_max_size",
                    old.display()
                ));
            }),
            Err(error) => self.log.error(format_args!(
                "{count} metrics are lost: they cannot be kept in {}: {}",
                self.file.path().display(),
                ErrorWords(&error)
            )),
        }
    }
}

/// Letters that are not in the file yet.
#[derive(Default)]
struct Waiting {
    lines: Vec<u8>,
    count: usize,
}

/// The letter for one metric.
pub fn letter<'l>(
    metric: &Metric,
    serializer: &mut dyn Serializer,
    output: &'l str,
    id: &'l str,
    reason: &'l str,
    now: Timestamp,
) -> DeadLetter<'l> {
    let mut line = Vec::new();
    let written = serializer.serialize(metric, &mut line).is_ok();
    let line = String::from_utf8(line).ok().filter(|_| written);
    let line = line.map(|line| line.trim_end_matches('\n').to_owned());
    // Almost always it is: what is read back is the metric.
    let says_all = line
        .as_ref()
        .is_some_and(|line| parse(line.as_bytes()).is_ok_and(|read| is_same(&read, metric)));
    let exact = (!says_all).then(|| {
        let mut bytes = Vec::new();
        metric.encode(&mut bytes);
        Bytes::from(bytes)
    });
    DeadLetter {
        time: now.into(),
        output: output.into(),
        id: id.into(),
        reason: reason.into(),
        metric: line.map(Cow::Owned),
        exact,
    }
}

/// Whether two metrics are the same, whatever goes along with them.
fn is_same(read: &Metric, metric: &Metric) -> bool {
    (&read.name, read.time, read.value_type) == (&metric.name, metric.time, metric.value_type)
        && read.tags() == metric.tags()
        && read.fields() == metric.fields()
}

#[cfg(test)]
mod tests;
