//! What there is of a kind in a cluster, kept up to date by a server that tells of changes.
//!
//! # References
//! Kubernetes' documentation, "Kubernetes API Concepts", "Efficient detection of changes".

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};
use serde::Deserialize;

use super::access::{Access, AccessError};
use super::pod::Object;
use crate::http::{Breaker, Client, Request, Url, encode_pairs};
use crate::plugin::{PluginError, PluginLog};
use crate::system::thread::{Thread, spawn};
use crate::system::{Clock, Waited};

/// How long a list may take.
const LIST_TIMEOUT: Duration = Duration::from_secs(30);

/// How long the server tells of changes before it is asked anew, and how long the answer may take.
const WATCH_SECONDS: &str = "300";
const WATCH_TIMEOUT: Duration = Duration::from_secs(330);

/// How long to wait after something failed.
const PAUSE: Duration = Duration::from_secs(5);

/// What there is, by namespace and name.
pub(super) type Objects = BTreeMap<String, Object>;

#[derive(Deserialize)]
struct List {
    #[serde(default)]
    metadata: super::pod::Metadata,
    #[serde(default)]
    items: Option<Vec<Object>>,
}

#[derive(Deserialize)]
struct Event {
    #[serde(rename = "type")]
    kind: String,
    object: Object,
}

/// Keeps up to date what there is of a kind.
pub(super) struct Watched {
    shared: Arc<Shared>,
    /// Closed first when it is dropped, so that the thread ends.
    stop: Option<Sender<()>>,
    thread: Option<Thread>,
}

#[derive(Default)]
struct Shared {
    objects: Mutex<Objects>,
    /// What ends the answer that is being read.
    breaker: Mutex<Listening>,
}

#[derive(Default)]
enum Listening {
    #[default]
    No,
    To(Breaker),
    NeverAgain,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Watcher {
    access: Access,
    path: String,
    lists: Client,
    watches: Client,
    /// After what time everything is asked for anew.
    refresh: Duration,
    shared: Arc<Shared>,
    stopped: Receiver<()>,
    clock: Arc<dyn Clock>,
    log: PluginLog,
}

impl Watched {
    /// Asks for what there is at `path`, and goes on listening to changes in a thread.
    ///
    /// # Errors
    /// If certificates cannot be used or there is no room for a thread; a server that does not
    /// answer is asked again.
    pub(super) fn start(
        access: &Access,
        path: &str,
        refresh: Duration,
        clock: &Arc<dyn Clock>,
        log: &PluginLog,
    ) -> Result<Watched, PluginError> {
        let (stop, stopped) = bounded(0);
        let shared = Arc::<Shared>::default();
        let watcher = Watcher {
            access: access.clone(),
            path: path.to_owned(),
            lists: access.client(LIST_TIMEOUT, clock.clone())?,
            watches: access.client(WATCH_TIMEOUT, clock.clone())?,
            refresh,
            shared: shared.clone(),
            stopped,
            clock: clock.clone(),
            log: log.clone(),
        };
        // The first round is to have them already.
        let first = watcher.list().map_err(|error| watcher.complain(&error)).ok();
        let thread = spawn("kubernetes", move || watcher.run(first))?;
        Ok(Watched { shared, stop: Some(stop), thread: Some(thread) })
    }

    /// Calls `take` with what there is now.
    pub(super) fn with<T>(&self, take: impl FnOnce(&Objects) -> T) -> T {
        take(&lock(&self.shared.objects))
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.stop = None;
        if let Listening::To(breaker) =
            std::mem::replace(&mut *lock(&self.shared.breaker), Listening::NeverAgain)
        {
            breaker.end();
        }
        self.thread = None;
    }
}

impl Watcher {
    fn run(self, mut version: Option<String>) {
        let mut listed = self.clock.elapsed();
        loop {
            let is_old = self.clock.elapsed() >= listed.saturating_add(self.refresh);
            let result = match version.take().filter(|_| !is_old) {
                Some(from) => self.watch(&from).map(|next| version = next),
                None => {
                    listed = self.clock.elapsed();
                    self.list().map(|next| version = Some(next))
                }
            };
            let is_stopped = match result {
                Ok(()) => self.clock.wait(Duration::ZERO, &self.stopped) == Waited::Stopped,
                Err(_) if matches!(*lock(&self.shared.breaker), Listening::NeverAgain) => true,
                Err(error) => {
                    self.complain(&error);
                    self.clock.wait(PAUSE, &self.stopped) == Waited::Stopped
                }
            };
            if is_stopped {
                return;
            }
        }
    }

