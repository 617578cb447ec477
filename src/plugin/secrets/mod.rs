//! Secrets of plugins: the stores that keep them, and the options that refer to them.
//!
//! An option that holds a secret may refer to stores, as in `password = "@{store:key}"`. When the
//! plugin is built, what never changes is put in its place; what a store says may change is asked
//! for again at each use.
//!
//! # References
//! Telegraf's `secretstore.go` and `config/secret.go`.

mod basic;
mod folder;
mod linked;
mod reference;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use super::PluginError;
use crate::system::Secret;

pub use basic::{CredentialsError, LinkedCredentials};
pub use folder::{SecretFileError, SecretFolder};
pub use linked::{LinkedHeaders, LinkedSecret, SecretError};
pub(crate) use reference::{References, is_word};

/// Keeps secrets by key.
pub trait SecretStore: Send + Sync {
    /// Gets ready for [`SecretStore::get`], for stores that keep nothing themselves; comes before
    /// a reference is resolved for the first time.
    ///
    /// # Errors
    /// If what the store is made of cannot be had.
    fn prepare(&self) -> Result<(), PluginError> {
        Ok(())
    }

    /// The secret under a key.
    ///
    /// # Errors
    /// If there is none, or it cannot be had.
    fn get(&self, key: &str) -> Result<Secret, PluginError>;

    /// The keys that there are, in any order.
    ///
    /// # Errors
    /// If they cannot be had.
    fn list(&self) -> Result<Vec<String>, PluginError>;

    /// Whether secrets may change while the agent runs.
    fn lifetime(&self) -> Lifetime {
        Lifetime::Static
    }

    /// The store as one whose secrets can be set, if they can.
    fn editor(&self) -> Option<&dyn SecretEditor> {
        None
    }
}

/// Sets and removes secrets.
pub trait SecretEditor {
    /// Sets the secret under a key, whether there was one or not.
    ///
    /// # Errors
    /// If it cannot be kept.
    fn set(&self, key: &str, value: &Secret) -> Result<(), PluginError>;

    /// Removes the secret under a key.
    ///
    /// # Errors
    /// If there is none, or it cannot be removed.
    fn remove(&self, key: &str) -> Result<(), PluginError>;
}

/// Whether a secret may change while the agent runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifetime {
    /// It is asked for once.
    Static,
    /// It is asked for at each use.
    Dynamic,
}

impl Lifetime {
    /// The lifetime that the option `dynamic` stands for.
    pub fn of_option(dynamic: bool) -> Lifetime {
        if dynamic { Lifetime::Dynamic } else { Lifetime::Static }
    }
}

/// The stores of a configuration by their ids, and the password that the command line gives for
/// those that are locked.
#[derive(Clone, Default)]
pub struct SecretStores {
    stores: BTreeMap<String, Arc<dyn SecretStore>>,
    password: Arc<Secret>,
}

impl SecretStores {
    /// Makes a list without stores; the password is empty if there is none.
    pub fn with_password(password: Secret) -> SecretStores {
        SecretStores { stores: BTreeMap::new(), password: Arc::new(password) }
    }

    /// The password that the command line gives; empty if it gives none.
    pub fn password(&self) -> &Secret {
        &self.password
    }

    /// Adds a store; one whose id is taken is given back.
    ///
    /// # Errors
    /// The store itself.
    pub fn add(
        &mut self,
        id: &str,
        store: Box<dyn SecretStore>,
    ) -> Result<(), Box<dyn SecretStore>> {
        match self.stores.entry(id.to_owned()) {
            Entry::Vacant(free) => {
                free.insert(Arc::from(store));
                Ok(())
            }
            Entry::Occupied(_) => Err(store),
        }
    }

    /// The store of that id.
    pub fn get(&self, id: &str) -> Option<&Arc<dyn SecretStore>> {
        self.stores.get(id)
    }

    /// The ids in alphabetical order.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.stores.keys().map(String::as_str)
    }
}
