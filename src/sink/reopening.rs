//! Asking all threads at once to leave files that were moved away, as `logrotate` does.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How often the threads were asked to.
#[derive(Debug, Clone, Default)]
pub struct Reopening(Arc<AtomicU64>);

impl Reopening {
    /// Asks all threads to look; each does within moments.
    pub fn ask(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// How often they were asked.
    pub(super) fn asked(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
