//! Reads beans of Java programs from Jolokia agents.
//!
//! # References
//! Telegraf's `inputs.jolokia2_agent`; Jolokia's protocol, "Reading attributes" and "Bulk requests".

mod answer;
mod points;
mod selection;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crossbeam_channel::{Sender, unbounded};
use serde::{Deserialize, Serialize};

use crate::http::{Client, ClientSettings, Request, Url, reason};
use crate::plugin::http_options::TlsOptions;
use crate::plugin::secrets::LinkedCredentials;
use crate::plugin::settings::{Duration, SecretOption};
use crate::plugin::{
    Accumulator, Build, BuildError, Context, Declaration, Input, PluginError, PluginLog,
};
use answer::Answer;
use points::{Points, Read};
use selection::{Defaults, MetricConfig, Selection};

/// How many agents are asked at a time.
const MOST_THREADS: usize = 32;

/// The tag that says which agent the values are from.
const URL_TAG: &str = "jolokia_agent_url";

/// The input as the table lists it.
pub static PLUGIN: Declaration<dyn Input> =
    Declaration::sharing::<Config, TlsOptions>("jolokia2_agent", include_str!("sample.conf"));

/// The settings of the input.
#[derive(Clone, Deserialize, Serialize)]
#[serde(default)]
pub struct Config {
    urls: Vec<String>,
    username: SecretOption,
    password: SecretOption,
    origin: String,
    response_timeout: Duration,
    default_tag_prefix: String,
    default_field_prefix: String,
    default_field_separator: String,
    metric: Vec<MetricConfig>,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            urls: Vec::new(),
            username: SecretOption::default(),
            password: SecretOption::default(),
            origin: String::new(),
            response_timeout: Duration::from_secs(5),
            default_tag_prefix: String::new(),
            default_field_prefix: String::new(),
            default_field_separator: ".".to_owned(),
            metric: Vec::new(),
        }
    }
}

impl Build<dyn Input> for Config {
    fn build(self, context: &Context<'_>) -> Result<Box<dyn Input>, BuildError> {
        let defaults = Defaults {
            tag_prefix: self.default_tag_prefix,
            field_prefix: self.default_field_prefix,
            field_separator: self.default_field_separator,
        };
        let selections = self
            .metric
            .into_iter()
            .zip(1..)
            .map(|(metric, number)| Selection::new(number, metric, &defaults))
            .collect::<Result<Vec<_>, _>>()
            .map_err(BuildError::invalid)?;
        let requests: Vec<_> = selections.iter().flat_map(Selection::requests).collect();
        let body = serde_json::to_vec(&requests).map_err(BuildError::invalid)?;
        let limit = Some(self.response_timeout.to_std()).filter(|limit| !limit.is_zero());
        let settings = ClientSettings {
            timeout: limit,
            header_timeout: limit,
            tls: context.settings().read::<TlsOptions>()?.settings()?,
            ..ClientSettings::default()
        };
        let client =
            Client::new(settings, context.system.clock.clone()).map_err(BuildError::invalid)?;
        let credentials = context.credentials(&self.username, &self.password)?;
        Ok(Box::new(JolokiaAgent {
            asker: Asker { client, urls: self.urls, credentials, origin: self.origin, body },
            selections,
            log: context.log.clone(),
        }))
    }
}

/// Why an agent gave no metrics.
#[derive(Debug, thiserror::Error)]
#[error("unable to gather metrics for {url:?}: {source}")]
struct AgentFailure {
    url: String,
    source: PluginError,
}

/// What came of asking the agent at a place in the list.
type Answered = (usize, Result<Vec<Answer>, PluginError>);

/// An input that asks agents.
struct JolokiaAgent {
    asker: Asker,
    selections: Vec<Selection>,
    log: PluginLog,
}

/// The part of the input that asks, which threads share.
struct Asker {
    client: Client,
    urls: Vec<String>,
    credentials: LinkedCredentials,
    /// Header `Origin`; none if empty.
    origin: String,
    /// All reads; the same for each agent and each round.
    body: Vec<u8>,
}

