//! Compresses what is written at a time as one stream of its own.

use std::io::{self, Write};

use flate2::Compression as Level;
use flate2::write::{GzEncoder, ZlibEncoder};

/// How written bytes are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    /// Not at all.
    None,
    /// RFC 1952.
    Gzip(Level),
    /// RFC 1950.
    Zlib(Level),
    /// RFC 8878, at this level.
    Zstd(i32),
}

/// Options for compression that do not exist or do not go together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompressionError {
    /// There is no such algorithm.
    #[error("invalid value for compression_algorithm: {0:?} (there are: zstd, gzip, zlib)")]
    Algorithm(String),
    /// The algorithm has no such level.
    #[error("invalid compression level, only {0} are supported")]
    Level(&'static str),
    /// A level was given and nothing to use it for.
    #[error("compression_level needs a compression_algorithm")]
    LevelAlone,
}

impl Compression {
    /// The compression that the options ask for; a negative level stands for the default.
    pub(super) fn from_options(
        algorithm: &str,
        level: i32,
    ) -> Result<Compression, CompressionError> {
        let deflate = || match level {
            _ if level < 0 => Ok(Level::default()),
            0 | 1 | 9 => Ok(Level::new(level.unsigned_abs())),
            _ => Err(CompressionError::Level("0, 1 and 9")),
        };
        match algorithm {
            "" | "identity" if level >= 0 => Err(CompressionError::LevelAlone),
            "" | "identity" => Ok(Compression::None),
            "gzip" => deflate().map(Compression::Gzip),
            "zlib" => deflate().map(Compression::Zlib),
            "zstd" => match level {
                _ if level < 0 => Ok(Compression::Zstd(3)),
                1 | 3 | 7 | 11 => Ok(Compression::Zstd(level)),
                _ => Err(CompressionError::Level("1, 3, 7 and 11")),
            },
            other => Err(CompressionError::Algorithm(other.to_owned())),
        }
    }

    /// Compresses `bytes`, or returns them as they are.
    pub(super) fn apply(self, bytes: Vec<u8>) -> io::Result<Vec<u8>> {
        match self {
            Compression::None => Ok(bytes),
            Compression::Gzip(level) => {
                let mut encoder = GzEncoder::new(Vec::new(), level);
                encoder.write_all(&bytes)?;
                encoder.finish()
            }
            Compression::Zlib(level) => {
                let mut encoder = ZlibEncoder::new(Vec::new(), level);
                encoder.write_all(&bytes)?;
                encoder.finish()
            }
            Compression::Zstd(level) => zstd::bulk::compress(&bytes, level),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn round_trip(algorithm: &str, level: i32, text: &str) -> String {
        let compressed = Compression::from_options(algorithm, level)
            .unwrap()
            .apply(text.as_bytes().to_vec())
            .unwrap();
        let mut back = String::new();
        match algorithm {
            "gzip" => flate2::read::GzDecoder::new(&compressed[..]).read_to_string(&mut back),
            "zlib" => flate2::read::ZlibDecoder::new(&compressed[..]).read_to_string(&mut back),
            _ => zstd::Decoder::new(&compressed[..]).unwrap().read_to_string(&mut back),
        }
        .unwrap();
        assert!(level == 0 || compressed.len() < text.len());
        back
    }

    #[test]
    fn what_is_compressed_can_be_read_back() {
        let text = "cpu usage=1.5 1700000000000000000\n".repeat(100);
        for (algorithm, levels) in
            [("gzip", [-1, 0, 1, 9]), ("zlib", [-1, 0, 1, 9]), ("zstd", [-1, 1, 7, 11])]
        {
            for level in levels {
                assert_eq!(round_trip(algorithm, level, &text), text, "{algorithm} {level}");
            }
        }
    }

    #[test]
    fn options_that_make_no_sense_are_refused() {
        for (algorithm, level, message) in [
            (
                "lz4",
                -1,
                "invalid value for compression_algorithm: \"lz4\" (there are: zstd, gzip, zlib)",
            ),
            ("gzip", 5, "invalid compression level, only 0, 1 and 9 are supported"),
            ("zstd", 2, "invalid compression level, only 1, 3, 7 and 11 are supported"),
            ("", 1, "compression_level needs a compression_algorithm"),
        ] {
            let error = Compression::from_options(algorithm, level).unwrap_err();
            assert_eq!(error.to_string(), message);
        }
        assert_eq!(Compression::from_options("identity", -1), Ok(Compression::None));
    }
}
