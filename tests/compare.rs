//! `metric-agent compare` as its users meet it: with another metric-agent, and with scripts that
//! behave as a Telegraf might.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use rustix::process::{Pid, test_kill_process};
use serde_json::Value as Json;
use tempfile::TempDir;

use crate::support::{Program, wait_for};

const LIMIT: Duration = Duration::from_secs(60);

const CONSTANT: &str = "[agent]\n  omit_hostname = true\n[[inputs.exec]]\n  commands = [\"printf 'm,a=b \
                        i=1i,f=0.5,s=\\\"x\\\" 1000\\\\n'\"]\n  data_format = \"influx\"\n";

/// A folder with a configuration and a program that stands in for a Telegraf.
fn folder(config: &str, peer: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("telegraf.conf"), config).unwrap();
    let path = folder.path().join("peer");
    fs::write(&path, format!("#!/bin/sh\n{peer}")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

/// A program that writes these lines and lives until it is ended.
fn writing(lines: &str) -> String {
    format!(
        "echo $$ > pid\ncat > config\necho \"$@\" > arguments\n\
         echo '2020-01-01T00:00:00Z I! [agent] Config: Interval:1s' >&2\n\
         printf '{lines}'\nexec sleep 1000\n"
    )
}

fn compare(folder: &TempDir) -> Program {
    Program::agent(folder.path())
        .args(["compare", "--config", "telegraf.conf", "--with", "./peer", "--interval", "1s"])
        .args(["--rounds", "1", "--strict-env-handling"])
        .env("PATH", "/usr/bin:/bin")
}

fn is_alive(folder: &Path) -> bool {
    let pid = fs::read_to_string(folder.join("pid")).unwrap();
    test_kill_process(Pid::from_raw(pid.trim().parse().unwrap()).unwrap()).is_ok()
}

#[test]
fn two_that_write_the_same_are_alike() {
    let peer = format!("exec {} \"$@\"\n", env!("CARGO_BIN_EXE_metric-agent"));
    let config = format!("{CONSTANT}[[inputs.mem]]\n[[outputs.kafka]]\n  topic = \"never\"\n");
    let folder = folder(&config, &peer);
    // The memory of this machine moves between two readings.
    let proc = concat!(env!("CARGO_MANIFEST_DIR"), "/src/plugins/inputs/mem/testcases/usage/proc");
    let ended = compare(&folder).env("HOST_PROC", proc).run(LIMIT);
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    assert!(ended.stdout.contains("\nno differences; "), "{ended:?}");
    let row = ended.stdout.lines().find(|line| line.starts_with("m ")).unwrap();
    let row: Vec<_> = row.split_whitespace().take(5).collect();
    assert_eq!(row, ["m", "1", "0", "0", "3"], "series, missing, extra, fields");
    let left: Vec<_> =
        fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "nothing is written to any file: {left:?}");
}

#[test]
fn outputs_of_the_users_own_are_left_out() {
    let peer = format!("exec {} \"$@\"\n", env!("CARGO_BIN_EXE_metric-agent"));
    let config = format!(
        "{CONSTANT}[[outputs.file]]\n  files = [\"out\"]\n  data_format = \"json\"\n\
         [outputs.file.tagpass]\n  a = [\"b\"]\n"
    );
    let folder = folder(&config, &peer);
    let ended = compare(&folder).run(LIMIT);
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    assert!(ended.stdout.contains("\nno differences; "), "{ended:?}");
    assert!(ended.stderr.contains("is telegraf.conf without its outputs.file"), "{ended:?}");
    let left = fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(left, 2, "nothing is written to any file");
}

