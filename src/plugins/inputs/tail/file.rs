//! One file that is followed: reads on where it ended, through rotation and truncation.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use crate::plugin::CharacterEncoding;

/// How much is read at a time.
const CHUNK_BYTES: usize = 64 << 10;

/// Where to begin in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Begin {
    /// So many bytes from its beginning.
    At(u64),
    /// At its end.
    End,
    /// Wherever it is, for pipes.
    Here,
}

/// Whether a turn of reading came to the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// There is nothing more for now.
    End,
    /// There is more.
    More,
}

/// What became of the file at the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is the one that is open.
    Same,
    /// Another has taken its place.
    Replaced,
    /// There is none.
    Gone,
}

/// A file that is open for following.
#[derive(Debug)]
pub(super) struct OpenFile {
    path: PathBuf,
    file: File,
    encoding: CharacterEncoding,
    is_pipe: bool,
    /// Bytes read beyond the last line end.
    rest: Vec<u8>,
    /// How many of them are known to be in no line end.
    searched: usize,
    /// Where `rest` begins in the file.
    position: u64,
}

impl OpenFile {
    /// Opens the file at `path`.
    ///
    /// # Errors
    /// If it cannot be opened, or has no such place to begin at.
    pub(super) fn open(
        path: &Path,
        begin: Begin,
        encoding: CharacterEncoding,
    ) -> io::Result<OpenFile> {
        // Opening a pipe must not wait for somebody to write.
        let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
        let mut file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
        if file.metadata()?.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        let position = match begin {
            Begin::At(position) => file.seek(SeekFrom::Start(position))?,
            Begin::End => file.seek(SeekFrom::End(0))?,
            Begin::Here => 0,
        };
        let (path, is_pipe) = (path.to_owned(), begin == Begin::Here);
        let (rest, searched) = (Vec::new(), 0);
        Ok(OpenFile { path, file, encoding, is_pipe, rest, searched, position })
    }

    /// Where the last whole line ended.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Reads one chunk and hands its whole lines to `take`, in UTF-8 and without their ends.
    ///
    /// # Errors
    /// Whatever reading fails with.
    pub(super) fn read(&mut self, take: &mut dyn FnMut(&[u8])) -> io::Result<Turn> {
        let length = self.rest.len();
        self.rest.resize(length + CHUNK_BYTES, 0);
        let read = self.file.read(&mut self.rest[length..]);
        self.rest.truncate(length + *read.as_ref().unwrap_or(&0));
        match read {
            Ok(0) => return Ok(Turn::End),
            Ok(_) => {}
            // Writers of a pipe are there and have nothing to say.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Turn::End),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(Turn::More),
            Err(error) => return Err(error),
        }
        self.take_lines(take);
        Ok(Turn::More)
    }

    fn take_lines(&mut self, take: &mut dyn FnMut(&[u8])) {
        let mut start = 0;
        while let Some(length) = self.encoding.line_length(&self.rest[start..], self.searched) {
            let mut line = &self.rest[start..start + length];
            if self.position == 0 && start == 0 {
                line = &line[CharacterEncoding::byte_order_mark(line).min(line.len())..];
            }
            take(&self.encoding.decode_line(line));
            start += length;
            self.searched = 0;
        }
        self.rest.drain(..start);
        // A line end of two bytes may be there in half.
        self.searched = self.rest.len() & !1;
        self.position += start as u64;
    }

    /// Hands over what stands behind the last line end of a file that is at its end for good.
    pub(super) fn finish(&mut self, take: &mut dyn FnMut(&[u8])) {
        if !self.rest.is_empty() {
            let line = std::mem::take(&mut self.rest);
            take(&self.encoding.decode_line(&line));
        }
    }

    /// Begins anew if the file has become shorter than what was read of it.
    ///
    /// # Errors
    /// Whatever the system says.
    pub(super) fn rewind_if_truncated(&mut self) -> io::Result<bool> {
        if self.is_pipe {
            return Ok(false);
        }
        let read = self.position + self.rest.len() as u64;
        if self.file.metadata()?.len() >= read {
            return Ok(false);
        }
        self.file.seek(SeekFrom::Start(0))?;
        self.rest.clear();
        (self.searched, self.position) = (0, 0);
        Ok(true)
    }

