//! A record as its reader sees it, wherever the client library has put it.

use rdkafka::message::{BorrowedMessage, Headers, Message};

use super::records::NextRecord;

/// A record as it lies in the client's memory.
pub struct RecordView<'a> {
    /// The topic it was read from.
    pub topic: &'a str,
    /// The partition it was read from.
    pub partition: i32,
    /// Its place in the partition.
    pub offset: i64,
    /// Its value; empty also for a record without one.
    pub value: &'a [u8],
    /// What few ask for is found when they do.
    source: Source<'a>,
}

enum Source<'a> {
    /// It came in a batch.
    Batch(&'a NextRecord<'a>),
    /// It came among the library's events.
    Event(&'a BorrowedMessage<'a>),
    /// A test has made it up, with this time.
    #[cfg(test)]
    MadeUp(Option<i64>),
}

/// Whether a reader takes more records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taking {
    /// It takes the next one, too.
    More,
    /// That was enough; the next poll goes on with the next record.
    Enough,
}

impl<'a> RecordView<'a> {
    pub(super) fn of_batch(record: &'a NextRecord<'a>) -> RecordView<'a> {
        RecordView {
            topic: record.topic,
            partition: record.partition(),
            offset: record.offset(),
            value: record.value().unwrap_or_default(),
            source: Source::Batch(record),
        }
    }

    pub(super) fn of_event(message: &'a BorrowedMessage<'a>) -> RecordView<'a> {
        RecordView {
            topic: message.topic(),
            partition: message.partition(),
            offset: message.offset(),
            value: message.payload().unwrap_or_default(),
            source: Source::Event(message),
        }
    }

    /// A record that no broker has seen, with a time in milliseconds since 1970.
    #[cfg(test)]
    pub fn made_up(
        topic: &'a str,
        partition: i32,
        offset: i64,
        value: &'a [u8],
        timestamp_ms: Option<i64>,
    ) -> RecordView<'a> {
        RecordView { topic, partition, offset, value, source: Source::MadeUp(timestamp_ms) }
    }

    /// Whether it has a value, be it empty.
    pub fn has_value(&self) -> bool {
        match self.source {
            Source::Batch(record) => record.value().is_some(),
            Source::Event(message) => message.payload().is_some(),
            #[cfg(test)]
            Source::MadeUp(_) => true,
        }
    }

    /// Its key, if it has one.
    pub fn key(&self) -> Option<&'a [u8]> {
        match self.source {
            Source::Batch(record) => record.key(),
            Source::Event(message) => message.key(),
            #[cfg(test)]
            Source::MadeUp(_) => None,
        }
    }

    /// When it was made, or taken by the broker, as the topic is set: in milliseconds since 1970.
    pub fn timestamp_ms(&self) -> Option<i64> {
        match self.source {
            Source::Batch(record) => record.timestamp_ms(),
            Source::Event(message) => message.timestamp().to_millis(),
            #[cfg(test)]
            Source::MadeUp(timestamp_ms) => timestamp_ms,
        }
    }

    /// The names and values of its headers, in their order.
    pub fn headers(&self) -> Vec<(&'a [u8], Option<&'a [u8]>)> {
        match self.source {
            Source::Batch(record) => record.headers().collect(),
            Source::Event(message) => message.headers().map_or_else(Vec::new, |headers| {
                headers.iter().map(|header| (header.key.as_bytes(), header.value)).collect()
            }),
            #[cfg(test)]
            Source::MadeUp(_) => Vec::new(),
        }
    }
}
