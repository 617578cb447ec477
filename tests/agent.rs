//! metric-agent as its users meet it: flags, signals, exit codes, and records in a real Kafka.

use std::collections::BTreeSet;
use std::fs;
use std::iter;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::Duration;

use metric_agent::kafka::sarama_partition;
use rustix::process::Signal;
use tempfile::TempDir;

use crate::support::{Cluster, Program, Topic, wait_for};

const LIMIT: Duration = Duration::from_secs(60);

/// A folder with a configuration in it.
fn folder(config: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    configure(folder.path(), config);
    folder
}

fn configure(folder: &Path, config: &str) {
    fs::write(folder.join("telegraf.conf"), config).unwrap();
}

fn agent(folder: &TempDir) -> Program {
    Program::agent(folder.path()).args(["--config", "telegraf.conf", "--strict-env-handling"])
}

/// Reads numbered records off a script that counts on in a file, so that a loss leaves a gap.
const COUNTER: &str = r#"
[[inputs.exec]]
  commands = ["sh -c 'n=$(cat count 2>/dev/null || echo 0); n=$((n+1)); echo $n > count; echo \"count n=${n}i\"'"]
  data_format = "influx"
"#;

fn kafka_output(addresses: &str, topic: &str, more: &str) -> String {
    let brokers: Vec<_> = addresses.split(',').map(|broker| format!("{broker:?}")).collect();
    format!(
        "[[outputs.kafka]]\n  brokers = [{}]\n  topic = {topic:?}\n{more}\n",
        brokers.join(", ")
    )
}

const EVERY_SECOND: &str = "[agent]\n  interval = \"1s\"\n  flush_interval = \"1s\"\n";

/// The numbers of the records of [`COUNTER`].
fn numbers(topic: &Topic<'_>) -> BTreeSet<i64> {
    topic
        .read_all()
        .iter()
        .map(|record| {
            let number = record.text().split(" n=").nth(1).unwrap();
            number.split('i').next().unwrap().parse().unwrap()
        })
        .collect()
}

fn closed_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn the_tutorials_configuration_brings_a_record_per_metric_each_interval() {
    let cluster = Cluster::shared();
    let topic = cluster.topic("my-computer-metric", 5);
    let folder = folder(&format!(
        "[agent]\n  interval = \"1s\"\n  flush_interval = \"1s\"\n{}\
         [[inputs.cpu]]\n  percpu = true\n  totalcpu = true\n  fielddrop = [\"time_*\"]\n[[inputs.mem]]\n",
        kafka_output(cluster.addresses(), topic.name(), "  ## Kafka topic for producer messages"),
    ));
    let mut agent = agent(&folder).start();
    let config = agent.wait_for_log("[agent] Config: ", LIMIT);
    assert!(config.contains("Config: Interval:1s, Quiet:false, Hostname:"), "{config}");
    wait_for("three rounds of records", LIMIT, || (topic.count() >= 12).then_some(()));
    let ended = agent.stop(LIMIT);
    assert!(ended.status.success(), "{}", ended.stderr);

    let records = topic.read_all();
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let mut partitions = BTreeSet::new();
    for record in &records {
        let text = record.text();
        partitions.insert(record.partition);
        assert!(text.ends_with('\n'), "{text}");
        assert_eq!((&record.key, record.headers.len()), (&None, 0));
        assert!(text.contains(&format!("host={host}")), "{text}");
        let time: i64 = text.trim_end().rsplit(' ').next().unwrap().parse().unwrap();
        assert_eq!(time % 1_000_000_000, 0, "times are rounded to the interval's second");
        assert_eq!(record.timestamp_ms, Some(time / 1_000_000));
    }
    assert!(partitions.len() > 1, "records without a key are spread");
    let named = |start: &str| records.iter().filter(|r| r.text().starts_with(start)).count();
    assert!(named("cpu,cpu=cpu-total,") >= 2 && named("cpu,cpu=cpu0,") >= 2);
    assert!(named("mem,") >= 3);
    let mem = records.iter().find(|record| record.text().starts_with("mem,")).unwrap();
    assert_eq!(mem.text().matches('=').count() - 1, 34, "{}", mem.text());
}

