//! Reads JSON to values of a script.

use num_bigint::BigInt;

use super::super::failure::{Failure, Outcome, fail};
use super::super::heap::Heap;
use super::super::number::from_big;
use super::super::table::{Key, Table};
use super::super::text::Str;
use super::super::value::Value;

/// This deep values may lie in each other.
const DEEPEST: usize = 500;

/// Goes through a text of JSON.
pub(super) struct Decoder<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
}

impl<'t> Decoder<'t> {
    /// Makes a decoder of a text.
    pub(super) fn new(text: &'t str) -> Decoder<'t> {
        Decoder { text, at: 0, depth: 0 }
    }

    /// Reads the one value that is there.
    ///
    /// # Errors
    /// The first place at which it is no JSON.
    pub(super) fn decode(mut self, heap: &mut Heap) -> Outcome {
        let result = self.value(heap).and_then(|value| match self.peek() {
            Some(byte) => fail!("unexpected character {} after value", quoted(byte)),
            None => Ok(value),
        });
        result.map_err(|failure| {
            Failure::new(format!("json.decode: at offset {}, {}", self.at, failure.message()))
        })
    }

    fn rest(&self) -> &'t [u8] {
        &self.text.as_bytes()[self.at..]
    }

    /// The next byte that is no blank.
    fn peek(&mut self) -> Option<u8> {
        let blanks = self.rest().iter().take_while(|byte| b" \t\n\r".contains(byte)).count();
        self.at += blanks;
        self.rest().first().copied()
    }

    fn next(&mut self) -> Outcome<u8> {
        match self.peek() {
            Some(byte) => Ok(byte),
            None => fail!("unexpected end of file"),
        }
    }

    fn value(&mut self, heap: &mut Heap) -> Outcome {
        let first = self.next()?;
        match first {
            b'"' => return Ok(Value::Str(self.text()?)),
            b'[' | b'{' => {
                if self.depth == DEEPEST {
                    fail!("too many arrays and objects in each other")
                }
                self.depth += 1;
                let value = if first == b'[' { self.array(heap) } else { self.object(heap) };
                self.depth -= 1;
                return value;
            }
            b'-' | b'0'..=b'9' => return self.number(),
            _ => {}
        }
        for (word, value) in
            [("null", Value::None), ("true", Value::Bool(true)), ("false", Value::Bool(false))]
        {
            if self.rest().starts_with(word.as_bytes()) {
                self.at += word.len();
                return Ok(value);
            }
        }
        fail!("unexpected character {}", quoted(first))
    }

    fn array(&mut self, heap: &mut Heap) -> Outcome {
        let mut items = Vec::new();
        self.at += 1;
        if self.next()? != b']' {
            loop {
                items.push(self.value(heap)?);
                match self.next()? {
                    b',' => self.at += 1,
                    b']' => break,
                    other => fail!("got {}, want ',' or ']'", quoted(other)),
                }
            }
        }
        self.at += 1;
        Ok(heap.new_list(items))
    }

    fn object(&mut self, heap: &mut Heap) -> Outcome {
        let mut table = Table::default();
        self.at += 1;
        if self.next()? != b'}' {
            loop {
                let key = self.value(heap)?;
                if !matches!(key, Value::Str(_)) {
                    fail!("got {} for object key, want string", key.type_name())
                }
                let colon = self.next()?;
                if colon != b':' {
                    fail!("after object key, got {}, want ':' ", quoted(colon))
                }
                self.at += 1;
                let value = self.value(heap)?;
                table.insert(Key::new(&key)?, value);
                match self.next()? {
                    b',' => self.at += 1,
                    b'}' => break,
                    other => fail!("in object, got {}, want ',' or '}}'", quoted(other)),
                }
            }
        }
        self.at += 1;
        Ok(heap.new_dict(table))
    }

    fn text(&mut self) -> Outcome<Str> {
        let rest = self.rest();
        let mut end = 1;
        loop {
            match rest.get(end) {
                None => fail!("unclosed string literal"),
                Some(b'"') => break,
                Some(b'\\') => end += 2,
                Some(_) => end += 1,
            }
        }
        let quoted = &self.text[self.at..=self.at + end];
        self.at += end + 1;
        let plain = &quoted[1..end];
        if plain.contains('\\') {
            return match serde_json::from_str::<String>(quoted) {
                Ok(text) => Ok(Str::from(text)),
                Err(_) => Ok(Str::from(lenient(plain)?)),
            };
        }
        Ok(Str::from(plain))
    }

    fn number(&mut self) -> Outcome {
        let is_part = |byte: &&u8| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-');
        let len = 1 + self.rest()[1..].iter().take_while(is_part).count();
        let text = &self.text[self.at..self.at + len];
        self.at += len;
        let digits = text.strip_prefix('-').unwrap_or(text);
        let is_octal = matches!(digits.as_bytes(), [b'0', b'0'..=b'9', ..]);
        if digits.is_empty() || is_octal {
            fail!("invalid number: {text}")
        }
        if digits.bytes().all(|digit| digit.is_ascii_digit()) {
            return match (text.parse(), text.parse::<BigInt>()) {
                (Ok(small), _) => Ok(Value::Int(small)),
                (Err(_), Ok(big)) => Ok(from_big(big)),
                _ => fail!("invalid number: {text}"),
            };
        }
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Value::Float(number)),
            _ => fail!("invalid number: {text}"),
        }
    }
}

/// Reads escapes where some are halves of characters, which become replacement characters.
fn lenient(text: &str) -> Outcome<String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('\\') {
        out.push_str(before);
        let next = behind.chars().next().unwrap_or_default();
        let len = if next == 'u' { 5 } else { next.len_utf8() };
        let Some(escape) = behind.get(..len) else { fail!("invalid character in string escape") };
        let read = |escape: &str| serde_json::from_str::<String>(&format!("\"\\{escape}\""));
        let pair = behind.get(..11).filter(|_| next == 'u').and_then(|pair| read(pair).ok());
        let (character, len) = match (pair, read(escape)) {
            (_, Ok(character)) => (character, len),
            (Some(pair), _) if pair.chars().count() == 1 => (pair, 11),
            _ if next == 'u' && escape[1..].bytes().all(|it| it.is_ascii_hexdigit()) => {
                (char::REPLACEMENT_CHARACTER.to_string(), len)
            }
            _ => fail!("invalid character {} in string escape code", quoted(next as u8)),
        };
        out.push_str(&character);
        rest = &behind[len..];
    }
    out.push_str(rest);
    Ok(out)
}

/// Writes a byte as Go writes a character.
fn quoted(byte: u8) -> String {
    match byte {
        b'\'' | b'\\' => format!("'\\{}'", char::from(byte)),
        b'\n' => "'\\n'".to_owned(),
        b'\t' => "'\\t'".to_owned(),
        b'\r' => "'\\r'".to_owned(),
        0x20..0x7f | 0xa1.. => format!("'{}'", char::from(byte)),
        _ => format!("'\\x{byte:02x}'"),
    }
}
