//! Secrets in files of a folder, as Docker mounts them.
//!
//! # References
//! Telegraf's `secretstores.docker` for options and messages.

use serde::{Deserialize, Serialize};

use crate::plugin::secrets::{Lifetime, SecretFileError, SecretFolder};
use crate::plugin::{Build, BuildError, Context, Declaration, PluginError, Quoted, SecretStore};
use crate::system::Secret;

/// The store as the table lists it.
pub static PLUGIN: Declaration<dyn SecretStore> =
    Declaration::new::<Config>("docker", include_str!("sample.conf"));

const DEFAULT_PATH: &str = "/run/secrets";

/// The settings of the store.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default)]
pub struct Config {
    path: String,
    dynamic: bool,
}

impl Default for Config {
    fn default() -> Config {
        Config { path: DEFAULT_PATH.to_owned(), dynamic: false }
    }
}

impl Build<dyn SecretStore> for Config {
    fn build(self, _: &Context<'_>) -> Result<Box<dyn SecretStore>, BuildError> {
        let path = if self.path.is_empty() { DEFAULT_PATH.to_owned() } else { self.path };
        match SecretFolder::find(&path) {
            Ok(folder) => {
                Ok(Box::new(Docker { folder, lifetime: Lifetime::of_option(self.dynamic) }))
            }
            Err(error) => Err(BuildError::invalid(format!(
                "accessing directory {} failed: {error}",
                Quoted::new(&path)
            ))),
        }
    }
}

/// The folder and how long its secrets hold.
#[derive(Debug)]
struct Docker {
    folder: SecretFolder,
    lifetime: Lifetime,
}

impl SecretStore for Docker {
    fn get(&self, key: &str) -> Result<Secret, PluginError> {
        self.folder.read(key).map_err(|error| match error {
            SecretFileError::Outside => {
                format!("directory traversal detected for key {}", Quoted::new(key)).into()
            }
            error => format!("cannot read the secret's value under the directory: {error}").into(),
        })
    }

    fn list(&self) -> Result<Vec<String>, PluginError> {
        let names = self.folder.names();
        names.map_err(|error| format!("cannot read files under the directory: {error}").into())
    }

    fn lifetime(&self) -> Lifetime {
        self.lifetime
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugins::tests::secret_store;

    #[test]
    fn each_file_is_a_secret() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a"), "hush").unwrap();
        let path = folder.path().display();
        let store = secret_store(&PLUGIN, &format!("path = '{path}'\ndynamic = true")).unwrap();
        assert_eq!(store.get("a").unwrap().expose(), "hush");
        assert_eq!(
            (store.list().unwrap(), store.lifetime()),
            (vec!["a".into()], Lifetime::Dynamic)
        );
        assert!(store.editor().is_none());
        assert_eq!(
            store.get("../a").unwrap_err().to_string(),
            "directory traversal detected for key \"../a\""
        );
        assert_eq!(
            store.get("b").unwrap_err().to_string(),
            format!(
                "cannot read the secret's value under the directory: open {path}/b: no such file \
                 or directory"
            )
        );
    }

    #[test]
    fn there_has_to_be_a_folder() {
        let error = secret_store(&PLUGIN, "path = '/nonexistent'").err().unwrap();
        assert_eq!(
            error,
            "accessing directory \"/nonexistent\" failed: stat /nonexistent: no such file or \
             directory"
        );
    }
}
