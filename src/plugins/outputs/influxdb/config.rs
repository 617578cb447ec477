//! The options of `outputs.influxdb`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::http::{HttpClient, WriteOptions};
use super::udp::UdpClient;
use super::{DatabaseCreation, InfluxDb, Routing, Server};
use crate::http::{ClientSettings, ContentEncoding, ProxyChoice, USER_AGENT, Url};
use crate::plugin::http_options::{TlsOptions, headers, local_address, parse_url};
use crate::plugin::secrets::LinkedCredentials;
use crate::plugin::settings::{Data, Duration, SecretOption, Size};
use crate::plugin::{Build, BuildError, Context, Output, Serializer};

const DEFAULT_URL: &str = "http://localhost:8086";
const DEFAULT_DATABASE: &str = "telegraf";
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);
const DEFAULT_UDP_PAYLOAD: Size = Size::from_bytes(512);

/// The settings of the output.
#[derive(Clone, Deserialize, Serialize)]
#[serde(default)]
pub struct Config {
    urls: Vec<String>,
    local_address: String,
    database: String,
    database_tag: String,
    exclude_database_tag: bool,
    skip_database_creation: bool,
    retention_policy: String,
    retention_policy_tag: String,
    exclude_retention_policy_tag: bool,
    write_consistency: String,
    timeout: Duration,
    username: SecretOption,
    password: SecretOption,
    user_agent: String,
    udp_payload: Size,
    http_proxy: String,
    http_headers: BTreeMap<String, String>,
    content_encoding: String,
    influx_uint_support: bool,
    influx_omit_timestamp: bool,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            urls: vec![DEFAULT_URL.to_owned()],
            local_address: String::new(),
            database: DEFAULT_DATABASE.to_owned(),
            database_tag: String::new(),
            exclude_database_tag: false,
            skip_database_creation: false,
            retention_policy: String::new(),
            retention_policy_tag: String::new(),
            exclude_retention_policy_tag: false,
            write_consistency: String::new(),
            timeout: DEFAULT_TIMEOUT,
            username: SecretOption::default(),
            password: SecretOption::default(),
            user_agent: String::new(),
            udp_payload: DEFAULT_UDP_PAYLOAD,
            http_proxy: String::new(),
            http_headers: BTreeMap::new(),
            content_encoding: "gzip".to_owned(),
            influx_uint_support: false,
            influx_omit_timestamp: false,
        }
    }
}

impl Build<dyn Output> for Config {
    fn build(mut self, context: &Context<'_>) -> Result<Box<dyn Output>, BuildError> {
        if self.urls.is_empty() {
            self.urls.push(DEFAULT_URL.to_owned());
        }
        if self.database.is_empty() {
            self.database = DEFAULT_DATABASE.to_owned();
        }
        let tls: TlsOptions = context.settings().read()?;
        let servers = self
            .urls
            .iter()
            .map(|url| self.server(url, &tls, context))
            .collect::<Result<_, _>>()?;
        let name = context.log.name();
        let tags: Vec<_> = match name.split_once("::") {
            Some((_, alias)) => vec![("output", "influxdb"), ("alias", alias)],
            None => vec![("output", "influxdb")],
        };
        Ok(Box::new(InfluxDb {
            servers,
            serializer: self.serializer(context, None)?,
            creation: match self.skip_database_creation {
                true => DatabaseCreation::Never,
                false => DatabaseCreation::AsNeeded,
            },
            chance: context.system.random.derive(name),
            bytes_written: context.statistics.counter("write", "bytes_written", &tags),
            log: context.log.clone(),
            routing: Routing {
                database: self.database,
                database_tag: self.database_tag,
                exclude_database_tag: self.exclude_database_tag,
                retention_policy: self.retention_policy,
                retention_policy_tag: self.retention_policy_tag,
                exclude_retention_policy_tag: self.exclude_retention_policy_tag,
            },
        }))
    }
}

impl Config {
    fn serializer(
        &self,
        context: &Context<'_>,
        max_line_bytes: Option<i64>,
    ) -> Result<Box<dyn Serializer>, BuildError> {
        let mut options = vec![
            ("influx_uint_support", Data::Boolean(self.influx_uint_support)),
            ("influx_omit_timestamp", Data::Boolean(self.influx_omit_timestamp)),
        ];
        if let Some(bytes) = max_line_bytes {
            options.push(("influx_max_line_bytes", Data::Integer(bytes)));
        }
        context.fixed_serializer("influx", options)
    }

    fn server(
        &self,
        text: &str,
        tls: &TlsOptions,
        context: &Context<'_>,
    ) -> Result<Server, BuildError> {
        let url = parse_url("urls", text)?;
        match url.scheme.as_str() {
            "udp" | "udp4" | "udp6" => {
                let payload = match self.udp_payload.bytes() {
                    0 => DEFAULT_UDP_PAYLOAD.bytes(),
                    bytes => bytes,
                };
                let payload = i64::try_from(payload).unwrap_or(i64::MAX);
                let serializer = self.serializer(context, Some(payload))?;
                UdpClient::new(url, &self.local_address, serializer)
                    .map(|client| Server::Udp(Box::new(client)))
            }
            "http" | "https" | "unix" => {
                self.http_client(url, tls, context).map(|client| Server::Http(Box::new(client)))
            }
            scheme => {
                Err(BuildError::invalid(format!("unsupported scheme [{text:?}]: {scheme:?}")))
            }
        }
    }

    fn http_client(
        &self,
        url: Url,
        tls: &TlsOptions,
        context: &Context<'_>,
    ) -> Result<HttpClient, BuildError> {
        let timeout = match self.timeout.to_std() {
            zero if zero.is_zero() => DEFAULT_TIMEOUT.to_std(),
            timeout => timeout,
        };
        let settings = ClientSettings {
            timeout: Some(timeout),
            local_address: local_address(&self.local_address)?,
            unix_socket: (url.scheme == "unix").then(|| url.decoded_path()),
            proxy: match self.http_proxy.as_str() {
                "" => ProxyChoice::from_environment(),
                proxy => ProxyChoice::Fixed(parse_url("http_proxy", proxy)?),
            },
            tls: tls.settings()?,
            ..ClientSettings::default()
        };
        let mut all = headers(&self.http_headers);
        let agent = if self.user_agent.is_empty() { USER_AGENT } else { &self.user_agent };
        all.set("User-Agent", agent);
        let options = WriteOptions {
            credentials: match all.get("Authorization") {
                None => context.credentials(&self.username, &self.password)?,
                Some(_) => LinkedCredentials::default(),
            },
            headers: all,
            encoding: match self.content_encoding.as_str() {
                "" | "gzip" => ContentEncoding::Gzip,
                _ => ContentEncoding::Identity,
            },
            consistency: match self.write_consistency.as_str() {
                // What the server does where it is not told.
                "one" => String::new(),
                consistency => consistency.to_owned(),
            },
        };
        HttpClient::new(url, settings, options, context.system.clock.clone())
            .map_err(BuildError::invalid)
    }
}
