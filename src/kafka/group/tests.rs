//! What members promise, seen against a cluster inside the process.

use std::collections::BTreeMap;

use rdkafka::ClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use super::*;
use crate::kafka::{Connection, EmbeddedCluster};
use crate::system::RealClock;

const TOPIC: &str = "metrics";
const PATIENCE: Duration = Duration::from_secs(60);
const TIMESTAMP_MS: i64 = 1_592_553_600_000;

/// A cluster with one topic, and a member that reads it.
struct Group {
    // The member goes first, as long as it can take its leave.
    member: GroupMember,
    cluster: EmbeddedCluster,
}

/// A partition's number and an offset in it.
type Place = (i32, i64);

impl Group {
    /// Joins when each partition holds `records` records of `bytes` bytes, and waits for all of the
    /// partitions, which are not accepted yet.
    fn start(partitions: u16, records: usize, bytes: usize) -> (Group, Rebalance) {
        let cluster = EmbeddedCluster::start(1).unwrap();
        cluster.create_topic(TOPIC, partitions).unwrap();
        write(&cluster, partitions, records, bytes);
        let settings = GroupSettings {
            connection: Connection::plain(cluster.brokers(), "member"),
            group: "group".into(),
            topics: vec![TOPIC.into()],
            start: StartOffset::Earliest,
            protocol: GroupProtocol::Classic,
            assignor: Assignor::Range,
            session_timeout: Duration::from_secs(6),
            instance_id: None,
            read_ahead_bytes: 256 * 1024,
            lag_interval: Duration::from_secs(60),
        };
        let member = GroupMember::connect(&settings, "member", Arc::new(RealClock::new())).unwrap();
        member.join().unwrap();
        let mut group = Group { member, cluster };
        loop {
            match group.member.poll(|_| unreachable!("nothing is assigned")) {
                Polled::Rebalance(rebalance) => return (group, rebalance),
                Polled::Nothing => group.wait(),
                other => panic!("{other:?}"),
            }
        }
    }

    fn assigned(partitions: u16, records: usize, bytes: usize) -> Group {
        let (mut group, rebalance) = Group::start(partitions, records, bytes);
        let Rebalance::Assigned(partitions) = rebalance else { panic!("{rebalance:?}") };
        group.accept(partitions);
        group
    }

    /// Lets an assignment take effect, each partition from its oldest record on.
    fn accept(&mut self, partitions: Vec<Partition>) {
        let starts: Vec<_> = partitions.into_iter().map(|partition| (partition, None)).collect();
        self.member.accept_from(&starts).unwrap();
    }

    /// Waits for the signal that there may be something, and for nothing else.
    fn wait(&self) {
        self.member.ready().recv_timeout(PATIENCE).expect("no signal");
    }

    /// Reads exactly so many records.
    fn read(&mut self, count: usize) -> Vec<Place> {
        let mut read = Vec::new();
        while read.len() < count {
            let polled = self.member.poll(|record| {
                assert_eq!(record.topic, TOPIC);
                read.push((record.partition, record.offset));
                if read.len() < count { Taking::More } else { Taking::Enough }
            });
            match polled {
                Polled::Records => {}
                Polled::Nothing => self.wait(),
                other => panic!("{other:?}"),
            }
        }
        read
    }

    /// Polls as long as there is no signal for a while; nothing may come.
    fn read_nothing(&mut self) {
        while self.member.ready().recv_timeout(Duration::from_millis(300)).is_ok() {
            let polled = self.member.poll(|record| panic!("{} came", record.offset));
            assert!(matches!(polled, Polled::Nothing), "{polled:?}");
        }
        let polled = self.member.poll(|record| panic!("{} came", record.offset));
        assert!(matches!(polled, Polled::Nothing), "{polled:?}");
    }

    /// Reads until so many records were read beyond these, and nothing is left.
    fn read_to_end(&mut self, count: usize) -> Vec<Place> {
        let read = self.read(count);
        self.read_nothing();
        read
    }
}

fn write(cluster: &EmbeddedCluster, partitions: u16, records: usize, bytes: usize) {
    let producer: BaseProducer =
        ClientConfig::new().set("bootstrap.servers", cluster.brokers().join(",")).create().unwrap();
    let value = vec![b'v'; bytes];
    for number in 0..i32::from(partitions) {
        for _ in 0..records {
            let headers = OwnedHeaders::new()
                .insert(Header { key: "host", value: Some("a") })
                .insert(Header { key: "none", value: None::<&str> });
            let record = BaseRecord::to(TOPIC)
                .partition(number)
                .key("key")
                .payload(&value)
                .timestamp(TIMESTAMP_MS)
                .headers(headers);
            producer.send(record).map_err(|(error, _)| error).unwrap();
        }
        producer.poll(Duration::ZERO);
    }
    producer.flush(PATIENCE).unwrap();
}

fn of_partition(number: i32, offsets: std::ops::Range<i64>) -> Vec<Place> {
    offsets.map(|offset| (number, offset)).collect()
}

fn partition() -> Partition {
    Partition { topic: TOPIC.into(), number: 0 }
}

/// Everything that a record has is read.
fn assert_whole(record: &RecordView<'_>) {
    assert_eq!((record.topic, record.partition), (TOPIC, 0));
    assert_eq!(record.value, b"vvv");
    assert_eq!(record.key(), Some(b"key".as_slice()));
    assert_eq!(record.timestamp_ms(), Some(TIMESTAMP_MS));
    let headers: [(&[u8], Option<&[u8]>); 2] = [(b"host", Some(b"a")), (b"none", None)];
    assert_eq!(record.headers(), headers);
}

