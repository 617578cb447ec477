//! What is found in files that people should know of.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;

use crate::kafka::group::Partition;

/// Something about a data file or its journal that is worth a line in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// A file without a journal ended in a torn record, which was cut off.
    Torn {
        /// The file.
        path: PathBuf,
        /// How much was cut off.
        bytes: u64,
    },
    /// A file held more than its journal, because its sink was killed while it was writing; that
    /// was never committed, and was cut off.
    Unfinished {
        /// The file.
        path: PathBuf,
        /// How much was cut off.
        bytes: u64,
    },
    /// Confirmed records are not in the file any more.
    Missing {
        /// The file.
        path: PathBuf,
        /// The partition.
        partition: Partition,
        /// The offsets.
        offsets: Range<i64>,
        /// How many records.
        records: u64,
    },
    /// Somebody else has changed the file; what is in it stays.
    Changed {
        /// The file.
        path: PathBuf,
        /// How long it was.
        expected: u64,
        /// How long it is.
        found: u64,
    },
    /// Somebody else has written over committed records; what is in the file stays.
    Overwritten {
        /// The file.
        path: PathBuf,
        /// Where they stood.
        bytes: Range<u64>,
    },
    /// The group has gone back behind records that were committed too long ago to be taken out.
    Forgotten {
        /// The file.
        path: PathBuf,
        /// The partition.
        partition: Partition,
        /// The offsets.
        offsets: Range<i64>,
    },
    /// Lines of a journal are wrong.
    JournalDamaged {
        /// The journal.
        path: PathBuf,
        /// Where the first wrong line stands.
        at: u64,
        /// How many are wrong.
        lines: usize,
    },
    /// A journal describes a file that is not here any more; it was set aside.
    Replaced {
        /// The data file.
        path: PathBuf,
    },
    /// Records that stay are not as they were written.
    ChecksumWrong {
        /// The file.
        path: PathBuf,
        /// Where they stand.
        bytes: Range<u64>,
    },
    /// The bytes are gone that were to be put back at the end of a file.
    RewriteLost {
        /// The file.
        path: PathBuf,
        /// Where they were to stand.
        bytes: Range<u64>,
    },
    /// Nobody can tell whether these records count; they stay.
    Undecided {
        /// The file.
        path: PathBuf,
        /// The partition.
        partition: Partition,
        /// The offsets.
        offsets: Range<i64>,
        /// How many records.
        records: u64,
    },
}

impl Finding {
    /// How many records may stand in the files more than once, or not at all.
    pub fn doubtful_records(&self) -> u64 {
        match self {
            Finding::Missing { records, .. } | Finding::Undecided { records, .. } => *records,
            Finding::Forgotten { offsets, .. } => offsets.end.abs_diff(offsets.start),
            _ => 0,
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Finding::Torn { path, bytes } => {
                write!(f, "{} ended in a torn record of {bytes} bytes, cut off", path.display())
            }
            Finding::Unfinished { path, bytes } => write!(
                f,
                "{} ended in {bytes} bytes that were never committed; they are cut off and read again",
                path.display()
            ),
            Finding::Missing { path, partition, offsets, records } => write!(
                f,
                "{} is shorter than its journal says: {records} records of {partition}, offsets {} to {}, \
                 are committed and not in it any more",
                path.display(),
                offsets.start,
                offsets.end - 1
            ),
            Finding::Changed { path, expected, found } => write!(
                f,
                "{} was changed by somebody else: it has {found} bytes instead of {expected}. What is in it \
                 stays, and a new journal begins",
                path.display()
            ),
            Finding::Overwritten { path, bytes } => write!(
                f,
                "{} does not hold between byte {} and {} what its journal says: somebody else has written \
                 to it. What is in it stays, and a new journal begins",
                path.display(),
                bytes.start,
                bytes.end
            ),
            Finding::Forgotten { path, partition, offsets } => write!(
                f,
                "the group has lost commits: offsets {} to {} of {partition} stand in {} and are read again, so \
                 that they stand twice",
                offsets.start,
                offsets.end - 1,
                path.display()
            ),
            Finding::JournalDamaged { path, at, lines } => write!(
                f,
                "{} is damaged: {lines} wrong lines, the first at byte {at}; they are passed over",
                path.display()
            ),
            Finding::Replaced { path } => write!(
                f,
                "{} is another file than its journal describes; the journal was set aside",
                path.display()
            ),
            Finding::ChecksumWrong { path, bytes } => write!(
                f,
                "{} is damaged between byte {} and {}: it does not hold what was written there",
                path.display(),
                bytes.start,
                bytes.end
            ),
            Finding::RewriteLost { path, bytes } => write!(
                f,
                "the bytes that belong into {} from {} to {} are lost: their side file is missing or damaged",
                path.display(),
                bytes.start,
                bytes.end
            ),
            Finding::Undecided { path, partition, offsets, records } => write!(
                f,
                "undecided: whether {records} records of {partition}, offsets {} to {}, were committed by this \
                 sink or read again by others; they stay in {}",
                offsets.start,
                offsets.end - 1,
                path.display()
            ),
        }
    }
}
