//! The options of `outputs.influxdb_v2`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::InfluxDb;
use super::encoder::Encoder;
use super::limiter::{Limit, Limiter};
use super::server::{Pause, RequestHeaders, Server};
use crate::http::{Client, ClientSettings, ContentEncoding, ProxyChoice, USER_AGENT, Url};
use crate::plugin::http_options::{TlsOptions, local_address, parse_url};
use crate::plugin::settings::{Data, Duration, SecretOption, Size};
use crate::plugin::{Build, BuildError, Context, Output};

const DEFAULT_URL: &str = "http://localhost:8086";

/// The settings of the output.
#[derive(Clone, Deserialize, Serialize)]
#[serde(default)]
pub struct Config {
    urls: Vec<String>,
    local_address: String,
    token: SecretOption,
    organization: String,
    bucket: String,
    bucket_tag: String,
    exclude_bucket_tag: bool,
    timeout: Duration,
    http_headers: BTreeMap<String, SecretOption>,
    http_proxy: String,
    user_agent: String,
    content_encoding: String,
    influx_uint_support: bool,
    influx_omit_timestamp: bool,
    ping_timeout: Duration,
    read_idle_timeout: Duration,
    rate_limit: Size,
    rate_limit_period: Duration,
    concurrent_writes: u64,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            urls: vec![DEFAULT_URL.to_owned()],
            local_address: String::new(),
            token: SecretOption::default(),
            organization: String::new(),
            bucket: String::new(),
            bucket_tag: String::new(),
            exclude_bucket_tag: false,
            timeout: Duration::from_secs(5),
            http_headers: BTreeMap::new(),
            http_proxy: String::new(),
            user_agent: String::new(),
            content_encoding: "gzip".to_owned(),
            influx_uint_support: false,
            influx_omit_timestamp: false,
            ping_timeout: Duration::ZERO,
            read_idle_timeout: Duration::ZERO,
            rate_limit: Size::from_bytes(0),
            rate_limit_period: Duration::ZERO,
            concurrent_writes: 1,
        }
    }
}

impl Build<dyn Output> for Config {
    fn build(mut self, context: &Context<'_>) -> Result<Box<dyn Output>, BuildError> {
        if self.urls.is_empty() {
            self.urls.push(DEFAULT_URL.to_owned());
        }
        let tls: TlsOptions = context.settings().read()?;
        let serializer = context.fixed_serializer(
            "influx",
            [
                ("influx_uint_support", Data::Boolean(self.influx_uint_support)),
                ("influx_omit_timestamp", Data::Boolean(self.influx_omit_timestamp)),
            ],
        )?;
        let servers = self
            .urls
            .iter()
            .map(|url| self.server(url, &tls, context))
            .collect::<Result<_, _>>()?;
        Ok(Box::new(InfluxDb {
            servers,
            concurrent_writes: usize::try_from(self.concurrent_writes).unwrap_or(usize::MAX).max(1),
            chance: context.system.random.derive(context.log.name()),
            log: context.log.clone(),
            encoder: Encoder {
                serializer,
                bucket: self.bucket,
                bucket_tag: self.bucket_tag,
                exclude_bucket_tag: self.exclude_bucket_tag,
            },
        }))
    }
}

impl Config {
    fn server(
        &self,
        text: &str,
        tls: &TlsOptions,
        context: &Context<'_>,
    ) -> Result<Server, BuildError> {
        let url = parse_url("urls", text)?;
        if !matches!(url.scheme.as_str(), "http" | "https" | "unix") {
            let scheme = &url.scheme;
            return Err(BuildError::invalid(format!("unsupported scheme [{text:?}]: {scheme:?}")));
        }
        let timeout = self.timeout.to_std();
        let settings = ClientSettings {
            timeout: (!timeout.is_zero()).then_some(timeout),
            max_idle_per_host: usize::try_from(self.concurrent_writes).unwrap_or(0).max(2),
            local_address: local_address(&self.local_address)?,
            unix_socket: (url.scheme == "unix").then(|| url.decoded_path()),
            proxy: match self.http_proxy.as_str() {
                "" => ProxyChoice::from_environment(),
                proxy => ProxyChoice::Fixed(parse_url("http_proxy", proxy)?),
            },
            tls: tls.settings()?,
            ..ClientSettings::default()
        };
        let clock = context.system.clock.clone();
        let mut query = url.query_pairs();
        query.retain(|(key, _)| key != "org" && key != "bucket");
        query.push(("org".to_owned(), self.organization.clone()));
        Ok(Server {
            url: write_url(url),
            query,
            headers: self.headers(context)?,
            encoding: match self.content_encoding.as_str() {
                "" | "gzip" => ContentEncoding::Gzip,
                "identity" => ContentEncoding::Identity,
                other => {
                    return Err(BuildError::invalid(format!("invalid content encoding {other:?}")));
                }
            },
            client: Client::new(settings, clock.clone()).map_err(BuildError::invalid)?,
            limiter: Limiter::new(self.limit()?, clock.clone()),
            pause: Pause::new(clock),
        })
    }

    fn headers(&self, context: &Context<'_>) -> Result<RequestHeaders, BuildError> {
        let given = context.secret_headers(&self.http_headers)?;
        Ok(RequestHeaders {
            agent: match (given.has("User-Agent"), self.user_agent.as_str()) {
                (true, _) => None,
                (false, "") => Some(USER_AGENT.to_owned()),
                (false, agent) => Some(agent.to_owned()),
            },
            token: match given.has("Authorization") {
                true => None,
                false => Some(context.secret(&self.token)?),
            },
            given,
        })
    }

    fn limit(&self) -> Result<Option<Limit>, BuildError> {
        match (self.rate_limit.bytes(), self.rate_limit_period.to_std()) {
            (0, _) => Ok(None),
            (_, period) if period.is_zero() => Err(BuildError::invalid(
                "invalid period for rate-limit: rate_limit wants a rate_limit_period above zero",
            )),
            (bytes, period) => Ok(Some(Limit { bytes, period })),
        }
    }
}

/// Where a server takes metrics.
fn write_url(url: Url) -> Url {
    let base = match url.scheme.as_str() {
        "unix" => Url {
            scheme: "http".to_owned(),
            host: "127.0.0.1".to_owned(),
            path: String::new(),
            ..url
        },
        _ => url,
    };
    base.joined("api/v2/write").with_query(String::new())
}
