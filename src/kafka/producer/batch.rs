//! One batch on its way: handing over, waiting, collecting the reports.

use std::error::Error;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::client::OAuthToken;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _, ProducerContext, PurgeConfig};

use crate::kafka::record::{ProduceError, Record};
use crate::kafka::{ClientLog, ClientStatistics};
use crate::system::Clock;

/// How long the first look for reports takes.
const SHORTEST_LOOK: Duration = Duration::from_millis(1);

/// How long a look for reports takes when they are long in coming.
const LONGEST_LOOK: Duration = Duration::from_millis(50);

/// How long all brokers may refuse connections before a batch is called back. Telegraf's client
/// asks four times within a second; this covers a broker's restart of the quick kind.
const REFUSAL_TIME: Duration = Duration::from_secs(2);

/// A name that no topic can have.
const NO_TOPIC: &str = ".";

/// How long brokers may say nothing before they are asked for a sign of life: a little longer
/// than they may wait for their replicas.
const SILENCE_TIME: Duration = Duration::from_secs(12);

/// How long a broker may take to show that it is there.
const SIGN_OF_LIFE_TIME: Duration = Duration::from_secs(2);

/// How much later than promised the library may be before the batch is called back.
const GRACE: Duration = Duration::from_secs(5);

/// The context of a client: collects the reports of the batch that is on its way.
pub(super) struct Reports {
    log: ClientLog,
    state: Mutex<State>,
    statistics: Mutex<ClientStatistics>,
    /// How often the library has reported its numbers.
    reported: AtomicU64,
}

#[derive(Default)]
struct State {
    /// How many records are on their way.
    waiting: usize,
    /// By the record's place in the batch; none while there is no report.
    reports: Vec<Option<Report>>,
}

/// What became of a record.
pub(super) type Report = Result<(), RDKafkaErrorCode>;

impl Reports {
    pub(super) fn new(log: ClientLog) -> Reports {
        let (state, statistics) = (Mutex::default(), Mutex::default());
        Reports { log, state, statistics, reported: AtomicU64::new(0) }
    }

    pub(super) fn log(&self) -> &ClientLog {
        &self.log
    }

    /// How many records are on their way.
    pub(super) fn waiting(&self) -> usize {
        self.state().waiting
    }

    /// Prepares for a batch of `count` records.
    pub(super) fn begin(&self, count: usize) {
        *self.state() = State { waiting: 0, reports: vec![None; count] };
    }

    /// Takes what became of the records, by their places.
    pub(super) fn take(&self) -> Vec<Option<Report>> {
        std::mem::take(&mut self.state().reports)
    }

    /// The numbers that the library has reported last, and how often it has.
    pub(super) fn statistics(&self) -> (u64, ClientStatistics) {
        let reported = self.reported.load(Ordering::Acquire);
        (reported, *self.statistics.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Reports {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = ClientLog::ENABLE_REFRESH_OAUTH_TOKEN;

    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        self.log.log(level, facility, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.log.error(error, reason);
    }

    fn stats_raw(&self, report: &[u8]) {
        if let Some(statistics) = ClientStatistics::parse(report) {
            *self.statistics.lock().unwrap_or_else(PoisonError::into_inner) = statistics;
            self.reported.fetch_add(1, Ordering::Release);
        }
    }

    fn generate_oauth_token(&self, config: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        self.log.generate_oauth_token(config)
    }
}

impl ProducerContext for Reports {
    /// The record's place in the batch.
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, at: usize) {
        if result.is_ok() {
            self.log.note_answer();
        }
        let mut state = self.state();
        state.waiting = state.waiting.saturating_sub(1);
        if let Some(report) = state.reports.get_mut(at) {
            *report = Some(match result {
                Ok(_) => Ok(()),
                Err((error, _)) => {
                    Err(error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Unknown))
                }
            });
        }
    }
}

/// Hands a record over to the library; `at` is its place in the batch.
pub(super) fn enqueue(
    client: &BaseProducer<Reports>,
    record: &Record<'_>,
    at: usize,
) -> Result<(), ProduceError> {
    if !is_topic_name(record.topic) {
        return Err(ProduceError::InvalidTopic);
    }
    let mut base = BaseRecord::<[u8], [u8], usize>::with_opaque_to(record.topic, at);
    if let Some(value) = record.value {
        base = base.payload(value);
    }
    if let Some(key) = record.key {
        base = base.key(key);
    }
    if let Some(timestamp_ms) = record.timestamp_ms {
        base = base.timestamp(timestamp_ms);
    }
    if !record.headers.is_empty() {
        let headers = OwnedHeaders::new_with_capacity(record.headers.len());
        base =
            base.headers(record.headers.iter().fold(headers, |headers, (key, value)| {
                headers.insert(Header { key, value: *value })
            }));
    }
    loop {
        match client.send(base) {
            Ok(()) => {
                client.context().state().waiting += 1;
                return Ok(());
            }
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                base = back;
                client.poll(SHORTEST_LOOK);
            }
            Err((error, _)) => {
                return Err(error
                    .rdkafka_error_code()
                    .map_or_else(|| ProduceError::NotDelivered(error.to_string()), Into::into));
            }
        }
    }
}

