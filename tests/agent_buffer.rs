//! `buffer_strategy = "disk"`: metrics that outlast the agent.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::support::{Program, Running, wait_for};

const LIMIT: Duration = Duration::from_secs(60);

/// An agent whose input counts on in a file, and whose output writes to a server that is down.
struct Bench {
    folder: TempDir,
    port: u16,
}

impl Bench {
    fn new() -> Bench {
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let count = "n=$(cat count 2>/dev/null || echo 0); n=$((n+1)); echo $n > count; \
                     echo \\\"count n=${n}i\\\"";
        let config = format!(
            "[agent]\n  interval = \"100ms\"\n  flush_interval = \"100ms\"\n  debug = true\n  \
             buffer_strategy = \"disk\"\n  buffer_directory = \"buffers\"\n\
             [[inputs.exec]]\n  commands = [\"sh -c '{count}'\"]\n  data_format = \"influx\"\n\
             [[outputs.http]]\n  url = \"http://127.0.0.1:{port}/\"\n  data_format = \"influx\"\n"
        );
        fs::write(folder.path().join("telegraf.conf"), config).unwrap();
        Bench { folder, port }
    }

    fn agent(&self) -> Program {
        Program::agent(self.folder.path()).args([
            "--config",
            "telegraf.conf",
            "--strict-env-handling",
        ])
    }

    /// The folder of the output.
    fn buffer(&self) -> PathBuf {
        let mut folders = fs::read_dir(self.folder.path().join("buffers")).unwrap();
        folders.next().unwrap().unwrap().path()
    }

    /// The files with metrics in them.
    fn segments(&self) -> Vec<PathBuf> {
        let files = fs::read_dir(self.buffer()).unwrap();
        let paths = files.map(|file| file.unwrap().path());
        paths.filter(|path| path.extension().is_some_and(|it| it == "segment")).collect()
    }

    /// What has been counted so far.
    fn counted(&self) -> usize {
        let text = fs::read_to_string(self.folder.path().join("count")).unwrap_or_default();
        text.trim().parse().unwrap_or(0)
    }
}

/// Waits until at least so many metrics are in the buffer, and returns how many.
fn wait_for_buffer(agent: &Running, least: usize) -> usize {
    wait_for("metrics in the buffer", LIMIT, || {
        let mut counts = agent.log().into_iter().filter_map(|line| {
            let count = line.split("Buffer fullness: ").nth(1)?;
            count.split(' ').next()?.parse().ok()
        });
        counts.next_back().filter(|count| *count >= least)
    })
}

/// A server that takes what is posted to it.
struct Server {
    numbers: Arc<Mutex<BTreeMap<usize, usize>>>,
    is_over: Arc<AtomicBool>,
    port: u16,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    fn start(port: u16) -> Server {
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let numbers = Arc::new(Mutex::new(BTreeMap::new()));
        let is_over = Arc::new(AtomicBool::new(false));
        let (taken, over) = (numbers.clone(), is_over.clone());
        let thread = thread::spawn(move || {
            for connection in listener.incoming() {
                if over.load(Ordering::Relaxed) {
                    break;
                }
                for number in serve(connection.unwrap()) {
                    *taken.lock().unwrap().entry(number).or_default() += 1;
                }
            }
        });
        Server { numbers, is_over, port, thread: Some(thread) }
    }

    /// How often each number has come.
    fn numbers(&self) -> BTreeMap<usize, usize> {
        self.numbers.lock().unwrap().clone()
    }

