//! The options of `inputs.prometheus`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::discovery::consul::{self, Consul};
use super::discovery::http::{self, Discovery};
use super::discovery::kubernetes::{PodOptions, Pods};
use super::{Prometheus, RequestMetrics, Scraper};
use crate::http::{Client, Headers, USER_AGENT};
use crate::plugin::http_options::{HttpClientOptions, TlsOptions};
use crate::plugin::settings::{Data, SecretOption, Size};
use crate::plugin::{Build, BuildError, Context, Input};

/// The forms that are understood.
const ACCEPT: &str = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;\
                      encoding=delimited;q=0.7,text/plain;version=0.0.4;q=0.3";

const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const BINARY: &str =
    "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited";

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
    http_service_discovery: http::Config,
    consul: consul::Config,
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
            http_service_discovery: http::Config::default(),
            consul: consul::Config::default(),
        }
    }
}

impl Build<dyn Input> for Config {
    fn build(self, context: &Context<'_>) -> Result<Box<dyn Input>, BuildError> {
        let content_type = self.content_type()?;
        let pods: PodOptions = context.settings().read()?;
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
            content_type,
            urls: self.urls,
            services: self.kubernetes_services,
            discovery: self
                .http_service_discovery
                .enabled
                .then(|| Discovery::new(&self.http_service_discovery)),
            consul: Consul::new(&self.consul, &context.system, &context.log)
                .map_err(BuildError::invalid)?,
            pods: Pods::new(&pods, &context.system)?,
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
    /// What answers are taken for, whatever they say they are; nothing to take their word.
    fn content_type(&self) -> Result<Option<&'static str>, BuildError> {
        match self.content_type_override.as_str() {
            "" => Ok(None),
            // The other two written forms are read like the text format, as in the original.
            "text" | "protobuf-compact" | "protobuf-text" => Ok(Some(TEXT)),
            "protobuf-delimiter" => Ok(Some(BINARY)),
            "openmetrics-text" => Ok(Some(OPENMETRICS)),
            other @ "openmetrics-protobuf" => Err(BuildError::invalid(format!(
                "content_type_override {other:?} is not supported: of OpenMetrics only the text is \
                 understood"
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
