//! What a spool has to tell people.

use std::fmt;

/// Something that went wrong and that the spool has dealt with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// The last record of a file was not whole: its writer was stopped in the middle.
    Torn {
        /// The file.
        file: String,
        /// How many bytes were cut off.
        bytes: u64,
    },
    /// A file was cut at its first bad record.
    Cut {
        /// The file.
        file: String,
        /// How many bytes were cut off.
        bytes: u64,
        /// The copy of what it was, if the disk had room for one.
        copy: Option<String>,
    },
    /// A file holds what is no segment; it was given another name.
    SetAside {
        /// Its name now.
        file: String,
    },
    /// Records could not be read; the rest of the file stays for people to look at.
    Unreadable {
        /// The file.
        file: String,
        /// How many records.
        records: u64,
    },
    /// Records are not there any more: their file has gone.
    Missing {
        /// The file that comes after them.
        before: String,
        /// How many records.
        records: u64,
    },
    /// What a reader had done with is not known any more: it reads everything again.
    CursorLost {
        /// Its file.
        file: String,
    },
    /// The disk does not take records; they wait in memory.
    InMemory {
        /// What the system says.
        error: String,
    },
    /// The disk takes records again, and has got those that waited in memory.
    BackOnDisk {
        /// How many.
        records: u64,
    },
    /// Something else about the disk failed and is tried again.
    Failed {
        /// What.
        doing: &'static str,
        /// What the system says.
        error: String,
    },
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Notice::Torn { file, bytes } => {
                write!(f, "{file} ended in the middle of a record; {bytes} bytes were cut off")
            }
            Notice::Cut { file, bytes, copy } => {
                write!(
                    f,
                    "{file} is damaged; {bytes} bytes from its first bad record on were cut off"
                )?;
                match copy {
                    Some(copy) => write!(f, ", and a copy is kept in {copy}"),
                    None => Ok(()),
                }
            }
            Notice::SetAside { file } => {
                write!(f, "a damaged file was set aside as {file}; its metrics are not sent")
            }
            Notice::Unreadable { file, records } => write!(
                f,
                "{file} is damaged: {records} metrics cannot be read and are lost; what there is \
                 will be kept in {file}.damaged"
            ),
            Notice::Missing { before, records } => {
                write!(f, "{records} metrics before {before} are missing and lost")
            }
            Notice::CursorLost { file } => write!(
                f,
                "{file} is damaged: metrics that were written before may be written again"
            ),
            Notice::InMemory { error } => write!(
                f,
                "the disk takes no metrics ({error}); they wait in memory, and are lost if the \
                 agent ends before it takes them again"
            ),
            Notice::BackOnDisk { records } => {
                write!(f, "the disk takes metrics again; {records} that waited in memory are on it")
            }
            Notice::Failed { doing, error } => write!(f, "{doing} failed: {error}"),
        }
    }
}
