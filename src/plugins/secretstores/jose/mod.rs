//! Secrets in encrypted files, one each, behind a password for all.
//!
//! # References
//! Telegraf's `secretstores.jose` for options and messages; its files, which those of this store
//! are, come from the file backend of `github.com/99designs/keyring`.

mod file_name;

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::crypto::{decrypt_jwe, encrypt_jwe};
use crate::plugin::go::decode_base64;
use crate::plugin::secrets::SecretEditor;
use crate::plugin::settings::SecretOption;
use crate::plugin::{Build, BuildError, Context, Declaration, PluginError, Quoted, SecretStore};
use crate::system::{Clock, ErrorWords, Secret, ask_hidden, environment_variable};

/// The store as the table lists it.
pub static PLUGIN: Declaration<dyn SecretStore> =
    Declaration::new::<Config>("jose", include_str!("sample.conf"));

/// The settings of the store.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Config {
    path: String,
    password: SecretOption,
}

impl Build<dyn SecretStore> for Config {
    fn build(self, context: &Context<'_>) -> Result<Box<dyn SecretStore>, BuildError> {
        if self.path.is_empty() {
            return Err(BuildError::invalid("path missing"));
        }
        let password = match self.password.is_empty() {
            true => context.global_password().clone(),
            false => context.fixed_secret(&self.password)?,
        };
        Ok(Box::new(Jose {
            folder: expanded(self.path),
            password: Mutex::new(Some(password).filter(|password| !password.is_empty())),
            clock: context.system.clock.clone(),
        }))
    }
}

/// A path whose `~/` stands for the user's folder.
fn expanded(path: String) -> PathBuf {
    match (path.strip_prefix("~/"), environment_variable("HOME")) {
        (Some(rest), Some(home)) => Path::new(&home).join(rest),
        _ => PathBuf::from(path),
    }
}

/// The folder and the password of its files.
struct Jose {
    folder: PathBuf,
    /// Asked for when it is needed for the first time.
    password: Mutex<Option<Secret>>,
    clock: Arc<dyn Clock>,
}

/// What stands encrypted in a file; the other fields of the original are for other systems.
#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Item {
    key: String,
    data: Zeroizing<String>,
    label: String,
    description: String,
    keychain_not_trust_application: bool,
    keychain_not_synchronizable: bool,
}

impl Jose {
    fn password(&self) -> Result<Secret, PluginError> {
        let mut password = self.password.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(password) = &*password {
            return Ok(password.clone());
        }
        let folder = self.folder.to_string_lossy();
        let prompt = format!("Enter passphrase to unlock {}: ", Quoted::new(&*folder));
        let given = ask_hidden(&prompt).map_err(|error| ErrorWords(&error).to_string())?;
        *password = Some(given.clone());
        Ok(given)
    }

    /// Where the secret under a key lies; the folder is made if it is not there.
    fn file(&self, key: &str) -> Result<PathBuf, PluginError> {
        self.make_folder()?;
        let name = file_name::of_key(key)
            .ok_or_else(|| format!("{} cannot be a key", Quoted::new(key)))?;
        Ok(self.folder.join(name))
    }

    fn make_folder(&self) -> Result<(), PluginError> {
        match fs::metadata(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.folder);
                made.map_err(|error| failed("mkdir", &self.folder, &error))
            }
            _ => Ok(()),
        }
    }

    /// Puts a file in the place of the one there is, which stays whole until then.
    fn replace(&self, path: &Path, text: &str) -> io::Result<()> {
        // No key's file has a name with this end.
        let mut new = path.as_os_str().to_owned();
        new.push(file_name::UNFINISHED);
        let new = PathBuf::from(new);
        let written = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&new)
            .and_then(|mut file| {
                io::Write::write_all(&mut file, text.as_bytes())?;
                file.sync_all()
            })
            .and_then(|()| fs::rename(&new, path));
        if written.is_err() {
            // What is left of the try helps nobody.
            let _ = fs::remove_file(&new);
        }
        written
    }
}

fn failed(action: &str, path: &Path, error: &io::Error) -> PluginError {
    format!("{action} {}: {}", path.display(), ErrorWords(error)).into()
}