    fn complain(&self, error: &PluginError) {
        self.log.error(format_args!("Unable to watch {}: {error}", self.path));
    }

    fn url(&self, pairs: &[(&str, &str)]) -> Url {
        let url = self.access.server.clone().joined(&self.path);
        url.with_query(encode_pairs(pairs.iter().copied()))
    }

    /// Asks for everything, and returns of which version that is.
    fn list(&self) -> Result<String, PluginError> {
        let mut request = Request::new("GET", self.url(&[]), b"");
        self.access.prove(&mut request);
        let response = self.lists.send(&request)?;
        if response.status != 200 {
            return Err(response.status_line().into());
        }
        let list: List = serde_json::from_slice(&response.body)?;
        let objects = list.items.unwrap_or_default();
        *lock(&self.shared.objects) =
            objects.into_iter().map(|object| (object.id(), object)).collect();
        Ok(list.metadata.resource_version)
    }

    /// Listens to changes, and returns from which version to go on; none if everything has to be
    /// asked for anew.
    fn watch(&self, from: &str) -> Result<Option<String>, PluginError> {
        let pairs = [
            ("allowWatchBookmarks", "true"),
            ("resourceVersion", from),
            ("timeoutSeconds", WATCH_SECONDS),
            ("watch", "1"),
        ];
        let mut request = Request::new("GET", self.url(&pairs), b"");
        self.access.prove(&mut request);
        let reply = self.watches.open(&request)?;
        match reply.status {
            200 => {}
            410 => return Ok(None),
            status => return Err(format!("{status} {}", reply.reason).into()),
        }
        if !self.listen_to(reply.body.breaker()?) {
            return Ok(None);
        }
        let mut version = from.to_owned();
        let mut line = Vec::new();
        let mut body = BufReader::new(reply.body);
        let is_whole = loop {
            line.clear();
            if body.read_until(b'\n', &mut line)? == 0 {
                break true;
            }
            let event: Event = serde_json::from_slice(&line)?;
            if event.kind == "ERROR" {
                break false;
            }
            version.clone_from(&event.object.metadata.resource_version);
            self.apply(event);
        };
        let mut breaker = lock(&self.shared.breaker);
        if !matches!(*breaker, Listening::NeverAgain) {
            *breaker = Listening::No;
        }
        Ok(is_whole.then_some(version))
    }

    /// Lets others end an answer; false if nothing more is to be listened to.
    fn listen_to(&self, breaker: Option<Breaker>) -> bool {
        let mut listening = lock(&self.shared.breaker);
        if matches!(*listening, Listening::NeverAgain) {
            return false;
        }
        if let Some(breaker) = breaker {
            *listening = Listening::To(breaker);
        }
        true
    }

    fn apply(&self, event: Event) {
        let mut objects = lock(&self.shared.objects);
        match event.kind.as_str() {
            "ADDED" | "MODIFIED" => {
                objects.insert(event.object.id(), event.object);
            }
            "DELETED" => {
                objects.remove(&event.object.id());
            }
            // Bookmarks tell of nothing but the version.
            _ => {}
        }
    }
}

impl From<AccessError> for crate::plugin::StartError {
    fn from(error: AccessError) -> Self {
        crate::plugin::StartError { retryable: false, source: error.into() }
    }
}
