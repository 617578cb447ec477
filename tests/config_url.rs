//! metric-agent with a configuration that lies on a web server.

use std::fs;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use metric_agent::http::{Bound, Incoming, ListenAddress, Server, ServerResponse, ServerSettings};
use metric_agent::system::RealClock;

use crate::support::{Program, wait_for};

const LIMIT: Duration = Duration::from_secs(60);

const MOCK: &str = "[[inputs.mock]]\n  metric_name = \"first\"\n  [[inputs.mock.constant]]\n    \
                    name = \"v\"\n    value = 1\n";

/// What is served, and what has been asked for.
#[derive(Default)]
struct Served {
    config: String,
    last_modified: String,
    requests: Vec<String>,
}

/// A server with one configuration under every path but `/gone`.
struct ConfigServer {
    served: Arc<Mutex<Served>>,
    url: String,
    _server: Server,
}

impl ConfigServer {
    fn start(config: &str) -> ConfigServer {
        let listener = ListenAddress::Tcp("127.0.0.1:0".into()).listen().unwrap();
        let Ok(Bound::Tcp(address)) = listener.bound() else { unreachable!() };
        let served = Arc::new(Mutex::new(Served::default()));
        let shared = served.clone();
        let handler = move |request: &mut Incoming<'_>| {
            let mut served = shared.lock().unwrap();
            let header = |name| request.headers().get(name).unwrap_or("-");
            let line = format!(
                "{} {} {} {}",
                request.method(),
                request.path(),
                header("Accept"),
                header("Authorization")
            );
            served.requests.push(line);
            if request.path() == "/gone" {
                return ServerResponse::line(404, "gone");
            }
            ServerResponse::line(200, &served.config)
                .with_header("Last-Modified", &served.last_modified)
        };
        let clock = Arc::new(RealClock::new());
        let server =
            Server::start(listener, ServerSettings::default(), None, handler, clock).unwrap();
        let server = ConfigServer { served, url: format!("http://{address}"), _server: server };
        server.serve(config, "Mon, 01 Jan 2024 00:00:00 GMT");
        server
    }

    fn serve(&self, config: &str, last_modified: &str) {
        let mut served = self.served.lock().unwrap();
        served.config = config.to_owned();
        served.last_modified = last_modified.to_owned();
    }

    fn requests(&self) -> Vec<String> {
        self.served.lock().unwrap().requests.clone()
    }
}

#[test]
fn a_configuration_on_a_server_goes_with_files_and_its_secrets_stay_out_of_the_log() {
    let server = ConfigServer::start(MOCK);
    let folder = tempfile::tempdir().unwrap();
    let output = "[[outputs.file]]\n  files = [\"out\"]\n";
    fs::write(folder.path().join("out.conf"), output).unwrap();
    let url = server.url.replace("//", "//me:secretword@") + "/telegrafs/1?token=secretword";
    let ended = Program::agent(folder.path())
        .args(["--strict-env-handling", "--once", "-config", &url, "--config=out.conf"])
        .env("INFLUX_TOKEN", "influx-secret")
        .run(LIMIT);
    assert!(ended.status.success(), "{}", ended.stderr);
    assert!(fs::read_to_string(folder.path().join("out")).unwrap().starts_with("first,"));
    assert_eq!(server.requests(), ["GET /telegrafs/1 application/toml Token influx-secret"]);
    let shown = server.url.replace("//", "//xxxxx@") + "/telegrafs/1?token=xxxxx";
    assert!(ended.stderr.contains(&format!("Loading config: {shown}\n")), "{}", ended.stderr);
    for secret in ["secretword", "influx-secret"] {
        assert!(!ended.stderr.contains(secret), "{}", ended.stderr);
    }

    let variable = Program::agent(folder.path())
        .args(["--strict-env-handling", "--test"])
        .env("TELEGRAF_CONFIG_PATH", &server.url)
        .env("TELEGRAF_CONTROLLER_TOKEN", "other")
        .env("INFLUX_TOKEN", "unused")
        .run(LIMIT);
    assert!(variable.stdout.starts_with("> first,"), "{}", variable.stderr);
    assert_eq!(server.requests()[1], "GET / application/toml Bearer other");
}

#[test]
fn a_configuration_that_changes_on_its_server_is_loaded_unless_it_is_broken() {
    let output = "[[outputs.discard]]\n";
    let with_tag = |tag: &str| format!("{MOCK}{output}[global_tags]\n  version = \"{tag}\"\n");
    let server = ConfigServer::start(&with_tag("one"));
    let folder = tempfile::tempdir().unwrap();
    let mut agent = Program::agent(folder.path())
        .args(["--strict-env-handling", "--config", &server.url])
        .args(["--config-url-watch-interval", "50ms", "--watch-config", "poll"])
        .start();
    agent.wait_for_log("Remote config watcher started for: http://127", LIMIT);
    agent.wait_for_log("version=one", LIMIT);
    let asked = |number: usize| {
        let head = || server.requests().iter().filter(|line| line.starts_with("HEAD")).count();
        wait_for("requests for the header", LIMIT, || (head() >= number).then_some(()));
    };
    asked(2);
    assert_eq!(server.requests().iter().filter(|line| line.starts_with("GET")).count(), 1);
    server.serve("[[inputs.nosuch]]", "Tue, 02 Jan 2024 00:00:00 GMT");
    agent.wait_for_log("undefined but requested input: nosuch", LIMIT);
    agent.wait_for_log("the one before keeps running", LIMIT);
    server.serve(&with_tag("three"), "Wed, 03 Jan 2024 00:00:00 GMT");
    agent.wait_for_log("version=three", LIMIT);
    assert_eq!(server.requests().iter().filter(|line| line.starts_with("GET")).count(), 3);
    let ended = agent.stop(LIMIT);
    assert!(ended.status.success(), "{}", ended.stderr);
}

#[test]
fn a_server_that_has_no_configuration_does_not_hold_up_the_end() {
    let server = ConfigServer::start("");
    let folder = tempfile::tempdir().unwrap();
    let mut agent = Program::agent(folder.path())
        .args(["--strict-env-handling", "--config", &format!("{}/gone", server.url)])
        .args(["--config-url-retry-attempts", "-1"])
        .start();
    agent.wait_for_log("Using unlimited number of attempts to fetch HTTP config", LIMIT);
    agent.wait_for_log("failed to fetch HTTP config: 404 Not Found", LIMIT);
    let ended = agent.stop(Duration::from_secs(5));
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
}
