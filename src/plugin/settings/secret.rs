//! Options that hold secrets.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::system::Secret;

/// The name by which the deserializer of tables knows an option for a secret, and remembers that
/// its value is not to be shown.
pub(super) const SECRET: &str = "metric_agent::SecretOption";

/// What stands in the file for a secret: a text of its own, or one that refers to secret stores,
/// such as `@{store:key}`.
///
/// A plugin gets the secret itself from [`Context::secret`](crate::plugin::Context::secret).
#[derive(Clone, Default, PartialEq)]
pub struct SecretOption(Secret);

impl SecretOption {
    /// Whether the option is left out or empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What stands in the file.
    pub(in crate::plugin) fn written(&self) -> &Secret {
        &self.0
    }
}

impl From<&str> for SecretOption {
    fn from(text: &str) -> SecretOption {
        SecretOption(Secret::new(text))
    }
}

impl fmt::Debug for SecretOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for SecretOption {
    /// Tells only whether there is anything.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(if self.is_empty() { "" } else { "…" })
    }
}

impl<'de> Deserialize<'de> for SecretOption {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<SecretOption, D::Error> {
        struct Visitor;

        impl<'de> de::Visitor<'de> for Visitor {
            type Value = SecretOption;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_newtype_struct<D: Deserializer<'de>>(
                self,
                deserializer: D,
            ) -> Result<SecretOption, D::Error> {
                String::deserialize(deserializer).map(|text| SecretOption(Secret::new(text)))
            }
        }

        deserializer.deserialize_newtype_struct(SECRET, Visitor)
    }
}
