//! What one program has written while it ran: the values of each field of each series, in time.

use std::collections::BTreeMap;

use compact_str::CompactString;

use crate::metric::{Metric, Tag, Timestamp, Value};

/// How many values are kept of one program; what comes after is only counted.
const MOST_VALUES: usize = 1_000_000;

/// How many bytes a line may have before its end comes.
const LONGEST_LINE_BYTES: usize = 16 * 1024 * 1024;

/// The name and the tags that make a series.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SeriesId {
    pub measurement: CompactString,
    /// Sorted by key.
    pub tags: Vec<Tag>,
}

/// The values of one field, sorted by time once all are there.
pub(super) type Values = Vec<(Timestamp, Value)>;

/// The fields of one series.
pub(super) type Fields = BTreeMap<CompactString, Values>;

/// All that one program has written.
#[derive(Debug, Default)]
pub(super) struct Readings {
    pub series: BTreeMap<SeriesId, Fields>,
    n_values: usize,
    /// How many values were not kept, because there are too many.
    pub n_left_out: u64,
    /// How many lines could not be read.
    pub n_unreadable: u64,
}

impl Readings {
    /// Adds the fields of one metric.
    pub(super) fn add(&mut self, metric: &Metric) {
        if self.n_values + metric.fields().len() > MOST_VALUES {
            self.n_left_out += metric.fields().len() as u64;
            return;
        }
        self.n_values += metric.fields().len();
        let id = SeriesId { measurement: metric.name.clone(), tags: metric.tags().to_vec() };
        let fields = self.series.entry(id).or_default();
        for field in metric.fields() {
            match fields.get_mut(&field.key) {
                Some(values) => values.push((metric.time, field.value.clone())),
                None => {
                    let first = (metric.time, field.value.clone());
                    fields.insert(field.key.clone(), vec![first]);
                }
            }
        }
    }

    /// Puts the values of each field in the order of time.
    ///
    /// The sort is stable: values of one time stay in the order they were written in.
    #[must_use]
    pub(super) fn sorted(mut self) -> Readings {
        for values in self.series.values_mut().flat_map(BTreeMap::values_mut) {
            values.sort_by_key(|(time, _)| *time);
        }
        self
    }
}

/// Cuts what a program writes into lines, of which an endless one takes no endless memory.
#[derive(Debug, Default)]
pub(super) struct Lines {
    pending: Vec<u8>,
    /// Whether the line under way has become too long, so that the rest of it is passed over.
    is_too_long: bool,
}

impl Lines {
    /// Takes what was read, and hands all pieces on that have come to their end.
    ///
    /// `end_of_piece` finds the end of the first piece of a stream. The answer is how many lines
    /// were given up as too long.
    pub(super) fn push(
        &mut self,
        mut bytes: &[u8],
        end_of_piece: impl Fn(&[u8]) -> Option<usize>,
        mut piece: impl FnMut(&[u8]),
    ) -> u64 {
        let mut n_given_up = 0;
        if self.is_too_long {
            let Some(end) = memchr::memchr(b'\n', bytes) else { return 0 };
            bytes = &bytes[end + 1..];
            self.is_too_long = false;
        }
        self.pending.extend_from_slice(bytes);
        let mut start = 0;
        while let Some(length) = end_of_piece(&self.pending[start..]) {
            piece(&self.pending[start..start + length]);
            start += length;
        }
        self.pending.drain(..start);
        if self.pending.len() > LONGEST_LINE_BYTES {
            self.pending = Vec::new();
            self.is_too_long = true;
            n_given_up += 1;
        }
        n_given_up
    }

    /// What stands behind the last line end.
    pub(super) fn rest(&self) -> &[u8] {
        &self.pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line_end(bytes: &[u8]) -> Option<usize> {
        memchr::memchr(b'\n', bytes).map(|end| end + 1)
    }

    #[test]
    fn lines_come_whole_however_they_are_read() {
        let mut lines = Lines::default();
        let mut pieces = Vec::new();
        for part in ["a\nb", "", "c\n", "d\ne\nf"] {
            lines.push(part.as_bytes(), line_end, |piece| {
                pieces.push(String::from_utf8(piece.to_vec()).unwrap());
            });
        }
        assert_eq!(pieces, ["a\n", "bc\n", "d\n", "e\n"]);
        assert_eq!(lines.rest(), b"f");
    }

    #[test]
    fn a_line_without_an_end_is_given_up_and_the_next_one_is_read() {
        let mut lines = Lines::default();
        let mut pieces = Vec::new();
        let mut push =
            |bytes: &[u8]| lines.push(bytes, line_end, |piece| pieces.push(piece.to_vec()));
        assert_eq!(push(&vec![b'x'; LONGEST_LINE_BYTES + 1]), 1);
        assert_eq!(push(b"more of it"), 0);
        assert_eq!(push(b" and its end\nnext\n"), 0);
        assert_eq!(pieces, [b"next\n".to_vec()]);
    }

    #[test]
    fn metrics_of_one_series_are_put_together_by_their_fields() {
        let mut readings = Readings::default();
        let at = Timestamp::from_seconds;
        readings.add(&Metric::new("m", at(2)).with_tag("a", "b").with_field("x", 2_i64));
        readings.add(&Metric::new("m", at(1)).with_tag("a", "b").with_field("x", 1_i64));
        readings.add(&Metric::new("m", at(1)).with_tag("a", "b").with_field("y", true));
        readings.add(&Metric::new("m", at(1)).with_field("x", 3_i64));
        let readings = readings.sorted();
        assert_eq!(readings.series.len(), 2);
        let (id, fields) = readings.series.iter().nth(1).unwrap();
        assert_eq!((id.tags.len(), fields.len()), (1, 2));
        assert_eq!(fields["x"], [(at(1), Value::Integer(1)), (at(2), Value::Integer(2))]);
    }

    #[test]
    fn more_values_than_there_is_room_for_are_counted() {
        let mut readings = Readings { n_values: MOST_VALUES - 1, ..Readings::default() };
        let metric = Metric::new("m", Timestamp::EPOCH).with_field("x", 1_i64).with_field("y", 2.0);
        readings.add(&metric);
        assert_eq!((readings.series.len(), readings.n_left_out), (0, 2));
    }
}
