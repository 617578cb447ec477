//! Tokens that tell Google's services who is asking.
//!
//! # References
//! Google's "Authenticate for invoking" and "Using OAuth 2.0 for server to server applications";
//! RFC 7523 for the request; Telegraf's `plugins/common/gcp` for the words.

use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sign::Signer;
use serde::Deserialize;
use serde_json::json;

use crate::http::tls::TlsSettingsError;
use crate::http::{Client, ClientError, ClientSettings, Request, Url, UrlError, encode_pairs};
use crate::metric::Timestamp;
use crate::system::{ErrorWords, Secret, System};

/// Where keys are taken for tokens if the file does not say it.
const TOKEN_URL: &str = "https://oauth2.googleapis.com/token";

const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// How long the request for a token holds.
const REQUEST_HOLDS: Duration = Duration::from_secs(3600);

/// A token is renewed so long before it ends.
const SAFETY: Duration = Duration::from_secs(10);

/// How much of a refusal goes into an error.
const SHOWN_BYTES: usize = 1024;

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum GoogleError {
    /// The file cannot be read.
    #[error("unable to parse credentials file type: cannot load the credential file: open {path}: {}", ErrorWords(.source))]
    File {
        /// Its path.
        path: String,
        /// What the system says.
        source: io::Error,
    },
    /// The file is no JSON, or lacks something.
    #[error("unable to parse credentials file type: cannot parse the credential file: {0}")]
    Json(serde_json::Error),
    /// The file is for somebody who is no service.
    #[error(
        "error creating oauth2 token source: idtoken: unsupported credentials type: {0:?}; only \"service_account\" is understood"
    )]
    Type(String),
    /// The key is none.
    #[error(
        "error creating oauth2 token source: private key should be a PEM or plain PKCS1 or PKCS8: {0}"
    )]
    Key(openssl::error::ErrorStack),
    /// The client's encryption cannot be set up.
    #[error(transparent)]
    Tls(#[from] TlsSettingsError),
    /// The address is none.
    #[error("error creating oauth2 token source: {0}")]
    Url(#[from] UrlError),
    /// There is no answer.
    #[error("error fetching oauth2 token: oauth2: cannot fetch token: {0}")]
    Request(#[from] Box<ClientError>),
    /// The answer is a refusal.
    #[error("error fetching oauth2 token: oauth2: cannot fetch token: {status}; response: {body}")]
    Refused {
        /// Code and words.
        status: String,
        /// What is said about it.
        body: String,
    },
    /// The answer holds no token.
    #[error("error fetching oauth2 token: oauth2: response doesn't have JWT token")]
    NoToken,
}

/// The file that Google hands out with the key of a service.
#[derive(Deserialize)]
struct KeyFile {
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    client_email: String,
    #[serde(default)]
    private_key: String,
    #[serde(default)]
    private_key_id: String,
    #[serde(default)]
    token_uri: String,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    id_token: String,
}

#[derive(Deserialize)]
struct Claims {
    exp: i64,
}

/// Gets tokens for one service, with the key in a file.
pub struct GoogleTokens {
    path: String,
    /// For whom tokens are.
    audience: String,
    client: Client,
    system: System,
    /// The token in use, and when it ends.
    token: Mutex<Option<(Secret, Timestamp)>>,
}

impl GoogleTokens {
    /// Tokens for `audience`, with the key in the file at `path`, which is read when one is needed.
    ///
    /// # Errors
    /// If encryption cannot be set up.
    pub fn new(path: &str, audience: &str, system: &System) -> Result<GoogleTokens, GoogleError> {
        Ok(GoogleTokens {
            path: path.to_owned(),
            audience: audience.to_owned(),
            client: Client::new(ClientSettings::default(), system.clock.clone())?,
            system: system.clone(),
            token: Mutex::new(None),
        })
    }

    /// The value of `Authorization`, with a new token if there is none that holds.
    ///
    /// # Errors
    /// If there is no token to be had.
    pub fn authorization(&self) -> Result<String, GoogleError> {
        let mut cached = self.token.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.system.clock.now();
        if let Some((token, until)) = &*cached
            && now.after(SAFETY) < *until
        {
            return Ok(token.expose().to_owned());
        }
        let token = self.fetch(now)?;
        let authorization = format!("Bearer {token}");
        *cached = Some((Secret::new(authorization.clone()), end_of(&token).unwrap_or(now)));
        Ok(authorization)
    }

    fn fetch(&self, now: Timestamp) -> Result<String, GoogleError> {
        let text = std::fs::read(&self.path)
            .map_err(|source| GoogleError::File { path: self.path.clone(), source })?;
        let file: KeyFile = serde_json::from_slice(&text).map_err(GoogleError::Json)?;
        if file.kind != "service_account" {
            return Err(GoogleError::Type(file.kind));
        }
        let url = if file.token_uri.is_empty() { TOKEN_URL } else { &file.token_uri };
        let assertion = self.assertion(&file, url, now).map_err(GoogleError::Key)?;
        let body = encode_pairs([("grant_type", GRANT_TYPE), ("assertion", &assertion)]);
        let mut request = Request::new("POST", Url::parse(url)?, body.as_bytes());
        request.headers.set("Content-Type", "application/x-www-form-urlencoded");
        let response = self.client.send(&request).map_err(Box::new)?;
        if !(200..300).contains(&response.status) {
            let shown = &response.body[..response.body.len().min(SHOWN_BYTES)];
            return Err(GoogleError::Refused {
                status: response.status_line(),
                body: String::from_utf8_lossy(shown).replace('\n', " "),
            });
        }
        let answer: Answer =
            serde_json::from_slice(&response.body).unwrap_or(Answer { id_token: String::new() });
        if answer.id_token.is_empty() {
            return Err(GoogleError::NoToken);
        }
        Ok(answer.id_token)
    }

    /// What the service says of itself, signed with its key.
    fn assertion(
        &self,
        file: &KeyFile,
        url: &str,
        now: Timestamp,
    ) -> Result<String, openssl::error::ErrorStack> {
        let header = json!({"alg": "RS256", "typ": "JWT", "kid": file.private_key_id});
        let claims = json!({
            "iss": file.client_email,
            "aud": url,
            "iat": now.seconds(),
            "exp": now.after(REQUEST_HOLDS).seconds(),
            "target_audience": self.audience,
        });
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let signed = format!(
            "{}.{}",
            encode(header.to_string().as_bytes()),
            encode(claims.to_string().as_bytes())
        );
        let key = PKey::private_key_from_pem(file.private_key.as_bytes())?;
        let signature =
            Signer::new(MessageDigest::sha256(), &key)?.sign_oneshot_to_vec(signed.as_bytes())?;
        Ok(format!("{signed}.{}", encode(&signature)))
    }
}

/// When a token ends, as it says itself.
fn end_of(token: &str) -> Option<Timestamp> {
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?.trim_end_matches('=')).ok()?;
    let claims: Claims = serde_json::from_slice(&claims).ok()?;
    Some(Timestamp::from_seconds(claims.exp))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use openssl::rsa::Rsa;
    use openssl::sign::Verifier;

    use super::*;
    use crate::http::ServerResponse;
    use crate::http::recorder::Recorder;
    use crate::system::{Clock, fake::FakeClock};

    const NOW: Timestamp = Timestamp::from_seconds(1_000_000);

    fn token(end: i64) -> String {
        format!("e30.{}.x", URL_SAFE_NO_PAD.encode(json!({"exp": end}).to_string()))
    }

    fn tokens(file: &serde_json::Value) -> (tempfile::NamedTempFile, GoogleTokens, Arc<FakeClock>) {
        let path = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(path.path(), file.to_string()).unwrap();
        let clock = Arc::new(FakeClock::at(NOW));
        let system = System { clock: clock.clone(), ..System::real() };
        let tokens = GoogleTokens::new(path.path().to_str().unwrap(), "https://aud", &system);
        (path, tokens.unwrap(), clock)
    }

    #[test]
    fn a_key_is_taken_for_a_token_that_is_used_until_it_ends() {
        let answered = json!({"id_token": token(1_000_100)}).to_string();
        let server = Recorder::start(move |_| {
            ServerResponse::with_body(200, "application/json", &*answered)
        });
        let key = Rsa::generate(2048).unwrap();
        let pem = String::from_utf8(key.private_key_to_pem().unwrap()).unwrap();
        let (_file, tokens, clock) = tokens(&json!({
            "type": "service_account", "client_email": "me@x", "private_key": pem,
            "private_key_id": "id", "token_uri": server.url,
        }));
        for (advance, asked) in [(0, 1), (80, 0), (15, 1)] {
            clock.advance(Duration::from_secs(advance));
            assert_eq!(tokens.authorization().unwrap(), format!("Bearer {}", token(1_000_100)));
            let requests = server.take();
            assert_eq!(requests.len(), asked);
            let Some(request) = requests.first() else { continue };
            let form = Url::parse(&format!("http://h/?{}", request.body)).unwrap().query_pairs();
            assert_eq!(form[1], ("grant_type".to_owned(), GRANT_TYPE.to_owned()));
            let (signed, signature) = form[0].1.rsplit_once('.').unwrap();
            let public = PKey::from_rsa(key.clone()).unwrap();
            let mut verifier = Verifier::new(MessageDigest::sha256(), &public).unwrap();
            let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
            assert!(verifier.verify_oneshot(&signature, signed.as_bytes()).unwrap());
            let claims = URL_SAFE_NO_PAD.decode(signed.split('.').nth(1).unwrap()).unwrap();
            let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
            let now = clock.now().seconds();
            assert_eq!(
                claims,
                json!({"iss": "me@x", "aud": server.url, "iat": now, "exp": now + 3600,
                       "target_audience": "https://aud"})
            );
        }
    }

    #[test]
    fn what_is_wrong_with_the_file_or_the_answer_is_told() {
        let server = Recorder::start(|_| ServerResponse::with_body(200, "application/json", "{}"));
        let refusing = Recorder::start(|_| ServerResponse::with_body(400, "text/plain", "no\n"));
        let key = Rsa::generate(2048).unwrap();
        let pem = String::from_utf8(key.private_key_to_pem().unwrap()).unwrap();
        let service = |url: &str, key: &str| json!({"type": "service_account", "private_key": key, "token_uri": url});
        for (file, message) in [
            (json!("x"), "unable to parse credentials file type: cannot parse"),
            (json!({"type": "user"}), "error creating oauth2 token source: idtoken: unsupported"),
            (service("http://h", "x"), "error creating oauth2 token source: private key"),
            (service(&server.url, &pem), "error fetching oauth2 token: oauth2: response doesn't"),
            (
                service(&refusing.url, &pem),
                "error fetching oauth2 token: oauth2: cannot fetch token: 400 Bad Request; response: no ",
            ),
        ] {
            let error = tokens(&file).1.authorization().unwrap_err().to_string();
            assert!(error.starts_with(message), "{error}");
        }
        let missing = GoogleTokens::new("/nonexistent", "a", &System::real()).unwrap();
        let error = missing.authorization().unwrap_err().to_string();
        assert!(error.ends_with("open /nonexistent: no such file or directory"), "{error}");
    }
}
