//! The thread of the input: it reads records, takes part in rebalances, and commits what has been
//! delivered.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, never, select};

use super::intake::Intake;
use super::start::Start;
use super::topics::Topics;
use crate::kafka::group::{
    Commit, CommitError, GroupError, GroupMember, GroupSettings, Partition, Polled, Rebalance,
};
use crate::plugin::PluginLog;
use crate::system::Clock;

/// How long the input waits before it looks again whether there is room for records, where nothing
/// has told so: less than a quarter of all may be free for long.
const ROOM_LOOK: Duration = Duration::from_millis(50);

/// How often it looks whether what it has to give up is delivered.
const DELIVERY_LOOK: Duration = Duration::from_millis(20);

/// How long it waits before it tries again what the group has refused.
const RETRY_WAIT: Duration = Duration::from_millis(500);

/// How long it waits before it joins anew after it was shut out.
const REJOIN_WAIT: Duration = Duration::from_secs(5);

/// How long a commit may take when something waits for it.
const COMMIT_MAY_TAKE: Duration = Duration::from_secs(5);

/// How long leaving the group may take.
const LEAVE_MAY_TAKE: Duration = Duration::from_secs(3);

/// What the thread goes by.
pub(super) struct Settings {
    /// What the member is.
    pub group: GroupSettings,
    /// Where partitions begin.
    pub start: Start,
    /// What it reads.
    pub topics: Topics,
    /// How often it looks for topics that match.
    pub topic_refresh: Duration,
    /// How often it commits.
    pub commit_interval: Duration,
    /// How long it waits for the delivery of what it gives up.
    pub revoke_wait: Duration,
}

/// What the thread is told; each closes.
pub(super) struct Signals {
    /// Nothing more is to be read.
    pub stop: Receiver<()>,
    /// Everything has been delivered that will be.
    pub finish: Receiver<()>,
    /// There is room for records again.
    pub freed: Receiver<()>,
    /// Closed by the thread when it brings nothing more in.
    pub stopped: Option<Sender<()>>,
}

/// A member of the group with all that it has to do with.
pub(super) struct Consumer {
    /// The member.
    pub member: GroupMember,
    /// What the thread goes by.
    pub settings: Settings,
    /// What it is told.
    pub signals: Signals,
    /// What becomes of records.
    pub intake: Intake,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The plugin's log.
    pub log: PluginLog,
}

/// What the thread keeps while it runs.
struct Run {
    consumer: Consumer,
    /// The topics that the member has subscribed to.
    subscribed: Vec<String>,
    next_topics: Duration,
    next_commit: Duration,
    /// The commit that is under way.
    committing: Option<Vec<Commit>>,
    has_told_of_failed_commit: bool,
    is_to_finish: bool,
}

impl Consumer {
    /// Reads until it is stopped, and commits until it is to finish.
    pub(super) fn run(self) {
        let run = Run {
            consumer: self,
            subscribed: Vec::new(),
            next_topics: Duration::ZERO,
            next_commit: Duration::ZERO,
            committing: None,
            has_told_of_failed_commit: false,
            is_to_finish: false,
        };
        run.run();
    }
}

impl Run {
    fn run(mut self) {
        while !self.is_to_finish {
            self.look_for_topics();
            let polled = self.poll();
            self.consumer.intake.hand_over();
            self.consumer.intake.put_aside();
            let wait = match polled {
                Polled::Records => Duration::ZERO,
                Polled::Rebalance(rebalance) => {
                    self.rebalance(rebalance);
                    Duration::ZERO
                }
                Polled::Fatal(reason) => {
                    self.join_anew(&reason);
                    Duration::ZERO
                }
                Polled::Nothing => self.until_something_is_due(),
            };
            self.wait(wait);
            self.commit_if_due();
        }
        self.commit_and_wait();
        if self.consumer.intake.dead_letters.are_waiting() {
            // This may take long, so that it comes behind what can be committed without it.
            self.consumer.intake.put_aside();
            self.commit_and_wait();
        }
        let Consumer { member, clock, mut intake, .. } = self.consumer;
        intake.give_up_all();
        member.leave(LEAVE_MAY_TAKE, clock.as_ref());
    }

    fn poll(&mut self) -> Polled {
        let Consumer { member, intake, .. } = &mut self.consumer;
        let is_reading = intake.accumulator.is_some() && intake.has_room();
        match is_reading {
            true => member.poll(|record| intake.take(&record)),
            false => member.poll_events(|record| intake.take(&record)),
        }
    }

    fn until_something_is_due(&self) -> Duration {
        let due = match self.consumer.settings.topics.have_patterns() {
            true => self.next_commit.min(self.next_topics),
            false => self.next_commit,
        };
        let again = self.consumer.intake.dead_letters.next_try();
        let due = again.map_or(due, |again| due.min(again));
        let wait = due.saturating_sub(self.now());
        let room = &self.consumer.intake.room;
        if !room.is_full() {
            return wait;
        }
        room.wake_me();
        wait.min(ROOM_LOOK)
    }

