//! Tests of the input against agents on this machine.

use std::sync::Mutex;

use serde_json::{Value, json};

use super::*;
use crate::config::toml;
use crate::http::ServerResponse;
use crate::http::recorder::{Recorded, Recorder};
use crate::metric::Metric;
use crate::plugin::{Deliver, Statistics};
use crate::plugins::FORMATS;
use crate::plugins::tests::lines;
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

fn build(text: &str) -> Result<Box<dyn Input>, String> {
    let table = toml::parse("test", text).unwrap();
    let log = PluginLog::new("inputs.jolokia2_agent");
    let context = Context::new(System::real(), log, Statistics::default(), &table, FORMATS);
    (PLUGIN.build)(&context).map_err(|error| error.to_string())
}

/// What one round gives: metrics as lines without their time, and errors, both sorted.
fn gather(text: &str) -> (Vec<String>, Vec<String>) {
    let mut input = build(text).unwrap();
    let (delivered, system) = (Delivered::default(), System::real());
    let zero = std::time::Duration::ZERO;
    let mut accumulator = Accumulator::new(&delivered, &*system.clock, zero);
    input.gather(&mut accumulator).unwrap();
    drop(accumulator);
    let without_time = |line: String| line.rsplit_once(' ').unwrap().0.to_owned();
    let metrics = lines(&delivered.metrics.lock().unwrap());
    let mut metrics: Vec<_> = metrics.into_iter().map(without_time).collect();
    let mut errors = delivered.errors.into_inner().unwrap();
    metrics.sort();
    errors.sort();
    (metrics, errors)
}

/// An agent whose beans all have the attribute `A` with the value 1, unless their name says what
/// is wrong with them.
fn agent(recorded: &Recorded) -> ServerResponse {
    let requests: Vec<Value> = serde_json::from_str(&recorded.body).unwrap();
    let answer = |request: &Value| match request["mbean"].as_str() {
        Some("d:k=none") => json!({"request": request, "status": 404, "error": "no such bean"}),
        Some("d:k=closed") => json!({"request": request, "status": 403, "error": "closed"}),
        Some("d:k=*") => {
            json!({"request": request, "status": 200, "value": {"d:k=x": {"A": 2}, "d:k=y": {"A": 3}}})
        }
        _ => json!({"request": request, "status": 200, "value": 1}),
    };
    let answers: Vec<_> = requests.iter().map(answer).collect();
    ServerResponse::with_body(200, "application/json", Value::from(answers).to_string())
}

#[test]
fn all_beans_are_read_in_one_request() {
    let server = Recorder::start(agent);
    let url = &server.url;
    let (metrics, errors) = gather(&format!(
        "urls = ['{url}/jolokia/']\nusername = 'me'\npassword = 'pw'\norigin = 'http://here'\n\
         default_tag_prefix = 't_'\ndefault_field_prefix = 'f_'\n\
         [[metric]]\nname = 'one'\nmbean = 'd:k=v'\npaths = ['A']\ntag_keys = ['k']\n\
         [[metric]]\nname = 'many'\nmbean = 'd:k=*'\ntag_keys = ['k']\ntag_prefix = ''\n\
         [[metric]]\nname = 'one'\nmbean = 'd:k=v'\npaths = ['A/b']\ntag_keys = ['k']\n"
    ));
    assert!(errors.is_empty(), "{errors:?}");
    assert_eq!(
        metrics,
        [
            format!("many,jolokia_agent_url={url}/jolokia/,k=x f_A=2"),
            format!("many,jolokia_agent_url={url}/jolokia/,k=y f_A=3"),
            format!("one,jolokia_agent_url={url}/jolokia/,t_k=v f_A=1,f_A.b=1"),
        ]
    );
    let requests = server.take();
    assert_eq!(requests.len(), 1);
    let request = &requests[0];
    assert_eq!(request.line(), "POST /jolokia/read?");
    let headers = [
        ("Content-Type", "application/json"),
        ("Origin", "http://here"),
        ("Authorization", "Basic bWU6cHc="),
    ];
    for (name, value) in headers {
        assert_eq!(request.headers.get(name), Some(value), "{name}");
    }
    let expected = r#"[{"type":"read","mbean":"d:k=v","attribute":"A"},"#.to_owned()
        + r#"{"type":"read","mbean":"d:k=*"},"#
        + r#"{"type":"read","mbean":"d:k=v","attribute":"A","path":"b"}]"#;
    assert_eq!(request.body, expected);
}

