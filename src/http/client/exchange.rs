//! One request, one response.

use std::io::Write;
use std::time::Duration;

use super::{Client, Reply};
use crate::http::body::Framing;
use crate::http::error::{Failure, Stage};
use crate::http::head::{HeadError, ResponseHead, framing, read_response};
use crate::http::url::Url;
use crate::http::wire::Wire;
use crate::http::{Body, Headers, USER_AGENT};

/// Up to this size a body goes out in one piece with its header.
const SMALL_BODY_BYTES: usize = 64 * 1024;

impl Client {
    /// Sends a request once and reads the header of its response.
    pub(super) fn exchange(
        &self,
        method: &str,
        url: &Url,
        headers: &Headers,
        body: &[u8],
        deadline: Option<Duration>,
    ) -> Result<Reply, Failure> {
        let route = self.route(url)?;
        let mut head = head(method, &route.target, &route.host, headers, body);
        if let Some(authorization) = &route.proxy_authorization {
            let end = head.len() - 2;
            head.splice(end..end, format!("Proxy-Authorization: {authorization}\r\n").into_bytes());
        }
        let reused = self.pool.take(&route.key);
        let was_reused = reused.is_some();
        let mut wire = match reused {
            Some(wire) => wire,
            None => self.connect(url, &route, deadline)?,
        };
        let mut answered = self.ask(&mut wire, &head, body, deadline);
        // The other end may have closed the connection while the request was on its way. What can
        // be asked twice without harm is asked again.
        let is_harmless = matches!(method, "GET" | "HEAD" | "OPTIONS" | "PUT" | "DELETE");
        if was_reused && is_harmless && matches!(answered, Err(Failure::Closed | Failure::Io(_))) {
            wire = self.connect(url, &route, deadline)?;
            answered = self.ask(&mut wire, &head, body, deadline);
        }
        let head = answered?;
        self.reply(method, route.key, wire, head)
    }

    fn ask(
        &self,
        wire: &mut Wire,
        head: &[u8],
        body: &[u8],
        deadline: Option<Duration>,
    ) -> Result<ResponseHead, Failure> {
        wire.set_deadline(deadline);
        let sent = send(wire, head, body);
        if let Err(error) = &sent
            && error.kind() == std::io::ErrorKind::TimedOut
        {
            return Err(Failure::Timeout(Stage::Headers));
        }
        let header_deadline =
            self.settings.header_timeout.map(|limit| self.now().saturating_add(limit));
        let is_header_first = match (header_deadline, deadline) {
            (Some(header), Some(whole)) => header < whole,
            (header, _) => header.is_some(),
        };
        if is_header_first {
            wire.set_deadline(header_deadline);
        }
        let read = loop {
            match read_response(wire) {
                // Those that only announce the response proper.
                Ok(head) if (100..200).contains(&head.status) && head.status != 101 => {}
                read => break read,
            }
        };
        wire.set_deadline(deadline);
        match (read, sent) {
            (Ok(head), _) => Ok(head),
            // A server that has heard enough answers and closes; if it did not, the error is why
            // the request could not be sent.
            (Err(_), Err(error)) => Err(Failure::from_io(error, Stage::Headers)),
            (Err(HeadError::Io(error)), Ok(()))
                if is_header_first && error.kind() == std::io::ErrorKind::TimedOut =>
            {
                Err(Failure::HeaderTimeout)
            }
            (Err(error), Ok(())) => Err(Failure::from_head(error)),
        }
    }

    fn reply(
        &self,
        method: &str,
        key: String,
        wire: Wire,
        head: ResponseHead,
    ) -> Result<Reply, Failure> {
        let ResponseHead { status, reason, is_http_1_1, headers } = head;
        let has_no_body = method == "HEAD" || matches!(status, 204 | 304);
        let framing = match has_no_body {
            true => Framing::Done,
            false => framing(&headers).map_err(Failure::from_head)?.unwrap_or(Framing::UntilClose),
        };
        let is_kept = match is_http_1_1 {
            true => !headers.has_word("Connection", "close"),
            false => headers.has_word("Connection", "keep-alive"),
        };
        let give_back = (is_kept && framing != Framing::UntilClose && status != 101).then(|| {
            let pool = self.pool.clone();
            Box::new(move |wire: Wire| {
                if !wire.has_buffered() {
                    pool.put(key, wire);
                }
            }) as Box<dyn FnOnce(Wire) + Send>
        });
        let body = Body::new(wire, framing, give_back);
        Ok(Reply { status, reason, headers, body })
    }
}

fn send(wire: &mut Wire, head: &[u8], body: &[u8]) -> std::io::Result<()> {
    if body.len() <= SMALL_BODY_BYTES {
        wire.write_all(&[head, body].concat())?;
    } else {
        wire.write_all(head)?;
        wire.write_all(body)?;
    }
    wire.flush()
}

/// The first line and the header as they go over the wire.
fn head(method: &str, target: &str, host: &str, headers: &Headers, body: &[u8]) -> Vec<u8> {
    let host = headers.get("Host").unwrap_or(host);
    let agent = headers.get("User-Agent").unwrap_or(USER_AGENT);
    let mut all = Headers::new();
    all.set("Host", host);
    // An empty one is how callers say that they want none.
    if !agent.is_empty() {
        all.set("User-Agent", agent);
    }
    if !body.is_empty() || matches!(method, "POST" | "PUT" | "PATCH") {
        all.set("Content-Length", body.len().to_string());
    }
    let mut rest: Vec<_> = headers
        .iter()
        .filter(|(name, _)| {
            !["Host", "User-Agent", "Content-Length", "Transfer-Encoding"].contains(name)
        })
        .collect();
    // As Go sends them, where what was not asked for comes last.
    rest.sort_by_key(|(name, _)| (*name == "Accept-Encoding", *name));
    rest.into_iter().for_each(|(name, value)| all.add(name, value));
    let mut out = format!("{method} {target} HTTP/1.1\r\n").into_bytes();
    all.write(&mut out);
    out.extend_from_slice(b"\r\n");
    out
}
