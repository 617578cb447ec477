//! Getting a connection to where a URL leads.

use std::time::Duration;

use super::Client;
use crate::http::dial::{dial_tcp, dial_unix, proxy_credentials, socks, tunnel};
use crate::http::error::{Failure, Stage, left_of};
use crate::http::stream::Stream;
use crate::http::url::Url;
use crate::http::wire::Wire;

/// A way to where a URL leads.
pub(super) struct Route {
    /// Connections of the same key lead to the same place.
    pub(super) key: String,
    /// What stands in the request line.
    pub(super) target: String,
    /// What stands in `Host`.
    pub(super) host: String,
    /// The value of `Proxy-Authorization`, where the proxy reads the request itself.
    pub(super) proxy_authorization: Option<String>,
    way: Way,
}

enum Way {
    Direct,
    Socket(String),
    Proxy(Url),
}

impl Client {
    /// Finds the way to a URL.
    pub(super) fn route(&self, url: &Url) -> Result<Route, Failure> {
        let direct = |key: String, way: Way| Route {
            key,
            target: url.target(),
            host: url.authority(),
            proxy_authorization: None,
            way,
        };
        if let Some(path) = &self.settings.unix_socket {
            let mut route = direct(format!("unix {path}"), Way::Socket(path.clone()));
            if route.host.is_empty() {
                route.host = "localhost".to_owned();
            }
            return Ok(route);
        }
        match url.scheme.as_str() {
            "http" | "https" => {}
            "http+unix" | "https+unix" => {
                let (path, target) = split_socket(url);
                let key = format!("{} {path}", url.scheme);
                let mut route = direct(key, Way::Socket(path));
                (route.target, route.host) = (target, "localhost".to_owned());
                return Ok(route);
            }
            scheme => return Err(Failure::Scheme(scheme.to_owned())),
        }
        if url.host.is_empty() {
            return Err(Failure::NoHost);
        }
        let Some(proxy) = self.settings.proxy.proxy_for(url) else {
            return Ok(direct(format!("{}://{}", url.scheme, url.address()), Way::Direct));
        };
        let key = format!("{}://{} by {proxy}", url.scheme, url.address());
        let mut route = direct(key, Way::Proxy(proxy.clone()));
        if url.scheme == "http" && proxy.scheme.starts_with("http") {
            route.target = format!("http://{}{}", url.authority(), url.target());
            route.proxy_authorization = proxy_credentials(proxy);
        }
        Ok(route)
    }

    /// Makes a new connection.
    pub(super) fn connect(
        &self,
        url: &Url,
        route: &Route,
        deadline: Option<Duration>,
    ) -> Result<Wire, Failure> {
        let is_encrypted = url.scheme.starts_with("https");
        let stream = match &route.way {
            Way::Direct => self.dial(url, deadline)?,
            Way::Socket(path) => dial_unix(path)?,
            Way::Proxy(proxy) => self.dial_proxy(proxy, url, deadline)?,
        };
        let stream = if is_encrypted { self.encrypt(stream, &url.host, deadline)? } else { stream };
        Ok(Wire::new(stream, self.clock.clone()))
    }

    fn dial(&self, url: &Url, deadline: Option<Duration>) -> Result<Stream, Failure> {
        let left = left_of(deadline, self.now());
        if left.is_some_and(|left| left.is_zero()) {
            return Err(Failure::Timeout(Stage::Headers));
        }
        dial_tcp(url, self.settings.local_address, left)
    }

    fn dial_proxy(
        &self,
        proxy: &Url,
        url: &Url,
        deadline: Option<Duration>,
    ) -> Result<Stream, Failure> {
        let mut stream =
            self.dial(proxy, deadline).map_err(|failure| Failure::Proxy(failure.to_string()))?;
        if proxy.scheme == "https" {
            stream = self.encrypt(stream, &proxy.host, deadline)?;
        }
        let mut wire = Wire::new(stream, self.clock.clone());
        wire.set_deadline(deadline);
        match proxy.scheme.as_str() {
            "socks5" | "socks5h" => socks(&mut wire, proxy, url)?,
            "http" | "https" if url.scheme == "https" => tunnel(&mut wire, proxy, url)?,
            "http" | "https" => {}
            scheme => return Err(Failure::Proxy(format!("unknown scheme: {scheme}"))),
        }
        // Nothing was read beyond the proxy's answer: behind it nobody speaks before being asked.
        Ok(wire.into_stream())
    }

    fn encrypt(
        &self,
        stream: Stream,
        host: &str,
        deadline: Option<Duration>,
    ) -> Result<Stream, Failure> {
        let left = left_of(deadline, self.now()).map(|left| left.max(Duration::from_millis(1)));
        let set = stream.set_read_timeout(left).and_then(|()| stream.set_write_timeout(left));
        set.map_err(Failure::Io)?;
        Ok(self.tls.connect(stream, host)?)
    }
}

/// The path of a socket and what is asked for there, as in `http+unix:///run/x.sock:/path`.
fn split_socket(url: &Url) -> (String, String) {
    let path = url.decoded_path();
    let (socket, path) = match path.split_once(':') {
        Some((socket, path)) => (socket.to_owned(), path.to_owned()),
        None => (path, String::new()),
    };
    let mut inner = url.clone();
    inner.path = path;
    (socket, inner.target())
}
