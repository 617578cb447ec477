//! Tests of the output through its server; what is expected is what Telegraf 1.40 answered.

use std::net::SocketAddr;
use std::sync::Mutex;

use super::*;
use crate::config::toml;
use crate::http::{Client, ClientSettings, Request, Response, Url, basic_credentials, decode};
use crate::metric::{Timestamp, ValueType};
use crate::plugin::secrets::{Lifetime, SecretStores};
use crate::plugin::{BuildError, Context, PluginError, SecretStore, Statistics};
use crate::plugins::FORMATS;
use crate::plugins::tests::metrics;
use crate::system::fake::FakeClock;
use crate::system::{Secret, System};

/// Without what is told about the agent itself.
const PLAIN: &str = "collectors_exclude = ['gocollector', 'process']\n";

struct Running {
    output: Box<dyn Output>,
    clock: Arc<FakeClock>,
    client: Client,
    address: SocketAddr,
}

fn build(clock: &Arc<FakeClock>, text: &str) -> Result<Box<dyn Output>, BuildError> {
    let table = toml::parse("test", text).unwrap();
    let log = PluginLog::new("outputs.prometheus_client");
    let system = System { clock: clock.clone(), ..System::real() };
    let mut stores = SecretStores::default();
    assert!(stores.add("s", Box::new(Changing)).is_ok());
    let context = Context::new(system, log, Statistics::default(), &table, FORMATS);
    (PLUGIN.build)(&context.with_secrets(stores))
}

/// A store whose only secret is what [`SECRET`] is at the moment; none if it is `gone`.
struct Changing;

static SECRET: Mutex<&str> = Mutex::new("pw");

impl SecretStore for Changing {
    fn get(&self, _: &str) -> Result<Secret, PluginError> {
        match *SECRET.lock().unwrap() {
            "gone" => Err("not found".into()),
            secret => Ok(Secret::new(secret)),
        }
    }

    fn list(&self) -> Result<Vec<String>, PluginError> {
        Ok(Vec::new())
    }

    fn lifetime(&self) -> Lifetime {
        Lifetime::Dynamic
    }
}

/// A port that was free a moment ago.
fn free_address() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn start(text: &str) -> Running {
    let clock = Arc::new(FakeClock::at(Timestamp::EPOCH));
    loop {
        let address = free_address();
        let text = format!("listen = 'http://{address}'\n{PLAIN}{text}");
        let mut output = build(&clock, &text).map_err(|error| error.to_string()).unwrap();
        // Somebody else may have come first.
        if output.connect().is_ok() {
            let client = Client::new(ClientSettings::default(), System::real().clock).unwrap();
            return Running { output, clock, client, address };
        }
    }
}

impl Running {
    fn write(&mut self, lines: &str) {
        self.output.write(&metrics(lines)).unwrap();
    }

    fn ask(&self, target: &str, headers: &[(&str, &str)]) -> Response {
        let url = Url::parse(&format!("http://{}{target}", self.address)).unwrap();
        let mut request = Request::new("GET", url, b"");
        headers.iter().for_each(|(name, value)| request.headers.set(name, *value));
        self.client.send(&request).unwrap()
    }

    fn text(&self, target: &str) -> String {
        let response = self.ask(target, &[]);
        assert_eq!(response.status, 200);
        String::from_utf8(response.body).unwrap()
    }

    /// The samples that are told, without what describes them.
    fn samples(&self) -> String {
        let text = self.text("/metrics");
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        samples.collect::<Vec<_>>().join("\n")
    }
}

const LINES: &str = "cpu,host=a,cpu-no=1 idle=1.5,user=2i,on=true,note=\"x\"\n\
                     cpu,host=b idle=1e21\nmem value=3u";

#[test]
fn series_are_named_by_metric_and_field_and_have_the_same_labels() {
    let mut running = start("");
    running.write(LINES);
    assert_eq!(
        running.text("/metrics"),
        "# HELP cpu_idle Telegraf collected metric\n# TYPE cpu_idle untyped\n\
         cpu_idle{cpu_no=\"\",host=\"b\",note=\"\"} 1e+21\n\
         cpu_idle{cpu_no=\"1\",host=\"a\",note=\"x\"} 1.5\n\
         # HELP cpu_user Telegraf collected metric\n# TYPE cpu_user untyped\n\
         cpu_user{cpu_no=\"1\",host=\"a\",note=\"x\"} 2\n\
         # HELP mem Telegraf collected metric\n# TYPE mem untyped\nmem 3\n"
    );
}

#[test]
fn series_of_version_two_have_their_own_labels_and_switches() {
    let mut running = start("metric_version = 2\nstring_as_label = false");
    running.write(LINES);
    assert_eq!(
        running.samples(),
        "cpu_idle{host=\"b\"} 1e+21\ncpu_idle{cpu_no=\"1\",host=\"a\"} 1.5\n\
         cpu_on{cpu_no=\"1\",host=\"a\"} 1\ncpu_user{cpu_no=\"1\",host=\"a\"} 2\nmem_value 3"
    );
}

