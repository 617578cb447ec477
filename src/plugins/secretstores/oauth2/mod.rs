//! Secrets that are the tokens of OAuth2 servers, renewed when they end.
//!
//! # References
//! RFC 6749, section 4.4; Telegraf's `secretstores.oauth2` for options and messages.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::http::{
    Client, ClientCredentials, ClientSettings, CredentialStyle, ProxyChoice, TokenSource,
};
use crate::plugin::http_options::parse_url;
use crate::plugin::secrets::Lifetime;
use crate::plugin::settings::{Duration, SecretOption};
use crate::plugin::{Build, BuildError, Context, Declaration, PluginError, Quoted, SecretStore};
use crate::system::Secret;

/// The store as the table lists it.
pub static PLUGIN: Declaration<dyn SecretStore> =
    Declaration::new::<Config>("oauth2", include_str!("sample.conf"));

/// How long a server may take.
const TIMEOUT: std::time::Duration = std::time::Duration::from_secs(30);

/// The settings of the store.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default)]
pub struct Config {
    service: String,
    token_endpoint: String,
    tenant_id: String,
    token_expiry_margin: Duration,
    token: Vec<TokenConfig>,
}

/// One token.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default)]
struct TokenConfig {
    key: String,
    client_id: SecretOption,
    client_secret: SecretOption,
    scopes: Vec<String>,
    parameters: BTreeMap<String, String>,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            service: "custom".to_owned(),
            token_endpoint: String::new(),
            tenant_id: String::new(),
            token_expiry_margin: Duration::from_secs(1),
            token: Vec::new(),
        }
    }
}

/// Whose server it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Service {
    Custom,
    Auth0,
    AzureAd,
}

impl Build<dyn SecretStore> for Config {
    fn build(self, context: &Context<'_>) -> Result<Box<dyn SecretStore>, BuildError> {
        let (service, endpoint) = self.endpoint()?;
        if service != Service::AzureAd && !self.tenant_id.is_empty() {
            context.log.warn(format_args!(
                "'tenant_id' set but ignored by service {}",
                Quoted::new(&self.service)
            ));
        }
        let mut sources = BTreeMap::new();
        for token in &self.token {
            let credentials = token.credentials(service, &endpoint, context)?;
            let settings = ClientSettings {
                timeout: Some(TIMEOUT),
                proxy: ProxyChoice::from_environment(),
                ..ClientSettings::default()
            };
            let client =
                Client::new(settings, context.system.clock.clone()).map_err(BuildError::invalid)?;
            let source = TokenSource::new(credentials, client, self.token_expiry_margin.to_std());
            if sources.insert(token.key.clone(), source).is_some() {
                let key = Quoted::new(&token.key);
                return Err(BuildError::invalid(format!("token with key {key} already defined")));
            }
        }
        Ok(Box::new(OAuth2 { sources }))
    }
}

impl Config {
    /// Whose server it is, and where it hands tokens out.
    fn endpoint(&self) -> Result<(Service, String), BuildError> {
        let required = |endpoint: &str, whose: &str| match endpoint {
            "" => Err(BuildError::invalid(format!("'token_endpoint' required for {whose}"))),
            endpoint => Ok(endpoint.to_owned()),
        };
        match self.service.to_lowercase().as_str() {
            "" | "custom" => {
                Ok((Service::Custom, required(&self.token_endpoint, "custom service")?))
            }
            "auth0" => Ok((Service::Auth0, required(&self.token_endpoint, "Auth0")?)),
            "azuread" if self.tenant_id.is_empty() => {
                Err(BuildError::invalid("'tenant_id' required for AzureAD"))
            }
            "azuread" if !self.token_endpoint.is_empty() => Err(BuildError::invalid(format!(
                "'token_endpoint' cannot be set for service {}",
                Quoted::new(&self.service)
            ))),
            "azuread" => {
                let tenant = &self.tenant_id;
                let host = "https://login.microsoftonline.com";
                Ok((Service::AzureAd, format!("{host}/{tenant}/oauth2/v2.0/token")))
            }
            _ => {
                let service = Quoted::new(&self.service);
                Err(BuildError::invalid(format!("service {service} not supported")))
            }
        }
    }
}

impl TokenConfig {
    fn credentials(
        &self,
        service: Service,
        endpoint: &str,
        context: &Context<'_>,
    ) -> Result<ClientCredentials, BuildError> {
        let key = Quoted::new(&self.key);
        if self.key.is_empty() {
            return Err(BuildError::invalid("'key' not specified"));
        }
        for (name, option) in
            [("client_id", &self.client_id), ("client_secret", &self.client_secret)]
        {
            if option.is_empty() {
                return Err(BuildError::invalid(format!("'{name}' not specified for key {key}")));
            }
        }
        let has_audience = self.parameters.get("audience").is_some_and(|text| !text.is_empty());
        if service == Service::Auth0 && !has_audience {
            return Err(BuildError::invalid(format!(
                "'audience' parameter in key {key} missing for service Auth0"
            )));
        }
        Ok(ClientCredentials {
            client_id: context.fixed_secret(&self.client_id)?.expose().to_owned(),
            client_secret: context.fixed_secret(&self.client_secret)?,
            token_url: parse_url("token_endpoint", endpoint)?,
            audience: String::new(),
            scopes: self.scopes.clone(),
            parameters: self.parameters.clone().into_iter().collect(),
            style: (service == Service::Auth0).then_some(CredentialStyle::Form),
        })
    }
}

