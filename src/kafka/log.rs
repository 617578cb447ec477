//! What the client library has to say, sorted into our log.
//!
//! librdkafka reports every failed attempt to connect. While a cluster is away that would be
//! several lines each second, all alike; the same text is therefore written once a minute.

use std::collections::HashMap;
use std::error::Error;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use log::Level;
use rdkafka::ClientContext;
use rdkafka::client::OAuthToken;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::TokenSource;
use crate::system::Clock;

/// How long a text that was written is not written again.
const QUIET_TIME: Duration = Duration::from_secs(60);

/// How many different texts are remembered before old ones are forgotten.
const TEXTS_REMEMBERED: usize = 64;

/// The end of the year 9999, in milliseconds since 1970: a fixed token is good until the brokers
/// refuse it.
const FAR_FUTURE_MS: i64 = 253_402_300_799_000;

/// The part of a client's context that producers and consumers share: the log, the last error,
/// and the tokens of OAUTHBEARER.
pub struct ClientLog {
    target: Arc<str>,
    clock: Arc<dyn Clock>,
    tokens: Option<TokenSource>,
    repeats: Mutex<Repeats>,
    last_error: Mutex<Option<ClientError>>,
    is_cut_off: AtomicBool,
}

/// An error that concerns the client as a whole, such as a broker that does not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct ClientError {
    /// Whether trying on is in vain until somebody changes something.
    pub outlook: Outlook,
    /// What the library says about it.
    pub reason: String,
}

/// Whether an error may pass by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outlook {
    /// The next attempt may go well.
    MayPass,
    /// The brokers know the client and do not let it in.
    Refused,
}

impl ClientLog {
    /// Makes a log whose lines stand under `target`; `tokens` are for OAUTHBEARER.
    pub fn new(
        target: impl Into<Arc<str>>,
        clock: Arc<dyn Clock>,
        tokens: Option<TokenSource>,
    ) -> ClientLog {
        ClientLog {
            target: target.into(),
            clock,
            tokens,
            repeats: Mutex::new(Repeats::default()),
            last_error: Mutex::new(None),
            is_cut_off: AtomicBool::new(false),
        }
    }

