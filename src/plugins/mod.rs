//! The plugins, a folder each, in a table for each kind.

pub mod aggregators;
pub mod inputs;
pub mod outputs;
pub mod parsers;
pub mod processors;
pub mod secretstores;
pub mod serializers;

use crate::plugin::{AnyDeclaration, Formats};

/// The formats that plugins can be set to with `data_format`.
pub const FORMATS: Formats = Formats { parsers: parsers::ALL, serializers: serializers::ALL };

/// Every plugin that a configuration file can name in a section, by kind and name.
pub fn all() -> Vec<AnyDeclaration> {
    let inputs = inputs::ALL.iter().map(|plugin| AnyDeclaration::from(*plugin));
    let outputs = outputs::ALL.iter().map(|plugin| AnyDeclaration::from(*plugin));
    let processors = processors::ALL.iter().map(|plugin| AnyDeclaration::from(*plugin));
    let aggregators = aggregators::ALL.iter().map(|plugin| AnyDeclaration::from(*plugin));
    let secret_stores = secretstores::ALL.iter().map(|plugin| AnyDeclaration::from(*plugin));
    inputs.chain(outputs).chain(processors).chain(aggregators).chain(secret_stores).collect()
}

#[cfg(test)]
pub(crate) mod tests;
