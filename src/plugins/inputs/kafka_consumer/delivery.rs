//! Which records are under way to the outputs, and up to where all of them have arrived.
//!
//! Records of a partition come in order and are done with in any order. What may be committed is
//! the offset before which nothing is missing.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::metric::{Accompany, Origin, OriginalRecord};

/// Room for a number of records that are under way.
#[derive(Debug)]
pub(super) struct Room {
    limit: usize,
    /// Whoever waits for room is woken at this number: sooner it would not be worth it.
    wake_at: usize,
    taken: AtomicUsize,
    is_waited_for: AtomicBool,
    freed: Sender<()>,
}

impl Room {
    /// Room for `limit` records, and what becomes ready when some of it is free again.
    pub(super) fn new(limit: usize) -> (Arc<Room>, Receiver<()>) {
        let (freed, waiting) = bounded(1);
        let room = Room {
            limit,
            wake_at: limit - limit.div_ceil(4),
            taken: AtomicUsize::new(0),
            is_waited_for: AtomicBool::new(false),
            freed,
        };
        (Arc::new(room), waiting)
    }

    /// How many records are under way.
    pub(super) fn taken(&self) -> usize {
        self.taken.load(Ordering::SeqCst)
    }

    /// Whether there is no room for another one.
    pub(super) fn is_full(&self) -> bool {
        self.taken() >= self.limit
    }

    /// Has the next change for the better told of, once.
    pub(super) fn wake_me(&self) {
        self.is_waited_for.store(true, Ordering::SeqCst);
    }

    fn take(&self) {
        self.taken.fetch_add(1, Ordering::SeqCst);
    }

    fn free(&self) {
        let left = self.taken.fetch_sub(1, Ordering::SeqCst) - 1;
        if (left <= self.wake_at || left == 0)
            && self.is_waited_for.load(Ordering::SeqCst)
            && self.is_waited_for.swap(false, Ordering::SeqCst)
        {
            // One waiting signal is as good as many.
            let _ = self.freed.try_send(());
        }
    }
}

/// How far the records of a partition have been delivered, for one assignment of it.
#[derive(Debug)]
pub(super) struct Delivery {
    origin: Arc<Origin>,
    room: Arc<Room>,
    progress: Mutex<Progress>,
}

#[derive(Debug, Default)]
struct Progress {
    /// The records from the oldest that is not done with.
    under_way: VecDeque<Record>,
    /// The number of the first of them, counted from the assignment.
    first: u64,
    /// The offset before which nothing is missing; none as long as nothing is known.
    position: Option<i64>,
}

#[derive(Debug, Clone, Copy)]
struct Record {
    offset: i64,
    is_done: bool,
}

impl Delivery {
    /// Begins at an offset, if it is known already.
    pub(super) fn new(origin: Arc<Origin>, room: Arc<Room>, position: Option<i64>) -> Delivery {
        Delivery {
            origin,
            room,
            progress: Mutex::new(Progress { position, ..Progress::default() }),
        }
    }

    /// Where the records are read from.
    pub(super) fn origin(&self) -> &Arc<Origin> {
        &self.origin
    }

    /// The offset before which nothing is missing, if any is known.
    pub(super) fn position(&self) -> Option<i64> {
        self.locked().position
    }

    /// Whether nothing is under way.
    pub(super) fn is_complete(&self) -> bool {
        self.locked().under_way.is_empty()
    }

    /// Takes note of the next record, which counts as done when what is returned is dropped.
    pub(super) fn begin(
        self: &Arc<Delivery>,
        offset: i64,
        record: Option<OriginalRecord>,
    ) -> UnderWay {
        self.room.take();
        let mut progress = self.locked();
        progress.position.get_or_insert(offset);
        let number = progress.first + progress.under_way.len() as u64;
        progress.under_way.push_back(Record { offset, is_done: false });
        drop(progress);
        UnderWay {
            delivery: self.clone(),
            number,
            offset,
            record: record.map(Box::new),
            is_left_behind: AtomicBool::new(false),
        }
    }

    fn end(&self, number: u64) {
        let mut progress = self.locked();
        let at = usize::try_from(number - progress.first).ok();
        if let Some(record) = at.and_then(|at| progress.under_way.get_mut(at)) {
            record.is_done = true;
        }
        while let Some(record) = progress.under_way.front().filter(|record| record.is_done) {
            // Offsets have gaps where a topic was compacted or written to in transactions.
            progress.position = Some(record.offset + 1);
            progress.under_way.pop_front();
            progress.first += 1;
        }
    }

