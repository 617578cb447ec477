//! Goes over the text of a JSON document that is known to be valid; on another it finds less, and
//! never more than there is.

use std::borrow::Cow;

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `null`, or nothing at all.
    Null,
    /// `true`.
    True,
    /// `false`.
    False,
    /// A number.
    Number,
    /// A text in quotes.
    Text,
    /// An array.
    Array,
    /// An object.
    Object,
}

impl Kind {
    /// The kind of the value that a text begins with.
    pub fn of(json: &str) -> Kind {
        match json.trim_start().bytes().next() {
            Some(b'{') => Kind::Object,
            Some(b'[') => Kind::Array,
            Some(b'"') => Kind::Text,
            Some(b't') => Kind::True,
            Some(b'f') => Kind::False,
            Some(b'0'..=b'9' | b'-') => Kind::Number,
            _ => Kind::Null,
        }
    }
}

/// A member of an object or an element of an array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Child<'j> {
    /// Its key, in quotes; none in an array.
    pub key: Option<&'j str>,
    /// Its text.
    pub raw: &'j str,
    /// Where in the text of the object or array its own text begins.
    pub at: usize,
}

impl<'j> Child<'j> {
    /// Its key, escapes resolved.
    pub fn name(&self) -> Option<Cow<'j, str>> {
        self.key.map(unescaped)
    }
}

/// Goes over the members of an object or the elements of an array.
#[derive(Debug, Clone)]
pub struct Children<'j> {
    json: &'j str,
    at: usize,
    has_keys: bool,
}

impl<'j> Children<'j> {
    /// Those of the object or array that a text is; none of anything else.
    pub fn of(json: &'j str) -> Children<'j> {
        let start = json.len() - json.trim_start().len();
        let at = match Kind::of(json) {
            Kind::Object | Kind::Array => start + 1,
            _ => json.len(),
        };
        Children { json, at, has_keys: Kind::of(json) == Kind::Object }
    }

    fn skip(&mut self) {
        let is_between = |byte: &u8| *byte <= b' ' || matches!(byte, b',' | b':');
        let rest = &self.json.as_bytes()[self.at..];
        self.at += rest.iter().position(|byte| !is_between(byte)).unwrap_or(rest.len());
    }

    fn take_value(&mut self) -> Option<&'j str> {
        self.skip();
        let start = self.at;
        let end = start + value_length(&self.json.as_bytes()[start..]);
        self.at = end;
        self.json.get(start..end).filter(|value| !value.is_empty())
    }
}

impl<'j> Iterator for Children<'j> {
    type Item = Child<'j>;

    fn next(&mut self) -> Option<Child<'j>> {
        let key = if self.has_keys {
            Some(self.take_value().filter(|key| key.starts_with('"'))?)
        } else {
            None
        };
        let raw = self.take_value()?;
        Some(Child { key, raw, at: self.at - raw.len() })
    }
}

/// The length of the value at the start; zero at the end of an object or array.
fn value_length(json: &[u8]) -> usize {
    match json.first() {
        Some(b'"') => text_length(json),
        Some(b'{' | b'[') => {
            let (mut depth, mut at) = (0_usize, 0);
            while let Some(byte) = json.get(at) {
                match byte {
                    b'"' => {
                        at += text_length(&json[at..]);
                        continue;
                    }
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' => depth -= 1,
                    _ => {}
                }
                at += 1;
                if depth == 0 {
                    break;
                }
            }
            at
        }
        _ => {
            let is_end = |byte: &u8| *byte <= b' ' || matches!(byte, b',' | b':' | b'}' | b']');
            json.iter().position(is_end).unwrap_or(json.len())
        }
    }
}

fn text_length(json: &[u8]) -> usize {
    let mut at = 1;
    while let Some(found) = json.get(at..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest)) {
        at += found;
        if json[at] == b'"' {
            return at + 1;
        }
        at += 2;
    }
    json.len()
}

/// A text without its quotes and with its escapes resolved.
pub fn unescaped(raw: &str) -> Cow<'_, str> {
    if !raw.contains('\\') {
        return Cow::Borrowed(raw.trim_matches('"'));
    }
    match serde_json::from_str(raw) {
        Ok(text) => Cow::Owned(text),
        // Half a pair of surrogates stands for nothing.
        Err(_) => Cow::Owned(raw.trim_matches('"').to_owned()),
    }
}
