//! Where a running sink is asked: at the socket in its folder, and at a port if one is wanted.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::{Board, SOCKET_FILE, prometheus};
use crate::http::{
    Bound, Incoming, ListenAddress, Listener, Server, ServerResponse as Response, ServerSettings,
};
use crate::status::{SocketError, listen_at};
use crate::system::Clock;

/// What Prometheus calls its text.
const EXPOSITION: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What stands at `/`.
const CONTENTS: &str = "metric-sink: /metrics for Prometheus, /health, /status as JSON";

/// How long callers have who are in the middle of a request when the sink ends.
const GRACE: Duration = Duration::from_millis(100);

/// A caller says what it wants in one breath; those that do not are not waited for.
const SETTINGS: ServerSettings = ServerSettings {
    read_timeout: Some(Duration::from_secs(2)),
    write_timeout: Some(Duration::from_secs(5)),
    max_connections: 16,
};

/// Why a sink cannot be asked at a port.
#[derive(Debug, thiserror::Error)]
pub enum StatusServerError {
    /// The address is taken, or not of this machine.
    #[error("--http: {0}")]
    Listen(#[from] crate::http::ListenError),
    /// The system has no room for another thread.
    #[error("--http: starting a thread: {0}")]
    Thread(io::Error),
}

/// The servers; they end when this is dropped.
pub(in crate::sink) struct StatusServers {
    at_socket: AtSocket,
    _at_port: Option<Server>,
}

/// What answers at the socket in the folder, if there is one.
#[derive(Clone)]
pub(in crate::sink) struct AtSocket(Arc<Mutex<Option<Server>>>);

impl AtSocket {
    /// Begins to answer in `folder`, which is locked for this process.
    ///
    /// Without a socket the sink can do its work: that is only told in the log.
    pub(in crate::sink) fn listen_again(
        &self,
        folder: &Path,
        board: &Arc<Board>,
        clock: &Arc<dyn Clock>,
    ) {
        let mut server = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // It takes its socket along, which must not be the new one.
        drop(server.take());
        let started = listen_at(&folder.join(SOCKET_FILE)).and_then(|listener| {
            serve(listener, board, clock)
                .map_err(|source| SocketError::Io { path: folder.to_owned(), source })
        });
        match started {
            Ok(started) => *server = Some(started),
            Err(error) => {
                log::warn!(target: "", "metric-sink status will not find this sink: {error}");
            }
        }
    }

