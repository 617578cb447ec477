//! Values as D-Bus writes them.

/// How deep values may be nested, as the specification has it for arrays and structures together.
const MOST_DEPTH: usize = 64;

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) enum Value {
    /// Any number without a sign, and bytes.
    Unsigned(u64),
    /// Any number with a sign.
    Signed(i64),
    Float(f64),
    Boolean(bool),
    /// A text, the path of an object or a signature.
    Text(String),
    /// An array or a structure.
    List(Vec<Value>),
    /// An entry of a dictionary.
    Entry(Box<(Value, Value)>),
}

impl Value {
    /// The text, if it is one.
    pub(in super::super) fn text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The values of a list, none if it is something else.
    pub(in super::super) fn items(&self) -> &[Value] {
        match self {
            Value::List(items) => items,
            _ => &[],
        }
    }
}

/// Bytes that are no values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed D-Bus message")]
pub(in super::super) struct Malformed;

/// Reads values.
pub(in super::super) struct Reader<'b> {
    bytes: &'b [u8],
    at: usize,
    is_big_endian: bool,
}

macro_rules! number {
    ($reader:expr, $kind:ty) => {{
        let bytes = $reader.take::<{ size_of::<$kind>() }>()?;
        if $reader.is_big_endian {
            <$kind>::from_be_bytes(bytes)
        } else {
            <$kind>::from_le_bytes(bytes)
        }
    }};
}

impl<'b> Reader<'b> {
    pub(in super::super) fn new(bytes: &'b [u8], is_big_endian: bool) -> Reader<'b> {
        Reader { bytes, at: 0, is_big_endian }
    }

    /// Passes over what makes the next value begin at a multiple of `size`.
    pub(in super::super) fn align(&mut self, size: usize) {
        self.at = self.at.next_multiple_of(size);
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        self.align(N);
        let bytes = self.bytes.get(self.at..self.at + N).ok_or(Malformed)?;
        self.at += N;
        bytes.try_into().map_err(|_| Malformed)
    }

    fn text(&mut self, length: usize) -> Result<String, Malformed> {
        let end = self.at.checked_add(length).ok_or(Malformed)?;
        let bytes = self.bytes.get(self.at..end).ok_or(Malformed)?;
        // A zero stands behind it.
        self.at = end + 1;
        Ok(String::from_utf8_lossy(bytes).into_owned())
    }

    /// The values that a signature tells of.
    pub(in super::super) fn values(&mut self, signature: &str) -> Result<Vec<Value>, Malformed> {
        self.list(signature.as_bytes(), 0)
    }

    fn list(&mut self, mut signature: &[u8], depth: usize) -> Result<Vec<Value>, Malformed> {
        let mut values = Vec::new();
        while !signature.is_empty() {
            let (first, rest) = split_type(signature)?;
            values.push(self.value(first, depth)?);
            signature = rest;
        }
        Ok(values)
    }

    fn value(&mut self, signature: &[u8], depth: usize) -> Result<Value, Malformed> {
        if depth > MOST_DEPTH {
            return Err(Malformed);
        }
        Ok(match signature {
            b"y" => Value::Unsigned(u64::from(number!(self, u8))),
            b"b" => Value::Boolean(number!(self, u32) != 0),
            b"n" => Value::Signed(i64::from(number!(self, i16))),
            b"q" => Value::Unsigned(u64::from(number!(self, u16))),
            b"i" => Value::Signed(i64::from(number!(self, i32))),
            b"u" | b"h" => Value::Unsigned(u64::from(number!(self, u32))),
            b"x" => Value::Signed(number!(self, i64)),
            b"t" => Value::Unsigned(number!(self, u64)),
            b"d" => Value::Float(number!(self, f64)),
            b"s" | b"o" => {
                let length = number!(self, u32) as usize;
                Value::Text(self.text(length)?)
            }
            b"g" => {
                let length = usize::from(number!(self, u8));
                Value::Text(self.text(length)?)
            }
            b"v" => {
                let length = usize::from(number!(self, u8));
                let signature = self.text(length)?;
                self.value(signature.as_bytes(), depth + 1)?
            }
            [b'a', element @ ..] => self.array(element, depth + 1)?,
            [b'(', inner @ .., b')'] => {
                self.align(8);
                Value::List(self.list(inner, depth + 1)?)
            }
            [b'{', inner @ .., b'}'] => {
                self.align(8);
                let (key, value) = split_type(inner)?;
                let entry = (self.value(key, depth + 1)?, self.value(value, depth + 1)?);
                Value::Entry(Box::new(entry))
            }
            _ => return Err(Malformed),
        })
    }

    fn array(&mut self, element: &[u8], depth: usize) -> Result<Value, Malformed> {
        let length = number!(self, u32) as usize;
        if matches!(element, [b'(' | b'{' | b'x' | b't' | b'd', ..]) {
            self.align(8);
        }
        let end = self.at.checked_add(length).ok_or(Malformed)?;
        if end > self.bytes.len() {
            return Err(Malformed);
        }
        let mut values = Vec::new();
        while self.at < end {
            let before = self.at;
            values.push(self.value(element, depth)?);
            // An empty structure would come again for ever.
            if self.at == before {
                return Err(Malformed);
            }
        }
        Ok(Value::List(values))
    }
}

/// Splits a signature behind its first complete type.
fn split_type(signature: &[u8]) -> Result<(&[u8], &[u8]), Malformed> {
    let mut open = 0_usize;
    for (at, sign) in signature.iter().enumerate() {
        match sign {
            b'(' | b'{' => open += 1,
            b')' | b'}' => open = open.checked_sub(1).ok_or(Malformed)?,
            // An array is complete with its element.
            b'a' => continue,
            _ => {}
        }
        if open == 0 {
            return Ok(signature.split_at(at + 1));
        }
    }
    Err(Malformed)
}

/// Writes values, low bytes first.
#[derive(Debug, Default)]
pub(in super::super) struct Writer {
    pub bytes: Vec<u8>,
}

impl Writer {
    pub(in super::super) fn align(&mut self, size: usize) {
        self.bytes.resize(self.bytes.len().next_multiple_of(size), 0);
    }

