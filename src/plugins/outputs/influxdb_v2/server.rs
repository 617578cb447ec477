//! One server, and what is remembered about it.

use std::fmt;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::encoder::Part;
use super::limiter::Limiter;
use super::response::{Refusal, judge};
use crate::http::{Client, ContentEncoding, Headers, Request, Url, encode_pairs};
use crate::plugin::secrets::{LinkedHeaders, LinkedSecret, SecretError};
use crate::system::Clock;

/// What became of a part; nothing if it was not sent.
pub(super) type Sent = Option<Result<(), Refusal>>;

/// A server.
pub(super) struct Server {
    /// Where to write, without a query.
    pub(super) url: Url,
    /// The pairs of the query but for the bucket.
    pub(super) query: Vec<(String, String)>,
    pub(super) headers: RequestHeaders,
    pub(super) encoding: ContentEncoding,
    pub(super) client: Client,
    pub(super) limiter: Limiter,
    pub(super) pause: Pause,
}

/// Fields of every request.
pub(super) struct RequestHeaders {
    /// How the agent calls itself, unless the settings give that as a field.
    pub(super) agent: Option<String>,
    /// What proves who writes, unless the settings give that as a field.
    pub(super) token: Option<LinkedSecret>,
    /// The fields that the settings give.
    pub(super) given: LinkedHeaders,
}

impl RequestHeaders {
    fn set_on(&self, headers: &mut Headers) -> Result<(), SecretError> {
        self.given.set_on(headers)?;
        if let Some(agent) = &self.agent {
            headers.set("User-Agent", agent);
        }
        if let Some(token) = &self.token {
            headers.set("Authorization", format!("Token {}", token.get()?.expose()));
        }
        Ok(())
    }
}

/// Until when a server wants to be left alone.
pub(super) struct Pause {
    clock: Arc<dyn Clock>,
    /// In the clock's elapsed time.
    until: Mutex<Option<Duration>>,
    /// How often it has said so since it has last taken something.
    failures: AtomicU32,
}

impl Pause {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Pause {
        Pause { clock, until: Mutex::new(None), failures: AtomicU32::new(0) }
    }

    fn until(&self) -> MutexGuard<'_, Option<Duration>> {
        self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn extend(&self, wait: Duration) {
        let until = Some(self.clock.elapsed().saturating_add(wait));
        let mut current = self.until();
        *current = (*current).max(until);
        self.failures.fetch_add(1, Ordering::Relaxed);
    }

    fn is_on(&self) -> bool {
        self.until().is_some_and(|until| until > self.clock.elapsed())
    }
}

impl Server {
    /// Whether the server wants to be left alone.
    pub(super) fn is_throttled(&self) -> bool {
        self.pause.is_on()
    }

    /// Sends parts, so many at a time, until the server wants to be left alone.
    pub(super) fn send_all(&self, parts: &[Part], concurrent: usize) -> Vec<Sent> {
        let next = AtomicUsize::new(0);
        let results = Mutex::new(vec![None; parts.len()]);
        let work = || {
            while !self.is_throttled()
                && let at = next.fetch_add(1, Ordering::Relaxed)
                && let Some(part) = parts.get(at)
            {
                let result = self.send(part);
                results.lock().unwrap_or_else(PoisonError::into_inner)[at] = Some(result);
            }
        };
        thread::scope(|scope| {
            for _ in 1..concurrent.min(parts.len()) {
                // Where there is no room for another thread, this one does all the work.
                let name = "influxdb_v2".to_owned();
                let _ = thread::Builder::new().name(name).spawn_scoped(scope, work);
            }
            work();
        });
        results.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends one part.
    pub(super) fn send(&self, part: &Part) -> Result<(), Refusal> {
        let body = self
            .encoding
            .encode(part.body.clone())
            .map_err(|error| Refusal::Later(format!("encoding failed: {error}")))?;
        let pairs = self.query.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        let query = encode_pairs(pairs.chain([("bucket", part.bucket.as_str())]));
        let mut request = Request::new("POST", self.url.clone().with_query(query), &body);
        if let Some(encoding) = self.encoding.header() {
            request.headers.set("Content-Encoding", encoding);
        }
        request.headers.set("Content-Type", "text/plain; charset=utf-8");
        self.headers
            .set_on(&mut request.headers)
            .map_err(|error| Refusal::Later(format!("getting token failed: {error}")))?;
        let response =
            self.client.send(&request).map_err(|error| Refusal::Unreachable(error.to_string()))?;
        let failures = self.pause.failures.load(Ordering::Relaxed);
        let judged = judge(&response, &part.bucket, body.len(), failures);
        match &judged {
            Ok(()) => self.pause.failures.store(0, Ordering::Relaxed),
            Err(Refusal::Throttled { wait, .. }) => self.pause.extend(*wait),
            Err(_) => {}
        }
        judged
    }

    pub(super) fn close(&self) {
        self.client.close_idle();
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.url.fmt(f)
    }
}
