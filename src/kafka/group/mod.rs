//! One member of a consumer group.
//!
//! The member polls without waiting; whoever owns it waits on [`GroupMember::ready`]. Records come
//! in batches out of a queue of their own, everything else out of the client's. Rebalances
//! do not happen behind the owner's back: they come out of [`GroupMember::poll`] as events, and
//! take effect when the owner answers with [`GroupMember::accept_from`] or
//! [`GroupMember::give_up`], so that it can first write and commit what it has read of the
//! partitions it gives up. Commits are synchronous, because the
//! library never reports how asynchronous ones end, and run on a thread of their own, because one
//! may block as long as the session time-out while the cluster is away.
//!
//! # References
//! KIP-62 for session and poll time-outs, KIP-345 for static membership, KIP-429 for cooperative
//! rebalances, KIP-848 for the protocol called `consumer`.

mod context;
mod error;
mod offsets;
mod records;
mod settings;
#[cfg(test)]
mod tests;
mod view;

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded, select};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, RebalanceProtocol};
use rdkafka::util::Timeout;
use rdkafka::{ClientContext, Offset, TopicPartitionList};

use super::PartitionLag;
use crate::system::{Clock, thread};
use context::MemberContext;
pub use context::{MemberStatistics, Resets};
pub use error::{CommitError, GroupError};
pub use offsets::{Commit, CommittedOffset, Fencing};
use records::{RecordError, RecordQueue};
pub use settings::{Assignor, GroupProtocol, GroupSettings, StartOffset};
pub use view::{RecordView, Taking};

/// How long the brokers have to answer a question about offsets. It is asked again until they do,
/// and nothing else can be done meanwhile, not even ending.
const OFFSETS_TIMEOUT: Duration = Duration::from_secs(2);

/// How long the library has to turn back; it asks nobody.
const SEEK_TIMEOUT: Duration = Duration::from_secs(10);

/// How long one look lasts for what an abandoned member is told while it leaves.
const CLOSING_POLL: Duration = Duration::from_millis(100);

/// A partition of a topic.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Partition {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition's number.
    pub number: i32,
}

impl std::fmt::Display for Partition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} [{}]", self.topic, self.number)
    }
}

/// What came out of a poll.
#[derive(Debug)]
pub enum Polled {
    /// Records, which the caller's function was given.
    Records,
    /// A rebalance, which waits for [`GroupMember::accept_from`] or [`GroupMember::give_up`].
    Rebalance(Rebalance),
    /// The member can no longer be part of the group.
    Fatal(String),
    /// Nothing is there now.
    Nothing,
}

/// A change of the partitions that a member reads.
#[derive(Debug)]
pub enum Rebalance {
    /// These come to the member.
    Assigned(Vec<Partition>),
    /// These go from the member, which may still commit them.
    Revoked(Vec<Partition>),
    /// These have gone from the member already; committing them would undo another's work.
    Lost(Vec<Partition>),
}

/// A member of a group.
pub struct GroupMember {
    // These go before the consumer, which they hold on to: last of all it leaves the group.
    records: Option<RecordQueue>,
    commits: Option<Sender<TopicPartitionList>>,
    committer: Option<thread::Thread>,
    consumer: Option<Arc<BaseConsumer<MemberContext>>>,
    committed: Receiver<Result<(), CommitError>>,
    ready: Receiver<()>,
    topics: Vec<String>,
    start: StartOffset,
    fetching: Fetching,
}

