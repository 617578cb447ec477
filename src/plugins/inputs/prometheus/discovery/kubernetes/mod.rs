//! Pods of Kubernetes that are targets.
//!
//! # References
//! Telegraf's `inputs.prometheus`, `kubernetes.go`.

mod access;
mod options;
mod pod;
mod selector;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use super::super::target::Target;
use super::Turn;
use crate::http::tls::{ClientTlsSettings, Verification};
use crate::http::{Client, ClientSettings, Request, Url};
use crate::plugin::{BuildError, PluginError, PluginLog, StartError};
use crate::system::{Clock, System, environment_variable};

use access::Access;
pub(in super::super) use options::PodOptions;
use options::Scope;
use pod::{Object, Rules};
use watch::Watched;

/// How often a node is asked unless the settings say otherwise.
const NODE_INTERVAL: Duration = Duration::from_secs(60);

/// After what time everything is asked for anew unless the settings say otherwise.
const REFRESH: Duration = Duration::from_secs(60 * 60);

/// The port at which nodes tell of their pods.
const NODE_PORT: u16 = 10250;

/// Finds pods.
pub(in super::super) struct Pods {
    rules: Rules,
    kube_config: String,
    scope: Scope,
    node_interval: Duration,
    refresh: Duration,
    clock: Arc<dyn Clock>,
    source: Option<Source>,
}

/// What tells of pods, once it runs.
enum Source {
    Cluster { pods: Watched, namespaces: Option<Watched> },
    Node(Box<Node>),
}

/// A node that is asked now and then.
struct Node {
    url: Url,
    access: Access,
    client: Client,
    turn: Turn,
    pods: Vec<Object>,
}

#[derive(Deserialize)]
struct PodList {
    #[serde(default)]
    items: Option<Vec<Object>>,
}

impl Pods {
    /// Makes a discovery, if the options ask for one; asks nobody yet.
    ///
    /// # Errors
    /// If an option makes no sense, asked for or not.
    pub(in super::super) fn new(
        options: &PodOptions,
        system: &System,
    ) -> Result<Option<Pods>, BuildError> {
        let (rules, scope) = (options.rules()?, options.scope()?);
        let or_default = |number: u64, unit: u64, default: Duration| match number {
            0 => default,
            number => Duration::from_secs(number.saturating_mul(unit)),
        };
        Ok(options.monitor_kubernetes_pods.then(|| Pods {
            rules,
            kube_config: options.kube_config.clone(),
            scope,
            node_interval: or_default(options.pod_scrape_interval, 1, NODE_INTERVAL),
            refresh: or_default(options.cache_refresh_interval, 60, REFRESH),
            clock: system.clock.clone(),
            source: None,
        }))
    }

    /// Begins to look for pods.
    ///
    /// # Errors
    /// If there is no cluster to ask.
    pub(in super::super) fn start(&mut self, log: &PluginLog) -> Result<(), StartError> {
        let access = Access::find(&self.kube_config, environment_variable)?;
        self.source = Some(
            self.source(access, log).map_err(|source| StartError { retryable: false, source })?,
        );
        Ok(())
    }

    fn source(&self, access: Access, log: &PluginLog) -> Result<Source, PluginError> {
        let watch = |path: &str| Watched::start(&access, path, self.refresh, &self.clock, log);
        Ok(match &self.scope {
            Scope::Cluster => Source::Cluster {
                namespaces: match self.rules.asks_for_namespaces() {
                    true => Some(watch("api/v1/namespaces")?),
                    false => None,
                },
                pods: match self.rules.namespace.as_str() {
                    "" => watch("api/v1/pods")?,
                    name => watch(&format!("api/v1/namespaces/{name}/pods"))?,
                },
            },
            Scope::Node(address) => {
                let host = std::net::SocketAddr::new(*address, NODE_PORT);
                let url = Url::parse(&format!("https://{host}/pods"))?;
                let node = Node::new(url, access, self.node_interval, &self.clock)?;
                Source::Node(Box::new(node))
            }
        })
    }

    /// Stops looking.
    pub(in super::super) fn stop(&mut self) {
        self.source = None;
    }

    /// The targets that there are now.
    pub(in super::super) fn targets(&mut self, log: &PluginLog) -> Vec<Target> {
        let rules = &self.rules;
        let target = |pod: &Object| match rules.target(pod) {
            Ok(target) => target,
            Err(error) => {
                log.error(format_args!("could not parse URL: {error}"));
                None
            }
        };
        match &mut self.source {
            None => Vec::new(),
            Some(Source::Cluster { pods, namespaces }) => {
                let counts = |pod: &&Object| {
                    let Some(namespaces) = namespaces else { return true };
                    // Namespaces have no namespace of their own, and one that is not known counts.
                    let id = format!("/{}", pod.metadata.namespace);
                    namespaces.with(|all| all.get(&id).is_none_or(|n| rules.counts_namespace(n)))
                };
                pods.with(|pods| pods.values().filter(counts).filter_map(target).collect())
            }
            Some(Source::Node(node)) => {
                node.refresh_if_due(self.clock.elapsed(), log);
                node.pods.iter().filter(|pod| pod::is_complete(pod)).filter_map(target).collect()
            }
        }
    }
}

impl Node {
    fn new(
        url: Url,
        access: Access,
        interval: Duration,
        clock: &Arc<dyn Clock>,
    ) -> Result<Node, PluginError> {
        // Nodes sign their certificates themselves.
        let tls =
            ClientTlsSettings { verification: Verification::None, ..ClientTlsSettings::default() };
        let settings = ClientSettings { tls, ..ClientSettings::default() };
        let client = Client::new(settings, clock.clone())?;
        Ok(Node { url, access, client, turn: Turn::every(interval), pods: Vec::new() })
    }

    fn refresh_if_due(&mut self, now: Duration, log: &PluginLog) {
        if !self.turn.is_due(now) {
            return;
        }
        match self.ask() {
            Ok(pods) => self.pods = pods,
            Err(error) => {
                log.error(format_args!(
                    "Unable to monitor pods with node scrape scope: error updating pod list: \
                     {error}"
                ));
            }
        }
    }

    fn ask(&self) -> Result<Vec<Object>, PluginError> {
        let mut request = Request::new("GET", self.url.clone(), b"");
        self.access.prove(&mut request);
        let response = self
            .client
            .send(&request)
            .map_err(|error| format!("error when making request for pod list: {error}"))?;
        if response.status != 200 {
            let status = response.status_line();
            return Err(
                format!("error when making request for pod list with status {status}").into()
            );
        }
        let list: PodList = serde_json::from_slice(&response.body)
            .map_err(|error| format!("decoding response failed: {error}"))?;
        Ok(list.items.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests;
