//! Sends dead letters again: each metric to the output that gave it up, or to another that is named.
//!
//! What the outputs do not take goes back to where it was, with the new reason if it was given up
//! again; what could not be sent at all goes back as it is.

use std::collections::BTreeMap;
use std::io::{self, BufRead};
use std::ops::AddAssign;
use std::time::Duration;

use crossbeam_channel::Receiver;

use super::dead_letters::{DeadLetter, letter};
use super::running_output::RunningOutput;
use crate::letters::{Letters, LettersError, Numbered, push_line};
use crate::metric::Metric;
use crate::plugin::{Serializer, WriteError};
use crate::system::{Clock, Waited};

/// How often a batch is offered that an output could not write but may write later.
const TRIES: usize = 5;

/// How long it waits before it offers a batch again.
const PAUSE: Duration = Duration::from_secs(2);

/// What metrics are sent to.
pub trait Recipient {
    /// Its name, such as `outputs.kafka::alias`.
    fn name(&self) -> &str;

    /// Its id; the same for the same settings.
    fn id(&self) -> &str;

    /// How many metrics it gets at once.
    fn batch_size(&self) -> usize;

    /// Takes metrics.
    ///
    /// # Errors
    /// What it has not taken, and why.
    fn offer(&mut self, batch: &[Metric]) -> Result<(), WriteError>;
}

impl Recipient for RunningOutput {
    fn name(&self) -> &str {
        self.log.name()
    }

    fn id(&self) -> &str {
        &self.id
    }

    fn batch_size(&self) -> usize {
        self.flushing.batch_size
    }

    fn offer(&mut self, batch: &[Metric]) -> Result<(), WriteError> {
        self.ensure_connected().map_err(WriteError::retry)?;
        RunningOutput::offer(self, batch)
    }
}

/// What has become of the letters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Metrics that were written.
    pub sent: u64,
    /// Metrics that were given up again.
    pub rejected: u64,
    /// Metrics that were not written: their output is away, or not there.
    pub unsent: u64,
    /// Lines that hold no metric.
    pub damaged: u64,
}

impl Replayed {
    /// Whether nothing is left.
    pub fn is_all_sent(&self) -> bool {
        self.rejected + self.unsent + self.damaged == 0
    }
}

impl AddAssign for Replayed {
    fn add_assign(&mut self, more: Replayed) {
        self.sent += more.sent;
        self.rejected += more.rejected;
        self.unsent += more.unsent;
        self.damaged += more.damaged;
    }
}

/// Why a metric has no output to go to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unaddressed {
    /// None is called so.
    #[error("there is no output {0:?} in the configuration; --output names another one")]
    Unknown(String),
    /// Several are called so.
    #[error(
        "there are several outputs {0:?}, of which none has the settings of old; give one of them an alias, and name it by --output"
    )]
    Ambiguous(String),
}

/// Finds the output that is called `name`, as letters and people name it: in full, without its kind,
/// or by its alias alone. Of several the one with `id` is meant.
///
/// # Errors
/// If there is none, or it cannot be told which.
pub fn find<R: Recipient>(
    recipients: &[R],
    name: &str,
    id: Option<&str>,
) -> Result<usize, Unaddressed> {
    let is_called = |full: &str| {
        let short = full.strip_prefix("outputs.").unwrap_or(full);
        let alias = full.split_once("::").map(|(_, alias)| alias);
        [Some(full), Some(short), alias].contains(&Some(name))
    };
    let called: Vec<usize> =
        (0..recipients.len()).filter(|at| is_called(recipients[*at].name())).collect();
    match called.as_slice() {
        [] => Err(Unaddressed::Unknown(name.to_owned())),
        [only] => Ok(*only),
        several => {
            let with_id = several.iter().find(|at| Some(recipients[**at].id()) == id);
            with_id.copied().ok_or_else(|| Unaddressed::Ambiguous(name.to_owned()))
        }
    }
}

/// How letters are sent.
pub struct Replay<'r, R> {
    /// The outputs of the configuration.
    pub recipients: &'r mut [R],
    /// Where all of them go, if that was said; otherwise each goes back to its own.
    pub only: Option<usize>,
    /// Writes line protocol for letters.
    pub serializer: Box<dyn Serializer>,
    /// Tells the time, and waits.
    pub clock: &'r dyn Clock,
    /// Closes when no more is to be sent.
    pub stopped: &'r Receiver<()>,
}

/// Letters on their way to one output.
#[derive(Default)]
struct Outbox {
    letters: Vec<DeadLetter<'static>>,
    metrics: Vec<Metric>,
    /// It has taken nothing for so long that the rest is not offered any more.
    has_given_up: bool,
}

