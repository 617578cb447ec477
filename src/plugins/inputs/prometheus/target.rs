//! What is asked for metrics.

use std::net::{IpAddr, ToSocketAddrs};

use crate::http::{Url, UrlError};
use crate::metric::Metric;
use crate::system::ErrorWords;

/// The path where none is given.
const DEFAULT_PATH: &str = "/metrics";

/// A place that exposes metrics, and what they get from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    /// Where to ask.
    pub(super) url: Url,
    /// The same as people read it.
    pub(super) shown: String,
    /// What the tag of the URL says: the one in the settings, without user and password.
    pub(super) url_tag: String,
    /// The same for metrics about requests, where a path that is left out stays so.
    pub(super) given: String,
    /// The address that a name was found to have.
    pub(super) address: Option<String>,
    /// More tags.
    pub(super) tags: Vec<(String, String)>,
    /// Targets of the same key are one.
    pub(super) key: String,
}

impl Target {
    /// The target of a URL in the settings.
    pub(super) fn of_url(text: &str) -> Result<Target, UrlError> {
        let mut url = Url::parse(text)?;
        let key = url.to_string();
        let given = without_user(&url);
        if url.scheme == "unix" {
            let pairs = url.query_pairs();
            let path = pairs.iter().find(|(key, _)| key == "path").map(|(_, path)| path.as_str());
            let path = path.filter(|path| !path.is_empty()).unwrap_or(DEFAULT_PATH);
            let shown = url.to_string();
            url = Url::parse(&format!("http+unix://{}:{path}", url.path))?;
            let (url_tag, address, tags) = (given.clone(), None, Vec::new());
            return Ok(Target { url, shown, url_tag, given, address, tags, key });
        }
        if url.path.is_empty() {
            url.path = DEFAULT_PATH.to_owned();
        }
        let (shown, url_tag) = (url.to_string(), without_user(&url));
        Ok(Target { url, shown, url_tag, given, address: None, tags: Vec::new(), key })
    }

    /// A target for each address that the name of a service has.
    pub(super) fn of_service(text: &str) -> Result<Vec<Target>, String> {
        let service = Url::parse(text).map_err(|error| error.to_string())?;
        let found = (service.host.as_str(), service.port_or_default())
            .to_socket_addrs()
            .map_err(|error| format!("lookup {}: {}", service.host, ErrorWords(&error)))?;
        let mut addresses: Vec<IpAddr> = found.map(|address| address.ip()).collect();
        addresses.dedup();
        let given = without_user(&service);
        let target = |address: IpAddr| {
            let mut url = service.clone();
            url.host = address.to_string();
            let key = url.to_string();
            if url.path.is_empty() {
                url.path = DEFAULT_PATH.to_owned();
            }
            Target {
                shown: url.to_string(),
                url,
                url_tag: given.clone(),
                given: given.clone(),
                address: Some(address.to_string()),
                tags: Vec::new(),
                key,
            }
        };
        Ok(addresses.into_iter().map(target).collect())
    }

    /// Gives a metric the tags of its target, in the place of those of these names that it has.
    pub(super) fn add_tags(&self, metric: &mut Metric, url_tag: &str, url: &str) {
        if !url_tag.is_empty() {
            metric.set_tag(url_tag, url);
        }
        if let Some(address) = &self.address {
            metric.set_tag("address", address);
        }
        self.tags.iter().for_each(|(key, value)| metric.set_tag(key, value));
    }
}

fn without_user(url: &Url) -> String {
    Url { user: None, ..url.clone() }.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_are_left_out_are_put_in() {
        for (text, shown, url_tag, given) in [
            ("http://h:1", "http://h:1/metrics", "http://h:1/metrics", "http://h:1"),
            ("http://h/x?y=z", "http://h/x?y=z", "http://h/x?y=z", "http://h/x?y=z"),
            ("http://u:p@h/", "http://u:***@h/", "http://h/", "http://h/"),
        ] {
            let target = Target::of_url(text).unwrap();
            assert_eq!(
                (target.shown.as_str(), target.url_tag.as_str(), target.given.as_str()),
                (shown, url_tag, given)
            );
        }
        let target = Target::of_url("unix:///run/x.sock?path=/y").unwrap();
        assert_eq!(
            (target.url.scheme.as_str(), target.url.path.as_str()),
            ("http+unix", "/run/x.sock:/y")
        );
        assert_eq!(target.shown, "unix:///run/x.sock?path=/y");
    }

    #[test]
    fn services_are_targets_by_address() {
        let targets = Target::of_service("http://127.0.0.1:9100/x").unwrap();
        assert_eq!(targets.len(), 1);
        let metric = &mut Metric::new("m", crate::metric::Timestamp::EPOCH);
        targets[0].add_tags(metric, "url", &targets[0].url_tag);
        assert_eq!(metric.tag("address"), Some("127.0.0.1"));
        assert_eq!(metric.tag("url"), Some("http://127.0.0.1:9100/x"));
        assert!(Target::of_service("http://nosuch.invalid/").is_err());
    }
}
