//! Configurations that lie on a server: what they are called in the log, and how they are asked for.
//!
//! Nothing here opens a connection: whoever loads a configuration hands in a [`Remote`].
//!
//! # References
//! Telegraf's `fetchConfig`, for how often it tries.

/// What stands in the place of a secret.
const MASK: &str = "xxxxx";

/// Brings configurations from servers.
pub trait Remote {
    /// Fetches what `url` names, and tries again as often as `attempts` allows.
    ///
    /// # Errors
    /// Why the last of the attempts failed.
    fn fetch(&self, url: &str, attempts: Attempts) -> Result<Vec<u8>, FetchError>;
}

/// How often a server is asked once more that did not answer as it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempts {
    /// For ever.
    Endless,
    /// So many times after the first.
    UpTo(u32),
}

/// Why a configuration could not be fetched; in Telegraf's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// Nobody answered.
    #[error("failed to connect to HTTP config server: {0}")]
    Connect(String),
    /// The answer was no configuration.
    #[error("failed to fetch HTTP config: {0}")]
    Status(String),
    /// The URL is none.
    #[error("{0}")]
    Url(String),
    /// The number of attempts makes no sense.
    #[error("invalid number of attempts: {0}")]
    Attempts(i64),
}

impl Attempts {
    /// How often Telegraf asks again if nothing else is said.
    const DEFAULT: u32 = 3;

    /// Reads the number of the flag or of the option in `[agent]`: 0 is the default, -1 for ever.
    ///
    /// # Errors
    /// If it is another negative number.
    pub fn from_number(number: i64) -> Result<Attempts, FetchError> {
        match number {
            -1 => Ok(Attempts::Endless),
            0 => Ok(Attempts::UpTo(Attempts::DEFAULT)),
            number if number < 0 => Err(FetchError::Attempts(number)),
            number => Ok(Attempts::UpTo(u32::try_from(number).unwrap_or(u32::MAX))),
        }
    }
}

/// The scheme of a configuration's name, if it is a URL.
pub(super) fn scheme(name: &str) -> Option<&str> {
    let (scheme, _) = name.split_once("://")?;
    let is_word = |c: char| c == '_' || c.is_ascii_alphanumeric();
    (!scheme.is_empty() && scheme.chars().all(is_word)).then_some(scheme)
}

/// Whether a configuration of this name lies on a server.
pub fn is_remote(name: &str) -> bool {
    scheme(name)
        .is_some_and(|scheme| ["http", "https"].iter().any(|s| s.eq_ignore_ascii_case(scheme)))
}

/// The name of a configuration as the log may show it: a URL without its user, and with the values
/// of its query hidden, where tokens stand.
pub fn shown(name: &str) -> String {
    let Some(scheme) = scheme(name) else { return name.to_owned() };
    let rest = &name[scheme.len() + "://".len()..];
    let (rest, query) = match rest.split_once('?') {
        Some((rest, query)) => (rest, Some(query)),
        None => (rest, None),
    };
    let authority = &rest[..rest.find('/').unwrap_or(rest.len())];
    let host = authority.rsplit('@').next().unwrap_or_default();
    let user = if host.len() < authority.len() { "xxxxx@" } else { "" };
    let mut shown = format!("{scheme}://{user}{host}{}", &rest[authority.len()..]);
    if let Some(query) = query {
        let pairs = query.split('&').map(|pair| match pair.split_once('=') {
            Some((key, _)) => format!("{key}={MASK}"),
            None => MASK.to_owned(),
        });
        shown.push('?');
        shown.push_str(&pairs.collect::<Vec<_>>().join("&"));
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_in_the_log_shows_neither_user_nor_token() {
        for (name, expected) in [
            ("/etc/telegraf/a@b?c.conf", "/etc/telegraf/a@b?c.conf"),
            ("http://host/a.conf", "http://host/a.conf"),
            ("https://host:8086/api/v2/telegrafs/0a", "https://host:8086/api/v2/telegrafs/0a"),
            ("http://me:secret@host/a.conf", "http://xxxxx@host/a.conf"),
            ("http://token@host:1", "http://xxxxx@host:1"),
            ("http://a:b@c@host/x@y", "http://xxxxx@host/x@y"),
            ("http://h/a?token=abc&x&v=", "http://h/a?token=xxxxx&xxxxx&v=xxxxx"),
            ("http://me@h?t=a@b/c", "http://xxxxx@h?t=xxxxx"),
        ] {
            assert_eq!(shown(name), expected);
        }
    }

    #[test]
    fn only_http_is_fetched() {
        for (name, expected) in [
            ("http://h/a", true),
            ("HTTPS://h/a", true),
            ("ftp://h/a", false),
            ("C:/x", false),
            ("a b://x", false),
            ("http.conf", false),
        ] {
            assert_eq!(is_remote(name), expected, "{name}");
        }
    }

    #[test]
    fn the_number_of_attempts_has_a_default_and_may_be_endless() {
        assert_eq!(Attempts::from_number(0), Ok(Attempts::UpTo(3)));
        assert_eq!(Attempts::from_number(5), Ok(Attempts::UpTo(5)));
        assert_eq!(Attempts::from_number(-1), Ok(Attempts::Endless));
        let error = Attempts::from_number(-2).unwrap_err().to_string();
        assert_eq!(error, "invalid number of attempts: -2");
    }
}
