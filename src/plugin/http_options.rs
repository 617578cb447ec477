//! Options that all plugins have that speak HTTP, and what they come to.
//!
//! # References
//! Telegraf's `plugins/common/http`, `tls`, `proxy`, `oauth` and `cookie`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::declaration::values_of;
use super::settings::{Duration, SecretOption, SettingsError, Table};
use super::{BuildError, Context, SharedOptions};
use crate::http::tls::{
    ClientTlsSettings, KeyPair, Renegotiation, ServerTls, ServerTlsSettings, TlsSettingsError,
    TlsVersion, Verification,
};
use crate::http::{
    ClientCredentials, ClientSettings, CookieAuth, Headers, LocalAddress, ProxyChoice, Url,
};
use crate::system::Secret;

/// What `timeout` means where it is zero.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);

/// Encryption of connections that a plugin makes.
#[derive(Clone, Deserialize, Serialize, Default)]
#[serde(default)]
pub struct TlsOptions {
    tls_enable: Option<bool>,
    tls_ca: String,
    tls_cert: String,
    tls_key: String,
    tls_key_pwd: String,
    tls_min_version: String,
    tls_cipher_suites: Vec<String>,
    tls_server_name: String,
    tls_renegotiation_method: String,
    insecure_skip_verify: bool,
}

impl SharedOptions for TlsOptions {
    fn read_values(table: &Table) -> Result<Map<String, Value>, Vec<SettingsError>> {
        values_of::<TlsOptions>(table)
    }
}

impl TlsOptions {
    /// Whether `tls_enable` or any option that matters only with encryption asks for it.
    pub fn is_asked_for(&self) -> bool {
        let is_set_up = self.insecure_skip_verify
            || !matches!(self.tls_renegotiation_method.as_str(), "" | "never")
            || [&self.tls_ca, &self.tls_cert, &self.tls_key, &self.tls_server_name]
                .iter()
                .any(|option| !option.is_empty());
        self.tls_enable.unwrap_or(is_set_up)
    }

    /// What the options come to; with `tls_enable = false` nothing of them counts.
    ///
    /// # Errors
    /// If a name is not known. Files are read when a client is made of it.
    pub fn settings(&self) -> Result<ClientTlsSettings, BuildError> {
        if self.tls_enable == Some(false) {
            return Ok(ClientTlsSettings::default());
        }
        Ok(ClientTlsSettings {
            ca: self.tls_ca.clone(),
            key_pair: key_pair(&self.tls_cert, &self.tls_key, &self.tls_key_pwd),
            min_version: TlsVersion::parse(&self.tls_min_version).map_err(invalid)?,
            cipher_suites: self.tls_cipher_suites.clone(),
            server_name: self.tls_server_name.clone(),
            verification: match self.insecure_skip_verify {
                true => Verification::None,
                false => Verification::Full,
            },
            renegotiation: match self.tls_renegotiation_method.as_str() {
                "" | "never" => Renegotiation::Never,
                "once" | "freely" => Renegotiation::Freely,
                other => {
                    return Err(invalid(TlsSettingsError::Renegotiation(other.to_owned())));
                }
            },
        })
    }
}

/// Encryption of connections that come to a plugin.
#[derive(Clone, Deserialize, Serialize, Default)]
#[serde(default)]
pub struct ServerTlsOptions {
    tls_cert: String,
    tls_key: String,
    tls_key_pwd: String,
    tls_allowed_cacerts: Vec<String>,
    tls_cipher_suites: Vec<String>,
    tls_min_version: String,
    tls_max_version: String,
    tls_allowed_dns_names: Vec<String>,
}

impl SharedOptions for ServerTlsOptions {
    fn read_values(table: &Table) -> Result<Map<String, Value>, Vec<SettingsError>> {
        values_of::<ServerTlsOptions>(table)
    }
}

impl ServerTlsOptions {
    /// What the options come to, if they ask for encryption.
    ///
    /// # Errors
    /// If a file cannot be used, or a name is not known.
    pub fn server(&self) -> Result<Option<ServerTls>, BuildError> {
        if [&self.tls_cert, &self.tls_key].iter().all(|path| path.is_empty())
            && self.tls_allowed_cacerts.is_empty()
        {
            return Ok(None);
        }
        let settings = ServerTlsSettings {
            key_pair: key_pair(&self.tls_cert, &self.tls_key, &self.tls_key_pwd),
            allowed_ca: self.tls_allowed_cacerts.clone(),
            allowed_dns_names: self.tls_allowed_dns_names.clone(),
            cipher_suites: self.tls_cipher_suites.clone(),
            min_version: TlsVersion::parse(&self.tls_min_version).map_err(invalid)?,
            max_version: TlsVersion::parse(&self.tls_max_version).map_err(invalid)?,
        };
        ServerTls::new(&settings).map(Some).map_err(invalid)
    }
}

