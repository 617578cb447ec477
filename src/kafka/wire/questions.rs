//! What a cluster can be asked, each question of the brokers that it concerns.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::cluster::{Cluster, Gathered};
use super::error::{ErrorCode, WireError};
use super::messages::{
    ClientQuota, CommittedOffset, ConsumerGroupDescribe, DescribeClientQuotas, DescribeCluster,
    DescribeConfigs, DescribeGroups, DescribeLogDirs, DescribeQuorum, GroupDescription, GroupKind,
    ListGroups, ListOffsets, ListedGroup, LogDir, OffsetFetch, Quorum, Refusal, Registration,
};
use super::request::Request;

/// What a group has committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupOffsets {
    /// The group's name.
    pub group: String,
    /// Where it goes on, partition by partition.
    pub offsets: Vec<CommittedOffset>,
}

/// A partition and the broker that leads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartitionPlace<'t> {
    /// The broker.
    pub leader: i32,
    /// The topic.
    pub topic: &'t str,
    /// The partition's number.
    pub partition: i32,
}

/// Where a partition ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionEnd {
    /// The topic.
    pub topic: String,
    /// The partition's number.
    pub partition: i32,
    /// The offset that the next record will get.
    pub offset: i64,
}

impl Cluster {
    /// All groups, from the brokers that look after them; or those of one broker.
    pub fn groups(&mut self, coordinator: Option<i32>) -> Gathered<ListedGroup> {
        let brokers = self.broker_ids().into_iter();
        let requests: Vec<_> = brokers
            .filter(|broker| coordinator.is_none_or(|only| only == *broker))
            .map(|broker| (broker, ListGroups))
            .collect();
        let mut gathered = Gathered::default();
        for (broker, answer) in self.ask_each(&requests) {
            match answer.and_then(|groups| groups.map_err(of_broker::<ListGroups>(broker))) {
                Ok(groups) => gathered.found.extend(
                    groups.into_iter().map(|group| ListedGroup { coordinator: broker, ..group }),
                ),
                Err(error) => gathered.errors.push(error),
            }
        }
        gathered
    }

    /// States and members of groups. Those of kinds that cannot be described are left out.
    pub fn describe(&mut self, groups: &[&ListedGroup]) -> Gathered<GroupDescription> {
        let of = |kind: GroupKind| {
            let groups = groups.iter().filter(move |group| group.kind == kind);
            by_broker(groups.map(|group| (group.coordinator, group.name.as_str())))
        };
        let classic: Vec<_> = of(GroupKind::Classic)
            .into_iter()
            .map(|(broker, names)| (broker, DescribeGroups(names)))
            .collect();
        let consumer: Vec<_> = of(GroupKind::Consumer)
            .into_iter()
            .map(|(broker, names)| (broker, ConsumerGroupDescribe(names)))
            .collect();
        let mut answers = self.ask_each(&classic);
        answers.extend(self.ask_each(&consumer));
        let mut gathered = Gathered::default();
        for (_, answer) in answers {
            gathered.add(answer, |(name, description)| match description {
                Ok(description) => Ok(Some(description)),
                // It has ended since it was listed.
                Err(refusal) if refusal.code == ErrorCode::GROUP_ID_NOT_FOUND => Ok(None),
                Err(refusal) => Err(of_group(&name, refusal)),
            });
        }
        gathered
    }

    /// All that groups have committed.
    pub fn committed(&mut self, groups: &[&ListedGroup]) -> Gathered<GroupOffsets> {
        let names = groups.iter().map(|group| (group.coordinator, group.name.as_str()));
        let requests: Vec<_> = by_broker(names)
            .into_iter()
            .map(|(broker, names)| (broker, OffsetFetch(names)))
            .collect();
        let mut gathered = Gathered::default();
        for (_, answer) in self.ask_each(&requests) {
            gathered.add(answer, |(group, offsets)| match offsets {
                Ok(offsets) => Ok(Some(GroupOffsets { group, offsets })),
                Err(refusal) if refusal.code == ErrorCode::GROUP_ID_NOT_FOUND => Ok(None),
                Err(refusal) => Err(of_group(&group, refusal)),
            });
        }
        gathered
    }

