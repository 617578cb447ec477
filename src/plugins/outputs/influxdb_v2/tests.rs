//! Tests of the output against servers on this machine.

use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use super::*;
use crate::config::toml;
use crate::http::ServerResponse;
use crate::http::recorder::{Recorded, Recorder};
use crate::metric::Timestamp;
use crate::plugin::{BuildError, Context, Statistics};
use crate::plugins::FORMATS;
use crate::system::System;
use crate::system::fake::FakeClock;

fn build_at(clock: &Arc<FakeClock>, text: &str) -> Result<Box<dyn Output>, BuildError> {
    let table = toml::parse("test", text).unwrap();
    let log = PluginLog::new("outputs.influxdb_v2");
    let system = System { clock: clock.clone(), ..System::real() };
    (PLUGIN.build)(&Context::new(system, log, Statistics::default(), &table, FORMATS))
}

fn clock() -> Arc<FakeClock> {
    Arc::new(FakeClock::at(Timestamp::EPOCH))
}

fn output(text: &str) -> Box<dyn Output> {
    let mut output = build_at(&clock(), text).map_err(|error| error.to_string()).unwrap();
    output.connect().unwrap();
    output
}

fn metric(value: i64) -> Metric {
    Metric::new("m", Timestamp::EPOCH).with_field("v", value)
}

fn no_content(_: &Recorded) -> ServerResponse {
    ServerResponse::new(204)
}

/// What is kept and what is given up, by place in the batch.
fn came_to(result: Result<(), WriteError>) -> (Vec<usize>, Vec<usize>) {
    match result {
        Ok(()) => (Vec::new(), Vec::new()),
        Err(WriteError::Partial { retry, rejected, .. }) => {
            (retry, rejected.iter().map(|rejection| rejection.index).collect())
        }
        Err(WriteError::Retry(error)) => unreachable!("{error}"),
    }
}

#[test]
fn a_batch_is_one_request_with_everything_that_is_asked_for() {
    let server = Recorder::start(no_content);
    let mut output = output(&format!(
        "urls = ['{}/base?x=1']\norganization = 'o g'\nbucket = 'b'\ntoken = 't'\n\
         http_headers = {{x-a = '1'}}\nuser_agent = 'me'",
        server.url
    ));
    output.write(&[metric(1), metric(2)]).unwrap();
    let requests = server.take();
    let lines: Vec<_> = requests.iter().map(Recorded::line).collect();
    assert_eq!(lines, ["POST /base/api/v2/write?bucket=b&org=o g&x=1"]);
    assert_eq!(requests[0].body, "m v=1i 0\nm v=2i 0\n");
    for (name, value) in [
        ("Content-Encoding", "gzip"),
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Authorization", "Token t"),
        ("User-Agent", "me"),
        ("X-A", "1"),
    ] {
        assert_eq!(requests[0].headers.get(name), Some(value), "{name}");
    }
}

#[test]
fn tags_choose_the_bucket() {
    let server = Recorder::start(no_content);
    let mut output = output(&format!(
        "urls = ['{}']\nbucket = 'b'\nbucket_tag = 'to'\nexclude_bucket_tag = true\n\
         content_encoding = 'identity'",
        server.url
    ));
    output
        .write(&[metric(1).with_tag("to", "c"), metric(2), metric(3).with_tag("to", "c")])
        .unwrap();
    let requests = server.take();
    let sent: Vec<_> = requests.iter().map(|r| (r.line(), r.body.clone())).collect();
    assert_eq!(
        sent,
        [
            ("POST /api/v2/write?bucket=c&org=".to_owned(), "m v=1i 0\nm v=3i 0\n".to_owned()),
            ("POST /api/v2/write?bucket=b&org=".to_owned(), "m v=2i 0\n".to_owned()),
        ]
    );
    assert_eq!(requests[0].headers.get("Content-Encoding"), None);
}

#[test]
fn each_status_keeps_or_gives_up() {
    for (status, kept, given_up) in
        [(200, 0, 0), (400, 0, 2), (404, 0, 2), (422, 0, 2), (401, 2, 0), (500, 2, 0), (503, 2, 0)]
    {
        let server = Recorder::start(move |_| ServerResponse::new(status));
        let mut output = output(&format!("urls = ['{}']\nbucket = 'b'", server.url));
        let (retry, rejected) = came_to(output.write(&[metric(1), metric(2)]));
        assert_eq!((retry.len(), rejected.len()), (kept, given_up), "{status}");
    }
}

