//! `DescribeQuorum`: the controllers, and which of them is the active one.

use super::{Decoded, Decoder, ErrorCode, Refusal, bare_refusal};
use crate::kafka::wire::encode::Encoder;
use crate::kafka::wire::request::{Api, Heads, Request};

/// Asks for the quorum of controllers, which clusters without ZooKeeper have.
pub(in crate::kafka::wire) struct DescribeQuorum;

/// The topic that the controllers keep among themselves.
const CLUSTER_METADATA: &str = "__cluster_metadata";

/// The controllers and the brokers that follow them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quorum {
    /// The active controller, if there is one.
    pub leader: Option<i32>,
    /// How often there was an election.
    pub epoch: i32,
    /// The end of what most controllers have.
    pub high_watermark: i64,
    /// The controllers.
    pub voters: Vec<QuorumReplica>,
    /// Whoever follows them: brokers, and controllers without a vote.
    pub observers: Vec<QuorumReplica>,
}

/// Somebody who keeps the metadata of the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuorumReplica {
    /// Their number.
    pub id: i32,
    /// How far they have it.
    pub end_offset: i64,
}

impl Request for DescribeQuorum {
    type Answer = Result<Quorum, Refusal>;

    const API: Api = Api {
        key: 55,
        name: "DescribeQuorum",
        versions: 0..=1,
        since: "3.0",
        heads: Heads::Tagged,
    };

    fn encode(&self, _: i16, out: &mut Encoder) {
        out.array(&[CLUSTER_METADATA], |out, topic| {
            let only_partition = 0;
            out.string(topic);
            out.array(&[only_partition], |out, partition| {
                out.int32(*partition);
                out.no_tags();
            });
            out.no_tags();
        });
        out.no_tags();
    }

    fn decode(version: i16, answer: &mut Decoder<'_>) -> Decoded<Self::Answer> {
        let mut refused = bare_refusal(answer)?;
        let mut quorum = None;
        answer.skip_array(|answer| {
            answer.skip_string()?;
            answer.skip_array(|answer| {
                let _partition = answer.int32()?;
                if let Some(code) = ErrorCode::of(answer.int16()?) {
                    refused.get_or_insert(Refusal { code, message: None });
                }
                quorum = Some(Quorum {
                    leader: Some(answer.int32()?).filter(|leader| *leader >= 0),
                    epoch: answer.int32()?,
                    high_watermark: answer.int64()?,
                    voters: answer.array(|answer| replica(answer, version))?,
                    observers: answer.array(|answer| replica(answer, version))?,
                });
                answer.skip_tags()
            })?;
            answer.skip_tags()
        })?;
        let unknown = || Refusal { code: ErrorCode(-1), message: None };
        Ok(match refused {
            Some(refused) => Err(refused),
            None => quorum.ok_or_else(unknown),
        })
    }
}

fn replica(answer: &mut Decoder<'_>, version: i16) -> Decoded<QuorumReplica> {
    let replica = QuorumReplica { id: answer.int32()?, end_offset: answer.int64()? };
    if version >= 1 {
        let (_fetched, _caught_up) = (answer.int64()?, answer.int64()?);
    }
    answer.skip_tags()?;
    Ok(replica)
}
