//! Reads metrics from URLs, in any of the formats.
//!
//! # References
//! Telegraf's `inputs.http`.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crossbeam_channel::{Sender, unbounded};
use serde::{Deserialize, Serialize};

use crate::http::{Client, ContentEncoding, Request, Url, reason};
use crate::plugin::http_options::{HttpClientOptions, TlsOptions};
use crate::plugin::secrets::{LinkedCredentials, LinkedHeaders, LinkedSecret};
use crate::plugin::settings::SecretOption;
use crate::plugin::{
    Accumulator, Build, BuildError, Context, Declaration, Input, Parser, PluginError, PluginLog,
    ServiceAccumulator, StartError,
};
use crate::system::ErrorWords;

/// How many URLs are asked at a time.
const MOST_THREADS: usize = 32;

/// The input as the table lists it.
pub static PLUGIN: Declaration<dyn Input> = Declaration::sharing::<
    Config,
    (HttpClientOptions, TlsOptions),
>("http", include_str!("sample.conf"));

/// The settings of the input.
#[derive(Clone, Deserialize, Serialize)]
#[serde(default)]
pub struct Config {
    urls: Vec<String>,
    method: String,
    body: String,
    content_encoding: String,
    username: SecretOption,
    password: SecretOption,
    token: SecretOption,
    token_file: String,
    headers: BTreeMap<String, SecretOption>,
    success_status_codes: Vec<u16>,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            urls: Vec::new(),
            method: "GET".to_owned(),
            body: String::new(),
            content_encoding: "identity".to_owned(),
            username: SecretOption::default(),
            password: SecretOption::default(),
            token: SecretOption::default(),
            token_file: String::new(),
            headers: BTreeMap::new(),
            success_status_codes: vec![200],
        }
    }
}

impl Build<dyn Input> for Config {
    fn build(mut self, context: &Context<'_>) -> Result<Box<dyn Input>, BuildError> {
        if !self.token.is_empty() && !self.token_file.is_empty() {
            return Err(BuildError::invalid("either use 'token_file' or 'token' not both"));
        }
        if self.success_status_codes.is_empty() {
            self.success_status_codes.push(200);
        }
        if self.method.is_empty() {
            self.method.push_str("GET");
        }
        let encoding = match self.content_encoding.as_str() {
            "gzip" => ContentEncoding::Gzip,
            _ => ContentEncoding::Identity,
        };
        let body = match self.body.as_str() {
            "" => Vec::new(),
            body => encoding.encode(body.into()).map_err(|e| BuildError::invalid(e.to_string()))?,
        };
        let options: HttpClientOptions = context.settings().read()?;
        let settings = options.settings(&context.settings().read::<TlsOptions>()?, context)?;
        let clock = context.system.clock.clone();
        let asker = Asker {
            client: Client::new(settings, clock).map_err(BuildError::invalid)?,
            encoding: encoding.header().filter(|_| !body.is_empty()),
            body,
            credentials: context.credentials(&self.username, &self.password)?,
            token: context.secret(&self.token)?,
            headers: context.secret_headers(&self.headers)?,
            config: self,
        };
        Ok(Box::new(Http {
            asker,
            parser: context.parser("influx")?,
            log: context.log.clone(),
            has_told_of_no_metrics: false,
        }))
    }
}

/// Why a URL gave no metrics.
#[derive(Debug, thiserror::Error)]
#[error("[url={url}]: {source}")]
struct UrlFailure {
    url: String,
    source: PluginError,
}

/// An input that asks URLs.
struct Http {
    asker: Asker,
    parser: Box<dyn Parser>,
    log: PluginLog,
    has_told_of_no_metrics: bool,
}

/// The part of the input that asks, which threads share.
struct Asker {
    config: Config,
    client: Client,
    credentials: LinkedCredentials,
    token: LinkedSecret,
    headers: LinkedHeaders,
    /// Packed, if that is asked for.
    body: Vec<u8>,
    /// How.
    encoding: Option<&'static str>,
}

