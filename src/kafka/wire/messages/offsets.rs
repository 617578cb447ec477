//! `OffsetFetch` and `ListOffsets`: what groups have committed, and where partitions end.

use super::{Decoded, Decoder, ErrorCode, Refusal, bare_refusal};
use crate::kafka::wire::encode::Encoder;
use crate::kafka::wire::request::{Api, Heads, Request};

/// Asks the broker that looks after groups for all that they have committed.
pub(in crate::kafka::wire) struct OffsetFetch<'g>(pub(in crate::kafka::wire) Vec<&'g str>);

/// Where a group goes on in a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommittedOffset {
    /// The topic.
    pub topic: String,
    /// The partition's number.
    pub partition: i32,
    /// The offset of the record that is read next.
    pub offset: i64,
}

impl Request for OffsetFetch<'_> {
    /// Groups, each with its name and what it has committed.
    type Answer = Vec<(String, Result<Vec<CommittedOffset>, Refusal>)>;

    const API: Api =
        Api { key: 9, name: "OffsetFetch", versions: 8..=8, since: "3.0", heads: Heads::Tagged };

    fn encode(&self, _: i16, out: &mut Encoder) {
        out.array(&self.0, |out, group| {
            out.string(group);
            // Of all topics.
            out.null();
            out.no_tags();
        });
        // Offsets of transactions that may be taken back are left out either way; the broker
        // need not refuse because of them.
        let require_stable = false;
        out.boolean(require_stable);
        out.no_tags();
    }

    fn decode(_: i16, answer: &mut Decoder<'_>) -> Decoded<Self::Answer> {
        let _throttled_ms = answer.int32()?;
        answer.array(|answer| {
            let name = answer.string()?;
            let mut committed = Vec::new();
            answer.skip_array(|answer| {
                let topic = answer.string()?;
                answer.skip_array(|answer| {
                    let (partition, offset) = (answer.int32()?, answer.int64()?);
                    let _leader_epoch = answer.int32()?;
                    answer.skip_string()?;
                    let error = ErrorCode::of(answer.int16()?);
                    answer.skip_tags()?;
                    // A negative offset stands for none.
                    if error.is_none() && offset >= 0 {
                        let topic = topic.clone();
                        committed.push(CommittedOffset { topic, partition, offset });
                    }
                    Ok(())
                })?;
                answer.skip_tags()
            })?;
            let refused = bare_refusal(answer)?;
            answer.skip_tags()?;
            Ok((name, refused.map_or(Ok(committed), Err)))
        })
    }
}

/// Asks the leader of partitions for their ends.
pub(in crate::kafka::wire) struct ListOffsets<'t>(
    /// Topics with the numbers of their partitions.
    pub(in crate::kafka::wire) Vec<(&'t str, Vec<i32>)>,
);

/// The time that stands for the end of a partition.
const END: i64 = -1;

impl Request for ListOffsets<'_> {
    /// Topic, partition, and the offset that the next record will get.
    type Answer = Vec<(String, i32, Result<i64, ErrorCode>)>;

    const API: Api =
        Api { key: 2, name: "ListOffsets", versions: 6..=6, since: "2.8", heads: Heads::Tagged };

    fn encode(&self, _: i16, out: &mut Encoder) {
        // Of no replica; with open transactions, as Kafka's own tool counts the lag.
        let (replica, read_uncommitted) = (-1, 0);
        out.int32(replica);
        out.int8(read_uncommitted);
        out.array(&self.0, |out, (topic, partitions)| {
            out.string(topic);
            out.array(partitions, |out, partition| {
                let any_leader_epoch = -1;
                out.int32(*partition);
                out.int32(any_leader_epoch);
                out.int64(END);
                out.no_tags();
            });
            out.no_tags();
        });
        out.no_tags();
    }

    fn decode(_: i16, answer: &mut Decoder<'_>) -> Decoded<Self::Answer> {
        let _throttled_ms = answer.int32()?;
        let mut ends = Vec::new();
        answer.skip_array(|answer| {
            let topic = answer.string()?;
            answer.skip_array(|answer| {
                let partition = answer.int32()?;
                let error = ErrorCode::of(answer.int16()?);
                let (_timestamp, offset) = (answer.int64()?, answer.int64()?);
                let _leader_epoch = answer.int32()?;
                answer.skip_tags()?;
                ends.push((topic.clone(), partition, error.map_or(Ok(offset), Err)));
                Ok(())
            })?;
            answer.skip_tags()
        })?;
        Ok(ends)
    }
}
