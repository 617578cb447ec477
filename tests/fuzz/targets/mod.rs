//! What is fed: a target for everything that reads what others have written.

mod formats;
mod kernel;
mod languages;
mod network;
mod patterns;
mod settings;
mod sink;

use std::fmt::Display;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::sync::Arc;

use metric_agent::config::toml;
use metric_agent::metric::Timestamp;
use metric_agent::plugin::settings::{Data, Table};
use metric_agent::plugin::{BuildError, Context, PluginLog, Serializer, Statistics};
use metric_agent::plugins::FORMATS;
use metric_agent::system::fake::FakeClock;
use metric_agent::system::{Host, HostRoots, Random, System};

use crate::corpus;

/// What came of an input, as far as it is worth another one like it.
pub(crate) type Outcome = u64;

/// Takes inputs.
pub(crate) type Run = Box<dyn FnMut(&[u8]) -> Outcome>;

/// Something that reads what others have written.
pub(crate) struct Target {
    /// The name of its test, and of the folder of its kept cases.
    pub(crate) name: String,
    /// Where to begin.
    pub(crate) corpus: Box<dyn Fn() -> Vec<Vec<u8>> + Send>,
    /// Words of the language.
    pub(crate) tokens: &'static [&'static str],
    /// How long an input may be.
    pub(crate) most_bytes: usize,
    /// How much time of a processor each byte of an input may take.
    pub(crate) nanos_per_byte: u64,
    /// How many bytes at the beginning of an input are not damaged.
    pub(crate) head: fn(&[u8]) -> usize,
    /// Makes what takes the inputs; it panics where an input shows a fault.
    pub(crate) start: Box<dyn Fn() -> Run + Send>,
}

impl Target {
    fn new(
        name: impl Into<String>,
        corpus: impl Fn() -> Vec<Vec<u8>> + Send + 'static,
        tokens: &'static [&'static str],
        start: impl Fn() -> Run + Send + 'static,
    ) -> Target {
        Target {
            name: name.into(),
            corpus: Box::new(corpus),
            tokens,
            most_bytes: 64 << 10,
            nanos_per_byte: 20_000,
            head: |_| 0,
            start: Box::new(start),
        }
    }

    /// One that takes text; a text out of a file of configuration or such, so rather short.
    fn of_text<F: FnMut(&str) -> Outcome + 'static>(
        name: &str,
        corpus: &'static [&'static str],
        tokens: &'static [&'static str],
        start: impl Fn() -> F + Send + 'static,
    ) -> Target {
        let corpus = || corpus.iter().map(|text| text.as_bytes().to_vec()).collect();
        let start = move || -> Run {
            let mut run = start();
            Box::new(move |input| run(&String::from_utf8_lossy(input)))
        };
        Target { most_bytes: 4 << 10, ..Target::new(name, corpus, tokens, start) }
    }
}

/// All targets.
pub(crate) fn all() -> Vec<Target> {
    [
        settings::targets(),
        formats::targets(),
        patterns::targets(),
        languages::targets(),
        network::targets(),
        kernel::targets(),
        sink::targets(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// An outcome that is told apart by a text without its numbers.
fn outcome(text: impl Display) -> Outcome {
    let mut hasher = DefaultHasher::new();
    // Without numbers, and of limited length: places and values do not make it another one.
    for c in text.to_string().chars().filter(|c| !c.is_ascii_digit()).take(60) {
        c.hash(&mut hasher);
    }
    hasher.finish()
}

/// The outcome of an attempt: which error, or what kind of success.
fn outcome_of<T, E: Display>(result: Result<T, E>, tell: impl FnOnce(T) -> usize) -> Outcome {
    match result {
        Ok(value) => (tell(value).checked_ilog2().map_or(0, |log| log + 1)).into(),
        Err(error) => outcome(error),
    }
}

/// The first line, which says what is done with the others.
fn first_line(input: &[u8]) -> usize {
    input.iter().position(|byte| *byte == b'\n').map_or(0, |end| end + 1)
}

/// A machine whose clock stands still and that has no files.
fn system() -> System {
    system_with(HostRoots::from_variables(|_| Some("/nonexistent".into())))
}

fn system_with(roots: HostRoots) -> System {
    System {
        clock: Arc::new(FakeClock::at(Timestamp::from_seconds(1_700_000_000))),
        host: Arc::new(Host::new(roots)),
        random: Random::from_seed(1),
    }
}

/// A table of options as it stands in a file, for the plugin of a section.
fn table(section: &str, options: &str) -> Table {
    let mut table = toml::parse("options", options).unwrap();
    table.section = section.into();
    table
}

/// The context of the plugin with these settings.
fn context(settings: &Table, system: System) -> Context<'_> {
    let log = PluginLog::new(settings.section.clone());
    Context::new(system, log, Statistics::default(), settings, FORMATS)
}

fn serializer(format: &str, options: &str) -> Result<Box<dyn Serializer>, BuildError> {
    context(&table("outputs.test", options), system()).serializer(format)
}

/// The tables of plugins of a kind in the settings of a testcase, with their names.
fn plugins_in(case: &Path, kind: &str) -> Vec<(String, Table)> {
    let Some(text) = corpus::settings_of(case) else { return Vec::new() };
    let Ok(root) = toml::parse("telegraf.conf", &text) else { return Vec::new() };
    let Some(kinds) = root.get(kind) else { return Vec::new() };
    let Data::Table(plugins) = &kinds.value.data else { return Vec::new() };
    let mut found = Vec::new();
    for entry in plugins.entries() {
        let tables = match &entry.value.data {
            Data::Array(values) => values.iter().collect(),
            _ => vec![&entry.value],
        };
        for value in tables {
            if let Data::Table(table) = &value.data {
                let mut table = table.clone();
                table.section = format!("{kind}.{}", entry.key).into();
                found.push((entry.key.clone(), table));
            }
        }
    }
    found
}

/// The text of an option in a table.
fn text_of<'t>(table: &'t Table, key: &str) -> Option<&'t str> {
    match &table.get(key)?.value.data {
        Data::String { text, .. } => Some(text),
        _ => None,
    }
}
