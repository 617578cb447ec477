//! `metric-agent config check` as its users meet it: it judges as a run does, prints what all files
//! come to, and tells how much of a Telegraf's configuration there is here.

use std::fs;
use std::time::Duration;

use serde_json::Value as Json;

use crate::support::{Ended, Program};

const LIMIT: Duration = Duration::from_secs(60);

/// Configurations that are well; each has an input that gathers and an output that goes nowhere.
const WELL: [&str; 27] = [
    "",
    "[agent]\n  interval = \"1d12h\"",
    "[agent]\n  interval = 5\n  flush_interval = \"0.5s\"",
    "[agent]\n  FlushInterval = \"7s\"",
    "[agent]\n  logformat = \"structured\"\n  log_with_timezone = \"local\"",
    "[agent]\n  skip_processors_after_aggregators = true",
    "[global_tags]\n  a = \"b\"",
    "[tags]\n  a = \"$UNSET\"",
    "[[inputs.swap]]\n  interval = 5",
    "[[inputs.swap]]\n  fielddrop = [\"x\"]\n  pass = [\"*\"]",
    "[[inputs.swap]]\n  alias = \"a\"\n  log_level = \"debug\"",
    "[[inputs.swap]]\n  metricpass = \"name == 'x'\"",
    "[inputs.swap]",
    "[swap]",
    "[[plugins.swap]]",
    "[[inputs.swap]]\n  [inputs.swap.tags]\n    a = \"b\"",
    "[[inputs.exec]]\n  commands = [\"echo 1\"]\n  data_format = \"value\"\n  data_type = \"integer\"",
    "[[processors.rename]]\n  [[processors.rename.replace]]\n    tag = \"a\"\n    dest = \"b\"",
    "[[processors.dedup]]\n  [processors.dedup.tags]\n    a = \"b\"",
    "[[processors.override]]\n  interval = \"1s\"\n  lvm = true",
    "[[aggregators.minmax]]\n  period = \"1s\"\n  drop_original = \"true\"",
    "[[outputs.discard]]\n  metric_batch_size = \"7\"",
    "[[outputs.discard]]\n  namepass = [\"a*\"]\n  interval = \"5s\"",
    "[[outputs.file]]\n  files = [\"/dev/null\"]\n  data_format = \"json\"",
    "[[inputs.swap]]\n  namepass = []\n  tagexclude = [\"[!a]\"]",
    "[[inputs.swap]]\n  precision = \"1s\"\n  collection_jitter = \"0s\"",
    "# nothing but a comment: \"[[",
];

/// Configurations that are wrong.
const WRONG: [&str; 33] = [
    "a = 1",
    "[agent",
    "[agent]\n  interval = \"0s\"",
    "[agent]\n  interval = \"often\"",
    "[agent]\n  flush_interval = \"-1s\"",
    "[agent]\n  nonsense = 1",
    "[agent]\n  logformat = \"xml\"",
    "[agent]\n  logtarget = \"nowhere\"",
    "[agent]\n  log_with_timezone = \"Nowhere/Land\"",
    "[agent]\n  collection_offset = \"-1s\"",
    "[agent]\n  buffer_strategy = \"tape\"",
    "[agent]\n  skip_processors_before_aggregators = true\n  skip_processors_after_aggregators = true",
    "[Agent]\n  interval = \"1s\"",
    "[global_tags]\n  a = 1",
    "[[inputs.nosuch]]",
    "[[outputs.nosuch]]",
    "[[processors.nosuch]]",
    "[[aggregators.nosuch]]",
    "[[inputs.swap]]\n  nonsense = 1",
    "[[inputs.cpu]]\n  percpu = \"yes\"",
    "[[inputs.swap]]\n  namepass = \"a\"",
    "[[inputs.swap]]\n  namepass = [\"[\"]",
    "[[inputs.swap]]\n  metricpass = \"name ==\"",
    "[[inputs.swap]]\n  interval = \"-1s\"",
    "[[inputs.swap]]\n  alias = \"${NEEDED:?say it}\"",
    "[[outputs.http]]\n  url = \"http://h\"\n  password = \"@{nostore:key}\"",
    "[[inputs.exec]]\n  commands = [\"true\"]\n  data_format = \"nosuch\"",
    "[processors.rename]",
    "[[processors.regex]]\n  [[processors.regex.fields]]\n    key = \"a\"\n    pattern = \"(\"",
    "[[processors.rename]]\n  order = \"first\"",
    "[[aggregators.minmax]]\n  period = \"0s\"",
    "[[outputs.discard]]\n  startup_error_behavior = \"probe\"",
    "[[outputs.file]]\n  data_format = \"nosuch\"",
];

