//! The book of what is held of an origin, and what has been delivered of it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::metric::{Accompany, Companion, Origin, OriginalRecord};

/// What an earlier run has left to be known of an origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Known {
    /// Up to where all spans are done with, as the end of the last one.
    pub done: Option<i64>,
    /// Before which position everything is done with.
    pub position: Option<i64>,
    /// The highest time before that position.
    pub time: Option<i64>,
}

impl Known {
    /// Whether a span was done with before.
    pub fn is_done(&self, end: i64) -> bool {
        self.done.is_some_and(|done| end <= done)
    }

    /// Whether what is at a position was done with before.
    pub fn is_before(&self, position: Option<i64>) -> bool {
        matches!((position, self.position), (Some(at), Some(from)) if at < from)
    }
}

/// A place in an origin, and how far the time had come before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Moment {
    /// The place, where the origin has such.
    pub position: Option<i64>,
    /// The highest time before it, if there was anything.
    pub time: Option<i64>,
}

/// What a processor holds of one origin.
///
/// Why it is kept as it is stands in [the module above](super).
pub struct Ledger {
    origin: Arc<Origin>,
    /// The marks' names: done, position, time.
    names: [String; 3],
    /// For how long beyond its end a span that is done with is still to be read again.
    retention: i64,
    book: Mutex<Book>,
}

#[derive(Default)]
struct Book {
    /// By their ends; those that are done with follow no others.
    spans: BTreeMap<i64, Span>,
    /// The end of the last of those up to which all are done with; it never goes back.
    done: Option<i64>,
    /// How many late metrics of a position are on their way, and the time before it.
    passing: BTreeMap<i64, (usize, Option<i64>)>,
}

struct Span {
    held: Companion,
    since: Moment,
    is_done: bool,
}

impl Ledger {
    /// Begins the book of an origin, of spans whose marks are called `name`.
    ///
    /// A span that is done with can be read again for another `retention` beyond its end.
    /// None if somebody else keeps marks of this name.
    pub fn open(origin: &Arc<Origin>, name: &str, retention: i64) -> Option<(Arc<Ledger>, Known)> {
        let names = ["", ".position", ".time"].map(|what| format!("{name}{what}"));
        if !origin.claim(name) {
            return None;
        }
        let [done, position, time] = names.each_ref().map(|of| origin.mark(of));
        let book = Mutex::new(Book { done, ..Book::default() });
        let ledger = Ledger { origin: origin.clone(), names, retention, book };
        Some((Arc::new(ledger), Known { done, position, time }))
    }

    /// The origin.
    pub fn origin(&self) -> &Arc<Origin> {
        &self.origin
    }

    /// Opens the span that ends at `end` with its first metric, whose companion is held from now
    /// on. It is done with when the completion and all its copies have been dropped.
    pub fn hold(self: &Arc<Self>, end: i64, first: &Companion, since: Moment) -> Arc<Completion> {
        let span = Span { held: first.clone(), since, is_done: false };
        let replaced = self.lock().spans.insert(end, span);
        drop(replaced);
        Arc::new(Completion { ledger: self.clone(), end, is_left: AtomicBool::new(false) })
    }

    /// A companion for a late metric that is passed on, in place of its own.
    pub fn pass(self: &Arc<Self>, late: Companion, since: Moment) -> Companion {
        if let Some(position) = since.position {
            self.lock().passing.entry(position).or_insert((0, since.time)).0 += 1;
        }
        let (ledger, position, is_left) = (self.clone(), since.position, AtomicBool::new(false));
        Companion::new(Arc::new(Passing { ledger, late, position, is_left }))
    }

    /// Lets it be known that what is held of spans which are done with, but may still be needed,
    /// has to be read again.
    pub fn leave_behind(&self) {
        let held: Vec<_> = {
            let book = self.lock();
            let retained = book.spans.values().filter(|span| span.is_done);
            retained.map(|span| span.held.clone()).collect()
        };
        held.iter().for_each(Companion::leave_behind);
    }

    fn done(&self, end: i64) {
        let released = {
            let mut book = self.lock();
            let Some(span) = book.spans.get_mut(&end) else { return };
            span.is_done = true;
            let done = book.spans.iter().take_while(|(_, span)| span.is_done);
            let Some(last) = done.map(|(end, _)| *end).last() else { return };
            let done = book.done.map_or(last, |done| done.max(last));
            book.done = Some(done);
            let kept = book.spans.split_off(&done.saturating_sub(self.retention).saturating_add(1));
            let released = std::mem::replace(&mut book.spans, kept);
            self.set_marks(&book, Some(done));
            released
        };
        // The input is told only now, so that it finds the marks set.
        drop(released);
    }

    fn passed(&self, position: i64) {
        let mut book = self.lock();
        if let Some((count, _)) = book.passing.get_mut(&position) {
            *count -= 1;
            if *count == 0 {
                book.passing.remove(&position);
                self.set_marks(&book, None);
            }
        }
    }

    fn set_marks(&self, book: &Book, done: Option<i64>) {
        let held = book.spans.values().filter_map(|span| Some((span.since.position?, span.since)));
        let passing = book.passing.first_key_value().map(|(position, (_, time))| {
            (*position, Moment { position: Some(*position), time: *time })
        });
        // Where nothing is held the old place is still one from which all can be judged anew.
        let from = held.chain(passing).min_by_key(|(position, _)| *position);
        let from = from.map(|(_, moment)| moment).unwrap_or_default();
        let from = match (from.position, from.time) {
            (Some(position), Some(time)) => [Some(position), Some(time)],
            _ => [None, None],
        };
        let marks = [done].into_iter().chain(from);
        let marks = self.names.iter().zip(marks);
        self.origin.set_marks(marks.filter_map(|(name, mark)| Some((name.as_str(), mark?))));
    }

    fn lock(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Held by everything that a span has not done with: by the span while it is open, and by each of
/// its results until it has been delivered.
pub struct Completion {
    ledger: Arc<Ledger>,
    end: i64,
    is_left: AtomicBool,
}

impl Accompany for Completion {
    fn origin(&self) -> Option<&Arc<Origin>> {
        Some(&self.ledger.origin)
    }

    /// The span is not done with when this is dropped; its metrics have to be read again.
    fn leave_behind(&self) {
        self.is_left.store(true, Ordering::Release);
        let held = self.ledger.lock().spans.get(&self.end).map(|span| span.held.clone());
        if let Some(held) = held {
            held.leave_behind();
        }
    }
}

impl Drop for Completion {
    fn drop(&mut self) {
        if !self.is_left.load(Ordering::Acquire) {
            self.ledger.done(self.end);
        }
    }
}

/// What goes along with a late metric.
struct Passing {
    ledger: Arc<Ledger>,
    late: Companion,
    position: Option<i64>,
    is_left: AtomicBool,
}

impl Accompany for Passing {
    fn record(&self) -> Option<&OriginalRecord> {
        self.late.record()
    }

    fn origin(&self) -> Option<&Arc<Origin>> {
        self.late.origin()
    }

    fn position(&self) -> Option<i64> {
        self.position
    }

    fn leave_behind(&self) {
        self.is_left.store(true, Ordering::Release);
        self.late.leave_behind();
    }
}

impl Drop for Passing {
    fn drop(&mut self) {
        if let Some(position) = self.position
            && !self.is_left.load(Ordering::Acquire)
        {
            self.ledger.passed(position);
        }
    }
}
