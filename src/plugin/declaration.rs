//! How a plugin makes itself known.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::settings::{SettingsError, Table};
use super::{
    Aggregator, BuildError, Context, DeprecatedOption, Input, Output, Parser, Processor,
    SecretStore, Serializer,
};

/// Settings that build a plugin of kind `P`.
///
/// The settings' fields are named as the options in the configuration file; their `Default` is
/// what an option left out means. A test holds both against the plugin's `sample.conf`.
pub trait Build<P: ?Sized>: DeserializeOwned + Serialize + Default {
    /// Builds the plugin; validates, and opens nothing.
    ///
    /// # Errors
    /// If options have values that make no sense.
    fn build(self, context: &Context<'_>) -> Result<Box<P>, BuildError>;
}

/// Options that several plugins have, read from the same table beside those of their own.
///
/// A plugin reads them with [`Table::read`] while it is built, and names them where it is declared,
/// so that its sample is tested for them. Groups of them go together as tuples.
pub trait SharedOptions {
    /// Reads the options and returns them as plain values.
    ///
    /// # Errors
    /// Every option whose value has a wrong type.
    fn read_values(table: &Table) -> Result<Map<String, Value>, Vec<SettingsError>>;
}

impl<A: SharedOptions, B: SharedOptions> SharedOptions for (A, B) {
    fn read_values(table: &Table) -> Result<Map<String, Value>, Vec<SettingsError>> {
        let mut values = A::read_values(table)?;
        values.extend(B::read_values(table)?);
        Ok(values)
    }
}

/// Reads a struct of options as plain values.
///
/// # Errors
/// Every option whose value has a wrong type.
pub fn values_of<C: DeserializeOwned + Serialize>(
    table: &Table,
) -> Result<Map<String, Value>, Vec<SettingsError>> {
    let settings: C = table.read()?;
    // Settings are plain data, which JSON can always hold.
    match serde_json::to_value(settings) {
        Ok(Value::Object(values)) => Ok(values),
        _ => Ok(Map::new()),
    }
}

/// A plugin as the tables `ALL` list it: its name, its documentation and how to build it.
pub struct Declaration<P: ?Sized + 'static> {
    /// The name in the configuration file, as in `[[inputs.NAME]]`.
    pub name: &'static str,
    /// The text of record for its settings, in the form that `metric-agent config` prints.
    pub sample_config: &'static str,
    /// Reads the settings out of the context's table and builds the plugin.
    pub build: fn(&Context<'_>) -> Result<Box<P>, BuildError>,
    /// Reads settings and returns them as plain values, for the test of the sample.
    pub read_settings: fn(&Table) -> Result<Value, Vec<SettingsError>>,
    /// Options that others have taken the place of.
    pub deprecated: &'static [DeprecatedOption],
}

impl<P: ?Sized + 'static> Declaration<P> {
    /// Declares the plugin whose settings are `C`.
    pub const fn new<C: Build<P>>(
        name: &'static str,
        sample_config: &'static str,
    ) -> Declaration<P> {
        Declaration {
            name,
            sample_config,
            build: |context| context.settings().read::<C>()?.build(context),
            read_settings: |table| values_of::<C>(table).map(Value::Object),
            deprecated: &[],
        }
    }

    /// The declaration with options that others have taken the place of, for listings.
    #[must_use]
    pub const fn deprecating(self, options: &'static [DeprecatedOption]) -> Declaration<P> {
        Declaration { deprecated: options, ..self }
    }

    /// Declares the plugin whose settings are `C`, and that has the options `S` beside them.
    pub const fn sharing<C: Build<P>, S: SharedOptions>(
        name: &'static str,
        sample_config: &'static str,
    ) -> Declaration<P> {
        Declaration {
            read_settings: |table| {
                let mut values = values_of::<C>(table)?;
                values.extend(S::read_values(table)?);
                Ok(Value::Object(values))
            },
            ..Declaration::new::<C>(name, sample_config)
        }
    }
}

/// The kinds of plugins that a configuration file can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// `[[inputs.…]]`
    Input,
    /// `[[outputs.…]]`
    Output,
    /// `[[processors.…]]`
    Processor,
    /// `[[aggregators.…]]`
    Aggregator,
    /// `[[secretstores.…]]`
    SecretStore,
    /// Named by `data_format` of an input.
    Parser,
    /// Named by `data_format` of an output.
    Serializer,
}

impl Kind {
    /// The word for it in configuration files, such as `inputs`.
    pub fn section(self) -> &'static str {
        match self {
            Kind::Input => "inputs",
            Kind::Output => "outputs",
            Kind::Processor => "processors",
            Kind::Aggregator => "aggregators",
            Kind::SecretStore => "secretstores",
            Kind::Parser => "parsers",
            Kind::Serializer => "serializers",
        }
    }
}

/// A declaration of any kind, for listings and documentation.
#[derive(Clone, Copy)]
pub struct AnyDeclaration {
    /// What kind of plugin it is.
    pub kind: Kind,
    /// The name in the configuration file.
    pub name: &'static str,
    /// The text of record for its settings.
    pub sample_config: &'static str,
    /// Reads settings and returns them as plain values.
    pub read_settings: fn(&Table) -> Result<Value, Vec<SettingsError>>,
    /// Options that others have taken the place of.
    pub deprecated: &'static [DeprecatedOption],
}

/// Ties a plugin trait to its kind.
pub trait OfKind {
    /// The kind of the plugins that implement the trait.
    const KIND: Kind;
}

impl OfKind for dyn Input {
    const KIND: Kind = Kind::Input;
}
impl OfKind for dyn Output {
    const KIND: Kind = Kind::Output;
}
impl OfKind for dyn Processor {
    const KIND: Kind = Kind::Processor;
}
impl OfKind for dyn Aggregator {
    const KIND: Kind = Kind::Aggregator;
}
impl OfKind for dyn SecretStore {
    const KIND: Kind = Kind::SecretStore;
}
impl OfKind for dyn Parser {
    const KIND: Kind = Kind::Parser;
}
impl OfKind for dyn Serializer {
    const KIND: Kind = Kind::Serializer;
}

impl<P: ?Sized + OfKind> From<&Declaration<P>> for AnyDeclaration {
    fn from(declaration: &Declaration<P>) -> AnyDeclaration {
        AnyDeclaration {
            kind: P::KIND,
            name: declaration.name,
            sample_config: declaration.sample_config,
            read_settings: declaration.read_settings,
            deprecated: declaration.deprecated,
        }
    }
}
