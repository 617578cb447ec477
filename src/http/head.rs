//! Heads of messages: the first line and the header fields.

use std::io::{self, BufRead};

use super::Headers;
use super::body::Framing;
use super::wire::Wire;

/// Most bytes of a head; Go's servers and clients take a megabyte, which no program of sense sends.
const MOST_BYTES: usize = 256 * 1024;

/// Most header fields.
const MOST_FIELDS: usize = 256;

/// A head that cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum HeadError {
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The other end closed the connection before the first byte.
    #[error("EOF")]
    Closed,
    /// The other end closed the connection within the head.
    #[error("unexpected EOF")]
    Cut,
    #[error("malformed HTTP message: {0}")]
    Malformed(String),
    #[error("the header is too large")]
    TooLarge,
}

/// The first line of a request and its header.
#[derive(Debug)]
pub(super) struct RequestHead {
    pub(super) method: String,
    pub(super) target: String,
    pub(super) is_http_1_1: bool,
    pub(super) headers: Headers,
}

/// The first line of a response and its header.
#[derive(Debug)]
pub(super) struct ResponseHead {
    pub(super) status: u16,
    pub(super) reason: String,
    pub(super) is_http_1_1: bool,
    pub(super) headers: Headers,
}

/// Reads up to the empty line.
fn read_head(wire: &mut Wire) -> Result<Vec<u8>, HeadError> {
    let mut head: Vec<u8> = Vec::new();
    loop {
        let available = wire.fill_buf()?;
        if available.is_empty() {
            return Err(if head.is_empty() { HeadError::Closed } else { HeadError::Cut });
        }
        // The beginning of something encrypted, for instance, of which no line end need come.
        if head.is_empty() && available[0] < b' ' && !matches!(available[0], b'\r' | b'\n') {
            return Err(HeadError::Malformed("invalid byte at its beginning".to_owned()));
        }
        // The line that ends the head may lie across two reads.
        let before = head.len();
        head.extend_from_slice(available);
        let read = available.len();
        if let Some(end) = end_of_head(&head, before) {
            head.truncate(end);
            wire.consume(end - before);
            return Ok(head);
        }
        wire.consume(read);
        if head.len() > MOST_BYTES {
            return Err(HeadError::TooLarge);
        }
    }
}

/// Where the head ends, its empty line included; `from` is where new bytes begin.
fn end_of_head(bytes: &[u8], from: usize) -> Option<usize> {
    // Empty lines before a request are forgiven.
    let skipped = bytes.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
    let from = from.saturating_sub(3).max(skipped);
    memchr::memchr_iter(b'\n', &bytes[from..]).map(|at| from + at).find_map(|at| {
        match bytes.get(at + 1..)? {
            [b'\n', ..] => Some(at + 2),
            [b'\r', b'\n', ..] => Some(at + 3),
            _ => None,
        }
    })
}

fn owned(fields: &[httparse::Header<'_>]) -> Headers {
    let mut headers = Headers::new();
    for field in fields {
        headers.add(field.name, String::from_utf8_lossy(field.value).trim());
    }
    headers
}

fn malformed(error: &httparse::Error) -> HeadError {
    match error {
        httparse::Error::TooManyHeaders => HeadError::TooLarge,
        error => HeadError::Malformed(error.to_string()),
    }
}

/// Reads the head of a request.
pub(super) fn read_request(wire: &mut Wire) -> Result<RequestHead, HeadError> {
    let bytes = read_head(wire)?;
    let mut fields = [httparse::EMPTY_HEADER; MOST_FIELDS];
    let mut request = httparse::Request::new(&mut fields);
    match request.parse(&bytes) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) => return Err(HeadError::Cut),
        Err(error) => return Err(malformed(&error)),
    }
    Ok(RequestHead {
        method: request.method.unwrap_or_default().to_owned(),
        target: request.path.unwrap_or_default().to_owned(),
        is_http_1_1: request.version == Some(1),
        headers: owned(request.headers),
    })
}