#[test]
fn keyed_records_lie_where_telegraf_puts_them() {
    let cluster = Cluster::shared();
    let topic = cluster.topic("keyed", 7);
    let lines: String =
        (0..60).map(|n| format!("m,host=h{n},kind=x v={n}i 1000000000\n")).collect();
    let more = "  routing_tag = \"host\"\n  compression_codec = 4\n  idempotent_writes = true\n\
                [outputs.kafka.headers]\n  name = '{{ .Name }}'\n";
    let folder = folder(&format!(
        "[[inputs.file]]\n  files = [\"lines\"]\n{}",
        kafka_output(cluster.addresses(), topic.name(), more)
    ));
    fs::write(folder.path().join("lines"), lines).unwrap();
    let ended = agent(&folder).args(["--once"]).run(LIMIT);
    assert!(ended.status.success(), "{}", ended.stderr);
    let records = topic.read_all();
    assert_eq!(records.len(), 60);
    for record in records {
        let key = record.key.as_deref().unwrap();
        assert_eq!(record.partition, sarama_partition(key, 7));
        assert_eq!(record.headers, [("name".to_owned(), b"m".to_vec())]);
    }
}

#[test]
fn a_record_that_can_never_be_sent_is_given_up_alone() {
    let cluster = Cluster::start_with(1, &["--property", "auto.create.topics.enable=false"]);
    let topic = cluster.topic_with("small", 1, &[("max.message.bytes", "2000")]);
    let more = "  topic_tag = \"topic\"\n  exclude_topic_tag = true";
    let folder = folder(&format!(
        "{EVERY_SECOND}[[inputs.file]]\n  files = [\"lines\"]\n{}",
        kafka_output(cluster.addresses(), topic.name(), more)
    ));
    let long = "x".repeat(5_000);
    let lines = format!("good v=1i\nlarge v=\"{long}\"\nlost,topic=nosuch v=2i\ngood v=3i\n");
    fs::write(folder.path().join("lines"), lines).unwrap();
    let ended = agent(&folder).args(["--once"]).run(LIMIT);
    let texts: Vec<_> = topic
        .read_all()
        .iter()
        .map(|record| record.text().split(' ').take(2).collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(texts.len(), 2, "{texts:?}");
    assert!(texts.iter().all(|text| text.starts_with("good")));
    let gave_up = |what: &str| {
        ended.stderr.lines().any(|line| line.contains("Gave up") && line.contains(what))
    };
    assert!(gave_up("large") && gave_up("nosuch"), "{}", ended.stderr);
    assert_eq!(ended.status.code(), Some(1), "a single round says that not all was sent");
}

#[test]
fn a_broker_that_restarts_costs_no_metric() {
    let cluster = Cluster::start(1);
    let topic = cluster.topic("restart", 3);
    let folder = folder(&format!(
        "{EVERY_SECOND}{COUNTER}{}",
        kafka_output(cluster.addresses(), topic.name(), "")
    ));
    let mut agent = agent(&folder).start();
    wait_for("the first records", LIMIT, || (topic.count() >= 2).then_some(()));
    cluster.kill_broker(1);
    agent.wait_for_log("Error writing to outputs.kafka", LIMIT);
    let before = fs::read_to_string(folder.path().join("count")).unwrap();
    cluster.start_broker(1);
    let reached: i64 = before.trim().parse::<i64>().unwrap() + 3;
    wait_for("the backlog and more", LIMIT, || numbers(&topic).contains(&reached).then_some(()));
    let ended = agent.stop(LIMIT);
    assert!(ended.status.success(), "{}", ended.stderr);
    let last: i64 =
        fs::read_to_string(folder.path().join("count")).unwrap().trim().parse().unwrap();
    let missing: Vec<_> = (1..=last).filter(|n| !numbers(&topic).contains(n)).collect();
    assert_eq!(missing, [0i64; 0], "of {last}");
    assert!(!ended.stderr.contains("could not be delivered"), "{}", ended.stderr);
}

#[test]
fn a_broker_that_is_away_at_the_start_ends_the_agent_unless_it_is_told_to_retry() {
    let address = format!("127.0.0.1:{}", closed_port());
    let refused = folder(&format!("{EVERY_SECOND}{COUNTER}{}", kafka_output(&address, "t", "")));
    let mut waiting = agent(&refused).start();
    let line = waiting.wait_for_log("Failed to connect to [outputs.kafka]", LIMIT);
    assert!(line.contains("retrying in 15s"), "{line}");

    let retry = "  startup_error_behavior = \"retry\"";
    let retrying =
        folder(&format!("{EVERY_SECOND}{COUNTER}{}", kafka_output(&address, "t", retry)));
    let mut running = agent(&retrying).start();
    running.wait_for_log("retrying...", LIMIT);
    running.wait_for_log("Error writing to outputs.kafka", LIMIT);
    let ended = running.stop(LIMIT);
    assert_eq!(ended.status.code(), Some(0));
    assert!(
        ended.stderr.contains("metrics could not be delivered to outputs.kafka"),
        "{}",
        ended.stderr
    );

    let ended = waiting.wait_for_end(LIMIT);
    assert_eq!(ended.status.code(), Some(1));
    assert!(ended.stderr.contains("error connecting to output"), "{}", ended.stderr);
}

#[test]
fn a_signal_while_an_output_waits_to_connect_ends_the_agent_in_order() {
    let address = format!("127.0.0.1:{}", closed_port());
    let folder = folder(&format!("{EVERY_SECOND}{COUNTER}{}", kafka_output(&address, "t", "")));
    let mut agent = agent(&folder).start();
    agent.wait_for_log("retrying in 15s", LIMIT);
    assert_eq!(agent.stop(Duration::from_secs(10)).status.code(), Some(0));
}

#[test]
fn a_bad_file_is_refused_at_reload_and_a_good_one_taken() {
    let output = "[[outputs.file]]\n  files = [\"out\"]\n";
    let folder = folder(&format!("{EVERY_SECOND}{COUNTER}{output}"));
    let mut agent = agent(&folder).start();
    let out = folder.path().join("out");
    let text = || fs::read_to_string(&out).unwrap_or_default();
    wait_for("metrics", LIMIT, || (!text().is_empty()).then_some(()));

    configure(folder.path(), "[[inputs.nosuch]]\n[[outputs.file]]\n  fles = []\n");
    agent.signal(Signal::HUP);
    agent.wait_for_log("undefined but requested input: nosuch", LIMIT);
    agent.wait_for_log("did you mean `files`?", LIMIT);
    agent.wait_for_log("the one before keeps running", LIMIT);
    let before = text().lines().count();
    wait_for("more metrics of the old file", LIMIT, || {
        (text().lines().count() > before).then_some(())
    });

    configure(
        folder.path(),
        &format!("{EVERY_SECOND}{COUNTER}  name_override = \"renamed\"\n{output}"),
    );
    agent.signal(Signal::HUP);
    agent.wait_for_log("Reloading Telegraf config", LIMIT);
    wait_for("metrics of the new file", LIMIT, || text().contains("renamed").then_some(()));
    assert_eq!(agent.stop(LIMIT).status.code(), Some(0));
    let mut counted: Vec<i64> = text()
        .lines()
        .map(|line| line.split(" n=").nth(1).unwrap().split('i').next().unwrap().parse().unwrap())
        .collect();
    let last = *counted.last().unwrap();
    counted.dedup();
    assert_eq!(counted, (1..=last).collect::<Vec<_>>(), "a reload loses nothing");
}

#[test]
fn changed_files_are_taken_without_a_signal() {
    let output = "[[outputs.file]]\n  files = [\"out\"]\n";
    for how in ["notify", "poll"] {
        let folder = folder(&format!("{EVERY_SECOND}{COUNTER}{output}"));
        let mut agent = agent(&folder)
            .args(["--watch-config", how, "--watch-debounce-interval", "10ms"])
            .start();
        let text = || fs::read_to_string(folder.path().join("out")).unwrap_or_default();
        wait_for("metrics", LIMIT, || (!text().is_empty()).then_some(()));
        configure(folder.path(), "[[inputs.nosuch]]\n");
        agent.wait_for_log("the one before keeps running", LIMIT);
        configure(
            folder.path(),
            &format!("{EVERY_SECOND}{COUNTER}  name_override = \"renamed\"\n{output}"),
        );
        wait_for("metrics of the new file", LIMIT, || text().contains("renamed").then_some(()));
        assert_eq!(agent.stop(LIMIT).status.code(), Some(0));
    }
}

#[test]
fn labels_select_plugins_and_their_files_are_listed() {
    let folder = folder(
        "[[inputs.mem]]\n[[inputs.cpu]]\n  [inputs.cpu.labels]\n    app = \"web\"\n\
         [[inputs.file]]\n  files = []\n  [inputs.file.labels]\n    app = \"db\"\n",
    );
    let ended = agent(&folder)
        .args(["--test", "--select", "app=w*", "--print-plugin-config-source"])
        .run(LIMIT);
    assert!(ended.status.success(), "{}", ended.stderr);
    assert!(ended.stderr.contains("Loaded inputs: cpu mem\n"), "{}", ended.stderr);
    assert!(ended.stderr.contains("| NAME | SOURCE(S)"), "{}", ended.stderr);
    let refused = agent(&folder).args(["--test", "--select", "app"]).run(LIMIT);
    assert_eq!(refused.status.code(), Some(1));
    assert!(refused.stderr.contains("missing equal sign"), "{}", refused.stderr);
}

#[test]
fn a_reload_signal_at_any_moment_of_the_start_does_no_harm() {
    let folder = folder(&format!("{EVERY_SECOND}{COUNTER}[[outputs.discard]]\n"));
    for _ in 0..10 {
        let agent = agent(&folder).start();
        // No waiting: the signal comes as early as the process exists and has its handlers, which
        // are installed before anything else.
        wait_for("the handlers", LIMIT, || {
            let status = fs::read_to_string(format!("/proc/{}/status", agent.id())).ok()?;
            let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"))?;
            let caught = u64::from_str_radix(caught.trim(), 16).ok()?;
            (caught & 1 != 0).then_some(())
        });
        agent.signal(Signal::HUP);
        assert_eq!(agent.stop(LIMIT).status.code(), Some(0));
    }
}

#[test]
fn usr1_writes_what_waits() {
    let config = format!(
        "[agent]\n  interval = \"1s\"\n  flush_interval = \"1h\"\n{COUNTER}[[outputs.file]]\n  files = [\"out\"]\n"
    );
    let folder = folder(&config);
    let agent = agent(&folder).start();
    wait_for("a round", LIMIT, || folder.path().join("count").exists().then_some(()));
    let out = folder.path().join("out");
    wait_for("the flush", LIMIT, || {
        agent.signal(Signal::USR1);
        fs::read_to_string(&out).ok().filter(|text| !text.is_empty())
    });
    assert_eq!(agent.stop(LIMIT).status.code(), Some(0));
}

#[test]
fn the_service_manager_hears_of_start_reload_and_end() {
    let folder = folder(&format!("{EVERY_SECOND}{COUNTER}[[outputs.discard]]\n"));
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(LIMIT)).unwrap();
    let hear = || {
        let mut message = [0; 200];
        let length = socket.recv(&mut message).unwrap();
        String::from_utf8(message[..length].to_vec()).unwrap()
    };
    let agent = agent(&folder).env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "200000").start();
    assert_eq!(hear(), "READY=1\nSTATUS=");
    assert_eq!(hear(), "WATCHDOG=1");
    assert_eq!(hear(), "WATCHDOG=1", "it goes on");
    let hear_next = || iter::repeat_with(hear).find(|message| message != "WATCHDOG=1").unwrap();
    agent.signal(Signal::HUP);
    assert_eq!(hear_next(), "RELOADING=1");
    assert_eq!(hear_next(), "READY=1\nSTATUS=");
    configure(folder.path(), "[[inputs.nosuch]]\n");
    agent.signal(Signal::HUP);
    assert!(hear_next().starts_with("READY=1\nSTATUS=The configuration was refused"));
    agent.signal(Signal::TERM);
    assert_eq!(hear_next(), "STOPPING=1");
    assert_eq!(agent.wait_for_end(LIMIT).status.code(), Some(0));
}

