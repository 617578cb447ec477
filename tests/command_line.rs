//! metric-agent's command line row by row: what is printed, what is logged, with which code it ends.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;

use crate::support::{Ended, Program};

const LIMIT: Duration = Duration::from_secs(60);

const WELL: &str = "[[inputs.mem]]\n[[outputs.discard]]\n";

fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &[u8]| fs::write(folder.path().join(name), text).unwrap();
    for directory in ["d/below.conf", "d/..data", "odd ñ dir"] {
        fs::create_dir_all(folder.path().join(directory)).unwrap();
    }
    write("well.conf", WELL.as_bytes());
    write("empty.conf", b"");
    write("windows.conf", b"\xef\xbb\xbf[[inputs.mem]]\r\n[[outputs.discard]]\r\n");
    write("binary.conf", b"\x7fELF\x00");
    write("page.conf", b"<html></html>");
    write("old.conf", b"[[inputs.httpjson]]\n[[outputs.discard]]\n");
    write(
        "number.conf",
        b"[[inputs.mem]]\n[[outputs.discard]]\n[agent]\n metric_batch_size = ${N}\n",
    );
    write("d/b.conf", b"[[outputs.discard]]\n");
    write("d/below.conf/a.conf", b"[[inputs.mem]]\n");
    write("d/..data/c.conf", b"[[inputs.nosuch]]\n");
    write("d/.conf", b"[[inputs.nosuch]]\n");
    write("d/c.CONF", b"[[inputs.nosuch]]\n");
    write("odd ñ dir/a b.conf", WELL.as_bytes());
    let huge = format!("{WELL}{}", "# a comment that takes its room\n".repeat(100_000));
    write("huge.conf", huge.as_bytes());
    symlink("well.conf", folder.path().join("link.conf")).unwrap();
    symlink("nowhere.conf", folder.path().join("dangling.conf")).unwrap();
    folder
}

fn run(folder: &Path, arguments: &[&str]) -> Ended {
    Program::agent(folder).args(arguments).run(LIMIT)
}

/// Runs each row; it ends with the code, and its last line of the log and its output hold the
/// texts.
fn check(rows: &[(&[&str], i32, &str, &str)]) {
    let folder = folder();
    for (arguments, code, log, output) in rows {
        let ended = run(folder.path(), arguments);
        let shown = format!("{arguments:?}: {}\n{}", ended.stderr, ended.stdout);
        assert_eq!(ended.status.code(), Some(*code), "{shown}");
        assert!(ended.stderr.contains(log), "{log:?} in {shown}");
        assert!(ended.stdout.contains(output), "{output:?} in {shown}");
        if *code == 0 {
            assert!(!ended.stderr.contains(" E! "), "{shown}");
        }
    }
}