fn key_pair(cert: &str, key: &str, password: &str) -> Option<KeyPair> {
    (!cert.is_empty() && !key.is_empty()).then(|| KeyPair {
        cert: cert.to_owned(),
        key: key.to_owned(),
        key_password: Secret::new(password),
    })
}

fn invalid(error: TlsSettingsError) -> BuildError {
    BuildError::invalid(error)
}

/// How a plugin's client connects, waits and proves who it is.
#[derive(Clone, Deserialize, Serialize)]
#[serde(default)]
pub struct HttpClientOptions {
    timeout: Duration,
    idle_conn_timeout: Duration,
    max_idle_conn: usize,
    max_idle_conn_per_host: usize,
    response_timeout: Duration,
    local_address: String,
    use_system_proxy: bool,
    http_proxy_url: String,
    client_id: String,
    client_secret: String,
    token_url: String,
    audience: String,
    scopes: Vec<String>,
    cookie_auth_url: String,
    cookie_auth_method: String,
    cookie_auth_username: String,
    cookie_auth_password: String,
    cookie_auth_headers: BTreeMap<String, SecretOption>,
    cookie_auth_body: String,
    cookie_auth_renewal: Duration,
}

impl Default for HttpClientOptions {
    fn default() -> HttpClientOptions {
        HttpClientOptions {
            timeout: DEFAULT_TIMEOUT,
            idle_conn_timeout: Duration::ZERO,
            max_idle_conn: 0,
            max_idle_conn_per_host: 0,
            response_timeout: Duration::ZERO,
            local_address: String::new(),
            use_system_proxy: false,
            http_proxy_url: String::new(),
            client_id: String::new(),
            client_secret: String::new(),
            token_url: String::new(),
            audience: String::new(),
            scopes: Vec::new(),
            cookie_auth_url: String::new(),
            cookie_auth_method: "POST".to_owned(),
            cookie_auth_username: String::new(),
            cookie_auth_password: String::new(),
            cookie_auth_headers: BTreeMap::new(),
            cookie_auth_body: String::new(),
            cookie_auth_renewal: Duration::ZERO,
        }
    }
}

impl SharedOptions for HttpClientOptions {
    fn read_values(table: &Table) -> Result<Map<String, Value>, Vec<SettingsError>> {
        values_of::<HttpClientOptions>(table)
    }
}

impl HttpClientOptions {
    /// What the options come to, with those for encryption beside them.
    ///
    /// # Errors
    /// If an address is none, a name is not known, or a secret cannot be had.
    pub fn settings(
        &self,
        tls: &TlsOptions,
        context: &Context<'_>,
    ) -> Result<ClientSettings, BuildError> {
        let limit = |limit: Duration| Some(limit.to_std()).filter(|limit| !limit.is_zero());
        Ok(ClientSettings {
            timeout: limit(self.timeout).or(limit(DEFAULT_TIMEOUT)),
            header_timeout: limit(self.response_timeout),
            idle_timeout: limit(self.idle_conn_timeout),
            max_idle: self.max_idle_conn,
            max_idle_per_host: self.max_idle_conn_per_host,
            local_address: local_address(&self.local_address)?,
            proxy: match (self.use_system_proxy, self.http_proxy_url.as_str()) {
                (true, _) => ProxyChoice::from_environment(),
                (false, "") => ProxyChoice::None,
                (false, url) => ProxyChoice::Fixed(parse_url("http_proxy_url", url)?),
            },
            tls: tls.settings()?,
            credentials: self.credentials()?,
            cookie_auth: self.cookie_auth(context)?,
            ..ClientSettings::default()
        })
    }

    fn credentials(&self) -> Result<Option<ClientCredentials>, BuildError> {
        let needed = [&self.client_id, &self.client_secret, &self.token_url];
        if needed.iter().any(|option| option.is_empty()) {
            return Ok(None);
        }
        Ok(Some(ClientCredentials {
            client_id: self.client_id.clone(),
            client_secret: Secret::new(&self.client_secret),
            token_url: parse_url("token_url", &self.token_url)?,
            audience: self.audience.clone(),
            scopes: self.scopes.clone(),
            parameters: Vec::new(),
            style: None,
        }))
    }

