//! One consumer thread: it reads as a member of the group and appends to its own file.
//!
//! The order is always the same: records go to memory, from memory to the file in one write, from
//! the file to the disk in one flush, and only then are their offsets committed. Each step may
//! fail; what has not passed it stays where it was, and nothing behind it happens.
//!
//! A commit runs beside the next reads. Two moments wait for it: giving partitions up, and the end.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, never, select};

use super::error::ConsumerError;
use super::file::{DataFile, FileError, Place};
use super::last_commits::LastCommits;
use super::output::Output;
use super::positions::{Positions, names};
use super::progress::ThreadProgress;
use super::settings::Settings;
use super::stuck::{Attempt, Step, Stuck};
use super::turns::Turn;
use crate::kafka::group::{
    CommitError, Fetching, GroupError, GroupMember, GroupSettings, Left, Partition, Polled,
    Rebalance, Taking,
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

/// A consumer thread before it starts: its file is open, the group not joined yet.
pub(super) struct ConsumerThread {
    name: String,
    file: DataFile,
    settings: Arc<Settings>,
    group: GroupSettings,
    progress: Arc<ThreadProgress>,
    turn: Turn,
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
        turn: Turn,
        last_commits: LastCommits,
        clock: Arc<dyn Clock>,
    ) -> ConsumerThread {
        ConsumerThread { name, file, settings, group, progress, turn, last_commits, clock }
    }

    /// Reads and writes until `stop` closes, then writes, commits and leaves.
    ///
    /// # Errors
    /// If the group cannot be joined or shuts the member out, or records stay unwritten.
    pub(super) fn run(self, stop: &Receiver<()>) -> Result<(), ConsumerError> {
        let ConsumerThread { name, file, settings, group, progress, turn, last_commits, clock } =
            self;
        let member =
            GroupMember::connect(&group, &name, clock.clone()).map_err(ConsumerError::Join)?;
        turn.wait(stop, clock.as_ref());
        member.join().map_err(ConsumerError::Join)?;
        let mut worker = Worker {
            output: Output::new(name.clone(), file, &settings),
            name,
            member,
            stop: stop.clone(),
            turn,
            settings,
            session_timeout: group.session_timeout,
            progress,
            clock,
            positions: Positions::default(),
            unflushed_since: None,
            unflushed_bytes: 0,
            committing: None,
            unaccepted: None,
            stuck: None,
            lost_place: None,
        };
        let result = worker.work();
        let ended = worker.end(last_commits);
        result.and(ended)
    }
}

struct Worker {
    name: String,
    member: GroupMember,
    output: Output,
    /// Closes when the thread is to end.
    stop: Receiver<()>,
    turn: Turn,
    settings: Arc<Settings>,
    session_timeout: Duration,
    progress: Arc<ThreadProgress>,
    clock: Arc<dyn Clock>,
    positions: Positions,
    /// Since when there is something to flush or commit.
    unflushed_since: Option<Duration>,
    unflushed_bytes: u64,
    /// The commit that is under way.
    committing: Option<Vec<(Partition, i64)>>,
    /// A rebalance that could not be accepted yet.
    unaccepted: Option<Rebalance>,
    /// The file cannot be written to, or not be flushed.
    stuck: Option<Stuck>,
    /// Why records that were taken back cannot be read again.
    lost_place: Option<GroupError>,
}

/// What a look at the group has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Looked {
    /// There may be more.
    More,
    /// Everything that was there has been read.
    Everything,
}

impl Worker {
    fn work(&mut self) -> Result<(), ConsumerError> {
        loop {
            let looked = self.look()?;
            self.write();
            self.note_commit_result();
            if self.is_commit_due() {
                self.flush_and_commit();
            }
            self.progress.set_partitions(self.positions.read_offsets(), &self.member.lags());
            if self.stop.try_recv().is_err_and(|error| error.is_disconnected()) {
                return Ok(());
            }
            if looked == Looked::Everything || self.is_before_next_try() {
                self.wait();
            }
        }
    }

