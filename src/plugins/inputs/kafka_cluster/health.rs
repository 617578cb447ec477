//! What the places of partitions, and the brokers' folders, say about a cluster.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::kafka::wire::{LogDir, Metadata, PartitionMetadata};

/// The setting of topics that says how many replicas have to have a record before it counts.
pub(super) const MIN_IN_SYNC: &str = "min.insync.replicas";

/// Numbers of partitions, of a topic or of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct PartitionCounts {
    pub(super) partitions: i64,
    /// All copies that there should be.
    pub(super) replicas: i64,
    /// Nobody leads them: nothing can be written or read.
    pub(super) offline: i64,
    /// A copy is missing or not up to date.
    pub(super) under_replicated: i64,
    /// There are fewer copies than have to have a record: nothing can be written with all acks.
    pub(super) under_min_isr: i64,
    /// One copy less, and nothing can be written with all acks; so it is always with a single copy.
    pub(super) at_min_isr: i64,
    /// They are led by another broker than the one that should.
    pub(super) not_preferred: i64,
}

/// A topic.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct TopicHealth {
    pub(super) counts: PartitionCounts,
    /// How many copies its partitions should have; the most that one of them should have.
    pub(super) replication_factor: i64,
    /// How many copies have to have a record, if that is known.
    pub(super) min_in_sync: Option<i64>,
    pub(super) size: Size,
}

/// What partitions take up on disks; only known if brokers have told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Size {
    /// Of all copies.
    pub(super) bytes: i64,
    /// Of the copies of the leaders: the size of the data itself.
    pub(super) leader_bytes: i64,
}

/// A broker.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct BrokerHealth {
    /// Partitions that it leads.
    pub(super) leaders: i64,
    /// Partitions that it should lead.
    pub(super) preferred_leaders: i64,
    /// Copies that it should have.
    pub(super) replicas: i64,
    /// Copies that it should have and that are not up to date.
    pub(super) out_of_sync: i64,
    /// The bytes of all partitions on its disks, if it has told.
    pub(super) bytes: Option<i64>,
}

/// A cluster.
#[derive(Debug, Clone, Default)]
pub(super) struct Health {
    pub(super) counts: PartitionCounts,
    pub(super) topics: BTreeMap<String, TopicHealth>,
    /// All brokers that are there or should have a copy of something.
    pub(super) brokers: BTreeMap<i32, BrokerHealth>,
    /// Those that are there.
    pub(super) present: BTreeSet<i32>,
}

impl Health {
    /// Counts. A topic whose `min.insync.replicas` is not known is under it only without any copy.
    pub(super) fn of(
        metadata: &Metadata,
        min_in_sync: &HashMap<String, i64>,
        log_dirs: &[(i32, Vec<LogDir>)],
    ) -> Health {
        let present: BTreeSet<i32> = metadata.brokers.iter().map(|broker| broker.id).collect();
        let brokers = present.iter().map(|id| (*id, BrokerHealth::default())).collect();
        let mut health = Health { brokers, present, ..Health::default() };
        let mut leaders: HashMap<(&str, i32), i32> = HashMap::new();
        for topic in &metadata.topics {
            let least = min_in_sync.get(&topic.name).copied();
            let mut told = TopicHealth { min_in_sync: least, ..TopicHealth::default() };
            for partition in &topic.partitions {
                told.counts.add(&PartitionCounts::of(partition, least));
                told.replication_factor = told.replication_factor.max(count(&partition.replicas));
                health.count_brokers(partition);
                if let Some(leader) = partition.leader {
                    leaders.insert((&topic.name, partition.number), leader);
                }
            }
            health.counts.add(&told.counts);
            health.topics.insert(topic.name.clone(), told);
        }
        for (broker, dirs) in log_dirs {
            health.add_sizes(*broker, dirs, &leaders);
        }
        health
    }

    fn count_brokers(&mut self, partition: &PartitionMetadata) {
        if let Some(leader) = partition.leader {
            self.brokers.entry(leader).or_default().leaders += 1;
        }
        if let Some(preferred) = partition.replicas.first() {
            self.brokers.entry(*preferred).or_default().preferred_leaders += 1;
        }
        for replica in &partition.replicas {
            let broker = self.brokers.entry(*replica).or_default();
            broker.replicas += 1;
            broker.out_of_sync += i64::from(!partition.in_sync.contains(replica));
        }
    }

    fn add_sizes(&mut self, broker: i32, dirs: &[LogDir], leaders: &HashMap<(&str, i32), i32>) {
        let of_broker = self.brokers.entry(broker).or_default();
        let of_broker = of_broker.bytes.insert(0);
        for partition in dirs.iter().flat_map(|dir| &dir.partitions) {
            *of_broker = of_broker.saturating_add(partition.bytes);
            let Some(topic) = self.topics.get_mut(&partition.topic) else { continue };
            topic.size.bytes = topic.size.bytes.saturating_add(partition.bytes);
            let place = (partition.topic.as_str(), partition.partition);
            // A copy on its way to another disk is none of the leader's yet.
            if leaders.get(&place) == Some(&broker) && !partition.is_on_the_move {
                let bytes = &mut topic.size.leader_bytes;
                *bytes = bytes.saturating_add(partition.bytes);
            }
        }
    }

    /// Brokers that should have copies and are not there.
    pub(super) fn missing(&self) -> i64 {
        count(self.brokers.keys().filter(|id| !self.present.contains(id)))
    }

