//! Addresses of the web.
//!
//! # References
//! RFC 3986; Go's `net/url` for what is forgiven and how queries are escaped.

use std::fmt;

use crate::system::Secret;

/// A URL in its parts; path and query as they go over the wire, escapes and all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    /// In lower case, such as `https`.
    pub scheme: String,
    /// Name and password before the host, escapes undone.
    pub user: Option<(String, Secret)>,
    /// Name or address, an IPv6 address without its brackets; empty for sockets of files.
    pub host: String,
    /// The port, if one is given.
    pub port: Option<u16>,
    /// Empty, or beginning with a slash.
    pub path: String,
    /// What follows the question mark, if there is one.
    pub query: Option<String>,
}

/// A text that is no URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("parse {text:?}: {reason}")]
pub struct UrlError {
    text: String,
    reason: String,
}

impl UrlError {
    /// What is wrong, without the text that it is wrong with.
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

impl Url {
    /// Takes a URL apart.
    ///
    /// # Errors
    /// If there is no scheme, or a part of it makes no sense.
    pub fn parse(text: &str) -> Result<Url, UrlError> {
        let wrong = |reason: &str| UrlError { text: masked(text), reason: reason.to_owned() };
        if text.bytes().any(|b| b < b' ' || b == 0x7f) {
            return Err(wrong("net/url: invalid control character in URL"));
        }
        let Some((scheme, rest)) = split_scheme(text) else {
            return Err(wrong("missing protocol scheme"));
        };
        let rest = rest.split('#').next().unwrap_or_default();
        let (rest, query) = match rest.split_once('?') {
            Some((rest, query)) => (rest, Some(escape_unsafe(query))),
            None => (rest, None),
        };
        let Some(rest) = rest.strip_prefix("//") else {
            let path = escape_unsafe(rest);
            let (host, user, port) = (String::new(), None, None);
            return Ok(Url { scheme, user, host, port, path, query });
        };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        let user = user.map(|user| {
            let (name, password) = user.split_once(':').unwrap_or((user, ""));
            (unescape(name), Secret::new(unescape(password)))
        });
        let (host, port) = split_port(host).map_err(|reason| wrong(&reason))?;
        Ok(Url { scheme, user, host: host.to_owned(), port, path: escape_unsafe(path), query })
    }

    /// The port to connect to.
    pub fn port_or_default(&self) -> u16 {
        self.port.unwrap_or(match self.scheme.as_str() {
            "https" => 443,
            "socks5" | "socks5h" => 1080,
            _ => 80,
        })
    }

    /// Host and port as `Host` carries them: the port only if it is given, IPv6 in brackets.
    pub fn authority(&self) -> String {
        let host = bracketed(&self.host);
        match self.port {
            Some(port) => format!("{host}:{port}"),
            None => host,
        }
    }

    /// Host and port, the port always.
    pub fn address(&self) -> String {
        format!("{}:{}", bracketed(&self.host), self.port_or_default())
    }

    /// Path and query as they stand in the request line.
    pub fn target(&self) -> String {
        let path = if self.path.is_empty() { "/" } else { &self.path };
        match &self.query {
            Some(query) => format!("{path}?{query}"),
            None => path.to_owned(),
        }
    }

    /// The path with `name` after it, and a single slash between.
    #[must_use]
    pub fn joined(mut self, name: &str) -> Url {
        let path = format!("{}/{name}", self.path);
        // As Go's `path.Join`: empty parts and dots vanish.
        let mut parts: Vec<&str> = Vec::new();
        for part in path.split('/') {
            match part {
                "" | "." => {}
                ".." => {
                    parts.pop();
                }
                part => parts.push(part),
            }
        }
        self.path = format!("/{}", parts.join("/"));
        self
    }

    /// The same with another query; none if `query` is empty.
    #[must_use]
    pub fn with_query(mut self, query: String) -> Url {
        self.query = (!query.is_empty()).then_some(query);
        self
    }

    /// The pairs of the query, escapes undone.
    pub fn query_pairs(&self) -> Vec<(String, String)> {
        decode_query(self.query.as_deref().unwrap_or_default())
    }

