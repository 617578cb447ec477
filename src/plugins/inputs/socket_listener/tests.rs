//! Tests of the input as a whole.

use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, unbounded};

use super::PLUGIN;
use crate::metric::{Metric, Timestamp};
use crate::plugin::settings::{Data, Position, Table, Value};
use crate::plugin::{Context, Deliver, Input, PluginLog, ServiceAccumulator, Statistics};
use crate::plugins::FORMATS;
use crate::system::System;

/// Far beyond what anything here takes.
const LIMIT: Duration = Duration::from_secs(60);

struct Forward(Sender<Result<Metric, String>>);

impl Deliver for Forward {
    fn deliver(&self, metrics: &mut Vec<Metric>) {
        metrics.drain(..).for_each(|metric| self.0.send(Ok(metric)).unwrap());
    }

    fn report(&self, error: &dyn std::error::Error) {
        self.0.send(Err(error.to_string())).unwrap();
    }
}

fn build(options: &[(&str, &str)]) -> Result<Box<dyn Input>, String> {
    let mut table = Table::new("test".into(), "inputs.socket_listener", Position::default());
    for (key, text) in options {
        let data = Data::String { text: (*text).into(), substituted: true };
        table.push(*key, Position::default(), Value { position: Position::default(), data });
    }
    let log = PluginLog::new("inputs.socket_listener");
    let context = Context::new(System::real(), log, Statistics::default(), &table, FORMATS);
    (PLUGIN.build)(&context).map_err(|error| error.to_string())
}

fn start(input: &mut dyn Input) -> Receiver<Result<Metric, String>> {
    let (sender, metrics) = unbounded();
    let log = PluginLog::new("inputs.socket_listener");
    let clock = System::real().clock;
    let accumulator =
        ServiceAccumulator::new(Arc::new(Forward(sender)), clock, Duration::ZERO, log);
    input.start(accumulator).unwrap();
    metrics
}

/// An address of this machine that nobody listens at.
fn free_address() -> String {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

#[test]
fn messages_become_metrics_and_wrong_ones_errors() {
    let address = free_address();
    let mut input = build(&[("service_address", &format!("tcp://{address}"))]).unwrap();
    let metrics = start(&mut *input);
    let mut stream = TcpStream::connect(&address).unwrap();
    stream.write_all(b"a v=1 5\nbad\nb v=2 6\n").unwrap();
    assert_eq!(metrics.recv_timeout(LIMIT).unwrap().unwrap().time, Timestamp::from_nanos(5));
    let error = metrics.recv_timeout(LIMIT).unwrap().unwrap_err();
    assert_eq!(error, "metric parse error: expected tag at 1:4: \"bad\"");
    assert_eq!(metrics.recv_timeout(LIMIT).unwrap().unwrap().name, "b");
    input.stop();
    assert!(TcpStream::connect(&address).is_err());
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    let address = ("service_address", "tcp://:8094");
    for (option, words) in [
        (("service_address", "tcq://:1"), "unknown protocol \"tcq\" in \"tcq://:1\""),
        (("splitting_strategy", "tabs"), "unknown 'splitting_strategy' \"tabs\""),
        (("content_encoding", "rar"), "invalid value for content_encoding"),
        (("multicast_source", "x"), "invalid multicast_source address \"x\""),
        (("socket_mode", "9"), "converting socket mode failed: \"9\" is no octal number"),
        (("splitting_strategy", "variable length"), "'splitting_length_field' needs"),
    ] {
        let options = if option.0 == address.0 { vec![option] } else { vec![address, option] };
        let error = build(&options).err().unwrap();
        assert!(error.contains(words), "{error}");
    }
}
