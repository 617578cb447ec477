//! The settings of the processor.

use serde::{Deserialize, Serialize};

/// The settings of the processor; one of the two tables must be there.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Config {
    /// What becomes of tags.
    pub tags: Option<Conversion>,
    /// What becomes of fields.
    pub fields: Option<Conversion>,
}

/// Patterns for keys, by what becomes of the tags or fields that have them.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Conversion {
    /// The name of the metric.
    pub measurement: Vec<String>,
    /// A tag; without effect on tags.
    pub tag: Vec<String>,
    /// A field with a text.
    pub string: Vec<String>,
    /// A field with an integer.
    pub integer: Vec<String>,
    /// A field with an unsigned integer.
    pub unsigned: Vec<String>,
    /// A field with true or false.
    pub boolean: Vec<String>,
    /// A field with a float.
    pub float: Vec<String>,
    /// The time of the metric.
    pub timestamp: Vec<String>,
    /// How that time is written.
    pub timestamp_format: String,
    /// A field with the float that four bytes in base64 stand for; without effect on tags.
    pub base64_ieee_float32: Vec<String>,
}
