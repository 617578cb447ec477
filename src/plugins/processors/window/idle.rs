//! Ending windows by the wall clock, where nothing comes any more.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crossbeam_channel::{Sender, bounded};

use super::engine::Engine;
use super::lock;
use crate::plugin::ServiceAccumulator;
use crate::system::thread::{Thread, spawn};
use crate::system::{Clock, Waited};

/// How many looks there are in the time of silence.
const LOOKS: u32 = 4;

/// A thread that looks for streams of which nothing has come.
pub(super) struct IdleWatch {
    /// Closes when the thread is to end.
    _stop: Sender<()>,
    _thread: Thread,
}

impl IdleWatch {
    /// Starts the thread.
    ///
    /// # Errors
    /// If the system has no room for another thread.
    pub(super) fn start(
        idle: Duration,
        engine: Arc<Mutex<Engine>>,
        clock: Arc<dyn Clock>,
        later: ServiceAccumulator,
    ) -> io::Result<IdleWatch> {
        let (stop, stopped) = bounded(0);
        let look = (idle / LOOKS).max(Duration::from_millis(1));
        let thread = spawn("window idle", move || {
            while clock.wait(look, &stopped) == Waited::Passed {
                let mut results = Vec::new();
                lock(&engine).end_idle(clock.elapsed(), idle, &mut results);
                if !results.is_empty() {
                    later.add_all(&mut results);
                }
            }
        })?;
        Ok(IdleWatch { _stop: stop, _thread: thread })
    }
}

#[cfg(test)]
mod tests {
    use crossbeam_channel::unbounded;

    use super::*;
    use crate::metric::{Metric, Timestamp};
    use crate::plugin::settings::{self, Position, Table};
    use crate::plugin::{Build, Context, Deliver, PluginLog, Statistics};
    use crate::plugins::FORMATS;
    use crate::system::System;
    use crate::system::fake::FakeClock;

    struct Delivered(Sender<Metric>);

    impl Deliver for Delivered {
        fn deliver(&self, metrics: &mut Vec<Metric>) {
            metrics.drain(..).for_each(|metric| self.0.send(metric).unwrap());
        }

        fn report(&self, error: &dyn std::error::Error) {
            panic!("{error}");
        }
    }

    #[test]
    fn a_window_that_nothing_follows_ends_by_the_clock() {
        let clock = Arc::new(FakeClock::at(Timestamp::EPOCH));
        let system = System { clock: clock.clone(), ..System::real() };
        let table = Table::new("test".into(), "processors.window", Position::default());
        let log = PluginLog::new("processors.window");
        let context = Context::new(system, log.clone(), Statistics::default(), &table, FORMATS);
        let config =
            super::super::Config { idle: settings::Duration::from_secs(8), ..Default::default() };
        let mut window = config.build(&context).unwrap();
        let (sender, delivered) = unbounded();
        let later = ServiceAccumulator::new(
            Arc::new(Delivered(sender)),
            clock.clone(),
            Duration::ZERO,
            log,
        );
        window.start(later).unwrap();
        let metric = Metric::new("m", Timestamp::from_seconds(100_003)).with_field("v", 1.5);
        assert_eq!(window.apply(vec![metric]), []);
        for _ in 0..LOOKS {
            clock.wait_for_timers(1);
            assert!(delivered.is_empty());
            clock.advance(Duration::from_secs(2));
        }
        let result = delivered.recv_timeout(Duration::from_secs(10)).unwrap();
        assert_eq!(result.time, Timestamp::from_seconds(100_000));
        window.stop();
    }
}
