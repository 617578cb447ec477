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

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded, select};
use rdkafka::client::OAuthToken;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, RebalanceProtocol};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::types::RDKafkaRespErr;
use rdkafka::util::Timeout;
use rdkafka::{ClientContext, Offset, TopicPartitionList};

use super::lag::{PartitionLag, parse_statistics};
use super::{ClientLog, Connection};
use crate::metric::Timestamp;
use crate::system::{Clock, thread};

/// How long the brokers have to answer a question about offsets.
const OFFSETS_TIMEOUT: Duration = Duration::from_secs(10);

/// Which rebalance protocol the group speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GroupProtocol {
    /// The members agree among themselves; every broker knows it.
    #[default]
    Classic,
    /// The brokers assign, since Kafka 4.0 (KIP-848).
    Consumer,
}

/// Where a partition begins for which the group has committed nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StartOffset {
    /// At the oldest record that is there.
    #[default]
    Earliest,
    /// At what comes after the member was assigned the partition.
    Latest,
    /// At the first record of this time or later.
    At(Timestamp),
}

/// What a member is and what it reads.
#[derive(Debug, Clone)]
pub struct GroupSettings {
    /// How to reach the cluster; its properties win over what is set here.
    pub connection: Connection,
    /// The group's name.
    pub group: String,
    /// The topics it reads.
    pub topics: Vec<String>,
    /// Where partitions without a committed offset begin.
    pub start: StartOffset,
    /// How the group rebalances.
    pub protocol: GroupProtocol,
    /// How long the group waits for a member that is not heard of.
    pub session_timeout: Duration,
    /// A name that stays over restarts; none for a new member each time.
    pub instance_id: Option<String>,
    /// How much is read ahead, in bytes of record values.
    pub read_ahead_bytes: usize,
    /// How often the library counts what lags behind.
    pub lag_interval: Duration,
}

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
    /// Something went wrong; the member goes on.
    Trouble(String),
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
    MovedOn(RDKafkaErrorCode),
    /// Anything else, such as a coordinator that does not answer; it may pass.
    #[error("{0}")]
    Other(KafkaError),
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
    ) -> Result<GroupMember, KafkaError> {
        let token = settings.connection.token().cloned();
        let context = MemberContext {
            log: ClientLog::new(log_target, clock, token),
            rebalances: Mutex::default(),
            lags: Mutex::default(),
            closing: AtomicBool::new(false),
        };
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
        .map_err(|error| KafkaError::ClientCreation(error.to_string()))?;
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
        // A record that comes along with a rebalance is still this member's: nothing has changed
        // hands before the rebalance is accepted, so the record goes first.
        match consumer.poll(Timeout::After(Duration::ZERO)) {
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
                None => Polled::Trouble(error.to_string()),
            },
        }
    }

    /// Lets a rebalance take effect.
    ///
    /// # Errors
    /// If the start of a partition cannot be found out, or the library refuses.
    pub fn accept(&self, rebalance: &Rebalance) -> Result<(), KafkaError> {
        let Some(consumer) = &self.consumer else { return Ok(()) };
        let cooperative = matches!(consumer.rebalance_protocol(), RebalanceProtocol::Cooperative);
        match rebalance {
            Rebalance::Assigned(partitions) => {
                let start = self.start_offsets(consumer, partitions)?;
                if cooperative {
                    consumer.incremental_assign(&start)
                } else {
                    consumer.assign(&start)
                }
            }
            Rebalance::Revoked(partitions) | Rebalance::Lost(partitions) => {
                if cooperative {
                    consumer.incremental_unassign(&list(partitions, |_| Offset::Invalid))
                } else {
                    consumer.unassign()
                }
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
    ) -> Result<(), KafkaError> {
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
    pub fn set_fetching(&self, fetching: Fetching) -> Result<(), KafkaError> {
        let Some(consumer) = &self.consumer else { return Ok(()) };
        let assignment = consumer.assignment()?;
        match fetching {
            Fetching::Paused => consumer.pause(&assignment),
            Fetching::Running => consumer.resume(&assignment),
        }
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
        consumer.context().closing.store(true, Ordering::SeqCst);
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
        let StartOffset::At(time) = self.start else {
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
                _ => by_time.add_partition_offset(topic, number, Offset::Offset(time.millis()))?,
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
            ) => CommitError::MovedOn(code),
            _ => CommitError::Other(error),
        }
    }
}

impl GroupSettings {
    fn client_config(&self) -> rdkafka::ClientConfig {
        let mut config = rdkafka::ClientConfig::new();
        let millis = |span: Duration| span.as_millis().to_string();
        config.set("group.id", &self.group);
        // Offsets are committed by the owner, after what they cover is in a file.
        config.set("enable.auto.commit", "false");
        config.set("enable.auto.offset.store", "false");
        config.set(
            "auto.offset.reset",
            if self.start == StartOffset::Latest { "latest" } else { "earliest" },
        );
        match self.protocol {
            GroupProtocol::Classic => {
                config.set("session.timeout.ms", millis(self.session_timeout));
                config.set("heartbeat.interval.ms", millis(self.session_timeout / 4));
                config.set("partition.assignment.strategy", "range");
            }
            // The brokers set these for the whole group.
            GroupProtocol::Consumer => {
                config.set("group.protocol", "consumer");
            }
        }
        if let Some(instance_id) = &self.instance_id {
            config.set("group.instance.id", instance_id);
        }
        // By default the library waits a second before it fetches again once its queue was full.
        config.set("fetch.queue.backoff.ms", "10");
        let read_ahead_kbytes = (self.read_ahead_bytes / 1024).max(1);
        config.set("queued.max.messages.kbytes", read_ahead_kbytes.to_string());
        // A fetch is a part of what is read ahead; a record larger than that is still fetched.
        let fetch_bytes = (self.read_ahead_bytes / 4).clamp(64 * 1024, 1024 * 1024);
        config.set("max.partition.fetch.bytes", fetch_bytes.to_string());
        config.set("fetch.max.bytes", (fetch_bytes * 4).max(1024 * 1024).to_string());
        config.set("receive.message.max.bytes", MAX_RESPONSE_BYTES.to_string());
        // A topic that is made later, or grows, is noticed within this.
        config.set("topic.metadata.refresh.interval.ms", "10000");
        config.set("statistics.interval.ms", millis(self.lag_interval));
        for (name, value) in self.connection.client_config().config_map() {
            config.set(name, value);
        }
        config.set_log_level(RDKafkaLogLevel::Info);
        config
    }
}

/// The largest response that is taken from a broker; it bounds the size of a record.
const MAX_RESPONSE_BYTES: u32 = 512 * 1024 * 1024;

fn list(partitions: &[Partition], offset: impl Fn(&Partition) -> Offset) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    for partition in partitions {
        let topic = &partition.topic;
        // The only error is an offset below zero.
        let _ = list.add_partition_offset(topic, partition.number, offset(partition));
    }
    list
}

