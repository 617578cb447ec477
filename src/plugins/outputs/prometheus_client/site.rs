//! What those are answered who ask.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Samples;
use super::listing::Listing;
use super::negotiation;
use super::networks::Networks;
use super::own_process::OwnProcess;
use crate::http::{BasicAuth, Headers, Incoming, ServerResponse};
use crate::metric::Metric;
use crate::plugin::PluginLog;
use crate::plugin::exposition::{Style, Times};
use crate::plugin::secrets::{LinkedHeaders, LinkedSecret, SecretError};
use crate::system::Clock;

/// What stands at every other path.
const LANDING: &str = "Telegraf Output Plugin: Prometheus Client ";

/// Knows what metrics are like and tells those who may know.
pub(super) struct Site {
    /// Where the metrics are told.
    pub(super) path: String,
    pub(super) samples: Mutex<Box<dyn Samples>>,
    pub(super) times: Times,
    pub(super) networks: Networks,
    /// What callers have to know, unless neither is set.
    pub(super) username: String,
    pub(super) password: LinkedSecret,
    /// What answers carry in their header.
    pub(super) headers: LinkedHeaders,
    /// After how long samples are forgotten; never if absent.
    pub(super) lifetime: Option<Duration>,
    pub(super) own_process: Option<OwnProcess>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) log: PluginLog,
}

impl Site {
    /// Takes a batch in.
    pub(super) fn add(&self, batch: &[Metric]) {
        let now = self.clock.elapsed();
        let mut samples = self.samples();
        samples.add(batch, now);
        self.forget_old(&mut **samples);
    }

    /// Answers a request.
    pub(super) fn answer(&self, request: &Incoming<'_>) -> ServerResponse {
        self.answer_with_secrets(request).unwrap_or_else(|error| {
            self.log.error(format_args!("Answering a request failed: {error}"));
            ServerResponse::status_line(500)
        })
    }

    fn answer_with_secrets(&self, request: &Incoming<'_>) -> Result<ServerResponse, SecretError> {
        let password = self.password.get()?.into_owned();
        if self.username.is_empty() && password.is_empty() && !self.password.is_empty() {
            // A password that has come to be empty is no invitation.
            return Ok(ServerResponse::status_line(401));
        }
        let (username, realm) = (self.username.clone(), "prometheus".to_owned());
        let auth = BasicAuth { username, password, realm };
        let mut headers = Headers::new();
        self.headers.set_on(&mut headers)?;
        let mut response =
            auth.refusal(request).unwrap_or_else(|| self.answer_known_caller(request));
        for (name, value) in headers.iter() {
            if response.headers.get(name).is_none() {
                response.headers.set(name, value);
            }
        }
        Ok(response)
    }

    fn answer_known_caller(&self, request: &Incoming<'_>) -> ServerResponse {
        if !self.networks.let_in(request.peer().map(|peer| peer.ip())) {
            return ServerResponse::status_line(403);
        }
        match self.is_for_metrics(&request.path()) {
            true => self.metrics(request),
            false => ServerResponse::with_body(200, "text/plain; charset=utf-8", LANDING),
        }
    }

    /// Whether a path is the one of the metrics; if that ends in a slash, or below it.
    fn is_for_metrics(&self, path: &str) -> bool {
        path == self.path || self.path.ends_with('/') && path.starts_with(&self.path)
    }

    fn metrics(&self, request: &Incoming<'_>) -> ServerResponse {
        let escaping = negotiation::escaping(request.headers());
        let style = Style { times: self.times, escaping, ..Style::default() };
        let query = request.query();
        let names: Vec<&str> =
            query.iter().filter(|(key, _)| key == "name[]").map(|(_, name)| &**name).collect();
        let mut body = Vec::new();
        let refusal = {
            let mut samples = self.samples();
            self.forget_old(&mut **samples);
            let mut listing = Listing::new();
            samples.list(&mut listing);
            if let Some(own_process) = &self.own_process {
                own_process.list(&mut listing);
            }
            let is_wanted = |name: &str| names.is_empty() || names.contains(&name);
            listing.write(style, is_wanted, &mut body)
        };
        if let Some(refusal) = refusal {
            self.log.debug(format_args!("Not everything could be told: {refusal}"));
            if body.is_empty() && names.is_empty() {
                let text = "An error has occurred while serving metrics:";
                return ServerResponse::line(500, &format!("{text}\n\n{refusal}"));
            }
        }
        let content_type =
            format!("text/plain; version=0.0.4; charset=utf-8; escaping={}", escaping.name());
        let encoding = negotiation::encoding(request.headers());
        match encoding.encode(body) {
            Ok(body) => {
                let response = ServerResponse::with_body(200, &content_type, body);
                match encoding.header() {
                    Some(encoding) => response.with_header("Content-Encoding", encoding),
                    None => response,
                }
            }
            Err(error) => ServerResponse::line(500, &error.to_string()),
        }
    }

    fn samples(&self) -> MutexGuard<'_, Box<dyn Samples>> {
        self.samples.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn forget_old(&self, samples: &mut dyn Samples) {
        if let Some(lifetime) = self.lifetime
            && let Some(oldest) = self.clock.elapsed().checked_sub(lifetime)
        {
            samples.forget_before(oldest);
        }
    }
}
