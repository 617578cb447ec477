//! Records that no metrics can be made of: put aside in a topic or a file, or only told of.
//!
//! A record counts as done when it has been put aside. While that is not possible nothing is read,
//! so that none vanishes, however long it takes.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::delivery::UnderWay;
use crate::kafka::dead_letters::{Bytes, DeadLetter, Header};
use crate::kafka::group::Partition;
use crate::kafka::{Connection, ProduceError, Producer, ProducerSettings, Record};
use crate::metric::{Accompany, OriginalRecord, RecordHeader};
use crate::plugin::{PluginError, PluginLog};
use crate::system::{Clock, ErrorWords, RotatingFile, Rotation};

/// How many letters wait at most before they are put aside.
const MOST_WAITING: usize = 200;

/// How long to wait before what could not be put aside is tried again.
const RETRY_WAIT: Duration = Duration::from_secs(1);

/// Only the owner and the group may read the file: records may hold anything.
const FILE_MODE: u32 = 0o640;

/// The largest record that the client sends; what the topic takes is the brokers' to say.
const MOST_BYTES: u32 = 1_000_000_000;

/// A record that no metrics can be made of.
#[derive(Debug, thiserror::Error)]
#[error("{partition} at offset {offset}: {reason}")]
pub(super) struct Letter {
    /// Where it was read.
    pub partition: Partition,
    /// Its place there.
    pub offset: i64,
    /// Why nothing can be made of it.
    pub reason: PluginError,
    /// The record.
    pub record: OriginalRecord,
    /// What holds its offset back until this is dropped.
    pub under_way: UnderWay,
}

/// Letters that the brokers will never take.
#[derive(Debug, thiserror::Error)]
#[error("{letter}; topic {topic:?} does not take the record, which is given up: {why}")]
struct Refused {
    letter: Letter,
    topic: String,
    why: ProduceError,
}

/// Where records are put aside.
pub(super) enum Place {
    /// Nowhere: they are told of one by one.
    Log,
    /// A topic of the same cluster.
    Topic {
        /// Its name.
        topic: String,
        /// What writes to it.
        producer: Box<Producer>,
    },
    /// A file, one line of JSON for each.
    File(PathBuf),
}

impl Place {
    /// A topic, which nothing is written to before the first record.
    pub(super) fn topic(
        topic: String,
        connection: Connection,
        log_target: &str,
        clock: Arc<dyn Clock>,
    ) -> Place {
        let settings =
            ProducerSettings { max_message_bytes: MOST_BYTES, ..ProducerSettings::default() };
        let producer = Box::new(Producer::new(connection, settings, log_target, clock));
        Place::Topic { topic, producer }
    }
}

/// Puts records aside.
pub(super) struct DeadLetters {
    place: Place,
    waiting: Vec<Letter>,
    clock: Arc<dyn Clock>,
    log: PluginLog,
    /// When what failed is tried again.
    next_try: Option<Duration>,
}

impl DeadLetters {
    /// Puts records aside there.
    pub(super) fn new(place: Place, clock: Arc<dyn Clock>, log: PluginLog) -> DeadLetters {
        DeadLetters { place, waiting: Vec::new(), clock, log, next_try: None }
    }

    /// Takes a letter, and tells what there is to tell of it at once.
    pub(super) fn add(&mut self, letter: Letter) -> Option<PluginError> {
        match self.place {
            Place::Log => Some(letter.into()),
            Place::Topic { .. } | Place::File(_) => {
                self.waiting.push(letter);
                None
            }
        }
    }

    /// Whether no more should be read before what waits is put aside.
    pub(super) fn are_to_be_put_aside(&self) -> bool {
        self.next_try.is_some() || self.waiting.len() >= MOST_WAITING
    }

    /// Whether any are not put aside yet.
    pub(super) fn are_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// When there is something to do again.
    pub(super) fn next_try(&self) -> Option<Duration> {
        self.next_try
    }

    /// Puts aside what waits, if it is time to; `report` is told what goes wrong, once.
    pub(super) fn put_aside(&mut self, mut report: impl FnMut(PluginError)) {
        let now = self.clock.elapsed();
        if self.next_try.is_some_and(|next| now < next) {
            return;
        }
        let (first, count) = match self.waiting.first() {
            Some(first) => (first.to_string(), self.waiting.len()),
            None => return,
        };
        let result = match &mut self.place {
            Place::Log => Ok(()),
            Place::Topic { topic, producer } => {
                produce(producer, topic, &mut self.waiting, &mut report)
            }
            Place::File(path) => append(path, &mut self.waiting, &self.clock),
        };
        match result {
            Ok(()) => {
                self.next_try = None;
                self.log.warn(format_args!("Records put aside: {count}, the first {first}"));
            }
            Err(error) => {
                if self.next_try.is_none() {
                    report(
                        format!("putting aside {first}; nothing is read until it is: {error}")
                            .into(),
                    );
                }
                self.next_try = Some(now + RETRY_WAIT);
            }
        }
    }

