//! Inputs that want to know what has become of their metrics.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::metric::{Accompany, Companion, Origin};
use crate::plugin::Finish;

/// Goes along with the metrics of one round, which can be read again.
#[derive(Default)]
struct Fate {
    origin: Option<Arc<Origin>>,
    was_left_behind: AtomicBool,
}

impl Accompany for Fate {
    fn origin(&self) -> Option<&Arc<Origin>> {
        self.origin.as_ref()
    }

    fn leave_behind(&self) {
        self.was_left_behind.store(true, Ordering::SeqCst);
    }
}

/// Brings in one metric a round, and tells at the end whether it was done with by then.
struct Asking {
    fate: Arc<Fate>,
    finished: Sender<Ending>,
}

/// What an input finds when it finishes.
#[derive(Debug, PartialEq, Eq)]
enum Ending {
    Written,
    LeftBehind,
}

impl Input for Asking {
    fn gather(&mut self, accumulator: &mut Accumulator<'_>) -> Result<(), PluginError> {
        let mut metric = Metric::new("m", accumulator.now()).with_field("n", 1i64);
        metric.companion = Companion::new(self.fate.clone());
        accumulator.add(metric);
        Ok(())
    }

    fn finish(&mut self) -> Option<Finish> {
        let (fate, finished) = (self.fate.clone(), self.finished.clone());
        Some(Box::new(move || {
            let ending = match fate.was_left_behind.load(Ordering::SeqCst) {
                true => Ending::LeftBehind,
                false => Ending::Written,
            };
            finished.send(ending).unwrap();
        }))
    }
}

fn again() -> Option<Arc<Origin>> {
    Some(Arc::new(Origin::new("somewhere", BTreeMap::new())))
}

/// Gathers one metric, which the output answers so, and stops.
fn run(origin: Option<Arc<Origin>>, answer: Result<(), WriteError>) -> (Ended, Ending) {
    let mut bench = Bench::new(105, counting());
    let fate = Arc::new(Fate { origin, ..Fate::default() });
    let (finished, ending) = unbounded();
    let input = Asking { fate, finished };
    bench.plan.inputs =
        vec![running("inputs.count", input, Timing::every(SECOND * 10), &bench.statistics)];
    let pipeline = bench.start(Mode::Daemon).unwrap();
    bench.clock.wait_for_timers(3);
    bench.clock.advance(SECOND * 5);
    bench.wait_for_junction();
    bench.answers.send(answer).unwrap();
    let ended = pipeline.stop();
    (ended, ending.try_recv().expect("it has finished"))
}

#[test]
fn an_input_finishes_after_the_outputs_and_knows_what_they_have_written() {
    let (ended, ending) = run(again(), Ok(()));
    assert!(ended.unwritten.is_empty());
    assert_eq!(ending, Ending::Written);
}

#[test]
fn what_can_be_read_again_is_left_behind_and_not_handed_over() {
    let (ended, ending) = run(again(), Err(WriteError::retry("down")));
    assert_eq!(ending, Ending::LeftBehind);
    assert_eq!((ended.unwritten[0].1.to_be_read_again, ended.n_unwritten()), (1, 0));
    assert!(ended.in_memory().is_empty());
}

#[test]
fn what_cannot_be_read_again_is_handed_over() {
    let (ended, ending) = run(None, Err(WriteError::retry("down")));
    assert_eq!(ending, Ending::LeftBehind);
    assert_eq!((ended.unwritten[0].1.to_be_read_again, ended.n_unwritten()), (0, 1));
    assert_eq!(ended.in_memory()[0].1.len(), 1);
}