#[test]
fn differences_are_told_and_end_with_one() {
    let folder = folder(CONSTANT, &writing("m,a=b i=1,f=0.5,s=\"y\",z=1i 1000\\nn x=1i 1000\\n"));
    let ended = compare(&folder).args(["--format", "json"]).run(LIMIT);
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    let report: Json = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(report["alike"], false);
    let kinds: Vec<_> = report["differences"]
        .as_array()
        .unwrap()
        .iter()
        .map(|each| format!("{} {}", each["kind"].as_str().unwrap(), each["field"]))
        .collect();
    let expected =
        ["field missing \"z\"", "type differs \"i\"", "value differs \"s\"", "series missing null"];
    assert_eq!(kinds, expected);
    let arguments = fs::read_to_string(folder.path().join("arguments")).unwrap();
    assert_eq!(
        arguments.trim(),
        "--config telegraf.conf --config /dev/stdin --output-filter file --strict-env-handling"
    );
    let config = fs::read_to_string(folder.path().join("config")).unwrap();
    assert!(config.contains("statefile = \"\"") && config.contains("files = [\"stdout\"]"));
    assert!(!is_alive(folder.path()));

    let ended = compare(&folder).args(["--ignore", "m.[isz]", "--ignore", "n"]).run(LIMIT);
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
}

#[test]
fn a_peer_that_does_not_start_is_told_with_its_last_words_and_no_secret() {
    let config =
        format!("{CONSTANT}[[outputs.http]]\n  url = \"http://h\"\n  password = \"geheimnis\"\n");
    let folder = folder(&config, "echo 'E! geheimnis is wrong' >&2\nexit 3\n");
    let ended = compare(&folder).run(LIMIT);
    assert_eq!(ended.status.code(), Some(1));
    let expected = "./peer ended before it was told to (exit status: 3); its last words:";
    assert!(ended.stderr.contains(expected), "{ended:?}");
    assert!(ended.stderr.contains("E! **** is wrong"), "{ended:?}");

    fs::remove_file(folder.path().join("peer")).unwrap();
    let ended = compare(&folder).run(LIMIT);
    let expected = "starting ./peer failed: no such file or directory";
    assert!(ended.stderr.contains(expected), "{ended:?}");
}

#[test]
fn a_signal_ends_both_programs() {
    let folder = folder(CONSTANT, &writing("m,a=b i=1 1000\\n"));
    let comparing = compare(&folder).args(["--rounds", "1000"]).start();
    let pid = folder.path().join("arguments");
    wait_for("the peer's start", LIMIT, || pid.exists().then_some(()));
    let ended = comparing.stop(LIMIT);
    assert_eq!(ended.status.code(), Some(1));
    assert!(ended.stderr.contains("told to stop before the comparison"), "{ended:?}");
    assert!(!is_alive(folder.path()));
}

#[test]
fn what_cannot_be_compared_is_said() {
    for (config, arguments, message) in [
        (
            "[[inputs.mem]]\n[outputs]\n  file = [{ files = [\"out\"] }]\n",
            &["--rounds", "1"][..],
            "telegraf.conf has an outputs.file without a header",
        ),
        ("[[inputs.mem]]\n", &["--rounds", "0"], "--rounds 0: expected a number from 1 on"),
        ("[[inputs.mem]]\n", &["--tolerance", "x"], "--tolerance x: expected a number of percent"),
        (
            "[[inputs.mem]]\n",
            &["--interval", "1ms"],
            "--interval 1ms: rounds shorter than a second",
        ),
        ("[[inputs.mem]]\n", &["--ignore", "[a"], "--ignore [a: invalid pattern"),
        ("[[inputs.mem]\n", &["--rounds", "1"], "invalid TOML syntax"),
        (
            "[[inputs.exec]]\n  commands = [\"true\"]\n  data_format = \"influx\"\n",
            &["--rounds", "1"],
            "neither program has written a metric",
        ),
    ] {
        let folder = folder(config, &writing(""));
        let ended = compare(&folder).args(arguments).run(LIMIT);
        assert_eq!(ended.status.code(), Some(1), "{config}");
        assert!(ended.stderr.contains(message), "{message}: {ended:?}");
    }
}
