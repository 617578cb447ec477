//! Messages that are compressed on their way.

use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::GzDecoder;
use flate2::read::{MultiGzDecoder, ZlibDecoder};

/// How messages are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Packing {
    /// Not at all.
    #[default]
    None,
    /// As gzip, each message or connection by itself.
    Gzip,
    /// As zlib; packets only.
    Zlib,
    /// As zstd; packets only.
    Zstd,
}

/// A way of packing that there is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("invalid value for content_encoding")]
pub struct PackingError;

impl Packing {
    /// Reads the option `content_encoding`.
    ///
    /// # Errors
    /// If there is no such way.
    pub fn parse(name: &str) -> Result<Packing, PackingError> {
        match name {
            "" | "identity" | "auto" => Ok(Packing::None),
            "gzip" => Ok(Packing::Gzip),
            "zlib" => Ok(Packing::Zlib),
            "zstd" => Ok(Packing::Zstd),
            _ => Err(PackingError),
        }
    }

    /// Unpacks a packet that comes to less than `most_bytes`.
    pub(super) fn unpack(self, packet: &[u8], most_bytes: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let read = match self {
            Packing::None => return Ok(packet.to_vec()),
            Packing::Gzip => {
                MultiGzDecoder::new(packet).take(most_bytes).read_to_end(&mut bytes)?
            }
            Packing::Zlib => ZlibDecoder::new(packet).take(most_bytes).read_to_end(&mut bytes)?,
            Packing::Zstd => zstd::stream::read::Decoder::new(packet)?
                .take(most_bytes)
                .read_to_end(&mut bytes)?,
        };
        if read as u64 == most_bytes {
            let words = format!("size of decoded data exceeds allowed size {most_bytes}");
            return Err(io::Error::other(words));
        }
        Ok(bytes)
    }

    /// Unpacks a connection.
    ///
    /// # Errors
    /// If connections are not packed that way.
    pub(super) fn unpack_stream<R: Read + 'static>(
        self,
        stream: R,
    ) -> Result<Box<dyn Read>, PackingError> {
        match self {
            Packing::None => Ok(Box::new(stream)),
            Packing::Gzip => Ok(Box::new(GzipStream::Between(Some(BufReader::new(stream))))),
            Packing::Zlib | Packing::Zstd => Err(PackingError),
        }
    }
}

/// Gzip streams one after the other, each read to its end before the next is waited for.
enum GzipStream<R> {
    /// There until the next read.
    Between(Option<BufReader<R>>),
    Within(Box<GzDecoder<BufReader<R>>>),
}

impl<R: Read> Read for GzipStream<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self {
                GzipStream::Within(decoder) => match decoder.read(buffer)? {
                    0 => {}
                    count => return Ok(count),
                },
                GzipStream::Between(reader) => {
                    let Some(mut open) = reader.take() else { return Ok(0) };
                    if open.fill_buf()?.is_empty() {
                        return Ok(0);
                    }
                    *self = GzipStream::Within(Box::new(GzDecoder::new(open)));
                    continue;
                }
            }
            let ended = std::mem::replace(self, GzipStream::Between(None));
            if let GzipStream::Within(decoder) = ended {
                *self = GzipStream::Between(Some(decoder.into_inner()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::gzip;

    #[test]
    fn packets_are_unpacked_up_to_a_size() {
        let text = b"cpu usage_idle=1\n".repeat(100);
        let packed = gzip(&text).unwrap();
        assert_eq!(Packing::Gzip.unpack(&packed, 1 << 20).unwrap(), text);
        let error = Packing::Gzip.unpack(&packed, 100).unwrap_err().to_string();
        assert_eq!(error, "size of decoded data exceeds allowed size 100");
        assert!(Packing::Gzip.unpack(&text, 100).is_err());
        let packed = zstd::bulk::compress(&text, 3).unwrap();
        assert_eq!(Packing::Zstd.unpack(&packed, 1 << 20).unwrap(), text);
    }

    #[test]
    fn connections_are_many_gzip_streams() {
        let packed = [gzip(b"one\n").unwrap(), gzip(b"two\n").unwrap()].concat();
        let mut text = String::new();
        let mut stream = Packing::Gzip.unpack_stream(io::Cursor::new(packed)).unwrap();
        stream.read_to_string(&mut text).unwrap();
        assert_eq!(text, "one\ntwo\n");
        assert!(Packing::Zlib.unpack_stream(io::empty()).is_err());
    }
}
