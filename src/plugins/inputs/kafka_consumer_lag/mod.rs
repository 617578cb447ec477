//! Reports how far consumer groups lag behind, and what is to be thought of that.
//!
//! # References
//! The option names of the `inputs.kafka_consumer_lag` that is proposed for Telegraf (its issue
//! 19736); LinkedIn Burrow for the verdict.

mod history;
mod reading;
mod report;
mod verdict;

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::kafka::wire::{Cluster, WireError};
use crate::metric::Timestamp;
use crate::plugin::settings::Duration;
use crate::plugin::{
    Accumulator, Build, BuildError, Context, Declaration, Input, KafkaOptions, Patterns,
    PluginError,
};
use crate::system::System;
use history::{History, Sight};
use reading::{Choice, Chosen, GroupReading, Internal, read_groups, read_record_times};
use report::{Detail, PartitionReport, Reporter};

/// The input as the table lists it.
pub static PLUGIN: Declaration<dyn Input> =
    Declaration::sharing::<Config, KafkaOptions>("kafka_consumer_lag", include_str!("sample.conf"));

/// The longest window: what is older says nothing about now.
const LONGEST_WINDOW: i64 = 1_000;

/// The settings of the input.
#[derive(Clone, Deserialize, Serialize)]
#[serde(default)]
pub struct Config {
    groups_include: Vec<String>,
    groups_exclude: Vec<String>,
    topics_include: Vec<String>,
    topics_exclude: Vec<String>,
    partition_metrics: bool,
    topic_metrics: bool,
    coordinator_broker_id: i32,
    lag_seconds: bool,
    window: i64,
    timeout: Duration,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            groups_include: vec!["*".to_owned()],
            groups_exclude: Vec::new(),
            topics_include: vec!["*".to_owned()],
            topics_exclude: Vec::new(),
            partition_metrics: true,
            topic_metrics: true,
            coordinator_broker_id: -1,
            lag_seconds: true,
            window: 10,
            timeout: Duration::from_secs(5),
        }
    }
}

impl Build<dyn Input> for Config {
    fn build(self, context: &Context<'_>) -> Result<Box<dyn Input>, BuildError> {
        let window = usize::try_from(self.window)
            .ok()
            .filter(|_| (2..=LONGEST_WINDOW).contains(&self.window))
            .ok_or_else(|| {
                BuildError::invalid(format!(
                    "window must be a number of rounds from 2 to {LONGEST_WINDOW}; found {}",
                    self.window
                ))
            })?;
        if self.timeout.is_negative() || self.timeout == Duration::ZERO {
            return Err(BuildError::invalid("timeout must be longer than nothing"));
        }
        let connection = KafkaOptions::connection(context)?;
        let cluster = Cluster::new(connection, self.timeout.to_std(), &context.system);
        let asks_for_internal = self.topics_include.iter().any(|topic| topic.starts_with("__"));
        Ok(Box::new(KafkaConsumerLag {
            cluster: cluster.map_err(BuildError::invalid)?,
            choice: Choice {
                groups: chosen(&self.groups_include, &self.groups_exclude)?,
                topics: chosen(&self.topics_include, &self.topics_exclude)?,
                internal: if asks_for_internal { Internal::Wanted } else { Internal::LeftOut },
                coordinator: Some(self.coordinator_broker_id).filter(|broker| *broker >= 0),
            },
            partitions: if self.partition_metrics { Detail::Reported } else { Detail::Left },
            topics: if self.topic_metrics { Detail::Reported } else { Detail::Left },
            record_times: if self.lag_seconds { Detail::Reported } else { Detail::Left },
            window,
            system: context.system.clone(),
            histories: HashMap::new(),
            round: 0,
        }))
    }
}

fn chosen(include: &[String], exclude: &[String]) -> Result<Chosen, BuildError> {
    let patterns = |list: &[String]| Patterns::new(list).map_err(BuildError::invalid);
    Ok(Chosen { include: patterns(include)?, exclude: patterns(exclude)? })
}

