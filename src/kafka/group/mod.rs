//! One member of a consumer group.
//!
//! The member polls without waiting; whoever owns it waits on [`GroupMember::ready`]. Rebalances
//! do not happen behind the owner's back: they come out of [`GroupMember::poll`] as events, and
//! take effect when the owner answers with [`GroupMember::accept`], so that it can first write and
//! commit what it has read of the partitions it gives up. Commits are synchronous, because the
//! library never reports how asynchronous ones end, and run on a thread of their own, because one
//! may block as long as the session time-out while the cluster is away.
//!
//! # References
//! KIP-62 for session and poll time-outs, KIP-345 for static membership, KIP-429 for cooperative
//! rebalances, KIP-848 for the protocol called `consumer`.

mod context;
mod settings;

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded, select};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, RebalanceProtocol};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::util::Timeout;
use rdkafka::{Offset, TopicPartitionList};

use super::{PartitionLag, PropertyError};
use crate::system::{Clock, thread};
use context::MemberContext;
pub use settings::{GroupProtocol, GroupSettings, StartOffset};

/// The shortest time that the library knows.
const SHORTEST_TIMEOUT: Duration = Duration::from_millis(1);

/// How long the brokers have to answer a question about offsets. It is asked again until they do,
/// and nothing else can be done meanwhile, not even ending.
const OFFSETS_TIMEOUT: Duration = Duration::from_secs(2);

/// How long the library has to turn back; it asks nobody.
const SEEK_TIMEOUT: Duration = Duration::from_secs(10);

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
pub enum Polled<R> {
    /// A record, as the caller's function made it.
    Record(R),
    /// A rebalance, which waits for [`GroupMember::accept`].
    Rebalance(Rebalance),
    /// The member can no longer be part of the group.
    Fatal(String),
    /// Nothing is there now.
    Nothing,
}

/// A record as it lies in the client's memory.
pub struct RecordView<'a> {
    /// The topic it was read from.
    pub topic: &'a str,
    /// The partition it was read from.
    pub partition: i32,
    /// Its place in the partition.
    pub offset: i64,
    /// Its value; empty also for a record without one.
    pub value: &'a [u8],
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

/// Why offsets were not committed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// The group has moved on: other members have the partitions now, or soon will.
    #[error("the group has moved on ({0}); another member reads these records again")]
    MovedOn(String),
    /// Anything else, such as a coordinator that does not answer; it may pass.
    #[error("{0}")]
    Other(GroupError),
}

/// What the client library refuses to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct GroupError(String);

impl From<KafkaError> for GroupError {
    fn from(error: KafkaError) -> GroupError {
        GroupError(PropertyError::from(error).to_string())
    }
}

/// A member of a group.
pub struct GroupMember {
    // The committer goes first: it holds on to the consumer.
    commits: Option<Sender<TopicPartitionList>>,
    committer: Option<thread::Thread>,
    consumer: Option<Arc<BaseConsumer<MemberContext>>>,
    committed: Receiver<Result<(), CommitError>>,
    ready: Receiver<()>,
    start: StartOffset,
}

