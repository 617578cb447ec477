//! Threads that have names and are waited for.

use std::io;
use std::thread::{Builder, JoinHandle};

/// Enough for any plugin; the default of two or eight mebibytes is address space for nothing.
const STACK_BYTES: usize = 1024 * 1024;

/// A thread that is joined when the handle is dropped.
///
/// Whatever tells the thread to end must be dropped before the handle: field order in structs is
/// shutdown order.
#[derive(Debug)]
pub struct Thread {
    handle: Option<JoinHandle<()>>,
}

/// Starts a named thread.
///
/// # Errors
/// If the system has no room for another thread.
pub fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<Thread> {
    // The kernel keeps fifteen characters of the name, which is what `top -H` shows.
    let handle = Builder::new().name(name.to_owned()).stack_size(STACK_BYTES).spawn(work)?;
    Ok(Thread { handle: Some(handle) })
}

impl Thread {
    /// Waits for the thread to end.
    pub fn join(mut self) {
        self.wait();
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
