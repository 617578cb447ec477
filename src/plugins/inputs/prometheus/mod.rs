//! Reads what programs expose for Prometheus.
//!
//! # References
//! Telegraf's `inputs.prometheus`.

mod config;
mod discovery;
mod target;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Sender, unbounded};

use crate::http::{Client, ClientError, Failure, Headers, Request};
use crate::metric::Metric;
use crate::plugin::http_options::{HttpClientOptions, TlsOptions};
use crate::plugin::secrets::{LinkedCredentials, LinkedSecret};
use crate::plugin::{
    Accumulator, Declaration, Input, Parser, PluginError, PluginLog, ServiceAccumulator,
    StartError, Statistics,
};
use crate::system::{ErrorWords, System};

pub use config::Config;
use discovery::consul::Consul;
use discovery::http::Discovery;
use discovery::kubernetes::{PodOptions, Pods};
use target::Target;

/// How many targets are asked at a time.
const MOST_THREADS: usize = 32;

/// The input as the table lists it.
pub static PLUGIN: Declaration<dyn Input> = Declaration::sharing::<
    Config,
    (HttpClientOptions, (TlsOptions, PodOptions)),
>("prometheus", include_str!("sample.conf"));

/// An input that asks targets.
struct Prometheus {
    scraper: Scraper,
    parser: Box<dyn Parser>,
    /// What answers are taken for, whatever they say they are.
    content_type: Option<&'static str>,
    urls: Vec<String>,
    services: Vec<String>,
    discovery: Option<Discovery>,
    consul: Option<Consul>,
    pods: Option<Pods>,
    /// The tag that carries the URL; none if empty.
    url_tag: String,
    request_metrics: RequestMetrics,
    statistics: Statistics,
    system: System,
    log: PluginLog,
}

/// Whether there is a metric about each request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RequestMetrics {
    Reported,
    Left,
}

/// The part of the input that asks, which threads share.
struct Scraper {
    client: Client,
    headers: Headers,
    /// File with a token; none if empty.
    token_file: String,
    /// A token that the settings hold; the file goes before it.
    token: LinkedSecret,
    /// Who asks, where there is no token.
    credentials: LinkedCredentials,
    system: System,
}

/// An answer with metrics.
struct Answer {
    /// What it says that it is.
    content_type: String,
    body: Vec<u8>,
}

/// What came of asking a target.
struct Scraped {
    body: Result<Answer, ScrapeError>,
    /// How long the answer took, if there was one.
    took: Option<Duration>,
}

/// Why a target gave no metrics.
#[derive(Debug, thiserror::Error)]
enum ScrapeError {
    #[error("open {path}: {}", ErrorWords(.source))]
    Token { path: String, source: std::io::Error },
    #[error("{0}")]
    Secret(PluginError),
    #[error("error making HTTP request to {url:?}: {source}")]
    Request { url: String, source: Box<ClientError> },
    #[error("{url:?} returned HTTP status {status:?}")]
    Status { url: String, status: String },
    #[error("skipping {url}: content length exceeded maximum body size ({most})")]
    TooLarge { url: String, most: usize },
    #[error("error reading metrics for {url:?}: {source}")]
    Parse { url: String, source: PluginError },
}

impl Scraper {
    /// Asks all targets, several at a time, and sends what came of each as soon as it is there.
    fn scrape_all<'scope>(
        &'scope self,
        scope: &'scope thread::Scope<'scope, '_>,
        targets: &'scope [Target],
        next: &'scope AtomicUsize,
        answered: &Sender<(usize, Scraped)>,
        log: &PluginLog,
    ) {
        for _ in 0..targets.len().min(MOST_THREADS) {
            let answered = answered.clone();
            let scrape = move || {
                let indices = std::iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed));
                for at in indices.take_while(|at| *at < targets.len()) {
                    // The receiver waits for every target.
                    let _ = answered.send((at, self.scrape(&targets[at])));
                }
            };
            let name = "inputs.prom".to_owned();
            if let Err(error) = thread::Builder::new().name(name).spawn_scoped(scope, scrape) {
                log.error(format_args!("Starting a thread failed: {error}"));
            }
        }
    }

    fn scrape(&self, target: &Target) -> Scraped {
        let mut request = Request::new("GET", target.url.clone(), b"");
        request.headers = self.headers.clone();
        if let Err(error) = self.add_authorization(&mut request.headers) {
            return Scraped { body: Err(error), took: None };
        }
        let url = || target.shown.clone();
        let began = self.system.clock.elapsed();
        let response = self.client.send(&request);
        let took = Some(self.system.clock.elapsed().saturating_sub(began));
        match response {
            Ok(response) if response.status == 200 => {
                let content_type = response.headers.get("Content-Type").unwrap_or_default();
                let content_type = content_type.to_owned();
                Scraped { body: Ok(Answer { content_type, body: response.body }), took }
            }
            Ok(response) => {
                let status = response.status_line();
                Scraped { body: Err(ScrapeError::Status { url: url(), status }), took }
            }
            Err(ClientError { failure: Failure::TooLarge(most), .. }) => {
                Scraped { body: Err(ScrapeError::TooLarge { url: url(), most }), took }
            }
            Err(source) => Scraped {
                body: Err(ScrapeError::Request { url: url(), source: Box::new(source) }),
                took: None,
            },
        }
    }

    /// Adds what proves who asks.
    fn add_authorization(&self, headers: &mut Headers) -> Result<(), ScrapeError> {
        let secret = |error: PluginError| ScrapeError::Secret(error);
        let authorization = if !self.token_file.is_empty() {
            // Somebody replaces the file now and then.
            let token = std::fs::read_to_string(&self.token_file).map_err(|source| {
                let path = self.token_file.clone();
                ScrapeError::Token { path, source }
            })?;
            Some(format!("Bearer {}", token.trim()))
        } else if headers.get("Authorization").is_some() {
            // A field that the settings give goes before what follows.
            None
        } else if !self.token.is_empty() {
            let token = self.token.get().map_err(|error| secret(error.into()))?;
            Some(format!("Bearer {}", token.expose()))
        } else {
            self.credentials.authorization().map_err(|error| secret(error.into()))?
        };
        if let Some(authorization) = authorization {
            headers.set("Authorization", authorization);
        }
        Ok(())
    }
}

