//! The random numbers that Go's `math/rand` yields from seed 1, on which the centroids of
//! Telegraf's digests depend.
//!
//! The generator is an additive lagged Fibonacci one: each number is the sum of those 607 and 273
//! places before it. The file beside this holds the first 607 of them.
//!
//! # References
//! Go's package `math/rand`; Knuth, The Art of Computer Programming, 3.2.2, for the generator.

/// Little-endian 64-bit numbers.
static FIRST: [u8; LONG_LAG * 8] = *include_bytes!("go_random_seed_1.bin");

const LONG_LAG: usize = 607;
const SHORT_LAG: usize = 273;

/// A generator at the start of its numbers.
///
/// Most digests draw few of them, so that there is no state until the first 607 are used up.
#[derive(Debug, Default)]
pub(super) struct GoRandom {
    drawn: usize,
    /// The last 607 numbers, each at its place modulo that number.
    state: Vec<u64>,
}

impl GoRandom {
    fn next(&mut self) -> u64 {
        let place = self.drawn % LONG_LAG;
        if self.drawn < LONG_LAG {
            self.drawn += 1;
            return first(place);
        }
        if self.state.is_empty() {
            self.state = (0..LONG_LAG).map(first).collect();
        }
        let short = self.state[(place + LONG_LAG - SHORT_LAG) % LONG_LAG];
        let number = self.state[place].wrapping_add(short);
        self.state[place] = number;
        self.drawn += 1;
        number
    }

    fn next_63_bits(&mut self) -> u64 {
        self.next() & (u64::MAX >> 1)
    }

    /// A number from 0 up to but not including 1.
    pub(super) fn float(&mut self) -> f32 {
        const END: f64 = 9_223_372_036_854_775_808.0;
        loop {
            let exact = self.next_63_bits() as f64 / END;
            let rounded = exact as f32;
            if rounded < 1.0 {
                return rounded;
            }
        }
    }

    /// A number from 0 up to but not including `end`, which is above zero and fits 31 bits.
    pub(super) fn below(&mut self, end: u32) -> u32 {
        const BITS_31: u32 = 1 << 31;
        let mut draw = || u32::try_from(self.next_63_bits() >> 32).unwrap_or(0);
        if end.is_power_of_two() {
            return draw() & (end - 1);
        }
        // The last, shorter stretch would favour small numbers.
        let limit = BITS_31 - 1 - BITS_31 % end;
        loop {
            let number = draw();
            if number <= limit {
                return number % end;
            }
        }
    }
}

fn first(place: usize) -> u64 {
    let (numbers, _) = FIRST.as_chunks::<8>();
    u64::from_le_bytes(numbers[place])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_go() {
        let mut random = GoRandom::default();
        let drawn: Vec<u64> = (0..5_610).map(|_| random.next()).collect();
        assert_eq!(drawn[607..609], [5_991_972_744_052_607_848, 11_583_366_104_904_301_565]);
        assert_eq!(drawn[5_609], 16_642_679_920_945_326_304);
        let mut random = GoRandom::default();
        assert_eq!((random.float(), random.float()), (0.604_660_3, 0.940_509_1));
        assert_eq!((random.below(10), random.below(16), random.below(1_000_003)), (7, 11, 899_348));
    }
}
