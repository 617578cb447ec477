//! Committed offsets with the words that go with them, for owners that look before they begin.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::{Consumer, RebalanceProtocol};
use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};

use super::{Fetching, GroupError, GroupMember, OFFSETS_TIMEOUT, Partition, StartOffset, list};

/// How long brokers may take to answer for the first time.
const REACH_TIMEOUT: Duration = Duration::from_secs(5);

/// More events than the library tells of when it reaches nobody.
const EVENTS_OF_A_FAILURE: usize = 32;

/// An offset to commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// The partition.
    pub partition: Partition,
    /// The offset that comes next.
    pub offset: i64,
    /// What is kept with it; brokers take 4096 bytes unless they are told otherwise.
    pub metadata: Arc<str>,
}

/// What the group has committed of a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommittedOffset {
    /// The partition.
    pub partition: Partition,
    /// The offset that comes next; none if there is none.
    pub offset: Option<i64>,
    /// What was committed with it, by whomever.
    pub metadata: String,
}

/// How a group fences the members that it has moved on from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fencing {
    /// A rebalance gives up all partitions and begins a generation; commits of older ones are
    /// refused.
    Generations,
    /// Members give up partitions one by one, and are fenced one by one.
    Members,
}

impl GroupMember {
    /// Asks the group what it has committed of these partitions, whoever has them now.
    ///
    /// # Errors
    /// If the group does not answer in time, or not for each of them.
    pub fn committed_offsets(
        &self,
        partitions: &[Partition],
    ) -> Result<Vec<CommittedOffset>, GroupError> {
        let Some(consumer) = &self.consumer else { return Ok(Vec::new()) };
        if partitions.is_empty() {
            return Ok(Vec::new());
        }
        let asked = list(partitions, |_| Offset::Invalid);
        let answers = consumer.committed_offsets(asked, OFFSETS_TIMEOUT)?;
        let found = |partition: &Partition| {
            let answer = answers
                .find_partition(&partition.topic, partition.number)
                .ok_or_else(|| GroupError(format!("no committed offset of {partition} came")))?;
            // A topic that is gone has no offsets either.
            let offset = match (answer.error(), answer.offset()) {
                (Err(error), _) => return Err(error.into()),
                (Ok(()), Offset::Offset(offset)) => Some(offset),
                (Ok(()), _) => None,
            };
            let metadata = answer.metadata().to_owned();
            Ok(CommittedOffset { partition: partition.clone(), offset, metadata })
        };
        partitions.iter().map(found).collect()
    }

    /// Where partitions begin of which nothing is committed, by the settings; none is the oldest
    /// record.
    ///
    /// # Errors
    /// If the brokers do not answer in time.
    pub fn first_offsets(
        &self,
        new: &[Partition],
    ) -> Result<Vec<(Partition, Option<i64>)>, GroupError> {
        let Some(consumer) = &self.consumer else { return Ok(Vec::new()) };
        let at_time = match self.start {
            StartOffset::Earliest => {
                return Ok(new.iter().map(|partition| (partition.clone(), None)).collect());
            }
            StartOffset::At { epoch_ms } if !new.is_empty() => {
                let asked = list(new, |_| Offset::Offset(epoch_ms));
                consumer.offsets_for_times(asked, OFFSETS_TIMEOUT)?
            }
            _ => TopicPartitionList::new(),
        };
        let first = |partition: &Partition| -> Result<_, KafkaError> {
            let (topic, number) = (&partition.topic, partition.number);
            let offset = match at_time.find_partition(topic, number).map(|found| found.offset()) {
                Some(Offset::Offset(offset)) => offset,
                // No record is that young: what comes next is.
                _ => consumer.fetch_watermarks(topic, number, OFFSETS_TIMEOUT)?.1,
            };
            Ok((partition.clone(), Some(offset)))
        };
        Ok(new.iter().map(first).collect::<Result<_, _>>()?)
    }

    /// The oldest offset of a partition and the one that comes next, as the brokers have said when
    /// records were last fetched.
    pub fn known_range(&self, partition: &Partition) -> Option<Range<i64>> {
        self.records.as_ref()?.known_range(partition)
    }

    /// The oldest offset of a partition and the one that comes next, asked for.
    ///
    /// # Errors
    /// If the brokers do not answer in time.
    pub fn range(&self, partition: &Partition) -> Result<Range<i64>, GroupError> {
        let Some(consumer) = &self.consumer else { return Ok(0..0) };
        let (topic, number) = (&partition.topic, partition.number);
        let (low, high) = consumer.fetch_watermarks(topic, number, OFFSETS_TIMEOUT)?;
        Ok(low..high)
    }

