//! A name and its password, either of which may be a secret.

use super::{LinkedSecret, SecretError};
use crate::http::basic_credentials;

/// A name and its password for basic authentication.
#[derive(Debug, Clone, Default)]
pub struct LinkedCredentials {
    pub(in crate::plugin) username: LinkedSecret,
    pub(in crate::plugin) password: LinkedSecret,
}

/// Why a name or its password cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("getting {what} failed: {source}")]
pub struct CredentialsError {
    what: &'static str,
    source: SecretError,
}

impl LinkedCredentials {
    /// Whether neither is set.
    pub fn is_empty(&self) -> bool {
        self.username.is_empty() && self.password.is_empty()
    }

    /// The value of `Authorization` as it is now; none if neither is set.
    ///
    /// # Errors
    /// If a store does not have one of them any more.
    pub fn authorization(&self) -> Result<Option<String>, CredentialsError> {
        if self.is_empty() {
            return Ok(None);
        }
        let failed = |what| move |source| CredentialsError { what, source };
        let username = self.username.get().map_err(failed("username"))?;
        let password = self.password.get().map_err(failed("password"))?;
        Ok(Some(basic_credentials(username.expose(), password.expose())))
    }
}
