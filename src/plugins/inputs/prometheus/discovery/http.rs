//! Targets that a server names.
//!
//! # References
//! Prometheus' HTTP service discovery.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::super::target::Target;
use super::Turn;
use crate::http::{Client, Request, Url};
use crate::plugin::settings::Duration;
use crate::plugin::{PluginError, PluginLog};
use crate::system::Clock;

const DEFAULT_URL: &str = "http://localhost:9000/service-discovery";
const DEFAULT_INTERVAL: Duration = Duration::from_secs(300);

/// The settings of the discovery.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default)]
pub(in super::super) struct Config {
    pub(in super::super) enabled: bool,
    url: String,
    query_interval: Duration,
}

impl Default for Config {
    fn default() -> Config {
        Config { enabled: false, url: DEFAULT_URL.to_owned(), query_interval: DEFAULT_INTERVAL }
    }
}

/// Asks a server for targets now and then.
pub(in super::super) struct Discovery {
    url: String,
    turn: Turn,
    targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Group {
    #[serde(default)]
    targets: Vec<String>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
}

impl Discovery {
    pub(in super::super) fn new(config: &Config) -> Discovery {
        let url = if config.url.is_empty() { DEFAULT_URL } else { &config.url };
        let interval = match config.query_interval.to_std() {
            zero if zero.is_zero() => DEFAULT_INTERVAL.to_std(),
            interval => interval,
        };
        Discovery { url: url.to_owned(), turn: Turn::every(interval), targets: Vec::new() }
    }

    /// Those that were named last.
    pub(in super::super) fn targets(&self) -> &[Target] {
        &self.targets
    }

    /// Asks anew once the time for it has come; keeps what there is if that fails.
    pub(in super::super) fn refresh_if_due(
        &mut self,
        clock: &dyn Clock,
        client: &Client,
        log: &PluginLog,
    ) {
        if !self.turn.is_due(clock.elapsed()) {
            return;
        }
        match self.ask(client, log) {
            Ok(targets) => self.targets = targets,
            Err(error) => {
                log.error(format_args!("Unable to refresh HTTP scraped services: {error}"));
            }
        }
    }

    fn ask(&self, client: &Client, log: &PluginLog) -> Result<Vec<Target>, PluginError> {
        let request = Request::new("GET", Url::parse(&self.url)?, b"");
        let response = client.send(&request).map_err(|error| format!("request failed: {error}"))?;
        if response.status != 200 {
            return Err(format!("discovery failed with status {:?}", response.status_line()).into());
        }
        let groups: Vec<Group> = serde_json::from_slice(&response.body)
            .map_err(|error| format!("unmarshalling JSON failed: {error}"))?;
        if groups.is_empty() {
            log.warn("Service discovery returned no results");
        }
        let mut targets = Vec::new();
        for group in groups {
            for text in group.targets {
                let has_scheme = text.starts_with("http://") || text.starts_with("https://");
                let text = if has_scheme { text } else { format!("http://{text}") };
                match Target::of_url(&text) {
                    Ok(mut target) => {
                        target.tags.extend(group.labels.clone());
                        targets.push(target);
                    }
                    Err(_) => log.warn(format_args!("Failed to parse target {text:?}")),
                }
            }
        }
        Ok(targets)
    }
}
