//! Tests of the input against servers on this machine.

use std::sync::Mutex;
use std::time::Duration;

use super::*;
use crate::config::toml;
use crate::http::recorder::{Recorded, Recorder};
use crate::http::{ServerResponse, USER_AGENT};
use crate::metric::Metric;
use crate::plugin::{Deliver, Statistics};
use crate::plugins::FORMATS;
use crate::system::System;

#[derive(Default)]
struct Delivered {
    metrics: Mutex<Vec<Metric>>,
    errors: Mutex<Vec<String>>,
}

impl Deliver for Delivered {
    fn deliver(&self, metrics: &mut Vec<Metric>) {
        self.metrics.lock().unwrap().append(metrics);
    }

    fn report(&self, error: &dyn std::error::Error) {
        self.errors.lock().unwrap().push(error.to_string());
    }
}

/// What one round gives: name and tag `url` of metrics, and errors, both sorted.
fn gather(text: &str) -> (Vec<String>, Vec<String>) {
    let table = toml::parse("test", text).unwrap();
    let (system, log) = (System::real(), PluginLog::new("inputs.http"));
    let context = Context::new(system.clone(), log, Statistics::default(), &table, FORMATS);
    let mut input = (PLUGIN.build)(&context).map_err(|error| error.to_string()).unwrap();
    let delivered = Delivered::default();
    let mut accumulator = Accumulator::new(&delivered, &*system.clock, Duration::ZERO);
    input.gather(&mut accumulator).unwrap();
    drop(accumulator);
    let show = |metric: &Metric| format!("{} {}", metric.name, metric.tag("url").unwrap());
    let mut metrics: Vec<_> = delivered.metrics.lock().unwrap().iter().map(show).collect();
    let mut errors = delivered.errors.into_inner().unwrap();
    metrics.sort();
    errors.sort();
    (metrics, errors)
}

fn lines(_: &Recorded) -> ServerResponse {
    ServerResponse::with_body(200, "text/plain", "m v=1\nn,url=own v=1\n")
}

#[test]
fn metrics_bear_the_url_that_they_came_from_unless_they_have_one() {
    let server = Recorder::start(lines);
    let url = &server.url;
    let urls: Vec<_> = (10..60).map(|n| format!("{url}/{n}")).collect();
    let (metrics, errors) = gather(&format!("urls = {urls:?}"));
    assert!(errors.is_empty(), "{errors:?}");
    let mut expected: Vec<_> = urls.iter().map(|url| format!("m {url}")).collect();
    expected.extend(vec!["n own".to_owned(); 50]);
    assert_eq!(metrics, expected);
}

#[test]
fn requests_are_made_as_asked_for() {
    let server = Recorder::start(lines);
    let url = &server.url;
    let request = |text: &str| {
        let (_, errors) = gather(&format!("urls = ['{url}/x?a=b']\n{text}"));
        assert!(errors.is_empty(), "{errors:?}");
        server.take().remove(0)
    };
    let plain = request("");
    assert_eq!((plain.line().as_str(), plain.body.as_str()), ("GET /x?a=b", ""));
    assert_eq!(plain.headers.get("User-Agent"), Some(USER_AGENT));
    assert_eq!(plain.headers.get("Content-Length"), None);

    let full = request(
        "method = 'POST'\nbody = 'ask'\ncontent_encoding = 'gzip'\ntoken = ' t '\n\
         headers = {X-A = '1', User-Agent = 'me'}",
    );
    assert_eq!((full.line().as_str(), full.body.as_str()), ("POST /x?a=b", "ask"));
    for (name, value) in [
        ("Authorization", "Bearer t"),
        ("Content-Encoding", "gzip"),
        ("X-A", "1"),
        ("User-Agent", "me"),
    ] {
        assert_eq!(full.headers.get(name), Some(value), "{name}");
    }
    let basic = request("username = 'me'\npassword = 'pw'\ntoken = 't'");
    assert_eq!(basic.headers.get("Authorization"), Some("Basic bWU6cHc="));

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    std::fs::write(&path, "filed\n").unwrap();
    let filed = request(&format!("token_file = {path:?}"));
    assert_eq!(filed.headers.get("Authorization"), Some("Bearer filed"));
}

#[test]
fn what_goes_wrong_is_told_with_the_url() {
    let server = Recorder::start(|request| match request.path.as_str() {
        "/gone" => ServerResponse::new(404),
        "/odd" => ServerResponse::with_body(203, "text/plain", "m v=1"),
        _ => ServerResponse::with_body(200, "text/plain", "nonsense"),
    });
    let url = &server.url;
    let (metrics, errors) = gather(&format!(
        "urls = ['{url}/gone', '{url}/bad', '{url}/odd', 'nonsense']\n\
         success_status_codes = [200, 203]"
    ));
    assert_eq!(metrics, [format!("m {url}/odd")]);
    let expected = [
        format!("[url={url}/bad]: parsing metrics failed: "),
        format!(
            "[url={url}/gone]: received status code 404 (Not Found), expected any value out of \
             [200 203]"
        ),
        "[url=nonsense]: parse \"nonsense\": missing protocol scheme".to_owned(),
    ];
    assert_eq!(errors.len(), expected.len(), "{errors:?}");
    for (error, expected) in errors.iter().zip(&expected) {
        assert!(error.starts_with(expected.as_str()), "{error}");
    }
    let (_, errors) = gather(&format!("urls = ['{url}/bad']\ntoken_file = '/nonexistent'"));
    assert_eq!(errors, [format!("[url={url}/bad]: open /nonexistent: no such file or directory")]);
}
