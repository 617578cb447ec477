//! The command line of metric-agent.
//!
//! # References
//! Names and meanings are those of Telegraf 1.40, so that its unit files and scripts keep working.

use crate::cli::flags::{Flag, Program, Takes, Word};

const CONFIGURATION: &str = "Configuration";
const RUNNING: &str = "Running";
const LISTING: &str = "Listing";

/// The command line of metric-agent.
pub const PROGRAM: Program = Program {
    name: "metric-agent",
    about: "Gathers metrics of this machine and writes them to Kafka and elsewhere, as Telegraf does and by the same configuration.",
    words: &[
        Word { usage: "config", help: "Print a sample configuration (as `config create`)" },
        Word {
            usage: "config check",
            help: "Check the configuration as a run would, and run nothing",
        },
        Word {
            usage: "plugins [KIND]",
            help: "List the plugins that are there, or those of one kind",
        },
        Word { usage: "version", help: "Print the version" },
        Word { usage: "help", help: "Show this help" },
    ],
    flags: &[
        Flag {
            name: "config",
            letter: None,
            takes: Takes::Values("FILE"),
            default: "",
            heading: CONFIGURATION,
            help: "Read this configuration file; may be repeated. Without it $TELEGRAF_CONFIG_PATH, ~/.telegraf/telegraf.conf and /etc/telegraf are tried",
        },
        Flag {
            name: "config-directory",
            letter: None,
            takes: Takes::Values("FOLDER"),
            default: "",
            heading: CONFIGURATION,
            help: "Also read every *.conf in this folder and below it; may be repeated",
        },
        Flag {
            name: "strict-env-handling",
            letter: None,
            takes: Takes::Switch,
            default: "",
            heading: CONFIGURATION,
            help: "Put environment variables into string values only, which is what happens anyway",
        },
        Flag {
            name: "non-strict-env-handling",
            letter: None,
            takes: Takes::Switch,
            default: "",
            heading: CONFIGURATION,
            help: "Put environment variables into the text before it is parsed, whatever they contain",
        },
        Flag {
            name: "old-env-behavior",
            letter: None,
            takes: Takes::Switch,
            default: "",
            heading: CONFIGURATION,
            help: "Replace environment variables as Telegraf did before 1.27",
        },
        Flag {
            name: "section-filter",
            letter: None,
            takes: Takes::Value("A:B"),
            default: "",
            heading: CONFIGURATION,
            help: "With `config`: print these sections only: agent, global_tags, outputs, processors, aggregators, inputs",
        },
        Flag {
            name: "input-filter",
            letter: None,
            takes: Takes::Value("A:B"),
            default: "",
            heading: CONFIGURATION,
            help: "Use these inputs only",
        },
        Flag {
            name: "output-filter",
            letter: None,
            takes: Takes::Value("A:B"),
            default: "",
            heading: CONFIGURATION,
            help: "Use these outputs only",
        },
        Flag {
            name: "processor-filter",
            letter: None,
            takes: Takes::Value("A:B"),
            default: "",
            heading: CONFIGURATION,
            help: "With `config`: print these processors only",
        },
        Flag {
            name: "aggregator-filter",
            letter: None,
            takes: Takes::Value("A:B"),
            default: "",
            heading: CONFIGURATION,
            help: "With `config`: print these aggregators only",
        },
        Flag {
            name: "test",
            letter: None,
            takes: Takes::Switch,
            default: "",
            heading: RUNNING,
            help: "Gather once, print the metrics and end; outputs are left alone",
        },
        Flag {
            name: "test-wait",
            letter: None,
            takes: Takes::Number("SECONDS"),
            default: "0",
            heading: RUNNING,
            help: "As --test, and wait this long for inputs that receive; with --once only the wait",
        },
        Flag {
            name: "once",
            letter: None,
            takes: Takes::Switch,
            default: "",
            heading: RUNNING,
            help: "Gather once, write to the outputs and end",
        },
        Flag {
            name: "debug",
            letter: None,
            takes: Takes::Switch,
            default: "",
            heading: RUNNING,
            help: "Log what helps to find a fault, too",
        },
        Flag {
            name: "quiet",
            letter: None,
            takes: Takes::Switch,
            default: "",
            heading: RUNNING,
            help: "Log errors only",
        },
        Flag {
            name: "pidfile",
            letter: None,
            takes: Takes::Value("FILE"),
            default: "",
            heading: RUNNING,
            help: "Write the process id to this file, and remove it at the end",
        },
        Flag {
            name: "version",
            letter: None,
            takes: Takes::Switch,
            default: "",
            heading: LISTING,
            help: "Print the version",
        },
        Flag {
            name: "sample-config",
            letter: None,
            takes: Takes::Switch,
            default: "",
            heading: LISTING,
            help: "Print a sample configuration; `config` does the same",
        },
        Flag {
            name: "input-list",
            letter: None,
            takes: Takes::Switch,
            default: "",
            heading: LISTING,
            help: "List the inputs; `plugins inputs` does the same",
        },
        Flag {
            name: "output-list",
            letter: None,
            takes: Takes::Switch,
            default: "",
            heading: LISTING,
            help: "List the outputs; `plugins outputs` does the same",
        },
    ],
    after_help: "Flags take one dash or two. Signals: SIGTERM and SIGINT write what waits and end, SIGHUP reads the \
configuration again, SIGUSR1 writes what waits.\n\nExit codes: 0 after a normal end, 1 after an error; with --test and \
--once also if an input failed or metrics could not be written. A second SIGTERM or SIGINT ends at once with 128 + signal.\n\n\
Examples:\n  metric-agent --config telegraf.conf --test        look at what would be sent\n  \
metric-agent --config telegraf.conf               run\n  metric-agent --input-filter cpu:mem --output-filter kafka config > telegraf.conf\n  \
metric-agent --config telegraf.conf config check  check before a restart",
};
