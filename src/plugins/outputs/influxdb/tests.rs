//! Tests of the output against servers on this machine.

use std::net::UdpSocket;

use super::*;
use crate::config::toml;
use crate::http::ServerResponse;
use crate::http::recorder::{Recorded, Recorder};
use crate::metric::Timestamp;
use crate::plugin::{BuildError, Context, Statistics};
use crate::plugins::FORMATS;
use crate::system::System;

fn build(text: &str) -> Result<Box<dyn Output>, BuildError> {
    let table = toml::parse("test", text).unwrap();
    let log = PluginLog::new("outputs.influxdb");
    let context = Context::new(System::real(), log, Statistics::default(), &table, FORMATS);
    (PLUGIN.build)(&context)
}

fn output(text: &str) -> Box<dyn Output> {
    let mut output = build(text).map_err(|error| error.to_string()).unwrap();
    output.connect().unwrap();
    output
}

fn metric(value: i64) -> Metric {
    Metric::new("m", Timestamp::EPOCH).with_field("v", value)
}

fn no_content(_: &Recorded) -> ServerResponse {
    ServerResponse::new(204)
}

fn json(status: u16, text: &str) -> ServerResponse {
    ServerResponse::with_body(status, "application/json", text)
}

fn lines(recorded: &[Recorded]) -> Vec<String> {
    recorded.iter().map(Recorded::line).collect()
}

#[test]
fn a_batch_is_one_request_with_everything_that_is_asked_for() {
    let server = Recorder::start(no_content);
    let url = &server.url;
    let mut output = output(&format!(
        "urls = ['{url}/base']\ndatabase = 'd b'\nretention_policy = 'rp'\nusername = 'me'\n\
         password = 'pw'\nwrite_consistency = 'all'\nhttp_headers = {{x-a = '1'}}\n"
    ));
    output.write(&[metric(1), metric(2)]).unwrap();
    let requests = server.take();
    assert_eq!(
        lines(&requests),
        ["POST /base/query?", "POST /base/write?consistency=all&db=d b&rp=rp"]
    );
    assert_eq!(requests[0].body, "q=CREATE+DATABASE+%22d+b%22");
    let write = &requests[1];
    assert_eq!(write.body, "m v=1i 0\nm v=2i 0\n");
    for (name, value) in [
        ("Content-Encoding", "gzip"),
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Authorization", "Basic bWU6cHc="),
        ("User-Agent", crate::http::USER_AGENT),
        ("X-A", "1"),
    ] {
        assert_eq!(write.headers.get(name), Some(value), "{name}");
    }
}

#[test]
fn tags_choose_the_database_which_is_created_when_it_is_met_first() {
    let server = Recorder::start(|request| match request.path.as_str() {
        "/query" => json(200, "{}"),
        _ => ServerResponse::new(204),
    });
    let mut output = output(&format!(
        "urls = ['{}']\ndatabase_tag = 'db'\nexclude_database_tag = true\n\
         retention_policy_tag = 'rp'\ncontent_encoding = 'identity'",
        server.url
    ));
    let batch = [
        metric(1).with_tag("db", "a"),
        metric(2),
        metric(3).with_tag("db", "a"),
        metric(4).with_tag("db", "a").with_tag("rp", "week"),
    ];
    output.write(&batch).unwrap();
    output.write(&batch[..1]).unwrap();
    let requests = server.take();
    assert_eq!(
        lines(&requests),
        [
            "POST /query?",
            "POST /query?",
            "POST /write?db=a",
            "POST /write?db=telegraf",
            "POST /write?db=a&rp=week",
            "POST /write?db=a",
        ]
    );
    assert_eq!(requests[2].body, "m v=1i 0\nm v=3i 0\n");
    assert_eq!(requests[4].body, "m,rp=week v=4i 0\n");
    assert_eq!(requests[2].headers.get("Content-Encoding"), None);
}

