//! One consumer thread: it reads as a member of the group and appends to its own file.
//!
//! The order is always the same: records go to memory, from memory to the file in one write, from
//! the file to the disk in one flush, and only then are their offsets committed. Each step may
//! fail; what has not passed it stays where it was, and nothing behind it happens.
//!
//! A commit runs beside the next reads. Two moments wait for it: giving partitions up, and the end.
//! What a commit that was never answered has come to is settled when the next partitions come.

mod committing;
mod rebalancing;
mod replacing;
mod unread;
mod wall_clock;
mod writing;

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, select};

use super::assigned::Assigned;
use super::error::ConsumerError;
use super::home::Home;
use super::last_commits::{END_COMMIT_LIMIT, END_LEAVE_LIMIT, LastCommits};
use super::output::Output;
use super::positions::{Order, Positions};
use super::progress::ThreadProgress;
use super::reopening::Reopening;
use super::settings::{Membership, Settings};
use super::stuck::{Step, Stuck};
use super::turns::Turn;
use crate::kafka::group::{
    GroupError, GroupMember, GroupProtocol, GroupSettings, Left, Partition, Polled, Rebalance,
    Taking,
};
use crate::system::Clock;
use committing::{Committing, Patience};
use rebalancing::Standing;
use unread::Odd;
use wall_clock::{ClockSet, WallClock};

/// How long an idle thread waits at most; the library's own events are served in between.
const IDLE_WAIT: Duration = Duration::from_millis(500);

/// How often the library is asked for what it does not tell by itself, while threads join.
const JOINING_WAIT: Duration = Duration::from_millis(10);

/// How long something that failed is left alone.
const RETRY_WAIT: Duration = Duration::from_secs(1);

/// A consumer thread before it starts: its files are open, the group not joined yet.
pub(super) struct ConsumerThread {
    /// Stands before its log lines.
    pub(super) name: String,
    /// What it writes to.
    pub(super) output: Output,
    pub(super) settings: Arc<Settings>,
    pub(super) group: GroupSettings,
    pub(super) progress: Arc<ThreadProgress>,
    pub(super) turn: Turn,
    pub(super) assigned: Assigned,
    pub(super) last_commits: LastCommits,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) reopening: Reopening,
    pub(super) home: Arc<Home>,
}

impl ConsumerThread {
    /// Reads and writes until `stop` closes, then writes, commits and leaves.
    ///
    /// # Errors
    /// If the group cannot be joined or shuts the member out, or records stay unwritten.
    pub(super) fn run(self, stop: &Receiver<()>) -> Result<(), ConsumerError> {
        let ConsumerThread { name, settings, group, mut turn, last_commits, clock, .. } = self;
        let member =
            GroupMember::connect(&group, &name, clock.clone()).map_err(ConsumerError::Join)?;
        turn.wait(stop, clock.as_ref());
        member.join().map_err(ConsumerError::Join)?;
        if settings.membership == Membership::Static || group.protocol == GroupProtocol::Consumer {
            // The one has an id already; the other gives partitions up one by one.
            turn.has_id();
        }
        let output = self.output;
        let mut worker = Worker {
            positions: Positions::new(output.writer()),
            output,
            name,
            member,
            group,
            stop: stop.clone(),
            turn,
            settings,
            progress: self.progress,
            assigned: self.assigned,
            clock,
            // Nobody knows yet what became of what is in the files.
            standing: Standing::InDoubt,
            next_takeover: Duration::ZERO,
            unflushed_since: None,
            unflushed_bytes: 0,
            committing: None,
            unaccepted: None,
            stuck: None,
            lost_place: None,
            reopened: 0,
            reopening: self.reopening,
            home: self.home,
            wall: WallClock::new(),
            next_asking: Duration::ZERO,
        };
        worker.report_findings();
        let result = worker.work();
        let ended = worker.end(last_commits);
        result.and(ended)
    }
}

