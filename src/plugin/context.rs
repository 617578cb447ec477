//! What a plugin is built with.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::measured::{MeasuredParser, MeasuredSerializer, Measures};
use super::secrets::{LinkedCredentials, LinkedHeaders, LinkedSecret, SecretStores};
use super::settings::{Data, SecretOption, Table, Value};
use super::{BuildError, Declaration, Parser, PluginLog, Serializer, Statistics};
use crate::system::{Clock, Secret, System};

/// Everything a plugin may want while it is built: its settings, its log, the machine, and the
/// formats it can speak.
///
/// Parsers and serializers are handed in here, so that no plugin knows another.
pub struct Context<'a> {
    /// The machine.
    pub system: System,
    /// The plugin's log.
    pub log: PluginLog,
    /// Counters of the agent, for plugins that report on it.
    pub statistics: Statistics,
    settings: &'a Table,
    formats: Formats,
    secrets: SecretStores,
}

/// The formats that plugins can be set to with `data_format`.
#[derive(Clone, Copy)]
pub struct Formats {
    /// Every parser.
    pub parsers: &'static [&'static Declaration<dyn Parser>],
    /// Every serializer.
    pub serializers: &'static [&'static Declaration<dyn Serializer>],
}

impl<'a> Context<'a> {
    /// Makes the context of the plugin whose settings are `settings`.
    pub fn new(
        system: System,
        log: PluginLog,
        statistics: Statistics,
        settings: &'a Table,
        formats: Formats,
    ) -> Context<'a> {
        let secrets = SecretStores::default();
        Context { system, log, statistics, settings, formats, secrets }
    }

    /// The same context, with the secret stores that settings may refer to.
    #[must_use]
    pub fn with_secrets(self, secrets: SecretStores) -> Context<'a> {
        Context { secrets, ..self }
    }

    /// The secret that an option holds or refers to.
    ///
    /// # Errors
    /// If it refers to a store that there is not, or that does not have it.
    pub fn secret(&self, option: &SecretOption) -> Result<LinkedSecret, BuildError> {
        LinkedSecret::link(option, &self.secrets, &self.log).map_err(|error| {
            let written = option.written().expose();
            let places = self.settings.secrets();
            let place = places.iter().find(|(_, text)| *text == written);
            let position = place.map_or(self.settings.position, |(position, _)| *position);
            BuildError::Secret { position, error }
        })
    }

    /// The secret that an option holds or refers to as it is now, for uses that last as long as
    /// the plugin.
    ///
    /// # Errors
    /// As [`Context::secret`].
    pub fn fixed_secret(&self, option: &SecretOption) -> Result<Secret, BuildError> {
        let linked = self.secret(option)?;
        let secret = linked.get().map_err(BuildError::invalid)?;
        Ok(secret.into_owned())
    }

    /// The fields of a header whose values are secrets or refer to them.
    ///
    /// # Errors
    /// As [`Context::secret`].
    pub fn secret_headers(
        &self,
        options: &BTreeMap<String, SecretOption>,
    ) -> Result<LinkedHeaders, BuildError> {
        LinkedHeaders::link(options, |option| self.secret(option))
    }

    /// The name and the password that options hold or refer to.
    ///
    /// # Errors
    /// As [`Context::secret`].
    pub fn credentials(
        &self,
        username: &SecretOption,
        password: &SecretOption,
    ) -> Result<LinkedCredentials, BuildError> {
        Ok(LinkedCredentials { username: self.secret(username)?, password: self.secret(password)? })
    }

    /// The password that the command line gives for stores that are locked; empty if it gives none.
    pub fn global_password(&self) -> &Secret {
        self.secrets.password()
    }

    /// The plugin's table in the configuration file.
    pub fn settings(&self) -> &'a Table {
        self.settings
    }

    /// The plugin's name in the configuration file, such as `exec`; metrics of formats that name
    /// none are called so.
    pub fn plugin_name(&self) -> &'a str {
        self.settings.section.split('.').nth(1).unwrap_or_default()
    }

    /// Builds the parser that `data_format` names, or `default_format` where it is absent, from
    /// the options beside it.
    ///
    /// # Errors
    /// If there is no such format, or its options are wrong.
    pub fn parser(&self, default_format: &str) -> Result<Box<dyn Parser>, BuildError> {
        let format = self.format(default_format)?;
        match self.formats.parsers.iter().find(|parser| parser.name == format) {
            Some(parser) => {
                let parser = (parser.build)(&self.of_format("parser", &format))?;
                let (statistics, clock) = (&self.statistics, &self.system.clock);
                let measures = Measures::of_parser(statistics, clock, &format);
                Ok(Box::new(MeasuredParser { parser, measures }))
            }
            None => {
                Err(unknown_format("parser", &format, self.formats.parsers.iter().map(|p| p.name)))
            }
        }
    }

    /// Builds the parser that `data_format` names, as [`Context::parser`] does, with a clock of its
    /// own: what carries no time of its own gets the time of that clock.
    ///
    /// # Errors
    /// If there is no such format, or its options are wrong.
    pub fn parser_with_clock(
        &self,
        default_format: &str,
        clock: Arc<dyn Clock>,
    ) -> Result<Box<dyn Parser>, BuildError> {
        let context = Context {
            system: System { clock, ..self.system.clone() },
            log: self.log.clone(),
            statistics: self.statistics.clone(),
            settings: self.settings,
            formats: self.formats,
            secrets: self.secrets.clone(),
        };
        context.parser(default_format)
    }

    /// What it takes to build the parser that `data_format` names again and again, for plugins that
    /// need one for each of their sources.
    pub fn parsers(&self, default_format: &'static str) -> Parsers {
        Parsers {
            system: self.system.clone(),
            log: self.log.clone(),
            statistics: self.statistics.clone(),
            settings: self.settings.clone(),
            formats: self.formats,
            default_format,
        }
    }

    /// Builds the serializer that `data_format` names, or `default_format` where it is absent,
    /// from the options beside it.
    ///
    /// # Errors
    /// If there is no such format, or its options are wrong.
    pub fn serializer(&self, default_format: &str) -> Result<Box<dyn Serializer>, BuildError> {
        let format = self.format(default_format)?;
        match self.formats.serializers.iter().find(|serializer| serializer.name == format) {
            Some(serializer) => {
                let serializer = (serializer.build)(&self.of_format("serializer", &format))?;
                let (statistics, clock) = (&self.statistics, &self.system.clock);
                let measures = Measures::of_serializer(statistics, clock, &format);
                Ok(Box::new(MeasuredSerializer { serializer, measures }))
            }
            None => Err(unknown_format(
                "serializer",
                &format,
                self.formats.serializers.iter().map(|s| s.name),
            )),
        }
    }

    /// Builds a serializer whose format and options are the plugin's own choice, for outputs that
    /// speak one format only.
    ///
    /// # Errors
    /// If there is no such format, or its options are wrong.
    pub fn fixed_serializer(
        &self,
        format: &str,
        options: impl IntoIterator<Item = (&'static str, Data)>,
    ) -> Result<Box<dyn Serializer>, BuildError> {
        let settings = self.fixed_settings(format, options);
        let (system, log) = (self.system.clone(), self.log.clone());
        Context::new(system, log, self.statistics.clone(), &settings, self.formats)
            .serializer(format)
    }

    /// The same context for a parser or serializer, whose errors in the log are counted apart.
    fn of_format(&self, kind: &'static str, format: &str) -> Context<'a> {
        let errors = self.statistics.counter(kind, "errors", &[("type", format)]);
        Context {
            system: self.system.clone(),
            log: self.log.clone().counting_errors(errors),
            statistics: self.statistics.clone(),
            secrets: self.secrets.clone(),
            ..*self
        }
    }

    fn format(&self, default_format: &str) -> Result<String, BuildError> {
        let DataFormat { data_format } = self.settings.read()?;
        Ok(if data_format.is_empty() { default_format.to_owned() } else { data_format })
    }
}

/// Builds parsers of one format and with the same options.
pub struct Parsers {
    system: System,
    log: PluginLog,
    statistics: Statistics,
    settings: Table,
    formats: Formats,
    default_format: &'static str,
}

impl Parsers {
    /// Builds one more parser.
    ///
    /// # Errors
    /// As [`Context::parser`].
    pub fn build(&self) -> Result<Box<dyn Parser>, BuildError> {
        let (system, log) = (self.system.clone(), self.log.clone());
        let statistics = self.statistics.clone();
        Context::new(system, log, statistics, &self.settings, self.formats)
            .parser(self.default_format)
    }
}

#[derive(serde::Deserialize, Default)]
#[serde(default)]
struct DataFormat {
    data_format: String,
}

fn unknown_format<'n>(
    kind: &str,
    format: &str,
    known: impl Iterator<Item = &'n str>,
) -> BuildError {
    BuildError::invalid(format!(
        "undefined but requested {kind}: {format} (there are: {})",
        known.collect::<Vec<_>>().join(", ")
    ))
}

impl Context<'_> {
    /// Builds a parser whose format and options are the plugin's own choice, for inputs that
    /// understand one format only.
    ///
    /// # Errors
    /// If there is no such format, or its options are wrong.
    pub fn fixed_parser(
        &self,
        format: &str,
        options: impl IntoIterator<Item = (&'static str, Data)>,
    ) -> Result<Box<dyn Parser>, BuildError> {
        let settings = self.fixed_settings(format, options);
        let (system, log) = (self.system.clone(), self.log.clone());
        Context::new(system, log, self.statistics.clone(), &settings, self.formats).parser(format)
    }

    /// Settings as if they stood in the plugin's table, with a format.
    fn fixed_settings(
        &self,
        format: &str,
        options: impl IntoIterator<Item = (&'static str, Data)>,
    ) -> Table {
        let Table { file, section, position, .. } = self.settings;
        let mut settings = Table::new(file.clone(), section.clone(), *position);
        let format = Data::String { text: format.to_owned(), substituted: false };
        for (key, data) in options.into_iter().chain([("data_format", format)]) {
            settings.push(key, *position, Value { position: *position, data });
        }
        settings
    }
}
