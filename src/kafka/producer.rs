//! Writes batches of records and tells for each record what became of it.
//!
//! There is no thread for it and no callback to the caller: [`Producer::produce`] hands a batch
//! to librdkafka, waits until every record is reported, and returns. Between calls nothing runs
//! but librdkafka's own sleeping threads.

mod batch;
mod settings;
mod statistics;
mod topics;

use std::sync::Arc;
use std::time::Duration;

use rdkafka::error::RDKafkaErrorCode;
use rdkafka::producer::{BaseProducer, Producer as _};

pub use settings::{Acks, Compression, Delivery, ProducerSettings};
pub use statistics::ProducerStatistics;

use self::batch::Reports;
use self::settings::Batching;
use self::statistics::{INTERVAL_PROPERTY, IdleClient, REPORT_INTERVAL};
use self::topics::KnownTopics;
use super::record::{ProduceError, Record, concerns_whole_batch};
use super::{ClientLog, Connection, Outlook, PropertyError, TlsFileError};
use crate::system::Clock;

/// How long a cluster may take to answer at the start.
const ANSWER_TIME: Duration = Duration::from_secs(5);

/// How long one look for the answer takes; between looks the log and the token are served.
const LOOK_TIME: Duration = Duration::from_millis(50);

/// How long listening to the library takes when nothing is expected.
const HEARING_TIME: Duration = Duration::from_millis(1);

/// Why there is no connection to a cluster.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// A certificate or key cannot be read.
    #[error(transparent)]
    File(#[from] TlsFileError),
    /// The settings do not make a client.
    #[error("cannot set up the client: {0}")]
    Client(#[source] PropertyError),
    /// Nobody answers.
    #[error("no broker of {brokers} answered within {} s{reason}", ANSWER_TIME.as_secs())]
    NoAnswer {
        /// The brokers asked.
        brokers: String,
        /// What the library said last, with a colon before it; empty if nothing.
        reason: String,
    },
    /// The brokers know the client and do not let it in.
    #[error("{reason}")]
    Refused {
        /// What they say.
        reason: String,
    },
}

impl ConnectError {
    /// Whether trying again is in vain; brokers get better by themselves, settings do not.
    pub fn is_permanent(&self) -> bool {
        matches!(self, ConnectError::File(_) | ConnectError::Client(_))
    }
}

/// A producer of one cluster.
pub struct Producer {
    connection: Connection,
    settings: ProducerSettings,
    log_target: Arc<str>,
    clock: Arc<dyn Clock>,
    client: IdleClient,
    /// Whether the library reports its numbers.
    statistics: Reporting,
    topics: KnownTopics,
}

type Client = BaseProducer<Reports>;

/// Whether the library reports its numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reporting {
    On,
    Off,
}

impl Producer {
    /// Makes a producer that is not connected yet; the library's lines go to `log_target`.
    pub fn new(
        connection: Connection,
        settings: ProducerSettings,
        log_target: impl Into<Arc<str>>,
        clock: Arc<dyn Clock>,
    ) -> Producer {
        Producer {
            connection,
            settings,
            log_target: log_target.into(),
            clock,
            client: IdleClient::default(),
            statistics: Reporting::Off,
            topics: KnownTopics::default(),
        }
    }

    /// Has the library report its numbers from the next connection on, every ten seconds, and
    /// returns where they can be read. They have to be read now and then, or they pile up.
    pub fn report_statistics(&mut self) -> ProducerStatistics {
        self.statistics = Reporting::On;
        ProducerStatistics::of(self.client.clone())
    }

    /// Connects, and waits until a broker answers.
    ///
    /// # Errors
    /// If the client cannot be made, or nobody answers within five seconds.
    pub fn connect(&mut self) -> Result<(), ConnectError> {
        self.client.set(None);
        self.connection.check_files()?;
        let client = self.make_client(Batching::Full).map_err(ConnectError::Client)?;
        self.wait_for_answer(&client)?;
        self.client.set(Some(client));
        Ok(())
    }

