//! The options of `inputs.http_listener_v2`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;

use serde::{Deserialize, Serialize};

use super::{DataSource, HttpListener, Receiver, Rules};
use crate::http::{BasicAuth, ListenAddress, ServerSettings};
use crate::plugin::http_options::{ServerTlsOptions, headers, parse_url};
use crate::plugin::settings::{Duration, Size};
use crate::plugin::{Build, BuildError, Context, Input};
use crate::system::Secret;

/// Shorter time-outs mean the default.
const SHORTEST_TIMEOUT: Duration = Duration::from_secs(1);
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
const DEFAULT_MAX_BODY_SIZE: Size = Size::from_bytes(500 << 20);

/// The settings of the input.
#[derive(Clone, Deserialize, Serialize)]
#[serde(default)]
pub struct Config {
    service_address: String,
    socket_mode: String,
    paths: Vec<String>,
    path_tag: bool,
    methods: Vec<String>,
    http_headers: BTreeMap<String, String>,
    http_success_code: u16,
    read_timeout: Duration,
    write_timeout: Duration,
    max_body_size: Size,
    data_source: String,
    basic_username: String,
    basic_password: String,
    http_header_tags: BTreeMap<String, String>,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            service_address: ":8080".to_owned(),
            socket_mode: String::new(),
            paths: vec!["/telegraf".to_owned()],
            path_tag: false,
            methods: vec!["POST".to_owned(), "PUT".to_owned()],
            http_headers: BTreeMap::new(),
            http_success_code: 204,
            read_timeout: DEFAULT_TIMEOUT,
            write_timeout: DEFAULT_TIMEOUT,
            max_body_size: DEFAULT_MAX_BODY_SIZE,
            data_source: "body".to_owned(),
            basic_username: String::new(),
            basic_password: String::new(),
            http_header_tags: BTreeMap::new(),
        }
    }
}

impl Build<dyn Input> for Config {
    fn build(self, context: &Context<'_>) -> Result<Box<dyn Input>, BuildError> {
        let tls: ServerTlsOptions = context.settings().read()?;
        let limit = |limit: Duration| {
            Some(if limit < SHORTEST_TIMEOUT { DEFAULT_TIMEOUT } else { limit }.to_std())
        };
        Ok(Box::new(HttpListener {
            address: self.address()?,
            settings: ServerSettings {
                read_timeout: limit(self.read_timeout),
                write_timeout: limit(self.write_timeout),
                ..ServerSettings::default()
            },
            tls: tls.server()?,
            receiver: Some(Receiver {
                rules: self.rules(),
                parser: Mutex::new(context.parser("influx")?),
            }),
            system: context.system.clone(),
            log: context.log.clone(),
            server: None,
        }))
    }
}

impl Config {
    fn address(&self) -> Result<ListenAddress, BuildError> {
        let text = match self.service_address.contains("://") {
            true => self.service_address.clone(),
            false => format!("tcp://{}", self.service_address),
        };
        let url = parse_url("service_address", &text)?;
        match url.scheme.as_str() {
            "tcp" => Ok(ListenAddress::Tcp(url.address())),
            "unix" => Ok(ListenAddress::Unix(PathBuf::from(url.decoded_path()), self.mode()?)),
            other => Err(BuildError::invalid(format!("unknown protocol {other:?}"))),
        }
    }

    fn mode(&self) -> Result<Option<u32>, BuildError> {
        match self.socket_mode.as_str() {
            "" => Ok(None),
            mode => u32::from_str_radix(mode, 8).map(Some).map_err(|_| {
                BuildError::invalid(format!(
                    "converting socket mode failed: {mode:?} is no octal number such as \"770\""
                ))
            }),
        }
    }

    fn rules(self) -> Rules {
        let has_auth = !self.basic_username.is_empty() && !self.basic_password.is_empty();
        Rules {
            paths: self.paths,
            path_tag: self.path_tag,
            methods: self.methods,
            response_headers: headers(&self.http_headers),
            data_source: match self.data_source.to_lowercase().as_str() {
                "query" => DataSource::Query,
                _ => DataSource::Body,
            },
            max_body_bytes: match self.max_body_size.bytes() {
                0 => usize::try_from(DEFAULT_MAX_BODY_SIZE.bytes()).unwrap_or(usize::MAX),
                bytes => usize::try_from(bytes).unwrap_or(usize::MAX),
            },
            success_status: match self.http_success_code {
                0 => 204,
                status => status,
            },
            auth: has_auth.then(|| BasicAuth {
                username: self.basic_username,
                password: Secret::new(self.basic_password),
                realm: String::new(),
            }),
            header_tags: self.http_header_tags.into_iter().collect(),
        }
    }
}
