//! metric-sink: consumer threads of one group, each appending what it reads to its own files.

mod assigned;
mod batch;
mod consumer;
mod error;
pub mod file;
pub mod files;
mod home;
pub mod journal;
pub mod journaled;
mod last_commits;
pub mod lock;
#[cfg(test)]
mod model_check;
mod output;
pub mod ownership;
mod page_cache;
pub mod positions;
pub mod progress;
mod rate;
pub mod recovery;
pub mod reopening;
pub mod replay;
pub mod rows;
pub mod settings;
pub mod status;
pub mod store;
mod stuck;
mod turns;
mod unsettled;
pub mod verify;

use std::path::PathBuf;
use std::sync::Arc;

use crossbeam_channel::{Receiver, unbounded};

use assigned::Assigned;
use consumer::ConsumerThread;
pub use error::ConsumerError;
use file::FileError;
use files::finisher::Finisher;
use files::names::Names;
use home::Home;
use last_commits::LastCommits;
use lock::LockError;
use output::{Output, Shared};
use ownership::Writer;
use progress::ThreadProgress;
use reopening::Reopening;
use settings::{Membership, Settings};
use status::{Board, StatusServerError, StatusServers};
use turns::Turn;

use crate::kafka::Connection;
use crate::kafka::group::{Assignor, GroupSettings};
use crate::system::System;
use crate::system::thread::{self, Thread};

