//! Tests of the input through its server; what is expected is what Telegraf 1.40 answered.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::Duration;

use super::*;
use crate::config::toml;
use crate::http::{Client, ClientSettings, Request, Response, Url, basic_credentials, gzip};
use crate::metric::{Metric, Timestamp};
use crate::plugin::{BuildError, Context, Deliver, Statistics};
use crate::plugins::FORMATS;
use crate::system::fake::FakeClock;

/// A quarter past midnight, and a little.
const NOW: Timestamp = Timestamp::from_nanos(900_123_456_789);

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
    statistics: Statistics,
    client: Client,
    address: SocketAddr,
}

fn build(text: &str, statistics: &Statistics) -> Result<Box<dyn Input>, BuildError> {
    let table = toml::parse("test", text).unwrap();
    let log = PluginLog::new("inputs.influxdb_listener");
    let system = System { clock: Arc::new(FakeClock::at(NOW)), ..System::real() };
    (PLUGIN.build)(&Context::new(system, log, statistics.clone(), &table, FORMATS))
}

fn start(text: &str) -> Running {
    loop {
        // A port that was free a moment ago; somebody else may come first.
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr();
        let address = free.unwrap();
        let statistics = Statistics::default();
        let text = format!("service_address = '{address}'\n{text}");
        let mut input = build(&text, &statistics).map_err(|error| error.to_string()).unwrap();
        let delivered = Arc::new(Delivered::default());
        let log = PluginLog::new("inputs.influxdb_listener");
        let clock = Arc::new(FakeClock::at(NOW));
        let accumulator = ServiceAccumulator::new(delivered.clone(), clock, Duration::ZERO, log);
        if input.start(accumulator).is_ok() {
            let client = Client::new(ClientSettings::default(), System::real().clock).unwrap();
            return Running { input, delivered, statistics, client, address };
        }
    }
}

impl Running {
    fn send(&self, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Response {
        let url = Url::parse(&format!("http://{}{target}", self.address)).unwrap();
        let mut request = Request::new("POST", url, body);
        headers.iter().for_each(|(name, value)| request.headers.set(name, *value));
        self.client.send(&request).unwrap()
    }

    /// Status, the error in the header, and the body.
    fn told(&self, target: &str, body: &[u8]) -> (u16, String, String) {
        let response = self.send(target, &[], body);
        let error = response.headers.get("X-Influxdb-Error").unwrap_or_default().to_owned();
        (response.status, error, String::from_utf8(response.body).unwrap())
    }

    /// Name, tags and time of what came since the last time.
    fn taken(&self) -> Vec<String> {
        let metrics = std::mem::take(&mut *self.delivered.0.lock().unwrap());
        let show = |metric: &Metric| {
            let tags = metric.tags().iter().map(|tag| format!(",{}={}", tag.key, tag.value));
            format!("{}{} {}", metric.name, tags.collect::<String>(), metric.time.nanos())
        };
        metrics.iter().map(show).collect()
    }

    fn counters(&self) -> Vec<(&'static str, u64)> {
        let all = self.statistics.all();
        let all = all.iter().filter(|each| each.measurement == "influxdb_listener");
        all.map(|each| (each.field, each.number.take())).filter(|(_, n)| *n > 0).collect()
    }
}

#[test]
fn metrics_get_the_database_and_the_retention_policy_as_tags() {
    let mut running = start("database_tag = 'db'\nretention_policy_tag = 'rp'");
    let (status, error, body) = running.told("/write?db=d%201&rp=r", b"m,db=x v=1 7\nn v=1 8");
    assert_eq!((status, error.as_str(), body.as_str()), (204, "", ""));
    assert_eq!(running.taken(), ["m,db=d 1,rp=r 7", "n,db=d 1,rp=r 8"]);
    running.told("/write?rp=", b"m,db=x v=1 7");
    assert_eq!(running.taken(), ["m,db=x 7"]);
    running.input.stop();
}

#[test]
fn times_are_in_the_unit_that_the_caller_names() {
    let running = start("");
    for (precision, read, now) in [
        ("", 2_i64, 900_123_456_789_i64),
        ("ns", 2, 900_123_456_789),
        ("us", 2, 900_123_456_789),
        ("u", 2_000, 900_123_456_000),
        ("ms", 2_000_000, 900_123_000_000),
        ("s", 2_000_000_000, 900_000_000_000),
        ("m", 120_000_000_000, 900_000_000_000),
        ("h", 7_200_000_000_000, 0),
    ] {
        let (status, ..) =
            running.told(&format!("/write?precision={precision}"), b"m v=1 2\nn v=1");
        assert_eq!(status, 204);
        assert_eq!(running.taken(), [format!("m {read}"), format!("n {now}")], "{precision}");
    }
    let running = start("parser_type = 'upstream'");
    let expected = "time precision 'h' is not supported";
    assert_eq!(
        running.told("/write?precision=h", b"m v=1 2"),
        (400, expected.to_owned(), format!("{{\"error\":\"{expected}\"}}"))
    );
    assert_eq!(running.told("/write?precision=s", b"m v=1 2").0, 204);
}

#[test]
fn lines_that_are_wrong_are_told_and_the_others_taken() {
    let running = start("");
    let (status, error, body) = running.told("/write", b"m v=1 1\nbad\n\"q v=1 2\nbad,x v\n");
    let expected = "metric parse error: expected tag at 2:4: \"bad\" (and 1 other parse error)";
    assert_eq!((status, error.as_str()), (400, expected));
    let expected = "{\"error\":\"metric parse error: expected tag at 2:4: \\\"bad\\\" \
                    (and 1 other parse error)\"}";
    assert_eq!(body, expected);
    assert_eq!(running.taken(), ["m 1", "\"q 2"]);
}

#[test]
fn bodies_may_be_packed_and_are_bounded_as_they_are_sent() {
    let running = start("max_body_size = '60B'");
    let packed = gzip(&b"m v=1 1\n".repeat(100)).unwrap();
    assert!(packed.len() <= 60);
    let header = [("Content-Encoding", "gzip")];
    assert_eq!(running.send("/write", &header, &packed).status, 204);
    assert_eq!(running.taken().len(), 100);
    let response = running.send("/write", &header, &packed[..20]);
    assert_eq!(response.body, b"{\"error\":\"unexpected EOF\"}");
    // As far as it could be unpacked.
    assert_eq!(running.taken(), ["m 1"]);
    let response = running.send("/write", &header, b"");
    assert_eq!(response.body, b"{\"error\":\"EOF\"}");
    let response = running.send("/write", &header, b"m v=1 and no gzip");
    assert_eq!(response.body, b"{\"error\":\"gzip: invalid header\"}");
    let long = b"m v=1 1\n".repeat(10);
    let large = "http: request body too large".to_owned();
    let expected = (413, large.clone(), format!("{{\"error\":\"{large}\"}}"));
    assert_eq!(running.told("/write", &long), expected);
    let just = &long[..56];
    assert_eq!(running.told("/write", just).0, 204);
    assert_eq!(running.taken().len(), 7);
}

#[test]
fn a_body_of_unknown_length_that_becomes_too_large_is_taken_as_far_as_it_goes() {
    use std::io::{Read, Write};
    let running = start("max_body_size = '20B'");
    let mut stream = std::net::TcpStream::connect(running.address).unwrap();
    let request = "POST /write HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n\
                   18\r\nm v=1 1\nm v=1 2\nm v=1 3\n\r\n0\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(answer.ends_with("{\"error\":\"http: request body too large\"}"), "{answer}");
    assert_eq!(running.taken(), ["m 1", "m 2"]);
}

