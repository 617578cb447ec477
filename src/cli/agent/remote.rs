//! Configurations on web servers: fetching them, and noticing that they have changed.
//!
//! # References
//! Telegraf's `fetchConfig` and `watchRemoteConfigs`, for headers, attempts and words.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crossbeam_channel::{Receiver, TrySendError, bounded, never};

use crate::config::remote::{Attempts, FetchError, Remote, is_remote, shown};
use crate::config::sources::Sources;
use crate::http::tls::TlsSettingsError;
use crate::http::{
    Client, ClientError, ClientSettings, Headers, ProxyChoice, Request, Response, USER_AGENT, Url,
};
use crate::system::thread::spawn;
use crate::system::{Clock, environment_variable};

/// How long to wait before a server is asked again.
const RETRY_INTERVAL: Duration = Duration::from_secs(10);

/// How long one request may take; Telegraf would wait for ever.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Asks web servers for configurations.
pub(super) struct WebServers {
    settings: ClientSettings,
    /// Made by the first request: encryption takes half a megabyte, and most agents ask nobody.
    client: OnceLock<Client>,
    clock: Arc<dyn Clock>,
    /// What proves who is asking, if the environment says so.
    authorization: Option<String>,
    retry_interval: Duration,
}

impl WebServers {
    /// Asks as the environment wants it: by proxies and with tokens.
    pub(super) fn from_environment(clock: Arc<dyn Clock>) -> WebServers {
        let settings = ClientSettings {
            timeout: Some(TIMEOUT),
            proxy: ProxyChoice::from_environment(),
            ..ClientSettings::default()
        };
        let token = |scheme: &str, name: &str| {
            environment_variable(name).map(|token| format!("{scheme} {token}"))
        };
        WebServers {
            settings,
            client: OnceLock::new(),
            clock,
            authorization: token("Bearer", "TELEGRAF_CONTROLLER_TOKEN")
                .or_else(|| token("Token", "INFLUX_TOKEN")),
            retry_interval: RETRY_INTERVAL,
        }
    }

    fn client(&self) -> Result<&Client, TlsSettingsError> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let client = Client::new(self.settings.clone(), self.clock.clone())?;
        Ok(self.client.get_or_init(|| client))
    }

    /// The answer to a request, or why there is none, without what the log must not show.
    fn ask(&self, method: &str, name: &str, url: &Url) -> Result<Response, String> {
        let mut headers = Headers::new();
        if let Some(authorization) = &self.authorization {
            headers.set("Authorization", authorization);
        }
        if method == "GET" {
            headers.set("Accept", "application/toml");
        }
        headers.set("User-Agent", USER_AGENT);
        let mut request = Request::new(method, url.clone(), b"");
        request.headers = headers;
        let client = self.client().map_err(|error| error.to_string())?;
        client.send(&request).map_err(|error| words(name, &error))
    }

    fn get(&self, name: &str, url: &Url) -> Result<Vec<u8>, FetchError> {
        match self.ask("GET", name, url) {
            Ok(response) if response.status == 200 => Ok(response.body),
            Ok(response) => Err(FetchError::Status(response.status_line())),
            Err(reason) => Err(FetchError::Connect(reason)),
        }
    }

    /// When the server says that the configuration was changed last.
    fn version(&self, name: &str) -> Result<String, VersionError> {
        let url = parse(name).map_err(|error| VersionError::Fetch(error.to_string()))?;
        let response = self.ask("HEAD", name, &url).map_err(VersionError::Fetch)?;
        if response.status != 200 {
            return Err(VersionError::Fetch(response.status_line()));
        }
        let version = response.headers.get("Last-Modified").unwrap_or_default();
        if version.is_empty() { Err(VersionError::Unknown) } else { Ok(version.to_owned()) }
    }
}

/// Why it is not known which version of a configuration a server has.
enum VersionError {
    Fetch(String),
    /// The server does not tell.
    Unknown,
}

fn parse(name: &str) -> Result<Url, FetchError> {
    Url::parse(name)
        .map_err(|error| FetchError::Url(format!("parse {:?}: {}", shown(name), error.reason())))
}

/// The error of a request without what the log must not show.
fn words(name: &str, error: &ClientError) -> String {
    format!("{} {:?}: {}", error.method, shown(name), error.failure)
}

