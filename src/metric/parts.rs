//! The tags and fields of a metric, and how the room for them goes from one metric to another.
//!
//! A metric is made in the thread of an input and dropped in that of an output. What one thread
//! asks the allocator for and another gives back costs as much, at a million metrics a second, as
//! reading them does. So the lists of a metric that is done with are emptied and kept: each thread
//! has a few at hand, and whole trays of them go over a shelf that all threads share.
//!
//! Nothing is kept that nobody needs: not before somebody has asked for some, none that are
//! unusually long, and [`free_spare_lists`] frees what has lain on the shelf unused.

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Field, Tag};

/// How many are brought to the shelf, or fetched from it, at once.
const TRAY: usize = 32;

/// How many the shelf holds at most: as many as a large batch of an output gives back.
const MOST_ON_SHELF: usize = 16_384;

/// Lists with room for more tags or fields than this are not kept.
const LONG_LIST: usize = 32;

/// The lists of a metric, both in their order.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Parts {
    pub(super) tags: Vec<Tag>,
    pub(super) fields: Vec<Field>,
}

impl Clone for Parts {
    fn clone(&self) -> Parts {
        let (mut tags, mut fields) = spare_lists();
        tags.extend_from_slice(&self.tags);
        fields.extend_from_slice(&self.fields);
        Parts { tags, fields }
    }
}

impl Drop for Parts {
    fn drop(&mut self) {
        if IS_ASKED_FOR.load(Ordering::Relaxed) {
            put_by(std::mem::take(&mut self.tags), std::mem::take(&mut self.fields));
        }
    }
}

/// Lists that belong to no metric, and are empty.
type Spare = (Vec<Tag>, Vec<Field>);

/// What has been put by for all threads.
struct Shelf(Mutex<OnShelf>);

struct OnShelf {
    spares: Vec<Spare>,
    /// The fewest that were there since unused ones were last cleared away.
    fewest: usize,
}

static SHELF: Shelf = Shelf::new();

static IS_ASKED_FOR: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// What this thread has at hand.
    static AT_HAND: RefCell<Vec<Spare>> = const { RefCell::new(Vec::new()) };
}

/// Empty lists for [`Metric::from_lists`](super::Metric::from_lists), with the room of those of a
/// metric that is done with if there are any.
///
/// For whoever makes very many metrics; others may as well begin with new lists.
pub fn spare_lists() -> (Vec<Tag>, Vec<Field>) {
    let found = AT_HAND.try_with(|at_hand| {
        let mut at_hand = at_hand.borrow_mut();
        if at_hand.is_empty() {
            IS_ASKED_FOR.store(true, Ordering::Relaxed);
            SHELF.fetch(&mut at_hand);
        }
        at_hand.pop()
    });
    // A thread that is ending has nothing at hand any more.
    found.ok().flatten().unwrap_or_default()
}

/// Frees the lists that nobody has needed since the last time.
///
/// Outputs call it from time to time, so that what a flood of metrics has taken does not stay.
pub fn free_spare_lists() {
    SHELF.clear_away();
}

fn put_by(mut tags: Vec<Tag>, mut fields: Vec<Field>) {
    let is_kept = (1..=LONG_LIST).contains(&fields.capacity()) && tags.capacity() <= LONG_LIST;
    if !is_kept {
        return;
    }
    tags.clear();
    fields.clear();
    // In a thread that is ending they are freed.
    let _ = AT_HAND.try_with(|at_hand| {
        let mut at_hand = at_hand.borrow_mut();
        at_hand.push((tags, fields));
        // One tray stays, so that a thread that makes some and drops others needs no shelf.
        if at_hand.len() == 2 * TRAY {
            SHELF.bring(&mut at_hand);
        }
    });
}

impl Shelf {
    const fn new() -> Shelf {
        Shelf(Mutex::new(OnShelf { spares: Vec::new(), fewest: 0 }))
    }

    /// Takes all but a tray, or frees them where there is no place left.
    fn bring(&self, at_hand: &mut Vec<Spare>) {
        let mut shelf = self.lock();
        if shelf.spares.len() < MOST_ON_SHELF {
            shelf.spares.extend(at_hand.drain(TRAY..));
        } else {
            drop(shelf);
            at_hand.truncate(TRAY);
        }
    }

