//! Results on their way, no more at once than outputs can keep.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::metric::{Accompany, Companion, Metric, Origin};
use crate::plugin::ServiceAccumulator;

/// A span may have more results than the buffer of an output has room for, which would drop the
/// oldest. They are therefore handed over in portions: the next one follows when an earlier one
/// has been delivered.
pub struct Outbox {
    /// How many may be on their way.
    most: usize,
    queue: Mutex<Queue>,
    /// The way for what follows by itself.
    later: OnceLock<ServiceAccumulator>,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Batch>,
    /// How many are on their way.
    out: usize,
    is_closed: bool,
}

/// Results of one span.
struct Batch {
    /// None where they come from nowhere that they could be read from again.
    completion: Companion,
    metrics: std::vec::IntoIter<Metric>,
}

impl Outbox {
    /// How many portions may be on their way; each is done with as a whole.
    const PORTIONS: usize = 5;

    /// An outbox that lets `most` metrics out at once.
    pub fn new(most: usize) -> Outbox {
        Outbox { most: most.max(1), queue: Mutex::default(), later: OnceLock::new() }
    }

    /// Sets the way for what follows by itself.
    pub fn start(&self, later: ServiceAccumulator) {
        // There is one start only.
        let _ = self.later.set(later);
    }

    /// Takes the results of a span; `completion` is held until they have been delivered.
    pub fn put(&self, completion: Companion, metrics: Vec<Metric>) {
        if !metrics.is_empty() {
            let metrics = metrics.into_iter();
            self.lock().waiting.push_back(Batch { completion, metrics });
        }
    }

    /// Appends as many to `metrics` as there is room for.
    pub fn take(self: &Arc<Self>, metrics: &mut Vec<Metric>) {
        let mut done = Vec::new();
        let mut queue = self.lock();
        if queue.is_closed {
            return;
        }
        let portion = (self.most / Outbox::PORTIONS).max(1);
        while let Some(batch) = queue.waiting.front_mut() {
            let count = portion.min(batch.metrics.len());
            let completion = batch.completion.clone();
            if queue.out + count > self.most {
                break;
            }
            queue.out += count;
            let outbox = self.clone();
            let companion = Companion::new(Arc::new(Portion { outbox, completion, count }));
            let Some(batch) = queue.waiting.front_mut() else { break };
            metrics.extend(batch.metrics.by_ref().take(count).map(|mut metric| {
                metric.companion = companion.clone();
                metric
            }));
            if batch.metrics.len() == 0 {
                done.extend(queue.waiting.pop_front());
            }
        }
    }

    /// Hands over at once what comes from nowhere that it could be read from again, and leaves the
    /// rest behind. Nothing comes out of it any more.
    pub fn close(&self) {
        let (waiting, later) = {
            let mut queue = self.lock();
            queue.is_closed = true;
            (std::mem::take(&mut queue.waiting), self.later.get())
        };
        for batch in waiting {
            match later {
                Some(later) if batch.completion.is_none() => {
                    later.add_all(&mut batch.metrics.collect());
                }
                _ => batch.completion.leave_behind(),
            }
        }
    }

    /// Forgets the results of origins that somebody else reads.
    pub fn forget_given_up(&self) {
        let is_given_up =
            |batch: &Batch| batch.completion.origin().is_some_and(|origin| origin.is_given_up());
        let forgotten: Vec<_> = {
            let mut queue = self.lock();
            if !queue.waiting.iter().any(is_given_up) {
                return;
            }
            let waiting = std::mem::take(&mut queue.waiting);
            let (forgotten, kept) = waiting.into_iter().partition(is_given_up);
            queue.waiting = kept;
            Vec::from(forgotten)
        };
        forgotten.iter().for_each(|batch| batch.completion.leave_behind());
    }

    fn came_back(self: &Arc<Self>, count: usize) {
        self.lock().out -= count;
        let Some(later) = self.later.get() else { return };
        let mut metrics = Vec::new();
        self.take(&mut metrics);
        if !metrics.is_empty() {
            later.add_all(&mut metrics);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What goes along with results that are handed over together.
struct Portion {
    outbox: Arc<Outbox>,
    completion: Companion,
    count: usize,
}

impl Accompany for Portion {
    fn origin(&self) -> Option<&Arc<Origin>> {
        self.completion.origin()
    }

    fn leave_behind(&self) {
        self.completion.leave_behind();
    }
}

impl Drop for Portion {
    fn drop(&mut self) {
        self.outbox.came_back(self.count);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crossbeam_channel::{Sender, unbounded};

    use super::*;
    use crate::metric::Timestamp;
    use crate::plugin::{Deliver, PluginLog};
    use crate::system::RealClock;

    struct Delivered(Sender<Metric>);

    impl Deliver for Delivered {
        fn deliver(&self, metrics: &mut Vec<Metric>) {
            metrics.drain(..).for_each(|metric| self.0.send(metric).unwrap());
        }

        fn report(&self, error: &dyn std::error::Error) {
            panic!("{error}");
        }
    }

    fn metrics(count: i64) -> Vec<Metric> {
        (0..count)
            .map(|at| Metric::new("m", Timestamp::from_nanos(at)).with_field("f", at))
            .collect()
    }

    fn times<'m>(metrics: impl IntoIterator<Item = &'m Metric>) -> Vec<i64> {
        metrics.into_iter().map(|metric| metric.time.nanos()).collect()
    }

    #[test]
    fn portions_follow_those_that_are_delivered() {
        let (sender, later) = unbounded();
        let clock = Arc::new(RealClock::new());
        let log = PluginLog::new("processors.test");
        let outbox = Arc::new(Outbox::new(10));
        outbox.start(ServiceAccumulator::new(
            Arc::new(Delivered(sender)),
            clock,
            Duration::ZERO,
            log,
        ));
        outbox.put(Companion::default(), metrics(13));
        let mut out = Vec::new();
        outbox.take(&mut out);
        assert_eq!(times(&out), (0..10).collect::<Vec<_>>());
        // A portion is two of them.
        drop(out.remove(0));
        assert!(later.is_empty());
        drop(out.remove(0));
        assert_eq!(times(&later.try_iter().collect::<Vec<_>>()), [10, 11]);
        assert_eq!(times(&later.try_iter().collect::<Vec<_>>()), [12]);
        outbox.put(Companion::default(), metrics(20));
        outbox.take(&mut out);
        assert_eq!(out.len(), 10);
        outbox.close();
        out.clear();
        let rest = later.try_iter().count();
        assert_eq!(rest, 18, "what cannot be read again is handed over at the end");
    }
}
