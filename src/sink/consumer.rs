//! One consumer thread: it reads as a member of the group and appends to its own file.
//!
//! The order is always the same: records go to memory, from memory to the file in one write, from
//! the file to the disk in one flush, and only then are their offsets committed. Each step may
//! fail; what has not passed it stays where it was, and nothing behind it happens.
//!
//! A commit runs beside the next reads. Two moments wait for it: giving partitions up, and the end.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, select};

use super::file::{DataFile, FileError, push_record};
use super::last_commits::LastCommits;
use super::positions::Positions;
use super::progress::ThreadProgress;
use super::settings::{Fsync, Settings};
use crate::kafka::group::{
    CommitError, Fetching, GroupError, GroupMember, GroupSettings, Left, Partition, Polled,
    Rebalance,
};
use crate::system::Clock;

/// How long the end waits for a commit and for leaving the group; without a cluster both would
/// take as long as the session time-out.
const END_COMMIT_LIMIT: Duration = Duration::from_secs(2);
const END_LEAVE_LIMIT: Duration = Duration::from_secs(1);

/// How long an idle thread waits at most; the library's own events are served in between.
const IDLE_WAIT: Duration = Duration::from_millis(500);

/// How long something that failed is left alone.
const RETRY_WAIT: Duration = Duration::from_secs(1);

/// Why a consumer thread could not go on.
#[derive(Debug, thiserror::Error)]
pub enum ConsumerError {
    /// The client could not be made of these settings.
    #[error("joining the group: {0}")]
    Join(GroupError),
    /// The group has shut the member out for good.
    #[error("the group has shut this member out: {0}")]
    ShutOut(String),
    /// It ended with records that it could not write; they are not committed.
    #[error("{records} records could not be written to {}; they are not committed and are read again", path.display())]
    Unwritten {
        /// How many.
        records: u64,
        /// To which file.
        path: PathBuf,
    },
}

/// A consumer thread before it starts: its file is open, the group not joined yet.
pub(super) struct ConsumerThread {
    name: String,
    file: DataFile,
    settings: Arc<Settings>,
    group: GroupSettings,
    progress: Arc<ThreadProgress>,
    last_commits: LastCommits,
    clock: Arc<dyn Clock>,
}

impl ConsumerThread {
    /// Makes a thread that writes to `file`; `name` stands before its log lines.
    pub(super) fn new(
        name: String,
        file: DataFile,
        settings: Arc<Settings>,
        group: GroupSettings,
        progress: Arc<ThreadProgress>,
        last_commits: LastCommits,
        clock: Arc<dyn Clock>,
    ) -> ConsumerThread {
        ConsumerThread { name, file, settings, group, progress, last_commits, clock }
    }

    /// Reads and writes until `stop` closes, then writes, commits and leaves.
    ///
    /// # Errors
    /// If the group cannot be joined or shuts the member out, or records stay unwritten.
    pub(super) fn run(self, stop: &Receiver<()>) -> Result<(), ConsumerError> {
        let ConsumerThread { name, file, settings, group, progress, last_commits, clock } = self;
        let member =
            GroupMember::join(&group, &name, clock.clone()).map_err(ConsumerError::Join)?;
        let flushed_length = file.length();
        let mut worker = Worker {
            name,
            member,
            file,
            flushed_length,
            settings,
            session_timeout: group.session_timeout,
            progress,
            clock,
            batch: Vec::new(),
            batch_records: 0,
            positions: Positions::default(),
            unflushed_since: None,
            unflushed_bytes: 0,
            committing: None,
            unaccepted: None,
            stuck: None,
        };
        let result = worker.work(stop);
        let ended = worker.end(last_commits);
        result.and(ended)
    }
}

