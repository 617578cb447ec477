//! Reports on the health of a Kafka cluster: brokers, controllers, partitions, disks, quotas.

mod health;
mod report;

use serde::{Deserialize, Serialize};

use crate::kafka::wire::{Cluster, ErrorCode, Quorum, Registration, WireError};
use crate::plugin::settings::Duration;
use crate::plugin::{
    Accumulator, Build, BuildError, Context, Declaration, Input, KafkaOptions, Patterns,
    PluginError,
};
use health::{Health, MIN_IN_SYNC};
use report::Reporter;

/// The input as the table lists it.
pub static PLUGIN: Declaration<dyn Input> =
    Declaration::sharing::<Config, KafkaOptions>("kafka_cluster", include_str!("sample.conf"));

/// The settings of the input.
#[derive(Clone, Deserialize, Serialize)]
#[serde(default)]
pub struct Config {
    topics_include: Vec<String>,
    topics_exclude: Vec<String>,
    topic_metrics: bool,
    log_dirs: bool,
    client_quotas: bool,
    timeout: Duration,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            topics_include: vec!["*".to_owned()],
            topics_exclude: Vec::new(),
            topic_metrics: true,
            log_dirs: true,
            client_quotas: true,
            timeout: Duration::from_secs(5),
        }
    }
}

impl Build<dyn Input> for Config {
    fn build(self, context: &Context<'_>) -> Result<Box<dyn Input>, BuildError> {
        if self.timeout.is_negative() || self.timeout == Duration::ZERO {
            return Err(BuildError::invalid("timeout must be longer than nothing"));
        }
        let connection = KafkaOptions::connection(context)?;
        let cluster = Cluster::new(connection, self.timeout.to_std(), &context.system);
        let patterns = |list: &[String]| Patterns::new(list).map_err(BuildError::invalid);
        Ok(Box::new(KafkaCluster {
            cluster: cluster.map_err(BuildError::invalid)?,
            topics: Topics {
                are: if self.topic_metrics { Detail::Reported } else { Detail::Left },
                include: patterns(&self.topics_include)?,
                exclude: patterns(&self.topics_exclude)?,
            },
            log_dirs: if self.log_dirs { Detail::Reported } else { Detail::Left },
            client_quotas: if self.client_quotas { Detail::Reported } else { Detail::Left },
        }))
    }
}

/// Whether something is asked for and reported that can be left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Detail {
    Reported,
    Left,
}

/// The topics that are reported one by one.
struct Topics {
    are: Detail,
    include: Option<Patterns>,
    exclude: Option<Patterns>,
}

impl Topics {
    fn has(&self, name: &str) -> bool {
        self.are == Detail::Reported
            && self.include.as_ref().is_none_or(|patterns| patterns.match_any(name))
            && !self.exclude.as_ref().is_some_and(|patterns| patterns.match_any(name))
    }
}

/// An input that asks a cluster about itself.
struct KafkaCluster {
    cluster: Cluster,
    topics: Topics,
    log_dirs: Detail,
    client_quotas: Detail,
}

/// What could not be found out in a round.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
struct Incomplete(Vec<WireError>);

impl Input for KafkaCluster {
    fn gather(&mut self, accumulator: &mut Accumulator<'_>) -> Result<(), PluginError> {
        let mut errors = Vec::new();
        let metadata = self.cluster.metadata(None)?;
        let topics = metadata.topics.iter().map(|topic| topic.name.as_str()).collect();
        let least = self.cluster.topic_numbers(MIN_IN_SYNC, topics);
        let least = kept(least, &mut errors).unwrap_or_default();
        let log_dirs = match self.log_dirs {
            Detail::Left => Vec::new(),
            Detail::Reported => {
                let mut told = self.cluster.log_dirs();
                errors.append(&mut told.errors);
                told.found
            }
        };
        let quorum = self.quorum(&mut errors);
        let registrations = self.registrations(&mut errors);
        let quotas = match self.client_quotas {
            Detail::Left => Vec::new(),
            Detail::Reported => kept(self.cluster.client_quotas(), &mut errors).unwrap_or_default(),
        };

        let health = Health::of(&metadata, &least, &log_dirs);
        let now = accumulator.now();
        let mut reporter = Reporter::new(accumulator, now, &metadata, self.log_dirs);
        reporter.cluster(&health, quorum.as_ref(), registrations.as_deref());
        reporter.brokers(&health, quorum.as_ref());
        reporter.topics(&health, &self.topics);
        log_dirs.iter().for_each(|(broker, dirs)| reporter.log_dirs(*broker, dirs));
        quotas.iter().for_each(|quota| reporter.quota(quota));
        match errors.is_empty() {
            true => Ok(()),
            false => Err(Incomplete(errors).into()),
        }
    }
}

impl KafkaCluster {
    /// The controllers; nothing in a cluster that has a ZooKeeper.
    fn quorum(&mut self, errors: &mut Vec<WireError>) -> Option<Quorum> {
        match self.cluster.quorum() {
            Err(WireError::Refused { code: ErrorCode::UNSUPPORTED_VERSION, .. }) => None,
            Err(error) if error.is_of_the_version() => None,
            answer => kept(answer, errors),
        }
    }

    /// The brokers that belong to the cluster; nothing before Kafka 4.0.
    fn registrations(&mut self, errors: &mut Vec<WireError>) -> Option<Vec<Registration>> {
        match self.cluster.registrations() {
            Err(error) if error.is_of_the_version() => None,
            answer => kept(answer, errors),
        }
    }
}

fn kept<T>(answer: Result<T, WireError>, errors: &mut Vec<WireError>) -> Option<T> {
    answer.map_err(|error| errors.push(error)).ok()
}

#[cfg(test)]
mod tests;
