//! Chance that a test can repeat.

use std::hash::{BuildHasher, Hasher, RandomState};

/// A seeded source of chance; every use derives its own generator by name, so that one more
/// plugin never shifts the jitter of another.
#[derive(Debug, Clone)]
pub struct Random {
    seed: u64,
}

impl Random {
    /// Makes a source that always yields the same generators.
    pub fn from_seed(seed: u64) -> Random {
        Random { seed }
    }

    /// Makes a source whose seed nobody can foresee.
    pub fn from_entropy() -> Random {
        Random { seed: fastrand::u64(..) }
    }

    /// A number that nobody can foresee, for what must not be guessed; the operating system is its
    /// source, whatever the seed.
    pub fn unforeseeable(&self) -> u64 {
        // The standard library hashes with keys that it gets from the system, once a thread.
        RandomState::new().build_hasher().finish()
    }

    /// The generator for the use called `name`.
    pub fn derive(&self, name: &str) -> fastrand::Rng {
        // FNV-1a over the name, started from the seed: cheap, and equal on every machine.
        let hash = name.bytes().fold(self.seed ^ 0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        fastrand::Rng::with_seed(hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generators_depend_on_seed_and_name_alone() {
        let draw = |seed, name| Random::from_seed(seed).derive(name).u64(..);
        assert_eq!(draw(1, "inputs.cpu"), draw(1, "inputs.cpu"));
        assert_ne!(draw(1, "inputs.cpu"), draw(1, "inputs.mem"));
        assert_ne!(draw(1, "inputs.cpu"), draw(2, "inputs.cpu"));
    }
}
