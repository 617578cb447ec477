//! The command line of metric-sink.

use crate::cli::flags::{Flag, Program, Takes};

const READING: &str = "Reading";
const WRITING: &str = "Writing";
const GROUP: &str = "Group membership";
const RUNNING: &str = "Running";

/// The command line of metric-sink.
pub const PROGRAM: Program = Program {
    name: "metric-sink",
    about: "Reads Kafka topics with several members of one consumer group and appends what each reads to its own file, consumer-thread-N.csv. Each record stands in the files exactly once: offsets are committed only after the data is on the disk, and what was not committed is taken out again.",
    words: &[],
    flags: &[
        Flag::new("brokers", Takes::Values("HOST:PORT"), "127.0.0.1:9092", READING, "Begin with these brokers, separated by commas; may be repeated").with_letter('b'),
        Flag::new("topic", Takes::Values("TOPIC"), "my-computer-metric", READING, "Read this topic; may be repeated").with_letter('t'),
        Flag::new(
            "threads",
            Takes::Number("N"),
            "5",
            READING,
            "Run this many consumer threads, each a member of the group; more than there are partitions stay idle",
        ),
        Flag::new(
            "from",
            Takes::Value("WHERE"),
            "earliest",
            READING,
            "Begin partitions that the group has committed nothing of here: earliest, latest, or a time as 2026-01-31T12:00:00Z or in milliseconds since 1970",
        ),
        Flag::new(
            "read-ahead",
            Takes::Value("SIZE"),
            "2MiB",
            READING,
            "Read this much ahead in each thread; what bounds the memory while it catches up",
        ),
        Flag::new(
            "output-dir",
            Takes::Value("FOLDER"),
            ".",
            WRITING,
            "Write the files here; one metric-sink at a time may use a folder",
        ),
        Flag::new(
            "fsync",
            Takes::Choice(&["commit", "never"]),
            "commit",
            WRITING,
            "Flush data to the disk before each commit, or never: then a power failure can lose what was committed, or double it; the death of the process does not",
        ),
        Flag::new(
            "commit-interval",
            Takes::Value("TIME"),
            "1s",
            WRITING,
            "Flush and commit at the latest after this time; data is in the file at once",
        ),
        Flag::new(
            "commit-bytes",
            Takes::Value("SIZE"),
            "64MiB",
            WRITING,
            "Flush and commit at the latest after this much data",
        ),
        Flag::new(
            "batch-records",
            Takes::Number("N"),
            "20000",
            WRITING,
            "Write at most this many records at once",
        ),
        Flag::new(
            "batch-bytes",
            Takes::Value("SIZE"),
            "1MiB",
            WRITING,
            "Write at most this much at once, but for a single larger record",
        ),
        Flag::new("group", Takes::Value("NAME"), "metric-consumers", GROUP, "Be members of this consumer group").with_letter('g'),
        Flag::new(
            "session-timeout",
            Takes::Value("TIME"),
            "10s",
            GROUP,
            "Let the group hand partitions on after a thread was not heard of for this time",
        ),
        Flag::new(
            "static-membership",
            Takes::Switch,
            "",
            GROUP,
            "Name the members by host, folder and thread. A restart within the session time-out moves no partition; but a stop without restart leaves them unread until it is over, because static members do not leave",
        ),
        Flag::new(
            "group-protocol",
            Takes::Choice(&["classic", "consumer"]),
            "classic",
            GROUP,
            "Rebalance by the classic protocol, or by the one of KIP-848, which needs Kafka 4 and sets the session time-out in the broker",
        ),
        Flag::new("property", Takes::Values("KEY=VALUE"), "", GROUP, "Set a property of the Kafka client (librdkafka), such as security.protocol=ssl; may be repeated. Its own debug lines, say by debug=cgrp, need --debug as well").with_letter('X'),
        Flag::new(
            "config",
            Takes::Value("FILE"),
            "",
            RUNNING,
            "Read settings from this TOML file: the names of the flags without dashes before them; flags win over it",
        ),
        Flag::new(
            "report-interval",
            Takes::Value("TIME"),
            "10s",
            RUNNING,
            "Report progress this often; on a terminal a live line does it every second",
        ),
        Flag::new("debug", Takes::Switch, "", RUNNING, "Log what helps to find a fault, too"),
        Flag::new("quiet", Takes::Switch, "", RUNNING, "Log errors only"),
        Flag::new("version", Takes::Switch, "", RUNNING, "Print the version"),
    ],
    after_help: "Each record becomes one line: its value as it came, with a line end unless it has one. A value of several lines \
stays those lines; a record without a value becomes an empty line.\n\nSIGTERM and SIGINT write and commit what was read, leave the \
group and end; a second one ends at once with 128 + signal. SIGQUIT \
prints what each thread does and ends with 2.\n\nExit codes: 0 after a normal end, 1 after an error or if records that \
were read could not be written (they are not committed, and are read again).\n\nExamples:\n  \
metric-sink --threads 5                                     the tutorial's consumer, here\n  \
metric-sink -b kafka1:9092,kafka2:9092 --output-dir /data   another cluster and folder\n  \
metric-sink --group again --from 2026-01-31T00:00:00Z       read a topic again from a time on\n  \
metric-sink -X security.protocol=sasl_ssl -X sasl.mechanisms=SCRAM-SHA-512 --config secrets.toml",
};
