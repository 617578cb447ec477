//! What is in a data file, also if it was compressed when it was finished.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, ErrorKind, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;

/// How much is read at once.
pub(super) const PIECE: usize = 256 * 1024;

/// A data file that is read from the beginning to the end, in whatever form it lies there.
pub(super) struct Contents {
    path: PathBuf,
    source: Source,
}

enum Source {
    Plain(File),
    Packed {
        stream: Box<dyn Read>,
        /// How much was read.
        at: u64,
    },
}

/// The name of a compressed file without what says so.
pub(super) fn unpacked_name(path: &Path) -> Option<PathBuf> {
    packing(path).map(|_| path.with_extension(""))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Packing {
    Gzip,
    Zstd,
}

fn packing(path: &Path) -> Option<Packing> {
    match path.extension()?.to_str()? {
        "gz" => Some(Packing::Gzip),
        "zst" => Some(Packing::Zstd),
        _ => None,
    }
}

/// Opens a file for reading, and nothing else.
///
/// # Errors
/// Whatever opening fails with.
pub(super) fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).open(path)
}

impl Contents {
    /// Opens a data file; its name tells whether it is compressed.
    ///
    /// # Errors
    /// Whatever opening fails with.
    pub(super) fn open(path: &Path) -> io::Result<Contents> {
        let file = open(path)?;
        let packed = |file| BufReader::with_capacity(PIECE, file);
        let source = match packing(path) {
            None => Source::Plain(file),
            Some(Packing::Gzip) => {
                Source::Packed { stream: Box::new(MultiGzDecoder::new(packed(file))), at: 0 }
            }
            Some(Packing::Zstd) => {
                let stream = zstd::Decoder::with_buffer(packed(file))?;
                Source::Packed { stream: Box::new(stream), at: 0 }
            }
        };
        Ok(Contents { path: path.to_owned(), source })
    }

    /// Opens a file that is as it is, whatever it is called.
    ///
    /// # Errors
    /// Whatever opening fails with.
    pub(super) fn plain(path: &Path) -> io::Result<Contents> {
        Ok(Contents { path: path.to_owned(), source: Source::Plain(open(path)?) })
    }

    /// Whether only reading onwards is cheap.
    pub(super) fn is_packed(&self) -> bool {
        matches!(self.source, Source::Packed { .. })
    }

    /// How many bytes there are; of a compressed file all that is left is read for it.
    ///
    /// # Errors
    /// Whatever reading fails with.
    pub(super) fn length(&mut self) -> io::Result<u64> {
        match &mut self.source {
            Source::Plain(file) => Ok(file.metadata()?.len()),
            Source::Packed { stream, at } => {
                *at += io::copy(stream, &mut io::sink())?;
                Ok(*at)
            }
        }
    }

    /// Reads a stretch piece by piece; tells whether the file was long enough.
    ///
    /// # Errors
    /// Whatever reading fails with.
    pub(super) fn read(
        &mut self,
        start: u64,
        end: u64,
        mut take: impl FnMut(u64, &[u8]),
    ) -> io::Result<bool> {
        if let Source::Packed { at, .. } = &self.source
            && *at > start
        {
            *self = Contents::open(&self.path)?;
        }
        let most = usize::try_from(end.saturating_sub(start)).unwrap_or(PIECE).min(PIECE);
        let mut piece = vec![0; most];
        if let Source::Packed { stream, at } = &mut self.source {
            *at += io::copy(&mut stream.take(start - *at), &mut io::sink())?;
            if *at < start {
                return Ok(false);
            }
        }
        let mut next = start;
        while next < end {
            let wanted = usize::try_from(end - next).unwrap_or(most).min(most);
            let read = match &mut self.source {
                Source::Plain(file) => file.read_at(&mut piece[..wanted], next),
                Source::Packed { stream, .. } => stream.read(&mut piece[..wanted]),
            };
            match read {
                Ok(0) => return Ok(false),
                Ok(read) => {
                    take(next, &piece[..read]);
                    next += read as u64;
                    if let Source::Packed { at, .. } = &mut self.source {
                        *at = next;
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;

    use super::*;

    fn contents(ending: &str, content: &[u8]) -> (tempfile::TempDir, Contents) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(format!("a.csv{ending}"));
        let packed = match ending {
            ".gz" => {
                let mut out =
                    flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                out.write_all(content).unwrap();
                out.finish().unwrap()
            }
            ".zst" => zstd::encode_all(content, 1).unwrap(),
            _ => content.to_vec(),
        };
        fs::write(&path, packed).unwrap();
        let contents = Contents::open(&path).unwrap();
        (folder, contents)
    }

    #[test]
    fn a_stretch_is_read_wherever_it_is_in_whatever_form() {
        let content: Vec<u8> = (0..700_000_u32).map(|number| (number % 251) as u8).collect();
        for ending in ["", ".gz", ".zst"] {
            let (_folder, mut contents) = contents(ending, &content);
            for (start, end) in
                [(0, 10), (5, 300_000), (300_000, 600_000), (2, 3), (699_999, 700_000)]
            {
                let mut found = Vec::new();
                let is_whole = contents.read(start, end, |at, piece| {
                    assert_eq!(at, start + found.len() as u64);
                    found.extend_from_slice(piece);
                });
                assert!(is_whole.unwrap());
                assert!(found == content[start as usize..end as usize], "{ending} {start}..{end}");
            }
            assert!(!contents.read(699_990, 700_001, |_, _| {}).unwrap());
            assert!(!contents.read(800_000, 800_001, |_, _| {}).unwrap());
            assert_eq!(contents.length().unwrap(), 700_000, "{ending}");
        }
    }

    #[test]
    fn a_compressed_file_is_known_by_its_ending() {
        for (path, unpacked) in [
            ("d/a.csv.gz", Some("d/a.csv")),
            ("a.csv.zst", Some("a.csv")),
            ("a.csv", None),
            ("a", None),
        ] {
            assert_eq!(
                unpacked_name(Path::new(path)).as_deref(),
                unpacked.map(Path::new),
                "{path}"
            );
        }
    }
}
