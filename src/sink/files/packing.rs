//! Compressing a file that has ended.
//!
//! The compressed file gets its name when it is whole and on the disk, and only then the other one
//! goes: whatever happens in between, what was in the file is in one of them. If both are there,
//! the next start compares them before it removes one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, BufWriter, ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;

use crate::sink::journal::journal_path;
use crate::sink::store::flush_folder;

/// How files are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// By gzip.
    Gzip,
    /// By Zstandard.
    Zstd,
}

/// What compressing has come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packed {
    /// There is this file in place of the other.
    Done(PathBuf),
    /// It was to end, and can begin again.
    Stopped,
}

/// How much is compressed between two looks at whether it is to end.
const PIECE_BYTES: usize = 256 * 1024;

/// The usual compromise between size and time.
const ZSTD_LEVEL: i32 = 3;

impl Packing {
    /// What the names of its files end in.
    pub fn ending(self) -> &'static str {
        match self {
            Packing::Gzip => super::names::PACKED[0],
            Packing::Zstd => super::names::PACKED[1],
        }
    }

    /// What a file is called when it is compressed.
    pub fn path_of(self, path: &Path) -> PathBuf {
        let mut name = path.as_os_str().to_owned();
        name.push(self.ending());
        PathBuf::from(name)
    }

    /// What it is called until it is whole.
    fn new_path_of(self, path: &Path) -> PathBuf {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        path.with_file_name(format!(".{name}{}.new", self.ending()))
    }

    /// Puts a compressed file in the place of one that nobody changes any more, and removes its
    /// journal, which tells of places in the file.
    ///
    /// # Errors
    /// Whatever reading, writing or removing fails with; what was there before is still there, and
    /// it may be tried again.
    pub fn pack(self, path: &Path, is_to_end: &dyn Fn() -> bool) -> io::Result<Packed> {
        let packed = self.path_of(path);
        if packed.try_exists()? {
            if !self.holds(&packed, path)? {
                let name = packed.display();
                return Err(io::Error::new(
                    ErrorKind::AlreadyExists,
                    format!("{name} is there and holds something else"),
                ));
            }
        } else {
            let new = self.new_path_of(path);
            if self.write(path, &new, is_to_end)? == Wrote::Stopped {
                // It would be written anew in any case.
                let _ = fs::remove_file(&new);
                return Ok(Packed::Stopped);
            }
            fs::rename(&new, &packed)?;
            flush_folder(packed.parent().unwrap_or(Path::new(".")))?;
        }
        fs::remove_file(path)?;
        match fs::remove_file(journal_path(path)) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(Packed::Done(packed)),
        }
    }

    fn write(self, path: &Path, new: &Path, is_to_end: &dyn Fn() -> bool) -> io::Result<Wrote> {
        let mut from = open(path)?;
        let to =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o640).open(new)?;
        let to = BufWriter::new(to);
        let file = match self {
            Packing::Gzip => {
                let mut encoder = GzEncoder::new(to, Compression::default());
                if copy(&mut from, &mut encoder, is_to_end)? == Wrote::Stopped {
                    return Ok(Wrote::Stopped);
                }
                encoder.finish()?
            }
            Packing::Zstd => {
                let mut encoder = zstd::Encoder::new(to, ZSTD_LEVEL)?;
                encoder.include_checksum(true)?;
                if copy(&mut from, &mut encoder, is_to_end)? == Wrote::Stopped {
                    return Ok(Wrote::Stopped);
                }
                encoder.finish()?
            }
        };
        let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
        // How long it is kept depends on when it was written to.
        file.set_modified(from.metadata()?.modified()?)?;
        file.sync_all()?;
        Ok(Wrote::All)
    }

    /// Whether a compressed file holds what is in the other.
    fn holds(self, packed: &Path, path: &Path) -> io::Result<bool> {
        let packed = BufReader::new(open(packed)?);
        let mut unpacked: Box<dyn Read> = match self {
            Packing::Gzip => Box::new(MultiGzDecoder::new(packed)),
            Packing::Zstd => Box::new(zstd::Decoder::with_buffer(packed)?),
        };
        let mut file = open(path)?;
        let (mut a, mut b) = (vec![0; PIECE_BYTES], vec![0; PIECE_BYTES]);
        loop {
            let n_read = fill(&mut file, &mut a)?;
            // What cannot be unpacked does not hold it.
            let Ok(n_unpacked) = fill(unpacked.as_mut(), &mut b) else { return Ok(false) };
            if a[..n_read] != b[..n_unpacked] {
                return Ok(false);
            }
            if n_read == 0 {
                return Ok(true);
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wrote {
    All,
    Stopped,
}

#[expect(clippy::disallowed_methods, reason = "the sink's subject is files")]
fn open(path: &Path) -> io::Result<File> {
    File::open(path)
}

fn copy(from: &mut File, to: &mut dyn Write, is_to_end: &dyn Fn() -> bool) -> io::Result<Wrote> {
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        if is_to_end() {
            return Ok(Wrote::Stopped);
        }
        match fill(from, &mut piece)? {
            0 => return Ok(Wrote::All),
            n_read => to.write_all(&piece[..n_read])?,
        }
    }
}

/// Reads until the piece is full or the end comes.
fn fill(from: &mut dyn Read, piece: &mut [u8]) -> io::Result<usize> {
    let mut n_read = 0;
    while n_read < piece.len() {
        match from.read(&mut piece[n_read..]) {
            Ok(0) => break,
            Ok(more) => n_read += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(n_read)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: [Packing; 2] = [Packing::Gzip, Packing::Zstd];

    fn content() -> Vec<u8> {
        (0..100_000).flat_map(|number: u32| format!("{number},x\n").into_bytes()).collect()
    }

    fn unpacked(packing: Packing, path: &Path) -> Vec<u8> {
        let bytes = fs::read(path).unwrap();
        match packing {
            Packing::Gzip => {
                let mut out = Vec::new();
                MultiGzDecoder::new(bytes.as_slice()).read_to_end(&mut out).unwrap();
                out
            }
            Packing::Zstd => zstd::decode_all(bytes.as_slice()).unwrap(),
        }
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_compressed_file_takes_the_place_of_the_other_and_is_as_old() {
        for packing in BOTH {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("a.csv");
            fs::write(&path, content()).unwrap();
            fs::write(journal_path(&path), "").unwrap();
            let modified = fs::metadata(&path).unwrap().modified().unwrap();
            let packed = packing.path_of(&path);
            assert_eq!(packing.pack(&path, &|| false).unwrap(), Packed::Done(packed.clone()));
            assert_eq!(unpacked(packing, &packed), content());
            assert_eq!(fs::metadata(&packed).unwrap().modified().unwrap(), modified);
            assert_eq!(names(folder.path()), [format!("a.csv{}", packing.ending())]);
        }
    }

    #[test]
    fn whatever_a_crash_has_left_is_gone_on_from() {
        for packing in BOTH {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("a.csv");
            // In the middle of writing.
            fs::write(&path, content()).unwrap();
            fs::write(packing.new_path_of(&path), "half").unwrap();
            packing.pack(&path, &|| false).unwrap();
            assert_eq!(names(folder.path()).len(), 1);
            // Before the other was removed.
            fs::write(&path, content()).unwrap();
            packing.pack(&path, &|| false).unwrap();
            assert_eq!(names(folder.path()).len(), 1);
            assert_eq!(unpacked(packing, &packing.path_of(&path)), content());
        }
    }

    #[test]
    fn a_file_is_not_removed_for_one_that_does_not_hold_it() {
        for packing in BOTH {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("a.csv");
            fs::write(&path, content()).unwrap();
            packing.pack(&path, &|| false).unwrap();
            let whole = fs::read(packing.path_of(&path)).unwrap();
            let more = [content(), b"more\n".to_vec()].concat();
            for (file, packed) in [
                (&more[..], &whole[..]),
                (&content()[..10], &whole[..]),
                (&content()[..], &whole[..whole.len() / 2]),
                (&content()[..], b"something else"),
            ] {
                fs::write(&path, file).unwrap();
                fs::write(packing.path_of(&path), packed).unwrap();
                let error = packing.pack(&path, &|| false).unwrap_err();
                assert!(error.to_string().contains("holds something else"), "{error}");
                assert_eq!(fs::read(&path).unwrap(), file);
            }
        }
    }

    #[test]
    fn it_ends_when_it_is_to_and_leaves_everything_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        fs::write(&path, content()).unwrap();
        assert_eq!(Packing::Gzip.pack(&path, &|| true).unwrap(), Packed::Stopped);
        assert_eq!(names(folder.path()), ["a.csv"]);
    }
}
