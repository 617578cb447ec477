//! The options of `outputs.prometheus_client`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};

use super::networks::Networks;
use super::own_process::OwnProcess;
use super::site::Site;
use super::version_1::Version1;
use super::version_2::Version2;
use super::{PrometheusClient, Samples};
use crate::http::{ListenAddress, ServerSettings};
use crate::plugin::exposition::{
    Characters, Conversion, MetricTypes, StringFields, Times, TypesByName,
};
use crate::plugin::http_options::{ServerTlsOptions, parse_url};
use crate::plugin::settings::{Duration, SecretOption};
use crate::plugin::{Build, BuildError, Context, Output, Quoted};

/// Shorter time-outs mean the default.
const SHORTEST_TIMEOUT: Duration = Duration::from_secs(1);
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
const DEFAULT_PATH: &str = "/metrics";

/// The settings of the output.
#[derive(Clone, Deserialize, Serialize)]
#[serde(default)]
pub struct Config {
    listen: String,
    read_timeout: Duration,
    write_timeout: Duration,
    metric_version: i64,
    basic_username: String,
    basic_password: SecretOption,
    ip_range: Vec<String>,
    path: String,
    expiration_interval: Duration,
    collectors_exclude: Vec<String>,
    string_as_label: bool,
    export_timestamp: bool,
    name_sanitization: String,
    http_headers: BTreeMap<String, SecretOption>,
    metric_types: MetricTypes,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            listen: ":9273".to_owned(),
            read_timeout: DEFAULT_TIMEOUT,
            write_timeout: DEFAULT_TIMEOUT,
            metric_version: 1,
            basic_username: String::new(),
            basic_password: SecretOption::default(),
            ip_range: Vec::new(),
            path: DEFAULT_PATH.to_owned(),
            expiration_interval: Duration::from_secs(60),
            collectors_exclude: Vec::new(),
            string_as_label: true,
            export_timestamp: false,
            name_sanitization: "legacy".to_owned(),
            http_headers: BTreeMap::new(),
            metric_types: MetricTypes::default(),
        }
    }
}

impl Build<dyn Output> for Config {
    fn build(self, context: &Context<'_>) -> Result<Box<dyn Output>, BuildError> {
        let tls: ServerTlsOptions = context.settings().read()?;
        let limit = |limit: Duration| {
            Some(if limit < SHORTEST_TIMEOUT { DEFAULT_TIMEOUT } else { limit }.to_std())
        };
        let shows_process = !self.collectors_exclude.iter().any(|name| name == "process");
        let lifetime = self.expiration_interval.to_std();
        Ok(Box::new(PrometheusClient {
            address: listen_address(&self.listen)?,
            settings: ServerSettings {
                read_timeout: limit(self.read_timeout),
                write_timeout: limit(self.write_timeout),
                ..ServerSettings::default()
            },
            tls: tls.server()?,
            site: Arc::new(Site {
                path: self.url_path()?,
                samples: Mutex::new(self.samples()?),
                times: match self.export_timestamp {
                    true => Times::Written,
                    false => Times::LeftOut,
                },
                networks: Networks::parse(&self.ip_range).map_err(BuildError::invalid)?,
                username: self.basic_username,
                password: context.secret(&self.basic_password)?,
                headers: context.secret_headers(&self.http_headers)?,
                lifetime: (!lifetime.is_zero()).then_some(lifetime),
                own_process: shows_process.then(|| OwnProcess::new(context.system.host.clone())),
                clock: context.system.clock.clone(),
                log: context.log.clone(),
            }),
            log: context.log.clone(),
            server: None,
        }))
    }
}

impl Config {
    fn url_path(&self) -> Result<String, BuildError> {
        match self.path.as_str() {
            "" => Ok(DEFAULT_PATH.to_owned()),
            path if path.starts_with('/') => Ok(path.to_owned()),
            path => Err(BuildError::invalid(format!(
                "invalid path {}: it must begin with \"/\"",
                Quoted::new(path)
            ))),
        }
    }

    fn samples(&self) -> Result<Box<dyn Samples>, BuildError> {
        let characters = Characters::parse(&self.name_sanitization).ok_or_else(|| {
            BuildError::invalid(format!(
                "invalid name_sanitization {}: must be \"legacy\" or \"utf8\"",
                Quoted::new(&self.name_sanitization)
            ))
        })?;
        let strings = match self.string_as_label {
            true => StringFields::Labels,
            false => StringFields::Dropped,
        };
        let types = TypesByName::new(&self.metric_types)?;
        let conversion = Conversion { characters, strings, types };
        // Any other number is the first version, too.
        Ok(match self.metric_version {
            2 => Box::new(Version2::new(conversion)),
            _ => Box::new(Version1::new(conversion)),
        })
    }
}

/// Where to listen; what is no URL is an address as it stands.
fn listen_address(text: &str) -> Result<ListenAddress, BuildError> {
    if !text.contains("://") {
        return Ok(ListenAddress::Tcp(text.to_owned()));
    }
    let url = parse_url("listen", text)?;
    match url.scheme.to_ascii_lowercase().as_str() {
        scheme @ ("vsock" | "unix") => {
            Err(BuildError::invalid(format!("listen: cannot listen at {scheme} addresses")))
        }
        _ => Ok(ListenAddress::Tcp(url.address())),
    }
}
