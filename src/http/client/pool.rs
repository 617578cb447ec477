//! Connections that wait for the next request.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::ClientSettings;
use crate::http::wire::Wire;
use crate::system::Clock;

/// How many connections to one host are kept where nothing else is asked for, as in Go.
const PER_HOST: usize = 2;

/// Connections that nobody uses.
pub(super) struct Pool {
    clock: Arc<dyn Clock>,
    idle_timeout: Option<Duration>,
    max_idle: usize,
    max_idle_per_host: usize,
    /// The oldest first.
    idle: Mutex<Vec<Idle>>,
}

struct Idle {
    key: String,
    wire: Wire,
    /// In the clock's elapsed time.
    since: Duration,
}

impl Pool {
    pub(super) fn new(settings: &ClientSettings, clock: Arc<dyn Clock>) -> Pool {
        let or = |number: usize, default: usize| if number == 0 { default } else { number };
        Pool {
            clock,
            idle_timeout: settings.idle_timeout,
            max_idle: or(settings.max_idle, usize::MAX),
            max_idle_per_host: or(settings.max_idle_per_host, PER_HOST),
            idle: Mutex::new(Vec::new()),
        }
    }

    /// A connection of this key that can still be used, the one used last if there are several.
    pub(super) fn take(&self, key: &str) -> Option<Wire> {
        loop {
            let wire = {
                let mut idle = self.idle();
                let at = idle.iter().rposition(|idle| idle.key == key)?;
                idle.remove(at).wire
            };
            if wire.is_quiet() {
                return Some(wire);
            }
        }
    }

    /// Keeps a connection.
    pub(super) fn put(&self, key: String, mut wire: Wire) {
        wire.set_deadline(None);
        let since = self.clock.elapsed();
        let mut idle = self.idle();
        while idle.iter().filter(|other| other.key == key).count() >= self.max_idle_per_host {
            let Some(at) = idle.iter().position(|other| other.key == key) else { break };
            idle.remove(at);
        }
        while idle.len() >= self.max_idle {
            idle.remove(0);
        }
        idle.push(Idle { key, wire, since });
    }

    /// Closes them all.
    pub(super) fn clear(&self) {
        self.idle().clear();
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Idle>> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(timeout) = self.idle_timeout {
            let now = self.clock.elapsed();
            idle.retain(|idle| now < idle.since.saturating_add(timeout));
        }
        idle
    }
}