/// Waits until every record handed over is reported.
///
/// The library reports each within `delivery_time`. Should it fail to, the batch is called back,
/// and what has no report even then counts as not delivered. The batch is called back early when
/// all brokers refuse connections or have fallen silent: the library would go on until the time
/// is over, and with it whoever wants to stop the program.
pub(super) fn wait(client: &BaseProducer<Reports>, delivery_time: Duration, clock: &dyn Clock) {
    let reports = client.context();
    let began = clock.elapsed();
    let mut limit = delivery_time + GRACE;
    let mut called_back = false;
    let mut cut_off_since = None;
    let mut heard = began;
    let mut waiting = reports.waiting();
    while waiting > 0 {
        let now = clock.elapsed();
        let waited = now.saturating_sub(began);
        if called_back && waited > limit {
            return;
        }
        if !reports.log.is_cut_off() {
            cut_off_since = None;
        }
        let is_refused = reports.log.is_cut_off()
            && now.saturating_sub(*cut_off_since.get_or_insert(now)) >= REFUSAL_TIME;
        let is_silent = now.saturating_sub(heard) >= SILENCE_TIME;
        let is_lost = !called_back && (is_refused || is_silent) && !answers(client);
        if is_lost || waited > limit {
            client.purge(PurgeConfig::default().queue().inflight());
            called_back = true;
            limit = waited + GRACE;
        }
        // A look lasts its whole time even if the last report comes in the middle. Looks that
        // grow with the time already spent make that late by an eighth at most, and cost little
        // while a cluster is away.
        client.poll((waited / 8).clamp(SHORTEST_LOOK, LONGEST_LOOK));
        let left = reports.waiting();
        if left < waiting || is_silent {
            heard = clock.elapsed();
        }
        waiting = left;
    }
}

/// Whether a broker gives a sign of life within two seconds.
pub(super) fn answers(client: &BaseProducer<Reports>) -> bool {
    // The question for a topic that cannot be is the cheapest: it is about no topic that there
    // is, and creates none. The answer is that there is none, which is an answer.
    let answered = client.client().fetch_metadata(Some(NO_TOPIC), SIGN_OF_LIFE_TIME).is_ok();
    match answered {
        true => client.context().log.note_answer(),
        false => client.context().log.note_silence(),
    }
    answered
}

/// Whether brokers take this for the name of a topic.
///
/// Asked about another they say so only after a while, and librdkafka takes none longer than 512
/// bytes.
fn is_topic_name(name: &str) -> bool {
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=249).contains(&name.len()) && name != "." && name != ".." && name.bytes().all(is_legal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_topics_are_those_that_brokers_take() {
        for name in ["a", "metric.cpu", "metric_cpu-1", "...", &"x".repeat(249)] {
            assert!(is_topic_name(name), "{name}");
        }
        for name in ["", ".", "..", "a b", "a/b", "żółć", "a\0b", &"x".repeat(250)] {
            assert!(!is_topic_name(name), "{name}");
        }
    }
}
