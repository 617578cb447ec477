//! Tests of the input over real sockets.

use std::io::Write;
use std::net::{TcpStream, UdpSocket};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::PLUGIN;
use crate::metric::{Metric, Timestamp, ValueType};
use crate::plugin::settings::{Data, Position, Table, Value};
use crate::plugin::{
    Accumulator, Context, Deliver, Input, PluginLog, Serializer, ServiceAccumulator, Statistics,
};
use crate::plugins::FORMATS;
use crate::plugins::serializers::influx;
use crate::system::System;

/// Far beyond what anything here takes.
const LIMIT: Duration = Duration::from_secs(60);

#[derive(Default)]
struct Delivered(Mutex<Vec<Metric>>);

impl Deliver for Delivered {
    fn deliver(&self, metrics: &mut Vec<Metric>) {
        self.0.lock().unwrap().append(metrics);
    }

    fn report(&self, error: &dyn std::error::Error) {
        panic!("{error}");
    }
}

struct Bench {
    input: Box<dyn Input>,
    statistics: Statistics,
    /// Events and service checks.
    direct: Arc<Delivered>,
    address: String,
    /// How many bytes have been sent in packets; the input counts all that ever came.
    n_bytes_sent: usize,
}

fn option(data: Data) -> Value {
    Value { position: Position::default(), data }
}

fn text(text: &str) -> Data {
    Data::String { text: text.into(), substituted: true }
}

/// An address of this machine that nobody listens at.
fn free_address(is_tcp: bool) -> String {
    let address = match is_tcp {
        true => std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr(),
        false => UdpSocket::bind("127.0.0.1:0").unwrap().local_addr(),
    };
    address.unwrap().to_string()
}

fn build(options: Vec<(&str, Data)>, statistics: &Statistics) -> Result<Box<dyn Input>, String> {
    let mut table = Table::new("test".into(), "inputs.statsd", Position::default());
    for (key, data) in options {
        table.push(key, Position::default(), option(data));
    }
    let log = PluginLog::new("inputs.statsd");
    let context = Context::new(System::real(), log, statistics.clone(), &table, FORMATS);
    (PLUGIN.build)(&context).map_err(|error| error.to_string())
}

impl Bench {
    fn start(protocol: &str, mut options: Vec<(&str, Data)>) -> Bench {
        let address = free_address(protocol == "tcp");
        options.extend([("protocol", text(protocol)), ("service_address", text(&address))]);
        let statistics = Statistics::default();
        let mut input = build(options, &statistics).unwrap();
        let direct = Arc::new(Delivered::default());
        let (log, clock) = (PluginLog::new("inputs.statsd"), System::real().clock);
        let accumulator = ServiceAccumulator::new(direct.clone(), clock, Duration::ZERO, log);
        input.start(accumulator).unwrap();
        Bench { input, statistics, direct, address, n_bytes_sent: 0 }
    }

    /// Sends packets and waits until they have been taken.
    fn send(&mut self, packets: &[&str]) {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        for packet in packets {
            socket.send_to(packet.as_bytes(), &self.address).unwrap();
        }
        self.n_bytes_sent += packets.iter().map(|packet| packet.len()).sum::<usize>();
        self.wait_for("udp_bytes_received", self.n_bytes_sent);
    }

    fn wait_for(&self, field: &'static str, count: usize) {
        let tags = [("address", self.address.as_str())];
        let counter = self.statistics.counter("statsd", field, &tags);
        let clock = System::real().clock;
        let began = clock.elapsed();
        while counter.get() < count as u64 {
            assert!(clock.elapsed() - began < LIMIT, "{field} is {}", counter.get());
            std::thread::yield_now();
        }
    }

    /// Gathers, and returns lines without times, sorted.
    fn gather(&mut self) -> Vec<String> {
        let delivered = Delivered::default();
        let clock = System::real().clock;
        let mut accumulator = Accumulator::new(&delivered, &*clock, Duration::ZERO);
        self.input.gather(&mut accumulator).unwrap();
        drop(accumulator);
        lines(delivered.0.into_inner().unwrap())
    }
}

fn lines(metrics: Vec<Metric>) -> Vec<String> {
    let mut serializer = influx::for_test_mode();
    let mut lines: Vec<_> = metrics
        .into_iter()
        .map(|mut metric| {
            metric.time = Timestamp::EPOCH;
            let kind = match metric.value_type {
                ValueType::Counter => "counter ",
                ValueType::Gauge => "gauge ",
                _ => "",
            };
            let mut line = Vec::new();
            serializer.serialize(&metric, &mut line).unwrap();
            let line = String::from_utf8(line).unwrap();
            format!("{kind}{}", line.strip_suffix(" 0\n").unwrap())
        })
        .collect();
    lines.sort();
    lines
}

#[test]
fn values_of_all_types_come_to_metrics() {
    let percentiles = Data::Array(vec![option(Data::Integer(90)), option(Data::Float(99.9))]);
    let mut bench = Bench::start("udp", vec![("percentiles", percentiles)]);
    bench.send(&[
        "hits:1|c\nhits:2|c|@0.5\nhits,zone=a:1|c\n",
        "load:1.5|g\nload:-0.5|g\nnew.one:+2|g",
        "users:a|s\nusers:b|s\nusers:a|s\nmany:1:2|c",
        "time:1|ms\ntime:3|ms|@0.5\nsize:5|h\nbad\nbad:x|c\nwrong:1|x\nd:1|d\nseveral:1|c:2|c",
    ]);
    let values = [
        "counter hits,metric_type=counter value=5i",
        "counter hits,metric_type=counter,zone=a value=1i",
        "counter several,metric_type=counter value=3i",
        "gauge load,metric_type=gauge value=1",
        "gauge new_one,metric_type=gauge value=2",
        "size,metric_type=histogram 90_percentile=5,99.9_percentile=5,count=1i,lower=5,mean=5,\
         median=5,stddev=0,sum=5,upper=5",
        "time,metric_type=timing 90_percentile=3,99.9_percentile=3,count=3i,lower=1,\
         mean=2.333333333333333,median=3,stddev=0.9428090415820634,sum=7,upper=3",
        "users,metric_type=set value=2i",
    ];
    assert_eq!(bench.gather(), values);
    assert_eq!(bench.gather(), [""; 0], "all are forgotten");
}