    pub(in super::super) fn byte(&mut self, value: u8) {
        self.bytes.push(value);
    }

    pub(in super::super) fn number(&mut self, value: u32) {
        self.align(4);
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    pub(in super::super) fn text(&mut self, text: &str) {
        self.number(text.len() as u32);
        self.bytes.extend_from_slice(text.as_bytes());
        self.byte(0);
    }

    pub(in super::super) fn signature(&mut self, signature: &str) {
        self.byte(signature.len() as u8);
        self.bytes.extend_from_slice(signature.as_bytes());
        self.byte(0);
    }

    pub(in super::super) fn texts(&mut self, texts: &[String]) {
        self.number(0);
        let start = self.bytes.len();
        texts.iter().for_each(|text| self.text(text));
        self.set_length(start);
    }

    /// Writes the length of what follows `start` into the number before it.
    pub(in super::super) fn set_length(&mut self, start: usize) {
        let length = (self.bytes.len() - start) as u32;
        self.bytes[start - 4..start].copy_from_slice(&length.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_type_is_read_at_its_place() {
        let mut bytes = vec![7, 0, 0, 0];
        bytes.extend((-2_i32).to_le_bytes());
        bytes.extend([1, b't', 0, 0, 0, 0, 0, 0]);
        bytes.extend(u64::MAX.to_le_bytes());
        bytes.extend([10, 0, 0, 0, 0, 0, 0, 0]);
        bytes.extend([2, 0, 0, 0, b'h', b'i', 0, 0, 1, 0]);
        let values = Reader::new(&bytes, false).values("yiva(sq)").unwrap();
        assert_eq!(
            values,
            [
                Value::Unsigned(7),
                Value::Signed(-2),
                Value::Unsigned(u64::MAX),
                Value::List(vec![Value::List(vec![Value::Text("hi".into()), Value::Unsigned(1)])]),
            ]
        );
    }

    #[test]
    fn signatures_are_split_behind_complete_types() {
        let split = |text: &'static str| split_type(text.as_bytes());
        assert_eq!(split("a(sa{sv})u"), Ok((&b"a(sa{sv})"[..], &b"u"[..])));
        assert_eq!(split("aasx"), Ok((&b"aas"[..], &b"x"[..])));
        assert_eq!(split("(s"), Err(Malformed));
        assert_eq!(split(")"), Err(Malformed));
        assert_eq!(split("a"), Err(Malformed));
    }

    proptest! {
        #[test]
        fn texts_come_back(texts in prop::collection::vec(".{0,9}", 0..5)) {
            let mut writer = Writer::default();
            writer.texts(&texts);
            let read = Reader::new(&writer.bytes, false).values("as").unwrap();
            let read: Vec<_> = read[0].items().iter().filter_map(Value::text).collect();
            prop_assert_eq!(read, texts);
        }

        #[test]
        fn no_bytes_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..60), signature in "[ybnqiuxtdsogva(){}]{0,8}",
        ) {
            let _ = Reader::new(&bytes, false).values(&signature);
            let _ = Reader::new(&bytes, true).values(&signature);
        }
    }
}
