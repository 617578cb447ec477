//! How much may be sent in a period.

use std::sync::Arc;
use std::time::Duration;

use crate::system::Clock;

/// Lets so many bytes through in each period; a period begins with the first of them.
pub(super) struct Limiter {
    clock: Arc<dyn Clock>,
    /// No limit if absent.
    limit: Option<Limit>,
    /// When the period began, in the clock's elapsed time, and how much of it is left.
    period: Option<(Duration, u64)>,
}

/// How much, and in what time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limit {
    pub(super) bytes: u64,
    /// Above zero.
    pub(super) period: Duration,
}

impl Limiter {
    pub(super) fn new(limit: Option<Limit>, clock: Arc<dyn Clock>) -> Limiter {
        Limiter { clock, limit, period: None }
    }

    /// How many bytes may be sent now.
    pub(super) fn remaining(&self) -> u64 {
        match (self.limit, self.period) {
            (None, _) => u64::MAX,
            (Some(limit), None) => limit.bytes,
            (Some(limit), Some((began, left))) => {
                let is_over = self.clock.elapsed().saturating_sub(began) >= limit.period;
                if is_over { limit.bytes } else { left }
            }
        }
    }

    /// Notes that so many bytes are sent.
    pub(super) fn take(&mut self, bytes: u64) {
        let Some(limit) = self.limit else { return };
        let now = self.clock.elapsed();
        let (began, left) = match self.period {
            None => (now, limit.bytes),
            Some((began, left)) => {
                // Periods follow on each other without a gap.
                let since = now.saturating_sub(began).as_nanos();
                let whole = since / limit.period.as_nanos();
                match u32::try_from(whole) {
                    Ok(0) => (began, left),
                    Ok(periods) => {
                        let passed = limit.period.saturating_mul(periods);
                        (began.saturating_add(passed), limit.bytes)
                    }
                    Err(_) => (now, limit.bytes),
                }
            }
        };
        self.period = Some((began, left.saturating_sub(bytes)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::Timestamp;
    use crate::system::fake::FakeClock;

    #[test]
    fn each_period_lets_its_bytes_through() {
        let clock = Arc::new(FakeClock::at(Timestamp::EPOCH));
        let limit = Limit { bytes: 1024, period: Duration::from_secs(300) };
        let mut limiter = Limiter::new(Some(limit), clock.clone());
        let asked = [256, 128, 512, 64, 64, 1024, 0, 0, 0, 0, 128, 4096, 4096, 4096, 4096, 4096];
        let expected = [1024, 768, 640, 128, 64, 1024, 0, 0, 0, 0, 1024, 896, 0, 0, 0, 1024];
        for (asked, expected) in asked.into_iter().zip(expected) {
            let remaining = limiter.remaining();
            assert_eq!(remaining, expected);
            limiter.take(remaining.min(asked));
            clock.advance(Duration::from_secs(60));
        }
        let mut unlimited = Limiter::new(None, clock);
        unlimited.take(u64::MAX);
        assert_eq!(unlimited.remaining(), u64::MAX);
    }
}