    /// The last error.
    pub fn last_error(&self) -> Option<ClientError> {
        self.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes the last error, so that the next look shows only what came since.
    pub fn take_error(&self) -> Option<ClientError> {
        self.last_error.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Whether every known broker was lost, or could not be connected to, and none has answered
    /// since.
    pub(super) fn is_cut_off(&self) -> bool {
        self.is_cut_off.load(Ordering::Relaxed)
    }

    /// Notes that a broker has answered. What went wrong before that is no longer the reason for
    /// anything.
    pub(super) fn note_answer(&self) {
        if self.is_cut_off.swap(false, Ordering::Relaxed) {
            drop(self.take_error());
        }
    }

    /// Notes that the brokers are connected and say nothing.
    pub(super) fn note_silence(&self) {
        self.is_cut_off.store(true, Ordering::Relaxed);
    }

    /// Writes a line unless the same was written a short while ago.
    pub fn write(&self, level: Level, text: &str) {
        let text = plain_text(text);
        let now = self.clock.elapsed();
        let unwritten = self.repeats.lock().unwrap_or_else(PoisonError::into_inner).pass(text, now);
        match unwritten {
            None => {}
            Some(0) => log::log!(target: &self.target, level, "{text}"),
            Some(count) => {
                log::log!(target: &self.target, level, "{text} ({count} more since the last such line)");
            }
        }
    }
}

impl ClientContext for ClientLog {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        // It comes as an error, too, which says more clearly what it is.
        if facility == "FAIL" && text.contains("authentication error") {
            return;
        }
        match log_level(level) {
            // Only there if asked for, and then each line counts.
            Level::Debug => log::debug!(target: &self.target, "{text}"),
            level => self.write(level, text),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let code = error.rdkafka_error_code();
        // Asked for by whoever reads to the end, and no error.
        if code == Some(RDKafkaErrorCode::PartitionEOF) {
            return;
        }
        // "All brokers are down" comes after the reason why, and would hide it.
        if code == Some(RDKafkaErrorCode::AllBrokersDown) {
            self.is_cut_off.store(true, Ordering::Relaxed);
        } else {
            let reason = plain_text(reason).to_owned();
            let outlook = match code {
                Some(RDKafkaErrorCode::Authentication) => Outlook::Refused,
                _ => Outlook::MayPass,
            };
            match outlook {
                // Nothing comes of it until somebody changes something, here or at the brokers.
                Outlook::Refused => self.write(Level::Error, &format!("{reason}; trying again")),
                Outlook::MayPass => self.write(Level::Warn, &reason),
            }
            let mut last = self.last_error.lock().unwrap_or_else(PoisonError::into_inner);
            *last = Some(ClientError { outlook, reason });
        }
    }

    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        let tokens = self.tokens.as_ref().ok_or("there is no token")?;
        let token = tokens.token().inspect_err(|error| {
            self.write(Level::Error, &format!("no token to log in with: {error}"));
        })?;
        Ok(OAuthToken {
            token: token.text.expose().to_owned(),
            // The brokers take the principal from the token; this one is never sent.
            principal_name: "client".to_owned(),
            lifetime_ms: token.until_ms.unwrap_or(FAR_FUTURE_MS),
        })
    }
}

/// Errors of the library are warnings to us: it tries again by itself, and what comes to nothing
/// is reported by whoever waited for it.
fn log_level(level: RDKafkaLogLevel) -> Level {
    match level {
        RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => Level::Error,
        RDKafkaLogLevel::Error | RDKafkaLogLevel::Warning => Level::Warn,
        RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => Level::Info,
        RDKafkaLogLevel::Debug => Level::Debug,
    }
}

/// Leaves out the thread that speaks and how long it took, which make equal texts differ.
fn plain_text(text: &str) -> &str {
    let text = match text.strip_prefix("[thrd:") {
        Some(rest) => rest.split_once("]: ").map_or(text, |(_, rest)| rest),
        None => text,
    };
    text.split_once(" (after ").map_or(text, |(text, _)| text)
}

/// The texts written lately, each with when and with how many were held back since.
#[derive(Debug, Default)]
struct Repeats(HashMap<String, (Duration, u64)>);

impl Repeats {
    /// Whether the text is to be written now, and how many of its kind were held back before.
    fn pass(&mut self, text: &str, now: Duration) -> Option<u64> {
        if let Some((written, unwritten)) = self.0.get_mut(text) {
            if now.saturating_sub(*written) < QUIET_TIME {
                *unwritten += 1;
                return None;
            }
            *written = now;
            return Some(std::mem::take(unwritten));
        }
        if self.0.len() >= TEXTS_REMEMBERED {
            self.0.retain(|_, (written, _)| now.saturating_sub(*written) < QUIET_TIME);
        }
        if self.0.len() < TEXTS_REMEMBERED {
            self.0.insert(text.to_owned(), (now, 0));
        }
        Some(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_written_once_a_minute_with_the_count_of_the_others() {
        let mut repeats = Repeats::default();
        let mut pass = |text, second| repeats.pass(text, Duration::from_secs(second));
        assert_eq!(pass("a", 0), Some(0));
        assert_eq!(pass("a", 1), None);
        assert_eq!(pass("b", 2), Some(0));
        assert_eq!(pass("a", 59), None);
        assert_eq!(pass("a", 60), Some(2));
        assert_eq!(pass("a", 119), None);
        assert_eq!(pass("a", 120), Some(1));
    }

    #[test]
    fn a_client_is_cut_off_from_the_loss_of_all_brokers_to_the_next_answer() {
        let log = ClientLog::new("test", Arc::new(crate::system::RealClock::new()), None);
        log.error(KafkaError::Global(RDKafkaErrorCode::BrokerTransportFailure), "refused");
        assert!(!log.is_cut_off());
        log.error(KafkaError::Global(RDKafkaErrorCode::AllBrokersDown), "1/1 brokers are down");
        assert!(log.is_cut_off());
        assert_eq!(log.last_error().map(|error| error.reason).as_deref(), Some("refused"));
        log.note_answer();
        assert!(!log.is_cut_off() && log.last_error().is_none());
        log.note_silence();
        assert!(log.is_cut_off());
    }

    #[test]
    fn ever_new_texts_do_not_pile_up() {
        let mut repeats = Repeats::default();
        for second in 0..10_000 {
            let now = Duration::from_secs(second / 100);
            assert_eq!(repeats.pass(&second.to_string(), now), Some(0));
        }
        assert!(repeats.0.len() <= TEXTS_REMEMBERED);
    }

    #[test]
    fn what_makes_equal_texts_differ_is_left_out() {
        for (text, plain) in [
            (
                "[thrd:a:1/bootstrap]: a:1/bootstrap: Connect to ipv4#1.2.3.4:1 failed: \
                 Connection refused (after 0ms in state CONNECT, 4 identical error(s) suppressed)",
                "a:1/bootstrap: Connect to ipv4#1.2.3.4:1 failed: Connection refused",
            ),
            ("2/3 brokers are down", "2/3 brokers are down"),
            ("[thrd:unfinished", "[thrd:unfinished"),
        ] {
            assert_eq!(plain_text(text), plain);
        }
    }
}