struct Worker {
    name: String,
    member: GroupMember,
    /// What a member is made of.
    group: GroupSettings,
    output: Output,
    /// Closes when the thread is to end.
    stop: Receiver<()>,
    turn: Turn,
    settings: Arc<Settings>,
    progress: Arc<ThreadProgress>,
    assigned: Assigned,
    clock: Arc<dyn Clock>,
    positions: Positions,
    standing: Standing,
    /// Since when there is something to flush or commit.
    unflushed_since: Option<Duration>,
    unflushed_bytes: u64,
    /// The commit that is under way.
    committing: Option<Committing>,
    /// A rebalance that could not be accepted yet.
    unaccepted: Option<Rebalance>,
    /// When to try again to take partitions over.
    next_takeover: Duration,
    /// The file cannot be written to, or not be flushed.
    stuck: Option<Stuck>,
    /// Why records that were taken back cannot be read again.
    lost_place: Option<GroupError>,
    /// How often all threads were asked to look whether their files were moved.
    reopening: Reopening,
    /// How often this one has.
    reopened: u64,
    home: Arc<Home>,
    wall: WallClock,
    /// When to ask the library again while others join. With its debug lines on, each question makes
    /// something to poll, so that asking whenever there is something would never end.
    next_asking: Duration,
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
            self.replace_member_if_unanswered()?;
            let looked = self.look()?;
            self.write();
            self.note_commit_result();
            if self.is_commit_due() {
                self.flush_and_commit();
            }
            self.look_after_files();
            self.look_at_clock();
            self.progress.came_round(self.clock.elapsed(), &self.positions, self.member.lags());
            if self.stop.try_recv().is_err_and(|error| error.is_disconnected()) {
                return Ok(());
            }
            if looked == Looked::Everything || self.is_before_next_try() {
                self.wait();
            }
        }
    }

    /// Goes on when somebody has set the clock: files that end by it see that for themselves, and the
    /// library has to be woken.
    fn look_at_clock(&mut self) {
        match self.wall.look(self.clock.as_ref()) {
            None => {}
            Some(ClockSet::Forward(by)) => {
                self.info(format_args!(
                    "The clock was set forward by {} s",
                    by.as_secs_f64().round()
                ));
            }
            Some(ClockSet::Back(by)) => {
                self.info(format_args!("The clock was set back by {} s", by.as_secs_f64().round()));
                self.member.wake();
            }
        }
    }

    /// Reads until the batch is full or nothing more is there.
    fn look(&mut self) -> Result<Looked, ConsumerError> {
        self.try_again_to_take_over();
        // While the file cannot be written to, partitions are paused, so that no records come; but
        // rebalances do, and whoever does not poll is taken for dead by the group.
        while self.is_stuck_at(Step::Write)
            || self.standing == Standing::InDoubt
            || !self.output.is_full()
        {
            if let Some(error) = self.lost_place.take() {
                return Err(ConsumerError::LostPlace(error));
            }
            let Worker { member, output, positions, .. } = self;
            let resets = member.resets();
            let mut found = Vec::new();
            let polled = member.poll(|record| {
                output.push(&record);
                let (topic, number, offset) = (record.topic, record.partition, record.offset);
                let odd = match positions.read(topic, number, offset) {
                    Order::Next => None,
                    Order::PassesOver { from } => {
                        resets.are_seen().then_some(Odd::PassedOver(from..offset))
                    }
                    Order::BeginsAgain { before } => {
                        output.hold_confirmed();
                        Some(Odd::BeginsAgain { from: offset, before })
                    }
                };
                if let Some(odd) = odd {
                    found.push((Partition { topic: topic.into(), number }, odd));
                }
                if output.is_full() { Taking::Enough } else { Taking::More }
            });
            self.say_what_is_odd(found);
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
        if self.turn.are_others_joining(now) {
            if now >= self.next_asking {
                self.member.hasten_heartbeat();
                self.next_asking = now + JOINING_WAIT;
            }
            wait = JOINING_WAIT;
        }
        if self.turn.is_joining(now) {
            if self.member.has_id() {
                self.turn.has_id();
            } else {
                wait = JOINING_WAIT;
            }
        }
        if let Some(stuck) = self.stuck.as_ref().filter(|_| self.output.waiting() > 0) {
            wait = wait.min(stuck.next_try.saturating_sub(now));
        }
        let may_commit = self.standing == Standing::Sound && self.committing.is_none();
        if let Some(since) = self.unflushed_since.filter(|_| may_commit) {
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

    /// Writes, commits and leaves.
    fn end(mut self, last_commits: LastCommits) -> Result<(), ConsumerError> {
        if let Some(stuck) = &mut self.stuck {
            stuck.next_try = Duration::ZERO;
        }
        self.write();
        let unwritten = self.output.waiting();
        if !self.commit_everything(Patience::AtMost(END_COMMIT_LIMIT)) {
            let partitions = self.positions.to_commit().len();
            self.warn(format_args!(
                "The last commit was not confirmed for {partitions} partitions; their last records are \
                 read again by whoever has them next"
            ));
        }
        self.progress.came_round(self.clock.elapsed(), &self.positions, self.member.lags());
        self.output.end();
        let path = self.output.path();
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
