//! Readings for systems without `/proc`, through the `sysinfo` crate.
//!
//! They tell less than `/proc` does; on Linux they only serve to be held against it in tests.

use std::io;

/// How the memory is used, as far as every system tells; all in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortableMemory {
    /// All of it.
    pub total: u64,
    /// What is not used for anything.
    pub free: u64,
    /// What new work could get without swapping.
    pub available: u64,
    /// All of the swap space.
    pub swap_total: u64,
    /// The swap space that is not used.
    pub swap_free: u64,
}

impl PortableMemory {
    /// Reads it now.
    ///
    /// # Errors
    /// If the system does not let itself be read.
    pub fn read() -> io::Result<PortableMemory> {
        let mut system =
            sysinfo::System::new().map_err(|error| io::Error::other(error.to_string()))?;
        system.refresh_memory();
        Ok(PortableMemory {
            total: system.total_memory(),
            free: system.free_memory(),
            available: system.available_memory(),
            swap_total: system.total_swap(),
            swap_free: system.free_swap(),
        })
    }
}
