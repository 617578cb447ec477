//! Writes metrics to InfluxDB 2.x and 3.x, or to what speaks their protocol.
//!
//! # References
//! Telegraf's `outputs.influxdb_v2`; the `/api/v2/write` endpoint of InfluxDB 2.7.

mod config;
mod encoder;
mod limiter;
mod response;
mod server;

use std::sync::Arc;

use crate::metric::Metric;
use crate::plugin::http_options::TlsOptions;
use crate::plugin::{
    ConnectError, Declaration, Output, PluginError, PluginLog, Rejection, WriteError,
};

pub use config::Config;
use encoder::{Encoder, Part};
use response::Refusal;
use server::{Sent, Server};

/// The output as the table lists it.
pub static PLUGIN: Declaration<dyn Output> =
    Declaration::sharing::<Config, TlsOptions>("influxdb_v2", include_str!("sample.conf"));

/// An output to one of several servers.
struct InfluxDb {
    servers: Vec<Server>,
    encoder: Encoder,
    /// How many requests there may be at a time.
    concurrent_writes: usize,
    chance: fastrand::Rng,
    log: PluginLog,
}

/// What became of a batch at one server.
#[derive(Default)]
struct Outcome {
    retry: Vec<usize>,
    rejected: Vec<Rejection>,
    /// What went wrong last.
    error: Option<PluginError>,
    /// Whether nobody has answered at all, so that another server may be asked.
    found_nobody: bool,
}

impl Outcome {
    fn keep(&mut self, part: &Part, reason: impl Into<PluginError>) {
        self.retry.extend(&part.indices);
        self.error = Some(reason.into());
    }

    /// Keeps what was not sent because something before it was not taken.
    fn keep_unsent(&mut self, part: &Part) {
        self.retry.extend(&part.indices);
        self.error.get_or_insert_with(|| "not all metrics have been sent".into());
    }

    fn reject(&mut self, part: &Part, reason: &str) {
        let shared: Arc<dyn std::error::Error + Send + Sync> = Arc::from(PluginError::from(reason));
        let rejection =
            |index: &usize| Rejection { index: *index, reason: Box::new(shared.clone()) };
        self.rejected.extend(part.indices.iter().map(rejection));
        self.error = Some(reason.into());
    }

    fn into_result(mut self) -> Result<(), WriteError> {
        self.retry.sort_unstable();
        self.rejected.sort_by_key(|rejection| rejection.index);
        let (retry, rejected) = (self.retry, self.rejected);
        match (self.error, rejected.first()) {
            (None, None) => Ok(()),
            (Some(source), _) => Err(WriteError::Partial { retry, rejected, source }),
            (None, Some(_)) => {
                let source = "serialization of metric(s) failed".into();
                Err(WriteError::Partial { retry, rejected, source })
            }
        }
    }
}

impl InfluxDb {
    /// Writes a batch to one server as far as that takes it.
    fn write_to(&mut self, at: usize, batch: &[Metric]) -> Outcome {
        let InfluxDb { servers, encoder, log, .. } = self;
        let server = &mut servers[at];
        let mut outcome = Outcome::default();
        let most = batch.len().div_ceil(self.concurrent_writes).max(1);
        let mut parts = encoder.parts(batch, most);
        // What is over the rate limit waits for another period.
        let mut left_bytes = server.limiter.remaining();
        let mut used_bytes = 0;
        for part in &mut parts {
            let rest = encoder.encode(part, batch, left_bytes, &mut outcome.rejected);
            used_bytes += part.body.len() as u64;
            left_bytes = match rest.is_empty() {
                true => left_bytes - part.body.len() as u64,
                false => 0,
            };
            if !rest.is_empty() {
                outcome.retry.extend(rest);
                outcome.error = Some("size limit reached".into());
            }
        }
        parts.retain(|part| !part.indices.is_empty());
        if !parts.is_empty() {
            server.limiter.take(used_bytes);
        }
        let results = server.send_all(&parts, self.concurrent_writes);
        let is_silence = |sent: &Sent| matches!(sent, Some(Err(Refusal::Unreachable(_))));
        outcome.found_nobody = !results.is_empty() && results.iter().all(is_silence);
        let mut too_large = Vec::new();
        for (part, result) in parts.into_iter().zip(results) {
            match result {
                Some(Ok(())) => {}
                Some(Err(refusal @ Refusal::TooLarge(_))) => {
                    log.error(&refusal);
                    too_large.push(part);
                }
                Some(Err(refusal)) => settle(&part, &refusal, log, &mut outcome),
                None => outcome.keep_unsent(&part),
            }
        }
        for part in too_large {
            if server.is_throttled() {
                outcome.keep_unsent(&part);
            } else {
                write_in_halves(server, encoder, part, batch, log, &mut outcome);
            }
        }
        outcome
    }
}

/// Notes what becomes of a part that was not taken.
fn settle(part: &Part, refusal: &Refusal, log: &PluginLog, outcome: &mut Outcome) {
    let text = refusal.to_string();
    match refusal {
        // What is given up is logged by the engine.
        Refusal::Never(_) => outcome.reject(part, &text),
        _ => {
            log.error(&text);
            outcome.keep(part, text);
        }
    }
}

/// Writes a part that was too large in halves, and those in halves again where they are.
fn write_in_halves(
    server: &Server,
    encoder: &mut Encoder,
    part: Part,
    batch: &[Metric],
    log: &PluginLog,
    outcome: &mut Outcome,
) {
    if let [_] = part.indices.as_slice() {
        // It would be kept for ever, and be tried at each flush.
        outcome.reject(&part, "the metric alone is too large for the server (413)");
        return;
    }
    for mut half in part.halves() {
        // They are smaller than what the rate limit let through.
        let _ = encoder.encode(&mut half, batch, u64::MAX, &mut outcome.rejected);
        match server.send(&half) {
            Ok(()) => {}
            Err(refusal @ Refusal::TooLarge(_)) => {
                log.error(&refusal);
                write_in_halves(server, encoder, half, batch, log, outcome);
            }
            Err(refusal) => settle(&half, &refusal, log, outcome),
        }
    }
}

impl Output for InfluxDb {
    fn connect(&mut self) -> Result<(), ConnectError> {
        Ok(())
    }

    fn write(&mut self, batch: &[Metric]) -> Result<(), WriteError> {
        let mut order: Vec<usize> = (0..self.servers.len()).collect();
        self.chance.shuffle(&mut order);
        for at in order {
            let server = &self.servers[at];
            if server.is_throttled() {
                let error = "retry time has not elapsed";
                self.log.error(format_args!("When writing to [{server}]: {error}"));
                continue;
            }
            let outcome = self.write_to(at, batch);
            if let Some(error) = &outcome.error {
                let server = &self.servers[at];
                self.log.error(format_args!("When writing to [{server}]: {error}"));
            }
            if !outcome.found_nobody {
                return outcome.into_result();
            }
        }
        Err(WriteError::retry("failed to send metrics to any configured server(s)"))
    }

    fn close(&mut self) -> Result<(), PluginError> {
        self.servers.iter().for_each(Server::close);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
