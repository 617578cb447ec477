//! Records that nothing could be made of, kept with the reason until somebody feeds them back.
//!
//! They are letters, as [`crate::letters`] keeps them, in files that have one writer each.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::letters;
pub use crate::letters::{Bytes, FILE_SUFFIX, LettersError};

/// The letters in a file.
pub type Letters<R> = letters::Letters<R, DeadLetter<'static>>;

/// A letter and the line that it stands in.
pub type Numbered = letters::Numbered<DeadLetter<'static>>;

/// A record with all that it takes to produce it again, and why it was put aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeadLetter<'l> {
    /// The topic it was read from.
    pub topic: Cow<'l, str>,
    /// The partition it was read from.
    pub partition: i32,
    /// Its place in the partition.
    pub offset: i64,
    /// Its time in milliseconds since 1970.
    #[serde(rename = "timestamp", deserialize_with = "Option::deserialize")]
    pub timestamp_ms: Option<i64>,
    /// Why it was put aside.
    pub reason: Cow<'l, str>,
    /// Its key.
    #[serde(deserialize_with = "Option::deserialize")]
    pub key: Option<Bytes<'l>>,
    /// Its headers in their order; a key may come several times.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<Header<'l>>,
    /// Its value.
    #[serde(deserialize_with = "Option::deserialize")]
    pub value: Option<Bytes<'l>>,
}

/// A header of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header<'l> {
    /// Its key.
    pub key: Cow<'l, str>,
    /// Its value.
    #[serde(deserialize_with = "Option::deserialize")]
    pub value: Option<Bytes<'l>>,
}

impl DeadLetter<'_> {
    /// Appends the letter as one line.
    pub fn push_line(&self, out: &mut Vec<u8>) {
        letters::push_line(self, out);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn letter() -> DeadLetter<'static> {
        DeadLetter {
            topic: "metrics".into(),
            partition: 3,
            offset: 17,
            timestamp_ms: Some(1_700_000_000_123),
            reason: "expected field at 1:5: \"m a=\"".into(),
            key: Some(Bytes::from(b"host".as_slice())),
            headers: vec![Header { key: "h".into(), value: Some(Bytes::from(b"\xff".as_slice())) }],
            value: Some(Bytes::from("m a=\n\u{e9}".as_bytes())),
        }
    }

    #[test]
    fn a_letter_is_a_line_that_people_can_read() {
        let mut line = Vec::new();
        letter().push_line(&mut line);
        assert_eq!(
            String::from_utf8(line).unwrap(),
            "{\"topic\":\"metrics\",\"partition\":3,\"offset\":17,\"timestamp\":1700000000123,\
             \"reason\":\"expected field at 1:5: \\\"m a=\\\"\",\"key\":\"host\",\
             \"headers\":[{\"key\":\"h\",\"value\":{\"base64\":\"/w==\"}}],\"value\":\"m a=\\n\u{e9}\"}\n"
        );
    }

    #[test]
    fn a_record_without_value_or_key_stays_one() {
        let letter = DeadLetter {
            timestamp_ms: None,
            key: None,
            headers: Vec::new(),
            value: None,
            ..letter()
        };
        let mut line = Vec::new();
        letter.push_line(&mut line);
        let text = std::str::from_utf8(&line).unwrap();
        assert!(
            text.contains("\"key\":null,\"value\":null") && !text.contains("headers"),
            "{text}"
        );
        assert_eq!(Letters::new(line.as_slice()).next().unwrap().unwrap().letter, letter);
    }

    fn bytes() -> impl Strategy<Value = Option<Bytes<'static>>> {
        let some = prop_oneof![
            prop::collection::vec(any::<u8>(), 0..20),
            "\\PC{0,8}".prop_map(String::into_bytes)
        ];
        prop::option::of(some.prop_map(Bytes::from))
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            topic in "\\PC{0,8}",
            place in any::<(i32, i64, Option<i64>)>(),
            reason in any::<String>(),
            parts in (bytes(), bytes()),
            headers in prop::collection::vec((any::<String>(), bytes()), 0..3),
        ) {
            let letter = DeadLetter {
                topic: topic.into(),
                partition: place.0,
                offset: place.1,
                timestamp_ms: place.2,
                reason: reason.into(),
                key: parts.0,
                headers: headers
                    .into_iter()
                    .map(|(key, value)| Header { key: key.into(), value })
                    .collect(),
                value: parts.1,
            };
            let mut line = Vec::new();
            letter.push_line(&mut line);
            prop_assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
            let read: Vec<_> = Letters::new(line.as_slice()).map(|letter| letter.unwrap().letter).collect();
            prop_assert_eq!(read, [letter]);
        }
    }
}
