//! Which topics are known to exist, so that one that is missing for a moment is not given up.

use std::collections::HashMap;
use std::time::Duration;

use crate::kafka::{ProduceError, Record};

/// How long a topic that was there may be missing. Brokers that have just started, and such as
/// delete and create a topic anew, deny for some seconds that there is one.
const ABSENCE: Duration = Duration::from_secs(60);

/// The topics that were written to, each with when it was missed first since.
#[derive(Debug, Default)]
pub(super) struct KnownTopics(HashMap<String, Option<Duration>>);

impl KnownTopics {
    /// Learns from what became of the records, and keeps those for another try whose topic was
    /// there a short while ago.
    pub(super) fn judge(
        &mut self,
        records: &[Record<'_>],
        outcomes: &mut [Result<(), ProduceError>],
        now: Duration,
    ) {
        for (record, outcome) in records.iter().zip(outcomes) {
            match outcome {
                Ok(()) => self.found(record.topic),
                Err(ProduceError::UnknownTopic) if self.may_return(record.topic, now) => {
                    let reason = format!("topic {:?} is missing", record.topic);
                    *outcome = Err(ProduceError::NotDelivered(reason));
                }
                Err(_) => {}
            }
        }
    }

    fn found(&mut self, topic: &str) {
        match self.0.get_mut(topic) {
            Some(missing_since) => *missing_since = None,
            None => {
                self.0.insert(topic.to_owned(), None);
            }
        }
    }

    fn may_return(&mut self, topic: &str, now: Duration) -> bool {
        self.0.get_mut(topic).is_some_and(|missing_since| {
            now.saturating_sub(*missing_since.get_or_insert(now)) < ABSENCE
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_that_was_there_may_be_missing_for_a_minute() {
        let mut topics = KnownTopics::default();
        let mut may_return = |second, found: bool| {
            if found {
                topics.found("t");
            }
            topics.may_return("t", Duration::from_secs(second))
        };
        assert!(!may_return(0, false), "it was never there");
        assert!(may_return(100, true));
        assert!(may_return(159, false));
        assert!(!may_return(160, false));
        assert!(may_return(170, true));
    }
}
