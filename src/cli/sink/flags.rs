//! The command line of metric-sink.

use crate::cli::flags::{Flag, Program, Takes, Word, Words};

const READING: &str = "Reading";
const WRITING: &str = "Writing";
const FILES: &str = "Files";
const GROUP: &str = "Group membership";
const RUNNING: &str = "Running";

/// The command line of metric-sink.
pub const PROGRAM: Program = Program {
    name: "metric-sink",
    about: "Reads Kafka topics with several members of one consumer group and appends what each reads to its own file, consumer-thread-N.csv. Each record stands in the files exactly once: offsets are committed only after the data is on the disk, and what was not committed is taken out again.",
    words: Words::Commands(&[
        Word {
            usage: "status",
            help: "Tell how a running sink is doing (see metric-sink status --help)",
        },
        Word {
            usage: "replay FILE…",
            help: "Produce the records of dead-letter files again (see metric-sink replay --help)",
        },
        Word {
            usage: "verify DIR…",
            help: "Check the files of a group's sinks against their journals and the topic (see metric-sink verify --help)",
        },
    ]),
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
            "format",
            Takes::Choice(&["raw", "csv"]),
            "raw",
            WRITING,
            "Write the values of records as they come, or rows of CSV made of line protocol or JSON: one file per measurement and thread, and a new one with a wider header when another tag or field comes",
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
        Flag::new(
            "columns",
            Takes::Value("NAMES"),
            "",
            FILES,
            "Write these columns only, separated by commas, and all measurements to one file: time, measurement, and names of tags and fields",
        ),
        Flag::new(
            "time-format",
            Takes::Value("FORM"),
            "rfc3339",
            FILES,
            "Write times in rows of CSV so: rfc3339, unix, unix_ms, unix_us, unix_ns, an example such as \"2006-01-02 15:04:05\", or conversions such as \"%Y-%m-%d %H:%M:%S\"",
        ),
        Flag::new(
            "time-zone",
            Takes::Value("ZONE"),
            "UTC",
            FILES,
            "Tell times, and begin days and hours of files, in this time zone: a name such as Europe/Berlin, or Local",
        ),
        Flag::new(
            "file-name",
            Takes::Value("TEMPLATE"),
            "consumer-thread-{thread}",
            FILES,
            "Call files so; .csv is added unless it ends in another extension. In braces stand thread, topic, partition, measurement; with rotation also date, time, year, month, day, hour, minute of the beginning, and with {partition} first and last, the offsets. Names that would be equal get numbers: 2020-06-19+2.csv",
        ),
        Flag::new(
            "rotate-size",
            Takes::Value("SIZE"),
            "",
            FILES,
            "End a file when it has this size. With any rotation a file is called NAME.open as long as records come to it, and gets its own name when all in it is committed",
        ),
        Flag::new(
            "rotate-interval",
            Takes::Value("TIME"),
            "",
            FILES,
            "End files by the clock: parts of a day count from midnight, days from a Monday; 1h, 15m, 1d",
        ),
        Flag::new(
            "rotate-idle",
            Takes::Value("TIME"),
            "",
            FILES,
            "End a file when nothing was written to it for this time",
        ),
        Flag::new(
            "compress",
            Takes::Choice(&["none", "gzip", "zstd"]),
            "none",
            FILES,
            "Compress files that have ended",
        ),
        Flag::new(
            "keep",
            Takes::Values("LIMIT"),
            "",
            FILES,
            "Remove the oldest of all files that have ended when there are more than a number, such as 10; when they are older than a time, such as 30d; when together they are larger than a size, such as 100GiB. May be repeated. Files that records still come to are never removed",
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
        Flag::new(
            "http",
            Takes::Value("ADDRESS"),
            "",
            RUNNING,
            "Tell the status at this address over HTTP: /metrics for Prometheus, /health, /status as JSON. A port alone, as 8080 or :8080, is one of this machine only; 0.0.0.0:8080 is open to others",
        ),
        Flag::new("debug", Takes::Switch, "", RUNNING, "Log what helps to find a fault, too"),
        Flag::new("quiet", Takes::Switch, "", RUNNING, "Log errors only"),
        Flag::new("version", Takes::Switch, "", RUNNING, "Print the version"),
    ],
    after_help: "Each record becomes one line: its value as it came, with a line end unless it has one. A value of several lines \
stays those lines; a record without a value becomes an empty line.\n\nWith --format csv line protocol and JSON become rows: time, measurement, \
tags and fields, with a header. A record that no rows can be made of goes to consumer-thread-N.dead-letters.jsonl as a whole, with \
the reason; metric-sink replay feeds such a file back. With rotation a file gets its own name when it has ended and all in it is \
committed: whatever is not called NAME.open is complete.\n\nSIGTERM and SIGINT write and commit what was read, leave the \
group and end; a second one ends at once with 128 + signal. SIGHUP leaves files \
that were moved away for new ones at once, not only when the next record comes. SIGQUIT \
prints what each thread does and ends with 2.\n\nExit codes: 0 after a normal end, 1 after an error or if records that \
were read could not be written (they are not committed, and are read again).\n\nExamples:\n  \
metric-sink --threads 5                                     the tutorial's consumer, here\n  \
metric-sink -b kafka1:9092,kafka2:9092 --output-dir /data   another cluster and folder\n  \
metric-sink --group again --from 2026-01-31T00:00:00Z       read a topic again from a time on\n  \
metric-sink --format csv --rotate-interval 1d --file-name {date} --compress zstd --keep 30d   rows, a day in each file\n  \
metric-sink -X security.protocol=sasl_ssl -X sasl.mechanisms=SCRAM-SHA-512 --config secrets.toml",
};
