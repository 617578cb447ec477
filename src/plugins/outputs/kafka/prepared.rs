//! A batch as records, before they borrow from it.

use std::ops::Range;

use compact_str::CompactString;

use crate::kafka::Record;
use crate::metric::Metric;
use crate::plugin::Rejection;
use crate::plugin::template::Template;

/// The records of a batch, and what they are made of.
#[derive(Default)]
pub(super) struct Prepared {
    /// The values of all records.
    pub(super) values: Vec<u8>,
    /// The values of all headers.
    pub(super) header_values: String,
    pub(super) records: Vec<PreparedRecord>,
    pub(super) rejected: Vec<Rejection>,
}

/// A record of a batch.
pub(super) struct PreparedRecord {
    /// The metric's place in the batch.
    pub(super) index: usize,
    /// The places of the metrics behind it that were made of the same record.
    pub(super) others: Vec<usize>,
    pub(super) topic: CompactString,
    /// The key that the options give it.
    pub(super) key: Option<CompactString>,
    pub(super) content: Content,
    /// One for each template, none where the metric lacks what it asks for.
    pub(super) headers: Vec<Option<Range<usize>>>,
    pub(super) timestamp_ms: Option<i64>,
}

/// What is written for a metric.
pub(super) enum Content {
    /// This stretch of the values.
    Value(Range<usize>),
    /// The record that goes along with the metric.
    Original,
}

impl PreparedRecord {
    /// The places of all metrics that it stands for.
    pub(super) fn metrics(&self) -> impl Iterator<Item = usize> + '_ {
        std::iter::once(self.index).chain(self.others.iter().copied())
    }

    /// How long its value is.
    pub(super) fn value_bytes(&self, batch: &[Metric]) -> usize {
        match &self.content {
            Content::Value(at) => at.len(),
            Content::Original => {
                let record = batch[self.index].companion.record();
                record.and_then(|record| record.value.as_ref()).map_or(0, |value| value.len())
            }
        }
    }
}

impl Prepared {
    /// An empty batch with room for so many metrics.
    pub(super) fn with_room_for(metrics: usize) -> Prepared {
        Prepared { records: Vec::with_capacity(metrics), ..Prepared::default() }
    }

    /// Adds a metric to the record that goes to the topic already, if one was made of the same. They
    /// stand side by side, as they came.
    pub(super) fn joins_earlier(&mut self, batch: &[Metric], index: usize, topic: &str) -> bool {
        let companion = &batch[index].companion;
        let is_same =
            |record: &&mut PreparedRecord| batch[record.index].companion.is_same(companion);
        let mut earlier = self.records.iter_mut().rev().take_while(is_same);
        match earlier.find(|record| record.topic == topic) {
            Some(record) => {
                record.others.push(index);
                true
            }
            None => false,
        }
    }

    /// The records, borrowed.
    pub(super) fn records<'p>(
        &'p self,
        batch: &'p [Metric],
        headers: &'p [(String, Template)],
    ) -> Vec<Record<'p>> {
        let record = |record: &'p PreparedRecord| {
            let own = headers.iter().zip(&record.headers).filter_map(|((name, _), at)| {
                Some((name.as_str(), Some(self.header_values[at.clone()?].as_bytes())))
            });
            let original = match record.content {
                Content::Original => batch[record.index].companion.record(),
                Content::Value(_) => None,
            };
            let originals = original.iter().flat_map(|original| &original.headers);
            let originals = originals.map(|(name, value)| (&**name, value.as_deref()));
            Record {
                topic: &record.topic,
                key: match &record.key {
                    Some(key) => Some(key.as_bytes()),
                    None => original.and_then(|original| original.key.as_deref()),
                },
                value: match &record.content {
                    Content::Value(at) => Some(&self.values[at.clone()]),
                    Content::Original => original.and_then(|original| original.value.as_deref()),
                },
                headers: originals.chain(own).collect(),
                timestamp_ms: record.timestamp_ms,
            }
        };
        self.records.iter().map(record).collect()
    }
}