#[test]
fn a_record_is_read_whole() {
    let mut group = Group::assigned(1, 1, 3);
    loop {
        let polled = group.member.poll(|record| {
            assert_whole(&record);
            Taking::More
        });
        match polled {
            Polled::Records => break,
            _ => group.wait(),
        }
    }
}

#[test]
fn a_partition_that_is_given_up_at_once_is_not_fetched_later() {
    let (mut group, rebalance) = Group::start(3, 10, 3);
    let Rebalance::Assigned(partitions) = rebalance else { panic!("{rebalance:?}") };
    group.accept(partitions.clone());
    group.member.give_up(&partitions).unwrap();
    // Left to itself the library would ask half a second later where the partitions begin.
    let clock = RealClock::new();
    let end = clock.elapsed() + Duration::from_secs(1);
    while let Some(left) = end.checked_sub(clock.elapsed()) {
        let _ = group.member.ready().recv_timeout(left);
        let polled = group.member.poll(|record| panic!("{} came", record.offset));
        assert!(matches!(polled, Polled::Nothing), "{polled:?}");
    }
    write(&group.cluster, 3, 10, 3);
    group.read_nothing();
    // Of each partition that it fetches the library knows the range.
    let ranges = partitions.iter().filter_map(|each| group.member.known_range(each));
    assert!(ranges.clone().all(|range| range.end <= 10), "{:?}", ranges.collect::<Vec<_>>());
}

#[test]
fn records_that_come_among_the_events_are_read_too() {
    let (mut group, rebalance) = Group::start(1, 50, 3);
    let Rebalance::Assigned(partitions) = &rebalance else { panic!("{rebalance:?}") };
    // As the library assigns them if nobody adopts their queues.
    let assignment = list(partitions, |_| Offset::Beginning);
    group.member.consumer.as_ref().unwrap().assign(&assignment).unwrap();
    let mut offsets = Vec::new();
    while offsets.len() < 50 {
        let polled = group.member.poll(|record| {
            assert_whole(&record);
            offsets.push((0, record.offset));
            Taking::More
        });
        if matches!(polled, Polled::Nothing) {
            group.wait();
        }
    }
    assert_eq!(offsets, of_partition(0, 0..50));
    group.read_nothing();
}

#[test]
fn the_records_of_many_partitions_all_come_and_in_order() {
    const PARTITIONS: u16 = 100;
    const RECORDS: usize = 100;
    let mut group = Group::assigned(PARTITIONS, RECORDS, 1_000);
    let read = group.read_to_end(usize::from(PARTITIONS) * RECORDS);
    let mut next: BTreeMap<i32, i64> = BTreeMap::new();
    for (number, offset) in read {
        let expected = next.entry(number).or_default();
        assert_eq!(offset, *expected, "of partition {number}");
        *expected += 1;
    }
    assert_eq!(next.len(), usize::from(PARTITIONS));
}

#[test]
fn what_was_read_ahead_before_a_seek_is_never_given_out() {
    let mut group = Group::assigned(1, 2_000, 100);
    assert_eq!(group.read(10), of_partition(0, 0..10));
    group.member.seek([(partition(), 5)]).unwrap();
    assert_eq!(group.read(1_500), of_partition(0, 5..1_505));
    group.member.seek([(partition(), 1_900)]).unwrap();
    assert_eq!(group.read_to_end(100), of_partition(0, 1_900..2_000));
}

#[test]
fn what_was_read_ahead_of_a_partition_that_goes_is_never_given_out() {
    let mut group = Group::assigned(1, 2_000, 100);
    for _ in 0..2 {
        assert_eq!(group.read(10), of_partition(0, 0..10));
        group.member.give_up(&[partition()]).unwrap();
        group.read_nothing();
        // It comes back by the same way, and begins where the group is.
        group.accept(vec![partition()]);
    }
    assert_eq!(group.read_to_end(2_000), of_partition(0, 0..2_000));
}

#[test]
fn a_paused_member_gives_out_nothing_and_goes_on_where_it_was() {
    let mut group = Group::assigned(1, 2_000, 100);
    assert_eq!(group.read(10), of_partition(0, 0..10));
    group.member.set_fetching(Fetching::Paused).unwrap();
    group.read_nothing();
    group.member.set_fetching(Fetching::Running).unwrap();
    assert_eq!(group.read_to_end(1_990), of_partition(0, 10..2_000));
}

#[test]
fn a_record_that_comes_later_gives_a_signal() {
    let mut group = Group::assigned(2, 100, 10);
    assert_eq!(group.read_to_end(200).len(), 200);
    for offset in 100..103 {
        write(&group.cluster, 2, 1, 10);
        let mut read = group.read_to_end(2);
        read.sort_unstable();
        assert_eq!(read, [(0, offset), (1, offset)]);
    }
}

#[test]
fn a_member_that_holds_records_leaves_in_time() {
    let mut group = Group::assigned(1, 2_000, 100);
    assert_eq!(group.read(10).len(), 10);
    let Group { member, cluster } = group;
    assert_eq!(member.leave(Duration::from_secs(5), &RealClock::new()), Left::InTime);
    drop(cluster);
}
