//! The options of `inputs.influxdb_listener`.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::InfluxdbListener;
use super::door::{Auth, Door, Precisions};
use super::statistics::Counters;
use crate::http::{BasicAuth, ServerSettings, TokenAuth};
use crate::plugin::http_options::ServerTlsOptions;
use crate::plugin::settings::{Duration, Size};
use crate::plugin::{Build, BuildError, Context, Input};
use crate::system::Secret;

/// Shorter time-outs mean the default.
const SHORTEST_TIMEOUT: Duration = Duration::from_secs(1);
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
const DEFAULT_MAX_BODY_SIZE: Size = Size::from_bytes(32 << 20);

/// The settings of the input.
#[derive(Clone, Deserialize, Serialize)]
#[serde(default)]
pub struct Config {
    service_address: String,
    read_timeout: Duration,
    write_timeout: Duration,
    max_body_size: Size,
    basic_username: String,
    basic_password: String,
    token_shared_secret: String,
    token_username: String,
    database_tag: String,
    retention_policy_tag: String,
    parser_type: String,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            service_address: ":8186".to_owned(),
            read_timeout: DEFAULT_TIMEOUT,
            write_timeout: DEFAULT_TIMEOUT,
            max_body_size: DEFAULT_MAX_BODY_SIZE,
            basic_username: String::new(),
            basic_password: String::new(),
            token_shared_secret: String::new(),
            token_username: String::new(),
            database_tag: String::new(),
            retention_policy_tag: String::new(),
            parser_type: "internal".to_owned(),
        }
    }
}

impl Build<dyn Input> for Config {
    fn build(self, context: &Context<'_>) -> Result<Box<dyn Input>, BuildError> {
        let tls: ServerTlsOptions = context.settings().read()?;
        let limit = |limit: Duration| {
            Some(if limit < SHORTEST_TIMEOUT { DEFAULT_TIMEOUT } else { limit }.to_std())
        };
        let max_body_bytes = match self.max_body_size.bytes() {
            0 => DEFAULT_MAX_BODY_SIZE.bytes(),
            bytes => bytes,
        };
        let door = Door {
            auth: self.auth()?,
            max_body_bytes: usize::try_from(max_body_bytes).unwrap_or(usize::MAX),
            precisions: match self.parser_type.as_str() {
                "upstream" => Precisions::UpToSeconds,
                _ => Precisions::UpToHours,
            },
            database_tag: self.database_tag,
            retention_policy_tag: self.retention_policy_tag,
            counters: Counters::new(&context.statistics, &self.service_address),
            clock: context.system.clock.clone(),
        };
        Ok(Box::new(InfluxdbListener {
            service_address: self.service_address,
            settings: ServerSettings {
                read_timeout: limit(self.read_timeout),
                write_timeout: limit(self.write_timeout),
                ..ServerSettings::default()
            },
            tls: tls.server()?,
            door: Arc::new(door),
            system: context.system.clone(),
            log: context.log.clone(),
            server: None,
        }))
    }
}

impl Config {
    fn auth(&self) -> Result<Auth, BuildError> {
        let basic = !self.basic_username.is_empty() || !self.basic_password.is_empty();
        match (self.token_shared_secret.is_empty(), self.token_username.is_empty()) {
            (true, true) => Ok(Auth::Basic(BasicAuth {
                username: self.basic_username.clone(),
                password: Secret::new(&self.basic_password),
                realm: "influxdb".to_owned(),
            })),
            _ if basic => {
                Err(BuildError::invalid("cannot use basic-auth and tokens at the same time"))
            }
            (false, false) => Ok(Auth::Token(TokenAuth {
                secret: Secret::new(&self.token_shared_secret),
                username: self.token_username.clone(),
            })),
            _ => Err(BuildError::invalid(
                "neither 'token_shared_secret' nor 'token_username' can be empty for token \
                 authentication",
            )),
        }
    }
}