#[test]
fn each_agent_is_asked_and_none_stands_in_the_way_of_others() {
    let server = Recorder::start(|request| match request.path.as_str() {
        "/gone/read" => ServerResponse::new(404),
        "/bad/read" => {
            ServerResponse::with_body(400, "text/plain; charset=utf-8", "400 (Bad)\n\nno name\n")
        }
        "/html/read" => ServerResponse::with_body(200, "text/html", "<html>"),
        "/refused/read" => {
            ServerResponse::with_body(200, "text/plain", r#"{"status":403,"error":"no"}"#)
        }
        _ => agent(request),
    });
    let url = &server.url;
    let (metrics, errors) = gather(&format!(
        "urls = ['{url}/a', '{url}/gone', '{url}/bad', '{url}/html', \
         '{url}/refused', 'x', '{url}']\n\
         [[metric]]\nname = 'm'\nmbean = 'd:k=v'"
    ));
    let line = |path: &str| format!("m,jolokia_agent_url={url}{path} value=1");
    assert_eq!(metrics, [line(""), line("/a")]);
    let failed = |place: &str| format!("unable to gather metrics for \"{place}\": ");
    let mut expected = [
        failed(&format!("{url}/gone")) + "the agent answered with status code 404 (Not Found)",
        failed(&format!("{url}/bad"))
            + "the agent answered with status code 400 (Bad Request): no name",
        failed(&format!("{url}/html")) + "decoding the answer failed: ",
        failed(&format!("{url}/refused")) + "the agent answered with status 403: no",
        failed("x") + "parse \"x\": missing protocol scheme",
    ];
    expected.sort();
    assert_eq!(errors.len(), expected.len(), "{errors:?}");
    for (error, expected) in errors.iter().zip(&expected) {
        assert!(error.starts_with(expected.as_str()), "{error}");
    }
}

#[test]
fn beans_that_are_not_there_are_left_out_and_those_that_fail_are_told_once() {
    let server = Recorder::start(agent);
    let url = &server.url;
    let metric = |mbean: &str| format!("[[metric]]\nname = 'm'\nmbean = '{mbean}'\n");
    let all: String = ["d:k=none", "d:k=closed", "d:k=v", "d:k=w"].map(metric).concat();
    let (metrics, errors) = gather(&format!("urls = ['{url}']\n{all}"));
    assert_eq!(metrics, [format!("m,jolokia_agent_url={url} value=1")]);
    let expected = format!(
        "unable to gather metrics for \"{url}\": reading \"d:k=closed\" failed with status 403: \
         closed"
    );
    assert_eq!(errors, [expected]);
}

#[test]
fn an_agent_that_does_not_answer_in_time_is_told() {
    // Connections are taken by the system, and nobody reads from them.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (metrics, errors) = gather(&format!(
        "urls = ['{url}']\nresponse_timeout = '50ms'\n[[metric]]\nname = 'm'\nmbean = 'd:k=v'"
    ));
    assert!(metrics.is_empty(), "{metrics:?}");
    assert_eq!(errors.len(), 1);
    assert!(errors[0].starts_with(&format!("unable to gather metrics for \"{url}\": Post ")));
}

#[test]
fn without_beans_nothing_is_asked() {
    let server = Recorder::start(agent);
    let (metrics, errors) = gather(&format!("urls = ['{}']", server.url));
    assert!(metrics.is_empty() && errors.is_empty() && server.take().is_empty());
}

#[test]
fn what_makes_no_sense_is_refused_at_the_start() {
    let refused = |text: &str| build(text).err().unwrap_or_default();
    let error = refused("[[metric]]\nname = 'm'\nmbean = 'd:k=v'\n[[metric]]\nname = 'n'");
    assert!(error.contains("metric 2 has no 'mbean'"), "{error}");
    let error = refused("tls_min_version = 'SSL3'");
    assert!(error.contains("SSL3"), "{error}");
}
