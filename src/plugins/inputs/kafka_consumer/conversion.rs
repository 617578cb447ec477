//! What metrics a record becomes.

use compact_str::{CompactString, ToCompactString};

use crate::kafka::group::RecordView;
use crate::metric::{Metric, OriginalRecord, Timestamp};
use crate::plugin::{NotEnoughData, Parser, PluginError};

/// Where the times of metrics come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TimeSource {
    /// The metrics themselves.
    Metric,
    /// The record.
    Record,
}

/// Whether records go along with their metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keeping {
    /// They do, to be passed on as they came.
    Record,
    /// Only the metrics are kept.
    Nothing,
}

/// What is added to the metrics of a record; names that are empty add nothing.
#[derive(Debug, Default)]
pub(super) struct Additions {
    /// The tag for the topic.
    pub topic_tag: String,
    /// The tag for the partition.
    pub partition_tag: String,
    /// The field for the offset.
    pub offset_field: String,
    /// The tag for the key.
    pub key_tag: String,
    /// The headers that become tags.
    pub header_tags: Vec<String>,
    /// The header that holds the metrics' name.
    pub name_header: String,
}

/// Makes metrics of records.
pub(super) struct Conversion {
    /// Reads the values.
    pub parser: Box<dyn Parser>,
    /// What is added.
    pub additions: Additions,
    /// Where times come from.
    pub time_source: TimeSource,
    /// Whether the record is kept.
    pub keeping: Keeping,
    /// The longest value that is read, in bytes; zero for any.
    pub most_bytes: usize,
}

/// A value that is longer than it may be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("message exceeds max_message_len (actual {actual}, max {most})")]
pub(super) struct TooLong {
    actual: usize,
    most: usize,
}

impl Conversion {
    /// The metrics of a record; none of one without a value.
    ///
    /// # Errors
    /// If the value is too long, or the parser does not understand it.
    pub(super) fn metrics(&mut self, record: &RecordView<'_>) -> Result<Vec<Metric>, PluginError> {
        let actual = record.value.len();
        if self.most_bytes != 0 && actual > self.most_bytes {
            return Err(TooLong { actual, most: self.most_bytes }.into());
        }
        if !record.has_value() {
            return Ok(Vec::new());
        }
        let mut metrics = match self.parser.parse(record.value) {
            Ok(metrics) => metrics,
            // It has read a header, and metrics come with the next record.
            Err(error) if error.is::<NotEnoughData>() => Vec::new(),
            Err(error) => return Err(error),
        };
        self.additions.add_to(&mut metrics, record);
        if self.time_source == TimeSource::Record
            && let Some(time) = record.timestamp_ms()
        {
            let time = Timestamp::from_nanos(time.saturating_mul(1_000_000));
            metrics.iter_mut().for_each(|metric| metric.time = time);
        }
        Ok(metrics)
    }

    /// The record as it came, if it is to be kept.
    pub(super) fn kept(&self, record: &RecordView<'_>) -> Option<OriginalRecord> {
        (self.keeping == Keeping::Record).then(|| original(record))
    }
}

impl Additions {
    fn add_to(&self, metrics: &mut [Metric], record: &RecordView<'_>) {
        if metrics.is_empty() {
            return;
        }
        if !self.header_tags.is_empty() || !self.name_header.is_empty() {
            self.add_headers(metrics, record);
        }
        let mut tag = |name: &str, value: CompactString| {
            metrics.iter_mut().for_each(|metric| metric.set_tag(name, value.clone()));
        };
        if !self.topic_tag.is_empty() {
            tag(&self.topic_tag, record.topic.into());
        }
        if !self.partition_tag.is_empty() {
            tag(&self.partition_tag, record.partition.to_compact_string());
        }
        if !self.key_tag.is_empty()
            && let Some(key) = record.key()
        {
            tag(&self.key_tag, text(key));
        }
        if !self.offset_field.is_empty() {
            let name = self.offset_field.as_str();
            metrics.iter_mut().for_each(|metric| metric.set_field(name, record.offset));
        }
    }

    fn add_headers(&self, metrics: &mut [Metric], record: &RecordView<'_>) {
        for (name, value) in record.headers() {
            let value = text(value.unwrap_or_default());
            if name == self.name_header.as_bytes() {
                metrics.iter_mut().for_each(|metric| metric.name = value.clone());
            } else if let Some(tag) = self.header_tags.iter().find(|tag| tag.as_bytes() == name) {
                metrics.iter_mut().for_each(|metric| metric.set_tag(tag.as_str(), value.clone()));
            }
        }
    }
}

fn text(bytes: &[u8]) -> CompactString {
    CompactString::from_utf8_lossy(bytes)
}

/// A record as it came.
pub(super) fn original(record: &RecordView<'_>) -> OriginalRecord {
    let header = |(name, value): (&[u8], Option<&[u8]>)| {
        (String::from_utf8_lossy(name).into(), value.map(Into::into))
    };
    OriginalRecord {
        key: record.key().map(Into::into),
        value: record.has_value().then(|| record.value.into()),
        headers: record.headers().into_iter().map(header).collect(),
        timestamp_ms: record.timestamp_ms(),
    }
}
