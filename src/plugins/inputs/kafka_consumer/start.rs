//! Where partitions begin of which the group has committed nothing: the option `offset`.

use std::str::FromStr;
use std::time::Duration;

use jiff::Timestamp;

use crate::kafka::group::{Partition, StartOffset};
use crate::plugin::settings::parse_duration;
use crate::system::Clock;

/// Where to begin.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) enum Start {
    /// At the oldest record that is there.
    #[default]
    Oldest,
    /// At what comes after the start.
    Newest,
    /// At the first record of this time or later, in milliseconds since 1970.
    At(i64),
    /// At the first record that is no older than this when the agent starts.
    Back(Duration),
    /// At these offsets; at the oldest record in partitions that are not among them.
    Listed(Vec<(Partition, i64)>),
}

/// A text that says nothing of where to begin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "invalid offset {0:?}: it can be \"oldest\", \"newest\", a time such as \
     \"2026-01-31T12:00:00Z\", a span back from now such as \"2h\", or a list of places such as \
     \"metrics:0:1500, metrics:1:1480\""
)]
pub(super) struct StartError(String);

impl FromStr for Start {
    type Err = StartError;

    fn from_str(text: &str) -> Result<Start, StartError> {
        let text = text.trim();
        match text.to_ascii_lowercase().as_str() {
            "" | "oldest" | "earliest" => return Ok(Start::Oldest),
            "newest" | "latest" => return Ok(Start::Newest),
            _ => {}
        }
        let error = || StartError(text.to_owned());
        if let Ok(time) = text.parse::<Timestamp>() {
            return Ok(Start::At(time.as_millisecond()));
        }
        if let Ok(nanos) = parse_duration(text) {
            let span = u64::try_from(nanos).map_err(|_| error())?;
            return Ok(Start::Back(Duration::from_nanos(span)));
        }
        let places: Option<Vec<_>> = text.split(',').map(place).collect();
        places.map(Start::Listed).ok_or_else(error)
    }
}

/// Reads `TOPIC:PARTITION:OFFSET`.
fn place(text: &str) -> Option<(Partition, i64)> {
    let mut parts = text.trim().split(':');
    let (topic, number, offset) = (parts.next()?, parts.next()?, parts.next()?);
    let is_whole = parts.next().is_none() && !topic.is_empty();
    let number = number.parse().ok().filter(|number: &i32| *number >= 0)?;
    let offset = offset.parse().ok().filter(|offset: &i64| *offset >= 0)?;
    is_whole.then(|| (Partition { topic: topic.into(), number }, offset))
}

impl Start {
    /// What a member of the group is told.
    pub(super) fn of_member(&self, clock: &dyn Clock) -> StartOffset {
        match self {
            Start::Oldest | Start::Listed(_) => StartOffset::Earliest,
            Start::Newest => StartOffset::Latest,
            Start::At(epoch_ms) => StartOffset::At { epoch_ms: *epoch_ms },
            Start::Back(span) => StartOffset::At { epoch_ms: clock.now().before(*span).millis() },
        }
    }

    /// The offset that is listed for a partition.
    pub(super) fn listed(&self, partition: &Partition) -> Option<i64> {
        let Start::Listed(places) = self else { return None };
        places.iter().find(|(of, _)| of == partition).map(|(_, offset)| *offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::fake::FakeClock;

    fn partition(topic: &str, number: i32) -> Partition {
        Partition { topic: topic.into(), number }
    }

    #[test]
    fn a_start_is_a_word_a_time_a_span_or_a_list() {
        let hour = Duration::from_secs(3_600);
        for (text, start) in [
            ("", Start::Oldest),
            ("oldest", Start::Oldest),
            ("NEWEST", Start::Newest),
            ("latest", Start::Newest),
            ("2023-11-14T22:13:20.5Z", Start::At(1_700_000_000_500)),
            ("2023-11-14T23:13:20+01:00", Start::At(1_700_000_000_000)),
            ("2h", Start::Back(2 * hour)),
            ("1h30m", Start::Back(3 * hour / 2)),
            ("a:0:7", Start::Listed(vec![(partition("a", 0), 7)])),
            ("a:0:7, b:12:0", Start::Listed(vec![(partition("a", 0), 7), (partition("b", 12), 0)])),
        ] {
            assert_eq!(text.parse(), Ok(start), "{text}");
        }
        for text in ["first", "-2h", "2023-11-14", "a:0", "a:0:-1", "a:-1:0", "a:0:7:1", ":0:7"] {
            let error = text.parse::<Start>().unwrap_err().to_string();
            assert!(error.contains(&format!("{text:?}")), "{error}");
        }
    }

    #[test]
    fn a_span_counts_back_from_now() {
        let clock = FakeClock::at(crate::metric::Timestamp::from_seconds(1_000));
        let start = Start::Back(Duration::from_secs(10));
        assert_eq!(start.of_member(&clock), StartOffset::At { epoch_ms: 990_000 });
    }

    #[test]
    fn partitions_that_are_not_listed_begin_at_their_oldest_record() {
        let start: Start = "a:1:7".parse().unwrap();
        assert_eq!(start.listed(&partition("a", 1)), Some(7));
        assert_eq!(start.listed(&partition("a", 0)), None);
    }
}
