//! Waiting for something to become true.

use std::thread;
use std::time::{Duration, Instant};

/// How long the pause between two looks is: short beside what is waited for, long beside a look.
const PAUSE: Duration = Duration::from_millis(20);

/// Waits until `look` finds something, and returns it; fails the test after `limit`.
///
/// `what` is what was waited for, for the message.
pub(crate) fn wait_for<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < limit, "waited {limit:?} in vain for {what}");
        thread::park_timeout(PAUSE);
    }
}
