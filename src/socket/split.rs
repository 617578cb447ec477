//! Messages in a stream of bytes.

use std::ops::Range;

use crate::plugin::Quoted;

/// Tells where one message ends and the next begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Splitter {
    /// At line ends, which are taken off with a carriage return before them.
    Newline,
    /// After each of these bytes, which are taken off.
    Delimiter(Vec<u8>),
    /// After so many bytes, at least one.
    FixedLength(usize),
    /// After the number of bytes that stands in the message.
    VariableLength(LengthField),
}

/// Where in a message its length stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LengthField {
    /// Bytes before it.
    pub offset: usize,
    /// How many bytes it has.
    pub bytes: usize,
    /// The order of its bytes.
    pub endianness: Endianness,
    /// Bytes to take off the beginning of the message, which the length does not count.
    pub header_length: usize,
}

/// Orders of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endianness {
    /// The highest first.
    Big,
    /// The lowest first.
    Little,
}

/// Settings that split nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SplitError {
    /// There is no such way to split.
    #[error("unknown 'splitting_strategy' {}", Quoted::new(.0))]
    Strategy(String),
    /// The delimiter is not in hexadecimal digits.
    #[error("decoding delimiter failed: encoding/hex: {0}")]
    Delimiter(String),
    /// The delimiter is nothing.
    #[error("splitting_strategy \"delimiter\" needs a 'splitting_delimiter', such as \"0x0d0a\"")]
    NoDelimiter,
    /// The length is nothing.
    #[error("splitting_strategy \"fixed length\" needs a 'splitting_length' of at least 1")]
    NoLength,
    /// There is no such order of bytes.
    #[error("invalid 'endianness' {}", Quoted::new(.0))]
    Endianness(String),
    /// A number that is no place in a message.
    #[error("'splitting_length_field' needs {0}")]
    LengthField(&'static str),
}

/// A message at the beginning of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Where it is.
    pub bytes: Range<usize>,
    /// How much of the stream goes with it.
    pub taken: usize,
}

/// Whether more may come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamEnd {
    /// It may.
    Open,
    /// What is left is the last message, whole or not.
    Reached,
}

impl Splitter {
    /// Reads the options `splitting_strategy` and `splitting_delimiter`, `splitting_length` or
    /// `splitting_length_field`, of which the strategy needs one.
    ///
    /// # Errors
    /// If the strategy is none, or lacks what it needs.
    pub fn from_options(
        strategy: &str,
        delimiter: &str,
        length: i64,
        field: impl FnOnce() -> Result<LengthField, SplitError>,
    ) -> Result<Splitter, SplitError> {
        match strategy {
            "" | "newline" => Ok(Splitter::Newline),
            "null" => Ok(Splitter::Delimiter(vec![0])),
            "delimiter" => match decode_hex(&delimiter.to_lowercase())? {
                bytes if bytes.is_empty() => Err(SplitError::NoDelimiter),
                bytes => Ok(Splitter::Delimiter(bytes)),
            },
            "fixed length" => match usize::try_from(length) {
                Ok(length @ 1..) => Ok(Splitter::FixedLength(length)),
                _ => Err(SplitError::NoLength),
            },
            "variable length" => field().map(Splitter::VariableLength),
            other => Err(SplitError::Strategy(other.to_owned())),
        }
    }

    /// The first message of a stream, if all of it is there.
    pub fn first(&self, stream: &[u8], end: StreamEnd) -> Option<Message> {
        let found = match self {
            Splitter::Newline => memchr::memchr(b'\n', stream)
                .map(|at| Message { bytes: 0..without_return(&stream[..at]), taken: at + 1 }),
            Splitter::Delimiter(delimiter) => memchr::memmem::find(stream, delimiter)
                .map(|at| Message { bytes: 0..at, taken: at + delimiter.len() }),
            Splitter::FixedLength(length) => {
                (stream.len() >= *length).then_some(Message { bytes: 0..*length, taken: *length })
            }
            Splitter::VariableLength(field) => field.message(stream),
        };
        if found.is_some() || end == StreamEnd::Open || stream.is_empty() {
            return found;
        }
        let length = match self {
            Splitter::Newline => without_return(stream),
            _ => stream.len(),
        };
        Some(Message { bytes: 0..length, taken: stream.len() })
    }
}

impl LengthField {
    fn message(&self, stream: &[u8]) -> Option<Message> {
        let field = stream.get(self.offset..self.offset.checked_add(self.bytes)?)?;
        let fold = |length: u64, byte: &u8| length << 8 | u64::from(*byte);
        let length = match self.endianness {
            Endianness::Big => field.iter().fold(0, fold),
            Endianness::Little => field.iter().rev().fold(0, fold),
        };
        let end = usize::try_from(length).ok()?.checked_add(self.header_length)?;
        // A message without a byte would come for ever.
        (0 < end && end <= stream.len())
            .then_some(Message { bytes: self.header_length..end, taken: end })
    }
}

