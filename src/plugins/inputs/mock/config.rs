//! The settings of the input.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{self, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// The settings of the input.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct Config {
    /// The measurement's name.
    pub metric_name: String,
    /// Tags of the metric.
    pub tags: Option<BTreeMap<String, String>>,
    /// Fields that stay as they are.
    pub constant: Option<Vec<Constant>>,
    /// Fields by chance.
    pub random: Option<Vec<Random>>,
    /// Fields that go up and down evenly.
    pub sine_wave: Option<Vec<SineWave>>,
    /// Fields that grow by the same amount each round.
    pub step: Option<Vec<Step>>,
    /// Fields that wander by chance.
    pub stock: Option<Vec<Stock>>,
}

/// A field that stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct Constant {
    /// The field.
    pub name: String,
    /// Its value.
    pub value: ConstantValue,
}

/// A value of any type.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(untagged)]
pub enum ConstantValue {
    /// True or false.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// A floating point number.
    Float(f64),
    /// Text, or a time as it is written.
    String(String),
    /// Nothing, or a value that no field can have.
    #[default]
    Other,
}

/// A field by chance.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct Random {
    /// The field.
    pub name: String,
    /// The lowest value.
    pub min: f64,
    /// The end of the range.
    pub max: f64,
}

/// A field that goes up and down evenly.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct SineWave {
    /// The field.
    pub name: String,
    /// How far it goes up and down.
    pub amplitude: f64,
    /// By how many half turns it moves on each round.
    pub period: f64,
    /// How many rounds it is ahead.
    pub phase: f64,
    /// The value it goes around.
    pub base_line: f64,
}

/// A field that grows by the same amount each round.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct Step {
    /// The field.
    pub name: String,
    /// The first value.
    pub start: f64,
    /// By how much it grows.
    pub step: f64,
    /// The older name of `start`.
    pub min: f64,
    /// The older name of `step`.
    pub max: f64,
}

/// A field that wanders by chance.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct Stock {
    /// The field.
    pub name: String,
    /// The first value.
    pub price: f64,
    /// How far it may move in a round, as a part of its value.
    pub volatility: f64,
}

impl<'de> Deserialize<'de> for ConstantValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ConstantValue, D::Error> {
        struct ValueVisitor;

        impl<'de> Visitor<'de> for ValueVisitor {
            type Value = ConstantValue;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }

            fn visit_bool<E: de::Error>(self, value: bool) -> Result<ConstantValue, E> {
                Ok(ConstantValue::Boolean(value))
            }

            fn visit_i64<E: de::Error>(self, value: i64) -> Result<ConstantValue, E> {
                Ok(ConstantValue::Integer(value))
            }

            fn visit_f64<E: de::Error>(self, value: f64) -> Result<ConstantValue, E> {
                Ok(ConstantValue::Float(value))
            }

            fn visit_str<E: de::Error>(self, value: &str) -> Result<ConstantValue, E> {
                Ok(ConstantValue::String(value.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<ConstantValue, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(ConstantValue::Other)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ConstantValue, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(ConstantValue::Other)
            }
        }

        deserializer.deserialize_any(ValueVisitor)
    }
}
