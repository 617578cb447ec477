//! Takes the values that programs send to a statsd server, and hands out what they come to.
//!
//! # References
//! Telegraf's `inputs.statsd`; Etsy's statsd for the protocol, Datadog's for the extensions.

mod cache;
mod config;
mod datadog;
mod line;
mod running_stats;
mod server;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::plugin::{
    Accumulator, Build, BuildError, Context, Declaration, Input, NameTemplates, PluginError,
    ServiceAccumulator, StartError, Statistics,
};
use crate::socket::{Listening, Network};
use crate::system::System;

use cache::Cache;
pub use config::Config;
pub use datadog::DatadogError;
pub use line::{LineError, RateError};
use server::{Counters, Datadog, Naming, Sanitizing, Server};

/// The field of values whose name says nothing of one.
const DEFAULT_FIELD: &str = "value";

/// The input as the table lists it.
pub static PLUGIN: Declaration<dyn Input> =
    Declaration::new::<Config>("statsd", include_str!("sample.conf"));

impl Build<dyn Input> for Config {
    fn build(self, context: &Context<'_>) -> Result<Box<dyn Input>, BuildError> {
        let separator = match self.metric_separator.as_str() {
            "" => "_",
            separator => separator,
        };
        let naming = Naming {
            templates: NameTemplates::new(&self.templates, separator)
                .map_err(BuildError::invalid)?,
            sanitizing: match self.sanitize_name_method.as_str() {
                "" => Sanitizing::None,
                "upstream" => Sanitizing::Upstream,
                other => {
                    return Err(BuildError::invalid(format!(
                        "unknown sanitize_name_method {other:?}; use \"upstream\" or nothing"
                    )));
                }
            },
            convert: self.convert_names,
        };
        let listen = self.listen_settings()?;
        let is_udp = matches!(listen.address.network, Network::Udp(_));
        Ok(Box::new(Statsd {
            naming: Arc::new(naming),
            is_udp,
            system: context.system.clone(),
            statistics: context.statistics.clone(),
            config: self,
            running: None,
        }))
    }
}

/// An input that is a statsd server.
struct Statsd {
    config: Config,
    naming: Arc<Naming>,
    is_udp: bool,
    system: System,
    statistics: Statistics,
    running: Option<Running>,
}

/// The server under way.
struct Running {
    /// Stops first.
    _listening: Listening,
    server: Arc<Server>,
}

impl Input for Statsd {
    fn start(&mut self, accumulator: ServiceAccumulator) -> Result<(), StartError> {
        let failed = |source| StartError { retryable: false, source };
        let config = &self.config;
        let log = accumulator.log().clone();
        let random = self.system.random.derive("inputs.statsd");
        let cache = Cache::new(config.cache_settings(), self.system.clock.clone(), random);
        let server = Arc::new(Server::new(
            cache,
            self.naming.clone(),
            Datadog::from_config(config),
            Counters::new(&self.statistics, config, self.is_udp),
            accumulator,
            self.system.clock.clone(),
        ));
        let settings = config.listen_settings().map_err(|error| failed(error.into()))?;
        let listening = Listening::start(settings, server.clone(), log.clone())
            .map_err(|error| failed(error.into()))?;
        let protocol = if self.is_udp { "UDP" } else { "TCP" };
        log.info(format_args!("{protocol} listening on {:?}", listening.local()));
        log.info(format_args!("Started the statsd service on {:?}", config.service_address));
        self.running = Some(Running { _listening: listening, server });
        Ok(())
    }

    fn gather(&mut self, accumulator: &mut Accumulator<'_>) -> Result<(), PluginError> {
        if let Some(running) = &self.running {
            running.server.gather(accumulator);
        }
        Ok(())
    }

    fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            let log = running.server.log().clone();
            log.info("Stopping the statsd service");
            drop(running);
            let address = &self.config.service_address;
            log.info(format_args!("Stopped listener service on {address:?}"));
        }
    }

    fn is_service(&self) -> bool {
        true
    }
}