    fn locked(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A record that is not done with: it goes along with all metrics that were made of it.
#[derive(Debug)]
pub(super) struct UnderWay {
    delivery: Arc<Delivery>,
    number: u64,
    offset: i64,
    record: Option<Box<OriginalRecord>>,
    is_left_behind: AtomicBool,
}

impl Accompany for UnderWay {
    fn record(&self) -> Option<&OriginalRecord> {
        self.record.as_deref()
    }

    fn origin(&self) -> Option<&Arc<Origin>> {
        Some(&self.delivery.origin)
    }

    fn position(&self) -> Option<i64> {
        Some(self.offset)
    }

    fn leave_behind(&self) {
        self.is_left_behind.store(true, Ordering::Release);
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if !self.is_left_behind.load(Ordering::Acquire) {
            self.delivery.end(self.number);
        }
        self.delivery.room.free();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn delivery(limit: usize) -> (Arc<Delivery>, Arc<Room>, Receiver<()>) {
        let (room, freed) = Room::new(limit);
        let origin = Arc::new(Origin::new("topic [0]", BTreeMap::new()));
        (Arc::new(Delivery::new(origin, room.clone(), None)), room, freed)
    }

    #[test]
    fn nothing_is_known_of_a_partition_before_its_first_record() {
        let (delivery, ..) = delivery(9);
        assert_eq!(delivery.position(), None);
        let first = delivery.begin(17, None);
        assert_eq!(delivery.position(), Some(17));
        drop(first);
        assert_eq!(delivery.position(), Some(18));
    }

    #[test]
    fn what_was_left_behind_is_never_delivered_and_takes_no_room() {
        let (delivery, room, _freed) = delivery(9);
        let (first, second) = (delivery.begin(1, None), delivery.begin(2, None));
        first.leave_behind();
        drop(first);
        drop(second);
        assert_eq!((delivery.position(), room.taken()), (Some(1), 0));
        assert!(!delivery.is_complete());
    }

    #[test]
    fn whoever_waits_for_room_is_woken_when_a_quarter_of_it_is_free() {
        let (delivery, room, freed) = delivery(8);
        let mut under_way: Vec<_> = (0..8).map(|offset| delivery.begin(offset, None)).collect();
        assert!(room.is_full());
        room.wake_me();
        under_way.pop();
        assert!(!room.is_full() && freed.is_empty());
        under_way.pop();
        assert_eq!(freed.len(), 1);
        freed.recv().unwrap();
        drop(under_way);
        assert!(freed.is_empty(), "it is told once");
    }

    #[test]
    fn a_record_goes_along_if_it_was_kept() {
        let (delivery, ..) = delivery(9);
        let record = OriginalRecord { value: Some(b"v".as_slice().into()), ..Default::default() };
        assert_eq!(delivery.begin(1, Some(record.clone())).record(), Some(&record));
        let without = delivery.begin(2, None);
        assert_eq!(without.record(), None);
        assert_eq!(without.origin().map(|origin| origin.name()), Some("topic [0]"));
        assert_eq!(without.position(), Some(2));
    }

    proptest! {
        /// Whatever the order in which records end, the position is the offset behind the longest
        /// stretch from the beginning that is done.
        #[test]
        fn the_position_is_before_the_first_record_that_is_not_done(
            steps in prop::collection::vec((any::<bool>(), 1i64..4, any::<prop::sample::Index>()), 1..200),
        ) {
            let (delivery, room, _freed) = delivery(1_000);
            let mut all: Vec<(i64, Option<UnderWay>)> = Vec::new();
            let mut offset = 100;
            for (begins, gap, index) in steps {
                if begins || all.is_empty() {
                    offset += gap;
                    all.push((offset, Some(delivery.begin(offset, None))));
                } else {
                    let at = index.index(all.len());
                    all[at].1 = None;
                }
                let first_missing = all.iter().position(|(_, under_way)| under_way.is_some());
                let expected = match first_missing {
                    Some(0) => all[0].0,
                    Some(at) => all[at - 1].0 + 1,
                    None => all[all.len() - 1].0 + 1,
                };
                prop_assert_eq!(delivery.position(), Some(expected));
                let taken = all.iter().filter(|(_, under_way)| under_way.is_some()).count();
                prop_assert_eq!(room.taken(), taken);
                prop_assert_eq!(delivery.is_complete(), taken == 0);
            }
        }
    }
}