    /// Hands out a tray, or what there is.
    fn fetch(&self, at_hand: &mut Vec<Spare>) {
        let mut shelf = self.lock();
        let left = shelf.spares.len().saturating_sub(TRAY);
        at_hand.extend(shelf.spares.drain(left..));
        shelf.fewest = shelf.fewest.min(left);
    }

    fn clear_away(&self) {
        let mut shelf = self.lock();
        let unused = shelf.fewest;
        let freed: Vec<_> = shelf.spares.drain(..unused).collect();
        shelf.fewest = shelf.spares.len();
        let room = 2 * shelf.fewest;
        shelf.spares.shrink_to(room);
        // Freeing takes its time, and others wait for the shelf.
        drop(shelf);
        drop(freed);
    }

    fn lock(&self) -> MutexGuard<'_, OnShelf> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::{Metric, Timestamp};

    fn metric() -> Metric {
        Metric::new("m", Timestamp::EPOCH).with_tag("t", "a").with_field("f", 1_i64)
    }

    fn spares(count: usize) -> Vec<Spare> {
        vec![(Vec::new(), Vec::with_capacity(1)); count]
    }

    #[test]
    fn lists_of_metrics_that_are_done_with_are_empty_and_used_again() {
        const SOME: usize = TRAY / 2;
        // The first look finds little or nothing, and tells that somebody wants some.
        drop(spare_lists());
        let metrics: Vec<_> = (0..SOME).map(|_| metric()).collect();
        drop(metrics);
        for _ in 0..SOME {
            let (tags, fields) = spare_lists();
            assert!(tags.is_empty() && fields.is_empty());
            assert!(tags.capacity() > 0 && fields.capacity() > 0);
        }
    }

    #[test]
    fn what_one_thread_brings_to_the_shelf_another_one_fetches() {
        let shelf = Shelf::new();
        let mut full = spares(2 * TRAY);
        shelf.bring(&mut full);
        assert_eq!(full.len(), TRAY);
        let fetched = std::thread::scope(|scope| {
            let fetching = scope.spawn(|| {
                let mut at_hand = Vec::new();
                shelf.fetch(&mut at_hand);
                at_hand.len()
            });
            fetching.join().unwrap()
        });
        assert_eq!(fetched, TRAY);
        let mut at_hand = Vec::new();
        shelf.fetch(&mut at_hand);
        assert!(at_hand.is_empty());
    }

    #[test]
    fn the_shelf_has_an_end() {
        let shelf = Shelf::new();
        for _ in 0..MOST_ON_SHELF / TRAY + 3 {
            let mut full = spares(2 * TRAY);
            shelf.bring(&mut full);
            assert_eq!(full.len(), TRAY);
        }
        assert_eq!(shelf.lock().spares.len(), MOST_ON_SHELF);
    }

    #[test]
    fn what_is_not_needed_is_cleared_away_and_nothing_else() {
        let shelf = Shelf::new();
        (0..4).for_each(|_| shelf.bring(&mut spares(2 * TRAY)));
        let left = || {
            shelf.clear_away();
            shelf.lock().spares.len()
        };
        assert_eq!(left(), 4 * TRAY, "all of them have just come");
        shelf.fetch(&mut Vec::new());
        shelf.bring(&mut spares(2 * TRAY));
        assert_eq!(left(), TRAY, "one tray was in use");
        assert_eq!(left(), 0);
    }

    #[test]
    fn long_lists_are_freed() {
        drop(spare_lists());
        let mut long = metric();
        (0..=LONG_LIST).for_each(|at| long.set_field(at.to_string(), 1_i64));
        let at_hand = || AT_HAND.with_borrow(Vec::len);
        let before = at_hand();
        drop(long);
        assert_eq!(at_hand(), before);
        drop(metric());
        assert_eq!(at_hand(), before + 1);
    }

    #[test]
    fn a_copy_of_a_metric_shares_nothing_with_it() {
        let one = metric();
        let mut other = one.clone();
        other.set_tag("t", "b");
        assert_eq!(one, metric());
        assert_ne!(one, other);
    }
}
