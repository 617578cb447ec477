//! Plugins that keep secrets for others.

pub mod docker;
pub mod environment;
pub mod http;
pub mod jose;
pub mod oauth2;
pub mod systemd;

use crate::plugin::{Declaration, SecretStore};

/// Every secret store, sorted by name.
pub static ALL: &[&Declaration<dyn SecretStore>] = &[
    &docker::PLUGIN,
    &environment::PLUGIN,
    &http::PLUGIN,
    &jose::PLUGIN,
    &oauth2::PLUGIN,
    &systemd::PLUGIN,
];
