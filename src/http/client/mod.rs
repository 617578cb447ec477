//! A client that keeps connections for the next request.

mod connect;
mod exchange;
mod pool;

use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::cookies::{CookieAuth, Jar};
use super::dial::LocalAddress;
use super::encoding::{DecodeError, decode};
use super::error::{ClientError, Failure, Stage, method_word};
use super::oauth2::{ClientCredentials, TokenCache};
use super::proxy::ProxyChoice;
use super::tls::{ClientTls, ClientTlsSettings, TlsSettingsError};
use super::url::Url;
use super::{Body, Headers, basic_credentials};
use crate::system::Clock;
use pool::Pool;

/// How often a request may be sent on to another place.
const MOST_REDIRECTS: usize = 10;

/// How a client connects, and for how long it waits.
#[derive(Debug, Clone)]
pub struct ClientSettings {
    /// How long a request may take up to the last byte of its response; for ever if absent.
    pub timeout: Option<Duration>,
    /// How long the header of the response may take once the request is sent.
    pub header_timeout: Option<Duration>,
    /// How long a connection is kept that nobody uses; for ever if absent.
    pub idle_timeout: Option<Duration>,
    /// How many connections are kept that nobody uses; no bound if 0.
    pub max_idle: usize,
    /// How many of those to one host; 2 if 0.
    pub max_idle_per_host: usize,
    /// Largest body that [`Client::send`] takes.
    pub max_body_bytes: usize,
    /// The address to connect from; any if absent.
    pub local_address: Option<LocalAddress>,
    /// The socket of a file that all requests go to, whatever host they name.
    pub unix_socket: Option<String>,
    /// Where requests go through.
    pub proxy: ProxyChoice,
    /// How `https` is encrypted.
    pub tls: ClientTlsSettings,
    /// Who asks for tokens, if requests are to bear one.
    pub credentials: Option<ClientCredentials>,
    /// How to log in, if requests are to bear cookies.
    pub cookie_auth: Option<CookieAuth>,
}

impl Default for ClientSettings {
    fn default() -> ClientSettings {
        ClientSettings {
            timeout: Some(Duration::from_secs(5)),
            header_timeout: None,
            idle_timeout: None,
            max_idle: 0,
            max_idle_per_host: 0,
            max_body_bytes: 500 << 20,
            local_address: None,
            unix_socket: None,
            proxy: ProxyChoice::None,
            tls: ClientTlsSettings::default(),
            credentials: None,
            cookie_auth: None,
        }
    }
}

/// What is asked of a server.
#[derive(Debug, Clone)]
pub struct Request<'b> {
    /// The method, in capitals.
    pub method: String,
    /// Where to.
    pub url: Url,
    /// Fields of the header; what the message itself needs is added.
    pub headers: Headers,
    /// The body; none if empty.
    pub body: &'b [u8],
}

impl<'b> Request<'b> {
    /// Makes a request without a header of its own.
    pub fn new(method: &str, url: Url, body: &'b [u8]) -> Request<'b> {
        Request { method: method.to_owned(), url, headers: Headers::new(), body }
    }
}

/// A response whose body has yet to be read.
#[derive(Debug)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// The words after it.
    pub reason: String,
    /// The header.
    pub headers: Headers,
    /// The body.
    pub body: Body,
}

/// A response as a whole.
#[derive(Debug, Clone)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The words after it.
    pub reason: String,
    /// The header.
    pub headers: Headers,
    /// The body, unpacked if it was packed because this client takes that.
    pub body: Vec<u8>,
}

impl Response {
    /// Code and words, such as `404 Not Found`.
    pub fn status_line(&self) -> String {
        format!("{} {}", self.status, self.reason).trim_end().to_owned()
    }
}

/// A client; threads may share it.
pub struct Client {
    settings: ClientSettings,
    tls: ClientTls,
    clock: Arc<dyn Clock>,
    pool: Arc<Pool>,
    tokens: TokenCache,
    login: Mutex<Login>,
}

/// Cookies, and since when in the clock's elapsed time.
#[derive(Debug, Default)]
struct Login {
    jar: Jar,
    since: Option<Duration>,
}

