//! What a file is, whatever it is called.

use std::fmt;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::str::FromStr;
use std::time::UNIX_EPOCH;

/// What a file is, as `2049:1312@1592553600000000000` in a journal: the number of the device, that
/// of the file on it, and when it was made.
///
/// The number of a file is given to a new one once the old one was removed. Then the time at which
/// it was made is another, wherever the clock stood meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FileId {
    /// The number of the device.
    pub device: u64,
    /// The number of the file on it.
    pub inode: u64,
    /// When the file was made, in nanoseconds since 1970 by the clock of its file system; none where
    /// that does not keep it.
    pub born_ns: Option<u64>,
}

impl FileId {
    /// The file of which something is known.
    pub fn of(metadata: &Metadata) -> FileId {
        let born = metadata.created().ok();
        let born_ns = born
            .and_then(|born| born.duration_since(UNIX_EPOCH).ok())
            .and_then(|since| u64::try_from(since.as_nanos()).ok());
        FileId { device: metadata.dev(), inode: metadata.ino(), born_ns }
    }

    /// The file at a path, if there is one that can be looked at.
    pub fn at(path: &Path) -> Option<FileId> {
        fs::metadata(path).ok().as_ref().map(FileId::of)
    }

    /// Whether this is the same file, perhaps seen before the machine was started again: then the
    /// device may have another number.
    pub fn is_still(&self, before: &FileId) -> bool {
        let is_born_then = match (self.born_ns, before.born_ns) {
            (Some(born), Some(before)) => born == before,
            _ => true,
        };
        self.inode == before.inode && is_born_then
    }
}

impl fmt::Display for FileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.device, self.inode)?;
        self.born_ns.map_or(Ok(()), |born_ns| write!(f, "@{born_ns}"))
    }
}

/// The text names no file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoFileId;

impl FromStr for FileId {
    type Err = NoFileId;

    fn from_str(text: &str) -> Result<FileId, NoFileId> {
        let number = |digits: &str| digits.parse().map_err(|_| NoFileId);
        let (device, rest) = text.split_once(':').ok_or(NoFileId)?;
        let (inode, born) = rest.split_once('@').map_or((rest, None), |(a, b)| (a, Some(b)));
        let born_ns = born.map(number).transpose()?;
        Ok(FileId { device: number(device)?, inode: number(inode)?, born_ns })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_the_same_as_long_as_nothing_speaks_against_it() {
        let file = |device, inode, born_ns| FileId { device, inode, born_ns };
        for (now, before, is_same) in [
            (file(1, 2, Some(3)), file(1, 2, Some(3)), true),
            (file(9, 2, Some(3)), file(1, 2, Some(3)), true),
            (file(1, 2, Some(4)), file(1, 2, Some(3)), false),
            (file(1, 2, Some(2)), file(1, 2, Some(3)), false),
            (file(1, 5, Some(3)), file(1, 2, Some(3)), false),
            (file(1, 2, None), file(1, 2, Some(3)), true),
            (file(1, 2, Some(3)), file(1, 2, None), true),
        ] {
            assert_eq!(now.is_still(&before), is_same, "{now} {before}");
        }
    }

    #[test]
    fn it_is_read_as_it_was_written() {
        for text in ["2049:1312", "2049:1312@1592553600000000000"] {
            assert_eq!(text.parse::<FileId>().unwrap().to_string(), text);
        }
        for text in ["", "2049", "2049:", ":1", "1:2@", "1:2@x", "1:2:3", "-1:2"] {
            assert_eq!(text.parse::<FileId>(), Err(NoFileId), "{text}");
        }
    }
}
