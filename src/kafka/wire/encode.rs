//! Writing requests: the primitives of Kafka's protocol, in the compact forms.
//!
//! # References
//! Kafka's protocol guide, "Protocol Primitive Types"; KIP-482 for the compact forms and tags.

/// Collects the bytes of a request.
///
/// All lists, texts and bytes are compact: their length is a varint, and one more than it is, so
/// that zero can stand for nothing.
#[derive(Debug, Default)]
pub(super) struct Encoder {
    bytes: Vec<u8>,
}

impl Encoder {
    /// What was written.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    pub(super) fn boolean(&mut self, value: bool) {
        self.bytes.push(u8::from(value));
    }

    pub(super) fn int8(&mut self, value: i8) {
        self.bytes.extend(value.to_be_bytes());
    }

    pub(super) fn int16(&mut self, value: i16) {
        self.bytes.extend(value.to_be_bytes());
    }

    pub(super) fn int32(&mut self, value: i32) {
        self.bytes.extend(value.to_be_bytes());
    }

    pub(super) fn int64(&mut self, value: i64) {
        self.bytes.extend(value.to_be_bytes());
    }

    /// A text in the older form, which heads of requests keep; cut at the 32 KiB that fit.
    pub(super) fn plain_string(&mut self, text: &str) {
        let length = i16::try_from(text.len()).unwrap_or(i16::MAX);
        self.int16(length);
        self.bytes.extend(text.bytes().take(usize::from(length.unsigned_abs())));
    }

    pub(super) fn string(&mut self, text: &str) {
        self.compact_bytes(text.as_bytes());
    }

    pub(super) fn compact_bytes(&mut self, bytes: &[u8]) {
        self.compact_length(bytes.len());
        self.bytes.extend_from_slice(bytes);
    }

    /// A list in place of which there is nothing; mostly it means all that there are.
    pub(super) fn null(&mut self) {
        self.bytes.push(0);
    }

    pub(super) fn array<T>(&mut self, items: &[T], mut each: impl FnMut(&mut Encoder, &T)) {
        self.compact_length(items.len());
        for item in items {
            each(self, item);
        }
    }

    /// The end of a struct, where optional fields would stand.
    pub(super) fn no_tags(&mut self) {
        self.bytes.push(0);
    }

    fn compact_length(&mut self, length: usize) {
        let mut rest = length + 1;
        while rest >= 0x80 {
            self.bytes.push((rest & 0x7f) as u8 | 0x80);
            rest >>= 7;
        }
        self.bytes.push(rest as u8);
    }
}
