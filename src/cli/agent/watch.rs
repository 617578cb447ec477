//! Noticing that configuration files have changed: `--watch-config`.
//!
//! What counts is what the files look like, not what the kernel reports: an event, or a look every
//! now and then, only leads to a comparison. That treats in the same way an editor that writes in
//! place, one that renames, and Kubernetes, which swaps a link beside the files.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded, never, select_biased, unbounded};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};

use crate::config::sources::Sources;
use crate::system::thread::{Thread, spawn};
use crate::system::{System, environment_variable};

/// How changes are noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Notice {
    /// The kernel tells.
    Events,
    /// By looking this often.
    Every(Duration),
}

/// What `--watch-config` and its companions ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct WatchOptions {
    /// How changes are noticed.
    pub notice: Notice,
    /// How long nothing must have changed before the configuration is read again.
    pub debounce: Duration,
}

/// A watch over configuration files; ends when dropped.
pub(super) struct ConfigWatch {
    /// Gets a message each time the files have changed.
    pub changed: Receiver<()>,
    // The order of the fields is the order of shutdown.
    _watcher: Option<RecommendedWatcher>,
    _stop: Option<Sender<()>>,
    _thread: Option<Thread>,
}

impl ConfigWatch {
    /// A watch that sees nothing.
    pub(super) fn none() -> ConfigWatch {
        ConfigWatch { changed: never(), _watcher: None, _stop: None, _thread: None }
    }

    /// Watches the files of `sources` as they are now.
    ///
    /// # Errors
    /// If the kernel has no more watches or threads to give.
    pub(super) fn start(
        options: WatchOptions,
        sources: &Sources,
        system: &System,
    ) -> Result<ConfigWatch, WatchError> {
        let (event, events) = unbounded();
        let watcher = match options.notice {
            Notice::Events => Some(watcher(sources, event)?),
            Notice::Every(_) => None,
        };
        let (stop, stopped) = bounded(0);
        let (sender, changed) = bounded(1);
        let (sources, system) = (sources.clone(), system.clone());
        let mut seen = Snapshot::take(&sources);
        let thread = spawn("config-watch", move || {
            loop {
                let next_look = match options.notice {
                    Notice::Events => never(),
                    Notice::Every(interval) => system.clock.after(interval),
                };
                select_biased! {
                    recv(stopped) -> _ => return,
                    recv(events) -> _ => {}
                    recv(next_look) -> _ => {}
                }
                let mut has_changed = false;
                // Each further change begins the wait for quiet anew.
                while seen.differs_now(&sources) {
                    has_changed = true;
                    select_biased! {
                        recv(stopped) -> _ => return,
                        recv(system.clock.after(options.debounce)) -> _ => {}
                    }
                }
                if has_changed {
                    // A message that waits already stands for this change, too.
                    let _ = sender.try_send(());
                }
            }
        })?;
        Ok(ConfigWatch { changed, _watcher: watcher, _stop: Some(stop), _thread: Some(thread) })
    }
}

/// Why files cannot be watched.
#[derive(Debug, thiserror::Error)]
pub(super) enum WatchError {
    #[error("watching the configuration files: {0}")]
    Notify(#[from] notify::Error),
    #[error("watching the configuration files: {0}")]
    Thread(#[from] std::io::Error),
}

fn watcher(sources: &Sources, event: Sender<()>) -> Result<RecommendedWatcher, notify::Error> {
    let mut watcher = notify::recommended_watcher(move |_: notify::Result<notify::Event>| {
        // Whatever it was, a look at the files decides.
        let _ = event.send(());
    })?;
    let files = sources.find(&environment_variable).unwrap_or_default();
    // A file that is replaced is another file; its folder stays.
    let mut folders: Vec<PathBuf> = files
        .iter()
        .filter(|file| !file.contains("://"))
        .filter_map(|file| Path::new(file).parent())
        .map(|folder| match folder.as_os_str().is_empty() {
            true => PathBuf::from("."),
            false => folder.to_owned(),
        })
        .collect();
    folders.sort();
    folders.dedup();
    for folder in &folders {
        watcher.watch(folder, RecursiveMode::NonRecursive)?;
    }
    for directory in &sources.directories {
        watcher.watch(Path::new(directory), RecursiveMode::Recursive)?;
    }
    Ok(watcher)
}

/// What the files look like: enough to tell that one has been written, replaced or removed.
#[derive(Debug, PartialEq, Eq)]
struct Snapshot(BTreeMap<String, Option<Look>>);

#[derive(Debug, PartialEq, Eq)]
struct Look {
    device: u64,
    inode: u64,
    length_bytes: u64,
    changed: (i64, i64),
}

impl Snapshot {
    fn take(sources: &Sources) -> Snapshot {
        let files = sources.find(&environment_variable).unwrap_or_default();
        Snapshot(files.into_iter().map(|file| (file.clone(), Look::at(&file))).collect())
    }

    /// Looks again; tells whether anything differs, and says what.
    fn differs_now(&mut self, sources: &Sources) -> bool {
        let now = Snapshot::take(sources);
        for (file, look) in &now.0 {
            let word = match (self.0.get(file), look) {
                (Some(before), _) if before == look => continue,
                (_, None) => "deleted",
                (None | Some(None), Some(_)) => "created",
                (Some(Some(_)), Some(_)) => "modified",
            };
            log::info!(target: "", "Config file/directory {file:?} {word}");
        }
        for file in self.0.keys().filter(|file| !now.0.contains_key(*file)) {
            log::warn!(target: "", "Config file/directory {file:?} deleted");
        }
        let differs = *self != now;
        *self = now;
        differs
    }
}

impl Look {
    fn at(path: &str) -> Option<Look> {
        let metadata = std::fs::metadata(path).ok()?;
        Some(Look {
            device: metadata.dev(),
            inode: metadata.ino(),
            length_bytes: metadata.len(),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(20);

    fn changes_are_seen(notice: Notice) {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir(path("d")).unwrap();
        fs::write(path("a.conf"), "1").unwrap();
        fs::write(path("other"), "1").unwrap();
        let sources = Sources {
            files: vec![path("a.conf").display().to_string()],
            directories: vec![path("d").display().to_string()],
        };
        let options = WatchOptions { notice, debounce: Duration::ZERO };
        let watch = ConfigWatch::start(options, &sources, &System::real()).unwrap();
        let wait = |what: &str| watch.changed.recv_timeout(LIMIT).expect(what);

        fs::write(path("a.conf"), "12").unwrap();
        wait("a file that is written");
        fs::write(path("b"), "3").unwrap();
        fs::rename(path("b"), path("a.conf")).unwrap();
        wait("a file that is replaced");
        fs::write(path("d/new.conf"), "1").unwrap();
        wait("a file that is new");
        fs::remove_file(path("d/new.conf")).unwrap();
        wait("a file that is gone");
        // What is not configuration changes nothing; the next message is of the file after it.
        fs::write(path("other"), "2").unwrap();
        fs::write(path("d/other"), "2").unwrap();
        fs::remove_file(path("a.conf")).unwrap();
        wait("the file that is gone");
        drop(watch);
    }

    #[test]
    fn changes_are_seen_when_the_kernel_tells() {
        changes_are_seen(Notice::Events);
    }

    #[test]
    fn changes_are_seen_by_looking() {
        changes_are_seen(Notice::Every(Duration::from_millis(1)));
    }
}