#[test]
fn what_is_not_forgotten_goes_on() {
    let keep = |name| (name, Data::Boolean(false));
    let mut bench = Bench::start(
        "udp4",
        vec![
            keep("delete_gauges"),
            keep("delete_counters"),
            keep("delete_sets"),
            keep("delete_timings"),
            ("float_counters", Data::Boolean(true)),
            ("float_sets", Data::Boolean(true)),
            ("float_timings", Data::Boolean(true)),
        ],
    );
    bench.send(&["c:1|c\ng:1|g\ns:a|s\nt:1|ms"]);
    bench.gather();
    bench.send(&["c:1|c\ng:+1|g\ns:b|s\nt:1|ms", "c:1|c"]);
    let timing = "t,metric_type=timing count=2,lower=1,mean=1,median=1,stddev=0,sum=2,upper=1";
    assert_eq!(
        bench.gather(),
        [
            "counter c,metric_type=counter value=3",
            "gauge g,metric_type=gauge value=2",
            "s,metric_type=set value=2",
            timing,
        ]
    );
}

#[test]
fn datadog_extensions_are_read_where_they_are_asked_for() {
    let on = |name| (name, Data::Boolean(true));
    let mut bench = Bench::start(
        "udp",
        vec![
            on("datadog_extensions"),
            on("datadog_distributions"),
            on("datadog_keep_container_tag"),
            on("enable_aggregation_temporality"),
        ],
    );
    bench.send(&["hits:1|c|@0.5|#zone:a,beta|c:box\nd:1.5|d|#x:y\n_e{1,1}:a|b\n_sc|db|0\n_e{"]);
    let gathered: Vec<_> = bench
        .gather()
        .into_iter()
        .map(|line| {
            line.split(",start_time").next().unwrap().split("start_time").next().unwrap().to_owned()
        })
        .collect();
    assert_eq!(
        gathered,
        [
            "counter hits,beta=true,container=box,metric_type=counter,temporality=delta,zone=a ",
            "d,metric_type=distribution,x=y ",
        ]
    );
    let direct = std::mem::take(&mut *bench.direct.0.lock().unwrap());
    assert_eq!(
        lines(direct),
        [
            "a,source=127.0.0.1 alert_type=\"info\",priority=\"normal\",text=\"b\"",
            "statsd_service_check,check_name=db,source=127.0.0.1 status=0i,status_text=\"ok\"",
        ]
    );
}

#[test]
fn names_are_taken_apart_and_cleaned() {
    let templates = Data::Array(vec![option(text("cpu.* measurement.host.field region=us"))]);
    let mut bench = Bench::start(
        "udp",
        vec![
            ("templates", templates),
            ("sanitize_name_method", text("upstream")),
            ("convert_names", Data::Boolean(true)),
            ("metric_separator", text(".")),
        ],
    );
    bench.send(&["cpu.one.load:1|ms\ncpu.one.idle:2|ms\na b/c.d-e$,k=v=w,region=eu,x:1|g"]);
    assert_eq!(
        bench.gather(),
        [
            "cpu,host=one,metric_type=timing,region=us idle_count=1i,idle_lower=2,idle_mean=2,\
         idle_median=2,idle_stddev=0,idle_sum=2,idle_upper=2,load_count=1i,load_lower=1,\
         load_mean=1,load_median=1,load_stddev=0,load_sum=1,load_upper=1",
            "gauge a_b__c_d__e,k=v\\=w,metric_type=gauge,region=eu value=1",
        ]
    );
}

#[test]
fn connections_bring_lines_too() {
    let mut bench = Bench::start("tcp", vec![("max_tcp_connections", Data::Integer(1))]);
    let mut stream = TcpStream::connect(&bench.address).unwrap();
    stream.write_all(b"c:1|c\n\nc:2|c\n").unwrap();
    bench.wait_for("tcp_packets_received", 2);
    let mut refused = TcpStream::connect(&bench.address).unwrap();
    assert!(matches!(std::io::Read::read(&mut refused, &mut [0]), Ok(0) | Err(_)));
    drop(stream);
    bench.wait_for("tcp_total_connections", 1);
    assert_eq!(bench.gather(), ["counter c,metric_type=counter value=3i"]);
    bench.input.stop();
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    for (key, value, words) in [
        ("protocol", "sctp", "unknown protocol \"sctp\""),
        ("sanitize_name_method", "soap", "unknown sanitize_name_method \"soap\""),
    ] {
        let error = build(vec![(key, text(value))], &Statistics::default()).err().unwrap();
        assert!(error.contains(words), "{error}");
    }
    let templates = Data::Array(vec![option(text("host"))]);
    let error = build(vec![("templates", templates)], &Statistics::default()).err().unwrap();
    assert_eq!(error, "no measurement specified for template. \"host\"");
}
