//! Tests of the input through its server.

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::config::toml;
use crate::http::{Client, ClientSettings, Request, Response, Url, basic_credentials, gzip};
use crate::metric::Metric;
use crate::plugin::{BuildError, Context, Deliver, Statistics};
use crate::plugins::FORMATS;

#[derive(Default)]
struct Delivered(Mutex<Vec<Metric>>);

impl Deliver for Delivered {
    fn deliver(&self, metrics: &mut Vec<Metric>) {
        self.0.lock().unwrap().append(metrics);
    }

    fn report(&self, error: &dyn std::error::Error) {
        unreachable!("{error}");
    }
}

struct Running {
    input: Box<dyn Input>,
    delivered: Arc<Delivered>,
    client: Client,
    _folder: tempfile::TempDir,
}

fn build(text: &str) -> Result<Box<dyn Input>, BuildError> {
    let table = toml::parse("test", text).unwrap();
    let log = PluginLog::new("inputs.http_listener_v2");
    (PLUGIN.build)(&Context::new(System::real(), log, Statistics::default(), &table, FORMATS))
}

fn start(text: &str) -> Running {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("listener.sock");
    let text = format!("service_address = 'unix://{}'\n{text}", path.display());
    let mut input = build(&text).map_err(|error| error.to_string()).unwrap();
    let delivered = Arc::new(Delivered::default());
    let log = PluginLog::new("inputs.http_listener_v2");
    let clock = System::real().clock;
    let accumulator =
        ServiceAccumulator::new(delivered.clone(), clock.clone(), Duration::ZERO, log);
    input.start(accumulator).unwrap();
    let unix_socket = Some(path.to_str().unwrap().to_owned());
    let settings = ClientSettings { unix_socket, ..ClientSettings::default() };
    Running { input, delivered, client: Client::new(settings, clock).unwrap(), _folder: folder }
}

impl Running {
    fn send(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Response {
        let url = Url::parse(&format!("http://localhost{target}")).unwrap();
        let mut request = Request::new(method, url, body);
        headers.iter().for_each(|(name, value)| request.headers.set(name, *value));
        self.client.send(&request).unwrap()
    }

    /// Name and tags of what came since the last time.
    fn taken(&self) -> Vec<String> {
        let metrics = std::mem::take(&mut *self.delivered.0.lock().unwrap());
        let show = |metric: &Metric| {
            let tags = metric.tags().iter().map(|tag| format!(",{}={}", tag.key, tag.value));
            format!("{}{}", metric.name, tags.collect::<String>())
        };
        metrics.iter().map(show).collect()
    }
}

#[test]
fn metrics_come_however_they_are_packed() {
    let mut running = start("");
    let body = b"m,a=b v=1 1\nn v=2 2\n".to_vec();
    let snapped = snap::raw::Encoder::new().compress_vec(&body).unwrap();
    for (encoding, packed) in
        [("", body.clone()), ("gzip", gzip(&body).unwrap()), ("snappy", snapped)]
    {
        let response =
            running.send("POST", "/telegraf", &[("Content-Encoding", encoding)], &packed);
        assert_eq!((response.status, response.body.len()), (204, 0), "{encoding}");
        assert_eq!(running.taken(), ["m,a=b", "n"], "{encoding}");
    }
    running.input.stop();
}

#[test]
fn metrics_get_tags_from_path_and_header() {
    let running = start(
        "paths = ['/a', '/b c']\npath_tag = true\nhttp_success_code = 200\n\
         http_header_tags = {x-site = 'site', X-None = 'none'}\nhttp_headers = {X-Own = '1'}",
    );
    let response = running.send("PUT", "/b%20c", &[("X-Site", "north")], b"m v=1");
    assert_eq!((response.status, response.headers.get("X-Own")), (200, Some("1")));
    assert_eq!(running.taken(), ["m,http_listener_v2_path=/b c,site=north"]);
}

#[test]
fn metrics_may_be_in_the_query() {
    let running = start("data_source = 'Query'\nmethods = ['GET']");
    assert_eq!(running.send("GET", "/telegraf?m,a=b+v=1%20", &[], b"").status, 204);
    assert_eq!(running.taken(), ["m,a=b"]);
}

#[test]
fn what_is_not_taken_is_answered_with_why() {
    let running = start("max_body_size = 20");
    let long = b"m v=1\n".repeat(10);
    for (method, target, encoding, body, status, expected) in [
        ("POST", "/other", "", &b"m v=1"[..], 404, "404 page not found\n"),
        ("GET", "/telegraf", "", b"", 405, "{\"error\":\"http: method not allowed\"}"),
        ("POST", "/telegraf", "", b"nonsense", 400, "{\"error\":\"http: bad request\"}"),
        ("POST", "/telegraf", "gzip", b"nonsense", 400, "{\"error\":\"http: bad request\"}"),
        ("POST", "/telegraf", "", &long, 413, "{\"error\":\"http: request body too large\"}"),
    ] {
        let response = running.send(method, target, &[("Content-Encoding", encoding)], body);
        assert_eq!(response.status, status);
        assert_eq!(String::from_utf8_lossy(&response.body), expected);
    }
    assert!(running.taken().is_empty());
    // Small on its way, and large once it is unpacked.
    let running = start("max_body_size = 100");
    let packed = gzip(&b"m v=1\n".repeat(1000)).unwrap();
    let response = running.send("POST", "/telegraf", &[("Content-Encoding", "gzip")], &packed);
    assert_eq!((packed.len() < 100, response.status), (true, 413));
}

#[test]
fn callers_have_to_know_the_password() {
    let running = start("basic_username = 'me'\nbasic_password = 'pw'");
    let response = running.send("POST", "/telegraf", &[], b"m v=1");
    assert_eq!((response.status, response.body.as_slice()), (401, &b"Unauthorized.\n"[..]));
    let authorization = basic_credentials("me", "pw");
    let headers = [("Authorization", authorization.as_str())];
    assert_eq!(running.send("POST", "/telegraf", &headers, b"m v=1").status, 204);
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    for (text, message) in [
        ("service_address = 'udp://:1'", "unknown protocol \"udp\""),
        ("service_address = ':x'", "service_address: parse \"tcp://:x\": invalid port"),
        ("service_address = 'unix:///x'\nsocket_mode = '9'", "converting socket mode failed"),
        ("tls_min_version = 'x'\ntls_cert = 'a'", "could not parse tls version \"x\""),
    ] {
        let error = build(text).err().unwrap().to_string();
        assert!(error.starts_with(message), "{error}");
    }
}