impl Remote for WebServers {
    fn fetch(&self, name: &str, attempts: Attempts) -> Result<Vec<u8>, FetchError> {
        let url = parse(name)?;
        let total = match attempts {
            Attempts::Endless => {
                log::info!(target: "", "Using unlimited number of attempts to fetch HTTP config");
                "-1".to_owned()
            }
            Attempts::UpTo(number) => number.to_string(),
        };
        let mut attempt = 0;
        loop {
            let error = match self.get(name, &url) {
                Ok(bytes) => return Ok(bytes),
                Err(error) => error,
            };
            let is_last = attempts == Attempts::UpTo(attempt);
            log::warn!(
                target: "",
                "Error getting HTTP config (attempt {attempt} of {total}): {error}"
            );
            if is_last {
                return Err(error);
            }
            // Nobody ends this wait: a program that is told to stop does not wait for it, either.
            let _ = self.clock.after(self.retry_interval).recv();
            attempt = attempt.saturating_add(1);
        }
    }
}

/// A watch over configurations on web servers.
pub(super) struct RemoteWatch {
    /// Gets a message each time one of them has changed.
    pub changed: Receiver<()>,
}

impl RemoteWatch {
    /// A watch that sees nothing.
    pub(super) fn none() -> RemoteWatch {
        RemoteWatch { changed: never() }
    }

    /// Asks the servers of `sources` every `interval`; what they say first is what is there.
    ///
    /// # Errors
    /// If the system has no room for another thread.
    pub(super) fn start(
        servers: Arc<WebServers>,
        sources: &Sources,
        interval: Duration,
    ) -> std::io::Result<RemoteWatch> {
        let names = sources.find(&environment_variable).unwrap_or_default();
        let mut watched: Vec<Watched> = names
            .into_iter()
            .filter(|name| is_remote(name))
            .map(|name| Watched { name, version: None, is_given_up: false })
            .collect();
        if watched.is_empty() {
            return Ok(RemoteWatch::none());
        }
        let names: Vec<_> = watched.iter().map(|each| shown(&each.name)).collect();
        log::info!(target: "", "Remote config watcher started for: {}", names.join(", "));
        let (sender, changed) = bounded(1);
        let thread = spawn("url-watch", move || {
            loop {
                let mut has_changed = false;
                for each in watched.iter_mut().filter(|each| !each.is_given_up) {
                    has_changed |= each.has_changed(&servers);
                }
                // A message that waits already stands for this change, too.
                if has_changed && sender.try_send(()) == Err(TrySendError::Disconnected(())) {
                    return;
                }
                if watched.iter().all(|each| each.is_given_up) {
                    // The sender stays: a channel that closes is no change.
                    std::mem::forget(sender);
                    return;
                }
                let _ = servers.clock.after(interval).recv();
            }
        })?;
        // It ends with the process: a server that hangs is not to hold its end up.
        std::mem::forget(thread);
        Ok(RemoteWatch { changed })
    }
}

/// A configuration that is watched.
struct Watched {
    name: String,
    /// What the server has said last.
    version: Option<String>,
    is_given_up: bool,
}

