//! The sub-commands for secrets: what is in the stores of a configuration, and changing it.
//!
//! # References
//! Telegraf's `secrets` commands for what they print and how they fail.

use std::io;

use super::load::Look;
use super::{CliError, flags, list};
use crate::cli::flags::Parsed;
use crate::plugin::secrets::{SecretStore, SecretStores};
use crate::plugin::{PluginError, Quoted};
use crate::system::{ErrorWords, Secret, ask_hidden};

/// Why a sub-command did not do what it was to do.
#[derive(Debug, thiserror::Error)]
pub(super) enum SecretsError {
    #[error("invalid number of arguments")]
    Arguments,
    #[error("unable to get secret store: unknown secret store")]
    UnknownStore,
    #[error("unable to get secret store {}: unknown secret store", Quoted::new(.0))]
    UnknownListed(String),
    #[error("unable to get secrets from store {}: {source}", Quoted::new(.id))]
    List { id: String, source: PluginError },
    #[error(
        "unable to get value of secret {} from store {}: {source}",
        Quoted::new(.key),
        Quoted::new(.id)
    )]
    Reveal { id: String, key: String, source: PluginError },
    #[error("unable to get secret: {0}")]
    Get(PluginError),
    #[error("secret store {} does not support {action} secrets", Quoted::new(.id))]
    ReadOnly { id: String, action: &'static str },
    #[error("{}", ErrorWords(.0))]
    Ask(io::Error),
    #[error("unable to set secret: {0}")]
    Set(PluginError),
    #[error("unable to remove secret: {0}")]
    Remove(PluginError),
}

/// Whether a list shows the secrets themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    Keys,
    Values,
}

/// Does what the words behind `secrets` say.
///
/// # Errors
/// If the configuration is wrong, or there is no such store or secret.
pub(super) fn run(words: &[&str], parsed: &Parsed, look: &Look<'_>) -> Result<(), CliError> {
    let stores = || look.secret_stores();
    match words {
        [] | ["help" | "h", ..] => Ok(list::print(&flags::PROGRAM.help())?),
        ["list", ids @ ..] => {
            let shown = if parsed.is_on("reveal-secret") { Shown::Values } else { Shown::Keys };
            list_secrets(&stores()?, ids, shown)
        }
        ["get", id, key] => {
            let stores = stores()?;
            let secret = get(store(&stores, id)?, key).map_err(SecretsError::Get)?;
            Ok(list::print(&format!("{id}:{key} = {}\n", secret.expose()))?)
        }
        ["set", id, key, more @ ..] => set(&stores()?, id, key, more.first().copied()),
        ["remove", id, key] => {
            let stores = stores()?;
            let editor = store(&stores, id)?.editor();
            let editor = editor.ok_or_else(|| read_only(id, "removing"))?;
            Ok(editor.remove(key).map_err(SecretsError::Remove)?)
        }
        ["get" | "set" | "remove", ..] => Err(SecretsError::Arguments.into()),
        [word, ..] => Err(CliError::Usage(format!("unknown command \"secrets {word}\""))),
    }
}

fn store<'s>(stores: &'s SecretStores, id: &str) -> Result<&'s dyn SecretStore, SecretsError> {
    stores.get(id).map(|store| &**store).ok_or(SecretsError::UnknownStore)
}

fn read_only(id: &str, action: &'static str) -> SecretsError {
    SecretsError::ReadOnly { id: id.to_owned(), action }
}

fn get(store: &dyn SecretStore, key: &str) -> Result<Secret, PluginError> {
    store.prepare()?;
    store.get(key)
}

fn list_secrets(stores: &SecretStores, ids: &[&str], shown: Shown) -> Result<(), CliError> {
    let mut ids: Vec<&str> = if ids.is_empty() { stores.ids().collect() } else { ids.to_vec() };
    ids.sort_unstable();
    for id in ids {
        let store =
            stores.get(id).ok_or_else(|| SecretsError::UnknownListed(id.to_owned()))?.as_ref();
        let failed = |source| SecretsError::List { id: id.to_owned(), source };
        store.prepare().map_err(failed)?;
        let mut keys = store.list().map_err(failed)?;
        keys.sort_unstable();
        list::print(&format!("Known secrets for store {}:", Quoted::new(id)))?;
        for key in keys {
            let secret = match shown {
                Shown::Keys => Secret::default(),
                Shown::Values => store.get(&key).map_err(|source| {
                    let (id, key) = (id.to_owned(), key.clone());
                    SecretsError::Reveal { id, key, source }
                })?,
            };
            list::print(&format!("    {key:<30}  {}\n", secret.expose()))?;
        }
    }
    Ok(())
}

fn set(stores: &SecretStores, id: &str, key: &str, value: Option<&str>) -> Result<(), CliError> {
    let editor = store(stores, id)?.editor().ok_or_else(|| read_only(id, "setting"))?;
    let value = match value {
        Some(value) if !value.is_empty() => Secret::new(value),
        _ => ask_hidden("Enter secret value: ").map_err(SecretsError::Ask)?,
    };
    Ok(editor.set(key, &value).map_err(SecretsError::Set)?)
}
