//! What comes of two metrics that match, or of one that nothing matches.

use compact_str::CompactString;

use crate::metric::{Field, Metric, Tag, Timestamp};
use crate::plugin::Patterns;

/// Where a metric belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Left = 0,
    Right = 1,
}

impl Side {
    pub(super) fn other(self) -> Side {
        match self {
            Side::Left => Side::Right,
            Side::Right => Side::Left,
        }
    }
}

/// What results look like.
#[derive(Debug, Clone)]
pub(super) struct ResultRules {
    pub(super) name: CompactString,
    /// The tags that make the key, which have no prefix.
    pub(super) keys: Option<Patterns>,
    /// What stands before the names of tags and fields of either side.
    pub(super) prefixes: [CompactString; 2],
}

impl ResultRules {
    /// Whether a tag belongs to the key.
    pub(super) fn is_key(&self, tag: &str) -> bool {
        self.keys.as_ref().is_some_and(|keys| keys.match_any(tag))
    }

    /// A result of what there is; its time is the later one.
    pub(super) fn result(&self, left: Option<&Metric>, right: Option<&Metric>) -> Metric {
        let sides = [left, right];
        let there = || {
            sides
                .iter()
                .zip(&self.prefixes)
                .filter_map(|(side, prefix)| side.map(|metric| (metric, prefix)))
        };
        let time = there().map(|(metric, _)| metric.time).max().unwrap_or(Timestamp::EPOCH);
        let (mut tags, mut fields) = (Vec::new(), Vec::new());
        for (metric, prefix) in there() {
            tags.extend(metric.tags().iter().map(|tag| match self.is_key(&tag.key) {
                true => tag.clone(),
                false => Tag { key: prefixed(prefix, &tag.key), value: tag.value.clone() },
            }));
            fields.extend(metric.fields().iter().map(|field| Field {
                key: prefixed(prefix, &field.key),
                value: field.value.clone(),
            }));
        }
        Metric::from_lists(self.name.clone(), time, tags, fields)
    }
}

fn prefixed(prefix: &str, key: &CompactString) -> CompactString {
    if prefix.is_empty() {
        return key.clone();
    }
    let mut text = CompactString::with_capacity(prefix.len() + key.len());
    text.push_str(prefix);
    text.push_str(key);
    text
}
