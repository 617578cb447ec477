//! A round of questions to a cluster, and what they come to for each group.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::history::Owner;
use crate::kafka::wire::{Cluster, GroupKind, ListedGroup, PartitionPlace, RecordPlace, WireError};
use crate::plugin::Patterns;

/// What is asked about.
pub(super) struct Choice {
    pub(super) groups: Chosen,
    pub(super) topics: Chosen,
    /// Whether topics are wanted that brokers keep for themselves.
    pub(super) internal: Internal,
    /// The only broker whose groups are wanted.
    pub(super) coordinator: Option<i32>,
}

/// Names that are wanted.
pub(super) struct Chosen {
    pub(super) include: Option<Patterns>,
    pub(super) exclude: Option<Patterns>,
}

/// Whether topics are wanted that brokers keep for themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Internal {
    Wanted,
    LeftOut,
}

impl Chosen {
    fn has(&self, name: &str) -> bool {
        self.include.as_ref().is_none_or(|patterns| patterns.match_any(name))
            && !self.exclude.as_ref().is_some_and(|patterns| patterns.match_any(name))
    }
}

impl Choice {
    fn has_topic(&self, name: &str) -> bool {
        (self.internal == Internal::Wanted || !name.starts_with("__")) && self.topics.has(name)
    }
}

/// What a round has found out about a group.
#[derive(Debug)]
pub(super) struct GroupReading {
    pub(super) name: String,
    /// By which rules it is kept together, such as `classic`.
    pub(super) kind: String,
    pub(super) state: String,
    /// The broker that looks after it.
    pub(super) coordinator: i32,
    /// How many members it has, if that could be found out.
    pub(super) members: Option<usize>,
    /// The partitions of which it has committed offsets, sorted.
    pub(super) partitions: Vec<PartitionReading>,
}

/// What a round has found out about an offset of a group.
#[derive(Debug)]
pub(super) struct PartitionReading {
    pub(super) topic: String,
    pub(super) partition: i32,
    pub(super) committed: i64,
    /// The end of the partition, if its leader has told it.
    pub(super) end: Option<i64>,
    pub(super) owner: Owner,
    /// The broker that leads it.
    pub(super) leader: Option<i32>,
}

/// Asks for groups, offsets and ends.
///
/// # Errors
/// If no broker answers. What single brokers do not answer is added to `errors`.
pub(super) fn read_groups(
    cluster: &mut Cluster,
    choice: &Choice,
    errors: &mut Vec<WireError>,
) -> Result<Vec<GroupReading>, WireError> {
    let no_topics: [String; 0] = [];
    cluster.metadata(Some(&no_topics))?;
    let mut listed = cluster.groups(choice.coordinator);
    errors.append(&mut listed.errors);
    let has_offsets =
        |group: &&ListedGroup| !matches!(&group.kind, GroupKind::Other(kind) if kind == "share");
    let groups: Vec<&ListedGroup> = listed
        .found
        .iter()
        .filter(|group| choice.groups.has(&group.name))
        .filter(has_offsets)
        .collect();

    let mut described = cluster.describe(&groups);
    errors.append(&mut described.errors);
    let described: HashMap<_, _> =
        described.found.iter().map(|group| (group.name.as_str(), group)).collect();
    let mut committed = cluster.committed(&groups);
    errors.append(&mut committed.errors);
    let mut offsets: HashMap<_, _> =
        committed.found.into_iter().map(|group| (group.group, group.offsets)).collect();

    let mut readings = Vec::with_capacity(groups.len());
    for group in groups {
        let description = described.get(group.name.as_str());
        let owned: BTreeSet<_> = description
            .iter()
            .flat_map(|group| &group.members)
            .flat_map(|member| &member.owned)
            .collect();
        let Some(offsets) = offsets.remove(&group.name) else { continue };
        let mut partitions: Vec<_> = offsets
            .into_iter()
            .filter(|offset| choice.has_topic(&offset.topic))
            .map(|offset| {
                let place = (offset.topic, offset.partition);
                let owner = match owned.contains(&place) {
                    true => Owner::Present,
                    false => Owner::Absent,
                };
                let ((topic, partition), committed) = (place, offset.offset);
                PartitionReading { topic, partition, committed, end: None, owner, leader: None }
            })
            .collect();
        partitions.sort_by(|a, b| (&a.topic, a.partition).cmp(&(&b.topic, b.partition)));
        // Members of other protocols, such as connectors, have nothing to do with offsets.
        if partitions.is_empty() && group.protocol != "consumer" {
            continue;
        }
        readings.push(GroupReading {
            name: group.name.clone(),
            kind: group.kind.name().to_owned(),
            state: description.map_or(&group.state, |group| &group.state).clone(),
            coordinator: group.coordinator,
            members: description.map(|group| group.members.len()),
            partitions,
        });
    }
    add_ends(cluster, &mut readings, errors)?;
    Ok(readings)
}

/// Asks for the ends of all partitions, each once, however many groups read it.
fn add_ends(
    cluster: &mut Cluster,
    readings: &mut [GroupReading],
    errors: &mut Vec<WireError>,
) -> Result<(), WireError> {
    let topics: BTreeSet<&String> =
        readings.iter().flat_map(|group| &group.partitions).map(|each| &each.topic).collect();
    if topics.is_empty() {
        return Ok(());
    }
    let topics: Vec<String> = topics.into_iter().cloned().collect();
    let metadata = cluster.more_metadata(Some(&topics))?;
    let leaders: BTreeMap<(&str, i32), i32> = metadata
        .topics
        .iter()
        .flat_map(|topic| topic.partitions.iter().map(move |partition| (topic, partition)))
        .filter_map(|(topic, partition)| {
            Some(((topic.name.as_str(), partition.number), partition.leader?))
        })
        .collect();
    let mut places = BTreeSet::new();
    for reading in readings.iter_mut().flat_map(|group| &mut group.partitions) {
        reading.leader = leaders.get(&(reading.topic.as_str(), reading.partition)).copied();
        let found = leaders.get_key_value(&(reading.topic.as_str(), reading.partition));
        if let Some(((topic, partition), leader)) = found {
            places.insert(PartitionPlace { leader: *leader, topic, partition: *partition });
        }
    }
    let mut ends = cluster.ends(&places);
    errors.append(&mut ends.errors);
    let ends: HashMap<(&str, i32), i64> =
        ends.found.iter().map(|end| ((end.topic.as_str(), end.partition), end.offset)).collect();
    for reading in readings.iter_mut().flat_map(|group| &mut group.partitions) {
        reading.end = ends.get(&(reading.topic.as_str(), reading.partition)).copied();
    }
    Ok(())
}

/// Asks when the records were made at offsets that were committed.
pub(super) fn read_record_times<'r>(
    cluster: &mut Cluster,
    readings: impl Iterator<Item = &'r PartitionReading>,
    errors: &mut Vec<WireError>,
) -> HashMap<RecordPlace<'r>, i64> {
    let places: Vec<_> = readings.filter_map(PartitionReading::record).collect();
    let mut times = cluster.record_times(&places);
    errors.append(&mut times.errors);
    times.found.into_iter().collect()
}

impl PartitionReading {
    /// The record that the group reads next, if somebody leads its partition.
    pub(super) fn record(&self) -> Option<RecordPlace<'_>> {
        let (topic, partition) = (self.topic.as_str(), self.partition);
        let partition = PartitionPlace { leader: self.leader?, topic, partition };
        Some(RecordPlace { partition, offset: self.committed })
    }
}
