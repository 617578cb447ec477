//! How full a file system is.

use std::io;
use std::path::Path;

use rustix::fs::StatVfsMountFlags;

/// The space of a file system in bytes, and its inodes.
///
/// # References
/// statvfs(3). As in Telegraf the counts of blocks are taken to be in units of `f_bsize`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpaceUsage {
    /// All of it.
    pub total_bytes: u64,
    /// What is left for everybody.
    pub free_bytes: u64,
    /// What is taken; the rest of the total is left for the superuser only.
    pub used_bytes: u64,
    /// How many files there can be; zero where that has no limit.
    pub inodes_total: u64,
    /// How many more files there can be.
    pub inodes_free: u64,
    /// How many files there are.
    pub inodes_used: u64,
    /// Whether nothing can be written, be it the mount or the file system that forbids it.
    pub is_read_only: bool,
}

impl SpaceUsage {
    /// Asks about the file system that holds `path`; may wait for a server if it is far away.
    ///
    /// # Errors
    /// Whatever the call fails with, as the kernel tells it.
    pub fn of(path: &Path) -> io::Result<SpaceUsage> {
        let usage = rustix::fs::statvfs(path)?;
        let bytes = |blocks: u64| blocks.wrapping_mul(usage.f_bsize);
        Ok(SpaceUsage {
            total_bytes: bytes(usage.f_blocks),
            free_bytes: bytes(usage.f_bavail),
            used_bytes: bytes(usage.f_blocks.wrapping_sub(usage.f_bfree)),
            inodes_total: usage.f_files,
            inodes_free: usage.f_ffree,
            inodes_used: usage.f_files.saturating_sub(usage.f_ffree),
            is_read_only: usage.f_flag.contains(StatVfsMountFlags::RDONLY),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_system_has_room_and_one_of_the_kernel_has_none() {
        let usage = SpaceUsage::of(Path::new("/")).unwrap();
        assert!(usage.total_bytes >= usage.used_bytes && usage.used_bytes > 0, "{usage:?}");
        assert_eq!(SpaceUsage::of(Path::new("/proc")).unwrap().total_bytes, 0);
        let error = SpaceUsage::of(Path::new("/nonexistent")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
