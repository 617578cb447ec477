//! Tests of the client against servers on this machine.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

use super::*;
use crate::http::USER_AGENT;
use crate::http::server::{Handler, Incoming, Server, ServerSettings};
use crate::http::{Bound, ListenAddress, ServerResponse, gzip};
use crate::system::RealClock;

fn clock() -> Arc<dyn Clock> {
    Arc::new(RealClock::new())
}

fn client(change: impl FnOnce(&mut ClientSettings)) -> Client {
    let mut settings = ClientSettings::default();
    change(&mut settings);
    Client::new(settings, clock()).unwrap()
}

fn serve(handler: impl Handler + 'static) -> (Server, String) {
    let listener = ListenAddress::Tcp("127.0.0.1:0".into()).listen().unwrap();
    let Ok(Bound::Tcp(address)) = listener.bound() else { unreachable!() };
    let server =
        Server::start(listener, ServerSettings::default(), None, handler, clock()).unwrap();
    (server, format!("http://{address}"))
}

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

fn get(client: &Client, text: &str) -> Result<Response, ClientError> {
    client.send(&Request::new("GET", url(text), b""))
}

/// Answers one connection after the other with the next of these texts, and returns what was sent
/// to it up to the end of the header.
fn scripted(answers: Vec<&'static str>) -> (String, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let script = move || {
        let mut heads = Vec::new();
        for answer in answers {
            let (stream, _) = listener.accept().unwrap();
            heads.push(read_head(&stream));
            (&stream).write_all(answer.as_bytes()).unwrap();
        }
        heads
    };
    (address, std::thread::spawn(script))
}

fn read_head(stream: &TcpStream) -> String {
    let mut head = String::new();
    let mut reader = BufReader::new(stream);
    while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).unwrap() > 0 {}
    head
}

#[test]
fn requests_look_like_those_of_go() {
    let (address, server) = scripted(vec!["HTTP/1.1 204 No Content\r\n\r\n"]);
    let mut request = Request::new("POST", url(&format!("{address}/write?db=x")), b"m v=1");
    request.headers.set("x-b", "2");
    request.headers.set("Authorization", "Token t");
    let response = client(|_| {}).send(&request).unwrap();
    assert_eq!((response.status, response.status_line().as_str()), (204, "204 No Content"));
    let host = address.trim_start_matches("http://");
    assert_eq!(
        server.join().unwrap()[0],
        format!(
            "POST /write?db=x HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {USER_AGENT}\r\n\
             Content-Length: 5\r\nAuthorization: Token t\r\nX-B: 2\r\nAccept-Encoding: gzip\r\n\r\n"
        )
    );
}

#[test]
fn connections_are_used_again_and_again() {
    let peers = Arc::new(Mutex::new(Vec::new()));
    let seen = peers.clone();
    let (_server, address) = serve(move |request: &mut Incoming<'_>| {
        seen.lock().unwrap().push(request.peer());
        ServerResponse::with_body(200, "text/plain", "x".repeat(100_000))
    });
    let client = client(|_| {});
    for _ in 0..3 {
        assert_eq!(get(&client, &address).unwrap().body.len(), 100_000);
    }
    client.close_idle();
    get(&client, &address).unwrap();
    let mut peers = peers.lock().unwrap().clone();
    peers.dedup();
    assert_eq!(peers.len(), 2);
}

#[test]
fn a_connection_that_the_server_closed_is_not_used_again() {
    let (address, server) = scripted(vec![
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nb",
    ]);
    let client = client(|_| {});
    assert_eq!(get(&client, &address).unwrap().body, b"a");
    // The server closes it before it accepts the next; a client that writes too early would fail.
    assert_eq!(get(&client, &address).unwrap().body, b"b");
    server.join().unwrap();
}

#[test]
fn packed_bodies_are_unpacked_unless_the_caller_does_it() {
    let (_server, address) = serve(|request: &mut Incoming<'_>| {
        let packs = request.headers().has_word("Accept-Encoding", "gzip");
        let body = if packs { gzip(b"text").unwrap() } else { b"text".to_vec() };
        let response = ServerResponse::with_body(200, "text/plain", body);
        if packs { response.with_header("Content-Encoding", "gzip") } else { response }
    });
    let client = client(|_| {});
    let response = get(&client, &address).unwrap();
    assert_eq!(
        (response.body.as_slice(), response.headers.get("Content-Encoding")),
        (&b"text"[..], None)
    );
    let mut request = Request::new("GET", url(&address), b"");
    request.headers.set("Accept-Encoding", "gzip");
    assert_eq!(client.send(&request).unwrap().body, gzip(b"text").unwrap());
}

