//! Tests of the input against servers on this machine. What the format makes of answers is tested
//! there; here line protocol stands in for it.

use std::sync::Mutex;

use super::*;
use crate::config::toml;
use crate::http::ServerResponse;
use crate::http::recorder::{Recorded, Recorder};
use crate::plugin::{BuildError, Context, Deliver, Formats};
use crate::plugins::parsers::influx;

static LINES: Declaration<dyn Parser> = Declaration {
    name: "prometheus",
    sample_config: "",
    build: |context| (influx::PLUGIN.build)(context),
    read_settings: influx::PLUGIN.read_settings,
    deprecated: &[],
};

const FORMATS: Formats = Formats { parsers: &[&LINES], serializers: &[] };

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

fn build(text: &str, statistics: &Statistics) -> Result<Box<dyn Input>, BuildError> {
    let table = toml::parse("test", text).unwrap();
    let log = PluginLog::new("inputs.prometheus");
    (PLUGIN.build)(&Context::new(System::real(), log, statistics.clone(), &table, FORMATS))
}

/// What one round gives: metrics with their tags and names of fields, and errors, both sorted.
fn gather(text: &str) -> (Vec<String>, Vec<String>) {
    let mut input = build(text, &Statistics::default()).map_err(|error| error.to_string()).unwrap();
    let delivered = Delivered::default();
    let clock = System::real().clock;
    let mut accumulator = Accumulator::new(&delivered, &*clock, Duration::ZERO);
    input.gather(&mut accumulator).unwrap();
    drop(accumulator);
    let show = |metric: &Metric| {
        let tags = metric.tags().iter().map(|tag| format!(",{}={}", tag.key, tag.value));
        let fields = metric.fields().iter().map(|field| format!(" {}", field.key));
        format!("{}{}{}", metric.name, tags.collect::<String>(), fields.collect::<String>())
    };
    let mut metrics: Vec<_> = delivered.metrics.lock().unwrap().iter().map(show).collect();
    let mut errors = delivered.errors.into_inner().unwrap();
    metrics.sort();
    errors.sort();
    (metrics, errors)
}

fn line(_: &Recorded) -> ServerResponse {
    ServerResponse::with_body(200, "text/plain; version=0.0.4", "m,url=own v=1\n")
}

#[test]
fn metrics_bear_the_url_that_they_came_from() {
    let server = Recorder::start(line);
    let url = &server.url;
    let (metrics, errors) = gather(&format!("urls = ['{url}', '{url}/x', '{url}/x']"));
    assert!(errors.is_empty(), "{errors:?}");
    assert_eq!(metrics, [format!("m,url={url}/metrics v"), format!("m,url={url}/x v")]);
    let request = server.take().remove(0);
    assert_eq!(
        request.headers.get("Accept"),
        Some(
            "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;\
             encoding=delimited;q=0.7,text/plain;version=0.0.4;q=0.3"
        )
    );
    let (metrics, _) = gather(&format!("urls = ['{url}']\nurl_tag = ''"));
    assert_eq!(metrics, ["m,url=own v"]);
}

#[test]
fn who_is_asking_is_told_in_one_way() {
    let server = Recorder::start(line);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    std::fs::write(&path, "filed\n").unwrap();
    for (options, expected) in [
        ("username = 'me'\npassword = 'pw'", "Basic bWU6cHc="),
        ("username = 'me'\nbearer_token_string = 't'", "Bearer t"),
        (&*format!("bearer_token_string = 't'\nbearer_token = {path:?}"), "Bearer filed"),
        ("http_headers = {authorization = 'Own x'}", "Own x"),
    ] {
        gather(&format!("urls = ['{}']\n{options}", server.url));
        let request = server.take().remove(0);
        assert_eq!(request.headers.get("Authorization"), Some(expected));
    }
    let (_, errors) = gather(&format!("urls = ['{}']\nbearer_token = '/nonexistent'", server.url));
    assert_eq!(errors, ["open /nonexistent: no such file or directory"]);
}

#[test]
fn requests_are_reported_on_if_that_is_asked_for() {
    let server = Recorder::start(|request| match request.path.as_str() {
        "/metrics" => line(request),
        _ => ServerResponse::new(404),
    });
    let url = &server.url;
    let (metrics, errors) =
        gather(&format!("urls = ['{url}', '{url}/x']\nenable_request_metrics = true"));
    assert_eq!(
        metrics,
        [
            format!("m,url={url}/metrics v"),
            format!("prometheus_request,url={url} response_time content_length"),
            format!("prometheus_request,url={url}/x response_time"),
        ]
    );
    assert_eq!(errors, [format!("\"{url}/x\" returned HTTP status \"404 Not Found\"")]);
}

#[test]
fn answers_that_are_too_large_are_passed_over() {
    let server = Recorder::start(line);
    let (metrics, errors) = gather(&format!("urls = ['{}']\ncontent_length_limit = 5", server.url));
    assert!(metrics.is_empty() && errors.is_empty(), "{metrics:?} {errors:?}");
}

#[test]
fn targets_are_named_by_a_server_and_bear_its_labels() {
    let server = Recorder::start(|request| match request.path.as_str() {
        "/sd" => {
            let host = request.headers.get("Host").unwrap();
            let text = format!(r#"[{{"targets":["{host}/a"],"labels":{{"site":"north"}}}}]"#);
            ServerResponse::with_body(200, "application/json", text)
        }
        _ => line(request),
    });
    let url = &server.url;
    let (metrics, errors) =
        gather(&format!("http_service_discovery = {{enabled = true, url = '{url}/sd'}}"));
    assert!(errors.is_empty(), "{errors:?}");
    assert_eq!(metrics, [format!("m,site=north,url={url}/a v")]);
}

#[test]
fn what_cannot_be_read_is_told_and_counted() {
    let server = Recorder::start(|_| ServerResponse::with_body(200, "text/plain", "nonsense"));
    let statistics = Statistics::default();
    let url = format!("{}/metrics", server.url);
    let mut input = build(&format!("urls = ['{url}']"), &statistics)
        .map_err(|error| error.to_string())
        .unwrap();
    let delivered = Delivered::default();
    let clock = System::real().clock;
    input.gather(&mut Accumulator::new(&delivered, &*clock, Duration::ZERO)).unwrap();
    let errors = delivered.errors.into_inner().unwrap();
    assert!(errors[0].starts_with(&format!("error reading metrics for {url:?}: ")), "{errors:?}");
    let tags = [("status", "failure"), ("url", url.as_str())];
    assert_eq!(statistics.counter("prometheus", "gathers_total", &tags).get(), 1);
}

#[test]
fn what_is_not_there_is_refused() {
    for (text, message) in [
        ("kubernetes_field_selector = 'a=b'", "the field selector \"a\" is not supported"),
        ("content_type_override = 'html'", "invalid 'content_type_override' setting \"html\""),
        (
            "content_type_override = 'openmetrics-protobuf'",
            "content_type_override \"openmetrics-protobuf\" is",
        ),
    ] {
        let error = build(text, &Statistics::default()).err().unwrap().to_string();
        assert!(error.starts_with(message), "{error}");
    }
    let unused = "consul = {enabled = false, agent = 'x'}\nkube_config = 'y'\n\
                  namespace_annotation_pass = {a = ['b']}";
    assert!(build(unused, &Statistics::default()).is_ok());
}
