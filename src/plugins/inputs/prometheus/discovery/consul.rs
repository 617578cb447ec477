//! Targets that a catalog of Consul names.
//!
//! # References
//! Consul's API, "List Nodes for Service"; `CatalogService` of its Go library for what templates can
//! ask.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::super::target::Target;
use super::Turn;
use crate::http::tls::TlsSettingsError;
use crate::http::{Client, ClientSettings, Request, Url, encode_pairs};
use crate::plugin::settings::Duration;
use crate::plugin::template::{Library, Template};
use crate::plugin::{PluginError, PluginLog};
use crate::system::{Secret, System, environment_variable};

const DEFAULT_AGENT: &str = "127.0.0.1:8500";
const DEFAULT_INTERVAL: Duration = Duration::from_secs(300);

/// The settings of the discovery.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default)]
pub(in super::super) struct Config {
    enabled: bool,
    agent: String,
    query_interval: Duration,
    query: Vec<QueryConfig>,
}

/// Which services are targets, and what their metrics get.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default)]
pub(in super::super) struct QueryConfig {
    name: String,
    tag: String,
    dc: String,
    url: String,
    tags: BTreeMap<String, String>,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            enabled: false,
            agent: String::new(),
            query_interval: DEFAULT_INTERVAL,
            query: Vec::new(),
        }
    }
}

/// Asks a catalog for services now and then.
pub(in super::super) struct Consul {
    client: Client,
    /// Without a slash at its end.
    agent: String,
    token: Secret,
    queries: Vec<Query>,
    turn: Turn,
    has_failed: bool,
    targets: Vec<Target>,
}

struct Query {
    config: QueryConfig,
    url: Template,
    tags: Vec<(String, Template)>,
    has_failed: bool,
}

impl Consul {
    /// Makes a discovery, if the settings ask for one; queries that are no templates are left out.
    ///
    /// # Errors
    /// If encryption cannot be set up.
    pub(in super::super) fn new(
        config: &Config,
        system: &System,
        log: &PluginLog,
    ) -> Result<Option<Consul>, TlsSettingsError> {
        if !config.enabled || config.query.is_empty() {
            return Ok(None);
        }
        let interval = match config.query_interval.to_std() {
            zero if zero.is_zero() => DEFAULT_INTERVAL.to_std(),
            interval => interval,
        };
        let queries = config.query.iter().filter_map(|query| Query::new(query, system, log));
        Ok(Some(Consul {
            client: Client::new(ClientSettings::default(), system.clock.clone())?,
            agent: agent_url(&config.agent, environment_variable),
            token: Secret::new(environment_variable("CONSUL_HTTP_TOKEN").unwrap_or_default()),
            queries: queries.collect(),
            turn: Turn::every(interval),
            has_failed: false,
            targets: Vec::new(),
        }))
    }

    /// Those that were found last.
    pub(in super::super) fn targets(&self) -> &[Target] {
        &self.targets
    }

    /// Asks anew once the time for it has come; keeps what there is if that fails.
    pub(in super::super) fn refresh_if_due(&mut self, now: std::time::Duration, log: &PluginLog) {
        let is_first = self.turn.last.is_none();
        if !self.turn.is_due(now) {
            return;
        }
        match self.ask(log) {
            Ok(targets) => {
                self.targets = targets;
                if std::mem::take(&mut self.has_failed) {
                    log.info("Successfully refreshed Consul services after previous errors");
                }
            }
            Err(error) => {
                let told = format!("Unable to refresh Consul services: {error}");
                match (is_first, std::mem::replace(&mut self.has_failed, true)) {
                    (true, _) => log.error(told),
                    (false, true) => log.debug(told),
                    (false, false) => log.warn(told),
                }
            }
        }
    }

    fn ask(&mut self, log: &PluginLog) -> Result<Vec<Target>, PluginError> {
        let mut targets = Vec::new();
        for query in &mut self.queries {
            let QueryConfig { name, tag, dc, .. } = &query.config;
            let mut pairs = Vec::new();
            if !dc.is_empty() {
                pairs.push(("dc", dc.as_str()));
            }
            if !tag.is_empty() {
                pairs.push(("tag", tag));
            }
            let url = Url::parse(&format!("{}/v1/catalog/service/{name}", self.agent))?;
            let mut request = Request::new("GET", url.with_query(encode_pairs(pairs)), b"");
            if !self.token.is_empty() {
                request.headers.set("X-Consul-Token", self.token.expose());
            }
            let response = self.client.send(&request)?;
            if response.status != 200 {
                let body = String::from_utf8_lossy(&response.body);
                let (status, body) = (response.status, body.trim());
                return Err(format!("Unexpected response code: {status} ({body})").into());
            }
            let services: Vec<Map<String, Value>> = serde_json::from_slice(&response.body)?;
            log.debug(format_args!(
                "Queried Consul for Service ({name}, {tag}) and found {} instances",
                services.len()
            ));
            query.add_targets(services, &mut targets, log);
        }
        Ok(targets)
    }
}