    /// Leaves behind what waits of partitions that somebody else reads.
    pub(super) fn leave_behind(&mut self, is_gone: impl Fn(&Partition) -> bool) {
        self.waiting.retain(|letter| {
            let is_gone = is_gone(&letter.partition);
            if is_gone {
                letter.under_way.leave_behind();
            }
            !is_gone
        });
        if self.waiting.is_empty() {
            self.next_try = None;
        }
    }
}

/// Writes letters to a topic with their own key, value, headers and time, and with where they come
/// from and why in headers behind their own.
fn produce(
    producer: &mut Producer,
    topic: &str,
    letters: &mut Vec<Letter>,
    report: &mut impl FnMut(PluginError),
) -> Result<(), PluginError> {
    let origins: Vec<[(&str, String); 4]> = letters
        .iter()
        .map(|letter| {
            [
                ("dead-letter.topic", letter.partition.topic.to_string()),
                ("dead-letter.partition", letter.partition.number.to_string()),
                ("dead-letter.offset", letter.offset.to_string()),
                ("dead-letter.reason", letter.reason.to_string()),
            ]
        })
        .collect();
    let records: Vec<_> = letters
        .iter()
        .zip(&origins)
        .map(|(Letter { record, .. }, origin)| Record {
            topic,
            key: record.key.as_deref(),
            value: record.value.as_deref(),
            headers: record
                .headers
                .iter()
                .map(|(name, value)| (&**name, value.as_deref()))
                .chain(origin.iter().map(|(name, value)| (*name, Some(value.as_bytes()))))
                .collect(),
            timestamp_ms: record.timestamp_ms.filter(|ms| *ms > 0),
        })
        .collect();
    let outcomes = producer.produce(&records);
    let mut failed = None;
    let mut kept = Vec::new();
    for (letter, outcome) in letters.drain(..).zip(outcomes) {
        match outcome {
            Ok(()) => {}
            // A topic that is not there may still be made; a record that is too large stays so.
            Err(error) if error.concerns_record() => {
                report(Refused { letter, topic: topic.to_owned(), why: error }.into());
            }
            Err(error) => {
                failed.get_or_insert_with(|| format!("topic {topic:?}: {error}").into());
                kept.push(letter);
            }
        }
    }
    *letters = kept;
    failed.map_or(Ok(()), Err)
}

/// Appends letters to a file, and brings them to the disk.
fn append(
    path: &Path,
    letters: &mut Vec<Letter>,
    clock: &Arc<dyn Clock>,
) -> Result<(), PluginError> {
    let failed = |error: std::io::Error| -> PluginError {
        format!("{}: {}", path.display(), ErrorWords(&error)).into()
    };
    let mut lines = Vec::new();
    letters.iter().for_each(|letter| push_line(letter, &mut lines));
    // Opened each time: whoever feeds the letters back may have moved the file away.
    let mut file =
        RotatingFile::open(path, Rotation::NEVER, FILE_MODE, clock.clone()).map_err(failed)?;
    let length = file.file().metadata().map_err(failed)?.len();
    let written = file.write_all(&lines).and_then(|()| file.file().sync_data());
    if let Err(error) = written {
        // The next try must not begin in the middle of a line.
        file.file().set_len(length).map_err(failed)?;
        return Err(failed(error));
    }
    letters.clear();
    Ok(())
}

fn push_line(letter: &Letter, lines: &mut Vec<u8>) {
    let Letter { partition, offset, reason, record, .. } = letter;
    let header = |(key, value): &RecordHeader| Header {
        key: key.to_string().into(),
        value: value.as_ref().map(|value| Bytes::from(value.to_vec())),
    };
    DeadLetter {
        topic: (&*partition.topic).into(),
        partition: partition.number,
        offset: *offset,
        timestamp_ms: record.timestamp_ms,
        reason: reason.to_string().into(),
        key: record.key.as_deref().map(Bytes::from),
        headers: record.headers.iter().map(header).collect(),
        value: record.value.as_deref().map(Bytes::from),
    }
    .push_line(lines);
}