impl GroupMember {
    /// Joins the group.
    ///
    /// # Errors
    /// If a property is unknown or makes no sense; a cluster that does not answer is no error.
    pub fn join(
        settings: &GroupSettings,
        log_target: &str,
        clock: Arc<dyn Clock>,
    ) -> Result<GroupMember, GroupError> {
        let token = settings.connection.token().cloned();
        let context = MemberContext::new(log_target, clock, token);
        let mut consumer: BaseConsumer<MemberContext> =
            settings.client_config().create_with_context(context)?;
        let (wake, ready) = bounded(1);
        consumer.set_nonempty_callback(move || {
            // One waiting signal is as good as many.
            let _ = wake.try_send(());
        });
        let topics: Vec<&str> = settings.topics.iter().map(String::as_str).collect();
        consumer.subscribe(&topics)?;
        let consumer = Arc::new(consumer);
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
            commits: Some(commits),
            committer: Some(committer),
            consumer: Some(consumer),
            committed,
            ready,
            start: settings.start,
        })
    }

    /// Becomes ready when there may be something to poll.
    pub fn ready(&self) -> &Receiver<()> {
        &self.ready
    }

    /// Becomes ready when the commit that is under way has ended.
    pub fn committed(&self) -> &Receiver<Result<(), CommitError>> {
        &self.committed
    }

    /// Takes the next thing that is there, without waiting; `read` turns a record into what the
    /// caller wants of it while it lies in the client's memory.
    pub fn poll<R>(&self, read: impl FnOnce(RecordView<'_>) -> R) -> Polled<R> {
        let Some(consumer) = &self.consumer else { return Polled::Nothing };
        if let Some(rebalance) = consumer.context().take_rebalance() {
            return Polled::Rebalance(rebalance);
        }
        let mut timeout = Duration::ZERO;
        loop {
            match consumer.poll(Timeout::After(timeout)) {
                Some(Ok(message)) => {
                    return Polled::Record(read(RecordView {
                        topic: message.topic(),
                        partition: message.partition(),
                        offset: message.offset(),
                        value: message.payload().unwrap_or_default(),
                    }));
                }
                Some(Err(_)) => {
                    if let Some((code, reason)) = consumer.client().fatal_error() {
                        return Polled::Fatal(format!("{code}: {reason}"));
                    }
                    // Other errors pass, and the context has logged them.
                }
                None => {
                    if let Some(rebalance) = consumer.context().take_rebalance() {
                        return Polled::Rebalance(rebalance);
                    }
                    if timeout == SHORTEST_TIMEOUT {
                        return Polled::Nothing;
                    }
                    // A poll without time ends with the first of the library's own events, and
                    // the records behind it would wait without a signal. With time it goes on.
                    timeout = SHORTEST_TIMEOUT;
                }
            }
        }
    }

    /// Lets a rebalance take effect.
    ///
    /// Returns the partitions that begin somewhere else than at their oldest record because the
    /// group has committed nothing of them. The owner should commit where they begin.
    ///
    /// # Errors
    /// If the start of a partition cannot be found out, or the library refuses.
    pub fn accept(&self, rebalance: &Rebalance) -> Result<Vec<(Partition, i64)>, GroupError> {
        let Some(consumer) = &self.consumer else { return Ok(Vec::new()) };
        let cooperative = matches!(consumer.rebalance_protocol(), RebalanceProtocol::Cooperative);
        match rebalance {
            Rebalance::Assigned(partitions) => {
                let starts = self.starts(consumer, partitions)?;
                let assignment = list(partitions, |partition| {
                    let start = starts.iter().find(|(started, _)| started == partition);
                    // The library asks for committed offsets itself, and resets as it is set.
                    start.map_or(Offset::Invalid, |(_, offset)| Offset::Offset(*offset))
                });
                if cooperative {
                    consumer.incremental_assign(&assignment)?;
                } else {
                    consumer.assign(&assignment)?;
                }
                Ok(starts)
            }
            Rebalance::Revoked(partitions) | Rebalance::Lost(partitions) => {
                if cooperative {
                    consumer.incremental_unassign(&list(partitions, |_| Offset::Invalid))?;
                } else {
                    consumer.unassign()?;
                }
                Ok(Vec::new())
            }
        }
    }

    /// Begins a commit; [`GroupMember::committed`] tells how it ends. One at a time.
    pub fn commit(&self, offsets: impl IntoIterator<Item = (Partition, i64)>) {
        let mut positions = TopicPartitionList::new();
        for (Partition { topic, number }, offset) in offsets {
            // The only error is an offset below zero, which no record has.
            let _ = positions.add_partition_offset(&topic, number, Offset::Offset(offset));
        }
        if let Some(commits) = &self.commits {
            // The committer ends after this sender has gone.
            let _ = commits.send(positions);
        }
    }

    /// Reads partitions again from these offsets.
    ///
    /// # Errors
    /// If the library refuses.
    pub fn seek(
        &self,
        offsets: impl IntoIterator<Item = (Partition, i64)>,
    ) -> Result<(), GroupError> {
        let Some(consumer) = &self.consumer else { return Ok(()) };
        for (Partition { topic, number }, offset) in offsets {
            consumer.seek(&topic, number, Offset::Offset(offset), SEEK_TIMEOUT)?;
        }
        Ok(())
    }

    /// Stops or starts fetching records of all partitions; the member stays in the group.
    ///
    /// # Errors
    /// If the library refuses.
    pub fn set_fetching(&self, fetching: Fetching) -> Result<(), GroupError> {
        let Some(consumer) = &self.consumer else { return Ok(()) };
        let assignment = consumer.assignment()?;
        match fetching {
            Fetching::Paused => consumer.pause(&assignment)?,
            Fetching::Running => consumer.resume(&assignment)?,
        }
        Ok(())
    }

    /// How far each partition of this member lags behind, as the library last counted.
    pub fn lags(&self) -> Vec<PartitionLag> {
        self.consumer.as_ref().map(|consumer| consumer.context().lags()).unwrap_or_default()
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

    /// Where those partitions begin of which the group has committed nothing, unless that is at
    /// the oldest record, which the library finds itself.
    fn starts(
        &self,
        consumer: &BaseConsumer<MemberContext>,
        partitions: &[Partition],
    ) -> Result<Vec<(Partition, i64)>, KafkaError> {
        if self.start == StartOffset::Earliest || partitions.is_empty() {
            return Ok(Vec::new());
        }
        let asked = list(partitions, |_| Offset::Invalid);
        let committed = consumer.committed_offsets(asked, OFFSETS_TIMEOUT)?;
        let is_new = |partition: &&Partition| {
            let known = committed.find_partition(&partition.topic, partition.number);
            !known.is_some_and(|known| matches!(known.offset(), Offset::Offset(_)))
        };
        let new: Vec<_> = partitions.iter().filter(is_new).cloned().collect();
        let at_time = match self.start {
            StartOffset::At { epoch_ms } if !new.is_empty() => {
                let asked = list(&new, |_| Offset::Offset(epoch_ms));
                consumer.offsets_for_times(asked, OFFSETS_TIMEOUT)?
            }
            _ => TopicPartitionList::new(),
        };
        let mut starts = Vec::with_capacity(new.len());
        for partition in new {
            let (topic, number) = (&partition.topic, partition.number);
            let offset = match at_time.find_partition(topic, number).map(|found| found.offset()) {
                Some(Offset::Offset(offset)) => offset,
                // No record is that young: what comes next is.
                _ => consumer.fetch_watermarks(topic, number, OFFSETS_TIMEOUT)?.1,
            };
            starts.push((partition, offset));
        }
        Ok(starts)
    }
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

impl From<KafkaError> for CommitError {
    fn from(error: KafkaError) -> CommitError {
        use RDKafkaErrorCode::{
            AssignmentLost, Fenced, FencedInstanceId, IllegalGeneration, RebalanceInProgress,
            StaleMemberEpoch, UnknownMemberId,
        };
        match error.rdkafka_error_code() {
            Some(
                code @ (RebalanceInProgress | UnknownMemberId | IllegalGeneration
                | FencedInstanceId | Fenced | AssignmentLost | StaleMemberEpoch),
            ) => CommitError::MovedOn(code.to_string()),
            _ => CommitError::Other(error.into()),
        }
    }
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