/// Why the sink could not start.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// The folder is missing and cannot be made.
    #[error("making the folder {}: {source}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The folder belongs to another sink.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// A file cannot be opened.
    #[error(transparent)]
    File(#[from] FileError),
    /// The system has no room for another thread.
    #[error("starting a thread: {0}")]
    Thread(std::io::Error),
    /// It cannot be asked at the port where it is to be.
    #[error(transparent)]
    Status(#[from] StatusServerError),
}

/// How a thread has ended.
pub struct ThreadEnd {
    /// The thread's name, which is also its file's without `.csv`.
    pub name: String,
    /// Why it ended, if not because it was told to.
    pub result: Result<(), ConsumerError>,
}

/// A running sink.
pub struct Sink {
    threads: Vec<Thread>,
    /// What the threads are doing.
    pub board: Arc<Board>,
    /// Asks all threads to leave files that were moved away.
    pub reopening: Reopening,
    /// Tells of each thread that has ended.
    pub ended: Receiver<ThreadEnd>,
    /// These go before the lock: the next holder has a socket of its own.
    servers: StatusServers,
    /// After the threads, which hand it files.
    finisher: Finisher,
    home: Arc<Home>,
}

impl Sink {
    /// Locks the folder, opens the files and starts the threads; they run until `stop` closes.
    ///
    /// # Errors
    /// If the folder or a file cannot be used. The cluster is not asked: threads wait for it.
    pub fn start(
        settings: Settings,
        system: &System,
        stop: &Receiver<()>,
    ) -> Result<Sink, SinkError> {
        let folder = settings.output_dir.clone();
        let home = Arc::new(Home::claim(folder.clone(), &system.clock, &system.random)?);
        let store = home.store();
        let settings = Arc::new(settings);
        let names = Names::new(folder.clone());
        let (finisher, ended_files) = Finisher::start(
            names.clone(),
            &settings.files,
            &settings.topics,
            system.clock.clone(),
            stop.clone(),
        )
        .map_err(SinkError::Thread)?;
        let clock = system.clock.clone();
        let shared = Shared { settings: settings.clone(), names, ended_files, clock };
        let mut outputs = Vec::new();
        for (thread, number) in (0..).zip(0..settings.threads) {
            let name = format!("consumer-thread-{number}");
            let mut output = Output::new(name, Writer { store, thread }, shared.clone());
            output.open_first()?;
            outputs.push(output);
        }
        // It ends when nobody hands it files any more.
        drop(shared);
        // After that, because a journal may have been set aside.
        let open: Vec<_> = outputs.iter().flat_map(Output::paths).collect();
        let mut unsettled = unsettled::find(&folder, store, &settings, &open)?;
        let reopening = Reopening::default();
        let (ends, ended) = unbounded();
        let mut consumers = Vec::new();
        let mut progress = Vec::new();
        let (assigned, last_commits) = (Assigned::default(), LastCommits::new());
        for (mut output, turn) in outputs.into_iter().zip(Turn::of(settings.threads)) {
            let thread = output.writer().thread;
            output.take_in(unsettled.take_of(thread));
            let name = format!("consumer-thread-{thread}");
            let of_thread = Arc::new(ThreadProgress::default());
            of_thread.set_files(output.paths());
            progress.push((name.clone(), of_thread.clone()));
            consumers.push(ConsumerThread {
                output,
                reopening: reopening.clone(),
                home: home.clone(),
                group: group_settings(&settings, &name, system),
                name,
                settings: settings.clone(),
                progress: of_thread,
                turn,
                assigned: assigned.clone(),
                last_commits: last_commits.clone(),
                clock: system.clock.clone(),
            });
        }
        // The threads hold theirs; one more would never be given up.
        drop(last_commits);
        let board = Arc::new(Board::new(&settings, progress, system.clock.clone()));
        let servers = StatusServers::start(&folder, settings.http.as_ref(), &board, &system.clock)?;
        let at_socket = servers.at_socket();
        let (answered, clock) = (board.clone(), system.clock.clone());
        home.when_restored(move || at_socket.listen_again(&folder, &answered, &clock));
        let mut threads = Vec::new();
        for consumer in consumers {
            let (stop, ends) = (stop.clone(), ends.clone());
            let (name, progress) = (consumer.name.clone(), consumer.progress.clone());
            let spawned = thread::spawn(&name.clone(), move || {
                let result = consumer.run(&stop);
                progress.ended(&result);
                // Whoever waited for it may have ended.
                let _ = ends.send(ThreadEnd { name, result });
            });
            threads.push(spawned.map_err(SinkError::Thread)?);
        }
        Ok(Sink { threads, board, reopening, ended, servers, finisher, home })
    }

    /// Waits for threads that have told of their end.
    pub fn join(self) {
        drop(self.threads);
    }

    /// Waits for no thread; the process takes along those that still run.
    pub fn leave_behind(self) {
        drop(self.servers);
        std::mem::forget(self.threads);
        self.finisher.leave_behind();
        // They may still write.
        std::mem::forget(self.home);
    }
}

fn group_settings(settings: &Settings, name: &str, system: &System) -> GroupSettings {
    let mut connection = Connection::plain(settings.brokers.clone(), name);
    connection.properties.clone_from(&settings.properties);
    let instance_id = match settings.membership {
        Membership::Dynamic => None,
        Membership::Static => Some(instance_id(settings, name, system)),
    };
    GroupSettings {
        connection,
        group: settings.group.clone(),
        topics: settings.topics.clone(),
        start: settings.from,
        protocol: settings.protocol,
        // Of which each rebalance is a new generation, by which late commits are told.
        assignor: Assignor::Range,
        session_timeout: settings.session_timeout,
        instance_id,
        read_ahead_bytes: settings.read_ahead_bytes,
        lag_interval: settings.report_interval,
    }
}

/// A name that a thread keeps over restarts and shares with no other.
fn instance_id(settings: &Settings, name: &str, system: &System) -> String {
    let folder = settings.output_dir.canonicalize().unwrap_or(settings.output_dir.clone());
    let id = format!("{}{}-{name}", system.host.name(), folder.display());
    // Kafka takes letters, digits, dots, dashes and underscores, at most 249 of them.
    let allowed = |c: char| if c.is_ascii_alphanumeric() || ".-_".contains(c) { c } else { '_' };
    let id: String = id.chars().map(allowed).collect();
    id[id.len().saturating_sub(249)..].to_owned()
}
