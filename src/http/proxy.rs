//! Which requests go through which proxy.
//!
//! # References
//! Go's `golang.org/x/net/http/httpproxy`, for the variables of the environment.

use std::net::IpAddr;

use super::url::{Url, UrlError};

/// Where requests go through.
#[derive(Debug, Clone, Default)]
pub enum ProxyChoice {
    /// Straight to the host.
    #[default]
    None,
    /// All through one proxy.
    Fixed(Url),
    /// As the variables `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` say.
    Environment(EnvironmentProxy),
}

impl ProxyChoice {
    /// Reads the variables; names in lower case count as well.
    pub fn from_environment() -> ProxyChoice {
        ProxyChoice::from_variables(crate::system::environment_variable)
    }

    fn from_variables(variable: impl Fn(&str) -> Option<String>) -> ProxyChoice {
        let read = |name: &str| {
            let set = |name: &str| variable(name).filter(|value| !value.is_empty());
            set(name).or_else(|| set(&name.to_lowercase()))
        };
        // Servers that run programs on requests pass on a header "Proxy" under that name.
        let is_cgi = variable("REQUEST_METHOD").is_some_and(|method| !method.is_empty());
        ProxyChoice::Environment(EnvironmentProxy {
            http: read("HTTP_PROXY").filter(|_| !is_cgi).and_then(|text| parse(&text).ok()),
            https: read("HTTPS_PROXY").and_then(|text| parse(&text).ok()),
            exceptions: read("NO_PROXY").map(|text| exceptions(&text)).unwrap_or_default(),
        })
    }

    /// The proxy for a URL, if there is one.
    pub(super) fn proxy_for(&self, url: &Url) -> Option<&Url> {
        match self {
            ProxyChoice::None => None,
            ProxyChoice::Fixed(proxy) => Some(proxy),
            ProxyChoice::Environment(proxies) => proxies.proxy_for(url),
        }
    }
}

/// Proxies as the environment names them.
#[derive(Debug, Clone, Default)]
pub struct EnvironmentProxy {
    http: Option<Url>,
    https: Option<Url>,
    exceptions: Vec<Exception>,
}

/// A host that is reached without a proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Exception {
    All,
    Network {
        address: IpAddr,
        bits: u8,
    },
    /// A domain, whether the name itself is meant beside those below it, and the port if one is
    /// given.
    Domain {
        name: String,
        itself: bool,
        port: Option<u16>,
    },
}

fn parse(text: &str) -> Result<Url, UrlError> {
    match Url::parse(text) {
        Ok(url) if ["http", "https", "socks5", "socks5h"].contains(&url.scheme.as_str()) => Ok(url),
        _ => Url::parse(&format!("http://{text}")),
    }
}

fn exceptions(text: &str) -> Vec<Exception> {
    text.split(',').filter_map(|part| exception(part.trim().to_lowercase())).collect()
}

fn exception(text: String) -> Option<Exception> {
    if text.is_empty() {
        return None;
    }
    if text == "*" {
        return Some(Exception::All);
    }
    if let Some((address, bits)) = text.split_once('/') {
        return Some(Exception::Network {
            address: address.parse().ok()?,
            bits: bits.parse().ok()?,
        });
    }
    if let Ok(address) = text.trim_matches(['[', ']']).parse::<IpAddr>() {
        return Some(Exception::Network {
            address,
            bits: if address.is_ipv4() { 32 } else { 128 },
        });
    }
    let (name, port) = match text.rsplit_once(':') {
        Some((name, port)) => (name, Some(port.parse().ok()?)),
        None => (text.as_str(), None),
    };
    let name = name.strip_prefix('*').unwrap_or(name);
    Some(match name.strip_prefix('.') {
        Some(name) => Exception::Domain { name: name.to_owned(), itself: false, port },
        None => Exception::Domain { name: name.to_owned(), itself: true, port },
    })
}

