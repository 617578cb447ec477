//! How much was written a second, lately.

use std::time::Duration;

/// How far back a rate looks, in whole seconds beside the one that has begun.
const WINDOW_SECONDS: u64 = 10;

const SLOTS: usize = WINDOW_SECONDS as usize + 1;

/// Amounts of the last seconds, in a fixed space.
#[derive(Debug, Default)]
pub(super) struct RateMeter {
    slots: [Slot; SLOTS],
}

#[derive(Debug, Default, Clone, Copy)]
struct Slot {
    second: u64,
    records: u64,
    bytes: u64,
}

/// Records and bytes a second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rates {
    pub(super) records: f64,
    pub(super) bytes: f64,
}

impl RateMeter {
    /// Counts what was written at `now`, in the clock's elapsed time.
    pub(super) fn add(&mut self, records: u64, bytes: u64, now: Duration) {
        let second = now.as_secs();
        let slot = &mut self.slots[(second % SLOTS as u64) as usize];
        if slot.second != second {
            *slot = Slot { second, ..Slot::default() };
        }
        slot.records += records;
        slot.bytes += bytes;
    }

    /// The rates of the last ten seconds, or of the time since the clock began if that is shorter.
    pub(super) fn rates(&self, now: Duration) -> Rates {
        let second = now.as_secs();
        let oldest = second.saturating_sub(WINDOW_SECONDS);
        let recent = || self.slots.iter().filter(|slot| (oldest..=second).contains(&slot.second));
        let span = (now - Duration::from_secs(oldest)).as_secs_f64().max(1.0);
        Rates {
            records: recent().map(|slot| slot.records).sum::<u64>() as f64 / span,
            bytes: recent().map(|slot| slot.bytes).sum::<u64>() as f64 / span,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_of_the_last_ten_seconds_and_of_fewer_at_the_beginning() {
        let mut meter = RateMeter::default();
        let at = Duration::from_millis;
        assert_eq!(meter.rates(at(0)), Rates { records: 0.0, bytes: 0.0 });
        meter.add(10, 100, at(500));
        for (now, rate) in [(600, 10.0), (2_000, 5.0), (10_000, 1.0), (10_999, 10.0 / 10.999)] {
            let expected = Rates { records: rate, bytes: 10.0 * rate };
            assert_eq!(meter.rates(at(now)), expected, "{now}");
        }
        // Eleven seconds later the first second is out of the window, and its slot taken again.
        assert_eq!(meter.rates(at(11_000)).records, 0.0);
        meter.add(20, 0, at(11_200));
        assert_eq!(meter.rates(at(12_000)).records, 2.0);
    }

    #[test]
    fn a_steady_stream_has_a_steady_rate() {
        let mut meter = RateMeter::default();
        for tenth in 0..600 {
            meter.add(5, 0, Duration::from_millis(100 * tenth));
        }
        let rate = meter.rates(Duration::from_millis(60_000)).records;
        assert!((49.0..51.0).contains(&rate), "{rate}");
    }
}
