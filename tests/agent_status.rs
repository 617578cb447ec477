//! `metric-agent status` and `metric-agent reload`, asked of agents that run.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Ended, Program, Running, wait_for};

const LIMIT: Duration = Duration::from_secs(60);

const OFTEN: &str = "[agent]\n  interval = \"100ms\"\n  flush_interval = \"100ms\"\n";
const EXEC: &str = "[[inputs.exec]]\n  commands = [\"echo m n=1i\"]\n  data_format = \"influx\"\n";
const FILE: &str = "[[outputs.file]]\n  files = [\"out\"]\n";

struct Bench(TempDir);

impl Bench {
    fn new(config: &str) -> Bench {
        let bench = Bench(tempfile::tempdir().unwrap());
        bench.configure(config);
        bench
    }

    fn configure(&self, config: &str) {
        fs::write(self.0.path().join("telegraf.conf"), config).unwrap();
    }

    fn agent(&self) -> Program {
        let arguments = ["--config", "telegraf.conf", "--strict-env-handling"];
        Program::agent(self.0.path()).args(arguments)
    }

    /// An agent that runs.
    fn start(&self) -> Running {
        let agent = self.agent().args(["--status-socket", "agent.sock"]).start();
        wait_for("an agent that runs", LIMIT, || {
            let answer = self.ask(&["status", "--json"]);
            answer.stdout.contains("\"phase\": \"running\"").then_some(())
        });
        agent
    }

    /// Runs a command with the socket.
    fn ask(&self, words: &[&str]) -> Ended {
        Program::agent(self.0.path()).args(words).args(["--socket", "agent.sock"]).run(LIMIT)
    }

    fn status(&self) -> Value {
        serde_json::from_str(&self.ask(&["status", "--json"]).stdout).unwrap()
    }

    fn out(&self) -> String {
        fs::read_to_string(self.0.path().join("out")).unwrap_or_default()
    }
}

