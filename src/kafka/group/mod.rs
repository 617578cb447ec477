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

/// How long the brokers have to answer a question about offsets.
const OFFSETS_TIMEOUT: Duration = Duration::from_secs(10);

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
    /// Something went wrong and was logged; the member goes on.
    Trouble,
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
        let poll = || consumer.poll(Timeout::After(Duration::ZERO));
        // A poll may end with one of the library's own events before it comes to the records, which
        // would then wait without a signal: only a second one that finds nothing counts.
        // A record that comes along with a rebalance is still this member's: nothing has changed
        // hands before the rebalance is accepted, so the record goes first.
        match poll().or_else(poll) {
            None => match consumer.context().take_rebalance() {
                Some(rebalance) => Polled::Rebalance(rebalance),
                None => Polled::Nothing,
            },
            Some(Ok(message)) => Polled::Record(read(RecordView {
                topic: message.topic(),
                partition: message.partition(),
                offset: message.offset(),
                value: message.payload().unwrap_or_default(),
            })),
            Some(Err(error)) => match consumer.client().fatal_error() {
                Some((code, reason)) => Polled::Fatal(format!("{code}: {reason}")),
                None => {
                    consumer.context().tell(&error);
                    Polled::Trouble
                }
            },
        }
    }

    /// Lets a rebalance take effect.
    ///
    /// # Errors
    /// If the start of a partition cannot be found out, or the library refuses.
    pub fn accept(&self, rebalance: &Rebalance) -> Result<(), GroupError> {
        let Some(consumer) = &self.consumer else { return Ok(()) };
        let cooperative = matches!(consumer.rebalance_protocol(), RebalanceProtocol::Cooperative);
        match rebalance {
            Rebalance::Assigned(partitions) => {
                let start = self.start_offsets(consumer, partitions)?;
                if cooperative {
                    consumer.incremental_assign(&start)?;
                } else {
                    consumer.assign(&start)?;
                }
            }
            Rebalance::Revoked(partitions) | Rebalance::Lost(partitions) => {
                if cooperative {
                    consumer.incremental_unassign(&list(partitions, |_| Offset::Invalid))?;
                } else {
                    consumer.unassign()?;
                }
            }
        }
        Ok(())
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
            consumer.seek(&topic, number, Offset::Offset(offset), OFFSETS_TIMEOUT)?;
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

    /// Where to begin in each partition: at what the group has committed, else as set.
    fn start_offsets(
        &self,
        consumer: &BaseConsumer<MemberContext>,
        partitions: &[Partition],
    ) -> Result<TopicPartitionList, KafkaError> {
        let StartOffset::At { epoch_ms } = self.start else {
            // The library asks for the committed offsets itself, and resets as it is set.
            return Ok(list(partitions, |_| Offset::Invalid));
        };
        let asked = list(partitions, |_| Offset::Invalid);
        let committed = consumer.committed_offsets(asked, OFFSETS_TIMEOUT)?;
        let mut start = TopicPartitionList::new();
        let mut by_time = TopicPartitionList::new();
        for element in committed.elements() {
            let (topic, number) = (element.topic(), element.partition());
            match element.offset() {
                Offset::Offset(offset) => {
                    start.add_partition_offset(topic, number, Offset::Offset(offset))?;
                }
                _ => by_time.add_partition_offset(topic, number, Offset::Offset(epoch_ms))?,
            }
        }
        if by_time.count() > 0 {
            for element in consumer.offsets_for_times(by_time, OFFSETS_TIMEOUT)?.elements() {
                // No record is that young: what comes next is.
                let offset = match element.offset() {
                    Offset::Offset(offset) => Offset::Offset(offset),
                    _ => Offset::End,
                };
                start.add_partition_offset(element.topic(), element.partition(), offset)?;
            }
        }
        Ok(start)
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
