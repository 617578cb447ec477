//! Jitter.

use std::time::Duration;

/// A span from zero to `most`, by chance.
pub(super) fn up_to(most: Duration, chance: &mut fastrand::Rng) -> Duration {
    match u64::try_from(most.as_nanos()) {
        Ok(0) => Duration::ZERO,
        Ok(most) => Duration::from_nanos(chance.u64(..most)),
        Err(_) => most,
    }
}
