//! Secrets in environment variables.

use serde::{Deserialize, Serialize};

use crate::plugin::{Build, BuildError, Context, Declaration, PluginError, Quoted, SecretStore};
use crate::system::{Secret, environment_names, environment_variable};

/// The store as the table lists it.
pub static PLUGIN: Declaration<dyn SecretStore> =
    Declaration::new::<Config>("environment", include_str!("sample.conf"));

/// The settings of the store.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Config {
    prefix: String,
}

impl Build<dyn SecretStore> for Config {
    fn build(self, _: &Context<'_>) -> Result<Box<dyn SecretStore>, BuildError> {
        Ok(Box::new(Environment { prefix: self.prefix }))
    }
}

/// What stands before each key in the name of its variable.
#[derive(Debug)]
struct Environment {
    prefix: String,
}

impl SecretStore for Environment {
    fn get(&self, key: &str) -> Result<Secret, PluginError> {
        let name = format!("{}{key}", self.prefix);
        let value = environment_variable(&name);
        value
            .map(Secret::new)
            .ok_or_else(|| format!("environment variable {} is not set", Quoted::new(&name)).into())
    }

    fn list(&self) -> Result<Vec<String>, PluginError> {
        let mut names = environment_names(&self.prefix);
        names.iter_mut().for_each(|name| drop(name.drain(..self.prefix.len())));
        Ok(names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugins::tests::secret_store;

    #[test]
    fn a_variable_is_a_secret_under_its_name_without_the_prefix() {
        // Cargo sets these for every test.
        let store = secret_store(&PLUGIN, "prefix = 'CARGO_PKG_'").unwrap();
        assert_eq!(store.get("NAME").unwrap().expose(), env!("CARGO_PKG_NAME"));
        let keys = store.list().unwrap();
        assert!(keys.contains(&"NAME".to_owned()) && !keys.contains(&"PATH".to_owned()));
        let error = store.get("NOSUCH").unwrap_err().to_string();
        assert_eq!(error, "environment variable \"CARGO_PKG_NOSUCH\" is not set");
        assert!(secret_store(&PLUGIN, "").unwrap().get("CARGO_PKG_NAME").is_ok());
    }
}
