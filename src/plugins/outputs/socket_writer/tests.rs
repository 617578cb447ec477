//! Tests of the output as a whole.

use std::io::Read;
use std::net::{TcpListener, UdpSocket};
use std::os::unix::net::{UnixDatagram, UnixListener};

use flate2::read::GzDecoder;

use super::PLUGIN;
use crate::metric::{Metric, Timestamp};
use crate::plugin::settings::{Data, Position, Table, Value};
use crate::plugin::{Context, Output, PluginLog, Statistics, WriteError};
use crate::plugins::FORMATS;
use crate::system::System;

fn build(options: &[(&str, &str)]) -> Result<Box<dyn Output>, String> {
    let mut table = Table::new("test".into(), "outputs.socket_writer", Position::default());
    for (key, text) in options {
        let data = Data::String { text: (*text).into(), substituted: true };
        table.push(*key, Position::default(), Value { position: Position::default(), data });
    }
    let log = PluginLog::new("outputs.socket_writer");
    let context = Context::new(System::real(), log, Statistics::default(), &table, FORMATS);
    (PLUGIN.build)(&context).map_err(|error| error.to_string())
}

fn batch() -> Vec<Metric> {
    let metric = |name, value: i64| Metric::new(name, Timestamp::EPOCH).with_field("v", value);
    vec![metric("a", 1), Metric::new("bare", Timestamp::EPOCH), metric("b", 2)]
}

/// Writes a batch in which one metric has no form.
fn write(output: &mut dyn Output) {
    let error = output.write(&batch()).unwrap_err();
    let WriteError::Partial { retry, rejected, .. } = error else { panic!("{error}") };
    assert_eq!((retry.len(), rejected.len(), rejected[0].index), (0, 1, 1));
}

#[test]
fn connections_get_one_metric_after_the_other() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("tcp4://{}", listener.local_addr().unwrap());
    let mut output = build(&[("address", &address), ("keep_alive_period", "5s")]).unwrap();
    output.connect().unwrap();
    write(&mut *output);
    output.close().unwrap();
    let mut text = String::new();
    listener.accept().unwrap().0.read_to_string(&mut text).unwrap();
    assert_eq!(text, "a v=1i 0\nb v=2i 0\n");
}

#[test]
fn each_packet_is_a_metric() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = format!("udp://{}", socket.local_addr().unwrap());
    let mut output = build(&[("address", &address)]).unwrap();
    output.connect().unwrap();
    write(&mut *output);
    let mut packet = [0; 100];
    for line in ["a v=1i 0\n", "b v=2i 0\n"] {
        let count = socket.recv(&mut packet).unwrap();
        assert_eq!(&packet[..count], line.as_bytes());
    }
}

#[test]
fn paths_are_written_to() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("packets");
    let socket = UnixDatagram::bind(&path).unwrap();
    let mut output = build(&[("address", &format!("unixgram://{}", path.display()))]).unwrap();
    output.connect().unwrap();
    write(&mut *output);
    let mut packet = [0; 100];
    assert_eq!(socket.recv(&mut packet).unwrap(), "a v=1i 0\n".len());

    let path = folder.path().join("stream");
    let listener = UnixListener::bind(&path).unwrap();
    let address = format!("unix://{}", path.display());
    let mut output = build(&[("address", &address), ("content_encoding", "gzip")]).unwrap();
    output.connect().unwrap();
    write(&mut *output);
    output.close().unwrap();
    let mut packed = Vec::new();
    listener.accept().unwrap().0.read_to_end(&mut packed).unwrap();
    let mut text = String::new();
    GzDecoder::new(&packed[..]).read_to_string(&mut text).unwrap();
    assert_eq!(text, "a v=1i 0\n", "each metric is packed by itself");
}

#[test]
fn a_connection_that_broke_is_made_anew() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("tcp://{}", listener.local_addr().unwrap());
    let mut output = build(&[("address", &address)]).unwrap();
    output.connect().unwrap();
    drop(listener.accept().unwrap());
    // The other end tells of it when something comes that it does not take.
    let broken = (0..1000).find_map(|_| match output.write(&batch()) {
        Err(WriteError::Retry(error)) => Some(error.to_string()),
        _ => None,
    });
    assert!(broken.unwrap().starts_with("closing connection: write: "));
    write(&mut *output);
    listener.accept().unwrap();
}

#[test]
fn addresses_that_cannot_be_written_to_are_refused() {
    let error = |address: &str| build(&[("address", address)]).err().unwrap();
    assert_eq!(error("localhost:80"), "invalid address: localhost:80");
    assert_eq!(error("tcq://a:1"), "dial tcq: unknown network tcq");
    assert!(error("vsock://1").starts_with("port and/or CID number missing in \"1\""));
    assert!(error("vsock://host:2").starts_with("failed to parse CID \"host\""));
    assert_eq!(
        build(&[("address", "tcp://a:1"), ("content_encoding", "rar")]).err().unwrap(),
        "invalid value for content_encoding"
    );
    let taken = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut output = build(&[("address", &format!("tcp://{taken}"))]).unwrap();
    let error = output.connect().unwrap_err();
    assert!(error.retryable);
    assert_eq!(error.to_string(), format!("dial tcp {taken}: connect: connection refused"));
    // The hypervisor takes no connections, wherever this runs.
    let mut output = build(&[("address", "vsock://0:1")]).unwrap();
    let error = output.connect().unwrap_err();
    assert!(error.retryable);
    assert!(error.to_string().starts_with("dial vsock hypervisor(0):1: connect: "), "{error}");
}
