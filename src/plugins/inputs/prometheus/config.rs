//! The options of `inputs.prometheus`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::discovery::{self, Discovery};
use super::{Prometheus, RequestMetrics, Scraper};
use crate::http::{Client, Headers, USER_AGENT};
use crate::plugin::http_options::{HttpClientOptions, TlsOptions};
use crate::plugin::settings::{Data, SecretOption, Size};
use crate::plugin::{Build, BuildError, Context, Input};

/// The forms that are understood.
const ACCEPT: &str = "text/plain;version=0.0.4,*/*;q=0.1";

/// Options that matter only to pods of Kubernetes, which are not looked for.
const OPTIONS_OF_PODS: [&str; 17] = [
    "monitor_kubernetes_pods_method",
    "monitor_kubernetes_pods_scheme",
    "monitor_kubernetes_pods_port",
    "monitor_kubernetes_pods_path",
    "monitor_kubernetes_pods_namespace",
    "pod_scrape_scope",
    "node_ip",
    "pod_scrape_interval",
    "pod_namespace_label_name",
    "kube_config",
    "kubernetes_label_selector",
    "kubernetes_field_selector",
    "pod_annotation_include",
    "pod_annotation_exclude",
    "pod_label_include",
    "pod_label_exclude",
    "cache_refresh_interval",
];

/// The settings of the input.
#[derive(Clone, Deserialize, Serialize)]
#[serde(default)]
pub struct Config {
    urls: Vec<String>,
    metric_version: i64,
    url_tag: String,
    ignore_timestamp: bool,
    content_type_override: String,
    kubernetes_services: Vec<String>,
    content_length_limit: Size,
    bearer_token: String,
    bearer_token_string: SecretOption,
    username: SecretOption,
    password: SecretOption,
    http_headers: BTreeMap<String, String>,
    enable_request_metrics: bool,
    http_service_discovery: discovery::Config,
    #[serde(skip_serializing)]
    monitor_kubernetes_pods: bool,
    #[serde(skip_serializing)]
    namespace_annotation_pass: BTreeMap<String, Vec<String>>,
    #[serde(skip_serializing)]
    namespace_annotation_drop: BTreeMap<String, Vec<String>>,
    #[serde(skip_serializing)]
    consul: BTreeMap<String, serde_json::Value>,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            urls: Vec::new(),
            metric_version: 1,
            url_tag: "url".to_owned(),
            ignore_timestamp: false,
            content_type_override: String::new(),
            kubernetes_services: Vec::new(),
            content_length_limit: Size::from_bytes(0),
            bearer_token: String::new(),
            bearer_token_string: SecretOption::default(),
            username: SecretOption::default(),
            password: SecretOption::default(),
            http_headers: BTreeMap::new(),
            enable_request_metrics: false,
            http_service_discovery: discovery::Config::default(),
            monitor_kubernetes_pods: false,
            namespace_annotation_pass: BTreeMap::new(),
            namespace_annotation_drop: BTreeMap::new(),
            consul: BTreeMap::new(),
        }
    }
}

impl Build<dyn Input> for Config {
    fn build(self, context: &Context<'_>) -> Result<Box<dyn Input>, BuildError> {
        context.settings().accept(&OPTIONS_OF_PODS);
        self.check()?;
        let options: HttpClientOptions = context.settings().read()?;
        let mut settings = options.settings(&context.settings().read::<TlsOptions>()?, context)?;
        match self.content_length_limit.bytes() {
            0 => {}
            bytes => settings.max_body_bytes = usize::try_from(bytes).unwrap_or(usize::MAX),
        }
        let clock = context.system.clock.clone();
        let version = if self.metric_version == 0 { 1 } else { self.metric_version };
        let parser = context.fixed_parser(
            "prometheus",
            [
                ("prometheus_metric_version", Data::Integer(version)),
                ("prometheus_ignore_timestamp", Data::Boolean(self.ignore_timestamp)),
            ],
        )?;
        Ok(Box::new(Prometheus {
            scraper: Scraper {
                client: Client::new(settings, clock).map_err(BuildError::invalid)?,
                headers: self.headers(),
                token: context.secret(&self.bearer_token_string)?,
                credentials: context.credentials(&self.username, &self.password)?,
                token_file: self.bearer_token,
                system: context.system.clone(),
            },
            parser,
            urls: self.urls,
            services: self.kubernetes_services,
            discovery: self
                .http_service_discovery
                .enabled
                .then(|| Discovery::new(&self.http_service_discovery)),
            url_tag: self.url_tag,
            request_metrics: match self.enable_request_metrics {
                true => RequestMetrics::Reported,
                false => RequestMetrics::Left,
            },
            statistics: context.statistics.clone(),
            system: context.system.clone(),
            log: context.log.clone(),
        }))
    }
}

impl Config {
    /// Refuses what cannot be done, rather than doing something else.
    fn check(&self) -> Result<(), BuildError> {
        if self.monitor_kubernetes_pods {
            return Err(BuildError::invalid(
                "monitor_kubernetes_pods is not supported: pods are not looked for; name them in \
                 urls, or let http_service_discovery name them",
            ));
        }
        if self.consul.get("enabled").is_some_and(|enabled| enabled == true) {
            return Err(BuildError::invalid(
                "consul is not supported: name the services in urls, or let \
                 http_service_discovery name them",
            ));
        }
        match self.content_type_override.as_str() {
            "" | "text" => Ok(()),
            other @ ("protobuf-delimiter"
            | "protobuf-compact"
            | "protobuf-text"
            | "openmetrics-text"
            | "openmetrics-protobuf") => Err(BuildError::invalid(format!(
                "content_type_override {other:?} is not supported: only \"text\" is understood"
            ))),
            other => Err(BuildError::invalid(format!(
                "invalid 'content_type_override' setting {other:?}"
            ))),
        }
    }

    fn headers(&self) -> Headers {
        let mut headers = Headers::new();
        headers.set("User-Agent", USER_AGENT);
        headers.set("Accept", ACCEPT);
        self.http_headers.iter().for_each(|(name, value)| headers.set(name, value));
        headers
    }
}