#[test]
fn configurations_are_found_wherever_they_lie_and_whatever_they_are_called() {
    let failed = |name: &str| format!("E! loading config file {name} failed: ");
    let missing = |name: &str| format!("{}open {name}: no such file or directory", failed(name));
    let no_toml =
        |name: &str| format!("{}provided config is not a TOML file: {name}", failed(name));
    check(&[
        (&["--config", "well.conf", "--once"], 0, "I! Loading config: well.conf\n", ""),
        (&["-config=well.conf", "-once"], 0, "Loaded outputs: discard", ""),
        (&["--once", "--config", "well.conf", "--config", "well.conf"], 0, "mem (2x)", ""),
        (&["--config", "link.conf", "--once"], 0, "Loading config: link.conf", ""),
        (&["--config", "windows.conf", "--once"], 0, "Loaded inputs: mem", ""),
        (&["--config", "huge.conf", "--once"], 0, "Loaded inputs: mem", ""),
        (&["--config", "odd ñ dir/a b.conf", "--once"], 0, "odd ñ dir/a b.conf", ""),
        (&["--config-directory", "odd ñ dir", "--once"], 0, "odd ñ dir/a b.conf", ""),
        (&["--config-directory", "d", "--once"], 0, "Loading config: d/below.conf/a.conf", ""),
        (&["--config", "empty.conf", "--config", "well.conf", "--once"], 0, "inputs: mem\n", ""),
        (
            &["--config", "empty.conf", "--once"],
            1,
            "E! [telegraf] Error running agent: no outputs found",
            "",
        ),
        (
            &["--config", "empty.conf", "--test"],
            1,
            "no inputs found, probably invalid config file",
            "",
        ),
        (&["--config", "dangling.conf", "--once"], 1, &missing("dangling.conf"), ""),
        (&["--config", "-", "--once"], 1, &missing("-"), ""),
        (&["--config", "d", "--once"], 1, &format!("{}read d: is a directory", failed("d")), ""),
        (&["--config", "binary.conf", "--once"], 1, &no_toml("binary.conf"), ""),
        (&["--config", "page.conf", "--once"], 1, &no_toml("page.conf"), ""),
        (&["--config", "ftp://h/a", "--once"], 1, "failed: scheme \"ftp\" not supported", ""),
        (&["--config", "old.conf", "--once"], 1, "error parsing httpjson, plugin deprecated", ""),
        (
            &["--config-directory", "nodir", "--once"],
            1,
            "E! reading config directory failed: open nodir: no such file or directory",
            "",
        ),
        (
            &["--config-directory", "well.conf", "--once"],
            1,
            "E! reading config directory failed: open well.conf: not a directory",
            "",
        ),
        (
            &["--once"],
            1,
            "no config file specified, and could not find one in $TELEGRAF_CONFIG",
            "",
        ),
    ]);
}

#[test]
fn files_that_may_not_be_read_are_said_to_be() {
    // Root reads everything.
    if rustix::process::geteuid().is_root() {
        return;
    }
    let folder = folder();
    let path = folder.path().join("well.conf");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    let ended = run(folder.path(), &["--config", "well.conf", "--once"]);
    assert_eq!(ended.status.code(), Some(1));
    assert!(ended.stderr.contains("open well.conf: permission denied"), "{}", ended.stderr);
}

#[test]
fn flags_work_before_and_behind_commands_and_wrong_ones_are_named() {
    check(&[
        (&["config", "check", "--config", "well.conf"], 0, "Loading config: well.conf", ""),
        (&["--config", "well.conf", "config", "check"], 0, "Loading config: well.conf", ""),
        (&["config", "--config", "well.conf", "check"], 0, "Loading config: well.conf", ""),
        (
            &["config", "check", "--config", "old.conf"],
            1,
            "DeprecationError: Plugin \"inputs.httpjson\" deprecated since version 1.6.0 and removed: use 'inputs.http' instead",
            "",
        ),
        (&["config", "check", "--config", "empty.conf"], 0, "", ""),
        (&["config", "frob"], 0, "", "[agent]"),
        (&["config", "create", "--section-filter", "agent"], 0, "", "[agent]"),
        (
            &["--section-filter", "inputs", "--input-filter", "mem", "config"],
            0,
            "",
            "[[inputs.mem]]",
        ),
        (&["--sample-config"], 0, "", "[[inputs.cpu]]"),
        (&["--config", "well.conf", "--once", "extra"], 1, "E! unknown command \"extra\"\n", ""),
        (&["--config", "well.conf", "--", "--once"], 1, "E! unknown command \"--once\"\n", ""),
        (&["--nosuch"], 1, "E! flag provided but not defined: -nosuch\n", "Commands:"),
        (&["--config"], 1, "E! flag needs an argument: -config\n", "Commands:"),
        (&["--test-wait", "x"], 1, "E! invalid value \"x\" for flag -test-wait: parse error\n", ""),
        (&["--test=maybe"], 1, "E! invalid boolean value \"maybe\" for -test: parse error\n", ""),
        (
            &["--watch-interval", "5", "--config", "well.conf"],
            1,
            "E! invalid value \"5\" for flag -watch-interval: parse error; time: missing unit in \
             duration \"5\", write it as 30s or 5m\n",
            "",
        ),
        (
            &["--config-url-watch-interval=x", "--config", "well.conf"],
            1,
            "E! invalid value \"x\" for flag -config-url-watch-interval: parse error",
            "",
        ),
        (
            &["--strict-env-handling", "--non-strict-env-handling", "--config", "well.conf"],
            1,
            "E! flags --strict-env-handling and --non-strict-env-handling cannot be used together\n",
            "",
        ),
        (
            &["--select", "a", "--config", "well.conf"],
            1,
            "E! invalid selector \"a\": missing equal sign\n",
            "",
        ),
        (
            &["--plugin-directory", "d", "--config", "well.conf", "--once"],
            1,
            "E! go plugin support is not enabled\n",
            "",
        ),
        (
            &["--config-url-retry-attempts", "-2", "--config", "http://127.0.0.1:1/", "--once"],
            1,
            "E! loading config file http://127.0.0.1:1/ failed: invalid number of attempts: -2\n",
            "",
        ),
    ]);
}