#[test]
fn a_database_that_is_missing_is_created_and_the_batch_tried_again() {
    let server = Recorder::start(|request| match request.path.as_str() {
        "/query" => json(200, "{}"),
        _ => json(404, r#"{"error":"database not found: \"telegraf\""}"#),
    });
    let text = format!("urls = ['{}']\n", server.url);
    let error = output(&text).write(&[metric(1)]).unwrap_err();
    assert!(matches!(error, WriteError::Retry(_)));
    assert_eq!(error.to_string(), "database created; retry write");
    assert_eq!(lines(&server.take()), ["POST /query?", "POST /write?db=telegraf", "POST /query?"]);

    let mut output = output(&format!("{text}skip_database_creation = true"));
    match output.write(&[metric(1), metric(2)]).unwrap_err() {
        WriteError::Partial { retry, rejected, .. } => {
            assert_eq!((retry.len(), rejected.len()), (0, 2));
        }
        error => unreachable!("{error}"),
    }
    assert_eq!(lines(&server.take()), ["POST /write?db=telegraf"]);
}

#[test]
fn what_is_refused_is_given_up_and_what_fails_is_tried_again_later() {
    for (status, retried, rejected) in [(400, 0, 2), (401, 0, 2), (500, 2, 0), (503, 2, 0)] {
        let server = Recorder::start(move |_| ServerResponse::new(status));
        let text = format!("urls = ['{}']\nskip_database_creation = true", server.url);
        let came_to = match output(&text).write(&[metric(1), metric(2)]) {
            Err(WriteError::Retry(error)) => {
                assert_eq!(error.to_string(), "could not write any address");
                (2, 0)
            }
            Err(WriteError::Partial { retry, rejected, .. }) => (retry.len(), rejected.len()),
            Ok(()) => (0, 0),
        };
        assert_eq!(came_to, (retried, rejected), "{status}");
    }
}

#[test]
fn the_next_server_is_tried_with_what_is_left() {
    let good = Recorder::start(no_content);
    let bad = Recorder::start(|request| {
        ServerResponse::new(if request.line().contains("db=a") { 204 } else { 500 })
    });
    let mut output = output(&format!(
        "urls = ['{}', '{}']\nskip_database_creation = true\ndatabase_tag = 'db'",
        good.url, bad.url
    ));
    let batch = [metric(1).with_tag("db", "a"), metric(2).with_tag("db", "b")];
    // Whichever comes first by chance, everything arrives once.
    let mut arrived = [0, 0];
    for _ in 0..20 {
        output.write(&batch).unwrap();
        let taken = [good.take(), bad.take()].concat();
        arrived[0] += taken.iter().filter(|request| request.line().contains("db=a")).count();
        arrived[1] += bad.take().len();
    }
    assert_eq!(arrived, [20, 0]);
}

#[test]
fn metrics_without_a_form_do_not_keep_the_others_back() {
    let server = Recorder::start(no_content);
    let mut output = output(&format!("urls = ['{}']\nskip_database_creation = true", server.url));
    let bad = Metric::new("m", Timestamp::EPOCH).with_field("v", f64::NAN);
    match output.write(&[bad, metric(1)]).unwrap_err() {
        WriteError::Partial { retry, rejected, .. } => {
            assert!(retry.is_empty());
            assert_eq!(rejected.iter().map(|r| r.index).collect::<Vec<_>>(), [0]);
        }
        error => unreachable!("{error}"),
    }
    assert_eq!(server.take()[0].body, "m v=1i 0\n");
}

#[test]
fn datagrams_carry_a_line_each_that_fits() {
    let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
    receiver.set_read_timeout(Some(std::time::Duration::from_secs(10))).unwrap();
    let address = receiver.local_addr().unwrap();
    let mut output = output(&format!("urls = ['udp://{address}']\nudp_payload = '20B'"));
    let long = Metric::new("m", Timestamp::EPOCH)
        .with_field("a", 1_000_000_i64)
        .with_field("b", 2_000_000_i64);
    output.write(&[metric(1), long]).unwrap();
    let mut buffer = [0; 100];
    for expected in ["m v=1i 0\n", "m a=1000000i 0\n", "m b=2000000i 0\n"] {
        let length = receiver.recv(&mut buffer).unwrap();
        assert_eq!(std::str::from_utf8(&buffer[..length]).unwrap(), expected);
    }
}

#[test]
fn sockets_of_files_are_written_to() {
    use crate::http::{Incoming, ListenAddress, Server, ServerSettings};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("influx.sock");
    let listener = ListenAddress::Unix(path.clone(), None).listen().unwrap();
    let handler = |request: &mut Incoming<'_>| {
        let is_right = request.path() == "/write"
            && request.headers().get("Host") == Some("127.0.0.1")
            && request.query() == [("db".to_owned(), "telegraf".to_owned())];
        ServerResponse::new(if is_right { 204 } else { 500 })
    };
    let clock = System::real().clock;
    let _server = Server::start(listener, ServerSettings::default(), None, handler, clock).unwrap();
    let text = format!("urls = ['unix://{}']\nskip_database_creation = true", path.display());
    output(&text).write(&[metric(1)]).unwrap();
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    for (text, message) in [
        ("urls = ['localhost']", "urls: parse \"localhost\": missing protocol scheme"),
        ("urls = ['ftp://h']", "unsupported scheme [\"ftp://h\"]: \"ftp\""),
        ("http_proxy = 'x'", "http_proxy: parse \"x\": missing protocol scheme"),
        ("local_address = 'nosuch.invalid'", "cannot resolve local address"),
        ("tls_ca = '/nonexistent'", "could not read certificate \"/nonexistent\""),
    ] {
        let error = build(text).err().unwrap().to_string();
        assert!(error.starts_with(message), "{error}");
    }
}