impl<R: Recipient> Replay<'_, R> {
    /// Sends the letters in a file; `put_back` takes the lines of what is left of them.
    ///
    /// # Errors
    /// If what is left cannot be put back; then the file holds it still. A line that cannot be read
    /// because of the disk ends it, too.
    pub fn file(
        &mut self,
        name: &str,
        file: impl BufRead,
        mut put_back: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> io::Result<Replayed> {
        let mut replayed = Replayed::default();
        let mut outboxes: BTreeMap<usize, Outbox> = BTreeMap::new();
        let mut unaddressed: Vec<Unaddressed> = Vec::new();
        let mut letters: Letters<_, DeadLetter<'static>> = Letters::new(file);
        while let Some(read) = letters.next() {
            let found = match read {
                Ok(Numbered { line, letter }) => match letter.to_metric() {
                    Ok(metric) => Ok((letter, metric)),
                    Err(error) => Err(format!("line {line}: {error}")),
                },
                Err(LettersError::Read(error)) => return Err(error),
                Err(error) => Err(error.to_string()),
            };
            let (letter, metric) = match found {
                Ok(found) => found,
                Err(reason) => {
                    log::error!(target: "", "{name}: {reason}; it stays where it is");
                    replayed.damaged += 1;
                    put_back(&whole(letters.line()))?;
                    continue;
                }
            };
            let addressed = match self.only {
                Some(only) => Ok(only),
                None => find(self.recipients, &letter.output, Some(&letter.id)),
            };
            let at = match addressed {
                Ok(at) => at,
                Err(reason) => {
                    if !unaddressed.contains(&reason) {
                        log::error!(target: "", "{name}: {reason}");
                        unaddressed.push(reason);
                    }
                    replayed.unsent += 1;
                    put_back(&whole(letters.line()))?;
                    continue;
                }
            };
            let outbox = outboxes.entry(at).or_default();
            outbox.letters.push(letter);
            outbox.metrics.push(metric);
            if outbox.metrics.len() >= self.recipients[at].batch_size() {
                self.send(at, outbox, &mut replayed, &mut put_back)?;
            }
        }
        for (at, mut outbox) in outboxes {
            self.send(at, &mut outbox, &mut replayed, &mut put_back)?;
        }
        Ok(replayed)
    }

    /// Offers what is in an outbox until it is taken, given up, or has been offered often enough.
    fn send(
        &mut self,
        at: usize,
        outbox: &mut Outbox,
        replayed: &mut Replayed,
        put_back: &mut impl FnMut(&[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        let recipient = &mut self.recipients[at];
        let mut letters = std::mem::take(&mut outbox.letters);
        let mut metrics = std::mem::take(&mut outbox.metrics);
        let mut left = Vec::new();
        let mut tries = 0;
        while !metrics.is_empty() && !outbox.has_given_up {
            let is_stopped = self.stopped.try_recv().is_err_and(|error| error.is_disconnected());
            if is_stopped || tries == TRIES {
                outbox.has_given_up = true;
                break;
            }
            if tries > 0 && self.clock.wait(PAUSE, self.stopped) == Waited::Stopped {
                continue;
            }
            tries += 1;
            let (retry, rejected) = match recipient.offer(&metrics) {
                Ok(()) => (Vec::new(), Vec::new()),
                Err(WriteError::Retry(error)) => {
                    log::error!(target: "", "{}: {error}", recipient.name());
                    ((0..metrics.len()).collect(), Vec::new())
                }
                Err(WriteError::Partial { retry, rejected, source }) => {
                    log::error!(target: "", "{}: {source}", recipient.name());
                    (retry, rejected)
                }
            };
            for rejection in &rejected {
                let Some(metric) = metrics.get(rejection.index) else { continue };
                let reason = rejection.reason.to_string();
                let (name, now) = (recipient.name(), self.clock.now());
                let (id, lines) = (recipient.id(), &mut *self.serializer);
                push_line(&letter(metric, lines, name, id, &reason, now), &mut left);
            }
            replayed.rejected += rejected.len() as u64;
            replayed.sent += metrics.len().saturating_sub(retry.len() + rejected.len()) as u64;
            letters = kept(letters, &retry);
            metrics = kept(metrics, &retry);
        }
        if !metrics.is_empty() {
            replayed.unsent += metrics.len() as u64;
            letters.iter().for_each(|letter| push_line(letter, &mut left));
        }
        if left.is_empty() { Ok(()) } else { put_back(&left) }
    }
}

/// A line with its end.
fn whole(line: &[u8]) -> Vec<u8> {
    let mut line = line.to_vec();
    if line.last() != Some(&b'\n') {
        line.push(b'\n');
    }
    line
}

/// Those at the places `wanted`, which ascend.
fn kept<T>(all: Vec<T>, wanted: &[usize]) -> Vec<T> {
    let mut wanted = wanted.iter().copied().peekable();
    let is_wanted = |(at, each)| wanted.next_if_eq(&at).map(|_| each);
    all.into_iter().enumerate().filter_map(is_wanted).collect()
}

#[cfg(test)]
mod tests;
