//! The command line of metric-agent.
//!
//! # References
//! Names and meanings are those of Telegraf 1.40, so that its unit files and scripts keep working.

use crate::cli::flags::{Flag, Program, Takes, Word, Words};

const CONFIGURATION: &str = "Configuration";
const RUNNING: &str = "Running";
const COMPARING: &str = "Checking and comparing";
const LISTING: &str = "Listing";

/// The command line of metric-agent.
pub const PROGRAM: Program = Program {
    name: "metric-agent",
    about: "Gathers metrics of this machine and writes them to Kafka and elsewhere, as Telegraf does and by the same configuration.",
    words: Words::Commands(&[
        Word { usage: "config", help: "Print a sample configuration (as `config create`)" },
        Word {
            usage: "config check",
            help: "Check the configuration as a run would, and run nothing",
        },
        Word {
            usage: "compare",
            help: "Run this program and a Telegraf on the configuration, and tell what they write differently",
        },
        Word {
            usage: "config migrate",
            help: "Write FILE.migrated beside each file that names plugins or options of old (see --force)",
        },
        Word {
            usage: "plugins [KIND]",
            help: "List the plugins that are there, or those of one kind (see --deprecated)",
        },
        Word {
            usage: "replay FILE…",
            help: "Send metrics again that an output could never write, from a file of dead letters (see replay --help)",
        },
        Word {
            usage: "secrets list [ID…]",
            help: "List the secrets of all secret stores, or of those named",
        },
        Word { usage: "secrets get ID KEY", help: "Print a secret" },
        Word {
            usage: "secrets set ID KEY [VALUE]",
            help: "Set a secret; without a value it is asked for on the terminal",
        },
        Word { usage: "secrets remove ID KEY", help: "Remove a secret" },
        Word { usage: "status", help: "Tell how a running agent is doing (see status --help)" },
        Word {
            usage: "reload",
            help: "Have a running agent read its configuration again, and wait for what comes of it (see reload --help)",
        },
        Word { usage: "version", help: "Print the version" },
        Word { usage: "help", help: "Show this help" },
    ]),
    flags: &[
        Flag::new(
            "config",
            Takes::Values("FILE_OR_URL"),
            "",
            CONFIGURATION,
            "Read this configuration file, or the one at this http:// or https:// address; may be repeated. Without it $TELEGRAF_CONFIG_PATH, ~/.telegraf/telegraf.conf and /etc/telegraf are tried",
        ),
        Flag::new(
            "config-directory",
            Takes::Values("FOLDER"),
            "",
            CONFIGURATION,
            "Also read every *.conf in this folder and below it; may be repeated",
        ),
        Flag::new(
            "strict-env-handling",
            Takes::Switch,
            "",
            CONFIGURATION,
            "Put environment variables into string values only, which is what happens anyway",
        ),
        Flag::new(
            "non-strict-env-handling",
            Takes::Switch,
            "",
            CONFIGURATION,
            "Put environment variables into the text before it is parsed, whatever they contain",
        ),
        Flag::new(
            "old-env-behavior",
            Takes::Switch,
            "",
            CONFIGURATION,
            "Replace environment variables as Telegraf did before 1.27",
        ),
        Flag::new(
            "watch-config",
            Takes::Value("notify|poll"),
            "",
            CONFIGURATION,
            "Read the configuration again when its files change: told by the kernel, or by looking again and again",
        ),
        Flag::new(
            "watch-interval",
            Takes::Value("TIME"),
            "250ms",
            CONFIGURATION,
            "With `--watch-config poll`: look this often",
        ),
        Flag::new(
            "watch-debounce-interval",
            Takes::Value("TIME"),
            "0s",
            CONFIGURATION,
            "With `--watch-config`: wait until nothing has changed for this long",
        ),
        Flag::new(
            "config-url-retry-attempts",
            Takes::Number("N"),
            "3",
            CONFIGURATION,
            "Ask a server again this often, ten seconds apart, that does not hand out its configuration; -1 for ever",
        ),
        Flag::new(
            "config-url-watch-interval",
            Takes::Value("TIME"),
            "0s",
            CONFIGURATION,
            "Ask servers this often whether their configuration has changed, by its Last-Modified, and read it again then; 0s is never",
        ),
        Flag::new(
            "select",
            Takes::Values("LABEL=VALUE;…"),
            "",
            CONFIGURATION,
            "Use only plugins with these labels, all of one selection or of another, and those without labels; values take globs; may be repeated",
        ),
        Flag::new(
            "section-filter",
            Takes::Value("A:B"),
            "",
            CONFIGURATION,
            "With `config`: print these sections only: agent, global_tags, secretstores, outputs, processors, aggregators, inputs",
        ),
        Flag::new("input-filter", Takes::Value("A:B"), "", CONFIGURATION, "Use these inputs only"),
        Flag::new(
            "output-filter",
            Takes::Value("A:B"),
            "",
            CONFIGURATION,
            "Use these outputs only",
        ),
        Flag::new(
            "secretstore-filter",
            Takes::Value("A:B"),
            "",
            CONFIGURATION,
            "Use these secret stores only",
        ),
        Flag::new(
            "processor-filter",
            Takes::Value("A:B"),
            "",
            CONFIGURATION,
            "With `config`: print these processors only",
        ),
        Flag::new(
            "aggregator-filter",
            Takes::Value("A:B"),
            "",
            CONFIGURATION,
            "With `config`: print these aggregators only",
        ),
        Flag::new(
            "force",
            Takes::Switch,
            "",
            CONFIGURATION,
            "With `config migrate`: overwrite files that have been migrated before",
        ),
        Flag::new(
            "test",
            Takes::Switch,
            "",
            RUNNING,
            "Gather once, print the metrics and end; outputs are left alone",
        ),
        Flag::new(
            "test-wait",
            Takes::Number("SECONDS"),
            "0",
            RUNNING,
            "As --test, and wait this long for inputs that receive; with --once only the wait",
        ),
        Flag::new("once", Takes::Switch, "", RUNNING, "Gather once, write to the outputs and end"),
        Flag::new("debug", Takes::Switch, "", RUNNING, "Log what helps to find a fault, too"),
        Flag::new("quiet", Takes::Switch, "", RUNNING, "Log errors only"),
        Flag::new(
            "pidfile",
            Takes::Value("FILE"),
            "",
            RUNNING,
            "Write the process id to this file, and remove it at the end",
        ),
        Flag::new(
            "status-socket",
            Takes::Value("PATH"),
            "",
            RUNNING,
            "Answer `metric-agent status` and `metric-agent reload` at this socket, in place of status_socket of [agent]; `none` for nowhere",
        ),
        Flag::new(
            "print-plugin-config-source",
            Takes::Switch,
            "",
            RUNNING,
            "At the start, list for each plugin the files that ask for it",
        ),
        Flag::new(
            "password",
            Takes::Value("WORD"),
            "",
            RUNNING,
            "Unlock secret stores with this password, unless their settings have one",
        ),
        Flag::new(
            "unprotected",
            Takes::Switch,
            "",
            RUNNING,
            "Let the process be dumped to disk with the secrets in it when it crashes",
        ),
        Flag::new(
            "pprof-addr",
            Takes::Value("ADDRESS"),
            "",
            RUNNING,
            "Accepted for the sake of old command lines; there is no such server",
        ),
        Flag::new(
            "plugin-directory",
            Takes::Value("FOLDER"),
            "",
            RUNNING,
            "Refused: plugins written in Go cannot be loaded; inputs, processors and outputs called execd run programs of one's own",
        ),
        Flag::new(
            "effective",
            Takes::Switch,
            "",
            COMPARING,
            "With `config check`: print what all files come to, with the place that each value is from; secrets are masked",
        ),
        Flag::new(
            "defaults",
            Takes::Switch,
            "",
            COMPARING,
            "With `config check --effective`: show settings that are not set as comments",
        ),
        Flag::new(
            "telegraf",
            Takes::Values("PATH"),
            "",
            COMPARING,
            "With `config check`: tell which plugins and options of these files and folders of a Telegraf are there; more may follow, and --telegraf may be repeated",
        ),
        Flag::new(
            "with",
            Takes::Value("PROGRAM"),
            "/usr/bin/telegraf",
            COMPARING,
            "With `compare`: the Telegraf to run",
        ),
        Flag::new(
            "rounds",
            Takes::Number("N"),
            "3",
            COMPARING,
            "With `compare`: gather this often; more rounds tell better what moves by itself",
        ),
        Flag::new(
            "interval",
            Takes::Value("TIME"),
            "10s",
            COMPARING,
            "With `compare`: the time between rounds, in place of the agent's; plugins with intervals of their own keep them",
        ),
        Flag::new(
            "tolerance",
            Takes::Value("PERCENT"),
            "1",
            COMPARING,
            "With `compare`: how far numbers may lie apart that do not move by themselves",
        ),
        Flag::new(
            "ignore",
            Takes::Values("GLOB"),
            "",
            COMPARING,
            "With `compare`: leave out these measurements, or fields and tags as MEASUREMENT.KEY; may be repeated",
        ),
        Flag::new(
            "format",
            Takes::Choice(&["table", "json"]),
            "table",
            COMPARING,
            "With `compare` and `config check --telegraf`: report for people or for programs",
        ),
        Flag::new(
            "deprecated",
            Takes::Switch,
            "",
            LISTING,
            "With `plugins`: list those that are no more, and that others have taken the place of",
        ),
        Flag::new(
            "deprecation-list",
            Takes::Switch,
            "",
            LISTING,
            "List the options that still work and that others have taken the place of; takes --input-filter and its like",
        ),
        Flag::new("version", Takes::Switch, "", LISTING, "Print the version"),
        Flag::new(
            "sample-config",
            Takes::Switch,
            "",
            LISTING,
            "Print a sample configuration; `config` does the same",
        ),
        Flag::new(
            "usage",
            Takes::Value("PLUGIN"),
            "",
            LISTING,
            "Print the sample configuration of an input or output, such as `cpu`",
        ),
        Flag::new(
            "reveal-secret",
            Takes::Switch,
            "",
            LISTING,
            "With `secrets list`: print the secrets, too",
        ),
        Flag::new(
            "input-list",
            Takes::Switch,
            "",
            LISTING,
            "List the inputs; `plugins inputs` does the same",
        ),
        Flag::new(
            "output-list",
            Takes::Switch,
            "",
            LISTING,
            "List the outputs; `plugins outputs` does the same",
        ),
    ],
    after_help: "Flags take one dash or two. Signals: SIGTERM and SIGINT write what waits and end, SIGHUP reads the \
configuration again, SIGUSR1 writes what waits, SIGQUIT prints what each thread does and ends with 2.\n\nExit codes: 0 after a normal end, 1 after an error; with --test and \
--once also if an input failed or metrics could not be written, with `compare` if there are differences, with `config check --telegraf` if something is not covered. A second SIGTERM or SIGINT ends at once with 128 + signal.\n\n\
Examples:\n  metric-agent --config telegraf.conf --test        look at what would be sent\n  \
metric-agent --config telegraf.conf               run\n  metric-agent --input-filter cpu:mem --output-filter kafka config > telegraf.conf\n  \
metric-agent --config telegraf.conf config check  check before a restart",
};