#[test]
fn bodies_of_every_framing_are_read() {
    for answer in [
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc and more",
        "HTTP/1.0 200 OK\r\n\r\nabc",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\nContent-Length: 3\n\nabc",
    ] {
        let (address, server) = scripted(vec![answer]);
        let response = get(&client(|_| {}), &address).unwrap();
        assert_eq!(response.body, b"abc", "{answer}");
        server.join().unwrap();
    }
    let (address, server) = scripted(vec!["HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"]);
    let response = client(|_| {}).send(&Request::new("HEAD", url(&address), b"")).unwrap();
    assert!(response.body.is_empty());
    server.join().unwrap();
}

#[test]
fn failures_are_worded_as_in_go() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = get(&client(|_| {}), &format!("http://u:hush@{free}/x")).unwrap_err();
    let expected =
        format!("Get \"http://u:***@{free}/x\": dial tcp {free}: connect: connection refused");
    assert_eq!(error.to_string(), expected);
    for (answer, expected) in [
        ("", "EOF"),
        (
            "SSH-2.0-x\r\n\r\n",
            "net/http: HTTP/1.x transport connection broken: malformed HTTP message: invalid HTTP \
             version",
        ),
        ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", "unexpected EOF"),
    ] {
        let (address, server) = scripted(vec![answer]);
        let error = get(&client(|_| {}), &address).unwrap_err().failure.to_string();
        assert_eq!(error, expected);
        server.join().unwrap();
    }
    for (text, expected) in [
        ("ftp://h/", "unsupported protocol scheme \"ftp\""),
        ("http://", "http: no Host in request URL"),
        (
            "http+unix:///nonexistent:/x",
            "dial unix /nonexistent: connect: no such file or directory",
        ),
        ("http://nosuch.invalid/", "dial tcp: lookup nosuch.invalid: "),
    ] {
        let error = get(&client(|_| {}), text).unwrap_err().failure.to_string();
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn time_is_up_for_the_header_and_for_the_whole() {
    // Nobody accepts: the connection is made, and nothing comes.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/", listener.local_addr().unwrap());
    let short = Some(Duration::from_millis(20));
    let error = get(&client(|settings| settings.timeout = short), &address).unwrap_err();
    assert!(error.is_timeout());
    let expected = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)";
    assert_eq!(error.failure.to_string(), expected);
    let error = get(&client(|settings| settings.header_timeout = short), &address).unwrap_err();
    assert_eq!(error.failure.to_string(), "net/http: timeout awaiting response headers");

    let (send, receive) = crossbeam_channel::bounded::<()>(0);
    let (address, slow) = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/", listener.local_addr().unwrap());
        let slow = std::thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            read_head(&stream);
            (&stream).write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc").unwrap();
            let _ = receive.recv();
        });
        (address, slow)
    };
    let error = get(&client(|settings| settings.timeout = short), &address).unwrap_err();
    let expected = "context deadline exceeded (Client.Timeout exceeded or context cancellation while reading \
         body)";
    assert_eq!(error.failure.to_string(), expected);
    drop(send);
    slow.join().unwrap();
}

#[test]
fn redirections_are_followed_and_take_no_credentials_elsewhere() {
    let (_other, elsewhere) = serve(|request: &mut Incoming<'_>| {
        let body = format!("{:?}", request.headers().get("Authorization"));
        ServerResponse::with_body(200, "text/plain", body)
    });
    let elsewhere = elsewhere.replace("127.0.0.1", "localhost");
    let (_server, address) = serve(move |request: &mut Incoming<'_>| {
        let to = match request.path().as_str() {
            "/loop" => return ServerResponse::new(302).with_header("Location", "/loop"),
            "/see" => return ServerResponse::new(303).with_header("Location", "/end"),
            "/same" => return ServerResponse::new(307).with_header("Location", "/end"),
            "/away" => elsewhere.clone(),
            _ => {
                let body = request.read_body(100).unwrap();
                let text = format!("{} {}", request.method(), String::from_utf8_lossy(&body));
                return ServerResponse::with_body(200, "text/plain", text);
            }
        };
        ServerResponse::new(302).with_header("Location", &to)
    });
    let client = client(|_| {});
    for (path, expected) in [("/see", "GET "), ("/same", "POST data"), ("/away", "None")] {
        let mut request = Request::new("POST", url(&format!("{address}{path}")), b"data");
        request.headers.set("Authorization", "Token t");
        let response = client.send(&request).unwrap();
        assert_eq!(String::from_utf8_lossy(&response.body), expected, "{path}");
    }
    let error = get(&client, &format!("{address}/loop")).unwrap_err();
    assert_eq!(error.failure.to_string(), "stopped after 10 redirects");
}

