//! Consumer groups as Kafka's own tool reports them.

use super::Cluster;

/// A line of `kafka-consumer-groups --describe`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GroupPartition {
    pub(crate) topic: String,
    pub(crate) partition: i32,
    /// The offset committed; nothing while there is none.
    pub(crate) committed: Option<i64>,
    pub(crate) end: Option<i64>,
    pub(crate) lag: Option<i64>,
    /// The member that holds the partition; nothing while no one does.
    pub(crate) member: Option<String>,
    pub(crate) client_id: Option<String>,
}

impl Cluster {
    /// Asks Kafka's own tool for a group's partitions, sorted by topic and number.
    pub(crate) fn describe_group(&self, group: &str) -> Vec<GroupPartition> {
        let output = self.tool("consumer-groups", &["--describe", "--group", group]);
        let mut lines: Vec<_> = output.lines().filter_map(|line| parse(group, line)).collect();
        lines.sort_by(|a, b| (&a.topic, a.partition).cmp(&(&b.topic, b.partition)));
        lines
    }
}

/// Parses a line; nothing for the heading and messages.
fn parse(group: &str, line: &str) -> Option<GroupPartition> {
    let columns: Vec<_> = line.split_whitespace().collect();
    let [name, topic, partition, committed, end, lag, member, _host, client_id, ..] = columns[..]
    else {
        return None;
    };
    if name != group {
        return None;
    }
    let text = |column: &str| (column != "-").then(|| column.to_owned());
    Some(GroupPartition {
        topic: topic.to_owned(),
        partition: partition.parse().ok()?,
        committed: committed.parse().ok(),
        end: end.parse().ok(),
        lag: lag.parse().ok(),
        member: text(member),
        client_id: text(client_id),
    })
}