    /// Writes the records and waits for them; the outcomes stand in the records' order.
    ///
    /// A record that can never be written does not keep the others back. Takes a few seconds
    /// while all brokers refuse connections, and a quarter of a minute when they fall silent.
    /// Otherwise takes at most a little longer than [`ProducerSettings::delivery_time`], or twice
    /// that if a broker refused a whole batch because of one record.
    pub fn produce(&mut self, records: &[Record<'_>]) -> Vec<Result<(), ProduceError>> {
        let all: Vec<usize> = (0..records.len()).collect();
        let mut outcomes = vec![Ok(()); records.len()];
        let client = match self.client.take() {
            Some(client) => client,
            None => match self.make_client(Batching::Full) {
                Ok(client) => client,
                Err(error) => {
                    outcomes.fill(Err(ProduceError::NotDelivered(error.to_string())));
                    return outcomes;
                }
            },
        };
        // What happened since the last call, such as the loss of all brokers, waits to be heard.
        client.poll(HEARING_TIME);
        if client.context().log().is_cut_off() && !batch::answers(&client) {
            client.poll(HEARING_TIME);
            outcomes.fill(Err(self.no_answer(client.context().log())));
            self.client.set(Some(client));
            return outcomes;
        }
        let suspects = self.send(&client, records, &all, &mut outcomes);
        // An idempotent producer that has lost count can do nothing more; the next call makes a
        // new one.
        if client.client().fatal_error().is_none() && client.context().waiting() == 0 {
            self.client.set(Some(client));
        }
        if suspects.len() > 1 {
            // A broker takes or refuses all records of a batch. Sent once more, each in a batch
            // of its own, only those at fault fail.
            match self.make_client(Batching::RecordByRecord) {
                Ok(client) => {
                    self.send(&client, records, &suspects, &mut outcomes);
                }
                Err(error) => {
                    let error = ProduceError::NotDelivered(error.to_string());
                    suspects.iter().for_each(|at| outcomes[*at] = Err(error.clone()));
                }
            }
        }
        self.topics.judge(records, &mut outcomes, self.clock.elapsed());
        outcomes
    }

    /// Lets go of the connection. Nothing is under way then: what was produced is reported.
    pub fn close(&mut self) {
        self.client.set(None);
    }

    fn make_client(&self, batching: Batching) -> Result<Client, PropertyError> {
        let tokens = self.connection.tokens().cloned();
        let log = ClientLog::new(self.log_target.clone(), self.clock.clone(), tokens);
        let mut config = self.settings.client_config(&self.connection, batching);
        // The other client lives for a single batch.
        let is_set = config.get(INTERVAL_PROPERTY).is_some();
        if self.statistics == Reporting::On && batching == Batching::Full && !is_set {
            config.set(INTERVAL_PROPERTY, REPORT_INTERVAL.as_millis().to_string());
        }
        let client: Client = config.create_with_context(Reports::new(log))?;
        // The first events are there already: the library asks for the token before it connects.
        (0..4).for_each(|_| client.poll(Duration::ZERO));
        Ok(client)
    }

    fn wait_for_answer(&self, client: &Client) -> Result<(), ConnectError> {
        let log = client.context().log();
        let mut reason = String::new();
        let looks = ANSWER_TIME.as_millis() / LOOK_TIME.as_millis();
        for _ in 0..looks {
            // A cluster tells its id with the first answer to the question who its brokers are.
            if client.client().fetch_cluster_id(LOOK_TIME).is_some() {
                return Ok(());
            }
            client.poll(Duration::ZERO);
            if let Some(error) = log.take_error() {
                if error.outlook == Outlook::Refused {
                    return Err(ConnectError::Refused { reason: error.reason });
                }
                reason = format!(": {error}");
            }
        }
        Err(ConnectError::NoAnswer { brokers: self.connection.brokers.join(", "), reason })
    }

    /// Sends the records at `places`, fills in their outcomes, and returns the places of those
    /// that may have been refused for another's sake.
    fn send(
        &self,
        client: &Client,
        records: &[Record<'_>],
        places: &[usize],
        outcomes: &mut [Result<(), ProduceError>],
    ) -> Vec<usize> {
        let reports = client.context();
        reports.begin(records.len());
        for at in places {
            outcomes[*at] = batch::enqueue(client, &records[*at], *at);
        }
        batch::wait(client, self.settings.delivery_time(), self.clock.as_ref());
        let mut suspects = Vec::new();
        let reports = reports.take();
        for at in places.iter().copied() {
            if outcomes[at].is_err() {
                continue;
            }
            let code = match reports[at] {
                Some(Ok(())) => continue,
                Some(Err(code)) => code,
                None => RDKafkaErrorCode::MessageTimedOut,
            };
            if concerns_whole_batch(code) {
                suspects.push(at);
            }
            outcomes[at] = Err(self.describe(code, client.context().log()));
        }
        suspects
    }

    /// Says why a record was not delivered, with the last word of the brokers where the library
    /// knows no more than that it waited in vain.
    fn describe(&self, code: RDKafkaErrorCode, log: &ClientLog) -> ProduceError {
        match code {
            RDKafkaErrorCode::PurgeQueue | RDKafkaErrorCode::PurgeInflight if log.is_cut_off() => {
                self.no_answer(log)
            }
            RDKafkaErrorCode::MessageTimedOut
            | RDKafkaErrorCode::PurgeQueue
            | RDKafkaErrorCode::PurgeInflight => {
                let reason = log.last_error().map(|error| format!(": {error}"));
                ProduceError::NotDelivered(format!(
                    "not acknowledged within {} s{}",
                    self.settings.delivery_time().as_secs(),
                    reason.unwrap_or_default()
                ))
            }
            code => ProduceError::from(code),
        }
    }

    /// Says that no broker is there, with the library's last word on why.
    fn no_answer(&self, log: &ClientLog) -> ProduceError {
        let reason = log.last_error().map(|error| format!(": {error}")).unwrap_or_default();
        let brokers = self.connection.brokers.join(", ");
        ProduceError::NotDelivered(format!("no broker of {brokers} answers{reason}"))
    }
}

#[cfg(test)]
mod tests;
