//! A server with a bounded number of threads, one for each connection.
//!
//! A library for this with fewer open defects was not to be found: `tiny_http` knows no time-outs,
//! so that a client which says nothing holds a thread for ever. What a server needs beyond what the
//! client needs as well is little, and is here.

mod connection;
mod exchange;
mod response;
mod token;

use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::pipe::{PipeFlags, pipe_with};

use super::address::Listener;
use super::stream::{Breaker, Stream};
use super::tls::ServerTls;
use crate::system::Clock;
use crate::system::thread::{self, Thread};

pub use exchange::{BasicAuth, Incoming, ReadBodyError};
pub use response::Response;
pub use token::TokenAuth;

/// How long requests that are under way may go on once the server is to stop, unless that is said.
const GRACE: Duration = Duration::from_secs(5);

/// How a server treats its callers.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// How long a request may take to come in, body included; for ever if absent.
    pub read_timeout: Option<Duration>,
    /// How long a response may take to go out; for ever if absent.
    pub write_timeout: Option<Duration>,
    /// How many connections there may be at a time; more have to wait, and the one that has been
    /// quiet for longest is closed for them.
    pub max_connections: usize,
}

impl Default for ServerSettings {
    fn default() -> ServerSettings {
        ServerSettings {
            read_timeout: Some(Duration::from_secs(10)),
            write_timeout: Some(Duration::from_secs(10)),
            max_connections: 128,
        }
    }
}

/// Answers requests, several at a time.
pub trait Handler: Send + Sync {
    /// Answers a request; its body is there to be read, and need not be.
    fn handle(&self, request: &mut Incoming<'_>) -> Response;
}

impl<F: Fn(&mut Incoming<'_>) -> Response + Send + Sync> Handler for F {
    fn handle(&self, request: &mut Incoming<'_>) -> Response {
        self(request)
    }
}

/// A server; dropped it stops, after requests that are under way have been answered.
pub struct Server {
    shared: Arc<Shared>,
    /// Wakes the thread that accepts by being closed.
    stop: Option<OwnedFd>,
    accepting: Option<Thread>,
    grace: Duration,
}

/// What the threads of a server have in common.
struct Shared {
    settings: ServerSettings,
    tls: Option<ServerTls>,
    handler: Box<dyn Handler>,
    clock: Arc<dyn Clock>,
    is_stopping: AtomicBool,
    connections: Mutex<HashMap<u64, Connection>>,
    one_less: Condvar,
}

/// A connection as others than its own thread see it.
struct Connection {
    breaker: Breaker,
    /// Since when it waits for a request, in the clock's elapsed time; nothing while it has one.
    idle_since: Option<Duration>,
}

impl Server {
    /// Begins to answer whoever comes to `listener`.
    ///
    /// # Errors
    /// If the system has no room for another thread.
    pub fn start(
        listener: Listener,
        settings: ServerSettings,
        tls: Option<ServerTls>,
        handler: impl Handler + 'static,
        clock: Arc<dyn Clock>,
    ) -> io::Result<Server> {
        let shared = Arc::new(Shared {
            settings,
            tls,
            handler: Box::new(handler),
            clock,
            is_stopping: AtomicBool::new(false),
            connections: Mutex::new(HashMap::new()),
            one_less: Condvar::new(),
        });
        let (stopped, stop) = pipe_with(PipeFlags::CLOEXEC)?;
        let accepting = {
            let shared = shared.clone();
            thread::spawn("http-accept", move || shared.accept_all(&listener, &stopped))?
        };
        Ok(Server { shared, stop: Some(stop), accepting: Some(accepting), grace: GRACE })
    }

    /// The server with another time for requests that are under way once it is to stop.
    #[must_use]
    pub fn with_grace(mut self, grace: Duration) -> Server {
        self.grace = grace;
        self
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.is_stopping.store(true, Ordering::SeqCst);
        self.stop = None;
        self.shared.one_less.notify_all();
        self.accepting = None;
        let mut connections = self.shared.connections();
        connections.values().filter(|c| c.idle_since.is_some()).for_each(|c| c.breaker.end());
        // Whoever becomes idle from now on sees that it is over.
        let (left, _) = self
            .shared
            .one_less
            .wait_timeout_while(connections, self.grace, |connections| !connections.is_empty())
            .unwrap_or_else(PoisonError::into_inner);
        connections = left;
        connections.values().for_each(|connection| connection.breaker.end());
    }
}

impl Shared {
    fn connections(&self) -> MutexGuard<'_, HashMap<u64, Connection>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::SeqCst)
    }

    fn accept_all(self: &Arc<Shared>, listener: &Listener, stopped: &OwnedFd) {
        for id in 0.. {
            let mut fds =
                [PollFd::new(listener, PollFlags::IN), PollFd::new(stopped, PollFlags::IN)];
            let polled = poll(&mut fds, None);
            if self.is_stopping() {
                return;
            }
            // A caller may have gone again, or there may be no room for one more file.
            match polled.map_err(io::Error::from).and_then(|_| listener.accept()) {
                Ok(stream) => self.begin(id, stream),
                Err(error) => {
                    log::debug!("Accepting a connection failed: {error}");
                    self.wait_for_room(Duration::from_millis(50));
                }
            }
        }
    }

    /// Serves a connection in a thread of its own once there is room for it.
    fn begin(self: &Arc<Shared>, id: u64, stream: Stream) {
        while self.connections().len() >= self.settings.max_connections.max(1) {
            if self.is_stopping() {
                return;
            }
            self.close_quietest();
            self.wait_for_room(Duration::from_millis(50));
        }
        let Ok(breaker) = stream.breaker() else { return };
        let idle_since = Some(self.clock.elapsed());
        self.connections().insert(id, Connection { breaker, idle_since });
        let shared = self.clone();
        let serve = move || {
            let _leave = Leave { shared: &shared, id };
            connection::serve(&shared, id, stream);
        };
        let name = "http-connection".to_owned();
        // As much as other threads have: handlers parse what comes.
        let thread = std::thread::Builder::new().name(name).stack_size(1 << 20).spawn(serve);
        if let Err(error) = thread {
            log::debug!("Starting a thread for a connection failed: {error}");
            self.connections().remove(&id);
        }
    }

    fn close_quietest(&self) {
        let connections = self.connections();
        let idle = connections.values().filter(|connection| connection.idle_since.is_some());
        if let Some(quietest) = idle.min_by_key(|connection| connection.idle_since) {
            quietest.breaker.end();
        }
    }

    fn wait_for_room(&self, most: Duration) {
        let connections = self.connections();
        drop(self.one_less.wait_timeout(connections, most));
    }

    /// Notes whether a connection waits for a request; false if it is to wait no more.
    fn note_idle(&self, id: u64, idle: Idle) -> bool {
        let mut connections = self.connections();
        if let Some(connection) = connections.get_mut(&id) {
            connection.idle_since = match idle {
                Idle::Waiting => Some(self.clock.elapsed()),
                Idle::Busy => None,
            };
        }
        !self.is_stopping()
    }
}

/// Whether a connection waits for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Idle {
    Waiting,
    Busy,
}

/// Takes a connection off the list, also when its thread panics.
struct Leave<'s> {
    shared: &'s Shared,
    id: u64,
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        self.shared.connections().remove(&self.id);
        self.shared.one_less.notify_all();
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("settings", &self.shared.settings).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
