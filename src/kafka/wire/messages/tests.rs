//! Answers of brokers of Kafka 4.1, read; and the requests that they have answered, written.

use std::fmt::Debug;

use super::*;
use crate::kafka::wire::encode::Encoder;
use crate::kafka::wire::request::Request;

/// What went to brokers and came from them, without heads: name, version, direction, bytes.
const RECORDED: &str = include_str!("recorded.txt");

fn recorded(name: &str, direction: &str) -> Option<(i16, Vec<u8>)> {
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    RECORDED.lines().find_map(|line| {
        let [found, version, way, hex] = line.split(' ').collect::<Vec<_>>().try_into().unwrap();
        let bytes = || hex.as_bytes().chunks(2).map(byte).collect();
        (found == name && way == direction).then(|| (version.parse().unwrap(), bytes()))
    })
}

/// Holds a request against the one that was recorded, and reads the answer to it. An answer that is
/// cut off anywhere is an error, and one with a byte changed no reason to panic.
fn answer<R: Request>(request: &R) -> R::Answer
where
    R::Answer: Debug,
{
    let name = R::API.name;
    let (version, expected) = recorded(name, "request").unwrap();
    let mut out = Encoder::default();
    request.encode(version, &mut out);
    assert_eq!(out.into_bytes(), expected, "{name}");
    read::<R>()
}

fn read<R: Request>() -> R::Answer
where
    R::Answer: Debug,
{
    let name = R::API.name;
    let (version, bytes) = recorded(name, "answer").unwrap();
    assert!(R::API.versions.contains(&version), "{name}");
    let mut decoder = Decoder::new(&bytes);
    let answer = R::decode(version, &mut decoder).unwrap();
    // The tags at the very end matter to nobody.
    assert!(decoder.remaining() <= 1 + 4, "{name}: {} bytes are left", decoder.remaining());
    for end in 0..bytes.len() - decoder.remaining() {
        let cut = R::decode(version, &mut Decoder::new(&bytes[..end]));
        assert!(cut.is_err(), "{name}, {end} bytes: {cut:?}");
    }
    for at in 0..bytes.len() {
        for flipped in [0x01, 0x80, 0xff] {
            let mut bytes = bytes.clone();
            bytes[at] ^= flipped;
            let _ = R::decode(version, &mut Decoder::new(&bytes));
        }
    }
    answer
}

#[test]
fn versions_are_known_by_their_keys() {
    let offered = read::<ApiVersions>().unwrap();
    assert_eq!(offered.of(MetadataRequest::API.key), Some((0, 13)));
    assert_eq!(offered.of(Fetch::API.key), Some((4, 18)));
    assert_eq!(offered.of(9_999), None);
    // All that is asked is known to brokers of Kafka 4.1.
    for api in [
        MetadataRequest::API,
        ListGroups::API,
        DescribeGroups::API,
        ConsumerGroupDescribe::API,
        OffsetFetch::API,
        ListOffsets::API,
        Fetch::API,
        DescribeLogDirs::API,
        DescribeConfigs::API,
        DescribeClientQuotas::API,
        DescribeQuorum::API,
        DescribeCluster::API,
        SaslHandshake::API,
        SaslAuthenticate::API,
    ] {
        let (lowest, highest) = offered.of(api.key).unwrap();
        assert!(lowest <= *api.versions.end() && *api.versions.start() <= highest, "{}", api.name);
    }
}

#[test]
fn brokers_and_partitions_are_told() {
    let metadata = answer(&MetadataRequest { topics: None });
    assert_eq!(metadata.cluster_id.as_deref(), Some("g6auH0kkchmbZocxjFc8Yg"));
    assert_eq!(metadata.brokers.iter().map(|broker| broker.id).collect::<Vec<_>>(), [1, 2, 3]);
    let topics: Vec<_> = metadata
        .topics
        .iter()
        .map(|topic| (topic.name.as_str(), topic.is_internal, topic.partitions.len()))
        .collect();
    assert_eq!(topics, [("orders", false, 3), ("solo", false, 4), ("__consumer_offsets", true, 5)]);
    let first = &metadata.topics[0].partitions[0];
    assert_eq!((first.number, first.leader), (1, Some(1)));
    assert_eq!((&first.replicas[..], &first.offline[..]), (&[1, 2, 3][..], &[][..]));
}

#[test]
fn groups_are_listed_with_their_kinds() {
    let groups = answer(&ListGroups).unwrap();
    let told: Vec<_> = groups
        .iter()
        .map(|group| (group.name.as_str(), group.state.as_str(), group.kind.name()))
        .collect();
    assert_eq!(told, [("new-readers", "Stable", "consumer")]);
}