#[test]
fn a_running_agent_tells_what_its_plugins_have_done() {
    let failing = "[[inputs.exec]]\n  alias = \"bad\"\n  commands = [\"false\"]\n  data_format = \"influx\"\n";
    let bench = Bench::new(&format!("{OFTEN}{EXEC}{FILE}{failing}"));
    let agent = bench.start();
    let socket = bench.0.path().join("agent.sock");
    assert_eq!(fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    let status = wait_for("numbers", LIMIT, || {
        let status = bench.status();
        let written = status["outputs"][0]["written"].as_u64()?;
        (written >= 2 && status["inputs"][1]["last_error"].is_object()).then_some(status)
    });
    let (input, failed, output) =
        (&status["inputs"][0], &status["inputs"][1], &status["outputs"][0]);
    assert_eq!((input["name"].as_str(), input["errors"].as_u64()), (Some("inputs.exec"), Some(0)));
    assert!(input["gathered"].as_u64().unwrap() >= 2 && input["last_gather_at"].is_string());
    assert_eq!(failed["name"], "inputs.exec::bad");
    assert!(failed["errors"].as_u64().unwrap() >= 1);
    assert_eq!(output["name"], "outputs.file");
    let count = |key: &str| output[key].as_u64().unwrap();
    let dropped: u64 =
        output["dropped"].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum();
    // Between two counters something may happen; it is a batch at most.
    let told = count("written") + count("waiting") + count("in_flight") + dropped;
    assert!(count("received").abs_diff(told) <= 5, "{output}");
    assert!(output["last_success_at"].is_string() && output["last_error"].is_null());
    assert_eq!(status["pid"].as_u64(), Some(u64::from(agent.id())));
    assert_eq!(
        (status["phase"].as_str(), status["healthy"].as_bool()),
        (Some("running"), Some(false))
    );

    let table = bench.ask(&["status"]);
    assert_eq!(table.status.code(), Some(1), "{}", table.stdout);
    for part in ["not healthy", "inputs.exec::bad", "outputs.file", "RECEIVED", "telegraf.conf"] {
        assert!(table.stdout.contains(part), "{part} in {}", table.stdout);
    }
    assert_eq!(agent.stop(LIMIT).status.code(), Some(0));
    assert!(!socket.exists());
    let gone = bench.ask(&["status"]);
    assert_eq!(gone.status.code(), Some(2));
    assert!(gone.stderr.contains("agent.sock does not exist; --socket names"), "{}", gone.stderr);
}

#[test]
fn the_socket_is_in_the_service_managers_folder_and_not_of_a_single_round() {
    let bench = Bench::new(&format!("{OFTEN}{EXEC}{FILE}"));
    let run = bench.0.path().join("run");
    fs::create_dir(&run).unwrap();
    let agent = bench.agent().env("RUNTIME_DIRECTORY", &run).start();
    let ask = || {
        Program::agent(bench.0.path()).env("RUNTIME_DIRECTORY", &run).args(["status"]).run(LIMIT)
    };
    wait_for("an answer", LIMIT, || ask().status.success().then_some(()));
    // A second one does without.
    let mut second = bench.agent().env("RUNTIME_DIRECTORY", &run).start();
    second.wait_for_log("another process answers at", LIMIT);
    assert_eq!(second.stop(LIMIT).status.code(), Some(0));
    assert!(ask().status.success());
    assert_eq!(agent.stop(LIMIT).status.code(), Some(0));
    let once = bench.agent().env("RUNTIME_DIRECTORY", &run).args(["--once", "--debug"]).run(LIMIT);
    assert!(once.status.success(), "{}", once.stderr);
    assert_eq!(fs::read_dir(&run).unwrap().count(), 0);
}

#[test]
fn a_reload_tells_what_came_of_it() {
    let bench = Bench::new(&format!("{OFTEN}{EXEC}{FILE}"));
    let agent = bench.start();
    bench.configure("[[inputs.nosuch]]\n");
    let refused = bench.ask(&["reload"]);
    assert_eq!(refused.status.code(), Some(1), "{}", refused.stderr);
    assert!(refused.stderr.contains("undefined but requested input: nosuch"), "{}", refused.stderr);
    let status = bench.status();
    let error = status["last_reload"]["error"].as_str().unwrap();
    assert!(error.contains("nosuch") && status["healthy"] == false, "{status}");
    let before = bench.out().lines().count();
    wait_for("more metrics", LIMIT, || (bench.out().lines().count() > before).then_some(()));

    bench.configure(&format!("{OFTEN}{EXEC}  name_override = \"renamed\"\n{FILE}"));
    let taken = bench.ask(&["reload"]);
    assert!(taken.status.success(), "{}", taken.stderr);
    assert!(taken.stdout.contains("the new configuration runs"), "{}", taken.stdout);
    assert!(bench.status()["last_reload"]["error"].is_null());
    wait_for("metrics of the new file", LIMIT, || bench.out().contains("renamed").then_some(()));
    assert_eq!(agent.stop(LIMIT).status.code(), Some(0));
}

#[test]
fn reload_signals_all_through_the_start_do_no_harm() {
    let bench = Bench::new(&format!("{OFTEN}{EXEC}{FILE}"));
    for _ in 0..5 {
        fs::remove_file(bench.0.path().join("out")).ok();
        let agent = bench.agent().start();
        wait_for("the handlers", LIMIT, || {
            let status = fs::read_to_string(format!("/proc/{}/status", agent.id())).ok()?;
            let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"))?;
            let caught = u64::from_str_radix(caught.trim(), 16).ok()?;
            (caught & 1 != 0).then_some(())
        });
        // As fast as they can be sent, until the agent has been reloaded in the midst of them.
        wait_for("a reload", LIMIT, || {
            agent.signal(Signal::HUP);
            agent.log().iter().any(|line| line.contains("Reloading Telegraf config")).then_some(())
        });
        wait_for("metrics", LIMIT, || (!bench.out().is_empty()).then_some(()));
        assert_eq!(agent.stop(LIMIT).status.code(), Some(0));
    }
}
