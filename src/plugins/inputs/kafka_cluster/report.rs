//! The metrics that a round comes to.

use compact_str::{CompactString, format_compact};

use super::health::{BrokerHealth, Health, PartitionCounts, count};
use super::{Detail, Topics};
use crate::kafka::wire::{ClientQuota, LogDir, Metadata, Quorum, Registration};
use crate::metric::{Metric, Timestamp};
use crate::plugin::Accumulator;

/// The name that Kafka's own tools have for whoever has no quota of their own.
const ANY_ENTITY: &str = "<default>";

/// Makes metrics of one round.
pub(super) struct Reporter<'r, 'a> {
    accumulator: &'r mut Accumulator<'a>,
    now: Timestamp,
    metadata: &'r Metadata,
    /// Whether sizes were asked for.
    sizes: Detail,
}

impl<'r, 'a> Reporter<'r, 'a> {
    pub(super) fn new(
        accumulator: &'r mut Accumulator<'a>,
        now: Timestamp,
        metadata: &'r Metadata,
        sizes: Detail,
    ) -> Reporter<'r, 'a> {
        Reporter { accumulator, now, metadata, sizes }
    }

    fn metric(&self, name: &'static str) -> Metric {
        let metric = Metric::new(name, self.now);
        match &self.metadata.cluster_id {
            Some(id) => metric.with_tag("cluster", id.as_str()),
            None => metric,
        }
    }

    /// Reports the cluster as a whole.
    pub(super) fn cluster(
        &mut self,
        health: &Health,
        quorum: Option<&Quorum>,
        registrations: Option<&[Registration]>,
    ) {
        let mut metric = self
            .metric("kafka_cluster")
            .with_field("brokers", count(&health.present))
            .with_field("brokers_missing", health.missing())
            .with_field("topics", count(&health.topics));
        add_counts(&mut metric, &health.counts);
        metric.set_field("leader_imbalance", health.imbalance(|broker| broker.leaders));
        metric.set_field("replica_imbalance", health.imbalance(|broker| broker.replicas));
        if let Some(brokers) = registrations {
            let fenced = brokers.iter().filter(|broker| broker.is_fenced);
            metric.set_field("brokers_registered", count(brokers));
            metric.set_field("brokers_fenced", count(fenced));
        }
        if self.sizes == Detail::Reported {
            let bytes: i64 = health.brokers.values().filter_map(|broker| broker.bytes).sum();
            metric.set_field("log_bytes", bytes);
        }
        let controller = match quorum {
            Some(quorum) => {
                add_quorum(&mut metric, quorum);
                quorum.leader
            }
            None => Some(self.metadata.controller).filter(|id| *id >= 0),
        };
        metric.set_field("active_controllers", i64::from(controller.is_some()));
        if let Some(controller) = controller {
            metric.set_field("controller", i64::from(controller));
        }
        self.accumulator.add(metric);
    }

    /// Reports each broker.
    pub(super) fn brokers(&mut self, health: &Health, quorum: Option<&Quorum>) {
        for (id, broker) in &health.brokers {
            let address = self.metadata.brokers.iter().find(|address| address.id == *id);
            let mut metric = self.metric("kafka_broker").with_tag("broker", number(*id));
            if let Some(address) = address {
                metric.set_tag("broker_host", address.host.as_str());
                if let Some(rack) = &address.rack {
                    metric.set_tag("rack", rack.as_str());
                }
            }
            let BrokerHealth { leaders, preferred_leaders, replicas, out_of_sync, bytes } = *broker;
            metric.set_field("up", i64::from(address.is_some()));
            metric.set_field("leaders", leaders);
            metric.set_field("preferred_leaders", preferred_leaders);
            metric.set_field("replicas", replicas);
            metric.set_field("replicas_out_of_sync", out_of_sync);
            if let Some(bytes) = bytes {
                metric.set_field("log_bytes", bytes);
            }
            if let Some(quorum) = quorum {
                let everybody = quorum.voters.iter().chain(&quorum.observers);
                if let Some(replica) = everybody.into_iter().find(|replica| replica.id == *id) {
                    let lag = quorum.high_watermark.saturating_sub(replica.end_offset).max(0);
                    metric.set_field("metadata_lag", lag);
                }
            }
            self.accumulator.add(metric);
        }
    }

