//! Sends metrics to a URL.
//!
//! # References
//! Telegraf's `outputs.http`.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::http::{
    Client, ContentEncoding, GoogleTokens, Headers, Request, Response, USER_AGENT, Url,
};
use crate::metric::Metric;
use crate::plugin::aws::{AwsOptions, AwsSigner};
use crate::plugin::http_options::{HttpClientOptions, TlsOptions, parse_url};
use crate::plugin::secrets::{LinkedCredentials, LinkedHeaders};
use crate::plugin::settings::SecretOption;
use crate::plugin::{
    Build, BuildError, ConnectError, Context, Declaration, Output, PluginError, Rejection,
    Serializer, WriteError,
};

/// How much of an answer goes into an error.
const SHOWN_BYTES: usize = 1024;

/// The output as the table lists it.
pub static PLUGIN: Declaration<dyn Output> = Declaration::sharing::<
    Config,
    (HttpClientOptions, (TlsOptions, AwsOptions)),
>("http", include_str!("sample.conf"));

/// The settings of the output.
#[derive(Clone, Deserialize, Serialize)]
#[serde(default)]
pub struct Config {
    url: String,
    method: String,
    username: SecretOption,
    password: SecretOption,
    headers: BTreeMap<String, SecretOption>,
    content_encoding: String,
    use_batch_format: bool,
    non_retryable_statuscodes: Vec<u16>,
    aws_service: String,
    google_application_credentials: String,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            url: "http://127.0.0.1:8080/telegraf".to_owned(),
            method: "POST".to_owned(),
            username: SecretOption::default(),
            password: SecretOption::default(),
            headers: BTreeMap::new(),
            content_encoding: "identity".to_owned(),
            use_batch_format: true,
            non_retryable_statuscodes: Vec::new(),
            aws_service: String::new(),
            google_application_credentials: String::new(),
        }
    }
}

impl Build<dyn Output> for Config {
    fn build(self, context: &Context<'_>) -> Result<Box<dyn Output>, BuildError> {
        let options: HttpClientOptions = context.settings().read()?;
        let settings = options.settings(&context.settings().read::<TlsOptions>()?, context)?;
        let clock = context.system.clock.clone();
        let aws: AwsOptions = context.settings().read()?;
        let google = self.google_application_credentials.as_str();
        Ok(Box::new(Http {
            serializer: context.serializer("influx")?,
            aws: (!self.aws_service.is_empty())
                .then(|| AwsSigner::new(&self.aws_service, &aws, clock.clone()))
                .transpose()
                .map_err(BuildError::invalid)?,
            google: (!google.is_empty())
                .then(|| GoogleTokens::new(google, &self.url, &context.system))
                .transpose()
                .map_err(BuildError::invalid)?,
            client: Client::new(settings, clock).map_err(BuildError::invalid)?,
            url: parse_url("url", &self.url)?,
            method: self.method()?,
            headers: self.own_headers(),
            credentials: context.credentials(&self.username, &self.password)?,
            more_headers: context.secret_headers(&self.headers)?,
            names_who_is_asking: self
                .headers
                .keys()
                .any(|name| name.eq_ignore_ascii_case("authorization")),
            encoding: match self.content_encoding.as_str() {
                "gzip" => ContentEncoding::Gzip,
                _ => ContentEncoding::Identity,
            },
            format: if self.use_batch_format { Format::Batches } else { Format::Metrics },
            non_retryable: self.non_retryable_statuscodes,
        }))
    }
}

impl Config {
    fn method(&self) -> Result<String, BuildError> {
        match self.method.to_uppercase().as_str() {
            "" => Ok("POST".to_owned()),
            method @ ("POST" | "PUT" | "PATCH") => Ok(method.to_owned()),
            other => Err(BuildError::invalid(format!(
                "invalid method [{}] {other}: must be POST, PUT or PATCH",
                self.url
            ))),
        }
    }

    /// The fields that every request has, whatever the settings add.
    fn own_headers(&self) -> Headers {
        let mut headers = Headers::new();
        headers.set("User-Agent", USER_AGENT);
        headers.set("Content-Type", "text/plain; charset=utf-8");
        if self.content_encoding == "gzip" {
            headers.set("Content-Encoding", "gzip");
        }
        headers
    }
}

/// What goes into one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Metrics,
    Batches,
}

/// An output to a URL.
struct Http {
    serializer: Box<dyn Serializer>,
    aws: Option<AwsSigner>,
    google: Option<GoogleTokens>,
    client: Client,
    url: Url,
    method: String,
    headers: Headers,
    credentials: LinkedCredentials,
    more_headers: LinkedHeaders,
    /// Whether the fields of the settings say it themselves.
    names_who_is_asking: bool,
    encoding: ContentEncoding,
    format: Format,
    non_retryable: Vec<u16>,
}

/// Why something was not taken.
#[derive(Debug, thiserror::Error)]
enum SendError {
    /// Another try may help.
    #[error(transparent)]
    Retry(PluginError),
    /// The settings say that another try does not help.
    #[error("Received non-retryable status {status}. Metrics are lost. body: {line}")]
    Never { status: u16, line: String },
}

impl Http {
    fn headers(&self) -> Result<Headers, PluginError> {
        let mut headers = self.headers.clone();
        if let Some(authorization) = self.credentials.authorization()? {
            headers.set("Authorization", authorization);
        }
        self.more_headers.set_on(&mut headers)?;
        Ok(headers)
    }

