//! A plugin that hangs, panics or floods disturbs no other.

use super::*;

/// Does nothing for ever, until the test lets go of the other end.
struct Hanging {
    begun: Sender<()>,
    release: Receiver<()>,
}

/// What a test holds of a plugin that hangs.
struct Hold {
    begun: Receiver<()>,
    _release: Sender<()>,
}

fn hanging() -> (Hanging, Hold) {
    let (begun, has_begun) = unbounded();
    let (release, released) = bounded(0);
    (Hanging { begun, release: released }, Hold { begun: has_begun, _release: release })
}

impl Hanging {
    fn hang(&self) {
        let _ = self.begun.send(());
        let _ = self.release.recv();
    }
}

impl Input for Hanging {
    fn gather(&mut self, _: &mut Accumulator<'_>) -> Result<(), PluginError> {
        self.hang();
        Ok(())
    }
}

impl Processor for Hanging {
    fn apply(&mut self, metrics: Vec<Metric>) -> Vec<Metric> {
        self.hang();
        metrics
    }
}

impl Output for Hanging {
    fn connect(&mut self) -> Result<(), ConnectError> {
        Ok(())
    }

    fn write(&mut self, _: &[Metric]) -> Result<(), WriteError> {
        self.hang();
        Ok(())
    }
}

/// Stops a pipeline, time going on meanwhile, and returns how much of it has passed.
fn stop(bench: &Bench, pipeline: Pipeline) -> Duration {
    let (done, ended) = bounded(1);
    let before = bench.clock.elapsed();
    let clock = bench.clock.clone();
    let stopping = std::thread::spawn(move || {
        pipeline.stop();
        let _ = done.send(clock.elapsed());
    });
    let deadline = crossbeam_channel::after(LIMIT * 3);
    let after = loop {
        // Slow enough for the threads to take note of it.
        match ended.recv_timeout(Duration::from_millis(5)) {
            Ok(after) => break after,
            Err(_) => bench.clock.advance(SECOND / 2),
        }
        assert!(deadline.try_recv().is_err(), "it does not end");
    };
    stopping.join().unwrap();
    after - before
}

fn processor(processor: impl Processor + 'static, bench: &Bench) -> RunningProcessor {
    let (log, filter) = (PluginLog::new("processors.test"), Filter::default());
    RunningProcessor::new(Box::new(processor), log, 0, filter, &bench.statistics)
}

fn output(name: &str, output: impl Output + 'static, bench: &Bench) -> RunningOutput {
    let flushing =
        Flushing { interval: SECOND * 10, jitter: Duration::ZERO, batch_size: 2, buffer_limit: 5 };
    RunningOutput::new(
        Box::new(output),
        PluginLog::new(name),
        flushing,
        StartupErrorBehavior::Error,
        Filter::default(),
        Naming::default(),
        &bench.statistics,
    )
}

/// Lets time pass until something is so.
fn advance_until(bench: &Bench, what: &str, is_so: impl Fn() -> bool) {
    let deadline = crossbeam_channel::after(LIMIT * 3);
    while !is_so() {
        assert!(deadline.try_recv().is_err(), "it does not come to it that {what}");
        bench.clock.advance(SECOND / 2);
        // The threads have work to do at each step.
        std::thread::park_timeout(Duration::from_millis(1));
    }
}

/// How many metrics the counting input has brought.
fn gathered(bench: &Bench) -> u64 {
    bench.statistics.counter("gather", "metrics_gathered", &[("input", "count")]).get()
}

/// How many of them the scripted output has written.
fn written(bench: &Bench) -> u64 {
    bench.written.try_iter().map(|batch| rounds(&batch).len() as u64).sum()
}