#[test]
fn a_run_is_what_its_flags_ask_for() {
    check(&[
        (
            &["--config", "well.conf", "--test"],
            0,
            "Outputs are not used in testing mode!",
            "> mem,",
        ),
        (&["--config", "well.conf", "--test-wait", "-1"], 0, "testing mode!", "> mem,"),
        (&["--config", "well.conf", "--test", "--once"], 0, "Loaded outputs: discard", ""),
        (&["--config", "well.conf", "--once=false", "-test"], 0, "testing mode!", "> mem,"),
        (&["--config", "well.conf", "--once", "--quiet", "--debug"], 0, "", ""),
        (&["--config", "well.conf", "--once", "--debug"], 0, "D! ", ""),
        (
            &["--config", "well.conf", "--once", "--watch-config", "inotify"],
            0,
            "is taken as notify",
            "",
        ),
        (&["--config", "well.conf", "--once", "--watch-config", "poll"], 0, "", ""),
        (
            &["--config", "well.conf", "--once", "--pprof-addr", "127.0.0.1:0"],
            0,
            "W! --pprof-addr",
            "",
        ),
        (&["--config", "well.conf", "--once", "--pidfile", "/nonexistent/p"], 0, "", ""),
        (
            &["--config", "well.conf", "--once", "--output-filter", "file"],
            1,
            "no outputs found",
            "",
        ),
        (
            &["--config", "well.conf", "--test", "--input-filter", "cpu:swap"],
            1,
            "no inputs found",
            "",
        ),
        (
            &["--config", "well.conf", "--once", "--input-filter", "mem"],
            0,
            "Loaded inputs: mem",
            "",
        ),
        (&["--config", "number.conf", "--once"], 1, "number.conf:4:22", ""),
    ]);
}

#[test]
fn lists_have_the_shape_that_scripts_read() {
    check(&[
        (&["version"], 0, "", "(compatible with Telegraf 1.40.0)\n"),
        (&["--version"], 0, "", "(compatible with Telegraf 1.40.0)\n"),
        (&["plugins"], 0, "", "inputs.cpu\ninputs."),
        (&["plugins"], 0, "", "parsers.csv\nparsers."),
        (&["plugins", "serializers"], 0, "", "serializers.csv\n"),
        (&["plugins", "frob"], 0, "", "inputs.cpu\n"),
        (&["plugins", "--deprecated"], 0, "", "inputs.httpjson\n"),
        (&["plugins", "--deprecated", "outputs"], 0, "", "outputs.riemann_legacy\n"),
        (
            &["--input-list"],
            0,
            "",
            "DEPRECATED: use metric-agent plugins inputs\nAvailable Input Plugins:\n  ",
        ),
        (&["--output-list"], 0, "", "Available Output Plugins:\n  discard\n"),
        (
            &["--deprecation-list"],
            0,
            "",
            "  inputs.net/ignore_protocol_stats         WARN  since 1.37.0 removal in 1.45.0 option is ignored\n",
        ),
        (
            &["--deprecation-list", "--output-filter", "kafka", "--input-filter", "cpu"],
            0,
            "",
            "Deprecated Input Plugins:\nDeprecated Output Plugins:\n  outputs.kafka/metric_name_header         WARN  since 1.39.0",
        ),
        (&["--usage", "mem"], 0, "", "[[inputs.mem]]"),
        (&["--usage", "nosuch"], 1, "E! input nosuch not found and output nosuch not found\n", ""),
        (&["help"], 0, "", "Commands:"),
        (&["-h"], 0, "", "Commands:"),
    ]);
    let ended = run(folder().path(), &["plugins", "--deprecated", "processors"]);
    assert_eq!((ended.stdout.as_str(), ended.status.code()), ("", Some(0)));
}