impl Client {
    /// Makes a client; connects nowhere.
    ///
    /// # Errors
    /// If the settings for encryption make no sense.
    pub fn new(
        settings: ClientSettings,
        clock: Arc<dyn Clock>,
    ) -> Result<Client, TlsSettingsError> {
        Ok(Client {
            tls: ClientTls::new(settings.tls.clone())?,
            pool: Arc::new(Pool::new(&settings, clock.clone())),
            tokens: TokenCache::default(),
            login: Mutex::new(Login::default()),
            clock,
            settings,
        })
    }

    /// Sends a request and reads the response as a whole.
    ///
    /// A status that stands for a failure is no error here.
    ///
    /// # Errors
    /// If there is no response.
    pub fn send(&self, request: &Request<'_>) -> Result<Response, ClientError> {
        self.within(request, |client, deadline| {
            let headers = client.authorized(request)?;
            client.whole(request, headers, deadline)
        })
    }

    /// Sends a request and hands the response over once its header is there.
    ///
    /// # Errors
    /// If there is no response.
    pub fn open(&self, request: &Request<'_>) -> Result<Reply, ClientError> {
        self.within(request, |client, deadline| {
            let headers = client.authorized(request)?;
            client.follow(request, headers, deadline)
        })
    }

    /// Logs in where the settings say so, so that it is known at once whether that works.
    ///
    /// # Errors
    /// If it does not.
    pub fn log_in(&self) -> Result<(), ClientError> {
        match &self.settings.cookie_auth {
            None => Ok(()),
            Some(auth) => self.log_in_at(auth),
        }
    }

    /// Closes the connections that are kept.
    pub fn close_idle(&self) {
        self.pool.clear();
    }

    /// Sends a request with nothing added that proves who is asking.
    pub(super) fn send_plain(&self, request: &Request<'_>) -> Result<Response, ClientError> {
        self.within(request, |client, deadline| {
            client.whole(request, request.headers.clone(), deadline)
        })
    }

    pub(super) fn now(&self) -> Duration {
        self.clock.elapsed()
    }

    fn within<T>(
        &self,
        request: &Request<'_>,
        work: impl FnOnce(&Client, Option<Duration>) -> Result<T, Failure>,
    ) -> Result<T, ClientError> {
        let deadline = self.settings.timeout.map(|limit| self.now().saturating_add(limit));
        let failed = |failure: Failure| {
            // Whichever step it was in: what was over is the time of the whole.
            let is_late = deadline.is_some_and(|deadline| self.now() >= deadline);
            let failure = match failure {
                Failure::Io(_) | Failure::Tls(_) if is_late => Failure::Timeout(Stage::Headers),
                failure => failure,
            };
            if failure.is_timeout() {
                // The next request looks the name up anew.
                self.pool.clear();
            }
            let (method, url) = (method_word(&request.method), request.url.to_string());
            ClientError { method, url, failure }
        };
        work(self, deadline).map_err(failed)
    }

    fn whole(
        &self,
        request: &Request<'_>,
        mut headers: Headers,
        deadline: Option<Duration>,
    ) -> Result<Response, Failure> {
        // A caller who asks for an encoding unpacks it himself.
        let unpacks = headers.get("Accept-Encoding").is_none() && request.method != "HEAD";
        if unpacks {
            headers.set("Accept-Encoding", "gzip");
        }
        let Reply { status, reason, mut headers, body } =
            self.follow(request, headers, deadline)?;
        let most = self.settings.max_body_bytes;
        let mut bytes = Vec::new();
        body.take(most as u64 + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| Failure::from_io(error, Stage::Body))?;
        if bytes.len() > most {
            return Err(Failure::TooLarge(most));
        }
        let is_packed = unpacks
            && headers.get("Content-Encoding").is_some_and(|e| e.eq_ignore_ascii_case("gzip"));
        if is_packed && !bytes.is_empty() {
            headers.remove("Content-Encoding");
            headers.remove("Content-Length");
            bytes = decode("gzip", bytes, most).map_err(|error| match error {
                DecodeError::TooLarge(most) => Failure::TooLarge(most),
                error => Failure::Malformed(format!("gzip: {error}")),
            })?;
        }
        Ok(Response { status, reason, headers, body: bytes })
    }

    /// The header of a request with what proves who is asking.
    fn authorized(&self, request: &Request<'_>) -> Result<Headers, Failure> {
        let mut headers = request.headers.clone();
        if let Some(auth) = &self.settings.cookie_auth {
            self.renew_login(auth)?;
        }
        if let Some(credentials) = &self.settings.credentials {
            headers.set("Authorization", self.tokens.authorization(credentials, self)?);
        }
        Ok(headers)
    }

