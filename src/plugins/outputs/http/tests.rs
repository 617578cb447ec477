//! Tests of the output against servers on this machine.

use super::*;
use crate::config::toml;
use crate::http::ServerResponse;
use crate::http::recorder::{Recorded, Recorder};
use crate::metric::Timestamp;
use crate::plugin::{PluginLog, Statistics};
use crate::plugins::FORMATS;
use crate::system::System;

fn build(text: &str) -> Result<Box<dyn Output>, BuildError> {
    let table = toml::parse("test", text).unwrap();
    let log = PluginLog::new("outputs.http");
    (PLUGIN.build)(&Context::new(System::real(), log, Statistics::default(), &table, FORMATS))
}

fn output(text: &str) -> Box<dyn Output> {
    let mut output = build(text).map_err(|error| error.to_string()).unwrap();
    output.connect().unwrap();
    output
}

fn metric(value: i64) -> Metric {
    Metric::new("m", Timestamp::EPOCH).with_field("v", value)
}

fn bad() -> Metric {
    Metric::new("m", Timestamp::EPOCH).with_field("v", f64::NAN)
}

#[test]
fn a_batch_is_one_request_with_the_header_that_is_asked_for() {
    let server = Recorder::start(|_| ServerResponse::new(202));
    let mut output = output(&format!(
        "url = '{}/in?a=b'\nmethod = 'patch'\nusername = 'me'\npassword = 'pw'\n\
         content_encoding = 'gzip'\ndata_format = 'json'\n\
         headers = {{content-type = 'application/json', Host = 'front.example'}}",
        server.url
    ));
    output.write(&[metric(1)]).unwrap();
    let requests = server.take();
    assert_eq!(requests[0].line(), "PATCH /in?a=b");
    assert!(requests[0].body.starts_with("{\"metrics\":["), "{}", requests[0].body);
    for (name, value) in [
        ("Host", "front.example"),
        ("Content-Type", "application/json"),
        ("Content-Encoding", "gzip"),
        ("Authorization", "Basic bWU6cHc="),
        ("User-Agent", USER_AGENT),
    ] {
        assert_eq!(requests[0].headers.get(name), Some(value), "{name}");
    }
}

#[test]
fn any_other_status_is_tried_again_but_for_those_that_are_named() {
    for (status, is_kept) in [(404, true), (500, true), (409, false)] {
        let server = Recorder::start(move |_| {
            ServerResponse::with_body(status, "text/plain", "first\r\nsecond")
        });
        let url = &server.url;
        let error = output(&format!("url = '{url}'\nnon_retryable_statuscodes = [409, 413]"))
            .write(&[metric(1), metric(2)])
            .unwrap_err();
        let text = error.to_string();
        match error {
            WriteError::Retry(_) if is_kept => assert_eq!(
                text,
                format!("when writing to [{url}] received status code: {status}. body: first")
            ),
            WriteError::Partial { retry, rejected, .. } if !is_kept => {
                assert_eq!((retry.len(), rejected.len()), (0, 2));
                let expected = "Received non-retryable status 409. Metrics are lost. body: first";
                assert_eq!(text, expected);
            }
            error => unreachable!("{error}"),
        }
    }
}

#[test]
fn metrics_one_by_one_are_tried_again_from_the_first_that_failed() {
    let answer = |request: &Recorded| {
        ServerResponse::new(if request.body.contains("v=3i") { 500 } else { 200 })
    };
    let server = Recorder::start(answer);
    let mut output = output(&format!("url = '{}'\nuse_batch_format = false", server.url));
    match output.write(&[metric(1), bad(), metric(3), metric(4)]).unwrap_err() {
        WriteError::Partial { retry, rejected, .. } => {
            assert_eq!(retry, [2, 3]);
            assert_eq!(rejected.iter().map(|r| r.index).collect::<Vec<_>>(), [1]);
        }
        error => unreachable!("{error}"),
    }
    let bodies: Vec<_> = server.take().into_iter().map(|request| request.body).collect();
    assert_eq!(bodies, ["m v=1i 0\n", "m v=3i 0\n"]);
}

