//! Sprig's functions of encodings and checksums: JSON, base 64, base 32, SHA and Adler-32.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};

use super::super::data::{Data, Dict};
use super::super::print::shown;
use super::{Answer, Call, Function, dict_of, takes};

pub(super) const FUNCTIONS: &[Function] = &[
    takes(1, "b64enc", |call| Ok(Data::text(STANDARD.encode(call.text(0)?)))),
    takes(1, "b64dec", |call| {
        // Sprig gives the error in place of the text; so does this.
        Ok(Data::text(match STANDARD.decode(call.text(0)?) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) => error.to_string(),
        }))
    }),
    takes(1, "b32enc", |call| Ok(Data::text(encode_base32(call.text(0)?.as_bytes())))),
    takes(1, "b32dec", |call| {
        Ok(Data::text(match decode_base32(call.text(0)?) {
            Some(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            None => "illegal base32 data".to_owned(),
        }))
    }),
    takes(1, "sha1sum", |call| Ok(Data::text(digest::<Sha1>(call.text(0)?)))),
    takes(1, "sha256sum", |call| Ok(Data::text(digest::<Sha256>(call.text(0)?)))),
    takes(1, "sha512sum", |call| Ok(Data::text(digest::<Sha512>(call.text(0)?)))),
    takes(1, "adler32sum", |call| Ok(Data::text(adler32(call.text(0)?.as_bytes()).to_string()))),
    takes(1, "randBytes", |call| {
        let count = usize::try_from(call.int(0)?).unwrap_or(0).min(1 << 20);
        let mut bytes = vec![0; count];
        call.world.random.borrow_mut().fill(&mut bytes);
        Ok(Data::text(STANDARD.encode(bytes)))
    }),
    takes(1, "fromJson", |call| Ok(from_json(call).unwrap_or(Data::Nil))),
    takes(1, "mustFromJson", from_json),
    takes(1, "toJson", |call| Ok(Data::text(json(call.value(0), Style::Escaped)))),
    takes(1, "mustToJson", |call| Ok(Data::text(json(call.value(0), Style::Escaped)))),
    takes(1, "toPrettyJson", |call| Ok(Data::text(json(call.value(0), Style::Pretty)))),
    takes(1, "mustToPrettyJson", |call| Ok(Data::text(json(call.value(0), Style::Pretty)))),
    takes(1, "toRawJson", |call| Ok(Data::text(json(call.value(0), Style::Raw)))),
    takes(1, "mustToRawJson", |call| Ok(Data::text(json(call.value(0), Style::Raw)))),
];

const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// Base 32 of RFC 4648, with its padding.
fn encode_base32(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(5) * 8);
    for chunk in bytes.chunks(5) {
        let mut bits = [0; 8];
        bits[3..3 + chunk.len()].copy_from_slice(chunk);
        let bits = u64::from_be_bytes(bits);
        let digits = (chunk.len() * 8).div_ceil(5);
        for at in 0..8 {
            let digit = usize::try_from(bits >> (35 - 5 * at) & 31).unwrap_or(0);
            out.push(if at < digits { char::from(BASE32[digit]) } else { '=' });
        }
    }
    out
}

fn decode_base32(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=');
    let mut bytes = Vec::with_capacity(digits.len() * 5 / 8);
    let (mut bits, mut held) = (0_u32, 0);
    for digit in digits.bytes() {
        let value = BASE32.iter().position(|known| *known == digit)?;
        bits = bits << 5 | u32::try_from(value).ok()?;
        held += 5;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from(bits >> held & 0xff).ok()?);
        }
    }
    Some(bytes)
}

/// The digest of a text in hexadecimal.
fn digest<D: Digest>(text: &str) -> String {
    D::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The Adler-32 checksum of RFC 1950.
fn adler32(bytes: &[u8]) -> u32 {
    const BASE: u32 = 65_521;
    let sums = |(a, b): (u32, u32), byte: &u8| {
        let a = (a + u32::from(*byte)) % BASE;
        (a, (b + a) % BASE)
    };
    let (a, b) = bytes.iter().fold((1, 0), sums);
    b << 16 | a
}

fn from_json<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    let value: serde_json::Value =
        serde_json::from_str(call.text(0)?).map_err(|error| call.failure(error.to_string()))?;
    Ok(from_value(value))
}

fn from_value<'a>(value: serde_json::Value) -> Data<'a> {
    match value {
        serde_json::Value::Null => Data::Nil,
        serde_json::Value::Bool(value) => Data::Boolean(value),
        // Go reads every number as a float.
        serde_json::Value::Number(number) => Data::Float(number.as_f64().unwrap_or(0.0)),
        serde_json::Value::String(text) => Data::text(text),
        serde_json::Value::Array(items) => Data::list(items.into_iter().map(from_value).collect()),
        serde_json::Value::Object(entries) => {
            dict_of(entries.into_iter().map(|(key, value)| (key, from_value(value))))
        }
    }
}

/// How JSON is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    /// Characters that mean something in HTML are escaped.
    Escaped,
    /// Escaped as well, in lines and indented.
    Pretty,
    Raw,
}

fn json(value: &Data<'_>, style: Style) -> String {
    let value = to_value(value);
    let text = match style {
        Style::Pretty => serde_json::to_string_pretty(&value),
        Style::Escaped | Style::Raw => serde_json::to_string(&value),
    };
    // Plain values can always be written.
    let text = text.unwrap_or_default();
    if style == Style::Raw {
        return text;
    }
    text.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

fn to_value(value: &Data<'_>) -> serde_json::Value {
    match value {
        Data::Nil => serde_json::Value::Null,
        Data::Boolean(value) => (*value).into(),
        // A whole number is written without a point, as in Go.
        Data::Float(value) if value.fract() == 0.0 && value.abs() < 1e15 => (*value as i64).into(),
        Data::Float(value) => (*value).into(),
        Data::Unsigned(value) => (*value).into(),
        Data::Text(text) => text.as_ref().into(),
        Data::Dict(dict) => object(dict),
        other => match (other.as_list(), other.as_integer()) {
            (Some(items), _) => items.iter().map(to_value).collect(),
            (None, Some(value)) => i64::try_from(value).unwrap_or(i64::MAX).into(),
            (None, None) => shown(other).into(),
        },
    }
}

fn object(dict: &Dict<'_>) -> serde_json::Value {
    let entries = dict.entries().into_iter();
    entries.map(|(key, value)| (key.into_owned(), to_value(&value))).collect()
}