    /// The path with its escapes undone.
    pub fn decoded_path(&self) -> String {
        unescape(&self.path)
    }

    /// The URL that `location` leads to from here.
    pub(super) fn follow(&self, location: &str) -> Result<Url, UrlError> {
        if split_scheme(location).is_some() {
            return Url::parse(location);
        }
        if let Some(rest) = location.strip_prefix("//") {
            return Url::parse(&format!("{}://{rest}", self.scheme));
        }
        let mut url = self.clone();
        let location = location.split('#').next().unwrap_or_default();
        let (path, query) = match location.split_once('?') {
            Some((path, query)) => (path, Some(escape_unsafe(query))),
            None => (location, None),
        };
        if path.starts_with('/') {
            url.path = escape_unsafe(path);
        } else if !path.is_empty() {
            let folder = url.path.rfind('/').map_or("", |at| &url.path[..at]).to_owned();
            url.path = folder;
            url = url.joined(&escape_unsafe(path));
        }
        url.query = query;
        Ok(url)
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://", self.scheme)?;
        if let Some((name, password)) = &self.user {
            write!(f, "{}", escape(name))?;
            if !password.is_empty() {
                f.write_str(":***")?;
            }
            f.write_str("@")?;
        }
        write!(f, "{}{}", self.authority(), self.path)?;
        match &self.query {
            Some(query) => write!(f, "?{query}"),
            None => Ok(()),
        }
    }
}

/// Hides what stands before an `@`, where a password may be.
fn masked(text: &str) -> String {
    match text.rsplit_once('@') {
        Some((before, after)) => {
            let scheme = before.find("://").map_or("", |at| &before[..at + 3]);
            format!("{scheme}***@{after}")
        }
        None => text.to_owned(),
    }
}

fn split_scheme(text: &str) -> Option<(String, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    let is_first = scheme.starts_with(|c: char| c.is_ascii_alphabetic());
    let is_rest = scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    (is_first && is_rest).then(|| (scheme.to_ascii_lowercase(), rest))
}

/// Takes host and port apart.
fn split_port(text: &str) -> Result<(&str, Option<u16>), String> {
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let (host, after) = rest.split_once(']').ok_or("missing ']' in host")?;
        (host, after.strip_prefix(':').or((!after.is_empty()).then_some(after)))
    } else {
        match text.rsplit_once(':') {
            Some((host, port)) if !host.contains(':') => (host, Some(port)),
            Some(_) => return Err(format!("invalid port after host {text:?}")),
            None => (text, None),
        }
    };
    if host.bytes().any(|b| b" \"<>\\^`{|}".contains(&b)) {
        return Err(format!("invalid character in host name {host:?}"));
    }
    match port {
        None | Some("") => Ok((host, None)),
        Some(digits) => match digits.parse() {
            Ok(port) if digits.bytes().all(|b| b.is_ascii_digit()) => Ok((host, Some(port))),
            _ => Err(format!("invalid port {:?} after host", format!(":{digits}"))),
        },
    }
}

fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

/// Escapes what must not stand in a request line, and leaves everything else.
fn escape_unsafe(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte > b' ' && byte < 0x7f && !b"\"<>\\^`{|}".contains(&byte) {
            out.push(char::from(byte));
        } else {
            push_escaped(&mut out, byte);
        }
    }
    out
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if is_unreserved(byte) {
            out.push(char::from(byte));
        } else {
            push_escaped(&mut out, byte);
        }
    }
    out
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte)
}

fn push_escaped(out: &mut String, byte: u8) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    out.push('%');
    out.push(char::from(DIGITS[usize::from(byte >> 4)]));
    out.push(char::from(DIGITS[usize::from(byte & 15)]));
}

/// Undoes escapes; those that are none stay.
pub(super) fn unescape(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escaped = (bytes[at] == b'%')
            .then(|| text.get(at + 1..at + 3))
            .flatten()
            .filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match escaped {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Escapes a text for a query, blanks as `+`.
pub fn encode_query(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' ' => out.push('+'),
            byte if is_unreserved(byte) => out.push(char::from(byte)),
            byte => push_escaped(&mut out, byte),
        }
    }
    out
}

