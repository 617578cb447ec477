//! When the records at certain offsets were made.

use std::collections::{BTreeMap, HashMap};

use super::cluster::{Cluster, Gathered};
use super::error::WireError;
use super::messages::{Fetch, FetchFrom};
use super::questions::PartitionPlace;

/// What a partition may send at first: as much as batches of producers have where nobody has set it.
const FIRST_BYTES: i32 = 16 << 10;

/// What a partition may send where that was too little: the largest batch of usual settings.
const NEXT_BYTES: i32 = 1 << 20;

/// What a broker may send at a time.
const MOST_BYTES: i32 = 8 << 20;

/// How often brokers are asked at most in a round, several offsets of one partition and batches
/// that are larger than expected being asked for one after the other.
const MOST_REQUESTS: usize = 32;

/// A record by its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordPlace<'t> {
    /// Its partition.
    pub partition: PartitionPlace<'t>,
    /// Its offset.
    pub offset: i64,
}

/// Times in milliseconds since 1970, of as many records as could be found.
pub type RecordTimes<'t> = HashMap<RecordPlace<'t>, i64>;

impl Cluster {
    /// Asks when records were made. A record that is not there any more counts as the next one that
    /// is; where there is none, and where it would take too many requests, there is no time.
    pub fn record_times<'t>(
        &mut self,
        places: &[RecordPlace<'t>],
    ) -> Gathered<(RecordPlace<'t>, i64)> {
        let mut gathered = Gathered::default();
        let mut missing: Vec<_> = places.to_vec();
        missing.sort();
        missing.dedup();
        for round in 0..MOST_REQUESTS {
            if missing.is_empty() {
                break;
            }
            let partition_bytes = if round == 0 { FIRST_BYTES } else { NEXT_BYTES };
            let found = self.some_record_times(&missing, partition_bytes, &mut gathered.errors);
            missing.retain(|place| !found.contains_key(place));
            gathered
                .found
                .extend(found.into_iter().filter_map(|(place, time)| Some((place, time?))));
        }
        gathered
    }

    /// Asks each leader once, for one record of each partition. What has an answer is returned: a
    /// time, or that there is none to be had.
    fn some_record_times<'t>(
        &mut self,
        places: &[RecordPlace<'t>],
        partition_bytes: i32,
        errors: &mut Vec<WireError>,
    ) -> HashMap<RecordPlace<'t>, Option<i64>> {
        let mut asked: BTreeMap<PartitionPlace<'t>, i64> = BTreeMap::new();
        for place in places {
            asked.entry(place.partition).or_insert(place.offset);
        }
        let mut by_leader: BTreeMap<i32, Vec<FetchFrom<'t>>> = BTreeMap::new();
        for (PartitionPlace { leader, topic, partition }, offset) in &asked {
            let from = FetchFrom { topic, partition: *partition, offset: *offset };
            by_leader.entry(*leader).or_default().push(from);
        }
        let requests: Vec<_> = by_leader
            .into_iter()
            .map(|(leader, from)| (leader, Fetch { from, partition_bytes, bytes: MOST_BYTES }))
            .collect();
        let mut found = HashMap::new();
        for (leader, answer) in self.ask_each(&requests) {
            let of_leader = places.iter().filter(|place| place.partition.leader == leader).copied();
            let fetched = match answer {
                Ok(Ok(fetched)) => fetched,
                failed => {
                    errors.extend(match failed {
                        Err(error) => Some(error),
                        Ok(refused) => refused.err().map(|code| {
                            let subject = format!("Fetch of broker {leader}");
                            WireError::Refused { subject, code, message: None }
                        }),
                    });
                    found.extend(of_leader.map(|place| (place, None)));
                    continue;
                }
            };
            for place in of_leader {
                let PartitionPlace { topic, partition, .. } = place.partition;
                if asked.get(&place.partition) != Some(&place.offset) {
                    continue;
                }
                let record = fetched
                    .iter()
                    .find(|record| record.partition == partition && record.topic == topic);
                // An empty answer stands for a batch that is too large for the rest of the request.
                match record {
                    Some(record) if record.records.is_err() || place.offset >= record.end => {
                        found.insert(place, None);
                    }
                    Some(record) => {
                        found.extend(record.time_ms(place.offset).map(|time| (place, Some(time))));
                    }
                    None => {}
                }
            }
        }
        found
    }
}
