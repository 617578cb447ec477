//! `metric-sink embedded-broker`: the broker of the demonstration, in a process of its own.
//!
//! Apart from the sink, because a client that asks for another assignor than the group has makes
//! librdkafka's mock cluster end its process.

use std::ffi::OsString;
use std::io;

use crate::cli::flags::{Flag, Parsed, Program, Stop, Takes, Words};
use crate::cli::signals::{Signal, Signals};
use crate::kafka::EmbeddedCluster;

use super::{CliError, print};

/// The first argument that asks for it.
pub(super) const WORD: &str = "embedded-broker";

const RUNNING: &str = "Running";

const PROGRAM: Program = Program {
    name: "metric-sink embedded-broker",
    about: "Runs librdkafka's mock cluster, a Kafka for trying out: in memory, 5 MiB a partition, on loopback only, all gone at the end. Prints its address, and runs until SIGTERM or SIGINT.",
    words: Words::None,
    flags: &[
        Flag {
            name: "topic",
            letter: Some('t'),
            takes: Takes::Value("TOPIC"),
            default: "my-computer-metric",
            heading: RUNNING,
            help: "Create this topic",
        },
        Flag {
            name: "partitions",
            letter: None,
            takes: Takes::Number("N"),
            default: "5",
            heading: RUNNING,
            help: "Give it this many partitions",
        },
    ],
    after_help: "",
};

/// Runs the broker; `arguments` are those behind the word.
pub(super) fn main(
    arguments: impl IntoIterator<Item = OsString>,
    signals: io::Result<Signals>,
) -> Result<(), CliError> {
    match PROGRAM.parse(arguments) {
        Ok(parsed) => run(&parsed, &signals?),
        Err(Stop::Help(help)) => print(&help),
        Err(Stop::Wrong { message, .. }) => Err(CliError::Usage(message)),
    }
}

fn run(parsed: &Parsed, signals: &Signals) -> Result<(), CliError> {
    let partitions = parsed.number("partitions").unwrap_or(5);
    let partitions = u16::try_from(partitions)
        .ok()
        .filter(|count| *count > 0)
        .ok_or_else(|| CliError::Usage(format!("--partitions cannot be {partitions}")))?;
    let cluster = EmbeddedCluster::start(1)?;
    cluster.create_topic(parsed.value("topic").unwrap_or("my-computer-metric"), partitions)?;
    print(&format!("{}\n", cluster.brokers().join(",")))?;
    // Nothing here is read again or flushed: only the end is waited for.
    while !matches!(signals.received.recv(), Ok(Signal::Stop) | Err(_)) {}
    Ok(())
}