/// The library's callbacks for a member; they run on the thread that polls.
struct MemberContext {
    log: ClientLog,
    rebalances: Mutex<VecDeque<Rebalance>>,
    lags: Mutex<Vec<PartitionLag>>,
    /// Nobody takes rebalances any more; they are answered at once.
    closing: AtomicBool,
}

impl MemberContext {
    fn take_rebalance(&self) -> Option<Rebalance> {
        self.rebalances.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    fn lags(&self) -> Vec<PartitionLag> {
        self.lags.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ClientContext for MemberContext {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        self.log.log(level, facility, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.log.error(error, reason);
    }

    fn stats_raw(&self, statistics: &[u8]) {
        if let Some(lags) = parse_statistics(statistics) {
            *self.lags.lock().unwrap_or_else(PoisonError::into_inner) = lags;
        }
    }

    fn generate_oauth_token(
        &self,
        config: Option<&str>,
    ) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        self.log.generate_oauth_token(config)
    }
}

impl ConsumerContext for MemberContext {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        code: RDKafkaRespErr,
        partitions: &mut TopicPartitionList,
    ) {
        let listed = || {
            let elements = partitions.elements();
            elements
                .iter()
                .map(|element| Partition {
                    topic: element.topic().into(),
                    number: element.partition(),
                })
                .collect()
        };
        let assigned = code == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        if self.closing.load(Ordering::SeqCst) {
            let cooperative =
                matches!(consumer.rebalance_protocol(), RebalanceProtocol::Cooperative);
            let result = match (cooperative, assigned) {
                (true, true) => Ok(()),
                (true, false) => consumer.incremental_unassign(partitions),
                (false, _) => consumer.unassign(),
            };
            if let Err(error) = result {
                log::debug!(target: "", "While leaving the group: {error}");
            }
            return;
        }
        let rebalance = if assigned {
            Rebalance::Assigned(listed())
        } else if consumer.assignment_lost() {
            Rebalance::Lost(listed())
        } else {
            Rebalance::Revoked(listed())
        };
        self.rebalances.lock().unwrap_or_else(PoisonError::into_inner).push_back(rebalance);
    }
}
