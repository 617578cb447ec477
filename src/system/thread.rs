//! Threads that have names and are waited for.

use std::io;
use std::thread::{Builder, JoinHandle};
use std::time::Instant;

use crossbeam_channel::{Receiver, bounded, select_biased};

/// Enough for any plugin; the default of two or eight mebibytes is address space for nothing.
const STACK_BYTES: usize = 1024 * 1024;

/// A thread that is joined when the handle is dropped.
///
/// Whatever tells the thread to end must be dropped before the handle: field order in structs is
/// shutdown order.
#[derive(Debug)]
pub struct Thread {
    name: String,
    handle: Option<JoinHandle<()>>,
    /// Closes when the thread has done its work.
    ended: Receiver<()>,
}

/// A thread that nobody waits for any more: it goes with the process.
#[derive(Debug, PartialEq, Eq)]
pub struct Working {
    /// The name of the thread.
    pub name: String,
}

/// Starts a named thread.
///
/// # Errors
/// If the system has no room for another thread.
pub fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<Thread> {
    let (works, ended) = bounded(0);
    let work = move || {
        work();
        drop(works);
    };
    // The kernel keeps fifteen characters of the name, which is what `top -H` shows.
    let handle = Builder::new().name(name.to_owned()).stack_size(STACK_BYTES).spawn(work)?;
    Ok(Thread { name: name.to_owned(), handle: Some(handle), ended })
}

impl Thread {
    /// Waits for the thread to end.
    pub fn join(mut self) {
        self.wait();
    }

    /// The name of the thread.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Waits for the thread to end, but not beyond the time at which `deadline` becomes ready;
    /// `Err` is a thread that works on.
    pub fn join_before(mut self, deadline: &Receiver<Instant>) -> Result<(), Working> {
        let ended = select_biased! {
            recv(self.ended) -> _ => true,
            recv(deadline) -> _ => false,
        };
        if ended {
            self.wait();
            return Ok(());
        }
        self.handle = None;
        Err(Working { name: std::mem::take(&mut self.name) })
    }

    fn wait(&mut self) {
        if let Some(handle) = self.handle.take()
            && handle.join().is_err()
        {
            // The panic hook has already said where and why.
            log::error!(target: "", "A thread panicked");
        }
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.wait();
    }
}
