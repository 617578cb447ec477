//! Tokens that a server hands out to programs.
//!
//! # References
//! RFC 6749, section 4.4; Go's `golang.org/x/oauth2/clientcredentials`.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::Deserialize;

use super::client::{Client, Request, Response};
use super::error::Failure;
use super::url::{Url, encode_pairs, encode_query};
use super::{Headers, basic_credentials, reason};
use crate::system::Secret;

/// A token is renewed so long before it ends.
const SAFETY: Duration = Duration::from_secs(10);

/// How much of a refusal goes into an error.
const SHOWN_BYTES: usize = 1024;

/// Who asks for tokens, and where.
#[derive(Debug, Clone)]
pub struct ClientCredentials {
    /// The name of the program.
    pub client_id: String,
    /// Its password.
    pub client_secret: Secret,
    /// Where tokens are handed out.
    pub token_url: Url,
    /// For whom the token is; not said if empty.
    pub audience: String,
    /// What the token is to allow.
    pub scopes: Vec<String>,
    /// What else the server wants to know.
    pub parameters: Vec<(String, String)>,
    /// How the server is told who asks; tried out if absent.
    pub style: Option<CredentialStyle>,
}

/// How a server is told who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialStyle {
    /// In the header, as for basic authentication.
    Header,
    /// Among what is asked.
    Form,
}

/// Hands a token out and asks for another when that is about to end.
#[derive(Debug)]
pub struct TokenSource {
    credentials: ClientCredentials,
    client: Client,
    cache: TokenCache,
    /// A token is renewed so long before it ends.
    margin: Duration,
}

impl TokenSource {
    /// Makes a source; asks for nothing yet.
    pub fn new(credentials: ClientCredentials, client: Client, margin: Duration) -> TokenSource {
        TokenSource { credentials, client, cache: TokenCache::default(), margin }
    }

    /// The token itself.
    ///
    /// # Errors
    /// If there is none that holds, and the server hands none out.
    pub fn token(&self) -> Result<Secret, Failure> {
        let token = self.cache.token(&self.credentials, &self.client, self.margin)?;
        Ok(token.text)
    }
}

/// The token in use.
#[derive(Debug, Default)]
pub(super) struct TokenCache(Mutex<Cached>);

#[derive(Debug, Default)]
struct Cached {
    token: Option<Token>,
    /// How the server wants to be told who asks; tried out at first.
    style: Option<CredentialStyle>,
}

#[derive(Debug, Clone)]
struct Token {
    /// The word before it in `Authorization`.
    kind: String,
    text: Secret,
    /// Until when it holds in the clock's elapsed time.
    until: Option<Duration>,
}

#[derive(Deserialize)]
struct Answer {
    access_token: String,
    #[serde(default)]
    token_type: String,
    #[serde(default)]
    expires_in: Seconds,
}

/// Some servers write the number as a text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Seconds {
    Number(f64),
    Text(String),
    Nothing(()),
}

impl Default for Seconds {
    fn default() -> Seconds {
        Seconds::Nothing(())
    }
}

impl Seconds {
    fn span(&self) -> Option<Duration> {
        let seconds = match self {
            Seconds::Number(seconds) => *seconds,
            Seconds::Text(text) => text.parse().ok()?,
            Seconds::Nothing(()) => return None,
        };
        (seconds > 0.0).then(|| Duration::try_from_secs_f64(seconds).ok()).flatten()
    }
}

impl TokenCache {
    /// The value of `Authorization`, from a new token if there is none that holds.
    pub(super) fn authorization(
        &self,
        credentials: &ClientCredentials,
        client: &Client,
    ) -> Result<String, Failure> {
        let token = self.token(credentials, client, SAFETY)?;
        Ok(format!("{} {}", token.kind, token.text.expose()))
    }