#[test]
fn sockets_of_files_are_spoken_to_by_scheme_and_by_setting() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.sock");
    let listener = ListenAddress::Unix(path.clone(), Some(0o600)).listen().unwrap();
    let echo = |request: &mut Incoming<'_>| {
        let host = request.headers().get("Host").unwrap_or_default();
        let text = format!("{host} {} {:?}", request.path(), request.query());
        ServerResponse::with_body(200, "text/plain", text)
    };
    let server = Server::start(listener, ServerSettings::default(), None, echo, clock()).unwrap();
    let path_text = path.to_str().unwrap().to_owned();
    let response = get(&client(|_| {}), &format!("http+unix://{path_text}:/a/b?c=d")).unwrap();
    assert_eq!(String::from_utf8_lossy(&response.body), "localhost /a/b [(\"c\", \"d\")]");
    let client = client(|settings| settings.unix_socket = Some(path_text));
    let response = get(&client, "http://127.0.0.1/x").unwrap();
    assert_eq!(String::from_utf8_lossy(&response.body), "127.0.0.1 /x []");
    drop(server);
    assert!(!path.exists());
}

#[test]
fn proxies_are_asked_in_the_way_each_kind_wants() {
    let proxied = |proxy: &str| {
        let proxy = ProxyChoice::Fixed(url(proxy));
        client(|settings| settings.proxy = proxy)
    };
    let (address, server) = scripted(vec!["HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"]);
    let proxy = address.replace("http://", "http://me:pw@");
    assert_eq!(get(&proxied(&proxy), "http://far.example:81/x").unwrap().body, b"ok");
    let head = server.join().unwrap().remove(0);
    assert!(head.starts_with("GET http://far.example:81/x HTTP/1.1\r\nHost: far.example:81\r\n"));
    assert!(head.ends_with("Proxy-Authorization: Basic bWU6cHc=\r\n\r\n"), "{head}");

    let (address, server) = scripted(vec!["HTTP/1.1 403 Forbidden\r\n\r\n"]);
    let error = get(&proxied(&address), "https://far.example/").unwrap_err().failure;
    assert_eq!(error.to_string(), "proxyconnect tcp: Forbidden");
    assert!(server.join().unwrap()[0].starts_with("CONNECT far.example:443 HTTP/1.1\r\n"));

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("socks5://me:pw@{}", listener.local_addr().unwrap());
    let socks = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut expect = |bytes: &[u8], answer: &[u8]| {
            let mut read = vec![0; bytes.len()];
            stream.read_exact(&mut read).unwrap();
            assert_eq!(read, bytes);
            stream.write_all(answer).unwrap();
        };
        expect(&[5, 2, 0, 2], &[5, 2]);
        expect(b"\x01\x02me\x02pw", &[1, 0]);
        expect(b"\x05\x01\x00\x03\x0bfar.example\x00\x51", &[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
        read_head(&stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").unwrap();
    });
    assert_eq!(get(&proxied(&address), "http://far.example:81/x").unwrap().body, b"ok");
    socks.join().unwrap();
}

#[test]
fn cookies_are_got_by_logging_in_once() {
    let logins = Arc::new(AtomicUsize::new(0));
    let count = logins.clone();
    let (_server, address) =
        serve(move |request: &mut Incoming<'_>| match request.path().as_str() {
            "/login" => {
                count.fetch_add(1, Ordering::SeqCst);
                let right = request.headers().get("Authorization").is_some()
                    && request.headers().get("Cookie").is_none()
                    && request.read_body(100).unwrap() == b"please";
                ServerResponse::new(if right { 200 } else { 403 })
                    .with_header("Set-Cookie", "session=42; Path=/")
            }
            _ => {
                let cookie = request.headers().get("Cookie").unwrap_or_default().to_owned();
                ServerResponse::with_body(200, "text/plain", cookie)
            }
        });
    let auth = |body: &str| CookieAuth {
        url: url(&format!("{address}/login")),
        method: "POST".into(),
        headers: Headers::new(),
        username: "me".into(),
        password: crate::system::Secret::new("pw"),
        body: crate::system::Secret::new(body),
        renewal: None,
    };
    let good = client(|settings| settings.cookie_auth = Some(auth("please")));
    for _ in 0..2 {
        assert_eq!(get(&good, &address).unwrap().body, b"session=42");
    }
    assert_eq!(logins.load(Ordering::SeqCst), 1);
    let bad = client(|settings| settings.cookie_auth = Some(auth("now")));
    let error = bad.log_in().unwrap_err().failure.to_string();
    assert_eq!(error, "cookie auth renewal received status code: 403 (Forbidden) []");
}