/// The tokens by key.
#[derive(Debug)]
struct OAuth2 {
    sources: BTreeMap<String, TokenSource>,
}

impl SecretStore for OAuth2 {
    fn get(&self, key: &str) -> Result<Secret, PluginError> {
        let source = self.sources.get(key);
        let source = source.ok_or_else(|| format!("token {} not found", Quoted::new(key)))?;
        Ok(source.token()?)
    }

    fn list(&self) -> Result<Vec<String>, PluginError> {
        Ok(self.sources.keys().cloned().collect())
    }

    fn lifetime(&self) -> Lifetime {
        Lifetime::Dynamic
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::ServerResponse;
    use crate::http::recorder::Recorder;
    use crate::plugins::tests::secret_store;

    const TOKEN: &str = "[[token]]\nkey = 'k'\nclient_id = 'me'\nclient_secret = 'pw'\n";

    fn server(answer: &'static str) -> Recorder {
        Recorder::start(move |_| ServerResponse::with_body(200, "application/json", answer))
    }

    #[test]
    fn a_token_is_asked_for_and_kept_until_it_is_about_to_end() {
        for (lasts, margin, requests) in [(3600, "1s", 1), (3600, "2h", 2), (0, "1s", 1)] {
            let answer = format!("{{\"access_token\": \"hush\", \"expires_in\": {lasts}}}");
            let server = server(answer.leak());
            let options = format!(
                "token_endpoint = '{}/t'\ntoken_expiry_margin = '{margin}'\n{TOKEN}\
                 scopes = ['a', 'b']\n[token.parameters]\nx = 'y'",
                server.url
            );
            let store = secret_store(&PLUGIN, &options).unwrap();
            for _ in 0..2 {
                assert_eq!(store.get("k").unwrap().expose(), "hush");
            }
            let asked = server.take();
            assert_eq!(asked.len(), requests, "{lasts} {margin}");
            assert_eq!(asked[0].body, "grant_type=client_credentials&scope=a+b&x=y");
            assert_eq!(asked[0].headers.get("Authorization"), Some("Basic bWU6cHc="));
            assert_eq!(
                (store.list().unwrap(), store.lifetime()),
                (vec!["k".into()], Lifetime::Dynamic)
            );
            assert_eq!(store.get("x").unwrap_err().to_string(), "token \"x\" not found");
        }
    }

    #[test]
    fn auth0_is_told_who_asks_in_the_form() {
        let server = server("{\"access_token\": \"hush\"}");
        let options = format!(
            "service = 'Auth0'\ntoken_endpoint = '{}'\n{TOKEN}[token.parameters]\naudience = 'a'",
            server.url
        );
        assert!(secret_store(&PLUGIN, &options).unwrap().get("k").is_ok());
        let body = &server.take()[0].body;
        let expected = "audience=a&client_id=me&client_secret=pw&grant_type=client_credentials";
        assert_eq!(body, expected);
    }

    #[test]
    fn servers_that_hand_nothing_out_are_told() {
        let server = Recorder::start(|_| ServerResponse::status_line(403));
        let options = format!("token_endpoint = '{}'\n{TOKEN}", server.url);
        let error = secret_store(&PLUGIN, &options).unwrap().get("k").unwrap_err().to_string();
        assert!(error.starts_with("oauth2: cannot fetch token: 403 Forbidden"), "{error}");
    }

    #[test]
    fn options_that_make_no_sense_are_told() {
        let at = "token_endpoint = 'http://h/'\n";
        let cases = [
            (String::new(), "'token_endpoint' required for custom service"),
            ("service = 'auth0'".to_owned(), "'token_endpoint' required for Auth0"),
            ("service = 'AzureAD'".to_owned(), "'tenant_id' required for AzureAD"),
            (
                format!("service = 'AzureAD'\ntenant_id = 't'\n{at}"),
                "'token_endpoint' cannot be set for service \"AzureAD\"",
            ),
            ("service = 'x'".to_owned(), "service \"x\" not supported"),
            (format!("{at}[[token]]"), "'key' not specified"),
            (format!("{at}[[token]]\nkey = 'k'"), "'client_id' not specified for key \"k\""),
            (
                format!("{at}[[token]]\nkey = 'k'\nclient_id = 'i'"),
                "'client_secret' not specified for key \"k\"",
            ),
            (format!("{at}{TOKEN}{TOKEN}"), "token with key \"k\" already defined"),
            (
                format!("service = 'auth0'\n{at}{TOKEN}"),
                "'audience' parameter in key \"k\" missing for service Auth0",
            ),
        ];
        for (options, expected) in cases {
            assert_eq!(secret_store(&PLUGIN, &options).err().unwrap(), expected);
        }
        let azure = format!("service = 'AzureAD'\ntenant_id = 't'\n{TOKEN}");
        assert!(secret_store(&PLUGIN, &azure).is_ok());
    }
}
