//! `DescribeLogDirs`: how much the partitions take up on the disks of a broker.

use super::{Decoded, Decoder, ErrorCode, Refusal, bare_refusal};
use crate::kafka::wire::encode::Encoder;
use crate::kafka::wire::request::{Api, Heads, Request};

/// Asks a broker for all of its folders.
pub(in crate::kafka::wire) struct DescribeLogDirs;

/// A folder in which a broker keeps partitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogDir {
    /// Where it is.
    pub path: String,
    /// What is wrong with it.
    pub error: Option<ErrorCode>,
    /// What the file system holds, since Kafka 3.3.
    pub total_bytes: Option<i64>,
    /// What is free there for the broker, since Kafka 3.3.
    pub usable_bytes: Option<i64>,
    /// The partitions in it.
    pub partitions: Vec<LogDirPartition>,
}

/// A partition in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogDirPartition {
    /// The topic.
    pub topic: String,
    /// The partition's number.
    pub partition: i32,
    /// The bytes of its segments.
    pub bytes: i64,
    /// Whether it is a copy that will take the place of one in another folder.
    pub is_on_the_move: bool,
}

impl Request for DescribeLogDirs {
    type Answer = Result<Vec<LogDir>, Refusal>;

    const API: Api = Api {
        key: 35,
        name: "DescribeLogDirs",
        versions: 2..=4,
        since: "2.6",
        heads: Heads::Tagged,
    };

    fn encode(&self, _: i16, out: &mut Encoder) {
        // Of all topics.
        out.null();
        out.no_tags();
    }

    fn decode(version: i16, answer: &mut Decoder<'_>) -> Decoded<Self::Answer> {
        let _throttled_ms = answer.int32()?;
        let refused = if version >= 3 { bare_refusal(answer)? } else { None };
        let dirs = answer.array(|answer| log_dir(answer, version))?;
        Ok(refused.map_or(Ok(dirs), Err))
    }
}

fn log_dir(answer: &mut Decoder<'_>, version: i16) -> Decoded<LogDir> {
    let error = ErrorCode::of(answer.int16()?);
    let path = answer.string()?;
    let mut partitions = Vec::new();
    answer.skip_array(|answer| {
        let topic = answer.string()?;
        answer.skip_array(|answer| {
            let (partition, bytes) = (answer.int32()?, answer.int64()?);
            let _behind = answer.int64()?;
            let is_on_the_move = answer.boolean()?;
            answer.skip_tags()?;
            let topic = topic.clone();
            partitions.push(LogDirPartition { topic, partition, bytes, is_on_the_move });
            Ok(())
        })?;
        answer.skip_tags()
    })?;
    let mut space = || match version {
        // A negative number stands for one that is not known.
        4.. => answer.int64().map(|bytes| Some(bytes).filter(|bytes| *bytes >= 0)),
        _ => Ok(None),
    };
    let (total_bytes, usable_bytes) = (space()?, space()?);
    answer.skip_tags()?;
    Ok(LogDir { path, error, total_bytes, usable_bytes, partitions })
}
