//! Tables in topics, of which each record is a row or takes one away.

use std::sync::Arc;
use std::time::Duration;

use compact_str::CompactString;
use crossbeam_channel::{Receiver, Sender, TryRecvError, bounded};

use super::row::{Columns, Row, RowFormat, Rows};
use crate::kafka::{Connection, Followed, ReadError, TopicFollower};
use crate::plugin::{Counter, PluginError, PluginLog};
use crate::system::thread::{Thread, spawn};
use crate::system::{Clock, Waited};

/// How long a look for records waits, and so how long stopping takes at most.
const LOOK: Duration = Duration::from_millis(100);

/// How long it is waited before a cluster is asked again.
const RETRY: Duration = Duration::from_secs(1);

/// How many records go into the table at once.
const AT_ONCE: usize = 1_000;

/// Why there is no table yet.
#[derive(Debug, thiserror::Error)]
pub(super) enum TopicError {
    #[error("topic {topic} was not read to its end within {} s{}", .limit.as_secs(), because(.last))]
    Late { topic: String, limit: Duration, last: Option<String> },
}

fn because(last: &Option<String>) -> String {
    last.as_ref().map_or_else(String::new, |last| format!(": {last}"))
}

/// A topic that holds a table.
pub(super) struct TableTopic {
    pub(super) connection: Connection,
    pub(super) topic: String,
    pub(super) format: RowFormat,
    pub(super) columns: Columns,
    /// Counts records that are no rows.
    pub(super) failures: Counter,
}

/// A thread that keeps the rows as the topic has them.
pub(super) struct TopicWatch {
    /// Closes when the thread is to end.
    _stop: Sender<()>,
    _thread: Thread,
}

/// How far the reading has come.
enum News {
    CaughtUp,
    /// It did not work so far, and goes on.
    Trouble(String),
}

impl TopicWatch {
    /// Begins to read, and waits until everything that was there has been read.
    ///
    /// # Errors
    /// If that takes longer than `limit`, or there is no client to be had.
    pub(super) fn start(
        table: TableTopic,
        limit: Duration,
        rows: Rows,
        clock: Arc<dyn Clock>,
        log: PluginLog,
    ) -> Result<TopicWatch, PluginError> {
        let topic = table.topic.clone();
        let follower = TopicFollower::new(&table.connection, &topic, clock.clone())?;
        let (stop, stopped) = bounded(0);
        // Room for one: only what is newest before the table is there is of interest.
        let (news, told) = bounded(1);
        let reading = Reading { table, follower, rows, log, stopped };
        let deadline = clock.after(limit);
        let thread = spawn("table topic", move || reading.run(&news, clock.as_ref()))?;
        let watch = TopicWatch { _stop: stop, _thread: thread };
        let mut last = None;
        loop {
            crossbeam_channel::select! {
                recv(told) -> news => match news {
                    Ok(News::CaughtUp) => return Ok(watch),
                    Ok(News::Trouble(trouble)) => last = Some(trouble),
                    Err(_) => return Err(TopicError::Late { topic, limit, last }.into()),
                },
                recv(deadline) -> _ => return Err(TopicError::Late { topic, limit, last }.into()),
            }
        }
    }
}

/// What the thread works with.
struct Reading {
    table: TableTopic,
    follower: TopicFollower,
    rows: Rows,
    log: PluginLog,
    stopped: Receiver<()>,
}

impl Reading {
    fn run(mut self, news: &Sender<News>, clock: &dyn Clock) {
        while let Err(error) = self.follower.begin() {
            // Nobody hears it any more once the start has given up.
            let _ = news.try_send(News::Trouble(error.to_string()));
            if clock.wait(RETRY, &self.stopped) == Waited::Stopped {
                return;
            }
        }
        let mut has_told = false;
        let mut changes = Vec::new();
        while self.stopped.try_recv() == Err(TryRecvError::Empty) {
            let found = self.look(LOOK, &mut changes);
            if matches!(found, Ok(Followed::Record)) {
                // What has come meanwhile goes in together.
                while changes.len() < AT_ONCE
                    && matches!(self.look(Duration::ZERO, &mut changes), Ok(Followed::Record))
                {
                }
            }
            self.apply(&mut changes);
            if let Err(error) = found {
                self.log.warn(format_args!("Following the table: {error}"));
                if !has_told {
                    let _ = news.try_send(News::Trouble(error.to_string()));
                }
            }
            if !has_told && self.follower.has_caught_up() {
                has_told = true;
                self.log.debug(format_args!("The table has {} rows", self.rows.read().len()));
                let _ = news.send(News::CaughtUp);
            }
        }
    }

    fn look(&mut self, wait: Duration, changes: &mut Vec<Change>) -> Result<Followed, ReadError> {
        let (table, log) = (&mut self.table, &self.log);
        self.follower.next(wait, |key, value| changes.extend(table.change(key, value, log)))
    }

    fn apply(&self, changes: &mut Vec<Change>) {
        if changes.is_empty() {
            return;
        }
        let mut rows = self.rows.write();
        for Change { key, row } in changes.drain(..) {
            match row {
                Some(row) => drop(rows.insert(key, row)),
                None => drop(rows.remove(&key)),
            }
        }
    }
}

/// What a record does to the table.
struct Change {
    key: CompactString,
    /// None takes it away.
    row: Option<Row>,
}

impl TableTopic {
    /// What a record changes; one that cannot be read changes nothing.
    fn change(
        &mut self,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        log: &PluginLog,
    ) -> Option<Change> {
        let Some(key) = key else {
            self.failures.add(1);
            log.debug("A record of the table has no key");
            return None;
        };
        let key = CompactString::from_utf8_lossy(key);
        let row = match value.map(|value| self.format.read(value)) {
            None => None,
            Some(Ok(values)) => Some(self.columns.row(values)),
            Some(Err(error)) => {
                self.failures.add(1);
                log.warn(format_args!("The row of {key:?} stays as it was: {error}"));
                return None;
            }
        };
        Some(Change { key, row })
    }
}