fn an_input_hangs(with_junction: impl FnOnce(&mut Bench)) {
    let mut bench = Bench::new(105, counting());
    let (input, hold) = hanging();
    let timing = Timing::every(SECOND * 10);
    bench.plan.inputs.push(running("inputs.hang", input, timing, &bench.statistics));
    with_junction(&mut bench);
    // What hangs is let go of first, should the test fail.
    let (pipeline, hold) = (bench.start(Mode::Daemon).unwrap(), hold);
    advance_until(&bench, "it hangs", || !hold.begun.is_empty());
    let before = gathered(&bench);
    advance_until(&bench, "the other goes on", || gathered(&bench) >= before + 3);
    let late = bench.statistics.counter("gather", "gather_timeouts", &[("input", "hang")]);
    advance_until(&bench, "it is warned of", || late.get() >= 1);
    let took = stop(&bench, pipeline);
    assert!(took >= INPUTS_MAY_TAKE, "{took:?}");
    assert!(written(&bench) >= gathered(&bench), "what was there is written");
}

#[test]
fn an_input_that_hangs_holds_up_neither_the_others_nor_the_end() {
    an_input_hangs(|_| {});
}

#[test]
fn an_input_that_hangs_holds_up_no_processor() {
    an_input_hangs(|bench| {
        let doubling = processor(Doubling, bench);
        bench.plan.processors.push(doubling);
    });
}

#[test]
fn a_processor_that_hangs_does_not_hold_up_the_end() {
    let mut bench = Bench::with_options(105, counting(), Timing::every(SECOND), 10);
    let (hanging, hold) = hanging();
    let hanging = processor(hanging, &bench);
    bench.plan.processors.push(hanging);
    let (pipeline, hold) = (bench.start(Mode::Daemon).unwrap(), hold);
    advance_until(&bench, "it hangs", || !hold.begun.is_empty());
    let took = stop(&bench, pipeline);
    assert!(took >= JUNCTION_MAY_TAKE, "{took:?}");
}

#[test]
fn an_output_that_hangs_holds_up_no_other_and_keeps_no_more_than_its_buffer() {
    let mut bench = Bench::with_options(105, counting(), Timing::every(SECOND), 2);
    let (hanging, hold) = hanging();
    let hanging = output("outputs.hang", hanging, &bench);
    bench.plan.outputs.push(hanging);
    let (pipeline, hold) = (bench.start(Mode::Daemon).unwrap(), hold);
    advance_until(&bench, "it hangs", || !hold.begun.is_empty());
    let of_hanging = |field| bench.statistics.counter("write", field, &[("output", "hang")]).get();
    advance_until(&bench, "the oldest go", || of_hanging("metrics_dropped") >= 20);
    assert!(of_hanging("buffer_size") <= 5);
    let took = stop(&bench, pipeline);
    assert!(took >= OUTPUTS_MAY_TAKE, "{took:?}");
    assert_eq!(written(&bench), gathered(&bench), "the other one has it all");
}

/// Panics in everything that it is asked for.
struct Panicking;

impl Input for Panicking {
    fn start(&mut self, _: crate::plugin::ServiceAccumulator) -> Result<(), StartError> {
        panic!("on start")
    }

    fn gather(&mut self, _: &mut Accumulator<'_>) -> Result<(), PluginError> {
        panic!("on gather")
    }
}

impl Processor for Panicking {
    fn start(&mut self, _: crate::plugin::ServiceAccumulator) -> Result<(), StartError> {
        panic!("on start")
    }

    fn apply(&mut self, _: Vec<Metric>) -> Vec<Metric> {
        panic!("on apply")
    }
}

impl Output for Panicking {
    fn connect(&mut self) -> Result<(), ConnectError> {
        panic!("on connect")
    }

    fn write(&mut self, _: &[Metric]) -> Result<(), WriteError> {
        panic!("on write")
    }
}

#[test]
fn a_plugin_that_panics_when_it_is_started_is_named() {
    let start = |put_in: fn(&mut Bench)| {
        let mut bench = Bench::new(105, counting());
        put_in(&mut bench);
        bench.start(Mode::Daemon).err().expect("the start fails").to_string()
    };
    let input = start(|bench| {
        let timing = Timing::every(SECOND * 10);
        bench.plan.inputs.push(running("inputs.bad", Panicking, timing, &bench.statistics));
    });
    assert_eq!(input, "starting input inputs.bad: panicked: on start");
    let processor = start(|bench| {
        let bad = processor(Panicking, bench);
        bench.plan.processors.push(bad);
    });
    assert_eq!(processor, "starting processor processors.test: panicked: on start");
}

