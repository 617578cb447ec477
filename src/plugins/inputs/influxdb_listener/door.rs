//! What those are answered who come.

use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;

use super::body::BodyReader;
use super::statistics::Counters;
use crate::http::{BasicAuth, Gunzip, Incoming, ReadBodyError, ServerResponse, TokenAuth};
use crate::metric::Metric;
use crate::plugin::{Quoted, ServiceAccumulator};
use crate::system::Clock;

/// The version of InfluxDB that callers are to think of.
const VERSION: &str = "1.0";

/// What callers have to know.
pub(super) enum Auth {
    /// A name and its password, if these are set.
    Basic(BasicAuth),
    /// The secret that tokens are signed with.
    Token(TokenAuth),
}

/// Which units of time there are: Telegraf's other parser lacks the largest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Precisions {
    UpToSeconds,
    UpToHours,
}

/// Takes requests and hands on what they bring.
pub(super) struct Door {
    pub(super) auth: Auth,
    pub(super) max_body_bytes: usize,
    pub(super) precisions: Precisions,
    /// The tag for the name of the database; none if empty.
    pub(super) database_tag: String,
    /// The tag for the name of the retention policy; none if empty.
    pub(super) retention_policy_tag: String,
    pub(super) counters: Counters,
    pub(super) clock: Arc<dyn Clock>,
}

/// Why a body is not taken, or not as a whole.
enum Refusal {
    TooLarge,
    Bad(String),
}

/// The error of a body that is larger than it may.
pub(super) fn too_large() -> io::Error {
    io::Error::other(ReadBodyError::TooLarge)
}

impl Door {
    /// Answers a request.
    pub(super) fn answer(
        &self,
        request: &mut Incoming<'_>,
        to: &ServiceAccumulator,
    ) -> ServerResponse {
        self.counters.requests_received.add(1);
        let response = self.route(request, to);
        self.counters.requests_served.add(1);
        response
    }

    fn route(&self, request: &mut Incoming<'_>, to: &ServiceAccumulator) -> ServerResponse {
        let path = request.path();
        // Whether anybody is there may be asked by all.
        if path == "/ping" {
            self.counters.pings_served.add(1);
            return ping(request);
        }
        let refusal = match &self.auth {
            Auth::Basic(auth) => auth.refusal(request),
            Auth::Token(auth) => auth.refusal(request, self.clock.now()),
        };
        if let Some(refusal) = refusal {
            self.counters.auth_failures.add(1);
            return refusal;
        }
        match path.as_str() {
            "/write" => {
                self.counters.writes_served.add(1);
                self.write(request, to)
            }
            "/query" => {
                self.counters.queries_served.add(1);
                // Some ask for nothing but whether there is an answer.
                json(200, "{\"results\":[]}")
            }
            _ => {
                self.counters.not_founds_served.add(1);
                ServerResponse::line(404, "404 page not found")
            }
        }
    }

    fn write(&self, request: &mut Incoming<'_>, to: &ServiceAccumulator) -> ServerResponse {
        match self.receive(request, to) {
            Ok(()) => ServerResponse::new(204),
            Err(Refusal::TooLarge) => refusal(413, &ReadBodyError::TooLarge.to_string()),
            Err(Refusal::Bad(reason)) => refusal(400, &reason),
        }
    }

    fn receive(&self, request: &mut Incoming<'_>, to: &ServiceAccumulator) -> Result<(), Refusal> {
        let most = self.max_body_bytes;
        if request.content_length().is_some_and(|length| length > most as u64) {
            return Err(Refusal::TooLarge);
        }
        let query = request.query();
        let parameter = |name: &str| {
            query.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.as_str())
        };
        let unit = self.unit(parameter("precision"))?;
        let tags = [
            (self.database_tag.as_str(), parameter("db")),
            (self.retention_policy_tag.as_str(), parameter("rp")),
        ];
        let tags =
            tags.map(|(tag, value)| (!tag.is_empty() && !value.is_empty()).then_some((tag, value)));
        let take = |metrics: &mut Vec<Metric>| {
            for metric in metrics.iter_mut() {
                tags.iter().flatten().for_each(|(tag, value)| metric.set_tag(*tag, *value));
            }
            to.add_all(metrics);
        };
        let mut reader = BodyReader { unit, max_line_bytes: most, now: || to.now(), take };
        let is_packed = request.headers().get("Content-Encoding") == Some("gzip");
        let mut body = Counted { body: request, bytes: 0, most: most as u64 };
        let read = match is_packed {
            true => reader.read(Gunzip::new(&mut body)),
            false => reader.read(&mut body),
        };
        self.counters.bytes_received.add(body.bytes);
        // Nothing at all has no beginning that could break off.
        let read = read.map_err(|error| match body.bytes {
            0 if error.kind() == io::ErrorKind::UnexpectedEof => {
                io::Error::new(error.kind(), "EOF")
            }
            _ => error,
        });
        match read.map(|faults| faults.summary()) {
            Ok(None) => Ok(()),
            Ok(Some(faults)) => Err(Refusal::Bad(faults)),
            Err(error) => {
                to.log().debug(format_args!("Error parsing the request body: {error}"));
                Err(Refusal::Bad(error.to_string()))
            }
        }
    }

    /// The unit of timestamps that a word stands for; others than these mean nanoseconds.
    fn unit(&self, precision: &str) -> Result<Duration, Refusal> {
        match (precision, self.precisions) {
            ("m" | "h", Precisions::UpToSeconds) => {
                Err(Refusal::Bad(format!("time precision '{precision}' is not supported")))
            }
            ("h", _) => Ok(Duration::from_secs(3600)),
            ("m", _) => Ok(Duration::from_secs(60)),
            ("s", _) => Ok(Duration::from_secs(1)),
            ("ms", _) => Ok(Duration::from_millis(1)),
            ("u", _) => Ok(Duration::from_micros(1)),
            _ => Ok(Duration::from_nanos(1)),
        }
    }
}

/// A body whose bytes are counted, and not too many of them.
struct Counted<'b, B> {
    body: &'b mut B,
    bytes: u64,
    most: u64,
}

impl<B: Read> Read for Counted<'_, B> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.most - self.bytes).unwrap_or(usize::MAX);
        if left == 0 {
            // It may be at its end just here.
            return match self.body.read(&mut [0])? {
                0 => Ok(0),
                _ => Err(too_large()),
            };
        }
        let room = out.len().min(left);
        let read = self.body.read(&mut out[..room])?;
        self.bytes += read as u64;
        Ok(read)
    }
}

fn ping(request: &Incoming<'_>) -> ServerResponse {
    let query = request.query();
    let verbose = query.iter().find(|(key, _)| key == "verbose").map(|(_, value)| value.as_str());
    match verbose {
        None | Some("" | "0" | "false") => {
            ServerResponse::new(204).with_header("X-Influxdb-Version", VERSION)
        }
        Some(_) => json(200, &format!("{{\"version\":\"{VERSION}\"}}")),
    }
}

fn refusal(status: u16, reason: &str) -> ServerResponse {
    json(status, &format!("{{\"error\":{}}}", Quoted::new(reason)))
        .with_header("X-Influxdb-Error", reason)
}

fn json(status: u16, body: &str) -> ServerResponse {
    ServerResponse::with_body(status, "application/json", body)
        .with_header("X-Influxdb-Version", VERSION)
}