/// Writes pairs as a query or a form, sorted by key as Go does it.
pub fn encode_pairs<'p>(pairs: impl IntoIterator<Item = (&'p str, &'p str)>) -> String {
    let mut pairs: Vec<_> = pairs.into_iter().collect();
    pairs.sort_by_key(|(key, _)| *key);
    let pairs: Vec<_> = pairs
        .into_iter()
        .map(|(key, value)| format!("{}={}", encode_query(key), encode_query(value)))
        .collect();
    pairs.join("&")
}

pub(super) fn decode_query(query: &str) -> Vec<(String, String)> {
    let decode = |text: &str| unescape(&text.replace('+', " "));
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(key), decode(value))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        for (text, address, target) in [
            ("http://localhost", "localhost:80", "/"),
            ("HTTPS://h:8443/a b?c=d e#f", "h:8443", "/a%20b?c=d%20e"),
            ("http://[::1]:8086/write", "[::1]:8086", "/write"),
            ("http://[fe80::1]", "[fe80::1]:80", "/"),
            ("http://h:/x", "h:80", "/x"),
            ("http://u:p%40@h/ż", "h:80", "/%C5%BC"),
            ("http://:8080", ":8080", "/"),
        ] {
            let url = Url::parse(text).unwrap();
            assert_eq!((url.address().as_str(), url.target().as_str()), (address, target));
        }
        let url = Url::parse("http://u:p%40@h/").unwrap();
        assert_eq!(url.user, Some(("u".into(), Secret::new("p@"))));
        assert_eq!(url.to_string(), "http://u:***@h/");
        let url = Url::parse("unix:///run/x.sock").unwrap();
        assert_eq!((url.host.as_str(), url.path.as_str()), ("", "/run/x.sock"));
    }

    #[test]
    fn what_is_no_url_is_refused_without_its_password() {
        for (text, reason) in [
            ("", "missing protocol scheme"),
            ("://x", "missing protocol scheme"),
            ("127.0.0.1:8086", "missing protocol scheme"),
            ("http://h:port", "invalid port"),
            ("http://h:99999", "invalid port"),
            ("http://[::1", "missing ']'"),
            ("http://a:b:c/", "invalid port"),
            ("http://me:hush@h:port", "invalid port"),
            ("http://h/\n", "control character"),
        ] {
            let error = Url::parse(text).unwrap_err().to_string();
            assert!(error.contains(reason) && !error.contains("hush"), "{error}");
        }
    }

    #[test]
    fn paths_are_joined_as_go_joins_them() {
        for (text, expected) in [
            ("http://h", "/write"),
            ("http://h/", "/write"),
            ("http://h/a//b/", "/a/b/write"),
            ("http://h/a/../b", "/b/write"),
        ] {
            assert_eq!(Url::parse(text).unwrap().joined("write").path, expected, "{text}");
        }
    }

    #[test]
    fn locations_are_followed_from_where_they_were_given() {
        let from = Url::parse("http://h:1/a/b?c").unwrap();
        for (location, expected) in [
            ("https://x/y", "https://x/y"),
            ("//x/y", "http://x/y"),
            ("/y?z", "http://h:1/y?z"),
            ("y", "http://h:1/a/y"),
            ("../y#f", "http://h:1/y"),
            ("?d", "http://h:1/a/b?d"),
        ] {
            assert_eq!(from.follow(location).unwrap().to_string(), expected, "{location}");
        }
    }

    #[test]
    fn queries_are_sorted_and_escaped() {
        let pairs = [("org", "a b&c"), ("bucket", "ż/=")];
        assert_eq!(encode_pairs(pairs), "bucket=%C5%BC%2F%3D&org=a+b%26c");
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded_to_the_same(key in ".+", value in ".*") {
            let query = encode_pairs([(key.as_str(), value.as_str())]);
            prop_assert_eq!(decode_query(&query), [(key, value)]);
        }

        #[test]
        fn no_text_makes_it_panic(text in ".*", location in ".*") {
            if let Ok(url) = Url::parse(&text) {
                let _ = (url.target(), url.to_string(), url.decoded_path(), url.follow(&location));
            }
        }
    }
}
