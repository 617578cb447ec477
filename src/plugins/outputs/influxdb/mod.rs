//! Writes metrics to InfluxDB 1.x, or to what speaks its protocol.
//!
//! # References
//! Telegraf's `outputs.influxdb`; the `/write` and `/query` endpoints of InfluxDB 1.8.

mod config;
mod http;
mod response;
mod udp;

use std::sync::Arc;

use crate::metric::Metric;
use crate::plugin::http_options::TlsOptions;
use crate::plugin::{
    ConnectError, Counter, Declaration, Output, PluginError, PluginLog, Rejection, Serializer,
    WriteError,
};

pub use config::Config;
use http::HttpClient;
use response::ApiError;
use udp::UdpClient;

/// The output as the table lists it.
pub static PLUGIN: Declaration<dyn Output> =
    Declaration::sharing::<Config, TlsOptions>("influxdb", include_str!("sample.conf"));

/// An output to one of several servers.
struct InfluxDb {
    servers: Vec<Server>,
    serializer: Box<dyn Serializer>,
    routing: Routing,
    creation: DatabaseCreation,
    chance: fastrand::Rng,
    bytes_written: Counter,
    log: PluginLog,
}

/// A server, by the way it is reached.
enum Server {
    Http(Box<HttpClient>),
    Udp(Box<UdpClient>),
}

/// Whether databases are created that are not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DatabaseCreation {
    AsNeeded,
    Never,
}

/// What a metric's tags say about where it goes.
#[derive(Debug, Clone, Default)]
struct Routing {
    database: String,
    database_tag: String,
    exclude_database_tag: bool,
    retention_policy: String,
    retention_policy_tag: String,
    exclude_retention_policy_tag: bool,
}

/// Where a metric goes.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    database: String,
    retention_policy: String,
}

/// Metrics of one place as line protocol, with their places in the batch.
struct Group {
    place: Place,
    body: Vec<u8>,
    indices: Vec<usize>,
}

/// Why a group was not written.
#[derive(Debug, thiserror::Error)]
enum Failure {
    /// Nobody has taken it; another try may help.
    #[error(transparent)]
    Retry(PluginError),
    /// There is no such database.
    #[error("{0}")]
    DatabaseNotFound(ApiError),
    /// It was refused, and would be refused again.
    #[error("{0}")]
    Refused(String),
}

impl Group {
    fn at(place: Place) -> Group {
        Group { place, body: Vec::new(), indices: Vec::new() }
    }
}

impl Routing {
    fn is_fixed(&self) -> bool {
        self.database_tag.is_empty() && self.retention_policy_tag.is_empty()
    }

    fn place(&self, metric: &Metric) -> Place {
        let by = |tag: &str, default: &str| metric.tag(tag).unwrap_or(default).to_owned();
        Place {
            database: by(&self.database_tag, &self.database),
            retention_policy: by(&self.retention_policy_tag, &self.retention_policy),
        }
    }

    fn removes_tags(&self) -> bool {
        self.exclude_database_tag || self.exclude_retention_policy_tag
    }

    fn without_tags(&self, metric: &Metric) -> Metric {
        let mut metric = metric.clone();
        if self.exclude_database_tag {
            metric.remove_tag(&self.database_tag);
        }
        if self.exclude_retention_policy_tag {
            metric.remove_tag(&self.retention_policy_tag);
        }
        metric
    }
}

impl InfluxDb {
    /// The batch by place, in the order in which the places first come.
    fn groups(&mut self, batch: &[Metric], rejected: &mut Vec<Rejection>) -> Vec<Group> {
        let mut groups: Vec<Group> = Vec::new();
        let routing = &self.routing;
        let fixed = Place {
            database: routing.database.clone(),
            retention_policy: routing.retention_policy.clone(),
        };
        if routing.is_fixed() {
            groups.push(Group::at(fixed));
        }
        for (index, metric) in batch.iter().enumerate() {
            let at = match routing.is_fixed() {
                true => 0,
                false => {
                    let place = routing.place(metric);
                    groups.iter().position(|group| group.place == place).unwrap_or_else(|| {
                        groups.push(Group::at(place));
                        groups.len() - 1
                    })
                }
            };
            let group = &mut groups[at];
            let written = match !routing.is_fixed() && routing.removes_tags() {
                true => self.serializer.serialize(&routing.without_tags(metric), &mut group.body),
                false => self.serializer.serialize(metric, &mut group.body),
            };
            match written {
                Ok(()) => group.indices.push(index),
                Err(reason) => rejected.push(Rejection { index, reason }),
            }
        }
        groups.retain(|group| !group.indices.is_empty());
        groups
    }