    /// Sends a request to wherever it is sent on to.
    fn follow(
        &self,
        request: &Request<'_>,
        mut headers: Headers,
        deadline: Option<Duration>,
    ) -> Result<Reply, Failure> {
        let mut method = request.method.clone();
        let mut url = request.url.clone();
        let mut body = request.body;
        for _ in 0..=MOST_REDIRECTS {
            let mut sent = headers.clone();
            self.add_cookies(&url, &mut sent);
            if let Some((name, password)) = &url.user
                && sent.get("Authorization").is_none()
            {
                sent.set("Authorization", basic_credentials(name, password.expose()));
            }
            let reply = self.exchange(&method, &url, &sent, body, deadline)?;
            self.keep_cookies(&url, &reply.headers);
            let Some(location) = redirection(&reply) else { return Ok(reply) };
            let next = url.follow(&location).map_err(|error| {
                Failure::Malformed(format!("failed to parse Location header: {error}"))
            })?;
            if matches!(reply.status, 301..=303) && method != "HEAD" {
                if method != "GET" {
                    ["Content-Type", "Content-Encoding"].iter().for_each(|h| headers.remove(h));
                }
                (method, body) = ("GET".to_owned(), &[]);
            }
            if !is_same_site(&url.host, &next.host) {
                // What proves who is asking is for the place that was asked.
                ["Authorization", "Cookie", "Www-Authenticate"]
                    .iter()
                    .for_each(|name| headers.remove(name));
            }
            headers.remove("Host");
            url = next;
        }
        Err(Failure::Redirects)
    }

    fn renew_login(&self, auth: &CookieAuth) -> Result<(), Failure> {
        let since = self.login.lock().unwrap_or_else(PoisonError::into_inner).since;
        let is_due = match (since, auth.renewal) {
            (None, _) => true,
            (Some(since), Some(renewal)) => self.now() >= since.saturating_add(renewal),
            (Some(_), None) => false,
        };
        if !is_due {
            return Ok(());
        }
        self.log_in_at(auth).map_err(|error| error.failure)
    }

    fn log_in_at(&self, auth: &CookieAuth) -> Result<(), ClientError> {
        // An old cookie is no way to get a new one.
        self.login.lock().unwrap_or_else(PoisonError::into_inner).jar.clear();
        let mut headers = auth.headers.clone();
        if !auth.username.is_empty() {
            let credentials = basic_credentials(&auth.username, auth.password.expose());
            headers.set("Authorization", credentials);
        }
        let (method, url) = (auth.method.clone(), auth.url.clone());
        let request = Request { method, url, headers, body: auth.body.expose().as_bytes() };
        let response = self.send_plain(&request)?;
        if !(200..300).contains(&response.status) {
            let failure = Failure::Token(format!(
                "cookie auth renewal received status code: {} ({}) [{}]",
                response.status,
                super::reason(response.status),
                String::from_utf8_lossy(&response.body)
            ));
            let (method, url) = (method_word(&request.method), request.url.to_string());
            return Err(ClientError { method, url, failure });
        }
        self.login.lock().unwrap_or_else(PoisonError::into_inner).since = Some(self.now());
        Ok(())
    }

    fn add_cookies(&self, url: &Url, headers: &mut Headers) {
        if self.settings.cookie_auth.is_some() {
            let login = self.login.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(cookies) = login.jar.header(url, self.now()) {
                headers.add("Cookie", cookies);
            }
        }
    }

    fn keep_cookies(&self, url: &Url, headers: &Headers) {
        if self.settings.cookie_auth.is_some() {
            let now = self.now();
            let mut login = self.login.lock().unwrap_or_else(PoisonError::into_inner);
            login.jar.keep(url, headers, now);
        }
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// Where a response sends the request on to.
fn redirection(reply: &Reply) -> Option<String> {
    let location = reply.headers.get("Location")?;
    matches!(reply.status, 301..=303 | 307 | 308).then(|| location.to_owned())
}

/// Whether a host is another, or below it.
fn is_same_site(from: &str, to: &str) -> bool {
    let (from, to) = (from.to_lowercase(), to.to_lowercase());
    from == to || to.strip_suffix(&from).is_some_and(|rest| rest.ends_with('.'))
}

#[cfg(test)]
mod tests;