    /// Reports the topics that are wanted.
    pub(super) fn topics(&mut self, health: &Health, wanted: &Topics) {
        for (name, topic) in health.topics.iter().filter(|(name, _)| wanted.has(name)) {
            let mut metric = self.metric("kafka_topic").with_tag("topic", name.as_str());
            add_counts(&mut metric, &topic.counts);
            metric.set_field("replication_factor", topic.replication_factor);
            if let Some(least) = topic.min_in_sync {
                metric.set_field("min_insync_replicas", least);
            }
            if self.sizes == Detail::Reported {
                metric.set_field("log_bytes", topic.size.bytes);
                metric.set_field("leader_log_bytes", topic.size.leader_bytes);
            }
            self.accumulator.add(metric);
        }
    }

    /// Reports the folders of a broker.
    pub(super) fn log_dirs(&mut self, broker: i32, dirs: &[LogDir]) {
        for dir in dirs {
            let bytes: i64 = dir.partitions.iter().map(|partition| partition.bytes).sum();
            let moving = dir.partitions.iter().filter(|partition| partition.is_on_the_move);
            let mut metric = self
                .metric("kafka_log_dir")
                .with_tag("broker", number(broker))
                .with_tag("path", dir.path.as_str())
                .with_field("online", i64::from(dir.error.is_none()))
                .with_field("partitions", count(&dir.partitions))
                .with_field("partitions_moving", count(moving))
                .with_field("log_bytes", bytes);
            if let Some(error) = dir.error {
                metric.set_field("error", error.to_string());
            }
            if let Some(bytes) = dir.total_bytes {
                metric.set_field("total_bytes", bytes);
            }
            if let Some(bytes) = dir.usable_bytes {
                metric.set_field("usable_bytes", bytes);
            }
            self.accumulator.add(metric);
        }
    }

    /// Reports what somebody may ask of a broker.
    pub(super) fn quota(&mut self, quota: &ClientQuota) {
        let mut metric = self.metric("kafka_client_quota");
        for entity in &quota.entities {
            let kind = CompactString::from(entity.kind.replace('-', "_"));
            metric.set_tag(kind, entity.name.as_deref().unwrap_or(ANY_ENTITY));
        }
        for (name, value) in &quota.values {
            metric.set_field(name.as_str(), *value);
        }
        // A metric without fields says nothing.
        if !quota.values.is_empty() {
            self.accumulator.add(metric);
        }
    }
}

fn add_counts(metric: &mut Metric, counts: &PartitionCounts) {
    let PartitionCounts {
        partitions,
        replicas,
        offline,
        under_replicated,
        under_min_isr,
        at_min_isr,
        not_preferred,
    } = *counts;
    metric.set_field("partitions", partitions);
    metric.set_field("replicas", replicas);
    metric.set_field("offline_partitions", offline);
    metric.set_field("under_replicated_partitions", under_replicated);
    metric.set_field("under_min_isr_partitions", under_min_isr);
    metric.set_field("at_min_isr_partitions", at_min_isr);
    metric.set_field("partitions_off_preferred_leader", not_preferred);
}

fn add_quorum(metric: &mut Metric, quorum: &Quorum) {
    let furthest_behind = quorum.voters.iter().map(|voter| voter.end_offset).min();
    let lag = furthest_behind.map_or(0, |end| quorum.high_watermark.saturating_sub(end).max(0));
    metric.set_field("controller_epoch", i64::from(quorum.epoch));
    metric.set_field("controller_voters", count(&quorum.voters));
    metric.set_field("controller_lag_max", lag);
    metric.set_field("metadata_offset", quorum.high_watermark);
}

fn number(number: i32) -> CompactString {
    format_compact!("{number}")
}