    fn send(&self, body: Vec<u8>) -> Result<(), SendError> {
        let retry = |error: PluginError| SendError::Retry(error);
        let body = self.encoding.encode(body).map_err(|error| retry(error.into()))?;
        let mut request = Request::new(&self.method, self.url.clone(), &body);
        self.add_headers(&mut request).map_err(SendError::Retry)?;
        let response = self.client.send(&request).map_err(|error| retry(error.into()))?;
        let status = response.status;
        if (200..300).contains(&status) {
            return Ok(());
        }
        let line = first_line(&response);
        if self.non_retryable.contains(&status) {
            return Err(SendError::Never { status, line });
        }
        Err(retry(
            format!("when writing to [{}] received status code: {status}. body: {line}", self.url)
                .into(),
        ))
    }

    /// Adds the header; of what proves who is asking the last one counts, as in the original.
    fn add_headers(&self, request: &mut Request<'_>) -> Result<(), PluginError> {
        let mut headers = self.headers()?;
        if let Some(signer) = &self.aws {
            // Only the host has to be there before; nothing else is signed.
            if let Some(host) = headers.get("Host") {
                request.headers.set("Host", host);
            }
            signer.sign(request)?;
            for (name, value) in request.headers.iter() {
                if headers.get(name).is_none() {
                    headers.set(name, value);
                }
            }
        }
        if let Some(google) = &self.google
            && !self.names_who_is_asking
        {
            headers.set("Authorization", google.authorization()?);
        }
        request.headers = headers;
        Ok(())
    }

    fn write_batch(&mut self, batch: &[Metric]) -> Result<(), WriteError> {
        let mut body = Vec::new();
        let mut rejected = match self.serializer.serialize_batch(batch, &mut body) {
            Ok(rejected) => rejected,
            Err(error) => return Err(reject(0..batch.len(), Vec::new(), error)),
        };
        if rejected.len() == batch.len() && !batch.is_empty() {
            return partial(Vec::new(), rejected);
        }
        let is_sent = |index: &usize| rejected.iter().all(|rejection| rejection.index != *index);
        let sent: Vec<usize> = (0..batch.len()).filter(is_sent).collect();
        match self.send(body) {
            Ok(()) => partial(Vec::new(), rejected),
            Err(SendError::Retry(error)) if rejected.is_empty() => Err(WriteError::retry(error)),
            Err(SendError::Retry(source)) => {
                Err(WriteError::Partial { retry: sent, rejected, source })
            }
            Err(error) => Err(reject(sent, std::mem::take(&mut rejected), error.to_string())),
        }
    }

    fn write_metrics(&mut self, batch: &[Metric]) -> Result<(), WriteError> {
        let mut rejected = Vec::new();
        for (index, metric) in batch.iter().enumerate() {
            let mut body = Vec::new();
            if let Err(reason) = self.serializer.serialize(metric, &mut body) {
                rejected.push(Rejection { index, reason });
                continue;
            }
            match self.send(body) {
                Ok(()) => {}
                Err(SendError::Retry(source)) => {
                    let retry = (index..batch.len()).collect();
                    return Err(WriteError::Partial { retry, rejected, source });
                }
                Err(error) => rejected.push(Rejection { index, reason: error.into() }),
            }
        }
        partial(Vec::new(), rejected)
    }
}

/// The first line of an answer, and so much of it that it fits into a line of the log.
fn first_line(response: &Response) -> String {
    let shown = &response.body[..response.body.len().min(SHOWN_BYTES)];
    let line = shown.split(|byte| *byte == b'\n').next().unwrap_or_default();
    String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line)).into_owned()
}

/// What a write comes to of which only these metrics were not taken.
fn partial(retry: Vec<usize>, rejected: Vec<Rejection>) -> Result<(), WriteError> {
    match rejected.first() {
        None => Ok(()),
        Some(first) => {
            let source = first.reason.to_string().into();
            Err(WriteError::Partial { retry, rejected, source })
        }
    }
}

/// Makes the error of metrics that are given up for one reason, beside others.
fn reject(
    indices: impl IntoIterator<Item = usize>,
    mut rejected: Vec<Rejection>,
    reason: impl Into<PluginError>,
) -> WriteError {
    let reason: Arc<dyn std::error::Error + Send + Sync> = Arc::from(reason.into());
    let rejection = |index| Rejection { index, reason: Box::new(reason.clone()) };
    rejected.extend(indices.into_iter().map(rejection));
    rejected.sort_by_key(|rejection| rejection.index);
    WriteError::Partial { retry: Vec::new(), rejected, source: Box::new(reason.clone()) }
}

impl Output for Http {
    fn connect(&mut self) -> Result<(), ConnectError> {
        self.client.log_in().map_err(|error| ConnectError { retryable: true, source: error.into() })
    }

    fn write(&mut self, batch: &[Metric]) -> Result<(), WriteError> {
        match self.format {
            Format::Batches => self.write_batch(batch),
            Format::Metrics => self.write_metrics(batch),
        }
    }

    fn close(&mut self) -> Result<(), PluginError> {
        self.client.close_idle();
        Ok(())
    }
}

#[cfg(test)]
mod tests;
