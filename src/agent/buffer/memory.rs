//! The buffer in memory.
//!
//! A bounded queue with transactions: a batch is taken out of the front, the output tries to
//! write it, and what it could not write comes back to the front in its old order. A full queue
//! drops its oldest metric for each new one; of a batch that comes back the newest are dropped,
//! as far as the room is taken by then.
//!
//! # References
//! Telegraf's `models/buffer_mem.go`.

use std::collections::VecDeque;

use super::BatchEnd;
use crate::metric::Metric;
use crate::plugin::WriteError;

/// A bounded queue of unwritten metrics.
#[derive(Debug)]
pub struct MemoryBuffer {
    waiting: VecDeque<Metric>,
    /// How many metrics are out for writing.
    n_out: usize,
    limit: usize,
}

impl MemoryBuffer {
    /// Makes an empty buffer for at most `limit` metrics.
    pub(super) fn new(limit: usize) -> MemoryBuffer {
        MemoryBuffer { waiting: VecDeque::new(), n_out: 0, limit: limit.max(1) }
    }

    /// How many metrics wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// How many metrics wait or are out for writing.
    pub(super) fn held(&self) -> usize {
        (self.waiting.len() + self.n_out).min(self.limit)
    }

    /// Adds a metric at the end and returns how many were dropped for it.
    pub(super) fn add(&mut self, metric: Metric) -> usize {
        let full = self.waiting.len() >= self.limit;
        if full {
            self.waiting.pop_front();
        }
        self.waiting.push_back(metric);
        usize::from(full)
    }

    /// Adds metrics at the end and returns how many were dropped for them.
    pub(super) fn add_all(&mut self, metrics: Vec<Metric>) -> usize {
        if metrics.len() > self.limit - self.waiting.len() {
            return metrics.into_iter().map(|metric| self.add(metric)).sum();
        }
        self.waiting.extend(metrics);
        0
    }

    /// Takes up to `size` of the oldest metrics out for writing.
    pub(super) fn begin(&mut self, size: usize) -> Vec<Metric> {
        let size = size.min(self.waiting.len());
        self.n_out = size;
        self.waiting.drain(..size).collect()
    }

    /// Ends the writing of a batch that [`MemoryBuffer::begin`] gave out.
    pub(super) fn end(&mut self, batch: Vec<Metric>, result: Result<(), WriteError>) -> BatchEnd {
        let size = batch.len();
        self.n_out = 0;
        let (kept, rejected) = match result {
            Ok(()) => {
                return BatchEnd { written: size, done_with: batch, ..BatchEnd::default() };
            }
            Err(WriteError::Retry(_)) => (batch, Vec::new()),
            Err(WriteError::Partial { retry, rejected, .. }) => (pick(batch, &retry), rejected),
        };
        let n_kept = kept.len();
        let room = self.limit - self.waiting.len();
        let dropped = n_kept.saturating_sub(room);
        for metric in kept.into_iter().take(room).rev() {
            self.waiting.push_front(metric);
        }
        BatchEnd {
            written: size.saturating_sub(n_kept + rejected.len()),
            rejected,
            kept: n_kept - dropped,
            dropped,
            ..BatchEnd::default()
        }
    }

    /// Takes all metrics out for good.
    pub(super) fn take_all(&mut self) -> Vec<Metric> {
        std::mem::take(&mut self.waiting).into()
    }
}

/// The metrics at the places `wanted`, which ascend.
fn pick(batch: Vec<Metric>, wanted: &[usize]) -> Vec<Metric> {
    let mut wanted = wanted.iter().copied().peekable();
    batch
        .into_iter()
        .enumerate()
        .filter_map(|(index, metric)| wanted.next_if_eq(&index).map(|_| metric))
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::metric::Timestamp;
    use crate::plugin::Rejection;

    fn metric(number: i64) -> Metric {
        Metric::new("m", Timestamp::from_nanos(number)).with_field("n", number)
    }

    fn numbers(metrics: impl IntoIterator<Item = Metric>) -> Vec<i64> {
        metrics.into_iter().map(|metric| metric.time.nanos()).collect()
    }

    fn filled(count: i64, limit: usize) -> MemoryBuffer {
        let mut buffer = MemoryBuffer::new(limit);
        for number in 0..count {
            buffer.add(metric(number));
        }
        buffer
    }

    #[test]
    fn a_full_buffer_drops_the_oldest() {
        let mut buffer = filled(3, 3);
        assert_eq!(buffer.add(metric(3)), 1);
        assert_eq!(numbers(buffer.begin(9)), [1, 2, 3]);
    }

    #[test]
    fn a_failed_batch_comes_back_to_the_front_in_order() {
        let mut buffer = filled(5, 10);
        let batch = buffer.begin(3);
        let end = buffer.end(batch, Err(WriteError::retry("down")));
        assert_eq!((end.written, end.kept, end.dropped), (0, 3, 0));
        assert_eq!(numbers(buffer.begin(9)), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn what_does_not_fit_any_more_is_the_newest_of_the_batch() {
        let mut buffer = filled(3, 3);
        let batch = buffer.begin(3);
        buffer.add(metric(3));
        buffer.add(metric(4));
        let end = buffer.end(batch, Err(WriteError::retry("down")));
        assert_eq!((end.kept, end.dropped), (1, 2));
        assert_eq!(numbers(buffer.begin(9)), [0, 3, 4]);
    }

    #[test]
    fn metrics_that_are_being_written_are_held_until_the_batch_has_ended() {
        let mut buffer = filled(3, 4);
        let batch = buffer.begin(2);
        assert_eq!((buffer.len(), buffer.held()), (1, 3));
        buffer.end(batch, Ok(()));
        assert_eq!((buffer.len(), buffer.held()), (1, 1));
    }

    #[test]
    fn only_the_named_metrics_of_a_partial_write_come_back() {
        let mut buffer = filled(5, 10);
        let batch = buffer.begin(5);
        let end = buffer.end(
            batch,
            Err(WriteError::Partial {
                retry: vec![1, 4],
                rejected: vec![Rejection { index: 2, reason: "too large".into() }],
                source: "some failed".into(),
            }),
        );
        assert_eq!((end.written, end.kept, end.rejected.len()), (2, 2, 1));
        assert_eq!(numbers(buffer.begin(9)), [1, 4]);
    }

    proptest! {
        /// Whatever happens, nothing is lost that was not counted, and order is kept.
        #[test]
        fn every_metric_is_accounted_for(
            limit in 1usize..8,
            actions in prop::collection::vec((0u8..3, 0usize..6), 0..60),
        ) {
            let mut buffer = MemoryBuffer::new(limit);
            let mut added = 0;
            let mut gone = 0;
            for (action, size) in actions {
                match action {
                    0 => {
                        let end = added + size as i64;
                        gone += buffer.add_all((added..end).map(metric).collect());
                        added = end;
                    }
                    1 => {
                        let batch = buffer.begin(size);
                        gone += buffer.add(metric(added));
                        added += 1;
                        let end = buffer.end(batch, Err(WriteError::retry("down")));
                        prop_assert_eq!(end.written, 0);
                        gone += end.dropped;
                    }
                    _ => {
                        let batch = buffer.begin(size);
                        gone += buffer.end(batch, Ok(())).written;
                    }
                }
                prop_assert!(buffer.len() <= limit);
                prop_assert_eq!(added as usize, gone + buffer.len());
            }
            let left = numbers(buffer.begin(limit));
            prop_assert!(left.is_sorted());
        }
    }
}