#[test]
fn of_one_time_the_first_sample_of_a_batch_counts_in_version_one_and_the_last_in_two() {
    for (version, expected) in [(1, "m_a 2"), (2, "m_a 3")] {
        let mut running = start(&format!("metric_version = {version}"));
        running.write("m a=1 1\nm a=2 2\nm a=3 2\nm a=4 1");
        assert_eq!(running.samples(), expected);
    }
}

#[test]
fn distributions_are_fields_of_one_metric_in_version_one() {
    let mut running = start("");
    let metric = |name: &str, value_type| {
        Metric::new(name, Timestamp::EPOCH)
            .with_type(value_type)
            .with_tag("le", "x")
            .with_field("sum", 7.5)
            .with_field("count", 5_i64)
            .with_field("0.99", 2.5)
            .with_field("0.5", 1.5)
            .with_field("other", 9.0)
    };
    let batch = [metric("h", ValueType::Histogram), metric("s", ValueType::Summary)];
    running.output.write(&batch).unwrap();
    assert_eq!(
        running.samples(),
        "h_bucket{le=\"x\",le=\"0.5\"} 1\nh_bucket{le=\"x\",le=\"0.99\"} 2\n\
         h_bucket{le=\"x\",le=\"+Inf\"} 5\nh_sum{le=\"x\"} 7.5\nh_count{le=\"x\"} 5\n\
         s{le=\"x\",quantile=\"0.5\"} 1.5\ns{le=\"x\",quantile=\"0.99\"} 2.5\n\
         s_sum{le=\"x\"} 7.5\ns_count{le=\"x\"} 5"
    );
}

#[test]
fn fields_of_counters_and_gauges_may_go_without_their_names() {
    let mut running = start("[metric_types]\ncounter = ['*_total', 'g*']\ngauge = ['g_gauged']");
    let metric = |name: &str, value_type, field: &str| {
        Metric::new(name, Timestamp::EPOCH).with_type(value_type).with_field(field, 1.0)
    };
    running
        .output
        .write(&[
            metric("c", ValueType::Counter, "counter"),
            metric("d", ValueType::Gauge, "gauge"),
            metric("e", ValueType::Gauge, "counter"),
            metric("f", ValueType::Untyped, "a_total"),
            metric("g", ValueType::Untyped, "gauged"),
        ])
        .unwrap();
    let text = running.text("/metrics");
    let types: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
    let expected = ["c counter", "d gauge", "e_counter gauge", "f_a_total counter"];
    assert_eq!(types[..4], expected);
    assert_eq!(types[4..], ["g_gauged gauge"]);
}

#[test]
fn what_does_not_come_again_is_forgotten() {
    for version in [1, 2] {
        let mut running =
            start(&format!("metric_version = {version}\nexpiration_interval = '30s'"));
        running.write("m a=1\nm,x=1 a=2,b=3");
        running.clock.advance(Span::from_secs(20));
        running.write("m a=4");
        running.clock.advance(Span::from_secs(10));
        assert_eq!(running.samples().lines().count(), 3);
        running.clock.advance(Span::from_nanos(1));
        assert_eq!(running.samples(), "m_a 4");
        running.clock.advance(Span::from_secs(20));
        assert_eq!(running.samples(), "");
    }
    let mut running = start("expiration_interval = '0s'");
    running.write("m a=1");
    running.clock.advance(Span::from_secs(1_000_000));
    assert_eq!(running.samples(), "m_a 1");
}

#[test]
fn times_are_told_if_that_is_asked_for() {
    for version in [1, 2] {
        let mut running = start(&format!("metric_version = {version}\nexport_timestamp = true"));
        running.write("m a=1 1700000000123456789");
        assert_eq!(running.samples(), "m_a 1 1700000000123");
    }
}

#[test]
fn answers_are_packed_and_names_written_as_the_caller_asks_for() {
    let mut running = start("name_sanitization = 'utf8'\nhttp_headers = {X-Own = '1'}");
    running.write("a.b c-d=1");
    let headers = [("Accept-Encoding", "gzip"), ("Accept", "text/plain;escaping=allow-utf-8")];
    let response = running.ask("/metrics", &headers);
    assert_eq!(response.headers.get("Content-Encoding"), Some("gzip"));
    assert_eq!(
        response.headers.get("Content-Type"),
        Some("text/plain; version=0.0.4; charset=utf-8; escaping=allow-utf-8")
    );
    assert_eq!(response.headers.get("X-Own"), Some("1"));
    let body = decode("gzip", response.body, 1 << 20).unwrap();
    assert!(String::from_utf8(body).unwrap().ends_with("\n{\"a.b_c-d\"} 1\n"));
    assert_eq!(running.samples(), "a_b_c_d 1");
}

