//! Secrets that a server hands out as JSON, encrypted or not.
//!
//! # References
//! Telegraf's `secretstores.http` for options, messages and ciphers.

mod decryption;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::http::{Client, Headers, Request, Url, reason};
use crate::plugin::go::decode_base64;
use crate::plugin::http_options::{HttpClientOptions, TlsOptions, headers, parse_url};
use crate::plugin::secrets::LinkedCredentials;
use crate::plugin::settings::SecretOption;
use crate::plugin::{Build, BuildError, Context, Declaration, PluginError, SecretStore};
use crate::system::Secret;
use decryption::{AesOptions, Decryption};

/// How long connections are kept if nothing else is said, so that none outlives a reload for long.
const IDLE_TIMEOUT: Duration = Duration::from_secs(5 * 60);

/// The store as the table lists it.
pub static PLUGIN: Declaration<dyn SecretStore> = Declaration::sharing::<
    Config,
    (HttpClientOptions, TlsOptions),
>("http", include_str!("sample.conf"));

/// The settings of the store.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default)]
pub struct Config {
    url: String,
    headers: BTreeMap<String, String>,
    username: SecretOption,
    password: SecretOption,
    token: SecretOption,
    success_status_codes: Vec<u16>,
    transformation: String,
    cipher: String,
    aes: AesOptions,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            url: String::new(),
            headers: BTreeMap::new(),
            username: SecretOption::default(),
            password: SecretOption::default(),
            token: SecretOption::default(),
            success_status_codes: vec![200],
            transformation: String::new(),
            cipher: "none".to_owned(),
            aes: AesOptions::default(),
        }
    }
}

impl Build<dyn SecretStore> for Config {
    fn build(mut self, context: &Context<'_>) -> Result<Box<dyn SecretStore>, BuildError> {
        if !self.transformation.is_empty() {
            return Err(BuildError::invalid(
                "transformation is not supported: the server has to answer with an object of keys \
                 and secrets, {\"key\": \"secret\"}",
            ));
        }
        if self.success_status_codes.is_empty() {
            self.success_status_codes.push(200);
        }
        let options: HttpClientOptions = context.settings().read()?;
        let mut settings = options.settings(&context.settings().read::<TlsOptions>()?, context)?;
        settings.idle_timeout = settings.idle_timeout.or(Some(IDLE_TIMEOUT));
        let basic = context.credentials(&self.username, &self.password)?;
        let token = context.fixed_secret(&self.token)?;
        Ok(Box::new(Http {
            url: parse_url("url", &self.url)?,
            client: Client::new(settings, context.system.clock.clone())
                .map_err(BuildError::invalid)?,
            headers: headers(&self.headers),
            // Telegraf sends them only where both are set.
            basic: match self.username.is_empty() || self.password.is_empty() {
                true => LinkedCredentials::default(),
                false => basic,
            },
            token,
            success_status_codes: self.success_status_codes,
            decryption: Decryption::new(&self.cipher, &self.aes, context)?,
            secrets: Mutex::new(None),
        }))
    }
}

/// The server, and what it has handed out.
struct Http {
    url: Url,
    client: Client,
    headers: Headers,
    basic: LinkedCredentials,
    token: Secret,
    success_status_codes: Vec<u16>,
    decryption: Decryption,
    /// By key; still encrypted, if it came so. Absent until the server is asked.
    secrets: Mutex<Option<BTreeMap<String, Secret>>>,
}

impl Http {
    fn secrets(&self) -> MutexGuard<'_, Option<BTreeMap<String, Secret>>> {
        self.secrets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn download(&self) -> Result<BTreeMap<String, Secret>, PluginError> {
        let body = self.query().map_err(|error| format!("reading body failed: {error}"))?;
        let secrets: Option<BTreeMap<String, Option<String>>> = serde_json::from_slice(&body)
            .map_err(|error| match error.is_data() {
                true => format!("{error}; an object of keys and secrets is wanted"),
                false => error.to_string(),
            })?;
        let secrets = secrets.unwrap_or_default().into_iter();
        Ok(secrets.map(|(key, secret)| (key, Secret::new(secret.unwrap_or_default()))).collect())
    }

    fn query(&self) -> Result<Vec<u8>, PluginError> {
        let mut request = Request::new("GET", self.url.clone(), b"");
        request.headers = self.headers.clone();
        if let Some(authorization) = self.basic.authorization()? {
            request.headers.set("Authorization", authorization);
        }
        if !self.token.is_empty() {
            let token = self.token.expose().trim();
            request.headers.set("Authorization", format!("Bearer {token}"));
        }
        let response = self
            .client
            .log_in()
            .and_then(|()| self.client.send(&request))
            .map_err(|error| format!("executing request failed: {error}"))?;
        let status = response.status;
        if self.success_status_codes.contains(&status) {
            return Ok(response.body);
        }
        let expected: Vec<_> = self.success_status_codes.iter().map(u16::to_string).collect();
        Err(format!(
            "received status code {status} ({}), expected any value out of [{}]",
            reason(status),
            expected.join(" ")
        )
        .into())
    }
}

impl SecretStore for Http {
    /// Asks the server, once.
    fn prepare(&self) -> Result<(), PluginError> {
        let mut secrets = self.secrets();
        if secrets.is_none() {
            *secrets = Some(self.download()?);
        }
        Ok(())
    }

    fn get(&self, key: &str) -> Result<Secret, PluginError> {
        let secrets = self.secrets();
        let secret = secrets.as_ref().and_then(|secrets| secrets.get(key)).ok_or("not found")?;
        match &self.decryption {
            Decryption::None => Ok(secret.clone()),
            Decryption::Aes(aes) => {
                let encrypted = decode_base64(secret.expose())
                    .map_err(|error| format!("base64 decoding failed: {error}"))?;
                aes.decrypt(&encrypted)
            }
        }
    }

    fn list(&self) -> Result<Vec<String>, PluginError> {
        Ok(self.secrets().iter().flat_map(BTreeMap::keys).cloned().collect())
    }
}

#[cfg(test)]
mod tests;