    /// The token, or a new one if it ends within `margin`.
    fn token(
        &self,
        credentials: &ClientCredentials,
        client: &Client,
        margin: Duration,
    ) -> Result<Token, Failure> {
        let mut cached = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = client.now();
        if let Some(token) = &cached.token
            && token.until.is_none_or(|until| now.saturating_add(margin) < until)
        {
            return Ok(token.clone());
        }
        let (answer, style) = credentials.ask(client, credentials.style.or(cached.style))?;
        cached.style = Some(style);
        let until = answer.expires_in.span().map(|span| now.saturating_add(span));
        let token =
            Token { kind: answer.kind().to_owned(), text: Secret::new(answer.access_token), until };
        cached.token = Some(token.clone());
        Ok(token)
    }
}

impl ClientCredentials {
    fn ask(
        &self,
        client: &Client,
        known: Option<CredentialStyle>,
    ) -> Result<(Answer, CredentialStyle), Failure> {
        let response = self.ask_in(client, known.unwrap_or(CredentialStyle::Header))?;
        if known.is_none() && !is_success(&response) {
            let second = self.ask_in(client, CredentialStyle::Form)?;
            return self.read(&second).map(|answer| (answer, CredentialStyle::Form));
        }
        self.read(&response).map(|answer| (answer, known.unwrap_or(CredentialStyle::Header)))
    }

    fn ask_in(&self, client: &Client, style: CredentialStyle) -> Result<Response, Failure> {
        let scopes = self.scopes.join(" ");
        let mut pairs = vec![("grant_type", "client_credentials")];
        if !scopes.is_empty() {
            pairs.push(("scope", &scopes));
        }
        if !self.audience.is_empty() {
            pairs.push(("audience", &self.audience));
        }
        pairs.extend(self.parameters.iter().map(|(key, value)| (key.as_str(), value.as_str())));
        let mut headers = Headers::new();
        headers.set("Content-Type", "application/x-www-form-urlencoded");
        match style {
            CredentialStyle::Header => {
                let (id, secret) =
                    (encode_query(&self.client_id), encode_query(self.client_secret.expose()));
                headers.set("Authorization", basic_credentials(&id, &secret));
            }
            CredentialStyle::Form => {
                pairs.push(("client_id", &self.client_id));
                pairs.push(("client_secret", self.client_secret.expose()));
            }
        }
        let body = encode_pairs(pairs);
        let url = self.token_url.clone();
        let request = Request { method: "POST".to_owned(), url, headers, body: body.as_bytes() };
        client
            .send_plain(&request)
            .map_err(|error| Failure::Token(format!("oauth2: cannot fetch token: {error}")))
    }

    fn read(&self, response: &Response) -> Result<Answer, Failure> {
        let wrong = |text: String| Failure::Token(format!("oauth2: {text}"));
        if !is_success(response) {
            let shown = &response.body[..response.body.len().min(SHOWN_BYTES)];
            return Err(wrong(format!(
                "cannot fetch token: {} {}; response: {}",
                response.status,
                reason(response.status),
                String::from_utf8_lossy(shown).replace('\n', " ")
            )));
        }
        let kind = response.headers.get("Content-Type").unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        let answer = match kind {
            "application/x-www-form-urlencoded" | "text/plain" => Answer::from_form(&response.body),
            _ => serde_json::from_slice(&response.body)
                .map_err(|error| wrong(format!("cannot parse json: {error}")))?,
        };
        match answer.access_token.is_empty() {
            true => Err(wrong("server response missing access_token".to_owned())),
            false => Ok(answer),
        }
    }
}

fn is_success(response: &Response) -> bool {
    (200..300).contains(&response.status)
}

impl Answer {
    fn from_form(body: &[u8]) -> Answer {
        let form = String::from_utf8_lossy(body);
        let pairs = super::url::decode_query(&form);
        let get = |name: &str| {
            let found = pairs.iter().find(|(key, _)| key == name);
            found.map(|(_, value)| value.clone()).unwrap_or_default()
        };
        Answer {
            access_token: get("access_token"),
            token_type: get("token_type"),
            expires_in: Seconds::Text(get("expires_in")),
        }
    }

    /// The word before the token in `Authorization`.
    fn kind(&self) -> &str {
        match self.token_type.to_lowercase().as_str() {
            "" | "bearer" => "Bearer",
            "mac" => "MAC",
            "basic" => "Basic",
            _ => &self.token_type,
        }
    }
}
