//! Which of the files that have ended stay.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::{Error as ValueError, StrDeserializer};

use crate::metric::Timestamp;
use crate::plugin::settings::{Duration as Span, Size};

/// How much of the files that have ended stays; without any limit all of it does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keep {
    /// At most this many files.
    pub files: Option<usize>,
    /// Files at most this long after they were last written to.
    pub age: Option<Duration>,
    /// At most this many bytes.
    pub bytes: Option<u64>,
}

/// Why a text is no limit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is neither a number of files, such as 10, nor an age, such as 30d, nor a size, such as 100GiB"
)]
pub struct KeepError(pub String);

/// A file that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// The file.
    pub path: PathBuf,
    /// When it was last written to.
    pub modified: Timestamp,
    /// How long it is.
    pub bytes: u64,
}

impl Keep {
    /// Adds a limit: a number of files, an age, or a size that ends in `B`.
    ///
    /// # Errors
    /// If it is none of them, or nothing would stay.
    pub fn add(&mut self, text: &str) -> Result<(), KeepError> {
        let text = text.trim();
        let wrong = || KeepError(text.to_owned());
        if !text.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(wrong());
        }
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            let files = text.parse().ok().filter(|files| *files > 0);
            self.files = Some(files.ok_or_else(wrong)?);
        } else if text.ends_with(['b', 'B']) {
            let size: Option<Size> = read(text);
            let bytes = size.map(Size::bytes).filter(|bytes| *bytes > 0);
            self.bytes = Some(bytes.ok_or_else(wrong)?);
        } else {
            let age: Option<Span> = read(text);
            let age = age.map(Span::to_std).filter(|age| !age.is_zero());
            self.age = Some(age.ok_or_else(wrong)?);
        }
        Ok(())
    }

    /// Whether anything is ever removed.
    pub fn is_limited(&self) -> bool {
        self.files.is_some() || self.age.is_some() || self.bytes.is_some()
    }

    /// Those that do not stay, the oldest first.
    pub fn surplus(&self, mut files: Vec<Ended>, now: Timestamp) -> Vec<Ended> {
        files.sort_by(|a, b| (a.modified, &a.path).cmp(&(b.modified, &b.path)));
        let (mut count, mut bytes) =
            (files.len(), files.iter().map(|file| file.bytes).sum::<u64>());
        let is_surplus = |file: &Ended| {
            let is_one_too_many = self.files.is_some_and(|most| count > most);
            let is_too_large = self.bytes.is_some_and(|most| bytes > most);
            let is_too_old =
                self.age.is_some_and(|most| file.modified < now && now.since(file.modified) > most);
            if !(is_one_too_many || is_too_large || is_too_old) {
                return false;
            }
            count -= 1;
            bytes -= file.bytes;
            true
        };
        let mut is_surplus = is_surplus;
        let stays = files.iter().position(|file| !is_surplus(file)).unwrap_or(files.len());
        files.truncate(stays);
        files
    }
}

fn read<'t, T: Deserialize<'t>>(text: &'t str) -> Option<T> {
    let deserializer: StrDeserializer<'t, ValueError> = text.into_deserializer();
    T::deserialize(deserializer).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn keep(limits: &[&str]) -> Keep {
        let mut keep = Keep::default();
        limits.iter().for_each(|limit| keep.add(limit).unwrap());
        keep
    }

    fn file(seconds: i64, bytes: u64) -> Ended {
        let path = PathBuf::from(format!("{seconds}.csv"));
        Ended { path, modified: Timestamp::from_seconds(seconds), bytes }
    }

    #[test]
    fn limits_are_told_apart_by_their_units() {
        let day = Duration::from_secs(24 * 60 * 60);
        assert_eq!(keep(&["10"]), Keep { files: Some(10), ..Keep::default() });
        assert_eq!(keep(&["30d"]), Keep { age: Some(30 * day), ..Keep::default() });
        assert_eq!(keep(&["5m"]).age, Some(Duration::from_secs(300)));
        assert_eq!(keep(&["5MB"]).bytes, Some(5_000_000));
        assert_eq!(keep(&["100GiB"]).bytes, Some(100 << 30));
        let all = keep(&["10", "30d", "1KiB"]);
        assert!(all.files.is_some() && all.age.is_some() && all.bytes.is_some());
        assert!(all.is_limited() && !Keep::default().is_limited());
        for wrong in ["", "0", "-1", "x", "10x", "0d", "0B", "GB", "99999999999999999999999"] {
            let error = Keep::default().add(wrong).unwrap_err().to_string();
            assert!(error.contains("such as 30d"), "{wrong}: {error}");
        }
    }

    #[test]
    fn the_oldest_go_first() {
        let files = || vec![file(30, 5), file(10, 100), file(20, 7)];
        let surplus = |limits: &[&str]| -> Vec<u64> {
            let gone = keep(limits).surplus(files(), Timestamp::from_seconds(50));
            gone.iter().map(|file| file.bytes).collect()
        };
        assert_eq!(surplus(&[]), [] as [u64; 0]);
        assert_eq!(surplus(&["2"]), [100]);
        assert_eq!(surplus(&["3"]), [] as [u64; 0]);
        assert_eq!(surplus(&["12B"]), [100]);
        assert_eq!(surplus(&["11B"]), [100, 7]);
        assert_eq!(surplus(&["30s"]), [100]);
        assert_eq!(surplus(&["29s", "3"]), [100, 7]);
        assert_eq!(surplus(&["1B"]), [100, 7, 5]);
        // A file from the future is not old.
        assert!(keep(&["1s"]).surplus(vec![file(60, 1)], Timestamp::from_seconds(50)).is_empty());
    }

    proptest! {
        #[test]
        fn what_stays_is_within_the_limits_and_nothing_goes_without_need(
            files in prop::collection::vec((0_i64..100, 0_u64..100), 0..12),
            most in prop::option::of(1_usize..10),
            age in prop::option::of(1_u64..100),
            bytes in prop::option::of(1_u64..500),
        ) {
            let keep = Keep { files: most, age: age.map(Duration::from_secs), bytes };
            let now = Timestamp::from_seconds(100);
            let mut all: Vec<_> = files.iter().map(|(at, bytes)| file(*at, *bytes)).collect();
            let gone = keep.surplus(all.clone(), now);
            all.sort_by(|a, b| (a.modified, &a.path).cmp(&(b.modified, &b.path)));
            prop_assert_eq!(&all[..gone.len()], &gone[..], "the oldest");
            let fits = |rest: &[Ended]| {
                most.is_none_or(|most| rest.len() <= most)
                    && bytes.is_none_or(|most| rest.iter().map(|file| file.bytes).sum::<u64>() <= most)
                    && keep.age.is_none_or(|most| rest.iter().all(|file| now.since(file.modified) <= most))
            };
            prop_assert!(fits(&all[gone.len()..]));
            if !gone.is_empty() {
                prop_assert!(!fits(&all[gone.len() - 1..]), "one too many went");
            }
        }
    }
}