#[test]
fn a_state_file_that_cannot_be_kept_is_an_error_at_the_end_and_one_that_is_none_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let with = |path: &str| {
        let text = format!("{WELL}[agent]\n  statefile = {path:?}\n");
        fs::write(folder.path().join("a.conf"), text).unwrap();
        Program::agent(folder.path()).args(["--strict-env-handling", "--config", "a.conf"]).start()
    };
    let mut agent = with("gone/state");
    agent.wait_for_log("W! [agent] The folder gone of the state file does not exist", LIMIT);
    agent.wait_for_log("[agent] State file does not exist", LIMIT);
    let ended = agent.stop(LIMIT);
    assert_eq!(ended.status.code(), Some(1));
    let error = "E! [telegraf] Error running agent: creating states file \"gone/state\" failed: \
                 open gone/state: no such file or directory\n";
    assert!(ended.stderr.ends_with(error), "{}", ended.stderr);

    let mut agent = with("state");
    agent.wait_for_log("[agent] State file does not exist", LIMIT);
    assert_eq!(agent.stop(LIMIT).status.code(), Some(0));
    assert_eq!(fs::read_to_string(folder.path().join("state")).unwrap(), "{}");

    fs::write(folder.path().join("state"), "xx").unwrap();
    let ended = with("state").wait_for_end(LIMIT);
    assert_eq!(ended.status.code(), Some(1));
    let error = "E! [telegraf] Error running agent: unmarshalling states failed: state: ";
    assert!(ended.stderr.contains(error), "{}", ended.stderr);
}

#[test]
fn an_old_configuration_is_migrated_beside_itself() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let old = "# mine\n[[inputs.io]]\n  fieldpass = [\"reads\"] # few\n[[outputs.discard]]\n";
    fs::write(path("a.conf"), old).unwrap();
    fs::write(path("new.conf"), WELL).unwrap();
    let migrate = |more: &[&str]| {
        let arguments = ["config", "migrate", "--config", "a.conf", "--config", "new.conf"];
        run(folder.path(), &[&arguments[..], more].concat())
    };
    let ended = migrate(&[]);
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    for line in [
        "plugin-option migrations available\n",
        "I! 2 migration applied for \"a.conf\", writing result as \"a.conf.migrated\"\n",
        "I! No migration applied for \"new.conf\"\n",
    ] {
        assert!(ended.stderr.contains(line), "{line} in {}", ended.stderr);
    }
    let migrated =
        "# mine\n[[inputs.diskio]]\n  fieldinclude = [\"reads\"] # few\n[[outputs.discard]]\n";
    assert_eq!(fs::read_to_string(path("a.conf.migrated")).unwrap(), migrated);
    assert_eq!(fs::metadata(path("a.conf.migrated")).unwrap().permissions().mode() & 0o777, 0o640);
    assert!(!path("new.conf.migrated").exists());

    let again = migrate(&[]);
    assert_eq!(again.status.code(), Some(1));
    assert!(again.stderr.contains("E! output file \"a.conf.migrated\" already exists"));
    assert_eq!(migrate(&["--force"]).status.code(), Some(0));
    let loaded = run(folder.path(), &["--config", "a.conf.migrated", "--test"]);
    assert_eq!(loaded.status.code(), Some(0));
    assert!(!loaded.stderr.contains("Deprecat"), "{}", loaded.stderr);
    let missing = run(folder.path(), &["config", "migrate", "--config", "nope.conf"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(missing.stderr.contains("opening input \"nope.conf\" failed: open nope.conf: no such"));
}
