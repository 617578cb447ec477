//! `Metadata`: the brokers, and the partitions of topics with their replicas.

use super::{Decoded, Decoder, ErrorCode};
use crate::kafka::wire::encode::Encoder;
use crate::kafka::wire::request::{Api, Heads, Request};

/// Asks for brokers and topics; asking creates no topic.
pub(in crate::kafka::wire) struct MetadataRequest<'t> {
    /// The topics; all if absent.
    pub(in crate::kafka::wire) topics: Option<&'t [String]>,
}

/// What a broker knows of its cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metadata {
    /// The brokers that are there.
    pub brokers: Vec<BrokerAddress>,
    /// The cluster's id; brokers have one since 0.10.1.
    pub cluster_id: Option<String>,
    /// The broker that requests for the controller can be sent to. Without ZooKeeper it is any
    /// broker, and hands them on.
    pub controller: i32,
    /// The topics that were asked for.
    pub topics: Vec<TopicMetadata>,
}

/// Where a broker can be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerAddress {
    /// Its number.
    pub id: i32,
    /// Its host.
    pub host: String,
    /// Its port.
    pub port: i32,
    /// The rack that it stands in, if it was told.
    pub rack: Option<String>,
}

/// A topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicMetadata {
    /// Why there is nothing to know about it.
    pub error: Option<ErrorCode>,
    /// Its name.
    pub name: String,
    /// Whether the brokers keep it for themselves.
    pub is_internal: bool,
    /// Its partitions, in no order.
    pub partitions: Vec<PartitionMetadata>,
}

/// A partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionMetadata {
    /// Its number.
    pub number: i32,
    /// The broker that leads it, if one does.
    pub leader: Option<i32>,
    /// The brokers that should have it; the first is the one that should lead it.
    pub replicas: Vec<i32>,
    /// The brokers that have all of it.
    pub in_sync: Vec<i32>,
    /// The brokers that should have it and are away, or whose disk is.
    pub offline: Vec<i32>,
}

impl Request for MetadataRequest<'_> {
    type Answer = Metadata;

    const API: Api =
        Api { key: 3, name: "Metadata", versions: 9..=9, since: "2.4", heads: Heads::Tagged };

    fn encode(&self, _: i16, out: &mut Encoder) {
        match self.topics {
            None => out.null(),
            Some(topics) => out.array(topics, |out, topic| {
                out.string(topic);
                out.no_tags();
            }),
        }
        let (create_topics, cluster_operations, topic_operations) = (false, false, false);
        out.boolean(create_topics);
        out.boolean(cluster_operations);
        out.boolean(topic_operations);
        out.no_tags();
    }

    fn decode(_: i16, answer: &mut Decoder<'_>) -> Decoded<Metadata> {
        let _throttled_ms = answer.int32()?;
        let brokers = answer.array(|answer| {
            let broker = BrokerAddress {
                id: answer.int32()?,
                host: answer.string()?,
                port: answer.int32()?,
                rack: answer.nullable_string()?,
            };
            answer.skip_tags()?;
            Ok(broker)
        })?;
        let cluster_id = answer.nullable_string()?;
        let controller = answer.int32()?;
        let topics = answer.array(topic)?;
        Ok(Metadata { brokers, cluster_id, controller, topics })
    }
}

fn topic(answer: &mut Decoder<'_>) -> Decoded<TopicMetadata> {
    let topic = TopicMetadata {
        error: ErrorCode::of(answer.int16()?),
        name: answer.string()?,
        is_internal: answer.boolean()?,
        partitions: answer.array(partition)?,
    };
    let _operations = answer.int32()?;
    answer.skip_tags()?;
    Ok(topic)
}

fn partition(answer: &mut Decoder<'_>) -> Decoded<PartitionMetadata> {
    // An error here says that there is no leader or a replica is away, which the rest tells, too.
    let _error = answer.int16()?;
    let number = answer.int32()?;
    let leader = Some(answer.int32()?).filter(|leader| *leader >= 0);
    let _leader_epoch = answer.int32()?;
    let partition = PartitionMetadata {
        number,
        leader,
        replicas: answer.int32s()?,
        in_sync: answer.int32s()?,
        offline: answer.int32s()?,
    };
    answer.skip_tags()?;
    Ok(partition)
}