    /// Where partitions end, as far as consumers may ever read; each partition is to be named once.
    pub fn ends(&mut self, partitions: &BTreeSet<PartitionPlace<'_>>) -> Gathered<PartitionEnd> {
        let mut by_leader: BTreeMap<i32, Vec<(&str, Vec<i32>)>> = BTreeMap::new();
        // Partitions of a topic stand side by side.
        for PartitionPlace { leader, topic, partition } in partitions {
            let topics = by_leader.entry(*leader).or_default();
            match topics.last_mut() {
                Some((last, partitions)) if last == topic => partitions.push(*partition),
                _ => topics.push((topic, vec![*partition])),
            }
        }
        let requests: Vec<_> =
            by_leader.into_iter().map(|(leader, topics)| (leader, ListOffsets(topics))).collect();
        let mut gathered = Gathered::default();
        for (_, answer) in self.ask_each(&requests) {
            gathered.add(answer, |(topic, partition, end)| match end {
                Ok(offset) => Ok(Some(PartitionEnd { topic, partition, offset })),
                Err(code) => {
                    let subject = format!("end of partition {partition} of topic {topic:?}");
                    Err(WireError::Refused { subject, code, message: None })
                }
            });
        }
        gathered
    }

    /// The folders of all brokers, each with the broker's number.
    pub fn log_dirs(&mut self) -> Gathered<(i32, Vec<LogDir>)> {
        let requests: Vec<_> =
            self.broker_ids().into_iter().map(|id| (id, DescribeLogDirs)).collect();
        let mut gathered = Gathered::default();
        for (broker, answer) in self.ask_each(&requests) {
            match answer.and_then(|dirs| dirs.map_err(of_broker::<DescribeLogDirs>(broker))) {
                Ok(dirs) => gathered.found.push((broker, dirs)),
                Err(error) => gathered.errors.push(error),
            }
        }
        gathered
    }

    /// The value of a setting of topics, for those whose value is a number.
    ///
    /// # Errors
    /// If no broker answers.
    pub fn topic_numbers(
        &mut self,
        setting: &'static str,
        topics: Vec<&str>,
    ) -> Result<HashMap<String, i64>, WireError> {
        let answer = self.ask_any(&DescribeConfigs { topics, setting })?;
        let number = |(topic, value): (String, Result<Option<String>, Refusal>)| {
            Some((topic, value.ok()??.parse().ok()?))
        };
        Ok(answer.into_iter().filter_map(number).collect())
    }

    /// The controllers.
    ///
    /// # Errors
    /// If no broker answers, or the cluster has a ZooKeeper in their place.
    pub fn quorum(&mut self) -> Result<Quorum, WireError> {
        self.ask_any(&DescribeQuorum)?.map_err(of_cluster::<DescribeQuorum>)
    }

    /// All brokers that belong to the cluster, whether they are there or not.
    ///
    /// # Errors
    /// If no broker answers, or brokers are older than Kafka 4.0.
    pub fn registrations(&mut self) -> Result<Vec<Registration>, WireError> {
        self.ask_any(&DescribeCluster)?.map_err(of_cluster::<DescribeCluster>)
    }

    /// All quotas of clients.
    ///
    /// # Errors
    /// If no broker answers, or the client may not know.
    pub fn client_quotas(&mut self) -> Result<Vec<ClientQuota>, WireError> {
        self.ask_any(&DescribeClientQuotas)?.map_err(of_cluster::<DescribeClientQuotas>)
    }
}

impl<T> Gathered<T> {
    /// Adds what one broker has answered, item by item.
    fn add<A>(
        &mut self,
        answer: Result<Vec<A>, WireError>,
        mut item: impl FnMut(A) -> Result<Option<T>, WireError>,
    ) {
        match answer {
            Err(error) => self.errors.push(error),
            Ok(items) => {
                for each in items {
                    match item(each) {
                        Ok(found) => self.found.extend(found),
                        Err(error) => self.errors.push(error),
                    }
                }
            }
        }
    }
}

fn by_broker<'n>(names: impl Iterator<Item = (i32, &'n str)>) -> BTreeMap<i32, Vec<&'n str>> {
    let mut by_broker: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (broker, name) in names {
        by_broker.entry(broker).or_default().push(name);
    }
    by_broker
}

fn of_broker<R: Request>(broker: i32) -> impl Fn(Refusal) -> WireError {
    move |Refusal { code, message }| {
        let subject = format!("{} of broker {broker}", R::API.name);
        WireError::Refused { subject, code, message }
    }
}

fn of_cluster<R: Request>(Refusal { code, message }: Refusal) -> WireError {
    WireError::Refused { subject: R::API.name.to_owned(), code, message }
}

fn of_group(group: &str, Refusal { code, message }: Refusal) -> WireError {
    WireError::Refused { subject: format!("group {group:?}"), code, message }
}
