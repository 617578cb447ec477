//! Plugins that keep secrets for others.

pub mod docker;
pub mod environment;
pub mod systemd;

use crate::plugin::{Declaration, SecretStore};

/// Every secret store, sorted by name.
pub static ALL: &[&Declaration<dyn SecretStore>] =
    &[&docker::PLUGIN, &environment::PLUGIN, &systemd::PLUGIN];
