//! The end of several threads: commits first, then farewells.

use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded, select};

use crate::system::Clock;

/// How long the end waits for a commit and for leaving the group; without a cluster both would
/// take as long as the session time-out.
pub(super) const END_COMMIT_LIMIT: Duration = Duration::from_secs(2);
pub(super) const END_LEAVE_LIMIT: Duration = Duration::from_secs(1);

/// Where the threads of a sink wait for each other at the end: the first to leave the group begins
/// a rebalance, in which the others' last commits would be refused.
#[derive(Clone)]
pub(super) struct LastCommits {
    pending: Sender<()>,
    all_done: Receiver<()>,
}

impl LastCommits {
    /// Makes one for all threads; each gets a clone.
    pub(super) fn new() -> LastCommits {
        let (pending, all_done) = bounded(0);
        LastCommits { pending, all_done }
    }

    /// Says that this thread's last commit has ended, and waits for the others up to `limit`.
    pub(super) fn wait(self, limit: Duration, clock: &dyn Clock) {
        drop(self.pending);
        select! {
            recv(self.all_done) -> _ => {}
            recv(clock.after(limit)) -> _ => {}
        }
    }
}