fn without_return(line: &[u8]) -> usize {
    line.strip_suffix(b"\r").unwrap_or(line).len()
}

/// Bytes from hexadecimal digits, groups of which may begin with blanks and `0x`.
fn decode_hex(text: &str) -> Result<Vec<u8>, SplitError> {
    let mut digits = String::with_capacity(text.len());
    for c in text.chars() {
        if c == 'x' {
            if digits.ends_with('0') {
                digits.pop();
            }
            digits.truncate(digits.trim_end().len());
        } else {
            digits.push(c);
        }
    }
    let digit = |c: char| {
        c.to_digit(16).map(|digit| digit as u8).ok_or_else(|| {
            SplitError::Delimiter(format!("invalid byte: U+{:04X} {c:?}", u32::from(c)))
        })
    };
    let digits = digits.chars().map(digit).collect::<Result<Vec<u8>, _>>()?;
    if digits.len() % 2 == 1 {
        return Err(SplitError::Delimiter("odd length hex string".to_owned()));
    }
    Ok(digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split<'s>(splitter: &Splitter, mut stream: &'s [u8]) -> Vec<&'s [u8]> {
        let mut messages = Vec::new();
        while let Some(message) = splitter.first(stream, StreamEnd::Reached) {
            messages.push(&stream[message.bytes]);
            stream = &stream[message.taken..];
        }
        messages
    }

    fn with_field(offset: usize, bytes: usize, endianness: Endianness, header: usize) -> Splitter {
        let header_length = header;
        Splitter::VariableLength(LengthField { offset, bytes, endianness, header_length })
    }

    #[test]
    fn streams_are_split_as_the_strategy_says() {
        for (splitter, stream, messages) in [
            (Splitter::Newline, &b"a\r\n\nb\nc\r"[..], &[&b"a"[..], b"", b"b", b"c"][..]),
            (Splitter::Delimiter(vec![0]), b"a\0b\nc\0", &[b"a", b"b\nc"]),
            (Splitter::Delimiter(b"--".to_vec()), b"a--b-c--d", &[b"a", b"b-c", b"d"]),
            (Splitter::FixedLength(2), b"aabbc", &[b"aa", b"bb", b"c"]),
            (
                with_field(0, 2, Endianness::Big, 2),
                b"\0\x01a\0\x02bb\0\x09c",
                &[b"a", b"bb", b"\0\x09c"],
            ),
            (with_field(1, 2, Endianness::Little, 3), b"x\x02\0aax\x01\0b", &[b"aa", b"b"]),
            (with_field(0, 1, Endianness::Big, 0), b"\x02a\x03bb", &[b"\x02a", b"\x03bb"]),
        ] {
            assert_eq!(split(&splitter, stream), messages, "{splitter:?}");
        }
    }

    #[test]
    fn a_message_is_waited_for_until_it_is_whole() {
        let open = |splitter: &Splitter, stream: &[u8]| splitter.first(stream, StreamEnd::Open);
        assert_eq!(open(&Splitter::Newline, b"a"), None);
        assert_eq!(open(&Splitter::FixedLength(2), b"a"), None);
        let huge = with_field(0, 8, Endianness::Big, 8);
        assert_eq!(open(&huge, &[0xff; 100]), None);
        assert_eq!(open(&with_field(0, 1, Endianness::Big, 0), b"\0\0"), None);
    }

    #[test]
    fn options_that_split_nothing_are_refused() {
        let field = || Err(SplitError::LengthField("something"));
        let from = |strategy: &str, delimiter: &str, length: i64| {
            Splitter::from_options(strategy, delimiter, length, field)
        };
        assert_eq!(from("", "", 0), Ok(Splitter::Newline));
        assert_eq!(
            from("delimiter", "0xBE 0xEF x00", 0),
            Ok(Splitter::Delimiter(vec![0xbe, 0xef, 0]))
        );
        assert_eq!(from("delimiter", "0d0a", 0), Ok(Splitter::Delimiter(b"\r\n".to_vec())));
        for (error, words) in [
            (from("tabs", "", 0), "unknown 'splitting_strategy' \"tabs\""),
            (
                from("delimiter", "0", 0),
                "decoding delimiter failed: encoding/hex: odd length hex string",
            ),
            (
                from("delimiter", "0g", 0),
                "decoding delimiter failed: encoding/hex: invalid byte: U+0067 'g'",
            ),
        ] {
            assert_eq!(error.unwrap_err().to_string(), words);
        }
        assert_eq!(from("delimiter", "", 0), Err(SplitError::NoDelimiter));
        assert_eq!(from("fixed length", "", 0), Err(SplitError::NoLength));
        assert!(matches!(from("variable length", "", 0), Err(SplitError::LengthField(_))));
    }
}
