//! Writes metrics to a socket.
//!
//! # References
//! Telegraf's `outputs.socket_writer`.

mod connection;
mod encoding;
#[cfg(test)]
mod tests;

use std::io;

use serde::{Deserialize, Serialize};

use crate::http::tls::ClientTls;
use crate::metric::Metric;
use crate::plugin::http_options::TlsOptions;
use crate::plugin::settings::Duration;
use crate::plugin::{
    Build, BuildError, ConnectError, Context, Declaration, Output, PluginError, PluginLog,
    Rejection, Serializer, WriteError,
};
use crate::system::ErrorWords;

use connection::{Connection, Target};
pub use connection::{SocketError, TargetError};
use encoding::Encoding;
pub use encoding::EncodingError;

/// The output as the table lists it.
pub static PLUGIN: Declaration<dyn Output> =
    Declaration::sharing::<Config, TlsOptions>("socket_writer", include_str!("sample.conf"));

/// The settings of the output.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Config {
    /// Where to write to, as `tcp://host:port`.
    pub address: String,
    /// Time between probes whether the other end is still there; zero for none.
    pub keep_alive_period: Option<Duration>,
    /// How metrics are packed.
    pub content_encoding: String,
}

impl Build<dyn Output> for Config {
    fn build(self, context: &Context<'_>) -> Result<Box<dyn Output>, BuildError> {
        let tls: TlsOptions = context.settings().read()?;
        let tls = match tls.is_asked_for() {
            true => Some(ClientTls::new(tls.settings()?).map_err(BuildError::invalid)?),
            false => None,
        };
        Ok(Box::new(SocketWriter {
            target: Target::parse(&self.address).map_err(BuildError::invalid)?,
            keep_alive: self.keep_alive_period.map(Duration::to_std),
            encoding: Encoding::parse(&self.content_encoding).map_err(BuildError::invalid)?,
            tls,
            serializer: context.serializer("influx")?,
            log: context.log.clone(),
            connection: None,
            bytes: Vec::new(),
        }))
    }
}

/// An output to a socket.
struct SocketWriter {
    target: Target,
    keep_alive: Option<std::time::Duration>,
    encoding: Encoding,
    tls: Option<ClientTls>,
    serializer: Box<dyn Serializer>,
    log: PluginLog,
    /// Absent after a write that failed.
    connection: Option<Connection>,
    /// Kept for its memory.
    bytes: Vec<u8>,
}

impl SocketWriter {
    fn open(&mut self) -> Result<Connection, SocketError> {
        let connection = Connection::open(&self.target, self.tls.as_ref())?;
        if let Some(period) = self.keep_alive
            && let Err(error) = connection.set_keep_alive(period)
        {
            self.log
                .debug(format_args!("Unable to configure keep alive ({}): {error}", self.target));
        }
        Ok(connection)
    }

    /// Serializes a batch; returns where each message ends, and the metrics that have no form.
    fn serialize(&mut self, batch: &[Metric]) -> io::Result<(Vec<usize>, Vec<Rejection>)> {
        self.bytes.clear();
        let mut ends = Vec::with_capacity(batch.len());
        let mut rejected = Vec::new();
        for (index, metric) in batch.iter().enumerate() {
            let start = self.bytes.len();
            match self.serializer.serialize(metric, &mut self.bytes) {
                Ok(()) => {
                    self.encoding.encode_from(start, &mut self.bytes)?;
                    ends.push(self.bytes.len());
                }
                Err(reason) => rejected.push(Rejection { index, reason }),
            }
        }
        Ok((ends, rejected))
    }
}

impl Output for SocketWriter {
    fn connect(&mut self) -> Result<(), ConnectError> {
        let opened = self.open();
        let connection =
            opened.map_err(|error| ConnectError { retryable: true, source: error.into() })?;
        self.connection = Some(connection);
        Ok(())
    }

    fn write(&mut self, batch: &[Metric]) -> Result<(), WriteError> {
        let (ends, rejected) = self.serialize(batch).map_err(WriteError::retry)?;
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.open().map_err(WriteError::retry)?,
        };
        if let Err(error) = connection.write(&self.bytes, &ends) {
            // A piece of a message may have gone out, so that it cannot be gone on with.
            let words = format!("closing connection: write: {}", ErrorWords(&error));
            return Err(WriteError::retry(words));
        }
        self.connection = Some(connection);
        match rejected.first() {
            None => Ok(()),
            Some(first) => {
                let source = format!("could not serialize metric: {}", first.reason).into();
                Err(WriteError::Partial { retry: Vec::new(), rejected, source })
            }
        }
    }

    fn close(&mut self) -> Result<(), PluginError> {
        if let Some(connection) = self.connection.take() {
            connection.close();
        }
        Ok(())
    }
}
