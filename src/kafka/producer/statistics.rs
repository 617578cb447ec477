//! The library's own numbers of a producer.

use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::time::Duration;

use rdkafka::producer::Producer as _;

use super::Client;
use crate::kafka::ClientStatistics;

/// How often the library reports its numbers.
pub(super) const REPORT_INTERVAL: Duration = Duration::from_secs(10);

/// The library's property for that.
pub(super) const INTERVAL_PROPERTY: &str = "statistics.interval.ms";

/// The most reports that are heard at once; as many pile up in some hours.
const MOST_REPORTS: usize = 4_096;

/// The client while it has nothing to do; a batch takes it away.
#[derive(Clone, Default)]
pub(super) struct IdleClient(Arc<Mutex<Option<Client>>>);

impl IdleClient {
    pub(super) fn take(&self) -> Option<Client> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(super) fn set(&self, client: Option<Client>) {
        let old = {
            let mut place = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *place, client)
        };
        // Closing a client takes a while, in which nobody needs to wait.
        drop(old);
    }
}

/// Where the numbers of a producer can be read, from any thread.
#[derive(Clone)]
pub struct ProducerStatistics(IdleClient);

impl ProducerStatistics {
    pub(super) fn of(client: IdleClient) -> ProducerStatistics {
        ProducerStatistics(client)
    }

    /// The numbers as the library has reported them last; nothing before that, and while a batch is
    /// on its way, for which nobody has to wait.
    ///
    /// They begin anew with each client, which an idempotent producer may replace.
    pub fn read(&self) -> Option<ClientStatistics> {
        let place = match self.0.0.try_lock() {
            Ok(place) => place,
            Err(TryLockError::Poisoned(place)) => place.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        let client = place.as_ref()?;
        let mut last = client.context().statistics();
        // Nobody has listened since the last batch; one look hears one report or other event.
        for _ in 0..MOST_REPORTS {
            client.poll(Duration::ZERO);
            let now = client.context().statistics();
            if now.0 == last.0 {
                break;
            }
            last = now;
        }
        (last.0 > 0).then_some(last.1)
    }
}
