//! Texts and numbers as Go's `encoding/json` writes them.

use serde_json::Value;

use crate::metric::push_plain_float;

/// Appends a whole number.
pub(super) fn push_integer(out: &mut Vec<u8>, value: impl itoa::Integer) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Appends a finite number: as a plain decimal unless it is very small or very large.
pub(super) fn push_float(out: &mut Vec<u8>, value: f64) {
    if value == 0.0 || (1e-6..1e21).contains(&value.abs()) {
        push_plain_float(out, value);
        return;
    }
    let mut buffer = ryu::Buffer::new();
    let shown = buffer.format_finite(value);
    match shown.split_once('e') {
        Some((digits, exponent)) if !exponent.starts_with('-') => {
            out.extend_from_slice(digits.as_bytes());
            out.extend_from_slice(b"e+");
            out.extend_from_slice(exponent.as_bytes());
        }
        _ => out.extend_from_slice(shown.as_bytes()),
    }
}

/// Appends a text in quotes; what could end a script in a web page is escaped, too.
pub(super) fn push_text(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let mut plain_from = 0;
    for (at, c) in text.char_indices() {
        let length = c.len_utf8();
        let short: &[u8] = match c {
            '"' => b"\\\"",
            '\\' => b"\\\\",
            '\u{8}' => b"\\b",
            '\u{c}' => b"\\f",
            '\n' => b"\\n",
            '\r' => b"\\r",
            '\t' => b"\\t",
            '\0'..' ' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => b"",
            _ => continue,
        };
        out.extend_from_slice(&text.as_bytes()[plain_from..at]);
        plain_from = at + length;
        if short.is_empty() {
            out.extend_from_slice(format!("\\u{:04x}", u32::from(c)).as_bytes());
        } else {
            out.extend_from_slice(short);
        }
    }
    out.extend_from_slice(&text.as_bytes()[plain_from..]);
    out.push(b'"');
}

/// Appends a document, the keys of its objects sorted.
pub(super) fn push_json(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        // All numbers are floats to Go.
        Value::Number(number) => push_float(out, number.as_f64().unwrap_or(0.0)),
        Value::String(text) => push_text(out, text),
        Value::Array(elements) => {
            out.push(b'[');
            for (at, element) in elements.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                push_json(out, element);
            }
            out.push(b']');
        }
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_unstable_by_key(|(key, _)| key.as_str());
            out.push(b'{');
            for (at, (key, member)) in members.into_iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                push_text(out, key);
                out.push(b':');
                push_json(out, member);
            }
            out.push(b'}');
        }
    }
}