    fn wait_for(&self, number: usize) {
        let has_come = || self.numbers().contains_key(&number).then_some(());
        wait_for("metrics at the server", LIMIT, has_come);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        drop(TcpStream::connect(("127.0.0.1", self.port)));
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

/// Takes one request and returns the numbers in it.
fn serve(connection: TcpStream) -> Vec<usize> {
    let mut reader = BufReader::new(connection);
    let mut length = 0;
    let mut line = String::new();
    while reader.read_line(&mut line).unwrap() > 2 {
        if let Some(number) = line.to_lowercase().strip_prefix("content-length:") {
            length = number.trim().parse().unwrap();
        }
        line.clear();
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let answer = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n";
    reader.get_mut().write_all(answer).unwrap();
    let body = String::from_utf8(body).unwrap();
    let number = |line: &str| line.split(" n=").nth(1)?.split('i').next()?.parse().ok();
    body.lines().filter_map(number).collect()
}

#[test]
fn what_was_in_the_buffer_when_the_agent_was_killed_arrives_once() {
    let bench = Bench::new();
    let mut in_buffer = 0;
    for _ in 0..4 {
        let agent = bench.agent().start();
        in_buffer = wait_for_buffer(&agent, in_buffer + 2);
        agent.kill();
    }
    let (folder, mode) =
        (bench.buffer(), |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777);
    assert_eq!((mode(&folder), mode(&folder.join("output.cursor"))), (0o700, 0o600));

    let agent = bench.agent().start();
    wait_for_buffer(&agent, in_buffer);
    let server = Server::start(bench.port);
    server.wait_for(bench.counted());
    let ended = agent.stop(LIMIT);
    assert!(ended.status.success(), "{}", ended.stderr);
    assert!(!ended.stderr.contains("lost"), "{}", ended.stderr);
    let numbers = server.numbers();
    assert!(numbers.values().all(|times| *times == 1), "{numbers:?}");
    // A kill may come between the script and the buffer: one number each.
    let missing = (1..=bench.counted()).filter(|number| !numbers.contains_key(number)).count();
    assert!(missing <= 4 && numbers.len() >= in_buffer, "{missing} {in_buffer} {numbers:?}");
    assert!(bench.segments().is_empty(), "{:?}", bench.segments());
}

#[test]
fn a_reload_and_a_stop_keep_what_waits_and_say_how_much() {
    let bench = Bench::new();
    let mut agent = bench.agent().start();
    wait_for_buffer(&agent, 2);
    let seen = agent.log().len();
    agent.signal(Signal::HUP);
    agent.wait_for_log_after(seen, "metrics wait in buffers/", LIMIT);
    wait_for_buffer(&agent, 3);
    let ended = agent.stop(LIMIT);
    assert!(ended.status.success(), "{}", ended.stderr);
    let text = "metrics for outputs.http wait on the disk and are sent after the next start";
    assert!(ended.stderr.contains(text), "{}", ended.stderr);
    assert!(!ended.stderr.contains("lost"), "{}", ended.stderr);

    let server = Server::start(bench.port);
    let agent = bench.agent().start();
    server.wait_for(bench.counted());
    agent.stop(LIMIT);
    let numbers = server.numbers();
    assert_eq!(numbers, (1..=bench.counted()).map(|number| (number, 1)).collect());
}

#[test]
fn a_single_round_that_leaves_metrics_on_the_disk_has_failed() {
    let bench = Bench::new();
    for waiting in 1..3 {
        let ended = bench.agent().args(["--once"]).run(LIMIT);
        assert_eq!(ended.status.code(), Some(1), "{}", ended.stderr);
        let text = format!("output plugins unable to send {waiting} metrics");
        assert!(ended.stderr.contains(&text), "{}", ended.stderr);
    }
    let tested = bench.agent().args(["--test"]).run(LIMIT);
    assert!(tested.status.success(), "{}", tested.stderr);
    let server = Server::start(bench.port);
    let ended = bench.agent().args(["--once"]).run(LIMIT);
    assert!(ended.status.success(), "{}", ended.stderr);
    assert_eq!(server.numbers().into_keys().collect::<Vec<_>>(), [1, 2, 4]);
}

#[test]
fn two_agents_do_not_share_a_buffer() {
    let bench = Bench::new();
    let first = bench.agent().start();
    wait_for_buffer(&first, 1);
    let second = bench.agent().run(LIMIT);
    assert_eq!(second.status.code(), Some(1), "{}", second.stderr);
    assert!(second.stderr.contains("is in use by another process"), "{}", second.stderr);
}

#[test]
fn metrics_of_an_output_with_other_settings_are_told() {
    let bench = Bench::new();
    let agent = bench.agent().start();
    wait_for_buffer(&agent, 1);
    agent.kill();
    let config = bench.folder.path().join("telegraf.conf");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, format!("{text}  method = \"PUT\"\n")).unwrap();
    let mut agent = bench.agent().start();
    agent.wait_for_log("holds metrics that no output of this configuration sends", LIMIT);
}

#[test]
fn a_damaged_buffer_costs_what_is_damaged_and_no_start() {
    let bench = Bench::new();
    let agent = bench.agent().start();
    let in_buffer = wait_for_buffer(&agent, 3);
    agent.kill();
    let [segment] = &bench.segments()[..] else { panic!("{:?}", bench.segments()) };
    let mut bytes = fs::read(segment).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(segment, bytes).unwrap();

    let server = Server::start(bench.port);
    let before = bench.counted();
    let mut agent = bench.agent().start();
    let line = agent.wait_for_log("is damaged", LIMIT);
    assert!(line.contains("E! [outputs.http] Buffer in buffers/"), "{line}");
    server.wait_for(before + 1);
    let numbers = server.numbers();
    let arrived = (1..=before).filter(|number| numbers.contains_key(number)).count();
    assert!(arrived + 1 >= in_buffer, "{arrived} of {in_buffer}: {numbers:?}");
    let copy = segment.with_extension("segment.damaged");
    assert!(copy.exists(), "{}", copy.display());
}
