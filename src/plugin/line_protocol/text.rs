//! Names, keys and strings as they are meant: without the backslashes that kept them together.

use std::borrow::Cow;

use compact_str::CompactString;

/// Where a text stands, which decides what a backslash may stand before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// A measurement.
    Name,
    /// A tag's key or value, or a field's key.
    Key,
    /// The value of a string field.
    String,
}

impl Place {
    /// Characters whose backslash is taken away.
    fn escaped(self) -> &'static [u8] {
        match self {
            Place::Name => b", ",
            Place::Key => b",\" =",
            Place::String => b"\"\\",
        }
    }

    /// Without any of these in the text every backslash stays, even one before a quote.
    fn triggers(self) -> &'static [u8] {
        match self {
            Place::Name => b", ",
            Place::Key => b", =",
            Place::String => b"\"\\",
        }
    }
}

/// A name, key or string as it stands in a line.
#[derive(Debug, Clone, Copy)]
pub struct Text<'i>(Written<'i>);

#[derive(Debug, Clone, Copy)]
enum Written<'i> {
    /// It means what it says.
    Plain(&'i str),
    /// It may have backslashes, and bytes that are not UTF-8.
    Raw(&'i [u8], Place),
}

impl<'i> Text<'i> {
    pub(super) fn plain(text: &'i str) -> Text<'i> {
        Text(Written::Plain(text))
    }

    pub(super) fn written(raw: &'i [u8], place: Place) -> Text<'i> {
        Text(Written::Raw(raw, place))
    }

    /// What it means; bytes that are not UTF-8 become U+FFFD.
    pub fn meaning(&self) -> Cow<'i, str> {
        match self.0 {
            Written::Plain(text) => Cow::Borrowed(text),
            Written::Raw(raw, place) => unescape(raw, place),
        }
    }

    /// Makes `known` mean the same; it costs little if it does already.
    pub(super) fn write_to(&self, known: &mut CompactString) {
        match self.0 {
            Written::Plain(text) if known == text => {}
            Written::Plain(text) => {
                known.clear();
                known.push_str(text);
            }
            Written::Raw(raw, place) => *known = CompactString::from(unescape(raw, place)),
        }
    }
}

impl From<Text<'_>> for CompactString {
    fn from(text: Text<'_>) -> CompactString {
        match text.0 {
            Written::Plain(text) => CompactString::new(text),
            Written::Raw(raw, place) => CompactString::from(unescape(raw, place)),
        }
    }
}

/// The text that `raw` stands for; bytes that are not UTF-8 become U+FFFD.
fn unescape(raw: &[u8], place: Place) -> Cow<'_, str> {
    let Some(first) = memchr::memchr(b'\\', raw) else { return String::from_utf8_lossy(raw) };
    if !raw.iter().any(|byte| place.triggers().contains(byte)) {
        return String::from_utf8_lossy(raw);
    }
    let mut text = Vec::with_capacity(raw.len());
    let (plain, mut rest) = raw.split_at(first);
    text.extend_from_slice(plain);
    while let [byte, tail @ ..] = rest {
        match tail {
            [next, after @ ..] if *byte == b'\\' && place.escaped().contains(next) => {
                text.push(*next);
                rest = after;
            }
            _ => {
                text.push(*byte);
                rest = tail;
            }
        }
    }
    Cow::Owned(match String::from_utf8(text) {
        Ok(text) => text,
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    })
}
