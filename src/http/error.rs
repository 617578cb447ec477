//! What requests fail with, in the words that people know from Telegraf's log.

use std::io;
use std::time::Duration;

use super::head::HeadError;
use super::tls::TlsError;
use super::url::UrlError;
use crate::system::ErrorWords;

/// A request that got no response.
#[derive(Debug, thiserror::Error)]
#[error("{method} \"{url}\": {failure}")]
pub struct ClientError {
    /// The method, such as `Post`.
    pub method: String,
    /// Where it was sent, without its password.
    pub url: String,
    /// What went wrong.
    pub failure: Failure,
}

impl ClientError {
    /// Whether it took too long.
    pub fn is_timeout(&self) -> bool {
        self.failure.is_timeout()
    }
}

/// What a request can fail with.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The URL is none, or one that nothing can be sent to.
    #[error("{0}")]
    Url(#[from] UrlError),
    /// The scheme is not one of the web's.
    #[error("unsupported protocol scheme \"{0}\"")]
    Scheme(String),
    /// The URL names no host.
    #[error("http: no Host in request URL")]
    NoHost,
    /// The name has no address.
    #[error("dial tcp: lookup {host}: {reason}")]
    Lookup {
        /// The name.
        host: String,
        /// What the resolver says.
        reason: String,
    },
    /// Nobody answers there.
    #[error("dial {network} {address}: {}", dial_words(.source))]
    Dial {
        /// `tcp` or `unix`.
        network: &'static str,
        /// The address or path.
        address: String,
        /// What the operating system says.
        source: io::Error,
    },
    /// The proxy does not let it through.
    #[error("proxyconnect tcp: {0}")]
    Proxy(String),
    /// No agreement about encryption.
    #[error("{0}")]
    Tls(#[from] TlsError),
    /// The other end closed the connection before it answered.
    #[error("EOF")]
    Closed,
    /// It took longer than it may as a whole.
    #[error("context deadline exceeded (Client.Timeout exceeded {0})")]
    Timeout(Stage),
    /// The header of the response took longer than it may.
    #[error("net/http: timeout awaiting response headers")]
    HeaderTimeout,
    /// What came back is no HTTP.
    #[error("{0}")]
    Malformed(String),
    /// The body is larger than it may.
    #[error("response body exceeds {0} bytes")]
    TooLarge(usize),
    /// It was sent from place to place.
    #[error("stopped after 10 redirects")]
    Redirects,
    /// No token was handed out.
    #[error("{0}")]
    Token(String),
    /// The connection broke.
    #[error("{}", ErrorWords(.0))]
    Io(io::Error),
}

/// Where a request was when its time was up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Before the response began.
    Headers,
    /// While the body came.
    Body,
}

impl std::fmt::Display for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Stage::Headers => "while awaiting headers",
            Stage::Body => "or context cancellation while reading body",
        })
    }
}

impl Failure {
    /// Whether it took too long.
    pub fn is_timeout(&self) -> bool {
        matches!(self, Failure::Timeout(_) | Failure::HeaderTimeout)
    }

    /// Sorts an error of a connection that was there.
    pub(super) fn from_io(error: io::Error, stage: Stage) -> Failure {
        match error.kind() {
            io::ErrorKind::TimedOut => Failure::Timeout(stage),
            io::ErrorKind::InvalidData => Failure::Malformed(error.to_string()),
            _ => Failure::Io(error),
        }
    }

    pub(super) fn from_head(error: HeadError) -> Failure {
        match error {
            HeadError::Io(error) => Failure::from_io(error, Stage::Headers),
            HeadError::Closed => Failure::Closed,
            error => Failure::Malformed(format!(
                "net/http: HTTP/1.x transport connection broken: {error}"
            )),
        }
    }
}

fn dial_words(source: &io::Error) -> String {
    match source.raw_os_error() {
        Some(_) => format!("connect: {}", ErrorWords(source)),
        None => source.to_string(),
    }
}

/// The word for a method in errors: `Post` for `POST`, as Go has it.
pub(super) fn method_word(method: &str) -> String {
    let mut word = method.to_ascii_lowercase();
    if let Some(first) = word.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    word
}

/// What is left of a span of which some has passed; nothing stays for ever.
pub(super) fn left_of(limit: Option<Duration>, now: Duration) -> Option<Duration> {
    limit.map(|deadline| deadline.saturating_sub(now))
}
