//! `metric-sink verify`: checks what sinks have written.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use log::LevelFilter;

use super::settings;
use super::status::printed;
use crate::cli::flags::{Flag, Parsed, Program, Stop, Takes, Words};
use crate::cli::logging;
use crate::kafka::TopicReader;
use crate::sink::verify::{Against, Depth, Report, VerifyError, verify};
use crate::system::System;

/// The first argument that asks for it.
pub(super) const WORD: &str = "verify";

/// Something is wrong with the files.
const FOUND: u8 = 1;

/// Whether anything is wrong is not known.
const UNKNOWN: u8 = 2;

const COMPARING: &str = "Comparing with the topic";
const RUNNING: &str = "Running";

/// The command line of `metric-sink verify`.
pub const PROGRAM: Program = Program {
    name: "metric-sink verify",
    about: "Checks the output folders of a group, of several hosts together: that every line of every journal is whole, that the files hold what was written where it was written, that each offset stands there once and in order, and with --brokers that nothing of the topic is missing. Changes nothing, also while sinks run.",
    words: Words::Folders,
    flags: &[
        Flag::new("brokers", Takes::Values("HOST:PORT"), "", COMPARING, "Compare with the topics at these brokers, separated by commas; may be repeated. Without it, or a --config that names them, only the folders are looked at").with_letter('b'),
        Flag::new("group", Takes::Value("NAME"), "metric-consumers", COMPARING, "Ask for what this consumer group has committed; it is not joined").with_letter('g'),
        Flag::new("topic", Takes::Values("TOPIC"), "", COMPARING, "Look for this topic's partitions, also where the folders hold none of its records; may be repeated").with_letter('t'),
        Flag::new("deep", Takes::Switch, "", COMPARING, "Read the topics, and compare every record byte for byte"),
        Flag::new("property", Takes::Values("KEY=VALUE"), "", COMPARING, "Set a property of the Kafka client (librdkafka), such as security.protocol=ssl; may be repeated").with_letter('X'),
        Flag::new("config", Takes::Value("FILE"), "", COMPARING, "Read brokers, group and properties from this settings file of metric-sink; flags win over it"),
        Flag::new("json", Takes::Switch, "", RUNNING, "Print JSON, for programs"),
        Flag::new("debug", Takes::Switch, "", RUNNING, "Log what helps to find a fault, too"),
    ],
    after_help: "A finding names the file, the place in it, the partition and its offsets, and what to do. Offsets that stand in no \
file may hold no record, as where a topic is compacted or written to in transactions: with --brokers the topic is read just there.\n\n\
Exit codes: 0 if all is well, 1 if something is not, 2 if it could not be checked.\n\nExamples:\n  \
metric-sink verify /var/lib/metric-sink\n  \
metric-sink verify -b kafka1:9092 /mnt/host1/metrics /mnt/host2/metrics\n  \
metric-sink verify --json . | jq '.findings[] | select(.weight == \"fault\")'",
};

/// Runs the command; `arguments` are those behind the word.
pub(super) fn main(arguments: impl IntoIterator<Item = OsString>, system: &System) -> ExitCode {
    let parsed = match PROGRAM.parse(arguments) {
        Ok(parsed) => parsed,
        Err(Stop::Help(help)) => return printed(&help, ExitCode::SUCCESS),
        Err(Stop::Wrong { message, .. }) => {
            return unknown(&format!("{message}; metric-sink verify --help shows all flags"));
        }
    };
    logging::start(if parsed.is_on("debug") { LevelFilter::Debug } else { LevelFilter::Warn });
    let report = match check(&parsed, system) {
        Ok(report) => report,
        Err(error) => return unknown(&error),
    };
    let text = match parsed.is_on("json") {
        false => report.table(),
        true => match serde_json::to_string_pretty(&report) {
            Ok(json) => json + "\n",
            Err(error) => return unknown(&format!("printing: {error}")),
        },
    };
    printed(&text, if report.all_well { ExitCode::SUCCESS } else { FOUND.into() })
}

fn check(parsed: &Parsed, system: &System) -> Result<Report, String> {
    let folders: Vec<PathBuf> = parsed.words().into_iter().map(PathBuf::from).collect();
    let in_words = |error: VerifyError| error.to_string();
    if parsed.values("brokers").is_empty() && parsed.value("config").is_none() {
        if parsed.is_on("deep") || !parsed.values("topic").is_empty() {
            return Err("--deep and --topic need --brokers".to_owned());
        }
        return verify(&folders, None).map_err(in_words);
    }
    let (mut connection, group) = settings::of_group(parsed).map_err(|error| error.to_string())?;
    connection.client_id = "metric-sink-verify".to_owned();
    let clock = system.clock.clone();
    let mut reader =
        TopicReader::new(connection, &group, clock).map_err(|error| error.to_string())?;
    let against = Against {
        reader: &mut reader,
        topics: parsed.values("topic"),
        depth: if parsed.is_on("deep") { Depth::Values } else { Depth::Offsets },
    };
    verify(&folders, Some(against)).map_err(in_words)
}

fn unknown(reason: &str) -> ExitCode {
    reason.lines().for_each(|line| log::error!(target: "", "{line}"));
    UNKNOWN.into()
}
