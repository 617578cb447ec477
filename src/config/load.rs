//! Loading: the files one after the other, then their plugins.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use jiff::tz::TimeZone;
use log::LevelFilter;

use super::agent_table::AgentTable;
use super::build::{Builder, Built, Plugins};
use super::environment::{self, Dialect, Handling, Lookup};
use super::errors::{ConfigError, ConfigErrors, Problem, WholeError};
use super::general::Noticed;
use super::remote::{self, Attempts, Remote};
use super::sections::{self, Role, Section, Sections};
use super::selector::Selector;
use super::sources::{self, Sources};
use super::{stores, text, toml};
use crate::agent::options::AgentOptions;
use crate::agent::plan::Plan;
use crate::plugin::Statistics;
use crate::plugin::secrets::SecretStores;
use crate::plugin::settings::{Duration, Place};
use crate::system::{Secret, System};

/// What the command line says about loading.
#[derive(Debug, Clone, Default)]
pub struct LoadOptions {
    /// Where environment variables are replaced.
    pub handling: Handling,
    /// By which rules.
    pub dialect: Dialect,
    /// Which plugins are loaded by their names.
    pub filters: PluginFilters,
    /// Which plugins are loaded by their labels.
    pub selector: Selector,
    /// What the configuration is loaded for.
    pub purpose: Purpose,
    /// The password of secret stores that are locked; empty if none is given.
    pub password: Secret,
    /// How often a server is asked again, as `[agent]` has it, too.
    pub url_attempts: i64,
    /// Where what outlasts the agent is kept unless the configuration says it; nowhere if absent.
    pub state_folder: Option<PathBuf>,
}

/// Names of plugins to load, by kind; an empty list is all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PluginFilters {
    /// `--input-filter`
    pub inputs: Vec<String>,
    /// `--output-filter`
    pub outputs: Vec<String>,
    /// `--secretstore-filter`
    pub secret_stores: Vec<String>,
}

impl PluginFilters {
    pub(super) fn admit(&self, section: &Section) -> bool {
        let wanted = match section.role {
            Role::Input => &self.inputs,
            Role::Output => &self.outputs,
            Role::SecretStore => &self.secret_stores,
            Role::Processor | Role::Aggregator => return true,
        };
        wanted.is_empty() || wanted.contains(&section.name)
    }
}

/// What a configuration is loaded for, which decides what it must at least have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Purpose {
    /// To run: inputs and outputs.
    #[default]
    Run,
    /// To print what is gathered: inputs.
    Test,
    /// To find out whether it is well: nothing.
    Check,
    /// For its secret stores; nothing else is built.
    SecretStores,
}

/// A plugin that was loaded, for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadedPlugin {
    /// Its kind as sections name it, such as `inputs`.
    pub kind: &'static str,
    /// Its name, such as `cpu`.
    pub name: String,
    /// The file that asks for it.
    pub file: Arc<str>,
}

/// What a configuration came to.
pub struct Loaded {
    /// What the agent runs.
    pub plan: Plan,
    /// The files that were loaded, in their order.
    pub files: Vec<String>,
    /// The plugins that were loaded, in their order.
    pub plugins: Vec<LoadedPlugin>,
    /// How many deprecated options are set, by the kind of their plugins, such as `inputs`.
    pub deprecated_options: BTreeMap<&'static str, usize>,
    /// The secret stores.
    pub secret_stores: SecretStores,
    /// The global tags, `host` among them.
    pub tags: BTreeMap<String, String>,
    /// The levels of plugins with a `log_level` of their own, by the name in the log.
    pub plugin_levels: HashMap<String, LevelFilter>,
}

/// Loads configurations; opens no socket and starts nothing, so that a configuration can be
/// loaded while another one runs.
pub struct Loader<'a> {
    /// What the command line says.
    pub options: &'a LoadOptions,
    /// The plugins to choose from.
    pub plugins: &'a Plugins,
    /// Finds environment variables.
    pub environment: &'a Lookup<'a>,
    /// The machine.
    pub system: &'a System,
    /// Where plugins count.
    pub statistics: &'a Statistics,
    /// Brings what lies on servers.
    pub remote: &'a dyn Remote,
}

