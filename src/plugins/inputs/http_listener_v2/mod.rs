//! Takes metrics that are sent to it over HTTP, in any of the formats.
//!
//! # References
//! Telegraf's `inputs.http_listener_v2`.

mod config;

use std::sync::{Mutex, PoisonError};

use crate::http::tls::ServerTls;
use crate::http::{
    BasicAuth, DecodeError, Headers, Incoming, ListenAddress, ReadBodyError, Server,
    ServerResponse, ServerSettings, decode,
};
use crate::plugin::http_options::ServerTlsOptions;
use crate::plugin::{
    Accumulator, Declaration, Input, Parser, PluginError, PluginLog, ServiceAccumulator, StartError,
};
use crate::system::System;

pub use config::Config;

/// The tag that carries the path of a request.
const PATH_TAG: &str = "http_listener_v2_path";

/// The input as the table lists it.
pub static PLUGIN: Declaration<dyn Input> = Declaration::sharing::<Config, ServerTlsOptions>(
    "http_listener_v2",
    include_str!("sample.conf"),
);

/// An input that others send to.
struct HttpListener {
    address: ListenAddress,
    settings: ServerSettings,
    /// Given to the server when it starts.
    tls: Option<ServerTls>,
    /// Given to the server when it starts.
    receiver: Option<Receiver>,
    system: System,
    log: PluginLog,
    server: Option<Server>,
}

/// Which part of a request holds the metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DataSource {
    Body,
    Query,
}

/// What requests have to be like, and what they are answered.
struct Rules {
    paths: Vec<String>,
    path_tag: bool,
    methods: Vec<String>,
    response_headers: Headers,
    data_source: DataSource,
    max_body_bytes: usize,
    success_status: u16,
    /// None asks for nothing.
    auth: Option<BasicAuth>,
    /// Fields of the header and the tags that they become.
    header_tags: Vec<(String, String)>,
}

/// Makes metrics of requests.
struct Receiver {
    rules: Rules,
    parser: Mutex<Box<dyn Parser>>,
}

/// Why a request is not taken.
enum Refusal {
    TooLarge,
    Bad(String),
}

impl Receiver {
    fn answer(&self, request: &mut Incoming<'_>, to: &ServiceAccumulator) -> ServerResponse {
        let mut response = self.answer_plainly(request, to);
        for (name, value) in self.rules.response_headers.iter() {
            if response.headers.get(name).is_none() {
                response.headers.set(name, value);
            }
        }
        response
    }

    fn answer_plainly(
        &self,
        request: &mut Incoming<'_>,
        to: &ServiceAccumulator,
    ) -> ServerResponse {
        let rules = &self.rules;
        if rules.auth.as_ref().is_some_and(|auth| auth.refusal(request).is_some()) {
            return ServerResponse::line(401, "Unauthorized.");
        }
        if !rules.paths.contains(&request.path()) {
            return ServerResponse::line(404, "404 page not found");
        }
        if request.content_length().is_some_and(|length| length > rules.max_body_bytes as u64) {
            return json_error(413, "request body too large");
        }
        if !rules.methods.iter().any(|method| method == request.method()) {
            return json_error(405, "method not allowed");
        }
        match self.receive(request, to) {
            Ok(()) => ServerResponse::new(rules.success_status),
            Err(Refusal::TooLarge) => json_error(413, "request body too large"),
            Err(Refusal::Bad(reason)) => {
                to.log().debug(reason);
                json_error(400, "bad request")
            }
        }
    }

    fn receive(&self, request: &mut Incoming<'_>, to: &ServiceAccumulator) -> Result<(), Refusal> {
        let data = match self.rules.data_source {
            DataSource::Body => self.body(request)?,
            DataSource::Query => request.query_text().into_bytes(),
        };
        let parsed = self.parser.lock().unwrap_or_else(PoisonError::into_inner).parse(&data);
        let mut metrics = parsed.map_err(|error| Refusal::Bad(format!("Parse error: {error}")))?;
        let path = self.rules.path_tag.then(|| request.path());
        for metric in &mut metrics {
            for (name, tag) in &self.rules.header_tags {
                match request.headers().get(name) {
                    None | Some("") => {}
                    Some(value) => metric.set_tag(tag, value),
                }
            }
            if let Some(path) = &path {
                metric.set_tag(PATH_TAG, path);
            }
        }
        to.add_all(&mut metrics);
        Ok(())
    }

    fn body(&self, request: &mut Incoming<'_>) -> Result<Vec<u8>, Refusal> {
        let most = self.rules.max_body_bytes;
        let encoding = match request.headers().get("Content-Encoding") {
            Some(encoding @ ("gzip" | "snappy")) => encoding.to_owned(),
            // What is packed in any other way is left to the parser to refuse.
            _ => String::new(),
        };
        let body = request.read_body(most).map_err(|error| match error {
            ReadBodyError::TooLarge => Refusal::TooLarge,
            ReadBodyError::Io(error) => Refusal::Bad(error.to_string()),
        })?;
        decode(&encoding, body, most).map_err(|error| match error {
            DecodeError::TooLarge(_) => Refusal::TooLarge,
            error => Refusal::Bad(error.to_string()),
        })
    }
}

fn json_error(status: u16, text: &str) -> ServerResponse {
    let body = format!("{{\"error\":\"http: {text}\"}}");
    ServerResponse::with_body(status, "application/json", body)
}

impl Input for HttpListener {
    fn start(&mut self, accumulator: ServiceAccumulator) -> Result<(), StartError> {
        let failed = |error: PluginError| StartError { retryable: true, source: error };
        let listener = self.address.listen().map_err(|error| failed(error.into()))?;
        let bound = listener.bound().map_err(|error| failed(error.into()))?;
        let Some(receiver) = self.receiver.take() else {
            return Err(failed("it has been started before".into()));
        };
        let handler = move |request: &mut Incoming<'_>| receiver.answer(request, &accumulator);
        let (settings, clock) = (self.settings.clone(), self.system.clock.clone());
        let server = Server::start(listener, settings, self.tls.take(), handler, clock)
            .map_err(|error| failed(error.into()))?;
        self.log.info(format_args!("Listening on {bound}"));
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