/// Reads the head of a response.
pub(super) fn read_response(wire: &mut Wire) -> Result<ResponseHead, HeadError> {
    let bytes = read_head(wire)?;
    let mut fields = [httparse::EMPTY_HEADER; MOST_FIELDS];
    let mut response = httparse::Response::new(&mut fields);
    let parsed = httparse::ParserConfig::default()
        .allow_spaces_after_header_name_in_responses(true)
        .allow_obsolete_multiline_headers_in_responses(true)
        .ignore_invalid_headers_in_responses(true)
        .parse_response(&mut response, &bytes);
    match parsed {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) => return Err(HeadError::Cut),
        Err(error) => return Err(malformed(&error)),
    }
    Ok(ResponseHead {
        status: response.code.unwrap_or_default(),
        reason: response.reason.unwrap_or_default().to_owned(),
        is_http_1_1: response.version == Some(1),
        headers: owned(response.headers),
    })
}

/// How long the body is, by the header; nothing if the header does not say.
///
/// A length beside a transfer coding, or two lengths, are how one request is made to look like two;
/// they are refused.
pub(super) fn framing(headers: &Headers) -> Result<Option<Framing>, HeadError> {
    let malformed = |text: &str| HeadError::Malformed(text.to_owned());
    let coding: Vec<_> = headers.get_all("Transfer-Encoding").collect();
    let mut lengths = headers.get_all("Content-Length");
    match (coding.as_slice(), lengths.next()) {
        ([coding], None) if coding.eq_ignore_ascii_case("chunked") => Ok(Some(Framing::chunked())),
        ([], None) => Ok(None),
        ([], Some(length)) => {
            if lengths.any(|other| other != length) {
                return Err(malformed("two lengths"));
            }
            let is_number = length.bytes().all(|b| b.is_ascii_digit());
            let length = length.parse().ok().filter(|_| is_number);
            length
                .map(|length| Some(Framing::Length(length)))
                .ok_or_else(|| malformed("bad length"))
        }
        (_, None) => Err(malformed("unsupported transfer encoding")),
        (_, Some(_)) => Err(malformed("both a length and a transfer encoding")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_head_is_found_however_it_is_cut() {
        for head in
            ["GET / HTTP/1.1\r\nA: b\r\n\r\n", "GET / HTTP/1.1\nA: b\n\n", "\r\nG /\r\n\r\n"]
        {
            let bytes = [head.as_bytes(), b"body\r\n\r\n"].concat();
            for cut in 0..=head.len() {
                let whole = end_of_head(&bytes[..cut], 0);
                assert_eq!(whole, (cut == head.len()).then_some(cut), "{head:?} {cut}");
                assert_eq!(end_of_head(&bytes, cut.saturating_sub(1)), Some(head.len()));
            }
        }
    }

    #[test]
    fn lengths_that_contradict_each_other_are_refused() {
        let framing = |fields: &[(&str, &str)]| {
            let mut headers = Headers::new();
            fields.iter().for_each(|(name, value)| headers.add(name, *value));
            framing(&headers)
        };
        assert_eq!(framing(&[]).unwrap(), None);
        assert_eq!(framing(&[("Content-Length", "12")]).unwrap(), Some(Framing::Length(12)));
        let chunked = framing(&[("transfer-encoding", "Chunked")]).unwrap();
        assert_eq!(chunked, Some(Framing::chunked()));
        for fields in [
            &[("Content-Length", "1"), ("Content-Length", "2")][..],
            &[("Content-Length", "-1")],
            &[("Content-Length", "+1")],
            &[("Content-Length", "1"), ("Transfer-Encoding", "chunked")],
            &[("Transfer-Encoding", "gzip, chunked")],
        ] {
            assert!(framing(fields).is_err(), "{fields:?}");
        }
    }
}
