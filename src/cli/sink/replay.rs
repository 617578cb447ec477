//! `metric-sink replay`: produces the records of dead-letter files again.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;

use log::LevelFilter;

use super::{CliError, print, settings};
use crate::cli::flags::{Flag, Parsed, Program, Stop, Takes, Words};
use crate::cli::logging;
use crate::cli::signals::Signals;
use crate::kafka::{Acks, Delivery, Producer, ProducerSettings, Record};
use crate::sink::replay::{ReplaySettings, Replayed, replay};
use crate::system::System;

/// The first argument that asks for it.
pub(super) const WORD: &str = "replay";

/// What the broker of a topic allows decides, and not what this program would.
const MAX_MESSAGE_BYTES: u32 = 1_000_000_000;

const WRITING: &str = "Writing";
const RUNNING: &str = "Running";

/// The command line of `metric-sink replay`.
pub const PROGRAM: Program = Program {
    name: "metric-sink replay",
    about: "Produces the records of dead-letter files again: value, key, headers and time as they were, to the topic that each came from, acknowledged by all replicas. Partitions are chosen anew, by the key.",
    words: Words::Files,
    flags: &[
        Flag::new("brokers", Takes::Values("HOST:PORT"), "127.0.0.1:9092", WRITING, "Begin with these brokers, separated by commas; may be repeated").with_letter('b'),
        Flag::new("topic", Takes::Value("TOPIC"), "", WRITING, "Produce all records to this topic instead of their own").with_letter('t'),
        Flag::new("property", Takes::Values("KEY=VALUE"), "", WRITING, "Set a property of the Kafka client (librdkafka), such as security.protocol=ssl; may be repeated").with_letter('X'),
        Flag::new("rest", Takes::Value("FILE"), "", WRITING, "Keep the records that could not be produced in this new file, so that replaying that one produces no others twice"),
        Flag::new("dry-run", Takes::Switch, "", RUNNING, "Produce nothing; print what would be, a line for each record"),
        Flag::new("config", Takes::Value("FILE"), "", RUNNING, "Read brokers and properties from this settings file of metric-sink; flags win over it"),
        Flag::new("debug", Takes::Switch, "", RUNNING, "Log what helps to find a fault, too"),
    ],
    after_help: "A line that is damaged or torn off is named by its number and passed over; the others are produced. A record \
that fails is named, too, and --rest keeps it. When none of a thousand records gets through, the others are not tried.\n\n\
SIGTERM and SIGINT stop it after the records that are under way.\n\nExit codes: 0 if every line was produced, 1 if any was not.\n\n\
Examples:\n  metric-sink replay consumer-thread-*.dead-letters.jsonl --rest rest.jsonl\n  \
metric-sink replay -b kafka1:9092 -t repaired consumer-thread-0.dead-letters.jsonl",
};

/// Runs the command; `arguments` are those behind the word.
pub(super) fn main(
    arguments: impl IntoIterator<Item = OsString>,
    signals: io::Result<Signals>,
    system: &System,
) -> Result<(), CliError> {
    match PROGRAM.parse(arguments) {
        Ok(parsed) => run(&parsed, &signals?, system),
        Err(Stop::Help(help)) => print(&help),
        Err(Stop::Wrong { message, .. }) => {
            Err(CliError::Usage(format!("{message}; metric-sink replay --help shows all flags")))
        }
    }
}

fn run(parsed: &Parsed, signals: &Signals, system: &System) -> Result<(), CliError> {
    logging::start(if parsed.is_on("debug") { LevelFilter::Debug } else { LevelFilter::Info });
    let mut connection = settings::connection(parsed)?;
    connection.client_id = "metric-sink-replay".to_owned();
    let replay_settings = ReplaySettings {
        files: parsed.words().into_iter().map(PathBuf::from).collect(),
        topic: parsed.value("topic").map(str::to_owned),
        rest: parsed.value("rest").map(PathBuf::from),
    };
    if parsed.is_on("dry-run") {
        return finish(dry_run(&replay_settings)?, "would be produced");
    }
    let producer_settings = ProducerSettings {
        acks: Acks::All,
        delivery: Delivery::Idempotent,
        max_message_bytes: MAX_MESSAGE_BYTES,
        ..ProducerSettings::default()
    };
    let clock = system.clock.clone();
    let mut producer = Producer::new(connection, producer_settings, "", clock);
    producer.connect()?;
    let mut produce = |records: &[Record<'_>]| producer.produce(records);
    let goes_on = || !signals.stopping.try_recv().is_err_and(|error| error.is_disconnected());
    finish(replay(&replay_settings, &mut produce, goes_on)?, "produced")
}

/// Prints each record that would be produced.
fn dry_run(settings: &ReplaySettings) -> Result<Replayed, CliError> {
    let settings = ReplaySettings { rest: None, ..settings.clone() };
    let mut printed = Ok(());
    let mut produce = |records: &[Record<'_>]| {
        let mut text = String::new();
        for record in records {
            let key = record.key.map(|key| format!(", key {:?}", String::from_utf8_lossy(key)));
            let value = match record.value {
                Some(value) => format!("{} bytes", value.len()),
                None => "no value".to_owned(),
            };
            text.push_str(&format!("{}: {value}{}\n", record.topic, key.unwrap_or_default()));
        }
        if printed.is_ok() {
            printed = print(&text);
        }
        vec![Ok(()); records.len()]
    };
    let replayed = replay(&settings, &mut produce, || true)?;
    printed.map(|()| replayed)
}

/// Says how many there were.
fn finish(replayed: Replayed, what: &str) -> Result<(), CliError> {
    let Replayed { produced, failed, damaged } = replayed;
    log::info!(target: "", "{produced} records {what}");
    match (failed, damaged) {
        (0, 0) => Ok(()),
        (failed, damaged) => Err(CliError::Unreplayed { failed, damaged }),
    }
}
