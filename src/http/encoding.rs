//! Contents that are compressed on their way.

use std::io::{self, Read, Write};

use flate2::Compression;
use flate2::read::{MultiGzDecoder, ZlibDecoder};
use flate2::write::GzEncoder;

/// How the body of a message is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ContentEncoding {
    /// As it is.
    #[default]
    Identity,
    /// As a gzip stream.
    Gzip,
}

impl ContentEncoding {
    /// Packs a body.
    ///
    /// # Errors
    /// None that is to be expected: memory takes everything.
    pub fn encode(self, body: Vec<u8>) -> io::Result<Vec<u8>> {
        match self {
            ContentEncoding::Identity => Ok(body),
            ContentEncoding::Gzip => gzip(&body),
        }
    }

    /// The word for `Content-Encoding`, if there is need for one.
    pub fn header(self) -> Option<&'static str> {
        match self {
            ContentEncoding::Identity => None,
            ContentEncoding::Gzip => Some("gzip"),
        }
    }
}

/// Packs bytes as a gzip stream.
///
/// # Errors
/// None that is to be expected: memory takes everything.
pub fn gzip(bytes: &[u8]) -> io::Result<Vec<u8>> {
    // Line protocol and JSON come down to a fifth or less.
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 5), Compression::default());
    encoder.write_all(bytes)?;
    encoder.finish()
}

/// Unpacks gzip streams while they come; errors are in the words of Go.
pub struct Gunzip<R>(MultiGzDecoder<R>);

impl<R: Read> Gunzip<R> {
    /// Unpacks what `packed` gives.
    pub fn new(packed: R) -> Gunzip<R> {
        Gunzip(MultiGzDecoder::new(packed))
    }
}

impl<R: Read> Read for Gunzip<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.0.read(out).map_err(|error| match (error.kind(), error.to_string().as_str()) {
            (kind @ io::ErrorKind::UnexpectedEof, _) => io::Error::new(kind, "unexpected EOF"),
            (kind, "invalid gzip header") => io::Error::new(kind, "gzip: invalid header"),
            (kind, text) if text.contains("checksum") => {
                io::Error::new(kind, "gzip: invalid checksum")
            }
            (kind, "corrupt deflate stream") => io::Error::new(kind, "flate: corrupt input"),
            _ => error,
        })
    }
}

/// A body that cannot be unpacked.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// Not packed the way the header says.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It would be larger than it may.
    #[error("body exceeds {0} bytes when decompressed")]
    TooLarge(usize),
    /// Nothing is known about that encoding.
    #[error("invalid value for content_encoding: {0:?}")]
    Unknown(String),
}

/// Unpacks a body that comes with `encoding` as its `Content-Encoding`.
///
/// # Errors
/// If the body is not packed that way, or larger than `most_bytes`.
pub fn decode(encoding: &str, body: Vec<u8>, most_bytes: usize) -> Result<Vec<u8>, DecodeError> {
    let mut out = Vec::new();
    let limit = most_bytes as u64 + 1;
    match encoding.to_ascii_lowercase().as_str() {
        "" | "identity" => return Ok(body),
        "gzip" | "x-gzip" => MultiGzDecoder::new(&body[..]).take(limit).read_to_end(&mut out)?,
        "deflate" | "zlib" => ZlibDecoder::new(&body[..]).take(limit).read_to_end(&mut out)?,
        "snappy" => return unsnap(&body, most_bytes),
        other => return Err(DecodeError::Unknown(other.to_owned())),
    };
    if out.len() > most_bytes { Err(DecodeError::TooLarge(most_bytes)) } else { Ok(out) }
}

/// Unpacks a block of snappy, which says its size at its beginning.
fn unsnap(body: &[u8], most_bytes: usize) -> Result<Vec<u8>, DecodeError> {
    let wrong = |error| DecodeError::Io(io::Error::new(io::ErrorKind::InvalidData, error));
    match snap::raw::decompress_len(body) {
        Ok(length) if length > most_bytes => Err(DecodeError::TooLarge(most_bytes)),
        _ => snap::raw::Decoder::new().decompress_vec(body).map_err(wrong),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_is_unpacked_up_to_the_limit() {
        let text = b"cpu usage_idle=1 ".repeat(100);
        let packed = ContentEncoding::Gzip.encode(text.clone()).unwrap();
        assert!(packed.len() < text.len() / 10);
        assert_eq!(decode("GZIP", packed.clone(), text.len()).unwrap(), text);
        let error = decode("gzip", packed.clone(), text.len() - 1).unwrap_err();
        assert!(matches!(error, DecodeError::TooLarge(_)), "{error}");
        assert!(decode("gzip", text.clone(), 1 << 20).is_err());
        assert!(decode("br", packed, 1 << 20).is_err());
        assert_eq!(decode("identity", text.clone(), 1).unwrap(), text);
    }

    #[test]
    fn blocks_of_snappy_are_unpacked_up_to_the_limit() {
        let text = b"cpu usage_idle=1 ".repeat(100);
        let packed = snap::raw::Encoder::new().compress_vec(&text).unwrap();
        assert_eq!(decode("snappy", packed.clone(), text.len()).unwrap(), text);
        let error = decode("snappy", packed.clone(), text.len() - 1).unwrap_err();
        assert!(matches!(error, DecodeError::TooLarge(_)), "{error}");
        assert!(decode("snappy", packed[..20].to_vec(), 1 << 20).is_err());
    }

    #[test]
    fn what_is_packed_wrongly_is_told_while_it_comes() {
        let packed = gzip(b"cpu usage_idle=1").unwrap();
        let (mut corrupt, mut unequal) = (packed.clone(), packed.clone());
        corrupt[10] = 0xff;
        let crc = packed.len() - 8;
        unequal[crc] ^= 1;
        for (packed, unpacked, error) in [
            (&packed[..], "cpu usage_idle=1", ""),
            (&packed[..packed.len() - 9], "cpu usage_idle=1", "unexpected EOF"),
            (b"abc", "", "unexpected EOF"),
            (b"no gzip at all", "", "gzip: invalid header"),
            (&corrupt, "", "flate: corrupt input"),
            (&unequal, "cpu usage_idle=1", "gzip: invalid checksum"),
        ] {
            let mut out = Vec::new();
            let result = Gunzip::new(packed).read_to_end(&mut out);
            assert_eq!(result.err().map_or_else(String::new, |e| e.to_string()), error);
            assert_eq!(String::from_utf8(out).unwrap(), unpacked, "{error}");
        }
    }

    #[test]
    fn streams_one_after_the_other_are_one_body() {
        let packed = [gzip(b"a").unwrap(), gzip(b"b").unwrap()].concat();
        assert_eq!(decode("gzip", packed, 10).unwrap(), b"ab");
    }
}
