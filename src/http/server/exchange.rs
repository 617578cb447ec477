//! What a handler is given: a request whose body it may read.

use std::io::{self, Read, Write};
use std::net::SocketAddr;

use openssl::memcmp;

use super::Response;
use crate::http::Headers;
use crate::http::body::Framing;
use crate::http::head::RequestHead;
use crate::http::headers::parse_basic_credentials;
use crate::http::url::{decode_query, unescape};
use crate::http::wire::Wire;
use crate::system::Secret;

/// How much of a body that nobody read is read, so that the connection can be used again.
const DRAINED_BYTES: u64 = 256 * 1024;

/// A request that has come in.
pub struct Incoming<'w> {
    head: RequestHead,
    peer: Option<SocketAddr>,
    wire: &'w mut Wire,
    framing: Framing,
    /// Whether the caller waits for a word before it sends the body.
    awaits_word: bool,
}

/// A body that was not read.
#[derive(Debug, thiserror::Error)]
pub enum ReadBodyError {
    /// It is larger than it may.
    #[error("http: request body too large")]
    TooLarge,
    /// It did not come in whole, or not in time.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl<'w> Incoming<'w> {
    pub(super) fn new(head: RequestHead, framing: Framing, wire: &'w mut Wire) -> Incoming<'w> {
        let awaits_word = head.is_http_1_1
            && !framing.is_done()
            && head.headers.has_word("Expect", "100-continue");
        let peer = wire.stream().peer_address();
        Incoming { head, peer, wire, framing, awaits_word }
    }

    /// The method, such as `POST`.
    pub fn method(&self) -> &str {
        &self.head.method
    }

    /// The path, escapes undone.
    pub fn path(&self) -> String {
        let path = self.head.target.split('?').next().unwrap_or_default();
        // As a proxy would be asked.
        let path = match path.split_once("://") {
            Some((_, rest)) if !path.starts_with('/') => {
                rest.find('/').map_or("/", |at| &rest[at..])
            }
            _ => path,
        };
        unescape(path)
    }

    /// The pairs of the query, escapes undone.
    pub fn query(&self) -> Vec<(String, String)> {
        self.head.target.split_once('?').map(|(_, query)| decode_query(query)).unwrap_or_default()
    }

    /// The query as a whole, escapes undone.
    pub fn query_text(&self) -> String {
        let query = self.head.target.split_once('?').map_or("", |(_, query)| query);
        unescape(&query.replace('+', " "))
    }

    /// The header.
    pub fn headers(&self) -> &Headers {
        &self.head.headers
    }

    /// Who is asking, where that has an address.
    pub fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }

    /// How long the body is, if the header says it.
    pub fn content_length(&self) -> Option<u64> {
        match self.framing {
            Framing::Length(length) => Some(length),
            _ => None,
        }
    }

    /// Reads what there is left of the body.
    ///
    /// # Errors
    /// If it is larger than `most_bytes`, or does not come in whole and in time.
    pub fn read_body(&mut self, most_bytes: usize) -> Result<Vec<u8>, ReadBodyError> {
        let most = most_bytes as u64;
        if self.content_length().is_some_and(|length| length > most) {
            return Err(ReadBodyError::TooLarge);
        }
        let mut body = Vec::new();
        self.take(most + 1).read_to_end(&mut body)?;
        if body.len() > most_bytes { Err(ReadBodyError::TooLarge) } else { Ok(body) }
    }

    /// Reads what the handler has left of the body, if it is not too much; false if so.
    pub(super) fn drain(&mut self) -> bool {
        let rest = self.content_length().unwrap_or(0);
        if self.awaits_word && !self.framing.is_done() || rest > DRAINED_BYTES {
            return false;
        }
        let drained = io::copy(&mut self.take(DRAINED_BYTES), &mut io::sink());
        drained.is_ok() && self.framing.is_done()
    }

    pub(super) fn wants_to_stay(&self) -> bool {
        let headers = &self.head.headers;
        match self.head.is_http_1_1 {
            true => !headers.has_word("Connection", "close"),
            false => headers.has_word("Connection", "keep-alive"),
        }
    }
}

impl Read for Incoming<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.awaits_word {
            self.awaits_word = false;
            self.wire.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        self.framing.read(self.wire, out)
    }
}

/// A name and a password that callers have to know.
#[derive(Debug, Clone, Default)]
pub struct BasicAuth {
    /// The name.
    pub username: String,
    /// The password.
    pub password: Secret,
    /// What they are for, as callers are told.
    pub realm: String,
}

impl BasicAuth {
    /// What a caller is answered that does not know them; nothing for those that do, and where
    /// neither is set.
    pub fn refusal(&self, request: &Incoming<'_>) -> Option<Response> {
        if self.username.is_empty() && self.password.is_empty() {
            return None;
        }
        let value = request.headers().get("Authorization").unwrap_or_default();
        let given = match value.strip_prefix("Token ") {
            Some(token) => token.split_once(':').map(|(u, p)| (u.to_owned(), p.to_owned())),
            None => parse_basic_credentials(value),
        };
        let is_right = given.is_some_and(|(username, password)| {
            // Both are compared, so that the time it takes tells nothing.
            is_same(&username, &self.username) & is_same(&password, self.password.expose())
        });
        (!is_right).then(|| {
            let challenge = format!("Basic realm=\"{}\"", self.realm);
            Response::status_line(401).with_header("WWW-Authenticate", &challenge)
        })
    }
}

/// Compares in a time that depends on the lengths alone.
fn is_same(given: &str, right: &str) -> bool {
    given.len() == right.len() && memcmp::eq(given.as_bytes(), right.as_bytes())
}