impl Asker {
    /// Asks all URLs, several at a time, and sends what came of each as soon as it is there.
    fn ask_all<'scope>(
        &'scope self,
        scope: &'scope thread::Scope<'scope, '_>,
        next: &'scope AtomicUsize,
        answered: &Sender<(usize, Result<Vec<u8>, PluginError>)>,
        log: &PluginLog,
    ) {
        let urls = &self.config.urls;
        for _ in 0..urls.len().min(MOST_THREADS) {
            let answered = answered.clone();
            let ask = move || {
                let indices = std::iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed));
                for at in indices.take_while(|at| *at < urls.len()) {
                    // The receiver waits for every URL.
                    let _ = answered.send((at, self.ask(&urls[at])));
                }
            };
            let name = "inputs.http".to_owned();
            if let Err(error) = thread::Builder::new().name(name).spawn_scoped(scope, ask) {
                log.error(format_args!("Starting a thread failed: {error}"));
            }
        }
    }

    fn ask(&self, url: &str) -> Result<Vec<u8>, PluginError> {
        let config = &self.config;
        let mut request = Request::new(&config.method, Url::parse(url)?, &self.body);
        if let Some(token) = self.token()? {
            request.headers.set("Authorization", format!("Bearer {token}"));
        }
        if let Some(encoding) = self.encoding {
            request.headers.set("Content-Encoding", encoding);
        }
        self.headers.set_on(&mut request.headers)?;
        if let Some(authorization) = self.credentials.authorization()? {
            request.headers.set("Authorization", authorization);
        }
        let response = self.client.send(&request)?;
        let status = response.status;
        if config.success_status_codes.contains(&status) {
            return Ok(response.body);
        }
        let expected: Vec<_> = config.success_status_codes.iter().map(u16::to_string).collect();
        Err(format!(
            "received status code {status} ({}), expected any value out of [{}]",
            reason(status),
            expected.join(" ")
        )
        .into())
    }

    fn token(&self) -> Result<Option<String>, PluginError> {
        let path = &self.config.token_file;
        match (self.token.is_empty(), path.as_str()) {
            (true, "") => Ok(None),
            // Whoever hands tokens out replaces the file now and then.
            (true, path) => std::fs::read_to_string(path)
                .map(|token| Some(token.trim_matches('\n').to_owned()))
                .map_err(|error| format!("open {path}: {}", ErrorWords(&error)).into()),
            (false, _) => Ok(Some(self.token.get()?.expose().trim().to_owned())),
        }
    }
}

/// The part of the input that makes metrics of answers.
struct Reader<'i> {
    parser: &'i mut dyn Parser,
    log: &'i PluginLog,
    has_told_of_no_metrics: &'i mut bool,
}

impl Reader<'_> {
    fn read(
        &mut self,
        url: &str,
        body: Result<Vec<u8>, PluginError>,
        accumulator: &mut Accumulator<'_>,
    ) -> Result<(), PluginError> {
        let metrics = self
            .parser
            .parse(&body?)
            .map_err(|error| format!("parsing metrics failed: {error}"))?;
        if metrics.is_empty() && !*self.has_told_of_no_metrics {
            *self.has_told_of_no_metrics = true;
            self.log.debug(format_args!(
                "No metrics came out of {url}; if some should have, look at the options of the \
                 parser. This is said only once."
            ));
        }
        for mut metric in metrics {
            if metric.tag("url").is_none() {
                metric.set_tag("url", url);
            }
            accumulator.add(metric);
        }
        Ok(())
    }
}

impl Input for Http {
    fn start(&mut self, _: ServiceAccumulator) -> Result<(), StartError> {
        self.asker
            .client
            .log_in()
            .map_err(|error| StartError { retryable: true, source: error.into() })
    }

    fn gather(&mut self, accumulator: &mut Accumulator<'_>) -> Result<(), PluginError> {
        // Each answer is parsed as soon as it is there: one slow server must not delay all others.
        let (answered, answers) = unbounded();
        let Http { asker, parser, log, has_told_of_no_metrics } = self;
        let next = AtomicUsize::new(0);
        thread::scope(|scope| {
            asker.ask_all(scope, &next, &answered, log);
            drop(answered);
            let mut reader = Reader { parser: &mut **parser, log, has_told_of_no_metrics };
            for (at, body) in answers {
                let url = &asker.config.urls[at];
                if let Err(source) = reader.read(url, body, accumulator) {
                    accumulator.report(UrlFailure { url: url.clone(), source });
                }
            }
        });
        Ok(())
    }

    fn stop(&mut self) {
        self.asker.client.close_idle();
    }
}

#[cfg(test)]
mod tests;
