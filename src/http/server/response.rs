//! What is answered.

use crate::http::{Headers, reason};
use crate::metric::Timestamp;

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The header; what the message itself needs is added.
    pub headers: Headers,
    /// The body.
    pub body: Vec<u8>,
}

impl Response {
    /// Makes an answer without a body.
    pub fn new(status: u16) -> Response {
        Response { status, headers: Headers::new(), body: Vec::new() }
    }

    /// Makes an answer with a body of some type.
    pub fn with_body(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Response {
        let mut response = Response::new(status);
        response.headers.set("Content-Type", content_type);
        response.body = body.into();
        response
    }

    /// Makes an answer of one line of text, as Go's `http.Error`.
    pub fn line(status: u16, text: &str) -> Response {
        let mut response =
            Response::with_body(status, "text/plain; charset=utf-8", format!("{text}\n"));
        response.headers.set("X-Content-Type-Options", "nosniff");
        response
    }

    /// Makes an answer that only says what its status code means.
    pub fn status_line(status: u16) -> Response {
        Response::line(status, reason(status))
    }

    /// Adds a field to the header.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Response {
        self.headers.set(name, value);
        self
    }

    /// The first line and the header as they go over the wire.
    pub(super) fn head(&self, connection: After, now: Timestamp) -> Vec<u8> {
        let mut out = format!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status)).into_bytes();
        self.headers.write(&mut out);
        let mut rest = Headers::new();
        if self.headers.get("Date").is_none() {
            rest.set("Date", date(now));
        }
        if has_body(self.status) {
            rest.set("Content-Length", self.body.len().to_string());
        }
        if connection == After::Close {
            rest.set("Connection", "close");
        }
        rest.write(&mut out);
        out.extend_from_slice(b"\r\n");
        out
    }
}

/// What becomes of a connection once a request has been answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    KeepAlive,
    Close,
}

/// Whether a response of that status has a body, if only an empty one.
pub(super) fn has_body(status: u16) -> bool {
    status >= 200 && !matches!(status, 204 | 304)
}

/// A time as headers carry it.
fn date(now: Timestamp) -> String {
    jiff::Timestamp::from_second(now.seconds())
        .map(|time| time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_carry_what_the_message_needs() {
        let now = Timestamp::from_seconds(784_111_777);
        let head =
            |response: &Response, after| String::from_utf8(response.head(after, now)).unwrap();
        assert_eq!(
            head(&Response::status_line(503), After::Close),
            "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\n\
             X-Content-Type-Options: nosniff\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
             Content-Length: 20\r\nConnection: close\r\n\r\n"
        );
        assert_eq!(
            head(&Response::new(204), After::KeepAlive),
            "HTTP/1.1 204 No Content\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n"
        );
    }
}
