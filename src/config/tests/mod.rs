//! Whole configurations through the loader, with plugins made for it.

mod errors;
mod plans;
mod remote;
mod secrets;

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::environment::Handling;
use super::remote::{Attempts, FetchError, Remote};
use super::sources::Sources;
use super::*;
use crate::metric::{Metric, Timestamp};
use crate::plugin::settings::SecretOption;
use crate::plugin::{
    Accumulator, Aggregator, Build, BuildError, ConnectError, Context, Declaration, Formats, Input,
    Output, Parser, PluginError, Processor, SecretStore, Statistics, WriteError,
};
use crate::system::fake::FakeClock;
use crate::system::{Host, HostRoots, Random, Secret, System};

/// Settings of every plugin here.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
struct Config {
    flag: bool,
    count: i64,
    text: String,
    /// Asks for a parser.
    parses: bool,
    password: SecretOption,
    headers: BTreeMap<String, SecretOption>,
}

struct Plugin;

impl Config {
    fn plugin(&self, context: &Context<'_>) -> Result<Plugin, BuildError> {
        if self.count < 0 {
            return Err(BuildError::invalid("count makes no sense"));
        }
        if self.parses {
            context.parser("lines")?;
        }
        context.secret(&self.password)?;
        context.secret_headers(&self.headers)?;
        Ok(Plugin)
    }
}

impl Input for Plugin {
    fn gather(&mut self, _: &mut Accumulator<'_>) -> Result<(), PluginError> {
        Ok(())
    }
}

impl Output for Plugin {
    fn connect(&mut self) -> Result<(), ConnectError> {
        panic!("loading must not connect")
    }

    fn write(&mut self, _: &[Metric]) -> Result<(), WriteError> {
        Ok(())
    }
}

impl Processor for Plugin {
    fn apply(&mut self, metrics: Vec<Metric>) -> Vec<Metric> {
        metrics
    }
}