    /// Waits for something to happen, and takes note of it.
    fn wait(&mut self, limit: Duration) {
        let Consumer { member, signals, clock, .. } = &self.consumer;
        if limit.is_zero() {
            let is_stopped = signals.stop.try_recv().is_err_and(|error| error.is_disconnected());
            let is_to_finish =
                signals.finish.try_recv().is_err_and(|error| error.is_disconnected());
            let committed = member.committed().try_recv().ok();
            return self.note(is_stopped, is_to_finish, committed);
        }
        let (mut is_stopped, mut is_to_finish, mut committed) = (false, false, None);
        select! {
            recv(member.ready()) -> _ => {}
            recv(signals.freed) -> _ => {}
            recv(signals.stop) -> _ => is_stopped = true,
            recv(signals.finish) -> _ => is_to_finish = true,
            recv(member.committed()) -> result => committed = result.ok(),
            recv(clock.after(limit)) -> _ => {}
        }
        self.note(is_stopped, is_to_finish, committed);
    }

    fn note(
        &mut self,
        is_stopped: bool,
        is_to_finish: bool,
        committed: Option<Result<(), CommitError>>,
    ) {
        if is_stopped {
            self.stop_reading();
        }
        if is_to_finish {
            self.is_to_finish = true;
            self.consumer.signals.finish = never();
            self.stop_reading();
        }
        if let Some(result) = committed {
            self.committed(result);
        }
    }

    /// Brings nothing more in; the member stays in the group for what is still to be committed.
    fn stop_reading(&mut self) {
        let Consumer { signals, intake, .. } = &mut self.consumer;
        intake.hand_over();
        intake.accumulator = None;
        signals.stop = never();
        signals.stopped = None;
    }

    fn look_for_topics(&mut self) {
        let now = self.now();
        let settings = &self.consumer.settings;
        if now < self.next_topics || self.consumer.intake.accumulator.is_none() {
            return;
        }
        self.next_topics = match settings.topics.have_patterns() {
            true => now + settings.topic_refresh,
            false => Duration::MAX,
        };
        if let Err(error) = self.subscribe() {
            self.next_topics = now + REJOIN_WAIT;
            self.consumer.intake.report(format!("finding out which topics there are: {error}"));
        }
    }

    fn subscribe(&mut self) -> Result<(), GroupError> {
        let Consumer { member, settings, log, .. } = &self.consumer;
        let all = match settings.topics.have_patterns() {
            true => member.topics()?,
            false => Vec::new(),
        };
        let topics = settings.topics.among(&all);
        if topics == self.subscribed || topics.is_empty() {
            return Ok(());
        }
        if settings.topics.have_patterns() {
            log.info(format_args!("Reading topics {}", topics.join(", ")));
        }
        member.subscribe(&topics.iter().map(String::as_str).collect::<Vec<_>>())?;
        self.subscribed = topics;
        Ok(())
    }

    fn rebalance(&mut self, rebalance: Rebalance) {
        match rebalance {
            Rebalance::Assigned(partitions) => {
                self.say("Partitions gained", &partitions);
                self.take_over(&partitions);
            }
            Rebalance::Revoked(partitions) => {
                self.deliver(&partitions);
                self.commit_and_wait();
                self.say("Partitions given up", &partitions);
                self.let_go(&partitions);
            }
            Rebalance::Lost(partitions) => {
                self.say("Partitions lost without notice", &partitions);
                self.let_go(&partitions);
            }
        }
    }

    /// Begins to read partitions where the group has come to.
    fn take_over(&mut self, partitions: &[Partition]) {
        let mut has_told = false;
        while let Err(error) = self.try_to_take_over(partitions) {
            if !has_told {
                has_told = true;
                let log = &self.consumer.log;
                log.warn(format_args!("Taking partitions over: {error}; trying again"));
            }
            self.wait(RETRY_WAIT);
            if self.is_to_finish {
                return;
            }
        }
    }

    fn try_to_take_over(&mut self, partitions: &[Partition]) -> Result<(), GroupError> {
        let Consumer { member, settings, intake, .. } = &mut self.consumer;
        // Before anything is read: what the owner before has committed last is there by now.
        let committed = member.committed_offsets(partitions)?;
        let listed = |partition: &Partition| settings.start.listed(partition);
        let is_new = |partition: &&Partition| {
            let known = committed.iter().find(|each| each.partition == **partition);
            known.and_then(|each| each.offset).is_none() && listed(partition).is_none()
        };
        let new: Vec<_> = partitions.iter().filter(is_new).cloned().collect();
        let first = member.first_offsets(&new)?;
        let start = |partition: &Partition, offset: Option<i64>| {
            let begins =
                |(of, first): &(Partition, Option<i64>)| (of == partition).then_some(*first);
            offset.or_else(|| listed(partition)).or_else(|| first.iter().find_map(begins).flatten())
        };
        let starts: Vec<_> = committed
            .iter()
            .map(|each| (each.partition.clone(), start(&each.partition, each.offset)))
            .collect();
        member.accept_from(&starts)?;
        for (committed, (_, start)) in committed.into_iter().zip(starts) {
            intake.partitions.add(committed, start, &intake.room);
        }
        Ok(())
    }