struct Worker {
    name: String,
    member: GroupMember,
    file: DataFile,
    /// How long the file was after the last flush.
    flushed_length: u64,
    settings: Arc<Settings>,
    session_timeout: Duration,
    progress: Arc<ThreadProgress>,
    clock: Arc<dyn Clock>,
    /// Whole records that are not in the file yet.
    batch: Vec<u8>,
    batch_records: u64,
    positions: Positions,
    /// Since when there is something to flush or commit.
    unflushed_since: Option<Duration>,
    unflushed_bytes: u64,
    /// The commit that is under way.
    committing: Option<Vec<(Partition, i64)>>,
    /// A rebalance that could not be accepted yet.
    unaccepted: Option<Rebalance>,
    /// The file cannot be written to.
    stuck: Option<Stuck>,
}

struct Stuck {
    since: Duration,
    next_try: Duration,
}

/// What a look at the group has come to.
enum Looked {
    /// There may be more.
    More,
    /// Everything that was there has been read.
    Everything,
}

impl Worker {
    fn work(&mut self, stop: &Receiver<()>) -> Result<(), ConsumerError> {
        loop {
            let looked = self.look()?;
            self.write();
            self.note_commit_result();
            if self.is_commit_due() {
                self.flush_and_commit();
            }
            self.progress.set_partitions(self.positions.read_offsets(), &self.member.lags());
            if stop.try_recv().is_err_and(|error| error.is_disconnected()) {
                return Ok(());
            }
            if let Looked::Everything = looked {
                self.wait(stop);
            }
        }
    }

    /// Reads until the batch is full or nothing more is there.
    fn look(&mut self) -> Result<Looked, ConsumerError> {
        if let Some(rebalance) = self.unaccepted.take() {
            self.accept(rebalance);
        }
        // While the file cannot be written to, nothing is fetched; what comes all the same is little.
        while self.batch.len() < self.settings.batch_bytes
            && (self.batch_records as usize) < self.settings.batch_records
        {
            let Worker { member, batch, positions, .. } = self;
            let polled = member.poll(|record| {
                push_record(batch, record.value);
                positions.read(record.topic, record.partition, record.offset);
            });
            match polled {
                Polled::Record(()) => self.batch_records += 1,
                Polled::Rebalance(rebalance) => self.rebalance(rebalance),
                Polled::Trouble => {}
                Polled::Fatal(reason) => return Err(ConsumerError::ShutOut(reason)),
                Polled::Nothing => return Ok(Looked::Everything),
            }
        }
        Ok(if self.stuck.is_some() { Looked::Everything } else { Looked::More })
    }

    /// Waits for something to do.
    fn wait(&mut self, stop: &Receiver<()>) {
        let now = self.clock.elapsed();
        let mut wait = IDLE_WAIT;
        if let Some(stuck) = &self.stuck {
            wait = wait.min(stuck.next_try.saturating_sub(now));
        } else if let (Some(since), None) = (self.unflushed_since, &self.committing) {
            wait = wait.min((since + self.settings.commit_interval).saturating_sub(now));
        }
        select! {
            recv(stop) -> _ => {}
            recv(self.member.ready()) -> _ => {}
            recv(self.member.committed()) -> result => {
                if let Ok(result) = result {
                    self.commit_ended(result);
                }
            }
            recv(self.clock.after(wait)) -> _ => {}
        }
    }

    /// Brings the batch into the file; if that fails, it stays in memory and is tried again.
    fn write(&mut self) {
        let now = self.clock.elapsed();
        if self.batch.is_empty() || self.stuck.as_ref().is_some_and(|stuck| now < stuck.next_try) {
            return;
        }
        match self.append() {
            Ok(()) => {
                self.progress.wrote(self.batch_records, self.batch.len() as u64);
                self.positions.wrote();
                self.unflushed_bytes += self.batch.len() as u64;
                self.unflushed_since.get_or_insert(now);
                self.forget_batch();
                self.unstick(now);
            }
            Err(error) => self.stick(now, &error),
        }
    }

    fn append(&mut self) -> Result<(), FileError> {
        if !self.file.is_in_place() {
            self.reopen()?;
        }
        self.file.append(&self.batch)
    }

