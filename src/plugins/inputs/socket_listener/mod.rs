//! Listens at a socket and parses what comes.
//!
//! # References
//! Telegraf's `inputs.socket_listener`.

mod config;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::plugin::http_options::ServerTlsOptions;
use crate::plugin::{
    Accumulator, Build, BuildError, Context, Declaration, Input, NotEnoughData, Parser,
    PluginError, ServiceAccumulator, StartError,
};
use crate::socket::{ListenSettings, Listening, Receiver};

pub use config::Config;

/// The input as the table lists it.
pub static PLUGIN: Declaration<dyn Input> = Declaration::sharing::<Config, ServerTlsOptions>(
    "socket_listener",
    include_str!("sample.conf"),
);

impl Build<dyn Input> for Config {
    fn build(self, context: &Context<'_>) -> Result<Box<dyn Input>, BuildError> {
        let tls: ServerTlsOptions = context.settings().read()?;
        let parser = Arc::new(Mutex::new(context.parser("influx")?));
        let network = self.address()?.network;
        // Files are read and names checked now; another try to start reads them again.
        self.listen_settings(tls.server()?)?;
        let settings = Box::new(move || self.listen_settings(tls.server()?));
        Ok(Box::new(SocketListener { settings, network: network.name(), parser, listening: None }))
    }
}

/// An input that listens.
struct SocketListener {
    settings: Box<dyn Fn() -> Result<ListenSettings, BuildError> + Send>,
    network: &'static str,
    parser: Arc<Mutex<Box<dyn Parser>>>,
    listening: Option<Listening>,
}

/// Parses messages.
struct Messages {
    parser: Arc<Mutex<Box<dyn Parser>>>,
    accumulator: ServiceAccumulator,
    has_told_of_no_metrics: AtomicBool,
}

impl Receiver for Messages {
    fn take(&self, message: &[u8], _: Option<IpAddr>) {
        let parsed = self.parser.lock().unwrap_or_else(PoisonError::into_inner).parse(message);
        match parsed {
            Ok(metrics) if metrics.is_empty() => {
                if !self.has_told_of_no_metrics.swap(true, Ordering::Relaxed) {
                    self.accumulator.log().debug(
                        "No metrics came out of a message; if some should have, look at the \
                         options of the parser. This is said only once.",
                    );
                }
            }
            Ok(mut metrics) => {
                self.accumulator.add_all(&mut metrics);
            }
            // The parser wants more messages first.
            Err(error) if error.is::<NotEnoughData>() => {}
            Err(error) => self.accumulator.report(error),
        }
    }

    fn report(&self, error: PluginError) {
        self.accumulator.report(error);
    }
}

impl Input for SocketListener {
    fn start(&mut self, accumulator: ServiceAccumulator) -> Result<(), StartError> {
        let failed = |source| StartError { retryable: false, source };
        let log = accumulator.log().clone();
        let settings = (self.settings)().map_err(|error| failed(error.into()))?;
        let messages = Messages {
            parser: self.parser.clone(),
            accumulator,
            has_told_of_no_metrics: AtomicBool::new(false),
        };
        let listening = Listening::start(settings, Arc::new(messages), log.clone())
            .map_err(|error| failed(error.into()))?;
        log.info(format_args!("Listening on {}://{}", self.network, listening.local()));
        self.listening = Some(listening);
        Ok(())
    }

    fn gather(&mut self, _: &mut Accumulator<'_>) -> Result<(), PluginError> {
        Ok(())
    }

    fn stop(&mut self) {
        self.listening = None;
    }

    fn is_service(&self) -> bool {
        true
    }
}