/// An input that asks a cluster about its groups.
struct KafkaConsumerLag {
    cluster: Cluster,
    choice: Choice,
    partitions: Detail,
    topics: Detail,
    record_times: Detail,
    /// How many rounds a verdict looks back.
    window: usize,
    system: System,
    /// What is remembered, by group and then by topic and partition.
    histories: HashMap<String, HashMap<(String, i32), History>>,
    round: u64,
}

/// What could not be found out in a round.
#[derive(Debug, thiserror::Error)]
#[error("{first}{}", more(.others))]
struct Incomplete {
    first: WireError,
    others: usize,
}

fn more(others: &usize) -> String {
    match others {
        0 => String::new(),
        others => format!(" (and {others} more)"),
    }
}

impl Input for KafkaConsumerLag {
    fn gather(&mut self, accumulator: &mut Accumulator<'_>) -> Result<(), PluginError> {
        self.round += 1;
        let mut errors = Vec::new();
        let groups = read_groups(&mut self.cluster, &self.choice, &mut errors)?;
        // What was told a moment ago has the time of the end of the questions.
        let now = accumulator.now();
        let judged = self.judge(groups, now, &mut errors);
        let mut reporter =
            Reporter { accumulator, now, topics: self.topics, partitions: self.partitions };
        for (group, partitions) in &judged {
            reporter.report(group, partitions);
        }
        self.forget();
        let others = errors.len().saturating_sub(1);
        match errors.into_iter().next() {
            Some(first) => Err(Incomplete { first, others }.into()),
            None => Ok(()),
        }
    }
}

impl KafkaConsumerLag {
    /// Adds what was found to what is remembered, and judges each partition.
    fn judge(
        &mut self,
        groups: Vec<GroupReading>,
        now: Timestamp,
        errors: &mut Vec<WireError>,
    ) -> Vec<(GroupReading, Vec<PartitionReport>)> {
        // Spans are measured on the clock that nobody sets.
        let elapsed_ms = i64::try_from(self.system.clock.elapsed().as_millis()).unwrap_or(i64::MAX);
        let mut reports: Vec<Vec<PartitionReport>> = Vec::with_capacity(groups.len());
        let mut unknown_times = Vec::new();
        for group in &groups {
            let histories = self.histories.entry(group.name.clone()).or_default();
            let partitions = group.partitions.iter().map(|reading| {
                let place = (reading.topic.clone(), reading.partition);
                let history = histories.entry(place).or_insert_with(History::new);
                history.last_round = self.round;
                let &reading::PartitionReading { committed, end, owner, .. } = reading;
                let sight = Sight { committed, end, owner };
                let status = history.add(sight, elapsed_ms, self.window);
                let lag = sight.lag();
                let record_ms = history.record_time(committed);
                if lag > Some(0) && record_ms.is_none() {
                    unknown_times.push(reading);
                }
                PartitionReport { lag, lag_seconds: None, status }
            });
            reports.push(partitions.collect());
        }
        if self.record_times == Detail::Reported {
            let times = read_record_times(&mut self.cluster, unknown_times.into_iter(), errors);
            for (group, reports) in groups.iter().zip(&mut reports) {
                let Some(histories) = self.histories.get_mut(&group.name) else { continue };
                for (reading, report) in group.partitions.iter().zip(reports) {
                    let place = (reading.topic.clone(), reading.partition);
                    let Some(history) = histories.get_mut(&place) else { continue };
                    let found = reading.record().and_then(|record| times.get(&record));
                    if let Some(time_ms) = found {
                        history.set_record_time(reading.committed, *time_ms);
                    }
                    report.lag_seconds = match report.lag {
                        Some(0) => Some(0.0),
                        Some(_) => history
                            .record_time(reading.committed)
                            .map(|time_ms| (now.millis() - time_ms).max(0) as f64 / 1_000.0),
                        None => None,
                    };
                }
            }
        }
        groups.into_iter().zip(reports).collect()
    }

    /// Forgets what was not seen for a window: groups and topics that were deleted.
    fn forget(&mut self) {
        let oldest = self.round.saturating_sub(self.window as u64);
        for histories in self.histories.values_mut() {
            histories.retain(|_, history| history.last_round > oldest);
        }
        self.histories.retain(|_, histories| !histories.is_empty());
    }
}

#[cfg(test)]
mod tests;