    /// Writes the groups to one server after the other until all have been taken.
    ///
    /// Returns the groups that none has taken, and why.
    fn write_groups(
        &mut self,
        mut groups: Vec<Group>,
        batch: &[Metric],
        rejected: &mut Vec<Rejection>,
    ) -> Option<(Vec<Group>, PluginError)> {
        let mut order: Vec<usize> = (0..self.servers.len()).collect();
        self.chance.shuffle(&mut order);
        // The one database that the options name was created when the output connected, or could
        // not be. What tags name is met first here.
        let creation = match self.routing.is_fixed() {
            true => DatabaseCreation::Never,
            false => self.creation,
        };
        let mut last_missing = None;
        let mut only_missing = true;
        for at in order {
            let failed = loop {
                let group = groups.first()?;
                match self.servers[at].write(group, batch, creation, &self.log) {
                    Ok(()) => {
                        self.bytes_written.add(group.body.len() as u64);
                        groups.remove(0);
                    }
                    Err(Failure::Refused(reason)) => {
                        reject(group, &reason, rejected);
                        groups.remove(0);
                    }
                    Err(failure) => break failure,
                }
            };
            let server = &mut self.servers[at];
            self.log.error(format_args!("When writing to [{server}]: {failed}"));
            let Failure::DatabaseNotFound(error) = failed else {
                only_missing = false;
                continue;
            };
            last_missing = Some(error.to_string());
            if self.creation == DatabaseCreation::Never {
                continue;
            }
            let database = groups.first().map_or("", |group| &group.place.database);
            if server.create_database(database).is_ok() {
                return Some((groups, "database created; retry write".into()));
            }
            self.log.error(format_args!(
                "When writing to [{server}]: database {database:?} not found and failed to recreate"
            ));
        }
        match last_missing {
            // Trying again would find nothing that is not found now.
            Some(reason) if only_missing => {
                groups.iter().for_each(|group| reject(group, &reason, rejected));
                None
            }
            _ => Some((groups, "could not write any address".into())),
        }
    }
}

fn reject(group: &Group, reason: &str, rejected: &mut Vec<Rejection>) {
    let reason: Arc<dyn std::error::Error + Send + Sync> = Arc::from(PluginError::from(reason));
    let rejection = |index: &usize| Rejection { index: *index, reason: Box::new(reason.clone()) };
    rejected.extend(group.indices.iter().map(rejection));
}

impl Server {
    fn write(
        &mut self,
        group: &Group,
        batch: &[Metric],
        creation: DatabaseCreation,
        log: &PluginLog,
    ) -> Result<(), Failure> {
        match self {
            Server::Http(client) => client.write(group, creation, log),
            Server::Udp(client) => client.write(group.indices.iter().map(|at| &batch[*at]), log),
        }
    }

    fn create_database(&mut self, database: &str) -> Result<(), PluginError> {
        match self {
            Server::Http(client) => client.create_database(database),
            Server::Udp(_) => Ok(()),
        }
    }
}

impl std::fmt::Display for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Server::Http(client) => client.fmt(f),
            Server::Udp(client) => client.fmt(f),
        }
    }
}

impl Output for InfluxDb {
    fn connect(&mut self) -> Result<(), ConnectError> {
        if self.creation == DatabaseCreation::Never {
            return Ok(());
        }
        let database = &self.routing.database;
        for server in &mut self.servers {
            if let Err(error) = server.create_database(database) {
                // The database may be there, and the user may only write.
                self.log.warn(format_args!(
                    "When writing to [{server}]: database {database:?} creation failed: {error}"
                ));
            }
        }
        Ok(())
    }

    fn write(&mut self, batch: &[Metric]) -> Result<(), WriteError> {
        let mut rejected = Vec::new();
        let groups = self.groups(batch, &mut rejected);
        let left = self.write_groups(groups, batch, &mut rejected);
        match (left, rejected.first()) {
            (None, None) => Ok(()),
            (None, Some(first)) => {
                let source = format!("not all metrics were written: {}", first.reason).into();
                rejected.sort_by_key(|rejection| rejection.index);
                Err(WriteError::Partial { retry: Vec::new(), rejected, source })
            }
            (Some((_, error)), None) if self.routing.is_fixed() => Err(WriteError::retry(error)),
            (Some((groups, source)), _) => {
                let mut retry: Vec<_> = groups.into_iter().flat_map(|g| g.indices).collect();
                retry.sort_unstable();
                rejected.sort_by_key(|rejection| rejection.index);
                Err(WriteError::Partial { retry, rejected, source })
            }
        }
    }

    fn close(&mut self) -> Result<(), PluginError> {
        for server in &self.servers {
            if let Server::Http(client) = server {
                client.close();
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
