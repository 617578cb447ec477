//! Tests of the output through its server.

use super::*;
use crate::config::toml;
use crate::http::{Client, ClientSettings, Request, Response, Url, basic_credentials};
use crate::metric::Timestamp;
use crate::plugin::Statistics;
use crate::plugins::FORMATS;
use crate::system::System;
use crate::system::fake::FakeClock;

struct Running {
    output: Box<dyn Output>,
    clock: Arc<FakeClock>,
    client: Client,
    _folder: tempfile::TempDir,
}

fn build(clock: &Arc<FakeClock>, text: &str) -> Result<Box<dyn Output>, BuildError> {
    let table = toml::parse("test", text).unwrap();
    let log = PluginLog::new("outputs.health");
    let system = System { clock: clock.clone(), ..System::real() };
    (PLUGIN.build)(&Context::new(system, log, Statistics::default(), &table, FORMATS))
}

fn start(text: &str) -> Running {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("health.sock");
    let clock = Arc::new(FakeClock::at(Timestamp::EPOCH));
    let text = format!("service_address = 'unix://{}'\n{text}", path.display());
    let mut output = build(&clock, &text).map_err(|error| error.to_string()).unwrap();
    output.connect().unwrap();
    let unix_socket = Some(path.to_str().unwrap().to_owned());
    let settings = ClientSettings { unix_socket, ..ClientSettings::default() };
    let client = Client::new(settings, System::real().clock).unwrap();
    Running { output, clock, client, _folder: folder }
}

impl Running {
    fn ask(&self, authorization: &str) -> Response {
        let mut request = Request::new("GET", Url::parse("http://localhost/").unwrap(), b"");
        request.headers.set("Authorization", authorization);
        self.client.send(&request).unwrap()
    }

    fn status(&self) -> u16 {
        self.ask("").status
    }

    fn write(&mut self, value: i64) {
        let metric = Metric::new("m", Timestamp::EPOCH).with_field("v", value);
        self.output.write(&[metric]).unwrap();
    }
}

#[test]
fn the_last_batch_is_what_counts() {
    let mut running = start(
        "default_status = 404\ncompares = [{field = 'v', lt = 5}]\ncontains = [{field = 'v'}]",
    );
    let answer = running.ask("");
    assert_eq!((answer.status, answer.body.as_slice()), (404, &b"Not Found\n"[..]));
    assert_eq!(answer.headers.get("Server"), Some(USER_AGENT));
    running.write(4);
    assert_eq!(running.ask("").body, b"OK\n");
    running.write(5);
    assert_eq!(running.ask("").body, b"Service Unavailable\n");
    running.write(4);
    assert_eq!(running.status(), 200);
    running.output.write(&[]).unwrap();
    assert_eq!(running.status(), 503);
    running.output.close().unwrap();
}

#[test]
fn silence_is_bad_after_a_while_if_that_is_asked_for() {
    let mut running = start("max_time_between_metrics = '1m'");
    assert_eq!(running.status(), 200);
    running.clock.advance(Span::from_secs(60));
    assert_eq!(running.status(), 503);
    running.write(1);
    assert_eq!(running.status(), 200);
    running.clock.advance(Span::from_secs(60));
    assert_eq!(running.status(), 503);
}

#[test]
fn callers_have_to_know_the_password() {
    let running = start("basic_username = 'me'\nbasic_password = 'pw'");
    assert_eq!(running.status(), 401);
    assert_eq!(running.ask(&basic_credentials("me", "pw")).status, 200);
}

#[test]
fn an_address_that_is_taken_may_be_free_later() {
    let running = start("");
    let path = running._folder.path().join("health.sock");
    let text = format!("service_address = 'unix://{}'", path.display());
    let mut second = build(&running.clock, &text).map_err(|error| error.to_string()).unwrap();
    let error = second.connect().unwrap_err();
    assert!(error.retryable);
    assert!(error.to_string().ends_with("bind: address already in use"), "{error}");
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    let clock = Arc::new(FakeClock::at(Timestamp::EPOCH));
    for (text, message) in [
        ("service_address = 'udp://:1'", "service_address contains invalid scheme"),
        ("service_address = ':8080'", "service_address: parse \":8080\": missing protocol"),
        ("default_status = 999", "invalid default HTTP status code 999"),
        ("tls_cert = '/nonexistent'\ntls_key = 'x'", "could not load certificate"),
        ("tls_allowed_cacerts = ['/nonexistent']", "could not read certificate"),
    ] {
        let error = build(&clock, text).err().unwrap().to_string();
        assert!(error.starts_with(message), "{error}");
    }
}
