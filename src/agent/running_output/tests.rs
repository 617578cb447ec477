//! Tests of how those who bring metrics wait for an output.

use super::*;
use crate::metric::Timestamp;
use crate::system::System;
use crate::system::thread::spawn;

/// Takes whatever comes.
struct Sink;

impl Output for Sink {
    fn connect(&mut self) -> Result<(), ConnectError> {
        Ok(())
    }

    fn write(&mut self, _: &[Metric]) -> Result<(), WriteError> {
        Ok(())
    }
}

fn sink(batch_size: usize, buffer_limit: usize) -> RunningOutput {
    let (interval, jitter) = (Duration::from_secs(10), Duration::ZERO);
    RunningOutput::new(
        Box::new(Sink),
        PluginLog::new("outputs.sink"),
        Flushing { interval, jitter, batch_size, buffer_limit },
        StartupErrorBehavior::Error,
        Filter::default(),
        Naming::default(),
        &Statistics::default(),
    )
}

fn long_group() -> Vec<Metric> {
    vec![Metric::new("m", Timestamp::EPOCH).with_field("v", 1i64); LONG_GROUP]
}

#[test]
fn what_comes_in_long_groups_waits_for_an_output_that_gets_on() {
    const GROUPS: usize = 200;
    // A fifth of what comes; without waiting the rest would be dropped.
    let mut output = sink(100, GROUPS / 5 * LONG_GROUP);
    let queue = output.queue();
    let bringing = spawn("bringing", move || (0..GROUPS).for_each(|_| queue.add(long_group())));
    let clock = System::real().clock;
    let written = output.queue().counters.metrics_written.clone();
    while written.get() < (GROUPS * LONG_GROUP) as u64 && output.n_lost() == 0 {
        output.write(clock.as_ref()).unwrap();
    }
    drop(bringing);
    assert_eq!(output.n_lost(), 0);
}

#[test]
fn nobody_waits_long_for_an_output_that_does_not_get_on() {
    let output = sink(100, 2 * LONG_GROUP);
    let queue = output.queue();
    (0..3).for_each(|_| queue.add(long_group()));
    assert_eq!((output.n_waiting(), output.n_lost()), (2 * LONG_GROUP, LONG_GROUP as u64));
}
