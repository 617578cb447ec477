//! What a file that is written fast leaves in the kernel's page cache.
//!
//! Left alone, the kernel keeps all that is written in memory: it takes a page of new memory for each
//! page of the file, pushes out what others had there, and begins to write only when it is told to
//! flush. Whoever catches up with a topic of many gigabytes wants none of that. So the kernel is told
//! step by step that what was written will not be read soon: it begins to write it to the disk at
//! once, which leaves less to wait for at the next flush, and gives back the memory of what has
//! arrived there, which is used again, still warm, for what comes next.
//!
//! It is advice and nothing else: what is on the disk, and whether flushing it has failed, is known
//! from the flush alone. What comes in slowly stays in memory for those who follow a file's end.
//!
//! # References
//! `posix_fadvise(2)`, `POSIX_FADV_DONTNEED`; `mm/fadvise.c` in Linux begins to write what is
//! dirty, without waiting, before it drops what is clean.

use std::fs::File;
use std::ops::Range;

/// After how many bytes since the last commit the kernel is told, each time.
const STEP: u64 = 4 * 1024 * 1024;

/// How far back it is told. What it has begun to write in one step it can drop in a later one.
const REACH: u64 = 64 * 1024 * 1024;

/// The piece at the end that is still being filled is left alone, as it would be written twice.
const WHOLE: u64 = 1024 * 1024;

/// How much was written to a file since the last commit and since the last advice.
#[derive(Debug, Default)]
pub(super) struct PageCache {
    since_advice: u64,
}

impl PageCache {
    /// Counts what was appended to a file, which ends at `end` now, and tells the kernel when it is
    /// time.
    pub(super) fn appended(&mut self, file: &File, bytes: u64, end: u64) {
        self.since_advice += bytes;
        if self.since_advice >= STEP {
            self.since_advice = 0;
            give_back(file, behind(end));
        }
    }

    /// A commit begins: a file to which less than a step is written until the next one stays in
    /// memory.
    pub(super) fn commit_begins(&mut self) {
        self.since_advice = 0;
    }
}

/// The stretch of a file of this length that need not stay in memory.
fn behind(end: u64) -> Range<u64> {
    let end = end - end % WHOLE;
    end.saturating_sub(REACH)..end
}

#[cfg(target_os = "linux")]
fn give_back(file: &File, stretch: Range<u64>) {
    use std::num::NonZeroU64;

    use rustix::fs::{Advice, fadvise};

    let Some(length) = NonZeroU64::new(stretch.end - stretch.start) else { return };
    // Pipes take no advice, and nothing depends on it.
    let _ = fadvise(file, stretch.start, Some(length), Advice::DontNeed);
}

/// Elsewhere the system goes by its own mind.
#[cfg(not(target_os = "linux"))]
fn give_back(_: &File, _: Range<u64>) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_pieces_before_the_end_are_given_back() {
        const MIB: u64 = 1024 * 1024;
        for (end, stretch) in [
            (0, 0..0),
            (MIB - 1, 0..0),
            (5 * MIB + 17, 0..5 * MIB),
            (64 * MIB, 0..64 * MIB),
            (100 * MIB + 1, 36 * MIB..100 * MIB),
        ] {
            assert_eq!(behind(end), stretch, "{end}");
        }
    }

    #[test]
    fn only_what_comes_fast_is_given_back() {
        let file = tempfile::tempfile().unwrap();
        let mut cache = PageCache::default();
        for (bytes, left) in [(STEP - 1, STEP - 1), (1, 0), (STEP * 3, 0), (7, 7)] {
            cache.appended(&file, bytes, STEP);
            assert_eq!(cache.since_advice, left);
        }
        cache.commit_begins();
        cache.appended(&file, STEP - 1, STEP);
        assert_eq!(cache.since_advice, STEP - 1);
    }
}
