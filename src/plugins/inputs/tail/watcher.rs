//! Waits for something to happen to files.

use std::collections::BTreeSet;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};

use super::config::WatchMethod;

/// How often files are looked at where the kernel is not asked to tell.
const POLL_EVERY: Duration = Duration::from_millis(250);

/// What is watched, as the kernel numbers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Watch(i32);

/// What has happened.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Happened {
    /// Something to these, or nothing before the time was up.
    To(BTreeSet<Watch>),
    /// Nobody knows what; everything has to be looked at.
    Anything,
}

/// Wakes a watcher from another thread.
#[derive(Debug, Clone)]
pub(super) struct Waker(Arc<OwnedFd>);

impl Waker {
    /// Makes the watcher return.
    pub(super) fn wake(&self) {
        // A counter that is full has woken it already.
        let _ = rustix::io::write(&*self.0, &1_u64.to_ne_bytes());
    }
}

/// Waits for something to happen to files.
#[derive(Debug)]
pub(super) struct Watcher {
    /// None where files are looked at every now and then.
    inotify: Option<OwnedFd>,
    wake: Arc<OwnedFd>,
}

impl Watcher {
    /// Makes a watcher that watches nothing yet.
    ///
    /// # Errors
    /// If the system has no more room for one.
    pub(super) fn new(method: WatchMethod) -> io::Result<Watcher> {
        let inotify = match method {
            WatchMethod::Inotify => {
                Some(inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?)
            }
            WatchMethod::Poll => None,
        };
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Watcher { inotify, wake: Arc::new(wake) })
    }

    /// What wakes it.
    pub(super) fn waker(&self) -> Waker {
        Waker(self.wake.clone())
    }

    /// Watches a file for being written, cut, moved and removed.
    ///
    /// # Errors
    /// If the file is not there or the system has no more room.
    pub(super) fn watch_file(&self, path: &Path) -> io::Result<Option<Watch>> {
        let flags = WatchFlags::MODIFY
            | WatchFlags::ATTRIB
            | WatchFlags::MOVE_SELF
            | WatchFlags::DELETE_SELF;
        self.watch(path, flags)
    }

    /// Watches a folder for files that appear in it.
    ///
    /// # Errors
    /// If the folder is not there or the system has no more room.
    pub(super) fn watch_folder(&self, path: &Path) -> io::Result<Option<Watch>> {
        self.watch(path, WatchFlags::CREATE | WatchFlags::MOVED_TO | WatchFlags::ONLYDIR)
    }

    fn watch(&self, path: &Path, flags: WatchFlags) -> io::Result<Option<Watch>> {
        let Some(inotify) = &self.inotify else { return Ok(None) };
        // The same file or folder may be watched for something else, too.
        Ok(Some(Watch(inotify::add_watch(inotify, path, flags | WatchFlags::MASK_ADD)?)))
    }

    /// Ends a watch.
    pub(super) fn remove(&self, watch: Watch) {
        if let Some(inotify) = &self.inotify {
            // The watch of a file that is gone has ended by itself.
            let _ = inotify::remove_watch(inotify, watch.0);
        }
    }

    /// Waits until something happens, somebody wakes it, or the time is up.
    pub(super) fn wait(&self, limit: Option<Duration>) -> Happened {
        let Some(inotify) = &self.inotify else {
            let limit = limit.map_or(POLL_EVERY, |limit| limit.min(POLL_EVERY));
            self.poll(&mut [PollFd::new(&*self.wake, PollFlags::IN)], Some(limit));
            return Happened::Anything;
        };
        let mut both =
            [PollFd::new(inotify, PollFlags::IN), PollFd::new(&*self.wake, PollFlags::IN)];
        self.poll(&mut both, limit);
        read_events(inotify)
    }

    fn poll(&self, sources: &mut [PollFd<'_>], limit: Option<Duration>) {
        let limit = limit.and_then(|limit| Timespec::try_from(limit).ok());
        // What it returns is found out by reading.
        let _ = poll(sources, limit.as_ref());
        let _ = rustix::io::read(&*self.wake, &mut [0; 8]);
    }
}

fn read_events(inotify: &OwnedFd) -> Happened {
    let mut room = [MaybeUninit::uninit(); 8 << 10];
    let mut reader = inotify::Reader::new(inotify, &mut room);
    let mut watches = BTreeSet::new();
    let mut was_overrun = false;
    // It ends with the error that there is nothing more to read.
    while let Ok(event) = reader.next() {
        was_overrun |= event.events().contains(inotify::ReadFlags::QUEUE_OVERFLOW);
        watches.insert(Watch(event.wd()));
    }
    if was_overrun { Happened::Anything } else { Happened::To(watches) }
}
