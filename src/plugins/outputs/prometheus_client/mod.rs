//! Shows what metrics are like to Prometheus, which comes and asks.
//!
//! # References
//! Telegraf's `outputs.prometheus_client`; Prometheus' Go library `client_golang`, packages
//! `prometheus` and `promhttp`, for what is answered.

mod config;
mod listing;
mod negotiation;
mod networks;
mod own_process;
mod site;
mod version_1;
mod version_2;

use std::sync::Arc;
use std::time::Duration as Span;

use crate::http::tls::ServerTls;
use crate::http::{Bound, Incoming, ListenAddress, Server, ServerSettings};
use crate::metric::Metric;
use crate::plugin::http_options::ServerTlsOptions;
use crate::plugin::{ConnectError, Declaration, Output, PluginError, PluginLog, WriteError};

pub use config::Config;
use listing::Listing;
use site::Site;

/// The output as the table lists it.
pub static PLUGIN: Declaration<dyn Output> = Declaration::sharing::<Config, ServerTlsOptions>(
    "prometheus_client",
    include_str!("sample.conf"),
);

/// What is known of metrics, as one of the two versions makes series of them.
trait Samples: Send {
    /// Takes a batch in that came at `now`, in the clock's elapsed time.
    fn add(&mut self, batch: &[Metric], now: Span);

    /// Forgets what came before `oldest`.
    fn forget_before(&mut self, oldest: Span);

    /// Puts all there is on a list.
    fn list<'s>(&'s self, listing: &mut Listing<'s>);
}

/// An output that answers those who ask.
struct PrometheusClient {
    address: ListenAddress,
    settings: ServerSettings,
    tls: Option<ServerTls>,
    site: Arc<Site>,
    log: PluginLog,
    server: Option<Server>,
}

impl Output for PrometheusClient {
    fn connect(&mut self) -> Result<(), ConnectError> {
        let failed = |error: PluginError| ConnectError { retryable: true, source: error };
        let listener = self.address.listen().map_err(|error| failed(error.into()))?;
        let bound = listener.bound().map_err(|error| failed(error.into()))?;
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let site = self.site.clone();
        let handler = move |request: &mut Incoming<'_>| site.answer(request);
        let clock = self.site.clock.clone();
        let server =
            Server::start(listener, self.settings.clone(), self.tls.clone(), handler, clock)
                .map_err(|error| failed(error.into()))?;
        self.log_address(scheme, &bound);
        self.server = Some(server);
        Ok(())
    }

    fn write(&mut self, batch: &[Metric]) -> Result<(), WriteError> {
        self.site.add(batch);
        Ok(())
    }

    fn close(&mut self) -> Result<(), PluginError> {
        self.server = None;
        Ok(())
    }
}

impl PrometheusClient {
    fn log_address(&self, scheme: &str, bound: &Bound) {
        self.log.info(format_args!("Listening on {scheme}://{bound}{}", self.site.path));
    }
}

#[cfg(test)]
mod tests;