/// Panics when it is stopped or closed, and in the first write.
struct EndsBadly {
    writes: Sender<usize>,
    has_panicked: bool,
}

impl Input for EndsBadly {
    fn gather(&mut self, _: &mut Accumulator<'_>) -> Result<(), PluginError> {
        Ok(())
    }

    fn stop(&mut self) {
        panic!("on stop")
    }
}

impl Output for EndsBadly {
    fn connect(&mut self) -> Result<(), ConnectError> {
        Ok(())
    }

    fn write(&mut self, batch: &[Metric]) -> Result<(), WriteError> {
        if !self.has_panicked {
            self.has_panicked = true;
            panic!("on write");
        }
        self.writes.send(batch.len()).unwrap();
        Ok(())
    }

    fn close(&mut self) -> Result<(), PluginError> {
        panic!("on close")
    }
}

#[test]
fn a_panic_in_a_write_keeps_the_batch_and_one_at_the_end_keeps_nobody_from_ending() {
    let mut bench = Bench::new(105, counting());
    let (writes, n_written) = unbounded();
    let bad =
        output("outputs.bad", EndsBadly { writes: writes.clone(), has_panicked: false }, &bench);
    bench.plan.outputs.push(bad);
    let bad = EndsBadly { writes, has_panicked: false };
    let timing = Timing::every(SECOND * 10);
    bench.plan.inputs.push(running("inputs.bad", bad, timing, &bench.statistics));
    let pipeline = bench.start(Mode::Daemon).unwrap();
    let of_output = |field| bench.statistics.counter("write", field, &[("output", "bad")]).get();
    advance_until(&bench, "the panic is counted", || of_output("write_errors") == 1);
    let ended = pipeline.stop();
    assert!(ended.unwritten.is_empty());
    assert_eq!(written(&bench), gathered(&bench));
    let kept: usize = n_written.try_iter().sum();
    assert_eq!(kept as u64 + of_output("metrics_dropped"), gathered(&bench), "it is tried again");
    let errors = bench.statistics.counter("gather", "errors", &[("input", "bad")]);
    assert_eq!(errors.get(), 1, "the panic of the end is counted");
}

/// Brings very many metrics in every round.
struct Flood;

const FLOOD: u64 = 25_000;

impl Input for Flood {
    fn gather(&mut self, accumulator: &mut Accumulator<'_>) -> Result<(), PluginError> {
        let now = accumulator.now();
        for n in 0..FLOOD {
            accumulator.add(Metric::new("flood", now).with_field("n", n));
        }
        Ok(())
    }
}

#[test]
fn an_input_that_floods_fills_no_more_than_the_buffers_and_what_is_lost_is_counted() {
    let mut bench = Bench::with_options(105, counting(), Timing::every(SECOND * 10), 2);
    let (hanging, hold) = hanging();
    let hanging = output("outputs.hang", hanging, &bench);
    bench.plan.outputs = vec![hanging];
    let timing = Timing::every(SECOND * 10);
    bench.plan.inputs = vec![running("inputs.flood", Flood, timing, &bench.statistics)];
    let (pipeline, hold) = (bench.start(Mode::Daemon).unwrap(), hold);
    bench.clock.wait_for_timers(3);
    bench.clock.advance(SECOND * 5);
    hold.begun.recv_timeout(LIMIT).unwrap();
    let of_output = |field| bench.statistics.counter("write", field, &[("output", "hang")]).get();
    let deadline = crossbeam_channel::after(LIMIT);
    while of_output("metrics_added") < FLOOD {
        assert!(deadline.try_recv().is_err(), "the flood does not pass");
        std::thread::yield_now();
    }
    assert!(of_output("buffer_size") <= 5);
    // Two of them are in the write that hangs.
    assert!(of_output("metrics_dropped") >= FLOOD - 7, "{}", of_output("metrics_dropped"));
    drop(hold);
    assert!(pipeline.stop().unwritten.is_empty());
    assert_eq!(of_output("metrics_written") + of_output("metrics_dropped"), FLOOD);
}
