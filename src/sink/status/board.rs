//! Where the threads' notes hang, to be looked at together.

use std::sync::Arc;
use std::time::Duration;

use super::{Snapshot, ThreadStatus, Totals};
use crate::sink::progress::{Moment, ThreadProgress};
use crate::sink::settings::Settings;
use crate::system::{Clock, UtcTime};

/// After how long a thread counts as silent at the earliest; each single thing that it does has a
/// limit below this.
const SILENT_AFTER: Duration = Duration::from_secs(30);

/// What is known of a sink while it runs.
pub struct Board {
    /// What stays the same.
    blank: Snapshot,
    threads: Vec<(String, Arc<ThreadProgress>)>,
    clock: Arc<dyn Clock>,
    started: Duration,
    silent_after: Duration,
}

impl Board {
    /// Makes a board for a sink that starts now.
    pub(in crate::sink) fn new(
        settings: &Settings,
        threads: Vec<(String, Arc<ThreadProgress>)>,
        clock: Arc<dyn Clock>,
    ) -> Board {
        let folder = &settings.output_dir;
        let blank = Snapshot {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            started_at: UtcTime::from(clock.now()),
            uptime_seconds: 0.0,
            healthy: true,
            problems: Vec::new(),
            group: settings.group.clone(),
            topics: settings.topics.clone(),
            brokers: settings.brokers.clone(),
            output_dir: folder.canonicalize().as_ref().unwrap_or(folder).display().to_string(),
            totals: Totals::default(),
            threads: Vec::new(),
        };
        Board {
            blank,
            threads,
            started: clock.elapsed(),
            clock,
            // A commit before partitions are given up may take as long as the session.
            silent_after: SILENT_AFTER.max(2 * settings.session_timeout),
        }
    }

    /// How many threads there are.
    pub fn threads(&self) -> usize {
        self.threads.len()
    }

    /// The sink now, without the lengths of its files; waits for nothing.
    pub fn snapshot(&self) -> Snapshot {
        let moment = Moment {
            elapsed: self.clock.elapsed(),
            now: self.clock.now(),
            silent_after: self.silent_after,
        };
        let threads: Vec<_> =
            self.threads.iter().map(|(name, progress)| progress.status(name, moment)).collect();
        let problems: Vec<_> = threads.iter().filter_map(ThreadStatus::problem).collect();
        Snapshot {
            uptime_seconds: moment.elapsed.saturating_sub(self.started).as_secs_f64(),
            healthy: problems.is_empty(),
            problems,
            totals: Totals::of(&threads),
            threads,
            ..self.blank.clone()
        }
    }
}
