//! What the inputs and outputs of a pipeline are doing at the moment.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use super::watch::{Watched, Work};

/// What the inputs and outputs of a pipeline are doing; cheap to clone.
///
/// To look takes no lock that anybody holds while he works, so that it answers even if all else
/// hangs.
#[derive(Clone, Default)]
pub struct Activity {
    /// The inputs that share a thread are together.
    crews: Arc<[Vec<Arc<Watched>>]>,
    outputs: Arc<[Arc<Watched>]>,
}

impl Activity {
    pub(super) fn new(crews: Vec<Vec<Arc<Watched>>>, outputs: Vec<Arc<Watched>>) -> Activity {
        Activity { crews: crews.into(), outputs: outputs.into() }
    }

    /// One line for each input and output; `now` is the clock's elapsed time.
    pub fn describe(&self, now: Duration) -> String {
        let mut text = String::new();
        let inputs = self.crews.iter().flatten().map(|each| (each, "gathers"));
        let outputs = self.outputs.iter().map(|each| (each, "writes"));
        for (watched, verb) in inputs.chain(outputs) {
            // Writing to a String does not fail.
            let _ = match watched.work(now) {
                Work::None => writeln!(text, "{}: waits for its time", watched.name()),
                Work::For(span) => writeln!(text, "{}: {verb}, for {span:.3?} now", watched.name()),
                Work::Unknown => writeln!(text, "{}: is just changing", watched.name()),
            };
        }
        text
    }

    /// The inputs, those that share a thread together.
    pub(super) fn inputs(&self) -> impl Iterator<Item = &Watched> {
        self.crews.iter().flatten().map(Arc::as_ref)
    }

    /// The outputs.
    pub(super) fn outputs(&self) -> impl Iterator<Item = &Watched> {
        self.outputs.iter().map(Arc::as_ref)
    }

    /// Whether no input gets on: each thread has been at one gather for longer than `limit`.
    ///
    /// Outputs do not count. One whose server is away may take long, and to start again would lose
    /// what it still holds.
    pub fn is_stuck(&self, now: Duration, limit: Duration) -> bool {
        let is_long = |each: &Arc<Watched>| match each.work(now) {
            Work::For(span) => span > limit,
            Work::None | Work::Unknown => false,
        };
        !self.crews.is_empty() && self.crews.iter().all(|crew| crew.iter().any(is_long))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::Timestamp;
    use crate::system::Clock;
    use crate::system::fake::FakeClock;

    const TEN: Duration = Duration::from_secs(10);

    fn watched(name: &str) -> Arc<Watched> {
        Watched::new(name, TEN, TEN, || {})
    }

    #[test]
    fn what_is_going_on_is_told_with_its_time() {
        let (cpu, mem, file) =
            (watched("inputs.cpu"), watched("inputs.mem"), watched("outputs.file"));
        let activity = Activity::new(vec![vec![cpu.clone(), mem]], vec![file.clone()]);
        let clock = FakeClock::at(Timestamp::EPOCH);
        cpu.during(&clock, || {
            clock.advance(Duration::from_millis(1500));
            file.during(&clock, || {
                clock.advance(Duration::from_millis(500));
                assert_eq!(
                    activity.describe(clock.elapsed()),
                    "inputs.cpu: gathers, for 2.000s now\n\
                     inputs.mem: waits for its time\n\
                     outputs.file: writes, for 500.000ms now\n"
                );
            });
        });
    }

    #[test]
    fn a_pipeline_is_stuck_if_no_thread_of_inputs_gets_on() {
        let (cpu, exec) = (watched("inputs.cpu"), watched("inputs.exec"));
        let crews = vec![vec![cpu.clone(), watched("inputs.mem")], vec![exec.clone()]];
        let activity = Activity::new(crews, vec![watched("outputs.file")]);
        let clock = FakeClock::at(Timestamp::EPOCH);
        cpu.during(&clock, || {
            clock.advance(TEN * 2);
            assert!(!activity.is_stuck(clock.elapsed(), TEN), "one still works");
            exec.during(&clock, || {
                assert!(!activity.is_stuck(clock.elapsed(), TEN), "one has just begun");
                clock.advance(TEN * 2);
                assert!(activity.is_stuck(clock.elapsed(), TEN));
            });
            assert!(!activity.is_stuck(clock.elapsed(), TEN));
        });
        let none = Activity::new(Vec::new(), vec![watched("outputs.file")]);
        assert!(!none.is_stuck(TEN, TEN), "there is nothing that could be stuck");
    }
}