#[test]
fn members_own_partitions_in_groups_of_either_kind() {
    let orders = |numbers: &[i32]| numbers.iter().map(|at| ("orders".to_owned(), *at)).collect();
    let groups = answer(&DescribeGroups(vec!["classic-readers", "solo-readers", "readers"]));
    let described: Vec<_> = groups.into_iter().map(|(_, group)| group.unwrap()).collect();
    assert_eq!(
        described[0].members,
        [GroupMember {
            client_id: "classic-client".to_owned(),
            client_host: "/127.0.0.1".to_owned(),
            owned: orders(&[0, 1, 2]),
        }]
    );
    assert_eq!((described[2].state.as_str(), described[2].members.len()), ("Empty", 0));

    let groups = answer(&ConsumerGroupDescribe(vec!["new-readers"]));
    let group = groups[0].1.as_ref().unwrap();
    assert_eq!((group.name.as_str(), group.state.as_str()), ("new-readers", "Stable"));
    assert_eq!(group.members[0].client_id, "new-client");
    assert_eq!(group.members[0].owned, orders(&[0, 1, 2]));
}

#[test]
fn offsets_are_those_that_were_committed() {
    let groups = answer(&OffsetFetch(vec!["classic-readers", "solo-readers", "readers"]));
    let counts: Vec<_> =
        groups.iter().map(|(_, offsets)| offsets.as_ref().unwrap().len()).collect();
    assert_eq!(counts, [0, 4, 3]);
    let offsets = groups[2].1.as_ref().unwrap();
    let orders = offsets.iter().map(|each| (each.topic.as_str(), each.partition, each.offset));
    assert_eq!(
        orders.collect::<Vec<_>>(),
        [("orders", 2, 0), ("orders", 0, 0), ("orders", 1, 100)]
    );
}

#[test]
fn partitions_have_ends() {
    let topics = vec![("__consumer_offsets", vec![0, 3]), ("orders", vec![0]), ("solo", vec![1])];
    let ends = answer(&ListOffsets(topics));
    let solo = ("solo".to_owned(), 1, Ok(3));
    assert!(ends.len() == 4 && ends.contains(&solo), "{ends:?}");
}

#[test]
fn records_have_times() {
    let from = |topic, partition| FetchFrom { topic, partition, offset: 0 };
    let request = Fetch {
        from: vec![from("orders", 0), from("solo", 1)],
        partition_bytes: 16_384,
        bytes: 8 << 20,
    };
    let fetched = answer(&request).unwrap();
    assert_eq!(fetched[0].time_ms(0), None);
    for offset in 0..3 {
        assert_eq!(fetched[1].time_ms(offset), Some(1_795_313_803_131));
    }
    assert_eq!((fetched[1].end, fetched[1].time_ms(3)), (3, None));
}

#[test]
fn folders_hold_partitions() {
    let dirs = answer(&DescribeLogDirs).unwrap();
    assert_eq!((dirs.len(), dirs[0].path.as_str()), (1, "/var/lib/kafka"));
    assert_eq!(dirs[0].total_bytes, Some(270_553_174_016));
    let bytes: i64 = dirs[0].partitions.iter().map(|partition| partition.bytes).sum();
    assert_eq!((dirs[0].partitions.len(), bytes), (9, 11_889 + 443 + 512 + 93));
}

#[test]
fn settings_quotas_and_controllers_are_told() {
    let topics = vec!["orders", "solo", "__consumer_offsets"];
    let settings = answer(&DescribeConfigs { topics, setting: "min.insync.replicas" });
    assert!(settings.iter().all(|(_, value)| *value == Ok(Some("2".to_owned()))), "{settings:?}");

    let quotas = answer(&DescribeClientQuotas).unwrap();
    let entity = |kind: &str, name: Option<&str>| {
        vec![QuotaEntity { kind: kind.to_owned(), name: name.map(str::to_owned) }]
    };
    let value = |name: &str, value| (name.to_owned(), value);
    assert_eq!(
        quotas,
        [
            ClientQuota {
                entities: entity("user", Some("alice")),
                values: vec![
                    value("consumer_byte_rate", 2_097_152.0),
                    value("producer_byte_rate", 1_048_576.0)
                ],
            },
            ClientQuota {
                entities: entity("client-id", None),
                values: vec![value("request_percentage", 50.0)],
            },
        ]
    );

    let quorum = answer(&DescribeQuorum).unwrap();
    assert_eq!((quorum.leader, quorum.voters.len(), quorum.high_watermark), (Some(3), 3, 2_307));
    let brokers = answer(&DescribeCluster).unwrap();
    assert_eq!(brokers.len(), 3);
    assert!(brokers.iter().all(|broker| !broker.is_fenced));
}
