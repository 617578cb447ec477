//! Secrets that systemd hands in as credentials of the service.
//!
//! # References
//! systemd.exec(5), "Credentials"; Telegraf's `secretstores.systemd` for options and messages.

use serde::{Deserialize, Serialize};

use crate::plugin::secrets::{SecretFileError, SecretFolder};
use crate::plugin::{Build, BuildError, Context, Declaration, PluginError, Quoted, SecretStore};
use crate::system::{Secret, environment_variable};

/// The store as the table lists it.
pub static PLUGIN: Declaration<dyn SecretStore> =
    Declaration::new::<Config>("systemd", include_str!("sample.conf"));

/// Where systemd says that the credentials are.
const DIRECTORY: &str = "CREDENTIALS_DIRECTORY";

/// The settings of the store.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default)]
pub struct Config {
    path: String,
    prefix: String,
}

impl Default for Config {
    fn default() -> Config {
        Config { path: String::new(), prefix: "telegraf.".to_owned() }
    }
}

impl Build<dyn SecretStore> for Config {
    fn build(self, context: &Context<'_>) -> Result<Box<dyn SecretStore>, BuildError> {
        let directory = environment_variable(DIRECTORY).unwrap_or_default();
        self.store(directory, context)
    }
}

impl Config {
    fn store(
        self,
        directory: String,
        context: &Context<'_>,
    ) -> Result<Box<dyn SecretStore>, BuildError> {
        if directory.is_empty() {
            context.log.warn(format_args!(
                "{DIRECTORY} environment variable undefined. Make sure credentials are setup \
                 correctly!"
            ));
            if self.path.is_empty() {
                return Err(BuildError::invalid(format!("'path' required without {DIRECTORY}")));
            }
        }
        let path = if self.path.is_empty() { directory } else { self.path };
        match SecretFolder::find(&path) {
            Ok(folder) => Ok(Box::new(Systemd { folder, prefix: self.prefix })),
            Err(error) => Err(BuildError::invalid(format!(
                "accessing credentials directory {} failed: {error}",
                Quoted::new(&path)
            ))),
        }
    }
}

/// The folder of credentials, and what their names begin with before the key.
#[derive(Debug)]
struct Systemd {
    folder: SecretFolder,
    prefix: String,
}

impl SecretStore for Systemd {
    fn get(&self, key: &str) -> Result<Secret, PluginError> {
        self.folder.read(&format!("{}{key}", self.prefix)).map_err(|error| match error {
            SecretFileError::Outside => {
                format!("invalid directory detected for key {}", Quoted::new(key)).into()
            }
            error => format!("cannot read the secret's value: {error}").into(),
        })
    }

    /// All credentials, those without the prefix too, which Telegraf lists as they are.
    fn list(&self) -> Result<Vec<String>, PluginError> {
        let names = match self.folder.names() {
            Ok(names) => names,
            Err(error) => return Err(format!("cannot read files: {error}").into()),
        };
        let key = |name: String| match name.strip_prefix(&self.prefix) {
            Some(key) => key.to_owned(),
            None => name,
        };
        Ok(names.into_iter().map(key).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugin::secrets::Lifetime;
    use crate::plugins::tests::secret_store;

    #[test]
    fn credentials_are_secrets_under_their_name_without_the_prefix() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("telegraf.a"), "hush").unwrap();
        std::fs::write(folder.path().join("other"), "x").unwrap();
        let path = folder.path().display();
        let store = secret_store(&PLUGIN, &format!("path = '{path}'")).unwrap();
        assert_eq!(store.get("a").unwrap().expose(), "hush");
        assert_eq!(store.lifetime(), Lifetime::Static);
        let mut keys = store.list().unwrap();
        keys.sort();
        assert_eq!(keys, ["a", "other"]);
        assert_eq!(
            store.get("b").unwrap_err().to_string(),
            format!(
                "cannot read the secret's value: open {path}/telegraf.b: no such file or directory"
            )
        );
        assert_eq!(
            store.get("../b").unwrap_err().to_string(),
            "invalid directory detected for key \"../b\""
        );
        let store = secret_store(&PLUGIN, &format!("path = '{path}'\nprefix = ''")).unwrap();
        assert_eq!(store.get("other").unwrap().expose(), "x");
    }

    #[test]
    fn there_has_to_be_a_folder() {
        assert_eq!(
            secret_store(&PLUGIN, "path = '/nonexistent'").err().unwrap(),
            "accessing credentials directory \"/nonexistent\" failed: stat /nonexistent: no such \
             file or directory"
        );
        let error = secret_store(&PLUGIN, "").err().unwrap();
        assert_eq!(error, "'path' required without CREDENTIALS_DIRECTORY");
    }
}
