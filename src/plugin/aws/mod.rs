//! Who requests to Amazon's services are from: options, where credentials come from, signatures.
//!
//! # References
//! Telegraf's `plugins/common/aws` for the options; "Standardized credential providers" of Amazon's
//! SDK reference guide for the order in which credentials are looked for.

mod credentials;
mod kafka_tokens;
mod profile;
mod program;
mod services;
mod settled;
mod sign;
mod sso;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::SharedOptions;
use super::declaration::values_of;
use super::settings::{SettingsError, Table};
use crate::http::{Client, ClientSettings, Request};
use crate::metric::Timestamp;
use crate::system::{Clock, Secret, environment_variable};

pub use credentials::AwsError;
use credentials::Source;
pub use kafka_tokens::{KafkaIdentity, KafkaTokens};
use sign::Scope;

/// Credentials are renewed so long before they end.
const SAFETY: Duration = Duration::from_secs(60);

/// Looks up an environment variable.
type Variables = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// Who is asking, and where in the world.
#[derive(Clone, Deserialize, Serialize, Default)]
#[serde(default)]
pub struct AwsOptions {
    region: String,
    access_key: String,
    secret_key: String,
    token: String,
    role_arn: String,
    web_identity_token_file: String,
    role_session_name: String,
    profile: String,
    shared_credential_file: String,
    endpoint_url: String,
}

impl SharedOptions for AwsOptions {
    fn read_values(table: &Table) -> Result<Map<String, Value>, Vec<SettingsError>> {
        values_of::<AwsOptions>(table)
    }
}

/// What proves who is asking.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Credentials {
    access_key: String,
    secret_key: Secret,
    /// Of credentials that are lent; empty for those of people.
    token: Secret,
    /// When they end, if they do.
    until: Option<Timestamp>,
}

/// Signs requests to a service.
pub struct AwsSigner {
    service: String,
    region: String,
    source: Source,
    lent: Mutex<Option<Credentials>>,
    client: Client,
    variables: Variables,
    clock: Arc<dyn Clock>,
}

impl AwsSigner {
    /// Finds out from the options, the environment and the files of the user where credentials are
    /// to come from; fetches none.
    ///
    /// # Errors
    /// If a profile that is named is not there, or makes no sense.
    pub fn new(
        service: &str,
        options: &AwsOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<AwsSigner, AwsError> {
        AwsSigner::in_surroundings(service, options, clock, Arc::new(environment_variable))
    }

    fn in_surroundings(
        service: &str,
        options: &AwsOptions,
        clock: Arc<dyn Clock>,
        variables: Variables,
    ) -> Result<AwsSigner, AwsError> {
        let settled = settled::settle(options, &*variables)?;
        Ok(AwsSigner {
            service: service.to_owned(),
            region: settled.region,
            source: settled.source,
            lent: Mutex::new(None),
            client: Client::new(ClientSettings::default(), clock.clone())?,
            variables,
            clock,
        })
    }

    /// Signs a request with the fields that its header has so far, whose body is as it will be sent.
    ///
    /// # Errors
    /// If there are no credentials to be had.
    pub fn sign(&self, request: &mut Request<'_>) -> Result<(), AwsError> {
        self.with_credentials(|credentials, scope, now| {
            sign::sign(request, credentials, scope, now);
        })
    }

    fn with_credentials<T>(
        &self,
        sign: impl FnOnce(&Credentials, &Scope<'_>, Timestamp) -> T,
    ) -> Result<T, AwsError> {
        let scope = Scope { region: &self.region, service: &self.service };
        let now = self.clock.now();
        let mut lent = self.lent.lock().unwrap_or_else(PoisonError::into_inner);
        let holds = |credentials: &Credentials| {
            credentials.until.is_none_or(|until| now.after(SAFETY) < until)
        };
        let credentials = match lent.take().filter(holds) {
            Some(credentials) => credentials,
            None => self.source.fetch(self)?,
        };
        let signed = sign(&credentials, &scope, now);
        *lent = Some(credentials);
        Ok(signed)
    }
}

#[cfg(test)]
mod tests;