    fn cookie_auth(&self, context: &Context<'_>) -> Result<Option<CookieAuth>, BuildError> {
        if self.cookie_auth_url.is_empty() {
            return Ok(None);
        }
        let method = match self.cookie_auth_method.as_str() {
            "" => "POST",
            method => method,
        };
        let renewal = self.cookie_auth_renewal.to_std();
        let mut headers = Headers::new();
        let linked = context.secret_headers(&self.cookie_auth_headers)?;
        linked.set_on(&mut headers).map_err(BuildError::invalid)?;
        Ok(Some(CookieAuth {
            url: parse_url("cookie_auth_url", &self.cookie_auth_url)?,
            method: method.to_owned(),
            headers,
            username: self.cookie_auth_username.clone(),
            password: Secret::new(&self.cookie_auth_password),
            body: Secret::new(&self.cookie_auth_body),
            renewal: (!renewal.is_zero()).then_some(renewal),
        }))
    }
}

/// Reads a URL, the option named where it is none.
///
/// # Errors
/// If it is none.
pub fn parse_url(option: &str, text: &str) -> Result<Url, BuildError> {
    Url::parse(text).map_err(|error| BuildError::invalid(format!("{option}: {error}")))
}

/// Reads the address to connect from; nothing if the option is empty.
///
/// # Errors
/// If it is no address of this machine.
pub fn local_address(text: &str) -> Result<Option<LocalAddress>, BuildError> {
    if text.is_empty() {
        return Ok(None);
    }
    LocalAddress::parse(text).map(Some).map_err(BuildError::invalid)
}

/// The fields of a header as an option holds them.
pub fn headers(pairs: &BTreeMap<String, String>) -> Headers {
    let mut headers = Headers::new();
    pairs.iter().for_each(|(name, value)| headers.set(name, value));
    headers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugin::settings::Position;
    use crate::plugin::{Formats, PluginLog, Statistics};
    use crate::system::System;

    type Change = fn(&mut TlsOptions);

    fn settings(
        options: &HttpClientOptions,
        tls: &TlsOptions,
    ) -> Result<ClientSettings, BuildError> {
        let table = Table::new("test".into(), "outputs.test", Position::default());
        let formats = Formats { parsers: &[], serializers: &[] };
        let (log, statistics) = (PluginLog::new("outputs.test"), Statistics::default());
        let context = Context::new(System::real(), log, statistics, &table, formats);
        options.settings(tls, &context)
    }

    #[test]
    fn encryption_is_asked_for_by_word_or_by_what_matters_only_with_it() {
        let cases: [(Change, bool); 6] = [
            (|_| {}, false),
            (|o| o.tls_ca = "ca.pem".into(), true),
            (|o| o.insecure_skip_verify = true, true),
            (|o| o.tls_enable = Some(true), true),
            (|o| (o.tls_ca, o.tls_enable) = ("ca.pem".into(), Some(false)), false),
            (|o| o.tls_renegotiation_method = "never".into(), false),
        ];
        for (at, (change, expected)) in cases.into_iter().enumerate() {
            let mut options = TlsOptions::default();
            change(&mut options);
            assert_eq!(options.is_asked_for(), expected, "case {at}");
        }
    }

    #[test]
    fn names_that_are_not_known_are_refused() {
        let cases: [(Change, &str); 2] = [
            (|o| o.tls_min_version = "SSL3".into(), "unsupported version \"SSL3\""),
            (|o| o.tls_renegotiation_method = "often".into(), "renegotiation method \"often\""),
        ];
        for (change, expected) in cases {
            let mut options = TlsOptions::default();
            change(&mut options);
            let error = options.settings().unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        let options =
            HttpClientOptions { http_proxy_url: "::".into(), ..HttpClientOptions::default() };
        let error = settings(&options, &TlsOptions::default()).unwrap_err().to_string();
        assert_eq!(error, "http_proxy_url: parse \"::\": missing protocol scheme");
    }

    #[test]
    fn tokens_are_asked_for_where_all_three_options_are_set() {
        let mut options = HttpClientOptions {
            client_id: "me".into(),
            client_secret: "hush".into(),
            ..HttpClientOptions::default()
        };
        let tls = TlsOptions::default();
        assert!(settings(&options, &tls).unwrap().credentials.is_none());
        options.token_url = "http://h/token".into();
        let credentials = settings(&options, &tls).unwrap().credentials.unwrap();
        assert!(!format!("{credentials:?}").contains("hush"));
    }

    #[test]
    fn zero_is_the_default_time_and_no_time_to_wait_for_headers() {
        let options = HttpClientOptions { timeout: Duration::ZERO, ..HttpClientOptions::default() };
        let settings = settings(&options, &TlsOptions::default()).unwrap();
        assert_eq!(settings.timeout, Some(std::time::Duration::from_secs(5)));
        assert_eq!((settings.header_timeout, settings.idle_timeout), (None, None));
    }
}