#[test]
fn pings_and_queries_are_answered_and_all_is_counted() {
    let running = start("basic_username = 'me'\nbasic_password = 'pw'");
    let response = running.send("/ping", &[], b"");
    assert_eq!((response.status, response.headers.get("X-Influxdb-Version")), (204, Some("1.0")));
    for (verbose, status) in [("", 204), ("0", 204), ("false", 204), ("1", 200)] {
        let (told, _, body) = running.told(&format!("/ping?verbose={verbose}"), b"");
        let expected = if status == 200 { "{\"version\":\"1.0\"}" } else { "" };
        assert_eq!((told, body.as_str()), (status, expected));
    }
    let authorization = basic_credentials("me", "pw");
    for headers in [[("Authorization", authorization.as_str())], [("Authorization", "Token me:pw")]]
    {
        assert_eq!(running.send("/query", &headers, b"").body, b"{\"results\":[]}");
        assert_eq!(running.send("/write", &headers, b"m v=1\n").status, 204);
        let response = running.send("/other", &headers, b"");
        let expected = &b"404 page not found\n"[..];
        assert_eq!((response.status, response.body.as_slice()), (404, expected));
    }
    for path in ["/query", "/write", "/other"] {
        let response = running.send(path, &[], b"m v=1");
        assert_eq!((response.status, response.body.as_slice()), (401, &b"Unauthorized\n"[..]));
        let challenge = response.headers.get("WWW-Authenticate");
        assert_eq!(challenge, Some("Basic realm=\"influxdb\""));
    }
    assert_eq!(
        running.counters(),
        [
            ("bytes_received", 12),
            ("requests_served", 14),
            ("writes_served", 2),
            ("queries_served", 2),
            ("pings_served", 5),
            ("requests_received", 14),
            ("not_founds_served", 2),
            ("auth_failures", 3),
        ]
    );
}

#[test]
fn callers_may_have_to_bear_a_token() {
    let running = start("token_shared_secret = 'hush'\ntoken_username = 'bob'");
    let token = "Bearer eyJhbGciOiJIUzI1NiJ9.eyJ1c2VybmFtZSI6ImJvYiJ9.\
                 HeVd_YX9C0QOuur28k1mH6jJv_BSZTKAum8h81PPzmk";
    for (header, value, status, body) in [
        ("Authentication", token, 204, ""),
        ("Authorization", token, 401, "Unauthorized\n"),
        ("Authentication", &token[7..], 401, "Unauthorized\n"),
        (
            "Authentication",
            &token[..token.len() - 1],
            401,
            "invalid token: token signature is invalid: signature is invalid\n",
        ),
    ] {
        let response = running.send("/write", &[(header, value)], b"m v=1");
        let told = String::from_utf8(response.body).unwrap();
        assert_eq!((response.status, told.as_str()), (status, body));
    }
    assert_eq!(running.send("/ping", &[], b"").status, 204);
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    for (text, message) in [
        (
            "basic_username = 'a'\ntoken_username = 'b'",
            "cannot use basic-auth and tokens at the same time",
        ),
        ("token_username = 'b'", "neither 'token_shared_secret' nor 'token_username' can be empty"),
        ("tls_cert = '/nonexistent'\ntls_key = 'x'", "could not load certificate"),
    ] {
        let error = build(text, &Statistics::default()).err().unwrap().to_string();
        assert!(error.starts_with(message), "{error}");
    }
}