#[test]
fn tokens_are_asked_for_either_way_and_kept() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = asked.clone();
    let (_server, address) =
        serve(move |request: &mut Incoming<'_>| match request.path().as_str() {
            "/token" => {
                let body = String::from_utf8(request.read_body(1000).unwrap()).unwrap();
                let is_form = body.contains("client_secret");
                seen.lock().unwrap().push(body);
                match is_form {
                    false => ServerResponse::status_line(401),
                    true => ServerResponse::with_body(
                        200,
                        "application/json",
                        r#"{"access_token":"abc","token_type":"bearer","expires_in":"3600"}"#,
                    ),
                }
            }
            _ => {
                let authorization = request.headers().get("Authorization").unwrap_or_default();
                ServerResponse::with_body(200, "text/plain", authorization.to_owned())
            }
        });
    let credentials = ClientCredentials {
        client_id: "id".into(),
        client_secret: crate::system::Secret::new("s"),
        token_url: url(&format!("{address}/token")),
        audience: "them".into(),
        scopes: vec!["a".into(), "b".into()],
        parameters: Vec::new(),
        style: None,
    };
    let client = client(|settings| settings.credentials = Some(credentials));
    for _ in 0..2 {
        assert_eq!(get(&client, &address).unwrap().body, b"Bearer abc");
    }
    assert_eq!(
        *asked.lock().unwrap(),
        [
            "audience=them&grant_type=client_credentials&scope=a+b",
            "audience=them&client_id=id&client_secret=s&grant_type=client_credentials&scope=a+b",
        ]
    );
}

#[test]
fn connections_are_made_from_the_address_that_is_asked_for() {
    let (_server, address) = serve(|request: &mut Incoming<'_>| {
        let peer = request.peer().map(|peer| peer.ip().to_string()).unwrap_or_default();
        ServerResponse::with_body(200, "text/plain", peer)
    });
    let local = LocalAddress::parse("127.0.0.3").unwrap();
    let client = client(|settings| settings.local_address = Some(local));
    assert_eq!(get(&client, &address).unwrap().body, b"127.0.0.3");
    assert!(LocalAddress::parse("nosuch.invalid").is_err());
}

#[test]
fn a_body_may_be_read_as_it_comes() {
    let (address, server) = scripted(vec![
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\na\n\r\n2\r\nb\n\r\n0\r\n\r\n",
    ]);
    let reply = client(|_| {}).open(&Request::new("GET", url(&address), b"")).unwrap();
    let mut lines = BufReader::new(reply.body).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "a");
    assert_eq!(lines.next().unwrap().unwrap(), "b");
    assert!(lines.next().is_none());
    server.join().unwrap();
}

#[test]
fn a_body_that_is_too_large_is_given_up() {
    let (_server, address) =
        serve(|_: &mut Incoming<'_>| ServerResponse::with_body(200, "text/plain", "x".repeat(11)));
    let error = get(&client(|settings| settings.max_body_bytes = 10), &address).unwrap_err();
    assert_eq!(error.failure.to_string(), "response body exceeds 10 bytes");
}

#[test]
fn an_answer_that_comes_before_the_whole_request_was_sent_counts() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let early = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        read_head(&stream);
        (&stream)
            .write_all(b"HTTP/1.1 413 Request Entity Too Large\r\nContent-Length: 0\r\n\r\n")
            .unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        std::io::copy(&mut &stream, &mut std::io::sink()).unwrap();
    });
    let body = vec![b'x'; 8 << 20];
    let client = client(|_| {});
    assert_eq!(client.send(&Request::new("POST", url(&address), &body)).unwrap().status, 413);
    drop(client);
    early.join().unwrap();
}