    /// Goes on in a new file after the old one was renamed or removed.
    fn reopen(&mut self) -> Result<(), FileError> {
        // What was written before belongs to the old file, and is committed by the new one's flush.
        self.flush()?;
        let (file, torn) = DataFile::open(self.file.path())?;
        self.file = file;
        self.flushed_length = self.file.length();
        let path = self.file.path().display();
        self.info(format_args!("{path} was moved or removed; going on in a new file"));
        if let Some(torn) = torn {
            self.warn(format_args!(
                "{path} ended in a torn record of {} bytes, cut off",
                torn.bytes
            ));
        }
        Ok(())
    }

    fn stick(&mut self, now: Duration, error: &FileError) {
        let next_try = now + RETRY_WAIT;
        match &mut self.stuck {
            Some(stuck) => stuck.next_try = next_try,
            None => {
                self.error(format_args!(
                    "{error}; {} records wait in memory and are not committed, trying again every second",
                    self.batch_records
                ));
                self.stuck = Some(Stuck { since: now, next_try });
                self.set_fetching(Fetching::Paused);
            }
        }
    }

    fn unstick(&mut self, now: Duration) {
        if let Some(stuck) = self.stuck.take() {
            let seconds = now.saturating_sub(stuck.since).as_secs();
            let path = self.file.path().display();
            self.info(format_args!("Writing to {path} again after {seconds} s; nothing was lost"));
            self.set_fetching(Fetching::Running);
        }
    }

    fn set_fetching(&self, fetching: Fetching) {
        if let Err(error) = self.member.set_fetching(fetching) {
            self.warn(format_args!("pausing or resuming partitions: {error}"));
        }
    }

    fn is_commit_due(&self) -> bool {
        let Some(since) = self.unflushed_since else { return false };
        self.committing.is_none()
            && (self.unflushed_bytes >= self.settings.commit_bytes
                || self.clock.elapsed() >= since + self.settings.commit_interval)
    }

    /// Flushes what is in the file and begins to commit it.
    fn flush_and_commit(&mut self) {
        if let Err(error) = self.flush() {
            self.flush_failed(&error);
            return;
        }
        self.unflushed_since = None;
        self.unflushed_bytes = 0;
        let offsets = self.positions.to_commit();
        if !offsets.is_empty() {
            self.member.commit(offsets.clone());
            self.committing = Some(offsets);
        }
    }

    fn flush(&mut self) -> Result<(), FileError> {
        if self.settings.fsync == Fsync::Commit {
            self.file.flush()?;
        }
        self.flushed_length = self.file.length();
        self.positions.flushed();
        Ok(())
    }

    /// Takes back what may not have reached the disk, and reads it again.
    ///
    /// After a failed flush the kernel counts the data as clean although it may be lost, so that a
    /// second flush would succeed without proving anything.
    fn flush_failed(&mut self, error: &FileError) {
        let now = self.clock.elapsed();
        self.error(format_args!(
            "{error}; what was written since the last flush is taken back and read again"
        ));
        if let Err(error) = self.file.truncate(self.flushed_length) {
            self.error(format_args!("{error}; some records may stand in the file twice"));
        }
        self.forget_batch();
        let again = self.positions.take_back_unflushed();
        self.read_again(again);
        self.unflushed_since = None;
        self.unflushed_bytes = 0;
        self.stuck.get_or_insert(Stuck { since: now, next_try: now + RETRY_WAIT });
    }

    fn read_again(&self, offsets: Vec<(Partition, i64)>) {
        if let Err(error) = self.member.seek(offsets) {
            self.error(format_args!("reading records again: {error}"));
        }
    }

    fn forget_batch(&mut self) {
        self.batch.clear();
        self.batch_records = 0;
        // One large record must not keep its memory for good.
        self.batch.shrink_to(2 * self.settings.batch_bytes);
    }

    fn note_commit_result(&mut self) {
        if let Ok(result) = self.member.committed().try_recv() {
            self.commit_ended(result);
        }
    }

