//! Records that no rows can be made of, as lines of the file for them.

use std::borrow::Cow;

use crate::kafka::dead_letters::{Bytes, DeadLetter, Header};
use crate::kafka::group::RecordView;
use crate::sink::rows::Unfit;

/// The record as a line, with the reason why it stands there.
pub(super) fn line(record: &RecordView<'_>, unfit: &Unfit) -> Vec<u8> {
    let header = |(key, value): (&'_ [u8], Option<&'_ [u8]>)| Header {
        key: Cow::Owned(String::from_utf8_lossy(key).into_owned()),
        value: value.map(|value| Bytes::from(value.to_vec())),
    };
    let letter = DeadLetter {
        topic: record.topic.into(),
        partition: record.partition,
        offset: record.offset,
        timestamp_ms: record.timestamp_ms(),
        reason: unfit.to_string().into(),
        key: record.key().map(Bytes::from),
        headers: record.headers().into_iter().map(header).collect(),
        value: record.has_value().then(|| Bytes::from(record.value)),
    };
    let mut line = Vec::new();
    letter.push_line(&mut line);
    line
}
