//! Why a consumer thread ends before it is told to.

use std::path::PathBuf;

use crate::kafka::group::GroupError;

/// Why a consumer thread could not go on.
#[derive(Debug, thiserror::Error)]
pub enum ConsumerError {
    /// The client could not be made of these settings.
    #[error("joining the group: {0}")]
    Join(GroupError),
    /// The group has shut the member out for good.
    #[error("the group has shut this member out: {0}")]
    ShutOut(String),
    /// Records that were taken back cannot be read again; committing what comes after them would
    /// lose them.
    #[error("records that were taken back cannot be read again: {0}; they are not committed")]
    LostPlace(GroupError),
    /// It ended with records that it could not write; they are not committed.
    #[error("{records} records could not be written to {}; they are not committed and are read again", path.display())]
    Unwritten {
        /// How many.
        records: u64,
        /// To which file.
        path: PathBuf,
    },
}