impl Prometheus {
    /// What is to be asked now, each URL once.
    fn targets(&mut self) -> Vec<Target> {
        let mut targets: Vec<Target> = Vec::new();
        let mut add = |target: Target| match targets.iter_mut().find(|t| t.key == target.key) {
            Some(same) => *same = target,
            None => targets.push(target),
        };
        for url in &self.urls {
            match Target::of_url(url) {
                Ok(target) => add(target),
                Err(error) => {
                    self.log.error(format_args!(
                        "Could not parse {url:?}, skipping it. Error: {error}"
                    ));
                }
            }
        }
        if let Some(discovery) = &mut self.discovery {
            discovery.refresh_if_due(&*self.system.clock, &self.scraper.client, &self.log);
            discovery.targets().iter().cloned().for_each(&mut add);
        }
        if let Some(consul) = &mut self.consul {
            consul.refresh_if_due(self.system.clock.elapsed(), &self.log);
            consul.targets().iter().cloned().for_each(&mut add);
        }
        if let Some(pods) = &mut self.pods {
            pods.targets(&self.log).into_iter().for_each(&mut add);
        }
        for service in &self.services {
            match Target::of_service(service) {
                Ok(resolved) => resolved.into_iter().for_each(&mut add),
                Err(error) => {
                    self.log.error(format_args!(
                        "Could not resolve {service:?}, skipping it. Error: {error}"
                    ));
                }
            }
        }
        targets
    }
}

/// The part of the input that makes metrics of answers.
struct Reader<'i> {
    parser: &'i mut dyn Parser,
    content_type: Option<&'static str>,
    url_tag: &'i str,
    log: &'i PluginLog,
}

impl Reader<'_> {
    fn read(
        &mut self,
        target: &Target,
        answer: Result<Answer, ScrapeError>,
        accumulator: &mut Accumulator<'_>,
    ) -> Result<Option<usize>, ScrapeError> {
        let Answer { content_type, body } = match answer {
            Err(ScrapeError::TooLarge { url, most }) => {
                self.log.info(ScrapeError::TooLarge { url, most });
                return Ok(None);
            }
            answer => answer?,
        };
        self.parser.set_content_type(self.content_type.unwrap_or(&content_type));
        let metrics = self
            .parser
            .parse(&body)
            .map_err(|source| ScrapeError::Parse { url: target.shown.clone(), source })?;
        for mut metric in metrics {
            target.add_tags(&mut metric, self.url_tag, &target.url_tag);
            accumulator.add(metric);
        }
        Ok(Some(body.len()))
    }
}

impl Input for Prometheus {
    fn gather(&mut self, accumulator: &mut Accumulator<'_>) -> Result<(), PluginError> {
        let targets = self.targets();
        let content_type = self.content_type;
        let Prometheus { scraper, parser, url_tag, request_metrics, statistics, log, .. } = self;
        let mut reader = Reader { parser: &mut **parser, content_type, url_tag, log };
        let (answered, answers) = unbounded();
        let next = AtomicUsize::new(0);
        thread::scope(|scope| {
            scraper.scrape_all(scope, &targets, &next, &answered, log);
            drop(answered);
            for (at, Scraped { body, took }) in answers {
                let target = &targets[at];
                let read = reader.read(target, body, accumulator);
                let outcome = if read.is_ok() { "success" } else { "failure" };
                let url = target.shown.as_str();
                statistics
                    .counter("prometheus", "gathers_total", &[("status", outcome), ("url", url)])
                    .add(1);
                statistics
                    .counter("prometheus", "connection_status", &[("url", url)])
                    .set(u64::from(read.is_ok()));
                let length = match read {
                    Ok(length) => length,
                    Err(error) => {
                        accumulator.report(error);
                        None
                    }
                };
                if *request_metrics == RequestMetrics::Reported
                    && let Some(took) = took
                {
                    let mut metric = Metric::new("prometheus_request", accumulator.now())
                        .with_field("response_time", took.as_secs_f64());
                    if let Some(length) = length {
                        metric
                            .set_field("content_length", i64::try_from(length).unwrap_or(i64::MAX));
                    }
                    target.add_tags(&mut metric, url_tag, &target.given);
                    accumulator.add(metric);
                }
            }
        });
        Ok(())
    }

    fn start(&mut self, _: ServiceAccumulator) -> Result<(), StartError> {
        match &mut self.pods {
            Some(pods) => pods.start(&self.log),
            None => Ok(()),
        }
    }

    fn stop(&mut self) {
        if let Some(pods) = &mut self.pods {
            pods.stop();
        }
        self.scraper.client.close_idle();
    }
}

#[cfg(test)]
mod tests;
