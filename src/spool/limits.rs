//! How much a spool holds, and how hard it writes.

use std::time::Duration;

/// How much waits at most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// How many bytes the segment files take together.
    pub bytes: Option<u64>,
    /// How many records wait for one reader.
    pub records: Option<u64>,
    /// How old a record is when it is read.
    pub age: Option<Duration>,
    /// How many bytes wait in memory while the disk takes none.
    pub memory_bytes: usize,
    /// What happens beyond the limits of bytes and records.
    pub overflow: Overflow,
}

impl Limits {
    /// As much as the disk takes, and 16 MiB in memory while it takes none.
    pub const DISK: Limits = Limits {
        bytes: None,
        records: None,
        age: None,
        memory_bytes: 16 << 20,
        overflow: Overflow::DropOldest,
    };
}

/// What gives way where there is no more room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overflow {
    /// The oldest records: whole segments where bytes are short.
    DropOldest,
    /// New records, which are not taken; whoever has them may drop them or wait.
    Refuse,
}

/// When what was written is brought to the disk, so that it outlasts a loss of power. A process
/// that dies loses nothing of it in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sync {
    /// With every group of records.
    EveryGroup,
    /// At most this long after a group was written, as long as the spool is used or told to.
    Within(Duration),
    /// When the system likes.
    Never,
}

/// How a spool is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpoolOptions {
    /// How much waits at most.
    pub limits: Limits,
    /// When it is brought to the disk.
    pub sync: Sync,
    /// How large a segment grows, in bytes.
    pub segment_bytes: u64,
}

impl SpoolOptions {
    /// Options with segments that suit the limit of bytes.
    pub fn new(limits: Limits, sync: Sync) -> SpoolOptions {
        /// Large enough that changing files costs nothing, small enough to scan one at the start.
        const LARGE: u64 = 8 << 20;
        const SMALL: u64 = 64 << 10;
        let share = limits.bytes.map_or(LARGE, |bytes| bytes / 16);
        SpoolOptions { limits, sync, segment_bytes: share.clamp(SMALL, LARGE) }
    }
}