    /// How far brokers that are there are from having equally many of something: the highest number
    /// above the mean, as a part of it; 0 where all have the same.
    pub(super) fn imbalance(&self, of: impl Fn(&BrokerHealth) -> i64) -> f64 {
        let numbers = self.present.iter().filter_map(|id| self.brokers.get(id)).map(of);
        let numbers: Vec<i64> = numbers.collect();
        let mean = numbers.iter().sum::<i64>() as f64 / numbers.len().max(1) as f64;
        let highest = numbers.iter().copied().max().unwrap_or(0) as f64;
        if mean > 0.0 { highest / mean - 1.0 } else { 0.0 }
    }
}

impl PartitionCounts {
    fn of(partition: &PartitionMetadata, min_in_sync: Option<i64>) -> PartitionCounts {
        let in_sync = count(&partition.in_sync);
        let replicas = count(&partition.replicas);
        // As brokers do it: a topic cannot want more copies than it has.
        let least = min_in_sync.unwrap_or(1).min(replicas);
        PartitionCounts {
            partitions: 1,
            replicas,
            offline: i64::from(partition.leader.is_none()),
            under_replicated: i64::from(in_sync < replicas),
            under_min_isr: i64::from(in_sync < least),
            at_min_isr: i64::from(in_sync == least),
            not_preferred: i64::from(
                partition.leader.is_some()
                    && partition.leader != partition.replicas.first().copied(),
            ),
        }
    }

    fn add(&mut self, other: &PartitionCounts) {
        self.partitions += other.partitions;
        self.replicas += other.replicas;
        self.offline += other.offline;
        self.under_replicated += other.under_replicated;
        self.under_min_isr += other.under_min_isr;
        self.at_min_isr += other.at_min_isr;
        self.not_preferred += other.not_preferred;
    }
}

/// How many there are, as metrics count.
pub(super) fn count<T>(items: impl IntoIterator<Item = T>) -> i64 {
    i64::try_from(items.into_iter().count()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::wire::{BrokerAddress, LogDirPartition, TopicMetadata};

    fn partition(
        number: i32,
        leader: Option<i32>,
        replicas: &[i32],
        in_sync: &[i32],
    ) -> PartitionMetadata {
        let offline = Vec::new();
        let (replicas, in_sync) = (replicas.to_vec(), in_sync.to_vec());
        PartitionMetadata { number, leader, replicas, in_sync, offline }
    }

    /// Two of three brokers, with a topic of three copies and one of a single copy.
    fn metadata() -> Metadata {
        let topic = |name: &str, partitions| TopicMetadata {
            error: None,
            name: name.to_owned(),
            is_internal: false,
            partitions,
        };
        let broker = |id| BrokerAddress { id, host: "h".to_owned(), port: 1, rack: None };
        Metadata {
            brokers: vec![broker(1), broker(2)],
            cluster_id: None,
            controller: 1,
            topics: vec![
                topic(
                    "orders",
                    vec![
                        partition(0, Some(1), &[1, 2, 3], &[1, 2]),
                        partition(1, Some(1), &[3, 1, 2], &[1]),
                        partition(2, Some(2), &[2, 3, 1], &[1, 2, 3]),
                    ],
                ),
                topic(
                    "solo",
                    vec![partition(0, None, &[3], &[3]), partition(1, Some(1), &[1], &[1])],
                ),
            ],
        }
    }

    #[test]
    fn partitions_are_counted_by_what_is_wrong_with_them() {
        let least = [("orders".to_owned(), 2), ("solo".to_owned(), 2)].into();
        let health = Health::of(&metadata(), &least, &[]);
        let expected = PartitionCounts {
            partitions: 3,
            replicas: 9,
            offline: 0,
            under_replicated: 2,
            under_min_isr: 1,
            at_min_isr: 1,
            not_preferred: 1,
        };
        assert_eq!(health.topics["orders"].counts, expected);
        let solo = health.topics["solo"].counts;
        assert_eq!((solo.offline, solo.under_replicated, solo.under_min_isr), (1, 0, 0));
        assert_eq!((health.counts.partitions, health.counts.offline), (5, 1));
        assert_eq!(health.topics["orders"].replication_factor, 3);
    }

    #[test]
    fn brokers_have_leaders_and_copies_also_those_that_are_away() {
        let health = Health::of(&metadata(), &HashMap::new(), &[]);
        let [one, three] = [1, 3].map(|id| health.brokers[&id].clone());
        assert_eq!((one.leaders, one.preferred_leaders, one.replicas), (3, 2, 4));
        assert_eq!((three.leaders, three.replicas, three.out_of_sync), (0, 4, 2));
        assert_eq!(health.missing(), 1);
        // Three and one, of a mean of two.
        assert_eq!(health.imbalance(|broker| broker.leaders), 0.5);
        assert_eq!(Health::default().imbalance(|broker| broker.leaders), 0.0);
    }

    #[test]
    fn topics_have_the_sizes_of_their_copies() {
        let copy = |topic: &str, partition, bytes, is_on_the_move| LogDirPartition {
            topic: topic.to_owned(),
            partition,
            bytes,
            is_on_the_move,
        };
        let dir = |partitions| LogDir {
            path: "/data".to_owned(),
            error: None,
            total_bytes: None,
            usable_bytes: None,
            partitions,
        };
        let one = vec![
            dir(vec![copy("orders", 0, 100, false), copy("orders", 2, 10, false)]),
            dir(vec![copy("orders", 0, 60, true), copy("gone", 0, 5, false)]),
        ];
        let two = vec![dir(vec![copy("orders", 0, 90, false), copy("orders", 2, 12, false)])];
        let health = Health::of(&metadata(), &HashMap::new(), &[(1, one), (2, two)]);
        let size = health.topics["orders"].size;
        assert_eq!(size, Size { bytes: 100 + 10 + 60 + 90 + 12, leader_bytes: 100 + 12 });
        let bytes = [1, 2, 3].map(|id| health.brokers[&id].bytes);
        assert_eq!(bytes, [Some(175), Some(102), None]);
    }
}