    fn commit_ended(&mut self, result: Result<(), CommitError>) {
        let Some(offsets) = self.committing.take() else { return };
        match result {
            Ok(()) => self.positions.committed(&offsets),
            Err(error @ CommitError::MovedOn(_)) => {
                self.warn(format_args!("Commit refused: {error}"));
                // A rebalance follows, and says which partitions are still this member's.
                self.unflushed_since.get_or_insert(self.clock.elapsed());
            }
            Err(error @ CommitError::Other(_)) => {
                self.warn(format_args!("Commit failed: {error}; trying again"));
                self.unflushed_since.get_or_insert(self.clock.elapsed());
            }
        }
    }

    fn rebalance(&mut self, rebalance: Rebalance) {
        match &rebalance {
            Rebalance::Assigned(partitions) => {
                self.info(format_args!("Partitions gained: {}", names(partitions)));
            }
            Rebalance::Revoked(partitions) => {
                self.write();
                if !self.batch.is_empty() {
                    self.take_back_batch();
                }
                self.commit_everything(self.session_timeout);
                self.info(format_args!("Partitions lost: {}", names(partitions)));
                self.positions.forget(partitions);
            }
            Rebalance::Lost(partitions) => {
                self.warn(format_args!(
                    "Partitions lost without notice: {}; what was not committed is read again by \
                     their new owners",
                    names(partitions)
                ));
                self.take_back_batch();
                self.positions.forget(partitions);
            }
        }
        self.accept(rebalance);
    }

    /// Lets go of records in memory that others will read; what stays with this member is read again.
    fn take_back_batch(&mut self) {
        self.forget_batch();
        let again = self.positions.take_back_pending();
        self.read_again(again);
    }

    fn accept(&mut self, rebalance: Rebalance) {
        if let Err(error) = self.member.accept(&rebalance) {
            self.warn(format_args!("Rebalance not carried out: {error}; trying again"));
            self.unaccepted = Some(rebalance);
        } else if self.stuck.is_some() {
            self.set_fetching(Fetching::Paused);
        }
    }

    /// Flushes and commits, and waits for it up to `limit`; tells whether all is committed.
    fn commit_everything(&mut self, limit: Duration) -> bool {
        let deadline = self.clock.after(limit);
        loop {
            if self.committing.is_none() {
                self.flush_and_commit();
            }
            if self.committing.is_none() {
                return self.positions.to_commit().is_empty();
            }
            select! {
                recv(self.member.committed()) -> result => {
                    let Ok(result) = result else { return false };
                    let is_final = result.is_err();
                    self.commit_ended(result);
                    if is_final {
                        return false;
                    }
                }
                recv(deadline) -> _ => return false,
            }
        }
    }

    /// Writes, commits and leaves.
    fn end(mut self, last_commits: LastCommits) -> Result<(), ConsumerError> {
        if let Some(stuck) = &mut self.stuck {
            stuck.next_try = Duration::ZERO;
        }
        self.write();
        let unwritten = self.batch_records;
        if !self.commit_everything(END_COMMIT_LIMIT) {
            let n_partitions = self.positions.to_commit().len();
            self.warn(format_args!(
                "The last commit was not confirmed for {n_partitions} partitions; their last records are \
                 read again by whoever has them next"
            ));
        }
        self.progress.set_partitions(self.positions.read_offsets(), &self.member.lags());
        let path = self.file.path().to_owned();
        let Worker { member, clock, name, .. } = self;
        last_commits.wait(END_COMMIT_LIMIT, clock.as_ref());
        if member.leave(END_LEAVE_LIMIT, clock.as_ref()) == Left::TooLate {
            log::warn!(
                target: &name,
                "Leaving the group was not confirmed; it hands the partitions on after the session time-out"
            );
        }
        match unwritten {
            0 => Ok(()),
            records => Err(ConsumerError::Unwritten { records, path }),
        }
    }

    fn info(&self, message: std::fmt::Arguments<'_>) {
        log::info!(target: &self.name, "{message}");
    }

    fn warn(&self, message: std::fmt::Arguments<'_>) {
        log::warn!(target: &self.name, "{message}");
    }

    fn error(&self, message: std::fmt::Arguments<'_>) {
        log::error!(target: &self.name, "{message}");
    }
}

fn names(partitions: &[Partition]) -> String {
    if partitions.is_empty() {
        return "none".to_owned();
    }
    partitions.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