impl Loader<'_> {
    /// Finds, reads and builds the whole configuration.
    ///
    /// # Errors
    /// Everything that is wrong in all of the files.
    pub fn load(&self, sources: &Sources) -> Result<Loaded, ConfigErrors> {
        let files = sources.find(self.environment)?;
        let mut agent = AgentTable::new();
        let mut plugins = Vec::new();
        let mut errors = Vec::new();
        for name in &files {
            if !agent.options.quiet {
                log::info!(target: "", "Loading config: {}", remote::shown(name));
            }
            let file: Arc<str> = remote::shown(name).into();
            let bytes = match self.bytes(name, &agent) {
                Ok(bytes) => bytes,
                Err(problem) => {
                    let is_fetched = matches!(problem, Problem::Fetch(_));
                    errors.push(problem.of(&file));
                    // Other servers may keep one waiting as long as this one did.
                    if is_fetched { break } else { continue }
                }
            };
            match self.read(&file, &bytes, &mut errors) {
                Ok(sections) => {
                    agent.add_tags(&file, &sections.global_tags, &mut errors);
                    if let Some(table) = sections.agent {
                        agent.add_agent(&file, table, &mut errors);
                    }
                    agent.add_host(|| self.system.host.name());
                    plugins.extend(sections.plugins);
                }
                Err(problems) => {
                    errors.extend(problems.into_iter().map(|problem| problem.of(&file)));
                }
            }
        }
        let (built, errors) = self.build(plugins, &agent, errors);
        if !errors.is_empty() {
            return Err(ConfigErrors(errors));
        }
        if self.options.purpose != Purpose::SecretStores {
            self.check(&agent.options, &built)?;
        }
        let AgentTable { options, tags, hostname, .. } = agent;
        let Built {
            inputs,
            outputs,
            processors,
            aggregate_processors,
            aggregators,
            secret_stores,
            loaded,
            deprecated_options,
            plugin_levels,
            ..
        } = built;
        let plan = Plan {
            agent: options,
            hostname,
            inputs,
            processors,
            aggregators,
            aggregate_processors,
            outputs,
        };
        Ok(Loaded {
            plan,
            files,
            plugins: loaded,
            deprecated_options,
            secret_stores,
            tags,
            plugin_levels,
        })
    }

    /// The bytes of one configuration, wherever it lies.
    pub(super) fn bytes(&self, name: &str, agent: &AgentTable) -> Result<Vec<u8>, Problem> {
        if !remote::is_remote(name) {
            return sources::read(name);
        }
        let number = agent.url_attempts().unwrap_or(self.options.url_attempts);
        let attempts = Attempts::from_number(number).map_err(Problem::Fetch)?;
        self.remote.fetch(name, attempts).map_err(Problem::Fetch)
    }

    /// Takes the bytes of one file apart into its sections.
    pub(super) fn read(
        &self,
        file: &Arc<str>,
        bytes: &[u8],
        errors: &mut Vec<ConfigError>,
    ) -> Result<Sections, Vec<Problem>> {
        let text =
            text::from_bytes(bytes).map_err(|reason| vec![Problem::not_text(file, reason)])?;
        let (handling, dialect) = (self.options.handling, self.options.dialect);
        let place = |position| Place { file: file.clone(), position, section: "".into() };
        let text = match handling {
            Handling::Strict => text,
            Handling::NonStrict => {
                environment::substitute(&text, dialect, self.environment)
                    .map_err(|(offset, missing)| {
                        let place = place(text::Lines::new(&text).position(offset));
                        vec![Problem::Variable { place, missing }]
                    })?
                    .text
            }
        };
        let mut root = toml::parse(file, &text).map_err(|errors| {
            let syntax = |error| Problem::Syntax { file: file.clone(), error };
            errors.into_iter().map(syntax).collect::<Vec<_>>()
        })?;
        if handling == Handling::Strict {
            let mut missing = Vec::new();
            environment::substitute_table(&mut root, dialect, self.environment, &mut missing);
            if !missing.is_empty() {
                let variable =
                    |(position, missing)| Problem::Variable { place: place(position), missing };
                return Err(missing.into_iter().map(variable).collect());
            }
        }
        Ok(sections::split(file, root, errors))
    }

    fn build(
        &self,
        sections: Vec<Section>,
        agent: &AgentTable,
        errors: Vec<ConfigError>,
    ) -> (Built, Vec<ConfigError>) {
        let mut builder = self.builder(agent, errors);
        let admitted = |section: &Section| self.options.filters.admit(section);
        let (stores, others) = stores::divide(sections.into_iter().filter(admitted).collect());
        builder.add_secret_stores(stores);
        if self.options.purpose != Purpose::SecretStores {
            others.into_iter().for_each(|section| builder.add(section));
        }
        builder.finish()
    }

    /// What builds plugins that run in an agent with these settings.
    pub(super) fn builder<'l>(
        &'l self,
        agent: &'l AgentTable,
        errors: Vec<ConfigError>,
    ) -> Builder<'l> {
        Builder {
            plugins: self.plugins,
            agent: &agent.options,
            global_tags: &agent.tags,
            selector: &self.options.selector,
            system: self.system,
            state_folder: self.options.state_folder.as_deref(),
            statistics: self.statistics,
            errors,
            noticed: Noticed::new(),
            built: Built {
                secret_stores: SecretStores::with_password(self.options.password.clone()),
                ..Built::default()
            },
            processors: Vec::new(),
            failed_stores: BTreeSet::new(),
        }
    }

    /// Checks what only all files together can say.
    fn check(&self, agent: &AgentOptions, built: &Built) -> Result<(), ConfigError> {
        if agent.skip_processors_before_aggregators
            && agent.skip_processors_after_aggregators == Some(true)
        {
            return Err(ConfigError::ProcessorsSkipped);
        }
        self.check_for_run(agent, built).map_err(ConfigError::Whole)
    }

    fn check_for_run(&self, agent: &AgentOptions, built: &Built) -> Result<(), WholeError> {
        let purpose = self.options.purpose;
        if purpose == Purpose::Run && built.outputs.is_empty() {
            return Err(WholeError::NoOutputs);
        }
        if purpose != Purpose::Check && built.inputs.is_empty() {
            return Err(WholeError::NoInputs);
        }
        if purpose == Purpose::Check {
            // A part of a configuration can be checked by itself.
            let is_none = [built.outputs.is_empty(), built.inputs.is_empty()];
            for (what, _) in ["outputs", "inputs"].iter().zip(is_none).filter(|(_, none)| *none) {
                log::warn!(target: "", "no {what} found; a run would refuse this configuration");
            }
        }
        if agent.interval <= Duration::ZERO {
            return Err(WholeError::Interval(agent.interval));
        }
        if agent.flush_interval <= Duration::ZERO {
            return Err(WholeError::FlushInterval(agent.flush_interval));
        }
        check_log(agent).map_err(WholeError::Log)
    }
}

fn check_log(agent: &AgentOptions) -> Result<(), String> {
    match agent.logtarget.as_str() {
        "" => {}
        "stderr" | "file" => {
            let instead = if agent.logtarget == "file" {
                "please just set \"logfile\" and remove this setting!"
            } else {
                "please leave \"logfile\" empty and remove this setting!"
            };
            log::warn!(
                target: "",
                "Agent setting \"logtarget\" is deprecated, {instead} The setting will be removed \
                 in v1.40.0."
            );
        }
        other => return Err(format!("invalid deprecated 'logtarget' setting {other:?}")),
    }
    match agent.logformat.as_str() {
        "" | "text" | "structured" => {}
        other => return Err(format!("unsupported log-format: {other}")),
    }
    match agent.log_with_timezone.as_str() {
        "" => Ok(()),
        zone if zone.eq_ignore_ascii_case("local") => Ok(()),
        zone => match TimeZone::get(zone) {
            Ok(_) => Ok(()),
            Err(_) => Err(format!("setting logging timezone failed: unknown time zone {zone}")),
        },
    }
}
