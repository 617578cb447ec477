//! Tests of the server with raw sockets.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

use super::*;
use crate::http::{Bound, ListenAddress};
use crate::system::RealClock;
use crate::system::Secret;

fn start(settings: ServerSettings, handler: impl Handler + 'static) -> (Server, SocketAddr) {
    let listener = ListenAddress::Tcp("127.0.0.1:0".into()).listen().unwrap();
    let Ok(Bound::Tcp(address)) = listener.bound() else { unreachable!() };
    let clock = Arc::new(RealClock::new());
    (Server::start(listener, settings, None, handler, clock).unwrap(), address)
}

/// Answers with what it was asked.
fn echo(request: &mut Incoming<'_>) -> Response {
    match request.read_body(100) {
        Ok(body) => {
            let text = format!("{} {} ", request.method(), request.path());
            Response::with_body(200, "text/plain", [text.as_bytes(), &body].concat())
        }
        Err(error) => Response::line(413, &error.to_string()),
    }
}

/// What comes back up to the end of the connection.
fn ask(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn requests_come_one_after_the_other_on_one_connection() {
    let (_server, address) = start(ServerSettings::default(), echo);
    let answer = ask(
        address,
        "GET /a HTTP/1.1\r\nHost: h\r\n\r\nPOST /b%20c?d HTTP/1.1\r\nHost: h\r\n\
         Transfer-Encoding: chunked\r\n\r\n2\r\nxy\r\n0\r\n\r\nHEAD /e HTTP/1.1\r\nHost: h\r\n\r\n",
    );
    let bodies: Vec<_> = answer.matches("HTTP/1.1 200 OK\r\n").collect();
    assert_eq!(bodies.len(), 3, "{answer}");
    assert!(answer.contains("\r\n\r\nGET /a HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("\r\n\r\nPOST /b c xyHTTP/1.1 200"), "{answer}");
    assert!(answer.ends_with("Content-Length: 8\r\n\r\n"), "{answer}");
}

#[test]
fn old_clients_get_one_answer_unless_they_ask_for_more() {
    let (_server, address) = start(ServerSettings::default(), echo);
    let answer = ask(address, "GET / HTTP/1.0\r\n\r\nGET / HTTP/1.0\r\n\r\n");
    assert_eq!(answer.matches("200 OK").count(), 1, "{answer}");
    assert!(answer.contains("Connection: close\r\n"), "{answer}");
    let answer =
        ask(address, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET / HTTP/1.0\r\n\r\n");
    assert_eq!(answer.matches("200 OK").count(), 2, "{answer}");
}

#[test]
fn what_is_no_request_is_answered_with_why() {
    let (_server, address) = start(ServerSettings::default(), echo);
    let large = format!("GET / HTTP/1.1\r\nA: {}\r\n\r\n", "a".repeat(300_000));
    for (request, status) in [
        ("nonsense\r\n\r\n", "400 Bad Request"),
        ("GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n", "400 Bad Request"),
        (
            "GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            "400 Bad Request",
        ),
        (large.as_str(), "431 Request Header Fields Too Large"),
    ] {
        let answer = ask(address, request);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{answer}");
    }
}

#[test]
fn bodies_are_bounded_however_they_come() {
    let (_server, address) = start(ServerSettings::default(), echo);
    let long = "x".repeat(101);
    for body in [
        format!("Content-Length: 101\r\n\r\n{long}"),
        format!("Transfer-Encoding: chunked\r\n\r\n65\r\n{long}\r\n0\r\n\r\n"),
    ] {
        let answer = ask(address, &format!("POST / HTTP/1.1\r\nHost: h\r\n{body}"));
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
        assert!(answer.ends_with("\r\n\r\nhttp: request body too large\n"), "{answer}");
    }
}

#[test]
fn callers_that_ask_first_are_told_to_send_the_body() {
    let (_server, address) = start(ServerSettings::default(), echo);
    let stream = TcpStream::connect(address).unwrap();
    let mut reader = BufReader::new(&stream);
    (&stream)
        .write_all(b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
        .unwrap();
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    assert_eq!(line, "HTTP/1.1 100 Continue\r\n");
    (&stream).write_all(b"abc").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut rest = String::new();
    reader.read_to_string(&mut rest).unwrap();
    assert!(rest.ends_with("POST / abc"), "{rest}");
}

#[test]
fn one_that_says_nothing_or_too_little_is_let_go() {
    let read_timeout = Some(Duration::from_millis(30));
    let (_server, address) = start(ServerSettings { read_timeout, ..Default::default() }, echo);
    for part in ["", "GET / HT"] {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(part.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "");
    }
}

#[test]
fn the_quietest_connection_makes_room_for_the_next() {
    let (_server, address) =
        start(ServerSettings { max_connections: 2, ..Default::default() }, echo);
    let request = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    let connect = || {
        let stream = TcpStream::connect(address).unwrap();
        (&stream).write_all(request).unwrap();
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        while line != "\r\n" {
            line.clear();
            assert!(reader.read_line(&mut line).unwrap() > 0);
        }
        let mut body = [0; 6];
        reader.read_exact(&mut body).unwrap();
        reader
    };
    let mut first = connect();
    let _second = connect();
    let _third = connect();
    let mut rest = Vec::new();
    first.read_to_end(&mut rest).unwrap();
    assert!(rest.is_empty());
}

#[test]
fn stopping_waits_for_requests_and_for_nothing_else() {
    let (begun, wait_for_begin) = crossbeam_channel::bounded(1);
    let (go_on, wait) = crossbeam_channel::bounded::<()>(1);
    let (server, address) = start(ServerSettings::default(), move |_: &mut Incoming<'_>| {
        begun.send(()).unwrap();
        wait.recv().unwrap();
        Response::with_body(200, "text/plain", "done")
    });
    let idle = TcpStream::connect(address).unwrap();
    let busy = std::thread::spawn(move || ask(address, "GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
    wait_for_begin.recv().unwrap();
    let stopping = std::thread::spawn(move || drop(server));
    let mut rest = Vec::new();
    (&idle).read_to_end(&mut rest).unwrap();
    go_on.send(()).unwrap();
    stopping.join().unwrap();
    let answer = busy.join().unwrap();
    assert!(answer.ends_with("done") && answer.contains("Connection: close"), "{answer}");
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn a_handler_that_panics_costs_one_answer() {
    let (_server, address) = start(ServerSettings::default(), |request: &mut Incoming<'_>| {
        assert_ne!(request.path(), "/bad");
        Response::new(204)
    });
    let answer =
        ask(address, "GET /bad HTTP/1.1\r\nHost: h\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 500 ") && answer.contains("HTTP/1.1 204 "), "{answer}");
}

#[test]
fn names_and_passwords_are_asked_for() {
    let auth = BasicAuth { username: "me".into(), password: Secret::new("pw"), realm: "r".into() };
    let (_server, address) = start(ServerSettings::default(), move |request: &mut Incoming<'_>| {
        auth.refusal(request).unwrap_or_else(|| Response::new(204))
    });
    let ask = |authorization: &str| {
        ask(
            address,
            &format!("GET / HTTP/1.1\r\nHost: h\r\nAuthorization: {authorization}\r\n\r\n"),
        )
    };
    for right in [&crate::http::basic_credentials("me", "pw"), "Token me:pw"] {
        assert!(ask(right).starts_with("HTTP/1.1 204 "), "{right}");
    }
    for wrong in ["", "Basic !", "Token me:pw2", &crate::http::basic_credentials("me", "")] {
        let answer = ask(wrong);
        assert!(answer.starts_with("HTTP/1.1 401 Unauthorized\r\n"), "{answer}");
        assert!(answer.contains("Www-Authenticate: Basic realm=\"r\"\r\n"), "{answer}");
        assert!(answer.ends_with("\r\n\r\nUnauthorized\n"), "{answer}");
    }
}

#[test]
fn a_socket_that_nobody_listens_at_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.sock");
    let address = ListenAddress::Unix(path.clone(), None);
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let listener = address.listen().unwrap();
    let error = address.listen().unwrap_err().to_string();
    let expected = format!("listen unix {}: bind: address already in use", path.display());
    assert_eq!(error, expected);
    drop(listener);
    assert!(!path.exists());
}
