//! The sections of all files to plugins in their wrappers, ready to run.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::path::Path;
use std::time::Duration;

use log::LevelFilter;
use serde::de::DeserializeOwned;

use super::errors::{ConfigError, Problem};
use super::general::{self, Noticed};
use super::load::LoadedPlugin;
use super::plugin_id::plugin_id;
use super::retired;
use super::sections::{Role, Section};
use super::selector::{Selector, check_labels};
use crate::agent::filter::{Filter, FilterError};
use crate::agent::naming::Naming;
use crate::agent::options::{
    AgentOptions, AggregatorOptions, IdentityOptions, InputOptions, NamingOptions, OutputOptions,
    ProcessorOptions, StartupErrorBehavior,
};
use crate::agent::running_aggregator::{Aggregation, Original, RunningAggregator, Window};
use crate::agent::running_input::{AlwaysInclude, InputShape, RunningInput, Timing};
use crate::agent::running_output::{Flushing, RunningOutput};
use crate::agent::running_processor::RunningProcessor;
use crate::agent::schedule;
use crate::metric::Tag;
use crate::plugin::secrets::SecretStores;
use crate::plugin::settings::{self, SettingsError};
use crate::plugin::{
    Aggregator, BuildError, Context, Declaration, Formats, Input, Output, PluginLog, Processor,
    SecretStore, Statistics,
};
use crate::plugins;
use crate::system::System;

/// The plugins that configurations can name.
#[derive(Clone, Copy)]
pub struct Plugins {
    /// Every input.
    pub inputs: &'static [&'static Declaration<dyn Input>],
    /// Every output.
    pub outputs: &'static [&'static Declaration<dyn Output>],
    /// Every processor.
    pub processors: &'static [&'static Declaration<dyn Processor>],
    /// Every aggregator.
    pub aggregators: &'static [&'static Declaration<dyn Aggregator>],
    /// Every secret store.
    pub secret_stores: &'static [&'static Declaration<dyn SecretStore>],
    /// Every parser and serializer.
    pub formats: Formats,
}

impl Plugins {
    /// Those that this program has.
    pub fn all() -> Plugins {
        Plugins {
            inputs: plugins::inputs::ALL,
            outputs: plugins::outputs::ALL,
            processors: plugins::processors::ALL,
            aggregators: plugins::aggregators::ALL,
            secret_stores: plugins::secretstores::ALL,
            formats: plugins::FORMATS,
        }
    }
}

/// What the sections came to.
#[derive(Default)]
pub(super) struct Built {
    pub inputs: Vec<RunningInput>,
    pub outputs: Vec<RunningOutput>,
    pub processors: Vec<RunningProcessor>,
    pub aggregate_processors: Vec<RunningProcessor>,
    pub aggregators: Vec<RunningAggregator>,
    pub secret_stores: SecretStores,
    pub loaded: Vec<LoadedPlugin>,
    /// How many deprecated options are set, by the kind of their plugins, such as `inputs`.
    pub deprecated_options: BTreeMap<&'static str, usize>,
    /// Options that plugins have taken and do nothing with.
    pub without_effect: Vec<String>,
    pub plugin_levels: HashMap<String, LevelFilter>,
}

/// Builds plugins and collects what is wrong with them.
pub(super) struct Builder<'a> {
    pub plugins: &'a Plugins,
    pub agent: &'a AgentOptions,
    pub global_tags: &'a BTreeMap<String, String>,
    pub selector: &'a Selector,
    pub system: &'a System,
    /// Where what outlasts the agent is kept unless that is said.
    pub state_folder: Option<&'a Path>,
    pub statistics: &'a Statistics,
    pub errors: Vec<ConfigError>,
    pub noticed: Noticed,
    pub built: Built,
    /// The processors that aggregates may need an instance of.
    pub processors: Vec<ProcessorSection>,
    /// The ids of secret stores that are asked for and could not be built.
    pub failed_stores: BTreeSet<String>,
}

/// A processor that can be built.
pub(super) struct ProcessorSection {
    section: Section,
    common: Common,
    order: i64,
}

/// What plugins of every kind have.
#[derive(Clone)]
struct Common {
    log: PluginLog,
    filter: Filter,
    statistics: Statistics,
}