#[test]
fn quit_prints_what_everything_does_even_while_an_input_hangs() {
    let fifo = "[[inputs.exec]]\n  commands = [\"sh -c 'touch begun; read line < fifo'\"]\n  \
                timeout = \"1h\"\n  data_format = \"influx\"\n";
    let folder = folder(&format!("{EVERY_SECOND}{fifo}[[outputs.discard]]\n"));
    rustix::fs::mknodat(
        rustix::fs::CWD,
        folder.path().join("fifo"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        0,
    )
    .unwrap();
    let agent = agent(&folder).start();
    wait_for("the gather", LIMIT, || folder.path().join("begun").exists().then_some(()));
    agent.signal(Signal::QUIT);
    let ended = agent.wait_for_end(LIMIT);
    // The program that hangs is let go.
    fs::write(folder.path().join("fifo"), "").unwrap();
    assert_eq!(ended.status.code(), Some(2));
    for part in [
        "SIGQUIT: the state of process ",
        " signals: ",
        " inputs.exec: ",
        "\n  inputs.exec: gathers, for ",
        "\n  outputs.discard: waits for its time\n",
        "\n  internal_write,output=discard buffer_limit=10000\n",
    ] {
        assert!(ended.stderr.contains(part), "{part:?} in {}", ended.stderr);
    }
}

#[test]
fn the_pidfile_is_there_while_the_agent_runs() {
    let folder = folder(&format!("{EVERY_SECOND}{COUNTER}[[outputs.discard]]\n"));
    let path = folder.path().join("agent.pid");
    let mut agent = agent(&folder).args(["-pidfile", "agent.pid"]).start();
    agent.wait_for_log("[agent] Config:", LIMIT);
    assert_eq!(fs::read_to_string(&path).unwrap(), format!("{}\n", agent.id()));
    agent.stop(LIMIT);
    assert!(!path.exists());
}

#[test]
fn an_input_that_fails_makes_a_single_round_fail() {
    let failing = "[[inputs.exec]]\n  commands = [\"false\"]\n  data_format = \"influx\"\n";
    let folder = folder(&format!("{failing}{COUNTER}[[outputs.discard]]\n"));
    for flag in ["-test", "--once"] {
        let ended = agent(&folder).args([flag]).run(LIMIT);
        assert_eq!(ended.status.code(), Some(1), "{flag}");
        assert!(ended.stderr.contains("E! [inputs.exec] Error in plugin: "), "{}", ended.stderr);
        assert!(ended.stderr.contains("input plugins recorded 1 errors"), "{}", ended.stderr);
    }
}

#[test]
fn a_test_prints_metrics_and_touches_no_output() {
    let output = "[[outputs.file]]\n  files = [\"out\"]\n";
    let folder = folder(&format!("[global_tags]\n  dc = \"${{DC}}\"\n{COUNTER}{output}"));
    let ended = agent(&folder).env("DC", "eu").args(["--test", "--quiet"]).run(LIMIT);
    assert!(ended.stdout.starts_with("> count,dc=eu,host="), "{}", ended.stdout);
    assert!(ended.stdout.contains(" n=1i "), "{}", ended.stdout);
    assert_eq!((ended.stderr.as_str(), ended.status.code()), ("", Some(0)));
    assert!(!folder.path().join("out").exists());
}

#[test]
fn the_command_line_is_telegrafs() {
    let folder = folder("[[inputs.mem]]\n[[outputs.discard]]\n");
    let run = |arguments: &[&str]| Program::agent(folder.path()).args(arguments).run(LIMIT);
    for (arguments, code, expected) in [
        (["--version"].as_slice(), 0, "Telegraf 1.40.0"),
        (&["version"], 0, "Telegraf 1.40.0"),
        (&["-help"], 0, "--config-directory <FOLDER>"),
        (&["plugins", "inputs"], 0, "inputs.cpu\n"),
        (&["--input-filter", "cpu", "--output-filter=kafka", "config"], 0, "[[outputs.kafka]]"),
        (&["config", "--section-filter", "agent"], 0, "interval = \"10s\""),
        (&["--config", "telegraf.conf", "config", "check"], 0, ""),
        (&["config", "check", "--config=telegraf.conf"], 0, ""),
    ] {
        let ended = run(arguments);
        assert_eq!(ended.status.code(), Some(code), "{arguments:?}: {}", ended.stderr);
        assert!(ended.stdout.contains(expected), "{arguments:?}: {}", ended.stdout);
    }
    for (arguments, expected) in [
        (["frob"].as_slice(), "E! unknown command \"frob\""),
        (&["--confg", "x"], "'--config'"),
        (&["--config", "nosuch.conf"], "open nosuch.conf: no such file or directory"),
        (&["--strict-env-handling", "--non-strict-env-handling"], "cannot be used together"),
    ] {
        let ended = run(arguments);
        assert_eq!(ended.status.code(), Some(1), "{arguments:?}");
        assert!(ended.stderr.contains(expected), "{arguments:?}: {}", ended.stderr);
    }
}

#[test]
fn the_example_configuration_runs() {
    let folder = tempfile::tempdir().unwrap();
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("telegraf.conf.example");
    let ended = Program::agent(folder.path())
        .args(["--config".as_ref(), example.as_os_str(), "--test".as_ref()])
        .run(LIMIT);
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    assert!(ended.stdout.contains("> mem,"), "{}", ended.stdout);
    assert!(ended.stdout.contains("cpu=cpu-total"), "{}", ended.stdout);
}

#[test]
fn logs_go_to_the_configured_file_from_the_first_line_on() {
    let folder = folder(&format!(
        "[agent]\n  interval = \"1s\"\n  logfile = \"logs/agent.log\"\n  logformat = \"structured\"\n\
         {COUNTER}[[outputs.discard]]\n"
    ));
    let agent = agent(&folder).start();
    let path = folder.path().join("logs/agent.log");
    wait_for("the log file", LIMIT, || {
        fs::read_to_string(&path).ok().filter(|log| log.contains("[agent] Config:"))
    });
    agent.stop(LIMIT);
    let log = fs::read_to_string(&path).unwrap();
    assert!(log.lines().next().unwrap().contains("Loading config: telegraf.conf"), "{log}");
    assert!(log.lines().all(|line| line.starts_with("{\"time\":") && line.ends_with('}')), "{log}");
}
