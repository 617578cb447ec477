//! Base64.
//!
//! # References
//! Go's `base64.StdEncoding`: line ends are left out, padding must be there, and bits that are left
//! over at the end may be anything.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

const ENGINE: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical),
);

/// A text is no base64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("illegal base64 data at input byte {at}")]
pub struct Base64Error {
    /// Where it ceases to be.
    at: usize,
}

/// Decodes a text.
///
/// # Errors
/// If it is no base64.
pub fn decode_base64(text: &str) -> Result<Vec<u8>, Base64Error> {
    let is_line_end = |c| matches!(c, '\r' | '\n');
    let decoded = match text.contains(is_line_end) {
        true => ENGINE.decode(text.replace(is_line_end, "")),
        false => ENGINE.decode(text),
    };
    decoded.map_err(|error| match error {
        base64::DecodeError::InvalidByte(at, _) | base64::DecodeError::InvalidLastSymbol(at, _) => {
            Base64Error { at }
        }
        base64::DecodeError::InvalidLength(_) | base64::DecodeError::InvalidPadding => {
            Base64Error { at: text.len() }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_decoded_as_in_go() {
        for (text, bytes) in [
            ("RKeAAA==", &[0x44, 0xa7, 0x80, 0][..]),
            ("aGVs\r\nbG8=", b"hello"),
            ("aGVsbG9=", b"hello"),
            ("", b""),
        ] {
            assert_eq!(decode_base64(text).as_deref(), Ok(bytes), "{text}");
        }
        for (text, at) in [("a b=", 1), ("aGVsbG8", 7), ("-_8=", 0)] {
            assert_eq!(decode_base64(text), Err(Base64Error { at }), "{text}");
        }
    }
}