    fn end(&self) {
        drop(self.0.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

impl Drop for StatusServers {
    fn drop(&mut self) {
        self.at_socket.end();
    }
}

impl StatusServers {
    /// Begins to answer in `folder`, which is locked for this process, and at `http` if that is
    /// wanted.
    ///
    /// # Errors
    /// If `http` cannot be listened at.
    pub(in crate::sink) fn start(
        folder: &Path,
        http: Option<&ListenAddress>,
        board: &Arc<Board>,
        clock: &Arc<dyn Clock>,
    ) -> Result<StatusServers, StatusServerError> {
        let at_port = match http {
            Some(address) => {
                let listener = address.listen()?;
                if let Ok(Bound::Tcp(address)) = listener.bound() {
                    log::info!(target: "", "Status at http://{address} (/metrics, /health, /status)");
                }
                Some(serve(listener, board, clock).map_err(StatusServerError::Thread)?)
            }
            None => None,
        };
        let at_socket = AtSocket(Arc::default());
        at_socket.listen_again(folder, board, clock);
        Ok(StatusServers { at_socket, _at_port: at_port })
    }

    /// What answers in the folder.
    pub(in crate::sink) fn at_socket(&self) -> AtSocket {
        self.at_socket.clone()
    }
}

fn serve(listener: Listener, board: &Arc<Board>, clock: &Arc<dyn Clock>) -> io::Result<Server> {
    let board = board.clone();
    let handler =
        move |request: &mut Incoming<'_>| answer(&board, request.method(), &request.path());
    Ok(Server::start(listener, SETTINGS, None, handler, clock.clone())?.with_grace(GRACE))
}

/// What is answered to a request.
fn answer(board: &Board, method: &str, path: &str) -> Response {
    if !matches!(method, "GET" | "HEAD") {
        return Response::status_line(405).with_header("Allow", "GET, HEAD");
    }
    match path {
        "/" => Response::line(200, CONTENTS),
        "/health" => {
            let snapshot = board.snapshot();
            match snapshot.healthy {
                true => Response::line(200, "ok"),
                false => Response::line(503, &snapshot.problems.join("\n")),
            }
        }
        "/metrics" => {
            let mut snapshot = board.snapshot();
            snapshot.measure_files();
            Response::with_body(200, EXPOSITION, prometheus(&snapshot))
        }
        "/status" => {
            let mut snapshot = board.snapshot();
            snapshot.measure_files();
            match snapshot.to_json() {
                Ok(json) => Response::with_body(200, "application/json", json),
                Err(error) => Response::line(500, &error.to_string()),
            }
        }
        _ => Response::status_line(404),
    }
    .with_header("Cache-Control", "no-store")
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    use super::*;
    use crate::sink::progress::ThreadProgress;
    use crate::sink::settings::Settings;
    use crate::sink::status::{SOCKET_FILE, ask};
    use crate::sink::stuck::Step;
    use crate::system::RealClock;

    struct Scene {
        folder: tempfile::TempDir,
        progress: Arc<ThreadProgress>,
        board: Arc<Board>,
        clock: Arc<dyn Clock>,
    }

    fn scene() -> Scene {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings {
            output_dir: folder.path().to_owned(),
            properties: vec![("sasl.password".into(), "hush".into())],
            ..Settings::default()
        };
        let progress = Arc::new(ThreadProgress::default());
        let clock: Arc<dyn Clock> = Arc::new(RealClock::new());
        let threads = vec![("consumer-thread-0".to_owned(), progress.clone())];
        let board = Arc::new(Board::new(&settings, threads, clock.clone()));
        Scene { folder, progress, board, clock }
    }

    impl Scene {
        fn start(&self) -> StatusServers {
            StatusServers::start(self.folder.path(), None, &self.board, &self.clock).unwrap()
        }

        fn connect(&self) -> UnixStream {
            UnixStream::connect(self.folder.path().join(SOCKET_FILE)).unwrap()
        }
    }

    #[test]
    fn every_path_has_its_answer_and_none_tells_a_secret() {
        let scene = scene();
        for (method, path, status) in [
            ("GET", "/", 200),
            ("HEAD", "/metrics", 200),
            ("GET", "/metrics", 200),
            ("GET", "/status", 200),
            ("GET", "/health", 200),
            ("GET", "/healthz", 404),
            ("POST", "/status", 405),
        ] {
            let response = answer(&scene.board, method, path);
            assert_eq!(response.status, status, "{method} {path}");
            let body = String::from_utf8(response.body).unwrap();
            assert!(!body.contains("hush") && !body.contains("password"), "{body}");
        }
        scene.progress.failed(Step::Write, "no space".into(), Duration::ZERO);
        let response = answer(&scene.board, "GET", "/health");
        let body = String::from_utf8(response.body).unwrap();
        assert_eq!(response.status, 503);
        assert!(body.starts_with("consumer-thread-0 is stuck for "), "{body}");
        assert!(body.ends_with("no space\n"), "{body}");
    }

    #[test]
    fn strangers_who_say_nothing_or_half_of_it_neither_hold_others_up_nor_the_end() {
        let scene = scene();
        let servers = scene.start();
        let silent: Vec<_> = (0..40).map(|_| scene.connect()).collect();
        let mut half = scene.connect();
        half.write_all(b"GET /status HT").unwrap();
        for _ in 0..3 {
            let answer = ask(&scene.folder.path().join(SOCKET_FILE), &scene.clock).unwrap();
            assert_eq!(answer.snapshot.pid, std::process::id());
        }
        let start = scene.clock.elapsed();
        drop(servers);
        let took = scene.clock.elapsed() - start;
        assert!(took < Duration::from_secs(1), "{took:?}");
        for mut stream in silent {
            assert!(matches!(stream.read(&mut [0; 8]), Ok(0) | Err(_)));
        }
        assert!(!scene.folder.path().join(SOCKET_FILE).exists());
    }

    #[test]
    fn a_folder_that_takes_no_socket_is_no_reason_not_to_start() {
        let scene = scene();
        std::fs::write(scene.folder.path().join(SOCKET_FILE), "").unwrap();
        let servers = scene.start();
        assert!(servers.at_socket.0.lock().unwrap().is_none());
    }

    #[test]
    fn a_port_that_is_taken_is_an_error() {
        let scene = scene();
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = ListenAddress::Tcp(taken.local_addr().unwrap().to_string());
        let folder = scene.folder.path();
        let started = StatusServers::start(folder, Some(&address), &scene.board, &scene.clock);
        let error = started.err().unwrap().to_string();
        assert!(error.starts_with("--http: listen tcp 127.0.0.1:"), "{error}");
    }
}