fn agent(config: &str, arguments: &[&str]) -> Ended {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("telegraf.conf"), config).unwrap();
    Program::agent(folder.path())
        .args(["--strict-env-handling", "--config", "telegraf.conf"])
        .args(arguments)
        .env("PATH", "/usr/bin:/bin")
        .env("SET", "7")
        .env("PASSWORD", "geheimnis")
        .run(LIMIT)
}

#[test]
fn the_check_judges_as_a_run_does() {
    let rest = "[[inputs.mem]]\n[[outputs.discard]]\n";
    let judged =
        WELL.iter().map(|config| (config, 0)).chain(WRONG.iter().map(|config| (config, 1)));
    for (config, code) in judged {
        let config = format!("{config}\n{rest}");
        for arguments in [&["config", "check"][..], &["--test"], &["--once"]] {
            let ended = agent(&config, arguments);
            let found = ended.status.code();
            assert_eq!(found, Some(code), "{arguments:?} of\n{config}\n{}", ended.stderr);
        }
    }
}

#[test]
fn the_check_takes_a_part_of_a_configuration_and_says_what_a_run_would_miss() {
    for (config, warnings) in [
        ("[[inputs.mem]]\n", &["no outputs found"][..]),
        ("[[outputs.discard]]\n", &["no inputs found"]),
        ("", &["no outputs found", "no inputs found"]),
        ("[[inputs.mem]]\n[[outputs.discard]]\n", &[]),
    ] {
        let ended = agent(config, &["config", "check"]);
        assert_eq!(ended.status.code(), Some(0), "{ended:?}");
        let found = ended.stderr.matches(" found; a run would refuse this").count();
        assert_eq!(found, warnings.len(), "{ended:?}");
        assert!(warnings.iter().all(|warning| ended.stderr.contains(warning)), "{ended:?}");
    }
}

#[test]
fn the_effective_configuration_can_be_loaded_and_holds_no_secret() {
    let config = "[agent]\n  metric_batch_size = \"${SET}\"\n[[inputs.mem]]\n\
                  [[outputs.http]]\n  url = \"http://h\"\n  password = \"${PASSWORD}\"\n";
    let ended = agent(config, &["config", "check", "--effective", "--defaults"]);
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    let shown = ended.stdout;
    for line in [
        "  metric_batch_size = 7  # telegraf.conf:2",
        "[[inputs.mem]]  # telegraf.conf:3",
        "  # collect_extended = false",
        "  password = \"****\"  # telegraf.conf:6",
    ] {
        assert!(shown.lines().any(|found| found == line), "{line}\n{shown}");
    }
    assert!(!shown.contains("geheimnis"));
    assert_eq!(agent(&shown, &["--test"]).status.code(), Some(0), "{shown}");
    assert_eq!(agent("[[inputs.nosuch]]", &["config", "check", "--effective"]).stdout, "");
}

#[test]
fn an_installation_is_told_section_by_section() {
    let folder = tempfile::tempdir().unwrap();
    let parts = folder.path().join("telegraf.d");
    fs::create_dir(&parts).unwrap();
    let main =
        "[agent]\n  interval = \"5s\"\n[[inputs.mem]]\n[[outputs.cloudwatch]]\n  region = \"x\"\n";
    fs::write(folder.path().join("telegraf.conf"), main).unwrap();
    let part = "[[inputs.cpu]]\n  percpus = true\n[[inputs.exec]]\n  commands = [\"true\"]\n";
    fs::write(parts.join("a.conf"), part).unwrap();
    let check = |format: &str| {
        Program::agent(folder.path())
            .args(["config", "check", "--format", format, "--telegraf", "telegraf.conf"])
            .args(["telegraf.d", "--strict-env-handling"])
            .run(LIMIT)
    };
    let ended = check("table");
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    for line in [
        "telegraf.conf:1        agent               covered",
        "telegraf.conf:3        inputs.mem          covered",
        "telegraf.conf:4        outputs.cloudwatch  not covered",
        "telegraf.d/a.conf:1    inputs.cpu          not covered",
        "    line 2: option unknown `percpus`: no such option here; did you mean `percpu`?",
        "telegraf.d/a.conf:3    inputs.exec         covered with differences",
        "5 sections in 2 files: 2 covered, 1 covered with differences, 2 not covered",
    ] {
        let is_there = |found: &str| found.split_whitespace().eq(line.split_whitespace());
        assert!(ended.stdout.lines().any(is_there), "{line}\n{}", ended.stdout);
    }
    let report: Json = serde_json::from_str(&check("json").stdout).unwrap();
    assert_eq!(report["not_covered"], 2);
    assert_eq!(report["sections"][3]["gaps"][0]["option"], "percpus");
    fs::write(folder.path().join("telegraf.conf"), "[[inputs.mem]]\n").unwrap();
    fs::write(parts.join("a.conf"), "").unwrap();
    assert_eq!(check("table").status.code(), Some(0));
}
