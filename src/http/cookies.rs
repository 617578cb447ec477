//! Cookies that a server hands out when one logs in.
//!
//! # References
//! RFC 6265; Telegraf's common options for cookie authentication.

use std::time::Duration;

use super::Headers;
use super::url::Url;
use crate::system::Secret;

/// How to log in where cookies are what proves it.
#[derive(Debug, Clone)]
pub struct CookieAuth {
    /// Where to log in.
    pub url: Url,
    /// The method, such as `POST`.
    pub method: String,
    /// Fields to send.
    pub headers: Headers,
    /// A name for basic authentication; none if empty.
    pub username: String,
    /// Its password.
    pub password: Secret,
    /// What to send.
    pub body: Secret,
    /// After what time to log in anew; never if absent.
    pub renewal: Option<Duration>,
}

/// The cookies that were handed out.
#[derive(Debug, Default)]
pub(super) struct Jar(Vec<Cookie>);

#[derive(Debug)]
struct Cookie {
    name: String,
    value: String,
    domain: String,
    /// Whether only the host itself gets it, and none below it.
    host_only: bool,
    path: String,
    secure: bool,
    /// In the clock's elapsed time.
    expires: Option<Duration>,
}

impl Jar {
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Keeps what the response of `url` sets.
    pub(super) fn keep(&mut self, url: &Url, headers: &Headers, now: Duration) {
        for value in headers.get_all("Set-Cookie") {
            let Some(cookie) = parse(value, url, now) else { continue };
            self.0.retain(|other| {
                (&other.name, &other.domain, &other.path)
                    != (&cookie.name, &cookie.domain, &cookie.path)
            });
            if cookie.expires.is_none_or(|expires| expires > now) {
                self.0.push(cookie);
            }
        }
    }

    /// The value of `Cookie` for a request to `url`, if there is any.
    pub(super) fn header(&self, url: &Url, now: Duration) -> Option<String> {
        let mut meant: Vec<&Cookie> =
            self.0.iter().filter(|cookie| cookie.is_meant_for(url, now)).collect();
        // The more exact path comes first.
        meant.sort_by_key(|cookie| std::cmp::Reverse(cookie.path.len()));
        let pairs: Vec<_> =
            meant.iter().map(|cookie| format!("{}={}", cookie.name, cookie.value)).collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }
}

impl Cookie {
    fn is_meant_for(&self, url: &Url, now: Duration) -> bool {
        let host = url.host.to_lowercase();
        let host_fits = host == self.domain || (!self.host_only && is_below(&host, &self.domain));
        let path = if url.path.is_empty() { "/" } else { &url.path };
        let path_fits = path.strip_prefix(self.path.as_str()).is_some_and(|rest| {
            rest.is_empty() || self.path.ends_with('/') || rest.starts_with('/')
        });
        let is_fresh = self.expires.is_none_or(|expires| expires > now);
        host_fits && path_fits && is_fresh && (!self.secure || url.scheme == "https")
    }
}

fn is_below(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
}

fn parse(text: &str, url: &Url, now: Duration) -> Option<Cookie> {
    let mut parts = text.split(';').map(str::trim);
    let (name, value) = parts.next()?.split_once('=')?;
    let host = url.host.to_lowercase();
    let folder = url.path.rfind('/').filter(|at| *at > 0).map_or("/", |at| &url.path[..at]);
    let mut cookie = Cookie {
        name: name.trim().to_owned(),
        value: value.trim().to_owned(),
        domain: host.clone(),
        host_only: true,
        path: folder.to_owned(),
        secure: false,
        expires: None,
    };
    for part in parts {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        match key.to_lowercase().as_str() {
            "domain" if !value.is_empty() => {
                let domain = value.trim_start_matches('.').to_lowercase();
                if host != domain && !is_below(&host, &domain) {
                    return None;
                }
                cookie.domain = domain;
                cookie.host_only = false;
            }
            "path" if value.starts_with('/') => cookie.path = value.to_owned(),
            "secure" => cookie.secure = true,
            "max-age" => {
                let seconds: i64 = value.parse().ok()?;
                let span = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
                cookie.expires = Some(now.saturating_add(span));
            }
            _ => {}
        }
    }
    (!cookie.name.is_empty()).then_some(cookie)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(set: &str, from: &str, to: &str) -> Option<String> {
        let mut jar = Jar::default();
        let mut headers = Headers::new();
        headers.add("Set-Cookie", "first=1; Path=/");
        headers.add("Set-Cookie", set);
        jar.keep(&Url::parse(from).unwrap(), &headers, Duration::ZERO);
        jar.header(&Url::parse(to).unwrap(), Duration::from_secs(5))
    }

    #[test]
    fn cookies_go_where_they_are_meant_to() {
        for (set, to, expected) in [
            ("a=b", "http://h.example/x/y", Some("a=b; first=1")),
            ("a=b", "http://h.example/", Some("first=1")),
            ("a=b; Path=/", "http://h.example", Some("first=1; a=b")),
            ("a=b; path=/", "http://other.example/", None),
            ("a=b; Domain=example; Path=/", "http://other.example/", Some("a=b")),
            ("a=b; Domain=other; Path=/", "http://h.example/", Some("first=1")),
            ("a=b; Secure; Path=/", "http://h.example/", Some("first=1")),
            ("a=b; Max-Age=5; Path=/", "http://h.example/", Some("first=1")),
            ("first=2; Path=/", "http://h.example/", Some("first=2")),
            ("first=; Max-Age=0; Path=/", "http://h.example/", None),
            ("nonsense", "http://h.example/", Some("first=1")),
        ] {
            let sent = sent(set, "http://h.example/x/login", to);
            assert_eq!(sent.as_deref(), expected, "{set} {to}");
        }
    }
}