    /// What became of the file at the path.
    ///
    /// # Errors
    /// Whatever the system says of a path that is there.
    pub(super) fn fate(&self) -> io::Result<Fate> {
        let identity = |state: &Metadata| (state.dev(), state.ino());
        match std::fs::metadata(&self.path) {
            Ok(state) if identity(&state) == identity(&self.file.metadata()?) => Ok(Fate::Same),
            Ok(_) => Ok(Fate::Replaced),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Fate::Gone),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    struct Followed {
        folder: tempfile::TempDir,
        file: OpenFile,
    }

    impl Followed {
        fn new(content: &[u8], begin: Begin, encoding: CharacterEncoding) -> Followed {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("log");
            std::fs::write(&path, content).unwrap();
            let file = OpenFile::open(&path, begin, encoding).unwrap();
            Followed { folder, file }
        }

        fn append(&self, content: &[u8]) {
            let path = self.folder.path().join("log");
            let mut file = OpenOptions::new().append(true).open(path).unwrap();
            file.write_all(content).unwrap();
        }

        fn lines(&mut self) -> Vec<String> {
            let mut lines = Vec::new();
            let mut take = |line: &[u8]| lines.push(String::from_utf8(line.to_vec()).unwrap());
            while self.file.read(&mut take).unwrap() == Turn::More {}
            lines
        }
    }

    #[test]
    fn only_whole_lines_are_taken_and_the_position_is_behind_them() {
        let mut followed = Followed::new(b"\xef\xbb\xbfa\r\nb", Begin::At(0), Default::default());
        assert_eq!(followed.lines(), ["a"]);
        assert_eq!(followed.file.position(), 6);
        followed.append(b"c\n\nd");
        assert_eq!(followed.lines(), ["bc", ""]);
        assert_eq!(followed.file.position(), 10);
        let mut last = Vec::new();
        followed.file.finish(&mut |line| last.push(line.to_vec()));
        assert_eq!(last, [b"d"]);
    }

    #[test]
    fn lines_longer_than_a_chunk_are_whole() {
        for encoding in [CharacterEncoding::None, CharacterEncoding::Utf16Le] {
            let text = "ż".repeat(CHUNK_BYTES) + "\nend\n";
            let bytes = match encoding {
                CharacterEncoding::None => text.as_bytes().to_vec(),
                _ => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            };
            let mut followed = Followed::new(&bytes, Begin::At(0), encoding);
            assert_eq!(followed.lines().join("\n") + "\n", text);
            assert_eq!(followed.file.position(), bytes.len() as u64);
        }
    }

    #[test]
    fn reading_begins_where_it_is_told_to() {
        let mut followed = Followed::new(b"a\nb\n", Begin::End, Default::default());
        followed.append(b"c\n");
        assert_eq!(followed.lines(), ["c"]);
        let mut followed = Followed::new(b"a\nb\n", Begin::At(2), Default::default());
        assert_eq!(followed.lines(), ["b"]);
    }

    #[test]
    fn a_file_that_became_shorter_is_read_from_its_beginning() {
        let mut followed = Followed::new(b"a\nb\nrest", Begin::At(0), Default::default());
        assert_eq!(followed.lines(), ["a", "b"]);
        assert!(!followed.file.rewind_if_truncated().unwrap());
        std::fs::write(followed.folder.path().join("log"), b"c\n").unwrap();
        assert!(followed.file.rewind_if_truncated().unwrap());
        assert_eq!(followed.lines(), ["c"]);
    }

    #[test]
    fn the_fate_of_a_file_is_that_of_its_path() {
        let followed = Followed::new(b"", Begin::End, Default::default());
        let path = followed.folder.path().join("log");
        assert_eq!(followed.file.fate().unwrap(), Fate::Same);
        std::fs::rename(&path, followed.folder.path().join("log.1")).unwrap();
        assert_eq!(followed.file.fate().unwrap(), Fate::Gone);
        std::fs::write(&path, b"").unwrap();
        assert_eq!(followed.file.fate().unwrap(), Fate::Replaced);
    }

    #[test]
    fn a_pipe_is_opened_without_a_writer() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, mode).unwrap();
        let file = OpenFile::open(&path, Begin::Here, Default::default()).unwrap();
        let mut followed = Followed { folder, file };
        assert!(followed.lines().is_empty());
        let mut writer = OpenOptions::new().write(true).open(&path).unwrap();
        writer.write_all(b"a\nb").unwrap();
        assert_eq!(followed.lines(), ["a"]);
        drop(writer);
        assert!(followed.lines().is_empty());
        assert!(OpenFile::open(&path, Begin::End, Default::default()).is_err());
    }
}
