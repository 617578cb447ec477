//! Tests of listening over real sockets.

use std::io::Write;
use std::net::{TcpStream, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::sync::Mutex;

use crossbeam_channel::{Sender, unbounded};

use super::*;
use crate::http::gzip;

/// Far beyond what anything here takes.
const LIMIT: Duration = Duration::from_secs(60);

struct Forward(Mutex<Sender<String>>);

impl Receiver for Forward {
    fn take(&self, message: &[u8], source: Option<IpAddr>) {
        let source = source.map_or_else(String::new, |source| format!("{source} "));
        let text = format!("{source}{}", String::from_utf8_lossy(message));
        self.0.lock().unwrap().send(text).unwrap();
    }

    fn report(&self, error: PluginError) {
        self.0.lock().unwrap().send(format!("error: {error}")).unwrap();
    }
}

fn settings(address: &str) -> ListenSettings {
    ListenSettings {
        address: Address::parse(address).unwrap(),
        splitter: Splitter::Newline,
        packing: Packing::None,
        max_decompression_bytes: 1 << 20,
        max_connections: None,
        read_timeout: None,
        read_buffer_bytes: None,
        keep_alive: None,
        socket_mode: None,
        allowed_sources: Vec::new(),
        multicast_source: None,
        tls: None,
    }
}

fn listen(settings: ListenSettings) -> (Listening, impl Fn() -> String) {
    let (sender, messages) = unbounded();
    let receiver = Arc::new(Forward(Mutex::new(sender)));
    let listening = Listening::start(settings, receiver, PluginLog::new("test")).unwrap();
    (listening, move || messages.recv_timeout(LIMIT).unwrap())
}

#[test]
fn connections_bring_messages_and_a_last_one_without_an_end() {
    let (listening, next) = listen(settings("tcp://127.0.0.1:0"));
    let mut one = TcpStream::connect(listening.local()).unwrap();
    let mut other = TcpStream::connect(listening.local()).unwrap();
    one.write_all(b"a\r\nb").unwrap();
    assert_eq!(next(), "127.0.0.1 a");
    other.write_all(b"c\n").unwrap();
    assert_eq!(next(), "127.0.0.1 c");
    drop(one);
    assert_eq!(next(), "127.0.0.1 b");
    drop(listening);
    // The listener has ended it.
    assert_eq!(std::io::Read::read(&mut other, &mut [0]).unwrap(), 0);
}

#[test]
fn connections_beyond_the_limit_are_closed() {
    let limits = ListenSettings { max_connections: Some(1), ..settings("tcp4://127.0.0.1:0") };
    let (listening, next) = listen(limits);
    let mut first = TcpStream::connect(listening.local()).unwrap();
    first.write_all(b"a\n").unwrap();
    assert_eq!(next(), "127.0.0.1 a");
    let mut second = TcpStream::connect(listening.local()).unwrap();
    let name = second.local_addr().unwrap();
    assert_eq!(
        next(),
        format!("error: unable to accept connection from \"{name}\": too many connections")
    );
    assert!(matches!(std::io::Read::read(&mut second, &mut [0]), Ok(0) | Err(_)));
    first.write_all(b"b\n").unwrap();
    assert_eq!(next(), "127.0.0.1 b");
}

#[test]
fn silent_connections_are_closed_in_time() {
    let timeout = Some(Duration::from_millis(20));
    let keep_alive = Some(Duration::from_secs(5));
    let address = settings("tcp://127.0.0.1:0");
    let (listening, next) = listen(ListenSettings { read_timeout: timeout, keep_alive, ..address });
    let mut silent = TcpStream::connect(listening.local()).unwrap();
    silent.write_all(b"begun").unwrap();
    assert_eq!(next(), "127.0.0.1 begun", "what came before counts");
    assert_eq!(std::io::Read::read(&mut silent, &mut [0]).unwrap(), 0);
}

#[test]
fn messages_that_are_too_long_end_their_connection() {
    let (listening, next) = listen(settings("tcp://127.0.0.1:0"));
    let mut stream = TcpStream::connect(listening.local()).unwrap();
    // The connection is closed in the middle of it.
    let _ = stream.write_all(&vec![b'x'; 1 << 20]);
    assert_eq!(next(), "error: bufio.Scanner: token too long");
    let larger = settings("tcp://127.0.0.1:0");
    let (listening, next) = listen(ListenSettings { read_buffer_bytes: Some(2 << 20), ..larger });
    let mut stream = TcpStream::connect(listening.local()).unwrap();
    stream.write_all(&vec![b'x'; 1 << 20]).unwrap();
    drop(stream);
    assert_eq!(next().len(), "127.0.0.1 ".len() + (1 << 20));
}

#[test]
fn packets_are_messages_whole() {
    let (listening, next) = listen(settings("udp://127.0.0.1:0"));
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.send_to(b"a\nb\n", listening.local()).unwrap();
    assert_eq!(next(), "127.0.0.1 a\nb\n");
    let packed = ListenSettings { packing: Packing::Gzip, ..settings("udp://127.0.0.1:0") };
    let (listening, next) = listen(packed);
    socket.send_to(&gzip(b"a\n").unwrap(), listening.local()).unwrap();
    assert_eq!(next(), "127.0.0.1 a\n");
    socket.send_to(b"plain", listening.local()).unwrap();
    assert!(next().starts_with("error: unable to decode incoming packet: "));
}

#[test]
fn senders_that_are_not_allowed_are_not_heard() {
    let other = settings("udp://127.0.0.1:0");
    let allowed_sources = vec!["127.0.0.2".parse().unwrap()];
    let (listening, next) = listen(ListenSettings { allowed_sources, ..other });
    UdpSocket::bind("127.0.0.1:0").unwrap().send_to(b"no", listening.local()).unwrap();
    UdpSocket::bind("127.0.0.2:0").unwrap().send_to(b"yes", listening.local()).unwrap();
    assert_eq!(next(), "127.0.0.2 yes");
}

#[test]
fn paths_are_made_anew_and_removed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    for scheme in ["unix", "unixgram", "unixpacket"] {
        std::fs::write(&path, "in the way").unwrap();
        let address = settings(&format!("{scheme}://{}", path.display()));
        let (listening, next) = listen(ListenSettings { socket_mode: Some(0o600), ..address });
        let mode = path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
        match scheme {
            "unix" => UnixStream::connect(&path).unwrap().write_all(b"a").unwrap(),
            "unixgram" => {
                UnixDatagram::unbound().unwrap().send_to(b"a", &path).map(drop).unwrap();
            }
            _ => {
                let kind = rustix::net::SocketType::SEQPACKET;
                let family = rustix::net::AddressFamily::UNIX;
                let socket = rustix::net::socket(family, kind, None).unwrap();
                let place = rustix::net::SocketAddrUnix::new(&path).unwrap();
                rustix::net::connect(&socket, &place).unwrap();
                rustix::io::write(&socket, b"a").unwrap();
            }
        }
        assert_eq!(next(), "a", "{scheme}");
        drop(listening);
        assert!(!path.exists());
    }
}

#[test]
fn an_address_that_is_taken_is_told() {
    let (listening, _next) = listen(settings("tcp://127.0.0.1:0"));
    let local = listening.local().to_owned();
    let (sender, _messages) = unbounded();
    let receiver = Arc::new(Forward(Mutex::new(sender)));
    let error =
        Listening::start(settings(&format!("tcp://{local}")), receiver, PluginLog::new("t"));
    let error = error.unwrap_err().to_string();
    assert_eq!(error, format!("listen tcp {local}: bind: address already in use"));
}