impl Query {
    fn new(config: &QueryConfig, system: &System, log: &PluginLog) -> Option<Query> {
        let url = match Template::new("URL", &config.url, Library::Standard, system) {
            Ok(template) => template,
            Err(error) => {
                log.error(format_args!(
                    "Could not parse the Consul query URL template ({}), skipping it. Error: \
                     {error}",
                    config.url
                ));
                return None;
            }
        };
        let mut tags = Vec::with_capacity(config.tags.len());
        for (name, text) in &config.tags {
            match Template::new(name, text, Library::Joining, system) {
                Ok(template) => tags.push((name.clone(), template)),
                Err(error) => log.error(format_args!(
                    "Could not parse the Consul query Extra Tag template ({text}), skipping it. \
                     Error: {error}"
                )),
            }
        }
        Some(Query { config: config.clone(), url, tags, has_failed: false })
    }

    /// Adds the target of each service, up to the first for which the templates make none.
    fn add_targets(
        &mut self,
        services: Vec<Map<String, Value>>,
        targets: &mut Vec<Target>,
        log: &PluginLog,
    ) {
        let QueryConfig { name, tag, .. } = &self.config;
        for service in services {
            match self.target(&with_all_parts(service)) {
                Ok(target) => {
                    if std::mem::take(&mut self.has_failed) {
                        log.info(format_args!(
                            "Created scrape URLs from Consul for Service ({name}, {tag})"
                        ));
                    }
                    targets.push(target);
                }
                Err(error) => {
                    let told = format!(
                        "Unable to get scrape URLs from Consul for Service ({name}, {tag}): {error}"
                    );
                    match std::mem::replace(&mut self.has_failed, true) {
                        true => log.debug(told),
                        false => log.warn(told),
                    }
                    return;
                }
            }
        }
    }

    fn target(&self, service: &Value) -> Result<Target, PluginError> {
        let fill = |template: &Template| {
            let mut text = String::new();
            template.fill_record(service, &mut text).map(|()| text)
        };
        let mut target = Target::of_url(&fill(&self.url)?)?;
        for (name, template) in &self.tags {
            target.tags.push((name.clone(), fill(template)?));
        }
        Ok(target)
    }
}

/// The service with those parts too that the catalog leaves out because they are empty.
fn with_all_parts(service: Map<String, Value>) -> Value {
    let empty = json!({
        "ID": "", "Node": "", "Address": "", "Datacenter": "", "TaggedAddresses": {},
        "NodeMeta": {}, "ServiceID": "", "ServiceName": "", "ServiceAddress": "",
        "ServiceTaggedAddresses": {}, "ServiceTags": [], "ServiceMeta": {}, "ServicePort": 0,
        "ServiceWeights": {"Passing": 0, "Warning": 0}, "ServiceEnableTagOverride": false,
        "CreateIndex": 0, "ModifyIndex": 0, "Checks": [], "Namespace": "", "Partition": "",
    });
    let mut parts = match empty {
        Value::Object(parts) => parts,
        _ => Map::new(),
    };
    parts.extend(service.into_iter().filter(|(_, value)| !value.is_null()));
    Value::Object(parts)
}