impl Asker {
    /// Asks all agents, several at a time, and sends what came of each as soon as it is there.
    fn ask_all<'scope>(
        &'scope self,
        scope: &'scope thread::Scope<'scope, '_>,
        next: &'scope AtomicUsize,
        answered: &Sender<Answered>,
        log: &PluginLog,
    ) {
        for _ in 0..self.urls.len().min(MOST_THREADS) {
            let answered = answered.clone();
            let ask = move || {
                let indices = std::iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed));
                for at in indices.take_while(|at| *at < self.urls.len()) {
                    // The receiver waits for every agent.
                    let _ = answered.send((at, self.ask(&self.urls[at])));
                }
            };
            let name = "inputs.jolokia2".to_owned();
            if let Err(error) = thread::Builder::new().name(name).spawn_scoped(scope, ask) {
                log.error(format_args!("Starting a thread failed: {error}"));
            }
        }
    }

    fn ask(&self, url: &str) -> Result<Vec<Answer>, PluginError> {
        let place = Url::parse(url)?.joined("read").with_query(String::new());
        let mut request = Request::new("POST", place, &self.body);
        request.headers.set("Content-Type", "application/json");
        if !self.origin.is_empty() {
            request.headers.set("Origin", &self.origin);
        }
        if let Some(authorization) = self.credentials.authorization()? {
            request.headers.set("Authorization", authorization);
        }
        let response = self.client.send(&request)?;
        if response.status != 200 {
            let (status, words) = (response.status, reason(response.status));
            let because = answer::last_words(&response);
            return Err(
                format!("the agent answered with status code {status} ({words}){because}").into()
            );
        }
        Ok(answer::parse(&response.body)?)
    }
}

/// Makes metrics of the answers of one agent; what is wrong with some of them leaves the others.
fn read(
    selections: &[Selection],
    url: &str,
    answers: &[Answer],
    accumulator: &mut Accumulator<'_>,
) {
    let mut failures: Vec<PluginError> = Vec::new();
    let mut with_values = Vec::with_capacity(answers.len());
    for answer in answers {
        match answer.has_value() {
            Ok(true) => with_values.push(answer),
            Ok(false) => {}
            Err(error) => failures.push(error.into()),
        }
    }
    let mut measurements: Vec<(&str, Points)> = Vec::new();
    for selection in selections {
        let name = selection.name.as_str();
        let at = measurements.iter().position(|(other, _)| *other == name).unwrap_or_else(|| {
            measurements.push((name, Points::default()));
            measurements.len() - 1
        });
        for answer in &with_values {
            let request = &answer.request;
            let (attributes, path) = (&request.attributes.0, request.path.as_deref().unwrap_or(""));
            if !selection.matches(&request.mbean, attributes, path) {
                continue;
            }
            let target = request.target();
            let read = Read { attributes, path, target, value: &answer.value };
            if let Err(error) = measurements[at].1.add(selection, read) {
                failures.push(error.into());
            }
        }
    }
    for source in failures {
        accumulator.report(AgentFailure { url: url.to_owned(), source });
    }
    let now = accumulator.now();
    for (name, points) in measurements {
        points.into_metrics(name, now, (URL_TAG, url)).for_each(|metric| accumulator.add(metric));
    }
}

impl Input for JolokiaAgent {
    fn gather(&mut self, accumulator: &mut Accumulator<'_>) -> Result<(), PluginError> {
        if self.selections.is_empty() {
            return Ok(());
        }
        // Each answer is read as soon as it is there: one slow agent must not delay all others.
        let (answered, answers) = unbounded::<Answered>();
        let JolokiaAgent { asker, selections, log } = self;
        let next = AtomicUsize::new(0);
        thread::scope(|scope| {
            asker.ask_all(scope, &next, &answered, log);
            drop(answered);
            for (at, answers) in answers {
                let url = &asker.urls[at];
                match answers {
                    Ok(answers) => read(selections, url, &answers, accumulator),
                    Err(source) => accumulator.report(AgentFailure { url: url.clone(), source }),
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
