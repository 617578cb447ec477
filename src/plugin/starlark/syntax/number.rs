//! Numbers in a script.

use num_bigint::BigInt;

use super::token::Token;

/// Reads the number at the beginning of `text` and tells how long it is there.
///
/// # Errors
/// What is wrong with it.
pub(super) fn read(text: &str) -> Result<(Token, usize), String> {
    let bytes = text.as_bytes();
    let base = match bytes {
        [b'0', b'x' | b'X', ..] => Some((16, "hex")),
        [b'0', b'o' | b'O', ..] => Some((8, "octal")),
        [b'0', b'b' | b'B', ..] => Some((2, "binary")),
        _ => None,
    };
    if let Some((base, name)) = base {
        let len = bytes[2..].iter().take_while(|digit| (**digit as char).is_digit(base)).count();
        return match BigInt::parse_bytes(&bytes[2..2 + len], base) {
            Some(number) => Ok((Token::Int(number), 2 + len)),
            None => Err(format!("invalid {name} literal")),
        };
    }
    let digits = |from: usize| bytes[from..].iter().take_while(|b| b.is_ascii_digit()).count();
    let whole = digits(0);
    let mut len = whole;
    let mut is_float = false;
    if bytes.get(len) == Some(&b'.') {
        is_float = true;
        len += 1;
        len += digits(len);
    }
    if let Some(b'e' | b'E') = bytes.get(len) {
        is_float = true;
        len += 1;
        if let Some(b'+' | b'-') = bytes.get(len) {
            len += 1;
        }
        let exponent = digits(len);
        if exponent == 0 {
            return Err("invalid float literal".to_owned());
        }
        len += exponent;
    }
    if is_float {
        let number: f64 = text[..len].parse().map_err(|_| "invalid float literal".to_owned())?;
        return if number.is_finite() {
            Ok((Token::Float(number), len))
        } else {
            Err("floating-point literal too large".to_owned())
        };
    }
    if whole > 1 && bytes[0] == b'0' && bytes[..whole].iter().any(|digit| *digit > b'7') {
        return Err("invalid int literal".to_owned());
    }
    if whole > 1 && bytes[0] == b'0' && bytes[..whole].iter().any(|digit| *digit != b'0') {
        return Err(format!("obsolete form of octal literal; use 0o{}", &text[1..whole]));
    }
    BigInt::parse_bytes(&bytes[..whole], 10)
        .map(|number| (Token::Int(number), whole))
        .ok_or_else(|| "invalid int literal".to_owned())
}