impl Exception {
    fn covers(&self, url: &Url) -> bool {
        match self {
            Exception::All => true,
            Exception::Network { address, bits } => {
                url.host.parse().is_ok_and(|host| is_within(host, *address, *bits))
            }
            Exception::Domain { name, itself, port } => {
                let host = url.host.to_lowercase();
                let host = host.trim_end_matches('.');
                let is_below =
                    host.strip_suffix(name.as_str()).is_some_and(|rest| rest.ends_with('.'));
                let is_meant = is_below || (*itself && host == name);
                is_meant && port.is_none_or(|port| port == url.port_or_default())
            }
        }
    }
}

fn is_within(host: IpAddr, network: IpAddr, bits: u8) -> bool {
    let (host, network): (u128, u128) = match (host, network) {
        (IpAddr::V4(host), IpAddr::V4(network)) => {
            (u128::from(host.to_bits()) << 96, u128::from(network.to_bits()) << 96)
        }
        (IpAddr::V6(host), IpAddr::V6(network)) => (host.to_bits(), network.to_bits()),
        _ => return false,
    };
    bits == 0 || (host ^ network).checked_shr(128 - u32::from(bits.min(128))) == Some(0)
}

impl EnvironmentProxy {
    fn proxy_for(&self, url: &Url) -> Option<&Url> {
        let proxy = match url.scheme.as_str() {
            "https" => self.https.as_ref(),
            "http" => self.http.as_ref(),
            _ => None,
        }?;
        let is_loopback = url.host == "localhost"
            || url.host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        (!is_loopback && !self.exceptions.iter().any(|exception| exception.covers(url)))
            .then_some(proxy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxy(variables: &[(&str, &str)], url: &str) -> Option<String> {
        let choice = ProxyChoice::from_variables(|name| {
            let found = variables.iter().find(|(other, _)| *other == name);
            found.map(|(_, value)| (*value).to_owned())
        });
        choice.proxy_for(&Url::parse(url).unwrap()).map(ToString::to_string)
    }

    #[test]
    fn the_scheme_chooses_the_variable_and_upper_case_wins() {
        let variables = [("HTTP_PROXY", "proxy:3128"), ("https_proxy", "socks5://s")];
        assert_eq!(proxy(&variables, "http://h/").as_deref(), Some("http://proxy:3128"));
        assert_eq!(proxy(&variables, "https://h/").as_deref(), Some("socks5://s"));
        assert_eq!(
            proxy(&[("HTTP_PROXY", "a"), ("http_proxy", "b")], "http://h"),
            Some("http://a".into())
        );
        assert_eq!(proxy(&[("HTTP_PROXY", "a"), ("REQUEST_METHOD", "GET")], "http://h"), None);
        assert_eq!(proxy(&[], "http://h"), None);
    }

    #[test]
    fn exceptions_and_this_machine_go_without() {
        for (exceptions, url, goes_through) in [
            ("", "http://localhost:80", false),
            ("", "http://127.9.9.9", false),
            ("", "http://[::1]:80", false),
            ("*", "http://h", false),
            ("a.example, b.example", "http://b.example", false),
            ("a.example", "http://x.a.example", false),
            ("a.example", "http://xa.example", true),
            (".a.example", "http://a.example", true),
            ("*.a.example", "http://x.a.example", false),
            ("a.example:8080", "http://a.example", true),
            ("a.example:8080", "http://a.example:8080", false),
            ("10.0.0.0/8", "http://10.1.2.3", false),
            ("10.0.0.0/8", "http://11.1.2.3", true),
            ("10.1.2.3", "http://10.1.2.3", false),
            ("fd00::/8", "http://[fd12::1]", false),
            ("0.0.0.0/0", "http://9.9.9.9", false),
        ] {
            let through = proxy(&[("HTTP_PROXY", "p"), ("NO_PROXY", exceptions)], url);
            assert_eq!(through.is_some(), goes_through, "{exceptions} {url}");
        }
    }
}