    /// Waits a while for what is under way of these partitions, so that whoever has them next need
    /// not read it again.
    fn deliver(&mut self, partitions: &[Partition]) {
        self.consumer.intake.hand_over();
        let until = self.now() + self.consumer.settings.revoke_wait;
        while !self.consumer.intake.partitions.are_complete(partitions) && !self.is_to_finish {
            let left = until.saturating_sub(self.now());
            if left.is_zero() {
                return;
            }
            self.wait(left.min(DELIVERY_LOOK));
            self.consumer.intake.put_aside();
        }
    }

    fn let_go(&mut self, partitions: &[Partition]) {
        let Consumer { member, intake, .. } = &mut self.consumer;
        intake.give_up(partitions);
        if let Err(error) = member.give_up(partitions) {
            intake.report(format!("giving up partitions: {error}"));
        }
    }

    /// Becomes another member, because the group does not take this one any more.
    fn join_anew(&mut self, reason: &str) {
        let Consumer { member, intake, settings, clock, log, .. } = &mut self.consumer;
        intake.report(format!("shut out of the group: {reason}; joining anew"));
        intake.give_up_all();
        self.committing = None;
        self.subscribed.clear();
        match GroupMember::connect(&settings.group, log.name(), clock.clone()) {
            Ok(new) => std::mem::replace(member, new).abandon(),
            Err(error) => intake.report(format!("joining anew: {error}")),
        }
        let again = self.now() + REJOIN_WAIT;
        while self.now() < again && !self.is_to_finish {
            self.wait(again.saturating_sub(self.now()));
        }
        self.next_topics = Duration::ZERO;
    }

    fn commit_if_due(&mut self) {
        let now = self.now();
        if now < self.next_commit {
            return;
        }
        self.next_commit = now + self.consumer.settings.commit_interval;
        self.consumer.intake.count_undelivered();
        self.count_lag();
        if self.committing.is_none() {
            self.begin_commit();
        }
    }

    /// Begins to commit what the group does not have yet, and tells whether that is anything.
    fn begin_commit(&mut self) -> bool {
        let Consumer { member, intake, .. } = &self.consumer;
        let commits = intake.partitions.to_commit(|partition, bytes| {
            intake.report(format!(
                "the marks of {partition} take {bytes} bytes, more than brokers keep with an \
                 offset; it is not committed"
            ));
        });
        if commits.is_empty() {
            return false;
        }
        member.commit_with_metadata(&commits);
        self.committing = Some(commits);
        true
    }

    fn committed(&mut self, result: Result<(), CommitError>) {
        // One of a member that was shut out meanwhile is nobody's.
        let Some(commits) = self.committing.take() else { return };
        match result {
            Ok(()) => {
                self.has_told_of_failed_commit = false;
                self.consumer.intake.counters.commits.add(1);
                self.consumer.intake.partitions.committed(commits);
            }
            // It is tried again: what the group has moved on from is given up in a moment.
            Err(error) if self.has_told_of_failed_commit => {
                self.consumer.log.debug(format_args!("Offsets not committed: {error}"));
            }
            Err(error) => {
                self.has_told_of_failed_commit = true;
                self.consumer.log.warn(format_args!("Offsets not committed: {error}"));
            }
        }
    }

    /// Commits all that was delivered, and waits for it a while.
    fn commit_and_wait(&mut self) {
        let until = self.now() + COMMIT_MAY_TAKE;
        let mut has_begun = false;
        loop {
            if self.committing.is_none() {
                // Once more at most: what fails now is read again by the next owner.
                if has_begun || !self.begin_commit() {
                    return;
                }
                has_begun = true;
            }
            let left = until.saturating_sub(self.now());
            if left.is_zero() {
                self.consumer.log.warn("Offsets not committed in time; records are read again");
                return;
            }
            self.wait(left);
        }
    }

    fn count_lag(&self) {
        let Consumer { member, intake, .. } = &self.consumer;
        let lag = intake.partitions.iter().filter_map(|each| {
            let end = member.known_range(&each.partition)?.end;
            u64::try_from(end - each.delivery.position()?).ok()
        });
        intake.counters.lag.set(lag.sum());
    }

    fn say(&self, what: &str, partitions: &[Partition]) {
        let names: Vec<_> = partitions.iter().map(ToString::to_string).collect();
        self.consumer.log.info(format_args!("{what}: {}", names.join(", ")));
    }

    fn now(&self) -> Duration {
        self.consumer.clock.elapsed()
    }
}
