//! How messages are packed.

use std::io::{self, Write};

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};

/// The level that Telegraf packs zstd at.
const ZSTD_LEVEL: i32 = 3;

/// A way to pack each message by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Identity,
    Gzip,
    Zlib,
    Zstd,
}

/// A way of packing that there is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("invalid value for content_encoding")]
pub struct EncodingError;

impl Encoding {
    pub(super) fn parse(name: &str) -> Result<Encoding, EncodingError> {
        match name {
            "" | "identity" => Ok(Encoding::Identity),
            "gzip" => Ok(Encoding::Gzip),
            "zlib" => Ok(Encoding::Zlib),
            "zstd" => Ok(Encoding::Zstd),
            _ => Err(EncodingError),
        }
    }

    /// Packs what begins at `start`, in its place.
    pub(super) fn encode_from(self, start: usize, bytes: &mut Vec<u8>) -> io::Result<()> {
        let packed = match self {
            Encoding::Identity => return Ok(()),
            Encoding::Gzip => {
                let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
                encoder.write_all(&bytes[start..])?;
                encoder.finish()?
            }
            Encoding::Zlib => {
                let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
                encoder.write_all(&bytes[start..])?;
                encoder.finish()?
            }
            Encoding::Zstd => zstd::bulk::compress(&bytes[start..], ZSTD_LEVEL)?,
        };
        bytes.truncate(start);
        bytes.extend_from_slice(&packed);
        Ok(())
    }
}