impl Builder<'_> {
    /// Builds the plugin of one section.
    pub(super) fn add(&mut self, section: Section) {
        let mut others = std::mem::take(&mut self.errors);
        self.add_section(section);
        self.errors.sort_by_key(ConfigError::position);
        // The engine and the plugin may read the same option, and both stumble over it.
        self.errors.dedup_by_key(|error| error.to_string());
        others.append(&mut self.errors);
        self.errors = others;
    }

    fn add_section(&mut self, mut section: Section) {
        let plugin = format!("{}.{}", section.role.plural(), section.name);
        general::normalize(section.role, &plugin, &mut section.table);
        let identity: IdentityOptions = self.read(&section);
        if let Err(error) = check_labels(&identity.labels) {
            let message = format!("invalid label in plugin {plugin}: {error}");
            self.wrong(&section, "labels", message);
        }
        if !self.selector.selects(&identity.labels) {
            return;
        }
        let is_loaded = match section.role {
            Role::Input => self.add_input(&section, &identity),
            Role::Output => self.add_output(&section, &identity),
            Role::Processor => self.add_processor(&section, &identity),
            Role::Aggregator => self.add_aggregator(&section, &identity),
            Role::SecretStore => self.add_secret_store(&section),
        };
        self.report_unknown_stores(&section);
        if !is_loaded {
            return;
        }
        let idle = section.table.without_effect().map(|entry| entry.key.clone());
        self.built.without_effect.extend(idle);
        general::accept(&section.table);
        for error in section.table.unknown() {
            self.report(&section, Problem::Unknown { plugin: plugin.clone(), error });
        }
        if self.errors.is_empty() {
            let (kind, file) = (section.role.plural(), section.table.file);
            self.built.loaded.push(LoadedPlugin { kind, name: section.name, file });
        }
    }

    /// Sorts the processors, once all sections have been added.
    pub(super) fn finish(mut self) -> (Built, Vec<ConfigError>) {
        let aggregates_pass_by = self.agent.skip_processors_after_aggregators == Some(true);
        if !self.built.aggregators.is_empty() && !aggregates_pass_by {
            self.add_aggregate_processors();
        }
        self.built.processors.sort_by_key(|processor| processor.order);
        self.built.aggregate_processors.sort_by_key(|processor| processor.order);
        if self.agent.skip_processors_before_aggregators {
            self.built.processors.clear();
        }
        (self.built, self.errors)
    }

    fn add_input(&mut self, section: &Section, identity: &IdentityOptions) -> bool {
        let common = self.common(section, identity);
        let options: InputOptions = self.read(section);
        let naming: NamingOptions = self.read(section);
        self.not_negative(
            section,
            &[
                ("interval", options.interval),
                ("precision", options.precision),
                ("collection_jitter", options.collection_jitter.unwrap_or_default()),
                ("collection_offset", options.collection_offset),
            ],
        );
        let Some(input) = self.build(section, self.plugins.inputs, &common.log) else {
            return false;
        };
        let agent = self.agent;
        let interval = or(options.interval, agent.interval);
        let explicit = or(options.precision, agent.precision);
        let timing = Timing {
            interval,
            jitter: options.collection_jitter.unwrap_or(agent.collection_jitter).to_std(),
            offset: or(options.collection_offset, agent.collection_offset),
            precision: schedule::precision(explicit, interval),
            service_precision: options.precision.to_std(),
        };
        let shape = InputShape {
            filter: common.filter,
            naming: Naming::new(naming, self.tags()),
            always_include: AlwaysInclude {
                local_tags: agent.always_include_local_tags,
                global_tags: agent.always_include_global_tags,
            },
            time_source: options.time_source,
        };
        let mut input = RunningInput::new(
            input,
            common.log,
            timing,
            options.startup_error_behavior,
            shape,
            &common.statistics,
        );
        input.id = plugin_id(&format!("inputs.{}", section.name), &section.table);
        self.built.inputs.push(input);
        true
    }

    fn add_output(&mut self, section: &Section, identity: &IdentityOptions) -> bool {
        let common = self.common(section, identity);
        let options: OutputOptions = self.read(section);
        // Tags are an option of inputs and aggregators; here they are accepted and do nothing.
        let naming = NamingOptions { tags: BTreeMap::new(), ..self.read(section) };
        self.not_negative(
            section,
            &[
                ("flush_interval", options.flush_interval),
                ("flush_jitter", options.flush_jitter.unwrap_or_default()),
            ],
        );
        if options.startup_error_behavior == StartupErrorBehavior::Probe {
            let message = "invalid 'startup_error_behavior' setting \"probe\"";
            self.wrong(section, "startup_error_behavior", message);
        }
        let Some(output) = self.build(section, self.plugins.outputs, &common.log) else {
            return false;
        };
        let agent = self.agent;
        let own_or = |own: usize, agents: usize| if own == 0 { agents } else { own };
        let flushing = Flushing {
            interval: or(options.flush_interval, agent.flush_interval),
            jitter: options.flush_jitter.unwrap_or(agent.flush_jitter).to_std(),
            batch_size: own_or(options.metric_batch_size, agent.batch_size()),
            buffer_limit: own_or(options.metric_buffer_limit, agent.buffer_limit()),
        };
        let mut output = RunningOutput::new(
            output,
            common.log,
            flushing,
            options.startup_error_behavior,
            common.filter,
            Naming::new(naming, Vec::new()),
            &common.statistics,
        );
        output.id = plugin_id(&format!("outputs.{}", section.name), &section.table);
        output.placement = agent.buffer_placement(&output.id);
        self.keep_dead_letters(&mut output, &options.dead_letter_file);
        self.built.outputs.push(output);
        true
    }

    fn add_processor(&mut self, section: &Section, identity: &IdentityOptions) -> bool {
        let common = self.common(section, identity);
        let options: ProcessorOptions = self.read(section);
        let Some(processor) = self.build(section, self.plugins.processors, &common.log) else {
            return false;
        };
        let (log, filter, order) = (common.log.clone(), common.filter.clone(), options.order);
        let mut running = RunningProcessor::new(processor, log, order, filter, &common.statistics);
        running.id = plugin_id(&format!("processors.{}", section.name), &section.table);
        self.built.processors.push(running);
        self.processors.push(ProcessorSection { section: section.clone(), common, order });
        true
    }

    /// Builds the instances of processors that aggregates go through: a processor may keep state.
    fn add_aggregate_processors(&mut self) {
        for ProcessorSection { section, common, order } in std::mem::take(&mut self.processors) {
            let Common { log, filter, statistics, .. } = common;
            if let Some(processor) = self.build(&section, self.plugins.processors, &log) {
                let running = RunningProcessor::new(processor, log, order, filter, &statistics);
                self.built.aggregate_processors.push(running);
            }
        }
    }

    fn add_aggregator(&mut self, section: &Section, identity: &IdentityOptions) -> bool {
        let common = self.common(section, identity);
        let options: AggregatorOptions = self.read(section);
        let naming: NamingOptions = self.read(section);
        self.not_negative(
            section,
            &[("period", options.period), ("delay", options.delay), ("grace", options.grace)],
        );
        if options.period == settings::Duration::ZERO {
            self.wrong(section, "period", "period must be positive, found 0s");
        }
        let Some(aggregator) = self.build(section, self.plugins.aggregators, &common.log) else {
            return false;
        };
        let agent = self.agent;
        let window = Window {
            period: options.period.to_std(),
            delay: options.delay.to_std(),
            grace: options.grace.to_std(),
        };
        let aggregation = Aggregation {
            window,
            original: if options.drop_original { Original::Drop } else { Original::Pass },
            precision: schedule::precision(agent.precision.to_std(), agent.interval.to_std()),
        };
        self.built.aggregators.push(RunningAggregator::new(
            aggregator,
            common.log,
            common.filter,
            Naming::new(naming, Vec::new()),
            aggregation,
            self.statistics,
        ));
        true
    }

    fn tags(&self) -> Vec<Tag> {
        let tags = self.global_tags.iter();
        tags.map(|(key, value)| Tag { key: key.into(), value: value.into() }).collect()
    }

    /// Reads the filter and makes the log of a plugin.
    fn common(&mut self, section: &Section, identity: &IdentityOptions) -> Common {
        let plugin = format!("{}.{}", section.role.plural(), section.name);
        let name = match identity.alias.as_str() {
            "" => plugin.clone(),
            alias => format!("{plugin}::{alias}"),
        };
        let instance = plugin_id(&plugin, &section.table);
        let statistics = self.statistics.of_instance(instance);
        let errors = statistics.of_plugin(&name).counter("errors");
        let log = PluginLog::new(name.as_str()).counting_errors(errors);
        let filter = match general::read_filter(&plugin, &section.table, &mut self.noticed) {
            Ok(options) => {
                Filter::new(&options, &self.system.clock, &log).unwrap_or_else(|error| {
                    let option = match error {
                        FilterError::Pattern { option, .. } => option,
                        FilterError::Metricpass(_) => "metricpass",
                    };
                    self.wrong(section, option, error);
                    Filter::default()
                })
            }
            Err(errors) => {
                self.report_values(section, errors);
                Filter::default()
            }
        };
        match level(&identity.log_level) {
            Ok(Some(level)) => {
                self.built.plugin_levels.insert(name, level);
            }
            Ok(None) => {}
            Err(()) => log.error(format_args!("invalid log-level {:?}", identity.log_level)),
        }
        Common { log, filter, statistics }
    }

    /// Builds the plugin itself; what is wrong with it goes to the errors.
    fn build<P: ?Sized>(
        &mut self,
        section: &Section,
        all: &[&'static Declaration<P>],
        log: &PluginLog,
    ) -> Option<Box<P>> {
        let declaration = self.declared(section, all)?;
        let built = (declaration.build)(&self.context(section, log));
        if built.is_err() {
            self.report_unknown_options(section, declaration);
        }
        match built {
            Ok(plugin) => {
                self.count_deprecated_options(section, declaration.deprecated);
                Some(plugin)
            }
            Err(BuildError::Settings(errors)) => {
                self.report_values(section, errors);
                None
            }
            Err(BuildError::Secret { position, error }) => {
                self.report_secret(section, position, error);
                None
            }
            Err(BuildError::Invalid(error)) => {
                let problem = Problem::Build {
                    place: section.place(),
                    kind: section.role.singular(),
                    plugin: log.name().to_owned(),
                    message: error.to_string(),
                };
                self.report(section, problem);
                None
            }
        }
    }

    /// The plugin that a section names; says so where there is none.
    pub(super) fn declared<P: ?Sized>(
        &mut self,
        section: &Section,
        all: &[&'static Declaration<P>],
    ) -> Option<&'static Declaration<P>> {
        let found = all.iter().find(|plugin| plugin.name == section.name);
        if found.is_none() {
            if let Some(retired) = retired::find(section.role, &section.name) {
                retired.log_use();
            }
            let known: Vec<&str> = all.iter().map(|plugin| plugin.name).collect();
            self.report(section, section.undefined(&known));
        }
        found.copied()
    }

    /// What a plugin is built with.
    pub(super) fn context<'s>(&self, section: &'s Section, log: &PluginLog) -> Context<'s> {
        let (system, statistics) = (self.system.clone(), self.statistics.clone());
        Context::new(system, log.clone(), statistics, &section.table, self.plugins.formats)
            .with_secrets(self.built.secret_stores.clone())
    }

    /// Reads options; where values are wrong, says so and goes on with what is left out.
    fn read<T: DeserializeOwned + Default>(&mut self, section: &Section) -> T {
        section.table.read().unwrap_or_else(|errors| {
            self.report_values(section, errors);
            T::default()
        })
    }

    fn not_negative(&mut self, section: &Section, options: &[(&str, settings::Duration)]) {
        for (option, span) in options {
            if span.is_negative() {
                let message = format!("negative {option} {:?} is not allowed", span.to_string());
                self.wrong(section, option, message);
            }
        }
    }

    pub(super) fn report_values(&mut self, section: &Section, errors: Vec<SettingsError>) {
        for error in errors {
            self.report(section, Problem::Value { section: section.title(), error });
        }
    }

    /// Reports that the value of an option makes no sense.
    pub(super) fn wrong(&mut self, section: &Section, option: &str, message: impl fmt::Display) {
        let entry = section.table.get(option);
        let position = entry.map_or(section.table.position, |entry| entry.position);
        let place = section.table.place(position);
        let message = format!("error parsing {} {message}", section.title());
        self.report(section, Problem::Shape { place, message });
    }

    pub(super) fn report(&mut self, section: &Section, problem: Problem) {
        self.errors.push(problem.of(&section.table.file));
    }
}

/// A plugin's own span, or the agent's where it has none.
fn or(own: settings::Duration, agents: settings::Duration) -> Duration {
    if own == settings::Duration::ZERO { agents.to_std() } else { own.to_std() }
}

/// The level that `log_level` names.
fn level(name: &str) -> Result<Option<LevelFilter>, ()> {
    Ok(Some(match name {
        "" => return Ok(None),
        "ERROR" | "error" => LevelFilter::Error,
        "WARN" | "warn" => LevelFilter::Warn,
        "INFO" | "info" => LevelFilter::Info,
        "DEBUG" | "debug" => LevelFilter::Debug,
        "TRACE" | "trace" => LevelFilter::Trace,
        _ => return Err(()),
    }))
}
