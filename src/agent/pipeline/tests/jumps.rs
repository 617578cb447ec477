//! A wall clock that is set, by NTP or because the machine was asleep, neither stops nor floods.

use super::*;

const DAY: i64 = 86_400;

#[test]
fn a_clock_set_forth_and_back_by_a_day_neither_stops_the_rounds_nor_makes_up_for_any() {
    let mut bench = Bench::new(105, counting());
    let pipeline = bench.start(Mode::Daemon).unwrap();
    bench.pass(10);
    assert_eq!(bench.next_batch(), [(110, 1)]);
    // While all wait, at 115.
    bench.clock.jump_to(Timestamp::from_seconds(115 + DAY));
    bench.pass(10);
    assert_eq!(bench.next_batch(), [(120 + DAY, 2)], "one round, at the time it is now");
    bench.pass(10);
    assert_eq!(bench.next_batch(), [(130 + DAY, 3)]);
    bench.clock.jump_to(Timestamp::from_seconds(135));
    bench.pass(10);
    assert_eq!(bench.next_batch(), [(140, 4)], "it does not wait until the old time is back");
    bench.pass(10);
    assert_eq!(bench.next_batch(), [(150, 5)]);
    drop(pipeline);
}

#[test]
fn a_clock_that_is_set_all_the_time_makes_one_round_each_interval() {
    let mut bench = Bench::with_options(105, counting(), Timing::every(SECOND * 10), 100);
    let pipeline = bench.start(Mode::Daemon).unwrap();
    let gathered = bench.statistics.counter("gather", "metrics_gathered", &[("input", "count")]);
    for minute in 0..6 {
        let hours = [5, -3, 48, -47, 1, -9][minute];
        bench.pass(60);
        let now = bench.clock.now().seconds();
        bench.clock.jump_to(Timestamp::from_seconds(now + hours * 3600));
    }
    // A jump may make the wait for one round longer, up to twice the interval, or shorter.
    let rounds = gathered.get();
    assert!((30..=42).contains(&rounds), "{rounds} rounds in six minutes");
    drop(pipeline);
}

/// A pipeline with an aggregator whose windows are 30 seconds long, from 100 s on.
fn summing() -> Bench {
    let mut bench = Bench::with_options(100, counting(), Timing::every(SECOND * 10), 100);
    let window =
        Window { period: SECOND * 30, delay: Duration::from_millis(100), grace: Duration::ZERO };
    let statistics = bench.statistics.clone();
    bench.plan.aggregators.push(RunningAggregator::new(
        Box::new(Sum::default()),
        PluginLog::new("aggregators.sum"),
        Filter::default(),
        Naming::default(),
        Aggregation { window, original: Original::Drop, precision: SECOND },
        &statistics,
    ));
    bench
}

#[test]
fn windows_are_pushed_once_each_period_whatever_the_clock_is_set_to() {
    let mut bench = summing();
    let pipeline = bench.start(Mode::Daemon).unwrap();
    let pushed = bench.statistics.counter("aggregate", "metrics_pushed", &[("aggregator", "sum")]);
    for (n_jumps, jump) in [0, DAY, -DAY, 7, -7, 100 * DAY, -DAY].into_iter().enumerate() {
        let now = bench.clock.now().seconds();
        bench.clock.jump_to(Timestamp::from_seconds(now + jump));
        let before = pushed.get();
        let deadline = crossbeam_channel::after(LIMIT * 3);
        while pushed.get() < before + 2 {
            assert!(deadline.try_recv().is_err(), "after a jump of {jump} s no window ends");
            bench.clock.advance(SECOND / 2);
            std::thread::park_timeout(Duration::from_millis(1));
        }
        // Each jump may cut one window short.
        let most = bench.clock.elapsed().as_secs() / 30 + n_jumps as u64 + 1;
        assert!(pushed.get() <= most, "{} windows instead of {most}", pushed.get());
    }
    drop(pipeline);
}