impl GroupMember {
    /// Prepares to be a member: connects, and finds out who coordinates the group.
    ///
    /// # Errors
    /// If a property is unknown or makes no sense; a cluster that does not answer is no error.
    pub fn connect(
        settings: &GroupSettings,
        log_target: &str,
        clock: Arc<dyn Clock>,
    ) -> Result<GroupMember, GroupError> {
        let tokens = settings.connection.tokens().cloned();
        let context = MemberContext::new(log_target, clock, tokens);
        let mut consumer: BaseConsumer<MemberContext> =
            settings.client_config().create_with_context(context)?;
        let (wake, ready) = bounded(1);
        let waking = wake.clone();
        consumer.set_nonempty_callback(move || {
            // One waiting signal is as good as many.
            let _ = waking.try_send(());
        });
        let consumer = Arc::new(consumer);
        let records = RecordQueue::new(consumer.clone(), wake)
            .ok_or_else(|| GroupError("making a queue for records".into()))?;
        let (commits, requests) = bounded::<TopicPartitionList>(1);
        let (results, committed) = bounded(1);
        let committing = consumer.clone();
        let committer = thread::spawn("commit", move || {
            for offsets in requests {
                let result = committing.commit(&offsets, CommitMode::Sync);
                if results.send(result.map_err(CommitError::from)).is_err() {
                    break;
                }
            }
        })
        .map_err(|error| GroupError(format!("starting a thread: {error}")))?;
        Ok(GroupMember {
            records: Some(records),
            commits: Some(commits),
            committer: Some(committer),
            consumer: Some(consumer),
            committed,
            ready,
            topics: settings.topics.clone(),
            start: settings.start,
            fetching: Fetching::Running,
        })
    }

    /// Joins the group.
    ///
    /// # Errors
    /// If there can be no such topics.
    pub fn join(&self) -> Result<(), GroupError> {
        let topics: Vec<&str> = self.topics.iter().map(String::as_str).collect();
        self.subscribe(&topics)
    }

    /// Joins the group for other topics than the settings name; a member that has joined takes part
    /// with these from the next rebalance on, which this begins.
    ///
    /// # Errors
    /// If there can be no such topics, or there are none.
    pub fn subscribe(&self, topics: &[&str]) -> Result<(), GroupError> {
        let Some(consumer) = &self.consumer else { return Ok(()) };
        Ok(consumer.subscribe(topics)?)
    }

    /// Makes the library look whether a heartbeat is due. The answer to it is what tells a member
    /// that others have joined, and left alone the library sends it up to a second late: its main
    /// thread wakes for that only once a second, or when it is asked for something.
    pub fn hasten_heartbeat(&self) {
        if let Some(consumer) = &self.consumer {
            let _asked_of_the_main_thread = consumer.rebalance_protocol();
        }
    }

    /// Whether the group has given the member an id, which it does when the member begins to join.
    pub fn has_id(&self) -> bool {
        self.consumer.as_deref().is_some_and(records::has_member_id)
    }

    /// Becomes ready when there may be something to poll.
    pub fn ready(&self) -> &Receiver<()> {
        &self.ready
    }

    /// Becomes ready when the commit that is under way has ended.
    pub fn committed(&self) -> &Receiver<Result<(), CommitError>> {
        &self.committed
    }

