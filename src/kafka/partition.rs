//! On which partition a record with a key is placed.
//!
//! # References
//! IBM/sarama's `NewHashPartitioner`, which Telegraf uses; Noll's FNV-1a with 32 bits.

/// The partition of `count` on which Telegraf, and we, place records with this key.
///
/// The Java client hashes with murmur2 and places them elsewhere. `count` is above zero.
pub fn sarama_partition(key: &[u8], count: i32) -> i32 {
    let hash = key
        .iter()
        .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193));
    // The remainder is taken with its sign first: the lowest number has no positive counterpart.
    (hash.cast_signed() % count).abs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_the_published_test_vectors() {
        // The hash itself shows in the remainder by the highest number where it is positive.
        for (key, hash) in [("foobar", 0xbf9c_f968_u32), ("a", 0xe40c_292c), ("kafka", 0xf2cc_3b1f)]
        {
            let expected = (hash.cast_signed() % i32::MAX).abs();
            assert_eq!(sarama_partition(key.as_bytes(), i32::MAX), expected, "{key}");
        }
    }

    #[test]
    fn one_partition_takes_all_keys() {
        for key in ["", "a", "b", "host.example.org"] {
            assert_eq!(sarama_partition(key.as_bytes(), 1), 0);
        }
    }
}