impl Aggregator for Plugin {
    fn add(&mut self, _: &Metric) {}
    fn push(&mut self, _: &mut Accumulator<'_>) {}
    fn reset(&mut self) {}
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct LinesConfig {
    separator: String,
}

struct Lines;

impl Parser for Lines {
    fn parse(&mut self, _: &[u8]) -> Result<Vec<Metric>, PluginError> {
        Ok(Vec::new())
    }
}

impl Build<dyn Parser> for LinesConfig {
    fn build(self, _: &Context<'_>) -> Result<Box<dyn Parser>, BuildError> {
        Ok(Box::new(Lines))
    }
}

/// A store with the keys `key` and `pass`, whose value is its password.
struct Vault(Secret);

impl SecretStore for Vault {
    fn get(&self, key: &str) -> Result<Secret, PluginError> {
        match key {
            "key" | "pass" => Ok(self.0.clone()),
            _ => Err("not found".into()),
        }
    }

    fn list(&self) -> Result<Vec<String>, PluginError> {
        Ok(vec!["key".to_owned(), "pass".to_owned()])
    }
}

impl Build<dyn SecretStore> for Config {
    fn build(self, context: &Context<'_>) -> Result<Box<dyn SecretStore>, BuildError> {
        self.plugin(context)?;
        let password = match self.password.is_empty() {
            true => context.global_password().clone(),
            false => context.secret(&self.password)?.get().unwrap().into_owned(),
        };
        Ok(Box::new(Vault(password)))
    }
}

macro_rules! builds {
    ($($kind:ident),*) => {$(
        impl Build<dyn $kind> for Config {
            fn build(self, context: &Context<'_>) -> Result<Box<dyn $kind>, BuildError> {
                Ok(Box::new(self.plugin(context)?))
            }
        }
    )*};
}
builds!(Input, Output, Processor, Aggregator);

static INPUT: Declaration<dyn Input> = Declaration::new::<Config>("probe", "");
static OTHER_INPUT: Declaration<dyn Input> = Declaration::new::<Config>("other", "");
static OUTPUT: Declaration<dyn Output> = Declaration::new::<Config>("hole", "");
static PROCESSOR: Declaration<dyn Processor> = Declaration::new::<Config>("pass", "");
static OTHER_PROCESSOR: Declaration<dyn Processor> = Declaration::new::<Config>("other", "");
static AGGREGATOR: Declaration<dyn Aggregator> = Declaration::new::<Config>("sum", "");
static VAULT: Declaration<dyn SecretStore> = Declaration::new::<Config>("vault", "");
static PARSER: Declaration<dyn Parser> = Declaration::new::<LinesConfig>("lines", "");

static PLUGINS: Plugins = Plugins {
    inputs: &[&OTHER_INPUT, &INPUT],
    outputs: &[&OUTPUT],
    processors: &[&OTHER_PROCESSOR, &PROCESSOR],
    aggregators: &[&AGGREGATOR],
    secret_stores: &[&VAULT],
    formats: Formats { parsers: &[&PARSER], serializers: &[] },
};

fn variable(name: &str) -> Option<String> {
    let value = match name {
        "FIVE" => "5",
        "YES" => "true",
        "TEXT" => "some text",
        "SPAN" => "7s",
        "LINE" => "count = 3\ntext = 'injected'",
        _ => return None,
    };
    Some(value.to_owned())
}

fn system() -> System {
    System {
        clock: Arc::new(FakeClock::at(Timestamp::EPOCH)),
        host: Arc::new(Host::new(HostRoots::from_variables(|_| None))),
        random: Random::from_seed(1),
    }
}

/// A server that has a few configurations.
struct Server;

impl Remote for Server {
    fn fetch(&self, url: &str, attempts: Attempts) -> Result<Vec<u8>, FetchError> {
        match url.rsplit('/').next().unwrap() {
            "in" => Ok(b"[[inputs.probe]]\n[agent]\nconfig_url_retry_attempts = 7".to_vec()),
            "out" => Ok(b"[[outputs.hole]]".to_vec()),
            "wrong" => Ok(b"[[inputs.nosuch]]".to_vec()),
            "html?token=word" => Ok(b"<html>".to_vec()),
            _ => Err(FetchError::Status(format!("{attempts:?}"))),
        }
    }
}

/// Works with a loader that has the real plugins and these tests' variables.
pub(super) fn with_loader<T>(work: impl FnOnce(&Loader<'_>) -> T) -> T {
    work(&Loader {
        options: &LoadOptions { purpose: Purpose::Check, ..LoadOptions::default() },
        plugins: &Plugins::all(),
        environment: &variable,
        system: &system(),
        statistics: &Statistics::default(),
        remote: &Server,
    })
}

/// Loads files of these texts, called `0.conf` and so on in messages.
fn load(options: &LoadOptions, texts: &[&str]) -> Result<Loaded, Vec<String>> {
    let folder = tempfile::tempdir().unwrap();
    let prefix = format!("{}/", folder.path().display());
    let mut sources = Sources::default();
    for (index, text) in texts.iter().enumerate() {
        let path = format!("{prefix}{index}.conf");
        fs::write(&path, text).unwrap();
        sources.files.push(path);
    }
    let loader = Loader {
        options,
        plugins: &PLUGINS,
        environment: &variable,
        system: &system(),
        statistics: &Statistics::default(),
        remote: &Server,
    };
    let result = loader.load(&sources);
    result.map_err(|errors| {
        let lines = errors.0.iter().map(|error| error.to_string().replace(&prefix, ""));
        lines.map(|line| line.replace("loading config file 0.conf failed: ", "")).collect()
    })
}

fn check(text: &str) -> Vec<String> {
    let options = LoadOptions { purpose: Purpose::Check, ..LoadOptions::default() };
    load(&options, &[text]).err().unwrap_or_default()
}

fn run(text: &str) -> Loaded {
    let text = format!("{text}\n[[inputs.probe]]\n[[outputs.hole]]\n");
    load(&LoadOptions::default(), &[&text]).unwrap_or_else(|errors| panic!("{errors:?}"))
}

fn loaded(result: &Loaded) -> String {
    let plugins = result.plugins.iter();
    let names: Vec<_> = plugins.map(|plugin| format!("{}.{}", plugin.kind, plugin.name)).collect();
    names.join(" ")
}