    /// Takes what is there, without waiting: gives records to `take` while they lie in the client's
    /// memory, until it has enough of them or a batch has ended.
    pub fn poll(&mut self, take: impl FnMut(RecordView<'_>) -> Taking) -> Polled {
        self.poll_for(Wanted::Records, take)
    }

    /// Takes part in the group without taking records, except for those few that come among the
    /// events. What was read ahead is kept, which a pause would throw away.
    pub fn poll_events(&mut self, take: impl FnMut(RecordView<'_>) -> Taking) -> Polled {
        self.poll_for(Wanted::Events, take)
    }

    fn poll_for(
        &mut self,
        wanted: Wanted,
        mut take: impl FnMut(RecordView<'_>) -> Taking,
    ) -> Polled {
        let (Some(consumer), Some(records)) = (&self.consumer, &mut self.records) else {
            return Polled::Nothing;
        };
        loop {
            if let Some(rebalance) = consumer.context().take_rebalance() {
                return Polled::Rebalance(rebalance);
            }
            // The library's own events are few, and a rebalance goes before more records.
            match consumer.poll(Timeout::After(Duration::ZERO)) {
                Some(Ok(message)) => {
                    // It was fetched before its partition was adopted, or behind its back.
                    take(RecordView::of_event(&message));
                    return Polled::Records;
                }
                Some(Err(_)) => {
                    if let Some((code, reason)) = consumer.client().fatal_error() {
                        return Polled::Fatal(format!("{code}: {reason}"));
                    }
                    // Other errors pass, and the context has logged them.
                    continue;
                }
                None => {}
            }
            // A poll ends with the first event that it has served.
            if records.has_events() || consumer.context().has_rebalance() {
                continue;
            }
            let wants_records = wanted == Wanted::Records && self.fetching == Fetching::Running;
            if !wants_records || !records.fill() {
                return Polled::Nothing;
            }
            let mut polled = Polled::Nothing;
            while let Some(record) = records.take_next() {
                match record {
                    Ok(record) => {
                        polled = Polled::Records;
                        if take(RecordView::of_batch(&record)) == Taking::Enough {
                            break;
                        }
                    }
                    // Errors that shut the member out come among the events, too.
                    Err(RecordError { error, reason }) => {
                        consumer.context().error(error, reason.trim());
                    }
                }
            }
            if matches!(polled, Polled::Records) {
                return polled;
            }
        }
    }

    /// Gives partitions up, or takes note that they have gone.
    ///
    /// # Errors
    /// If the library refuses.
    pub fn give_up(&mut self, gone: &[Partition]) -> Result<(), GroupError> {
        let Some(consumer) = &self.consumer else { return Ok(()) };
        let cooperative = matches!(consumer.rebalance_protocol(), RebalanceProtocol::Cooperative);
        if cooperative {
            consumer.incremental_unassign(&list(gone, |_| Offset::Invalid))?;
        } else {
            consumer.unassign()?;
        }
        if let Some(records) = &mut self.records {
            records.forget(|topic, number| !cooperative || is_among(gone, topic, number));
        }
        Ok(())
    }

    fn assign(
        &self,
        partitions: &[Partition],
        assignment: &TopicPartitionList,
    ) -> Result<(), GroupError> {
        let Some(consumer) = &self.consumer else { return Ok(()) };
        // Before the assignment, so that no record can come by another way.
        if let Some(records) = &self.records {
            records.adopt(partitions);
        }
        if matches!(consumer.rebalance_protocol(), RebalanceProtocol::Cooperative) {
            consumer.incremental_assign(assignment)?;
        } else {
            consumer.assign(assignment)?;
        }
        Ok(())
    }

    /// Reads partitions again from these offsets.
    ///
    /// # Errors
    /// If the library refuses.
    pub fn seek(
        &mut self,
        offsets: impl IntoIterator<Item = (Partition, i64)>,
    ) -> Result<(), GroupError> {
        let (Some(consumer), Some(records)) = (&self.consumer, &mut self.records) else {
            return Ok(());
        };
        for (Partition { topic, number }, offset) in offsets {
            consumer.seek(&topic, number, Offset::Offset(offset), SEEK_TIMEOUT)?;
            // The library drops what it has read ahead, and knows nothing of what was handed over.
            records.forget(|of_topic, of_number| (of_topic, of_number) == (&*topic, number));
        }
        Ok(())
    }

    /// Stops or starts fetching records of all partitions; the member stays in the group.
    ///
    /// # Errors
    /// If the library refuses.
    pub fn set_fetching(&mut self, fetching: Fetching) -> Result<(), GroupError> {
        let (Some(consumer), Some(records)) = (&self.consumer, &self.records) else {
            return Ok(());
        };
        self.fetching = fetching;
        let assignment = consumer.assignment()?;
        match fetching {
            Fetching::Paused => consumer.pause(&assignment)?,
            Fetching::Running => {
                consumer.resume(&assignment)?;
                // What was left since the pause gives no signal, and what follows it neither.
                records.signal();
            }
        }
        Ok(())
    }

    /// Whether the library has gone on elsewhere than it was told; it may be looked at while polling.
    pub fn resets(&self) -> Resets {
        let context = self.consumer.as_ref().map(|consumer| consumer.context());
        context.map(|context| context.resets()).unwrap_or_default()
    }

    /// Where the library's own numbers can be read, which it reports as often as the lag.
    pub fn statistics(&self) -> MemberStatistics {
        let context = self.consumer.as_ref().map(|consumer| consumer.context());
        context.map(|context| context.statistics()).unwrap_or_default()
    }

    /// Wakes the library's own thread.
    ///
    /// It waits for moments by the clock on the wall, so that it sleeps for as long as that is set
    /// back: no heartbeat goes out meanwhile, and the group takes the member for dead.
    pub fn wake(&self) {
        if let Some(Err(error)) = self.consumer.as_ref().map(|consumer| consumer.assignment()) {
            log::debug!(target: "", "waking the Kafka client: {error}");
        }
    }

    /// How far each partition of this member lags behind, as the library last counted.
    pub fn lags(&self) -> Vec<PartitionLag> {
        self.consumer.as_ref().map(|consumer| consumer.context().lags()).unwrap_or_default()
    }

    /// Leaves the group without waiting for it; what is under way may still come to an end or not.
    pub fn abandon(mut self) {
        drop(self.commits.take());
        let (Some(consumer), committer) = (self.consumer.take(), self.committer.take()) else {
            return;
        };
        consumer.context().close();
        drop(self.records.take());
        let leaving = thread::spawn("leave", move || {
            // The commit thread holds the consumer too; closing ends the commit that it waits for.
            if consumer.close_queue().is_ok() {
                while !consumer.closed() {
                    let _event = consumer.poll(Timeout::After(CLOSING_POLL));
                }
            }
            drop(committer);
            drop(consumer);
        });
        // Waiting for the thread would be waiting for the cluster.
        std::mem::forget(leaving);
    }

    /// Leaves the group, waiting no longer than `limit`; tells whether that was enough.
    ///
    /// Without the cluster leaving can take as long as the session time-out. A member that could
    /// not leave in time is missed by the group after that.
    pub fn leave(mut self, limit: Duration, clock: &dyn Clock) -> Left {
        drop(self.commits.take());
        let (Some(consumer), committer) = (self.consumer.take(), self.committer.take()) else {
            return Left::InTime;
        };
        consumer.context().close();
        drop(self.records.take());
        let (left, waiting) = bounded::<()>(0);
        let leaving = thread::spawn("leave", move || {
            // The commit thread holds the consumer too, and may hang in a commit.
            drop(committer);
            drop(consumer);
            drop(left);
        });
        let in_time = select! {
            recv(waiting) -> _ => Left::InTime,
            recv(clock.after(limit)) -> _ => Left::TooLate,
        };
        // Waiting for the thread would be waiting for the cluster; the process ends it.
        std::mem::forget(leaving);
        in_time
    }
}

impl Drop for GroupMember {
    fn drop(&mut self) {
        // Else the end of the consumer would wait for answers to its last rebalance.
        if let Some(consumer) = &self.consumer {
            consumer.context().close();
        }
    }
}

/// What a poll asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Records,
    Events,
}

/// Whether a member fetches records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fetching {
    /// It does.
    Running,
    /// It does not, and stays in the group.
    Paused,
}

/// Whether a member could leave its group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// It has left.
    InTime,
    /// The group will miss it when its session times out.
    TooLate,
}

fn is_among(partitions: &[Partition], topic: &str, number: i32) -> bool {
    partitions.iter().any(|partition| partition.number == number && *partition.topic == *topic)
}

fn list(partitions: &[Partition], offset: impl Fn(&Partition) -> Offset) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    for partition in partitions {
        let topic = &partition.topic;
        // The only error is an offset below zero.
        let _ = list.add_partition_offset(topic, partition.number, offset(partition));
    }
    list
}