#[test]
fn other_paths_tell_what_this_is_and_families_can_be_picked() {
    let mut running = start("path = '/m/'");
    running.write("m a=1,b=2,c=3");
    let response = running.ask("/", &[]);
    assert_eq!(
        (response.status, response.body.as_slice()),
        (200, b"Telegraf Output Plugin: Prometheus Client ".as_slice())
    );
    let text = running.text("/m/below?name[]=m_a&name[]=m_c");
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    assert_eq!(samples.collect::<Vec<_>>(), ["m_a 1", "m_c 3"]);
}

#[test]
fn callers_have_to_know_the_password_and_be_in_a_network() {
    let running = start("basic_username = 'me'\nbasic_password = 'pw'\nip_range = ['127.0.0.0/8']");
    let response = running.ask("/metrics", &[]);
    assert_eq!((response.status, response.body.as_slice()), (401, &b"Unauthorized\n"[..]));
    let challenge = response.headers.get("WWW-Authenticate");
    assert_eq!(challenge, Some("Basic realm=\"prometheus\""));
    let authorization = basic_credentials("me", "pw");
    let headers = [("Authorization", authorization.as_str())];
    assert_eq!(running.ask("/metrics", &headers).status, 200);
    let running = start("basic_password = '@{s:k}'\nhttp_headers = {X-Own = '<@{s:k}>'}");
    // A password that has come to be empty, or is not there any more, lets nobody in.
    for (secret, known, expected) in [
        ("pw", "pw", 200),
        ("new", "pw", 401),
        ("new", "new", 200),
        ("", "", 401),
        ("gone", "", 500),
    ] {
        *SECRET.lock().unwrap() = secret;
        let authorization = basic_credentials("", known);
        let response = running.ask("/metrics", &[("Authorization", &authorization)]);
        assert_eq!(response.status, expected, "{secret} {known}");
        if expected == 200 {
            let own = format!("<{secret}>");
            assert_eq!(response.headers.get("X-Own"), Some(own.as_str()));
        }
    }
    let running = start("ip_range = ['10.0.0.0/8']");
    for path in ["/", "/metrics"] {
        let response = running.ask(path, &[]);
        assert_eq!((response.status, response.body.as_slice()), (403, &b"Forbidden\n"[..]));
    }
}

#[test]
fn the_agent_itself_is_told_about() {
    let mut running = start("");
    running.write("process open_fds=1i,other=2i");
    assert!(running.text("/metrics").contains("\nprocess_open_fds 1\n"));
    drop(running);
    let running = start("").with("collectors_exclude = ['gocollector']");
    let text = running.text("/metrics");
    for name in [
        "process_cpu_seconds_total",
        "process_max_fds",
        "process_open_fds",
        "process_resident_memory_bytes",
        "process_start_time_seconds",
        "process_virtual_memory_bytes",
    ] {
        let sample = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        assert!(sample.trim().parse::<f64>().unwrap() >= 0.0, "{name}{sample}");
    }
    assert!(!text.contains("go_"));
}

impl Running {
    /// The same with other options.
    fn with(mut self, text: &str) -> Running {
        self.output.close().unwrap();
        let text = format!("listen = '{}'\n{text}", self.address);
        self.output = build(&self.clock, &text).map_err(|error| error.to_string()).unwrap();
        self.output.connect().unwrap();
        self
    }
}

#[test]
fn labels_that_prometheus_keeps_for_itself_cost_their_series() {
    let mut running = start("metric_version = 2");
    running.write("m,__x=1 a=1\nm a=2");
    assert_eq!(running.samples(), "m_a 2");
    // In version one all series have the label.
    let mut running = start("");
    running.write("m,__x=1 a=1\nm a=2");
    let response = running.ask("/metrics", &[]);
    let text = String::from_utf8(response.body).unwrap();
    assert_eq!(response.status, 500);
    assert!(text.contains("\"__x\" is not a valid label name for metric \"m_a\""), "{text}");
}

#[test]
fn an_address_that_is_taken_may_be_free_later() {
    let running = start("");
    let text = format!("listen = '{}'", running.address);
    let mut second = build(&running.clock, &text).map_err(|error| error.to_string()).unwrap();
    let error = second.connect().unwrap_err();
    let expected = format!("listen tcp {}: bind: address already in use", running.address);
    assert_eq!((error.retryable, error.to_string()), (true, expected));
    drop(running);
    second.connect().unwrap();
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    let clock = Arc::new(FakeClock::at(Timestamp::EPOCH));
    for (text, message) in [
        ("ip_range = ['10.0.0.0']", "error parsing ip_range: invalid CIDR address: 10.0.0.0"),
        (
            "name_sanitization = 'x'",
            "invalid name_sanitization \"x\": must be \"legacy\" or \"utf8\"",
        ),
        ("metric_types = {counter = ['[']}", "creating counter filter failed"),
        ("path = 'metrics'", "invalid path \"metrics\""),
        ("listen = 'vsock://:9273'", "listen: cannot listen at vsock addresses"),
        ("tls_cert = '/nonexistent'\ntls_key = 'x'", "could not load certificate"),
    ] {
        let error = build(&clock, text).err().unwrap().to_string();
        assert!(error.starts_with(message), "{error}");
    }
}
