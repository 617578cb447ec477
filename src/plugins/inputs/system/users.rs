//! Who is logged in, from the file `utmp`.
//!
//! # References
//! utmp(5). The records differ in size between architectures, but not in what is read here.

use std::collections::HashSet;

/// The size of a record: where `time_t` was 64 bits wide from the start, the record is longer.
const RECORD_BYTES: usize = if cfg!(target_arch = "aarch64") { 400 } else { 384 };

/// The type of a record that stands for a user's session.
const USER_PROCESS: [u8; 2] = 7_u16.to_le_bytes();

/// How many sessions there are, and how many users they belong to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Users {
    pub(super) sessions: i64,
    pub(super) unique: i64,
}

/// Counts the sessions; a record cut off at the end is none.
pub(super) fn count(utmp: &[u8]) -> Users {
    let names: Vec<&[u8]> = utmp
        .chunks_exact(RECORD_BYTES)
        .filter(|record| record[..2] == USER_PROCESS)
        .map(|record| {
            let name = &record[44..76];
            name.split(|byte| *byte == 0).next().unwrap_or(name)
        })
        .collect();
    let unique: HashSet<_> = names.iter().collect();
    Users { sessions: names.len() as i64, unique: unique.len() as i64 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn record(kind: u16, name: &str) -> Vec<u8> {
        let mut record = vec![0; RECORD_BYTES];
        record[..2].copy_from_slice(&kind.to_le_bytes());
        record[44..44 + name.len()].copy_from_slice(name.as_bytes());
        record
    }

    #[test]
    fn sessions_are_counted_once_and_users_by_name() {
        let longest = "a".repeat(32);
        let utmp = [
            record(2, "reboot"),
            record(7, "root"),
            record(7, &longest),
            record(7, "root"),
            record(8, "gone"),
            record(7, "cut off")[..100].to_vec(),
        ]
        .concat();
        assert_eq!(count(&utmp), Users { sessions: 3, unique: 2 });
        assert_eq!(count(b""), Users::default());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..1_000)) {
            count(&bytes);
        }
    }
}
