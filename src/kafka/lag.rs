//! How far a consumer lags behind, from the library's own statistics.
//!
//! # References
//! librdkafka's `STATISTICS.md`: `consumer_lag_stored` counts from the stored offset, which this
//! program does not use, so the lag is worked out from the offsets themselves.

use std::collections::HashMap;
use std::sync::Arc;

use serde::Deserialize;

/// How far a partition lags behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionLag {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition's number.
    pub partition: i32,
    /// The offset that the next record written to the partition will have, as far as a consumer
    /// may see it.
    pub end_offset: i64,
    /// The offset that is fetched next, which is ahead of what the owner has read.
    pub next_offset: i64,
    /// The offset that the group goes on at, if the library knows it.
    pub committed_offset: Option<i64>,
}

#[derive(Deserialize)]
struct Statistics {
    #[serde(default)]
    topics: HashMap<String, Topic>,
}

#[derive(Deserialize)]
struct Topic {
    #[serde(default)]
    partitions: HashMap<String, PartitionStatistics>,
}

#[derive(Deserialize)]
struct PartitionStatistics {
    partition: i32,
    #[serde(default)]
    fetch_state: String,
    /// The last stable offset; below the high watermark while transactions are open.
    #[serde(default = "unknown")]
    ls_offset: i64,
    #[serde(default = "unknown")]
    hi_offset: i64,
    #[serde(default = "unknown")]
    next_offset: i64,
    #[serde(default = "unknown")]
    committed_offset: i64,
}

fn unknown() -> i64 {
    -1
}

/// Takes the partitions that are being fetched out of a statistics report.
pub(super) fn parse_statistics(json: &[u8]) -> Option<Vec<PartitionLag>> {
    let statistics: Statistics = serde_json::from_slice(json).ok()?;
    let mut lags = Vec::new();
    for (topic, Topic { partitions }) in statistics.topics {
        let topic: Arc<str> = topic.into();
        for partition in partitions.into_values() {
            let end_offset = match partition.ls_offset {
                ..0 => partition.hi_offset,
                stable => stable,
            };
            // -1 stands for the library's queue of records without a partition.
            if partition.partition >= 0 && partition.fetch_state == "active" && end_offset >= 0 {
                let PartitionStatistics { partition, next_offset, committed_offset, .. } =
                    partition;
                let topic = topic.clone();
                let committed_offset = Some(committed_offset).filter(|offset| *offset >= 0);
                lags.push(PartitionLag {
                    topic,
                    partition,
                    end_offset,
                    next_offset,
                    committed_offset,
                });
            }
        }
    }
    lags.sort_by(|a, b| (&a.topic, a.partition).cmp(&(&b.topic, b.partition)));
    Some(lags)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_partitions_that_are_fetched_and_known_count() {
        let json = br#"{"name":"x","topics":{"t":{"topic":"t","partitions":{
            "0":{"partition":0,"fetch_state":"active","hi_offset":12,"ls_offset":10,"committed_offset":9},
            "1":{"partition":1,"fetch_state":"none","hi_offset":5,"ls_offset":5},
            "2":{"partition":2,"fetch_state":"active","hi_offset":-1001,"ls_offset":-1001},
            "3":{"partition":3,"fetch_state":"active","hi_offset":7,"ls_offset":-1001,"committed_offset":-1001},
            "-1":{"partition":-1,"fetch_state":"none"}}}}}"#;
        let lags = parse_statistics(json).unwrap();
        let told: Vec<_> =
            lags.iter().map(|lag| (lag.partition, lag.end_offset, lag.committed_offset)).collect();
        assert_eq!(told, [(0, 10, Some(9)), (3, 7, None)]);
        assert_eq!(parse_statistics(b"no json"), None);
    }
}