impl Watched {
    fn has_changed(&mut self, servers: &WebServers) -> bool {
        let shown = shown(&self.name);
        match servers.version(&self.name) {
            Ok(version) => {
                let has_changed = self.version.as_ref().is_some_and(|known| *known != version);
                if has_changed {
                    log::info!(target: "", "Remote config modified: {shown}");
                }
                self.version = Some(version);
                has_changed
            }
            Err(VersionError::Fetch(error)) => {
                log::warn!(target: "", "Fetching config from {shown:?} failed: {error}");
                false
            }
            Err(VersionError::Unknown) => {
                log::error!(
                    target: "",
                    "Last-Modified header not found, stopping the watcher for {shown}"
                );
                self.is_given_up = true;
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::http::ServerResponse;
    use crate::http::recorder::{Recorded, Recorder};
    use crate::system::RealClock;

    const LIMIT: Duration = Duration::from_secs(20);

    fn servers(authorization: Option<&str>) -> WebServers {
        let clock: Arc<dyn Clock> = Arc::new(RealClock::new());
        WebServers {
            settings: ClientSettings::default(),
            client: OnceLock::new(),
            clock,
            authorization: authorization.map(str::to_owned),
            retry_interval: Duration::from_millis(1),
        }
    }

    fn header(request: &Recorded, name: &str) -> String {
        request.headers.get(name).unwrap_or("-").to_owned()
    }

    #[test]
    fn a_server_is_told_what_is_wanted_and_who_asks() {
        let server = Recorder::start(|_| ServerResponse::line(200, "[agent]"));
        let url = format!("{}/a.conf?x=1", server.url);
        for (authorization, address, expected) in [
            (None, url.clone(), "-"),
            (Some("Token abc"), url.clone(), "Token abc"),
            (None, url.replace("//", "//me:word@"), "Basic bWU6d29yZA=="),
            (Some("Token abc"), url.replace("//", "//me:word@"), "Token abc"),
        ] {
            let bytes = servers(authorization).fetch(&address, Attempts::UpTo(3)).unwrap();
            assert_eq!(bytes, b"[agent]\n");
            let request = server.take().remove(0);
            assert_eq!(request.line(), "GET /a.conf?x=1");
            assert_eq!(header(&request, "Accept"), "application/toml");
            assert!(header(&request, "User-Agent").starts_with("Telegraf/1.40.0 "));
            assert_eq!(header(&request, "Authorization"), expected, "{address}");
        }
    }

    #[test]
    fn a_server_that_does_not_answer_well_is_asked_again() {
        let server = Recorder::start(|_| ServerResponse::line(503, "later"));
        let url = server.url.replace("//", "//me:word@") + "/a?token=word";
        let error = servers(None).fetch(&url, Attempts::UpTo(2)).unwrap_err();
        assert_eq!(error.to_string(), "failed to fetch HTTP config: 503 Service Unavailable");
        assert_eq!(server.take().len(), 3, "the first time and two more");

        let gone = url.clone();
        drop(server);
        let error = servers(None).fetch(&gone, Attempts::UpTo(1)).unwrap_err().to_string();
        assert!(error.starts_with("failed to connect to HTTP config server: Get \"http://xxxxx@"));
        assert!(error.ends_with("connect: connection refused"), "{error}");
        assert!(!error.contains("word"), "{error}");
        let error = servers(None).fetch("http://me:word@h:x/?a=word", Attempts::UpTo(1));
        let error = error.unwrap_err().to_string();
        assert!(error.starts_with("parse \"http://xxxxx@h:x/?a=xxxxx\": invalid port"), "{error}");
    }

    #[test]
    fn a_server_that_comes_up_is_enough() {
        let left = Mutex::new(5);
        let server = Recorder::start(move |_| {
            let mut left = left.lock().unwrap();
            *left -= 1;
            ServerResponse::line(if *left > 0 { 404 } else { 200 }, "x")
        });
        assert_eq!(servers(None).fetch(&server.url, Attempts::Endless).unwrap(), b"x\n");
        assert_eq!(server.take().len(), 5);
    }

    #[test]
    fn another_time_of_change_is_a_change_and_a_server_that_tells_none_is_left_alone() {
        let version = Arc::new(Mutex::new("Mon"));
        let answered = version.clone();
        let server = Recorder::start(move |request| {
            let mut response = ServerResponse::line(200, "");
            if request.path == "/a" {
                let version = *answered.lock().unwrap();
                if version == "broken" {
                    return ServerResponse::line(500, "");
                }
                response.headers.set("Last-Modified", version);
            }
            response
        });
        let files = vec![format!("{}/b", server.url), "c.conf".into(), format!("{}/a", server.url)];
        let sources = Sources { files, directories: Vec::new() };
        let interval = Duration::from_millis(1);
        let watch = RemoteWatch::start(Arc::new(servers(None)), &sources, interval).unwrap();
        let asked = |wanted: usize| {
            let deadline = RealClock::new();
            let mut seen = Vec::new();
            while seen.len() < wanted && deadline.elapsed() < LIMIT {
                seen.extend(server.take().iter().map(Recorded::line));
                std::thread::yield_now();
            }
            seen
        };
        assert_eq!(asked(4)[..3], ["HEAD /b?", "HEAD /a?", "HEAD /a?"]);
        assert!(watch.changed.try_recv().is_err());
        *version.lock().unwrap() = "broken";
        asked(3);
        assert!(watch.changed.try_recv().is_err());
        *version.lock().unwrap() = "Tue";
        watch.changed.recv_timeout(LIMIT).unwrap();
        asked(3);
        assert!(watch.changed.try_recv().is_err(), "the same time is no change");
    }
}
