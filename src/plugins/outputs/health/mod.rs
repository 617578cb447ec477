//! Tells over HTTP whether metrics are as they should be.
//!
//! # References
//! Telegraf's `outputs.health`.

mod checks;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration as Span;

use serde::{Deserialize, Serialize};

use crate::http::tls::ServerTls;
use crate::http::{
    BasicAuth, Incoming, ListenAddress, Server, ServerResponse, ServerSettings, USER_AGENT, reason,
};
use crate::metric::Metric;
use crate::plugin::http_options::{ServerTlsOptions, parse_url};
use crate::plugin::settings::Duration;
use crate::plugin::{
    Build, BuildError, ConnectError, Context, Declaration, Output, PluginError, PluginLog,
    WriteError,
};
use crate::system::Clock;
use crate::system::Secret;

pub use checks::{Compares, Contains};

/// The output as the table lists it.
pub static PLUGIN: Declaration<dyn Output> =
    Declaration::sharing::<Config, ServerTlsOptions>("health", include_str!("sample.conf"));

/// The settings of the output.
#[derive(Clone, Deserialize, Serialize)]
#[serde(default)]
pub struct Config {
    service_address: String,
    read_timeout: Duration,
    write_timeout: Duration,
    basic_username: String,
    basic_password: String,
    compares: Vec<Compares>,
    contains: Vec<Contains>,
    max_time_between_metrics: Duration,
    default_status: u16,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            service_address: "tcp://:8080".to_owned(),
            read_timeout: Duration::from_secs(5),
            write_timeout: Duration::from_secs(5),
            basic_username: String::new(),
            basic_password: String::new(),
            compares: Vec::new(),
            contains: Vec::new(),
            max_time_between_metrics: Duration::ZERO,
            default_status: 200,
        }
    }
}

impl Build<dyn Output> for Config {
    fn build(self, context: &Context<'_>) -> Result<Box<dyn Output>, BuildError> {
        let tls: ServerTlsOptions = context.settings().read()?;
        let default_status = match self.default_status {
            0 => 200,
            status if reason(status).is_empty() || status < 200 => {
                return Err(BuildError::invalid(format!(
                    "invalid default HTTP status code {status}"
                )));
            }
            status => status,
        };
        let limit = |limit: Duration| Some(limit.to_std()).filter(|limit| !limit.is_zero());
        let clock = context.system.clock.clone();
        Ok(Box::new(Health {
            address: listen_address(&self.service_address)?,
            tls: tls.server()?,
            settings: ServerSettings {
                read_timeout: limit(self.read_timeout),
                write_timeout: limit(self.write_timeout),
                ..ServerSettings::default()
            },
            judge: Arc::new(Judge {
                auth: BasicAuth {
                    username: self.basic_username,
                    password: Secret::new(self.basic_password),
                    realm: "health".to_owned(),
                },
                default_status,
                longest_silence: limit(self.max_time_between_metrics),
                state: Mutex::new(State { last_write: clock.elapsed(), is_healthy: None }),
                clock,
            }),
            compares: self.compares,
            contains: self.contains,
            log: context.log.clone(),
            server: None,
        }))
    }
}

fn listen_address(text: &str) -> Result<ListenAddress, BuildError> {
    let url = parse_url("service_address", text)?;
    match url.scheme.as_str() {
        "http" | "https" | "tcp" => Ok(ListenAddress::Tcp(url.address())),
        "tcp4" => Ok(ListenAddress::Tcp4(url.address())),
        "tcp6" => Ok(ListenAddress::Tcp6(url.address())),
        "unix" => Ok(ListenAddress::Unix(PathBuf::from(url.decoded_path()), None)),
        _ => Err(BuildError::invalid(
            "service_address contains invalid scheme: it must be http, https, tcp, tcp4, tcp6 or \
             unix",
        )),
    }
}

/// An output that answers how things are.
struct Health {
    address: ListenAddress,
    /// Given to the server when it starts.
    tls: Option<ServerTls>,
    settings: ServerSettings,
    judge: Arc<Judge>,
    compares: Vec<Compares>,
    contains: Vec<Contains>,
    log: PluginLog,
    server: Option<Server>,
}

/// What is known about how things are; written by the output, read by the server.
struct Judge {
    auth: BasicAuth,
    /// What is answered as long as there was no metric.
    default_status: u16,
    /// After how long without metrics things are bad; never if absent.
    longest_silence: Option<Span>,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

struct State {
    /// In the clock's elapsed time.
    last_write: Span,
    /// What the checks came to, once there was something to check.
    is_healthy: Option<bool>,
}

impl Judge {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, request: &Incoming<'_>) -> ServerResponse {
        if let Some(refusal) = self.auth.refusal(request) {
            return refusal;
        }
        ServerResponse::status_line(self.status()).with_header("Server", USER_AGENT)
    }

    fn status(&self) -> u16 {
        let state = self.state();
        let silence = self.clock.elapsed().saturating_sub(state.last_write);
        if self.longest_silence.is_some_and(|longest| silence >= longest) {
            return 503;
        }
        match state.is_healthy {
            None => self.default_status,
            Some(true) => 200,
            Some(false) => 503,
        }
    }
}

impl Output for Health {
    fn connect(&mut self) -> Result<(), ConnectError> {
        let failed = |error: PluginError| ConnectError { retryable: true, source: error };
        let listener = self.address.listen().map_err(|error| failed(error.into()))?;
        let bound = listener.bound().map_err(|error| failed(error.into()))?;
        let scheme = match (&self.address, &self.tls) {
            (ListenAddress::Unix(..), _) => "unix",
            (_, Some(_)) => "https",
            (_, None) => "http",
        };
        self.judge.state().last_write = self.judge.clock.elapsed();
        let judge = self.judge.clone();
        let handler = move |request: &mut Incoming<'_>| judge.answer(request);
        let clock = self.judge.clock.clone();
        let server =
            Server::start(listener, self.settings.clone(), self.tls.take(), handler, clock)
                .map_err(|error| failed(error.into()))?;
        self.log.info(format_args!("Listening on {scheme}://{bound}"));
        self.server = Some(server);
        Ok(())
    }

    fn write(&mut self, batch: &[Metric]) -> Result<(), WriteError> {
        let is_healthy = self.compares.iter().all(|check| check.holds(batch))
            && self.contains.iter().all(|check| check.holds(batch));
        let last_write = self.judge.clock.elapsed();
        *self.judge.state() = State { last_write, is_healthy: Some(is_healthy) };
        Ok(())
    }

    fn close(&mut self) -> Result<(), PluginError> {
        self.server = None;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