#[test]
fn metrics_without_a_form_do_not_keep_the_others_back() {
    let server = Recorder::start(|_| ServerResponse::new(200));
    let mut output = output(&format!("url = '{}'", server.url));
    for batch in [vec![bad(), metric(1)], vec![bad()]] {
        match output.write(&batch).unwrap_err() {
            WriteError::Partial { retry, rejected, .. } => {
                assert_eq!((retry.len(), rejected.len()), (0, 1));
            }
            error => unreachable!("{error}"),
        }
    }
    let bodies: Vec<_> = server.take().into_iter().map(|request| request.body).collect();
    assert_eq!(bodies, ["m v=1i 0\n"]);
}

#[test]
fn requests_are_signed_for_a_service_of_amazon() {
    let server = Recorder::start(|_| ServerResponse::new(200));
    let mut output = output(&format!(
        "url = '{}/in'\naws_service = 'aps'\nregion = 'eu-west-1'\naccess_key = 'KEY'\n\
         secret_key = 'hush'\ntoken = 'session'\nheaders = {{Content-Type = 'x/y'}}",
        server.url
    ));
    output.write(&[metric(1)]).unwrap();
    let request = server.take().remove(0);
    let authorization = request.headers.get("Authorization").unwrap();
    let date = request.headers.get("X-Amz-Date").unwrap();
    let expected = format!(
        "AWS4-HMAC-SHA256 Credential=KEY/{}/eu-west-1/aps/aws4_request, \
         SignedHeaders=content-length;host;x-amz-date;x-amz-security-token, Signature=",
        &date[..8]
    );
    assert!(authorization.starts_with(&expected), "{authorization}");
    assert_eq!(request.headers.get("X-Amz-Security-Token"), Some("session"));
    assert_eq!(request.headers.get("Content-Type"), Some("x/y"));
}

#[test]
fn what_is_set_last_proves_who_is_asking() {
    let server = Recorder::start(|_| ServerResponse::new(200));
    let url = &server.url;
    output(&format!(
        "url = '{url}'\naws_service = 'aps'\naccess_key = 'KEY'\nsecret_key = 'hush'\n\
         username = 'me'\npassword = 'pw'"
    ))
    .write(&[metric(1)])
    .unwrap();
    let request = server.take().remove(0);
    assert_eq!(request.headers.get("Authorization"), Some("Basic bWU6cHc="));
    assert!(request.headers.get("X-Amz-Date").is_some());
    let google = format!("url = '{url}'\ngoogle_application_credentials = '/nonexistent'");
    let error = output(&google).write(&[metric(1)]).unwrap_err();
    assert!(matches!(error, WriteError::Retry(_)));
    assert!(error.to_string().ends_with("open /nonexistent: no such file or directory"));
    assert!(server.take().is_empty());
    output(&format!("{google}\nheaders = {{authorization = 'Own x'}}"))
        .write(&[metric(1)])
        .unwrap();
    assert_eq!(server.take()[0].headers.get("Authorization"), Some("Own x"));
}

#[test]
fn a_login_that_fails_is_told_when_the_output_connects() {
    let server = Recorder::start(|_| ServerResponse::status_line(403));
    let mut output = build(&format!("cookie_auth_url = '{}/login'", server.url))
        .map_err(|error| error.to_string())
        .unwrap();
    let error = output.connect().unwrap_err();
    assert!(error.retryable);
    assert!(error.to_string().contains("received status code: 403 (Forbidden)"), "{error}");
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    for (text, message) in [
        ("method = 'GET'", "invalid method [http://127.0.0.1:8080/telegraf] GET"),
        ("url = 'localhost'", "url: parse \"localhost\": missing protocol scheme"),
        (
            "aws_service = 'x'\nprofile = 'nobody'\nregion = 'y'",
            "failed to get shared config profile",
        ),
        ("tls_cipher_suites = ['x']\ninsecure_skip_verify = true", "could not parse cipher"),
    ] {
        let error = build(text).err().unwrap().to_string();
        assert!(error.starts_with(message), "{error}");
    }
}
