//! What questions to brokers fail with.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::decode::Malformed;

/// Why a broker has not answered, or not said what it was asked.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum WireError {
    /// Nobody answers there.
    #[error("cannot connect to {address}: {reason}")]
    Connect {
        /// The broker's host and port.
        address: String,
        /// What came of it.
        reason: String,
    },
    /// The answer took longer than it may.
    #[error("{address} has not answered {request} within {limit:?}")]
    Timeout {
        /// The broker's host and port.
        address: String,
        /// The request.
        request: &'static str,
        /// How long it was waited for.
        limit: Duration,
    },
    /// The connection ended before the answer came.
    #[error(
        "{address} closed the connection in place of answering {request}; a listener that wants \
         TLS or a login does so"
    )]
    Closed {
        /// The broker's host and port.
        address: String,
        /// The request.
        request: &'static str,
    },
    /// What comes back is none of Kafka's.
    #[error(
        "what {address} says in place of answering {request} is not Kafka's protocol; a listener \
         that wants TLS does so"
    )]
    NotKafka {
        /// The broker's host and port.
        address: String,
        /// The request.
        request: &'static str,
    },
    /// The connection broke.
    #[error("the connection to {address} broke during {request}: {reason}")]
    Broken {
        /// The broker's host and port.
        address: String,
        /// The request.
        request: &'static str,
        /// What the operating system says.
        reason: String,
    },
    /// The broker does not let the client in.
    #[error("{address} refuses the login with {mechanism}: {reason}")]
    Login {
        /// The broker's host and port.
        address: String,
        /// The mechanism.
        mechanism: &'static str,
        /// What the broker says.
        reason: String,
    },
    /// Broker and client have no version in common.
    #[error(
        "{address} does not know {request} in version {}, which Kafka has since {since}{}",
        .wanted.start(), offer(.offered)
    )]
    Version {
        /// The broker's host and port.
        address: String,
        /// The request.
        request: &'static str,
        /// The versions that are understood here.
        wanted: RangeInclusive<i16>,
        /// Those that the broker knows; none if it does not know the request.
        offered: Option<(i16, i16)>,
        /// The release of Kafka that brought the oldest version that would do.
        since: &'static str,
    },
    /// The answer cannot be read.
    #[error("the answer of {address} to {request} cannot be read: {reason}")]
    Malformed {
        /// The broker's host and port.
        address: String,
        /// The request.
        request: &'static str,
        /// What is wrong with it.
        reason: Malformed,
    },
    /// The broker answers with an error.
    #[error("{subject}: {code}{}", said(.message))]
    Refused {
        /// What was asked about, such as `DescribeLogDirs of broker 2`.
        subject: String,
        /// The error.
        code: ErrorCode,
        /// What the broker says about it.
        message: Option<String>,
    },
    /// No broker at all has answered.
    #[error("no broker answers{}", each(.0))]
    All(Vec<WireError>),
    /// The cluster has no such broker now.
    #[error("the cluster has no broker {0} now")]
    NoBroker(i32),
}

impl WireError {
    /// What none of several brokers having answered comes to.
    pub(super) fn of_all(mut errors: Vec<WireError>) -> WireError {
        match errors.len() {
            1 => errors.remove(0),
            _ => WireError::All(errors),
        }
    }

    /// Whether it concerns the connection as a whole rather than one question.
    pub(super) fn is_of_the_connection(&self) -> bool {
        match self {
            WireError::Connect { .. }
            | WireError::Timeout { .. }
            | WireError::Closed { .. }
            | WireError::NotKafka { .. }
            | WireError::Broken { .. }
            | WireError::Login { .. }
            | WireError::Malformed { .. } => true,
            WireError::Version { .. }
            | WireError::Refused { .. }
            | WireError::NoBroker(_)
            | WireError::All(_) => false,
        }
    }

    /// Whether the broker does not know the request at all, or only in older versions.
    pub fn is_of_the_version(&self) -> bool {
        matches!(self, WireError::Version { .. })
    }

    /// Whether a connection that stood idle may have caused it, so that a new one may do better.
    pub(super) fn may_be_of_an_idle_connection(&self) -> bool {
        matches!(self, WireError::Closed { .. } | WireError::Broken { .. })
    }
}

fn each(errors: &[WireError]) -> String {
    errors.iter().map(|error| format!("; {error}")).collect()
}

fn offer(offered: &Option<(i16, i16)>) -> String {
    match offered {
        Some((lowest, highest)) => format!("; it offers {lowest} to {highest}"),
        None => String::new(),
    }
}

fn said(message: &Option<String>) -> String {
    match message.as_deref() {
        None | Some("") => String::new(),
        Some(message) => format!(" ({message})"),
    }
}

/// A number with which brokers answer; zero is none.
///
/// # References
/// Kafka's protocol guide, "Error Codes".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ErrorCode(pub i16);

impl ErrorCode {
    /// The broker does not know the request, or not for a cluster of its kind.
    pub const UNSUPPORTED_VERSION: ErrorCode = ErrorCode(35);
    /// There is no group of the name and kind.
    pub const GROUP_ID_NOT_FOUND: ErrorCode = ErrorCode(69);

    /// The error, unless the number stands for none.
    pub(super) fn of(code: i16) -> Option<ErrorCode> {
        (code != 0).then_some(ErrorCode(code))
    }

    fn name(self) -> Option<&'static str> {
        Some(match self.0 {
            -1 => "UNKNOWN_SERVER_ERROR",
            1 => "OFFSET_OUT_OF_RANGE",
            3 => "UNKNOWN_TOPIC_OR_PARTITION",
            5 => "LEADER_NOT_AVAILABLE",
            6 => "NOT_LEADER_OR_FOLLOWER",
            7 => "REQUEST_TIMED_OUT",
            8 => "BROKER_NOT_AVAILABLE",
            9 => "REPLICA_NOT_AVAILABLE",
            13 => "NETWORK_EXCEPTION",
            14 => "COORDINATOR_LOAD_IN_PROGRESS",
            15 => "COORDINATOR_NOT_AVAILABLE",
            16 => "NOT_COORDINATOR",
            17 => "INVALID_TOPIC_EXCEPTION",
            24 => "INVALID_GROUP_ID",
            29 => "TOPIC_AUTHORIZATION_FAILED",
            30 => "GROUP_AUTHORIZATION_FAILED",
            31 => "CLUSTER_AUTHORIZATION_FAILED",
            33 => "UNSUPPORTED_SASL_MECHANISM",
            34 => "ILLEGAL_SASL_STATE",
            35 => "UNSUPPORTED_VERSION",
            41 => "NOT_CONTROLLER",
            42 => "INVALID_REQUEST",
            56 => "KAFKA_STORAGE_ERROR",
            57 => "LOG_DIR_NOT_FOUND",
            58 => "SASL_AUTHENTICATION_FAILED",
            69 => "GROUP_ID_NOT_FOUND",
            72 => "LISTENER_NOT_FOUND",
            74 => "FENCED_LEADER_EPOCH",
            75 => "UNKNOWN_LEADER_EPOCH",
            78 => "OFFSET_NOT_AVAILABLE",
            88 => "UNSTABLE_OFFSET_COMMIT",
            100 => "UNKNOWN_TOPIC_ID",
            _ => return None,
        })
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "error {} of Kafka's protocol", self.0),
        }
    }
}