impl SecretStore for Jose {
    fn get(&self, key: &str) -> Result<Secret, PluginError> {
        let path = self.file(key)?;
        let text = fs::read_to_string(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                PluginError::from("The specified item could not be found in the keyring")
            }
            _ => failed("open", &path, &error),
        })?;
        let plain = decrypt_jwe(&text, &self.password()?)?;
        let item: Item = serde_json::from_slice(&plain)?;
        let data = Zeroizing::new(decode_base64(&item.data)?);
        let text = std::str::from_utf8(&data).map_err(|_| "the secret is not UTF-8 text")?;
        Ok(Secret::new(text))
    }

    fn list(&self) -> Result<Vec<String>, PluginError> {
        self.make_folder()?;
        // Telegraf lists nothing where the folder cannot be read.
        let Ok(entries) = fs::read_dir(&self.folder) else { return Ok(Vec::new()) };
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let names = names.filter(|name| !name.ends_with(file_name::UNFINISHED));
        Ok(names.map(|name| file_name::to_key(&name)).collect())
    }

    fn editor(&self) -> Option<&dyn SecretEditor> {
        Some(self)
    }
}

impl SecretEditor for Jose {
    fn set(&self, key: &str, value: &Secret) -> Result<(), PluginError> {
        let data = Zeroizing::new(STANDARD.encode(value.expose()));
        let item = Item { key: key.to_owned(), data, ..Item::default() };
        let plain = Zeroizing::new(serde_json::to_vec(&item)?);
        let now = jiff::Timestamp::from_nanosecond(self.clock.now().nanos().into())?;
        let created = now.strftime("%Y-%m-%d %H:%M:%S%.f +0000 UTC").to_string();
        let text = encrypt_jwe(&plain, &self.password()?, &created)?;
        let path = self.file(key)?;
        self.replace(&path, &text).map_err(|error| failed("open", &path, &error))
    }

    fn remove(&self, key: &str) -> Result<(), PluginError> {
        let path = self.file(key)?;
        fs::remove_file(&path).map_err(|error| failed("remove", &path, &error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugins::tests::secret_store;

    fn store(folder: &Path, password: &str) -> Box<dyn SecretStore> {
        let path = folder.display();
        secret_store(&PLUGIN, &format!("path = '{path}/ring'\npassword = '{password}'")).unwrap()
    }

    #[test]
    fn a_secret_is_kept_under_its_key_until_it_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path(), "p");
        assert!(store.list().unwrap().is_empty());
        let editor = store.editor().unwrap();
        for (key, value) in [("a", "one"), ("a", "two\n"), ("b/c%d", "\u{e4}"), ("e", "")] {
            editor.set(key, &Secret::new(value)).unwrap();
            assert_eq!(store.get(key).unwrap().expose(), value);
        }
        let mut keys = store.list().unwrap();
        keys.sort();
        assert_eq!(keys, ["a", "b/c%d", "e"]);
        editor.remove("a").unwrap();
        assert_eq!(
            store.get("a").unwrap_err().to_string(),
            "The specified item could not be found in the keyring"
        );
        let expected =
            format!("remove {}/ring/a: no such file or directory", folder.path().display());
        assert_eq!(editor.remove("a").unwrap_err().to_string(), expected);
        assert!(folder.path().join("ring/b%2Fc%25d").is_file());
    }

    #[test]
    fn files_are_for_their_owner_and_their_password_only() {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().unwrap();
        store(folder.path(), "p").editor().unwrap().set("a", &Secret::new("hush")).unwrap();
        let mode = |path: &str| {
            fs::metadata(folder.path().join(path)).unwrap().permissions().mode() & 0o777
        };
        assert_eq!((mode("ring"), mode("ring/a")), (0o700, 0o600));
        let error = store(folder.path(), "q").get("a").unwrap_err().to_string();
        assert!(error.starts_with("aes.KeyUnwrap(): integrity check failed."), "{error}");
    }

    #[test]
    fn keys_that_lead_out_of_the_folder_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path(), "p");
        for key in ["", ".", ".."] {
            let error = store.get(key).unwrap_err().to_string();
            assert_eq!(error, format!("{key:?} cannot be a key"));
        }
        assert_eq!(secret_store(&PLUGIN, "").err().unwrap(), "path missing");
    }
}
