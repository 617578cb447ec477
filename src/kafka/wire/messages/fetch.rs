//! `Fetch`: of the records at certain offsets, only when they were made.

use super::batch::record_time;
use super::{Decoded, Decoder, ErrorCode};
use crate::kafka::wire::encode::Encoder;
use crate::kafka::wire::request::{Api, Heads, Request};

/// Asks the leader of partitions for what is at certain offsets, each partition once.
pub(in crate::kafka::wire) struct Fetch<'t> {
    /// Where to read.
    pub(in crate::kafka::wire) from: Vec<FetchFrom<'t>>,
    /// The most bytes of a partition. A batch that is larger is sent only as the first of all.
    pub(in crate::kafka::wire) partition_bytes: i32,
    /// The most bytes of all partitions together.
    pub(in crate::kafka::wire) bytes: i32,
}

/// Where to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::kafka::wire) struct FetchFrom<'t> {
    pub(in crate::kafka::wire) topic: &'t str,
    pub(in crate::kafka::wire) partition: i32,
    pub(in crate::kafka::wire) offset: i64,
}

/// What came of a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::kafka::wire) struct FetchedRecord {
    pub(in crate::kafka::wire) topic: String,
    pub(in crate::kafka::wire) partition: i32,
    /// The offset at which consumers find nothing more.
    pub(in crate::kafka::wire) end: i64,
    /// The bytes of one batch or several, as far as they were sent.
    pub(in crate::kafka::wire) records: Result<Vec<u8>, ErrorCode>,
}

impl FetchedRecord {
    /// When the first record at or behind an offset was made, in milliseconds since 1970; nothing
    /// if there is none among what was sent.
    pub(in crate::kafka::wire) fn time_ms(&self, offset: i64) -> Option<i64> {
        record_time(self.records.as_ref().ok()?, offset)
    }
}

impl Request for Fetch<'_> {
    type Answer = Result<Vec<FetchedRecord>, ErrorCode>;

    const API: Api =
        Api { key: 1, name: "Fetch", versions: 12..=12, since: "2.7", heads: Heads::Tagged };

    fn encode(&self, _: i16, out: &mut Encoder) {
        // Of no replica; what is there at once; with open transactions.
        let (replica, wait_ms, least_bytes, read_uncommitted) = (-1, 0, 1, 0);
        out.int32(replica);
        out.int32(wait_ms);
        out.int32(least_bytes);
        out.int32(self.bytes);
        out.int8(read_uncommitted);
        // A question by itself, which the broker need not remember (KIP-227).
        let (session, session_epoch) = (0, -1);
        out.int32(session);
        out.int32(session_epoch);
        out.array(&self.from, |out, from| {
            out.string(from.topic);
            out.array(&[from], |out, from| {
                let unknown = -1;
                out.int32(from.partition);
                out.int32(unknown);
                out.int64(from.offset);
                out.int32(unknown);
                out.int64(i64::from(unknown));
                out.int32(self.partition_bytes);
                out.no_tags();
            });
            out.no_tags();
        });
        let forgotten: [&str; 0] = [];
        out.array(&forgotten, |out, topic| out.string(topic));
        let rack = "";
        out.string(rack);
        out.no_tags();
    }

    fn decode(_: i16, answer: &mut Decoder<'_>) -> Decoded<Self::Answer> {
        let _throttled_ms = answer.int32()?;
        let error = ErrorCode::of(answer.int16()?);
        let _session = answer.int32()?;
        let mut fetched = Vec::new();
        answer.skip_array(|answer| {
            let topic = answer.string()?;
            answer.skip_array(|answer| {
                let partition = answer.int32()?;
                let error = ErrorCode::of(answer.int16()?);
                let end = answer.int64()?;
                let (_stable, _start) = (answer.int64()?, answer.int64()?);
                answer.skip_array(|answer| {
                    let (_producer, _first) = (answer.int64()?, answer.int64()?);
                    answer.skip_tags()
                })?;
                let _preferred_replica = answer.int32()?;
                let records = answer.nullable_bytes()?.unwrap_or_default().to_vec();
                answer.skip_tags()?;
                let records = error.map_or(Ok(records), Err);
                fetched.push(FetchedRecord { topic: topic.clone(), partition, end, records });
                Ok(())
            })?;
            answer.skip_tags()
        })?;
        Ok(error.map_or(Ok(fetched), Err))
    }
}
