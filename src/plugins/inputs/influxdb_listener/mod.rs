//! Takes metrics from those who think they write to InfluxDB 1.x.
//!
//! # References
//! Telegraf's `inputs.influxdb_listener`; the API of InfluxDB 1.8.

mod body;
mod config;
mod door;
mod statistics;

use std::sync::Arc;

use crate::http::tls::ServerTls;
use crate::http::{Incoming, ListenAddress, Server, ServerSettings};
use crate::plugin::http_options::ServerTlsOptions;
use crate::plugin::{
    Accumulator, Declaration, Input, PluginError, PluginLog, ServiceAccumulator, StartError,
};
use crate::system::System;

pub use config::Config;
use door::Door;

/// The input as the table lists it.
pub static PLUGIN: Declaration<dyn Input> = Declaration::sharing::<Config, ServerTlsOptions>(
    "influxdb_listener",
    include_str!("sample.conf"),
);

/// An input that others write to.
struct InfluxdbListener {
    /// As the option has it.
    service_address: String,
    settings: ServerSettings,
    tls: Option<ServerTls>,
    door: Arc<Door>,
    system: System,
    log: PluginLog,
    server: Option<Server>,
}

impl Input for InfluxdbListener {
    fn start(&mut self, accumulator: ServiceAccumulator) -> Result<(), StartError> {
        let failed = |error: PluginError| StartError { retryable: true, source: error };
        let address = ListenAddress::Tcp(self.service_address.clone());
        let listener = address.listen().map_err(|error| failed(error.into()))?;
        let door = self.door.clone();
        let handler = move |request: &mut Incoming<'_>| door.answer(request, &accumulator);
        let (settings, clock) = (self.settings.clone(), self.system.clock.clone());
        let server = Server::start(listener, settings, self.tls.clone(), handler, clock)
            .map_err(|error| failed(error.into()))?;
        let address = &self.service_address;
        self.log.info(format_args!("Started HTTP listener service on {address}"));
        self.server = Some(server);
        Ok(())
    }

    fn gather(&mut self, _: &mut Accumulator<'_>) -> Result<(), PluginError> {
        Ok(())
    }

    fn stop(&mut self) {
        self.server = None;
    }

    fn is_service(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests;