    /// Reads until the batch is full or nothing more is there.
    fn look(&mut self) -> Result<Looked, ConsumerError> {
        if let Some(rebalance) = self.unaccepted.take() {
            self.accept(rebalance, Attempt::Again);
        }
        // While the file cannot be written to, partitions are paused, so that no records come; but
        // rebalances do, and whoever does not poll is taken for dead by the group.
        while self.is_stuck_at(Step::Write) || !self.output.is_full() {
            if let Some(error) = self.lost_place.take() {
                return Err(ConsumerError::LostPlace(error));
            }
            let Worker { member, output, positions, .. } = self;
            let polled = member.poll(|record| {
                output.push(record.value);
                positions.read(record.topic, record.partition, record.offset);
                if output.is_full() { Taking::Enough } else { Taking::More }
            });
            match polled {
                Polled::Records => {}
                Polled::Rebalance(rebalance) => self.rebalance(rebalance),
                Polled::Fatal(reason) => return Err(ConsumerError::ShutOut(reason)),
                Polled::Nothing => return Ok(Looked::Everything),
            }
        }
        Ok(Looked::More)
    }

    /// Waits for something to do.
    fn wait(&mut self) {
        let now = self.clock.elapsed();
        let mut wait = IDLE_WAIT;
        if let Some(stuck) = self.stuck.as_ref().filter(|_| self.output.waiting() > 0) {
            wait = wait.min(stuck.next_try.saturating_sub(now));
        }
        if let (Some(since), None) = (self.unflushed_since, &self.committing) {
            wait = wait.min((since + self.settings.commit_interval).saturating_sub(now));
        }
        select! {
            recv(self.stop) -> _ => {}
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
        if self.is_before_next_try() || self.output.waiting() == 0 {
            return;
        }
        let now = self.clock.elapsed();
        match self.look_after_file().and_then(|()| self.output.write()) {
            Ok(written) => {
                self.progress.wrote(written.records, written.bytes);
                self.positions.wrote();
                self.unflushed_bytes += written.bytes;
                self.unflushed_since.get_or_insert(now);
                self.unstick(Step::Write);
            }
            Err(error) => {
                let records = self.output.waiting();
                self.stick(
                    Step::Write,
                    format_args!("{error}; {records} records wait in memory and are not committed"),
                );
            }
        }
    }

    /// Leaves a file that was renamed or removed for a new one under the old path.
    fn look_after_file(&mut self) -> Result<(), FileError> {
        match self.output.place() {
            Place::Here => return Ok(()),
            // What was written before belongs to the old file.
            Place::Moved => match self.output.flush() {
                Ok(()) => self.positions.flushed(),
                Err(error) => self.flush_failed(&error),
            },
            Place::Removed => self.take_back_removed(),
        }
        self.output.reopen()
    }

    /// Reads again what was in a removed file and is not committed.
    fn take_back_removed(&mut self) {
        if self.unflushed_bytes > 0 {
            let (bytes, path) = (self.unflushed_bytes, self.output.path().display());
            self.warn(format_args!(
                "{path} was removed with {bytes} bytes that were not committed; they are read again"
            ));
            self.take_back_unflushed();
        }
    }

    fn is_before_next_try(&self) -> bool {
        self.stuck.as_ref().is_some_and(|stuck| self.clock.elapsed() < stuck.next_try)
    }

    fn is_stuck_at(&self, step: Step) -> bool {
        self.stuck.as_ref().is_some_and(|stuck| stuck.step == step)
    }

    fn stick(&mut self, step: Step, message: std::fmt::Arguments<'_>) {
        let now = self.clock.elapsed();
        let next_try = now + RETRY_WAIT;
        match &mut self.stuck {
            Some(stuck) if stuck.step == step => stuck.next_try = next_try,
            before => {
                let since = before.as_ref().map_or(now, |stuck| stuck.since);
                self.stuck = Some(Stuck { step, since, next_try });
                self.error(format_args!("{message}; trying again every second"));
                if step == Step::Write {
                    self.set_fetching(Fetching::Paused);
                }
            }
        }
    }

    fn unstick(&mut self, step: Step) {
        let Some(stuck) = self.stuck.take_if(|stuck| stuck.step == step) else { return };
        let seconds = self.clock.elapsed().saturating_sub(stuck.since).as_secs();
        let path = self.output.path().display();
        self.info(format_args!("Writing to {path} again after {seconds} s; nothing was lost"));
        if step == Step::Write {
            self.set_fetching(Fetching::Running);
        }
    }

    fn set_fetching(&mut self, fetching: Fetching) {
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
        if self.output.place() == Place::Removed {
            self.take_back_removed();
        }
        if let Err(error) = self.output.flush() {
            self.flush_failed(&error);
            return;
        }
        self.unstick(Step::Flush);
        self.positions.flushed();
        self.unflushed_since = None;
        self.unflushed_bytes = 0;
        let offsets = self.positions.to_commit();
        if !offsets.is_empty() {
            self.member.commit(offsets.clone());
            self.committing = Some(offsets);
        }
    }

    /// Takes back what may not have reached the disk, and reads it again.
    ///
    /// After a failed flush the kernel counts the data as clean although it may be lost, so that a
    /// second flush would succeed without proving anything.
    fn flush_failed(&mut self, error: &FileError) {
        self.stick(
            Step::Flush,
            format_args!(
                "{error}; what was written since the last flush is taken back and read again"
            ),
        );
        if let Err(error) = self.output.take_back_unflushed() {
            self.error(format_args!("{error}; some records may stand in the file twice"));
        }
        self.take_back_unflushed();
    }

    fn take_back_unflushed(&mut self) {
        self.output.drop_batch();
        let again = self.positions.take_back_unflushed();
        self.read_again(again);
        self.unflushed_since = None;
        self.unflushed_bytes = 0;
    }

    fn read_again(&mut self, offsets: Vec<(Partition, i64)>) {
        if let Err(error) = self.member.seek(offsets) {
            self.lost_place = Some(error);
        }
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
        self.turn.end();
        // One that could not be carried out is superseded.
        self.unaccepted = None;
        match &rebalance {
            Rebalance::Assigned(partitions) => {
                self.info(format_args!("Partitions gained: {}", names(partitions)));
            }
            Rebalance::Revoked(partitions) => {
                self.write();
                if self.output.waiting() > 0 {
                    self.take_back_batch(partitions);
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
                self.take_back_batch(partitions);
                self.positions.forget(partitions);
            }
        }
        self.accept(rebalance, Attempt::First);
    }

    /// Lets go of the batch, which others will read; what stays with this member is read again.
    fn take_back_batch(&mut self, gone: &[Partition]) {
        self.output.drop_batch();
        let mut again = self.positions.take_back_pending();
        again.retain(|(partition, _)| !gone.contains(partition));
        self.read_again(again);
        if self.is_stuck_at(Step::Write) {
            // Nothing is left to try again with; the next records will show how it stands.
            self.stuck = None;
            self.set_fetching(Fetching::Running);
        }
    }

    fn accept(&mut self, rebalance: Rebalance, attempt: Attempt) {
        match self.member.accept(&rebalance) {
            Ok(starts) => {
                for (partition, offset) in starts {
                    self.positions.start(partition, offset);
                    self.unflushed_since.get_or_insert(self.clock.elapsed());
                }
                if self.is_stuck_at(Step::Write) {
                    self.set_fetching(Fetching::Paused);
                }
            }
            Err(error) => {
                if attempt == Attempt::First {
                    self.warn(format_args!("Rebalance not carried out: {error}; trying again"));
                }
                self.unaccepted = Some(rebalance);
            }
        }
    }

    /// Flushes and commits, and waits for it up to `limit`, or less when the thread is to end; tells
    /// whether all is committed.
    fn commit_everything(&mut self, limit: Duration) -> bool {
        let mut deadline = self.clock.after(limit);
        let mut stop = self.stop.clone();
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
                recv(stop) -> _ => {
                    stop = never();
                    deadline = self.clock.after(limit.min(END_COMMIT_LIMIT));
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
        let unwritten = self.output.waiting();
        if !self.commit_everything(END_COMMIT_LIMIT) {
            let partitions = self.positions.to_commit().len();
            self.warn(format_args!(
                "The last commit was not confirmed for {partitions} partitions; their last records are \
                 read again by whoever has them next"
            ));
        }
        self.progress.set_partitions(self.positions.read_offsets(), &self.member.lags());
        let path = self.output.path().to_owned();
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
