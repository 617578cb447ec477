//! What the library tells a member: rebalances, statistics, log lines.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rdkafka::client::OAuthToken;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, RebalanceProtocol};
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientContext, TopicPartitionList};

use super::{Partition, Rebalance};
use crate::kafka::lag::{PartitionLag, parse_statistics};
use crate::kafka::{ClientLog, ClientStatistics, TokenSource};
use crate::system::Clock;

/// The library's callbacks for a member; they run on the thread that polls.
pub(super) struct MemberContext {
    log: ClientLog,
    rebalances: Mutex<VecDeque<Rebalance>>,
    lags: Mutex<Vec<PartitionLag>>,
    /// Nothing as long as nobody wants to know.
    statistics: OnceLock<MemberStatistics>,
    /// Nobody takes rebalances any more; they are answered at once.
    closing: AtomicBool,
    resets: Resets,
}

/// Whether the library has ever gone on elsewhere than it was told, because the brokers do not have
/// that offset.
#[derive(Debug, Clone, Default)]
pub struct Resets(Arc<AtomicBool>);

impl Resets {
    /// Whether it has.
    pub fn are_seen(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Where the library's own numbers of a member can be read, from any thread.
#[derive(Debug, Clone, Default)]
pub struct MemberStatistics(Arc<Mutex<Option<ClientStatistics>>>);

impl MemberStatistics {
    /// The numbers as the library has reported them last; nothing before that.
    pub fn read(&self) -> Option<ClientStatistics> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MemberContext {
    pub(super) fn new(
        log_target: &str,
        clock: Arc<dyn Clock>,
        tokens: Option<TokenSource>,
    ) -> MemberContext {
        MemberContext {
            log: ClientLog::new(log_target, clock, tokens),
            rebalances: Mutex::default(),
            lags: Mutex::default(),
            statistics: OnceLock::new(),
            closing: AtomicBool::new(false),
            resets: Resets::default(),
        }
    }

    /// From now on rebalances are answered at once, because nobody takes them any more.
    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::SeqCst);
    }

    /// What the library has complained of last.
    pub(super) fn last_error(&self) -> Option<String> {
        self.log.last_error().map(|error| error.to_string())
    }

    pub(super) fn resets(&self) -> Resets {
        self.resets.clone()
    }

    pub(super) fn statistics(&self) -> MemberStatistics {
        self.statistics.get_or_init(MemberStatistics::default).clone()
    }

    pub(super) fn take_rebalance(&self) -> Option<Rebalance> {
        self.rebalances.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    pub(super) fn has_rebalance(&self) -> bool {
        !self.rebalances.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    pub(super) fn lags(&self) -> Vec<PartitionLag> {
        self.lags.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ClientContext for MemberContext {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        // It says so in no other way, and before the first record from there.
        if facility == "OFFSET" && text.contains("offset reset") {
            self.resets.0.store(true, Ordering::Relaxed);
        }
        self.log.log(level, facility, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.log.error(error, reason);
    }

    fn stats_raw(&self, statistics: &[u8]) {
        if let Some(lags) = parse_statistics(statistics) {
            *self.lags.lock().unwrap_or_else(PoisonError::into_inner) = lags;
        }
        if let Some(wanted) = self.statistics.get()
            && let Some(numbers) = ClientStatistics::parse(statistics)
        {
            *wanted.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(numbers);
        }
    }

    fn generate_oauth_token(
        &self,
        config: Option<&str>,
    ) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        self.log.generate_oauth_token(config)
    }
}

impl ConsumerContext for MemberContext {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        code: RDKafkaRespErr,
        partitions: &mut TopicPartitionList,
    ) {
        let listed = || {
            let elements = partitions.elements();
            elements
                .iter()
                .map(|element| Partition {
                    topic: element.topic().into(),
                    number: element.partition(),
                })
                .collect()
        };
        let assigned = code == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        if self.closing.load(Ordering::SeqCst) {
            let cooperative =
                matches!(consumer.rebalance_protocol(), RebalanceProtocol::Cooperative);
            let result = match (cooperative, assigned) {
                (true, true) => Ok(()),
                (true, false) => consumer.incremental_unassign(partitions),
                (false, _) => consumer.unassign(),
            };
            if let Err(error) = result {
                log::debug!(target: "", "While leaving the group: {error}");
            }
            return;
        }
        let rebalance = if assigned {
            Rebalance::Assigned(listed())
        } else if consumer.assignment_lost() {
            Rebalance::Lost(listed())
        } else {
            Rebalance::Revoked(listed())
        };
        self.rebalances.lock().unwrap_or_else(PoisonError::into_inner).push_back(rebalance);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::RealClock;

    #[test]
    fn the_librarys_numbers_are_read_from_reports_that_come_after_somebody_wants_them() {
        let context = MemberContext::new("test", Arc::new(RealClock::new()), None);
        context.stats_raw(br#"{"tx":1}"#);
        let statistics = context.statistics();
        assert_eq!(statistics.read(), None);
        context.stats_raw(br#"{"tx":2}"#);
        context.stats_raw(b"no json");
        assert_eq!(statistics.read().map(|numbers| numbers.requests), Some(2));
    }
}