#[test]
fn what_is_too_large_is_written_in_halves() {
    let server = Recorder::start(|request| {
        let is_large = request.body.lines().count() > 2 || request.body.contains("v=13i");
        ServerResponse::new(if is_large { 413 } else { 204 })
    });
    let mut output = output(&format!("urls = ['{}']\nbucket = 'b'", server.url));
    let batch: Vec<_> = (10..17).map(metric).collect();
    assert_eq!(came_to(output.write(&batch)), (vec![], vec![3]));
    let taken: String = server
        .take()
        .into_iter()
        .filter(|r| r.body.lines().count() <= 2 && !r.body.contains("v=13i"))
        .map(|r| r.body)
        .collect();
    assert_eq!(taken, "m v=10i 0\nm v=11i 0\nm v=12i 0\nm v=14i 0\nm v=15i 0\nm v=16i 0\n");
}

#[test]
fn a_server_that_asks_for_a_pause_gets_it() {
    let status = Arc::new(AtomicU16::new(429));
    let current = status.clone();
    let server = Recorder::start(move |_| {
        ServerResponse::new(current.load(Ordering::SeqCst)).with_header("Retry-After", "30")
    });
    let clock = clock();
    let text = format!("urls = ['{}']\nbucket = 'b'\nbucket_tag = 'to'", server.url);
    let mut output = build_at(&clock, &text).map_err(|error| error.to_string()).unwrap();
    let batch = [metric(1), metric(2).with_tag("to", "c")];
    assert_eq!(came_to(output.write(&batch)), (vec![0, 1], vec![]));
    assert_eq!(server.take().len(), 1);
    status.store(204, Ordering::SeqCst);
    let error = output.write(&batch).unwrap_err().to_string();
    assert_eq!(error, "failed to send metrics to any configured server(s)");
    assert_eq!(server.take().len(), 0);
    clock.advance(Duration::from_secs(30));
    output.write(&batch).unwrap();
    assert_eq!(server.take().len(), 2);
}

#[test]
fn what_is_over_the_rate_limit_waits_for_the_next_period() {
    let server = Recorder::start(no_content);
    let clock = clock();
    let text = format!(
        "urls = ['{}']\nbucket = 'b'\nrate_limit = '20B'\nrate_limit_period = '1m'",
        server.url
    );
    let mut output = build_at(&clock, &text).map_err(|error| error.to_string()).unwrap();
    // Nine bytes each.
    let batch = [metric(1), metric(2), metric(3)];
    let result = output.write(&batch);
    assert_eq!(result.as_ref().unwrap_err().to_string(), "size limit reached");
    assert_eq!(came_to(result), (vec![2], vec![]));
    assert_eq!(server.take()[0].body, "m v=1i 0\nm v=2i 0\n");
    assert_eq!(came_to(output.write(&batch[2..])), (vec![0], vec![]));
    assert_eq!(server.take().len(), 0);
    clock.advance(Duration::from_secs(60));
    output.write(&batch[2..]).unwrap();
    assert_eq!(server.take()[0].body, "m v=3i 0\n");
}

#[test]
fn several_requests_at_a_time_carry_the_whole_batch() {
    let server = Recorder::start(no_content);
    let mut output =
        output(&format!("urls = ['{}']\nbucket = 'b'\nconcurrent_writes = 3", server.url));
    let batch: Vec<_> = (0..10).map(metric).collect();
    output.write(&batch).unwrap();
    let requests = server.take();
    let mut sizes: Vec<_> = requests.iter().map(|r| r.body.lines().count()).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [2, 4, 4]);
}

#[test]
fn the_next_server_is_asked_where_one_does_not_answer() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let server = Recorder::start(no_content);
    let mut output = output(&format!("urls = ['http://{free}', '{}']\nbucket = 'b'", server.url));
    for _ in 0..10 {
        output.write(&[metric(1)]).unwrap();
    }
    assert_eq!(server.take().len(), 10);
}

#[test]
fn metrics_without_a_form_do_not_keep_the_others_back() {
    let server = Recorder::start(no_content);
    let mut output = output(&format!("urls = ['{}']\nbucket = 'b'", server.url));
    let bad = Metric::new("m", Timestamp::EPOCH).with_field("v", f64::NAN);
    assert_eq!(came_to(output.write(&[bad.clone(), metric(1)])), (vec![], vec![0]));
    assert_eq!(server.take()[0].body, "m v=1i 0\n");
    assert_eq!(came_to(output.write(&[bad])), (vec![], vec![0]));
    assert_eq!(server.take().len(), 0);
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    for (text, message) in [
        ("urls = ['localhost']", "urls: parse \"localhost\": missing protocol scheme"),
        ("urls = ['udp://h']", "unsupported scheme [\"udp://h\"]: \"udp\""),
        ("content_encoding = 'br'", "invalid content encoding \"br\""),
        ("rate_limit = '1MB'", "invalid period for rate-limit"),
    ] {
        let error = build_at(&clock(), text).err().unwrap().to_string();
        assert!(error.starts_with(message), "{error}");
    }
}