/// The address of the catalog, as the option or the environment has it.
fn agent_url(option: &str, variable: impl Fn(&str) -> Option<String>) -> String {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty());
    let agent = match option {
        "" => set("CONSUL_HTTP_ADDR").unwrap_or_else(|| DEFAULT_AGENT.to_owned()),
        agent => agent.to_owned(),
    };
    let agent = agent.trim_end_matches('/');
    if agent.contains("://") {
        return agent.to_owned();
    }
    let is_encrypted = set("CONSUL_HTTP_SSL").is_some_and(|on| matches!(on.as_str(), "1" | "true"));
    format!("{}://{agent}", if is_encrypted { "https" } else { "http" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::ServerResponse;
    use crate::http::recorder::Recorder;

    fn config(agent: &str, url: &str) -> Config {
        let tags = [("host", "{{.Node}}"), ("all", "{{join .ServiceTags \"+\"}}"), ("bad", "{{")];
        let tags = tags.map(|(name, text)| (name.to_owned(), text.to_owned())).into();
        let (name, tag, dc) = ("web".to_owned(), "t".to_owned(), "d 1".to_owned());
        Config {
            enabled: true,
            agent: agent.to_owned(),
            query: vec![QueryConfig { name, tag, dc, url: url.to_owned(), tags }],
            ..Config::default()
        }
    }

    const URL: &str = "http://{{if ne .ServiceAddress \"\"}}{{.ServiceAddress}}{{else}}\
        {{.Address}}{{end}}:{{.ServicePort}}/{{with .ServiceMeta.path}}{{.}}{{else}}m{{end}}";

    #[test]
    fn services_of_the_catalog_are_targets() {
        let server = Recorder::start(|_| {
            let text = r#"[{"Node":"n1","Address":"10.0.0.1","ServicePort":80,"ServiceTags":["a","b"],
                "ServiceMeta":{"path":"x"}},
               {"Node":"n2","Address":"10.0.0.2","ServiceAddress":"s","ServicePort":81,
                "ServiceMeta":null}]"#;
            ServerResponse::with_body(200, "application/json", text)
        });
        let log = PluginLog::new("inputs.prometheus");
        let mut consul =
            Consul::new(&config(&server.url, URL), &System::real(), &log).unwrap().unwrap();
        let seconds = std::time::Duration::from_secs;
        [0, 299].iter().for_each(|at| consul.refresh_if_due(seconds(*at), &log));
        let requests = server.take();
        assert_eq!(requests.len(), 1);
        assert_eq!(requests[0].line(), "GET /v1/catalog/service/web?dc=d 1&tag=t");
        let shown: Vec<_> = consul
            .targets()
            .iter()
            .map(|target| (target.shown.as_str(), target.tags.clone()))
            .collect();
        let tags = |all: &str, host: &str| {
            [("all", all), ("host", host)].map(|(k, v)| (k.to_owned(), v.to_owned())).to_vec()
        };
        assert_eq!(
            shown,
            [("http://10.0.0.1:80/x", tags("a+b", "n1")), ("http://s:81/m", tags("", "n2"))]
        );
        consul.refresh_if_due(seconds(300), &log);
        assert_eq!(server.take().len(), 1);
    }

    #[test]
    fn what_was_found_is_kept_while_the_catalog_fails() {
        let is_down = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let down = is_down.clone();
        let server =
            Recorder::start(move |_| match down.load(std::sync::atomic::Ordering::SeqCst) {
                true => ServerResponse::with_body(500, "text/plain", "no leader\n"),
                false => {
                    ServerResponse::with_body(200, "application/json", "[{\"Address\":\"a\"}]")
                }
            });
        let log = PluginLog::new("inputs.prometheus");
        let config = config(&server.url, "http://{{.Address}}");
        let mut consul = Consul::new(&config, &System::real(), &log).unwrap().unwrap();
        consul.refresh_if_due(std::time::Duration::ZERO, &log);
        is_down.store(true, std::sync::atomic::Ordering::SeqCst);
        let error = consul.ask(&log).unwrap_err().to_string();
        assert_eq!(error, "Unexpected response code: 500 (no leader)");
        consul.refresh_if_due(std::time::Duration::from_secs(300), &log);
        assert!(consul.has_failed);
        assert_eq!(consul.targets().len(), 1);
    }

    #[test]
    fn the_agent_is_where_the_option_or_the_environment_says() {
        for (option, variables, expected) in [
            ("", &[][..], "http://127.0.0.1:8500"),
            ("h:1", &[], "http://h:1"),
            ("https://h:1/", &[("CONSUL_HTTP_ADDR", "x")], "https://h:1"),
            ("", &[("CONSUL_HTTP_ADDR", "x:1"), ("CONSUL_HTTP_SSL", "true")], "https://x:1"),
        ] {
            let variable = |name: &str| {
                variables.iter().find(|(key, _)| *key == name).map(|(_, v)| (*v).to_owned())
            };
            assert_eq!(agent_url(option, variable), expected);
        }
    }

    #[test]
    fn there_is_none_unless_it_is_enabled_and_has_queries() {
        let log = PluginLog::new("inputs.prometheus");
        let none = Config { enabled: true, ..Config::default() };
        assert!(Consul::new(&none, &System::real(), &log).unwrap().is_none());
        let off = Config { enabled: false, ..config("a", "http://h") };
        assert!(Consul::new(&off, &System::real(), &log).unwrap().is_none());
        let wrong = Consul::new(&config("a", "{{"), &System::real(), &log).unwrap().unwrap();
        assert!(wrong.queries.is_empty());
    }
}