    /// Lets an assignment take effect, with each partition beginning where it is said, or at its
    /// oldest record. The library never begins at a committed offset by itself.
    ///
    /// # Errors
    /// If the library refuses.
    pub fn accept_from(&mut self, starts: &[(Partition, Option<i64>)]) -> Result<(), GroupError> {
        let is_oldest = |(partition, start): &(Partition, Option<i64>)| {
            start.is_none().then(|| partition.clone())
        };
        let from_oldest: Vec<_> = starts.iter().filter_map(is_oldest).collect();
        let oldest = self.oldest_offsets(&from_oldest);
        let mut assignment = TopicPartitionList::new();
        for (Partition { topic, number }, start) in starts {
            let found = || oldest.find_partition(topic, *number).map(|found| found.offset());
            let offset = match start.map(Offset::Offset).or_else(found) {
                Some(Offset::Offset(offset)) => Offset::Offset(offset),
                // The library asks until it knows.
                _ => Offset::Beginning,
            };
            assignment.add_partition_offset(topic, *number, offset)?;
        }
        let partitions: Vec<_> = starts.iter().map(|(partition, _)| partition.clone()).collect();
        self.assign(&partitions, &assignment)
    }

    /// The offsets of the oldest records, as far as the brokers tell them in time.
    ///
    /// The library would find them out by itself, one by one. But when a partition is given up before
    /// it is answered, librdkafka 2.12 asks again, and on that answer begins to fetch the partition
    /// for good, into a queue that nobody reads (`rd_kafka_toppar_offset_retry` after
    /// `outdated offset response`): in the member that was alone at first, which is given everything
    /// and has to give most of it back.
    fn oldest_offsets(&self, partitions: &[Partition]) -> TopicPartitionList {
        let nothing = TopicPartitionList::new();
        let Some(consumer) = self.consumer.as_ref().filter(|_| !partitions.is_empty()) else {
            return nothing;
        };
        // The number that stands for the beginning is the one that the protocol takes for a time.
        let asked = list(partitions, |_| Offset::Beginning);
        match consumer.offsets_for_times(asked, OFFSETS_TIMEOUT) {
            Ok(offsets) => offsets,
            Err(error) => {
                log::debug!(target: "", "asking for the oldest offsets: {error}");
                nothing
            }
        }
    }

    /// Begins a commit with what goes with each offset; [`GroupMember::committed`] tells how it ends.
    /// One at a time.
    pub fn commit_with_metadata(&self, offsets: &[Commit]) {
        let mut positions = TopicPartitionList::new();
        for Commit { partition: Partition { topic, number }, offset, metadata } in offsets {
            let mut position = positions.add_partition(topic, *number);
            // The only error is an offset below zero, which no record has.
            let _ = position.set_offset(Offset::Offset(*offset));
            position.set_metadata(metadata);
        }
        if let Some(commits) = &self.commits {
            // The committer ends after this sender has gone.
            let _ = commits.send(positions);
        }
    }

    /// Finds out whether any broker answers, before the group is joined.
    ///
    /// # Errors
    /// Why none does.
    pub fn reach(&self) -> Result<(), GroupError> {
        let Some(consumer) = &self.consumer else { return Ok(()) };
        // The first events are there already: the library asks for a token before it connects.
        (0..4).for_each(|_| drop(consumer.poll(Duration::ZERO)));
        let Err(error) = consumer.fetch_metadata(None, REACH_TIMEOUT) else { return Ok(()) };
        // Why not is one of the events that have come since, and each poll serves one.
        (0..EVENTS_OF_A_FAILURE).for_each(|_| drop(consumer.poll(Duration::ZERO)));
        match consumer.context().last_error() {
            Some(reason) => Err(GroupError(reason)),
            None => Err(error.into()),
        }
    }

    /// The names of all topics that the brokers show to this member, in no order.
    ///
    /// # Errors
    /// If the brokers do not answer in time.
    pub fn topics(&self) -> Result<Vec<String>, GroupError> {
        let Some(consumer) = &self.consumer else { return Ok(Vec::new()) };
        let metadata = consumer.fetch_metadata(None, OFFSETS_TIMEOUT)?;
        Ok(metadata.topics().iter().map(|topic| topic.name().to_owned()).collect())
    }

    /// Whether records are fetched.
    pub fn fetching(&self) -> Fetching {
        self.fetching
    }

    /// How the group fences members, as far as it is known: after the first assignment.
    pub fn fencing(&self) -> Fencing {
        let protocol = self.consumer.as_ref().map(|consumer| consumer.rebalance_protocol());
        match protocol {
            Some(RebalanceProtocol::Cooperative) => Fencing::Members,
            _ => Fencing::Generations,
        }
    }
}
