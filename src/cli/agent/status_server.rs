//! The socket at which a running agent is asked how it is, and told to read its configuration again.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded, select, unbounded};

use super::folders;
use crate::agent::status::Board;
use crate::http::{Incoming, Server, ServerResponse as Response, ServerSettings};
use crate::status::{SocketError, listen_at};
use crate::system::Clock;

/// The name of the socket in the folder that the service manager gives for such things.
const SOCKET_FILE: &str = "status.sock";

/// What a setting or flag says that wants no socket.
const NONE: &str = "none";

/// How long callers have who are in the middle of a request when the agent ends.
const GRACE: Duration = Duration::from_millis(100);

/// How long a reload can take: outputs that connect, inputs that end.
const RELOAD_LIMIT: Duration = Duration::from_secs(300);

/// A caller says what it wants in one breath; those that do not are not waited for.
const SETTINGS: ServerSettings = ServerSettings {
    read_timeout: Some(Duration::from_secs(2)),
    write_timeout: Some(Duration::from_secs(5)),
    max_connections: 16,
};

/// What came of a reload; why not, in the words of the log.
pub(super) type Outcome = Result<(), String>;

/// Somebody wants the configuration to be read again, and to hear what came of it.
pub(super) struct Wish {
    /// Gets what came of it.
    pub(super) outcome: Sender<Outcome>,
}

/// Answers at the socket, if there is one; it ends when this is dropped.
pub(super) struct StatusServer {
    path: Option<PathBuf>,
    server: Option<Server>,
    board: Arc<Board>,
    wishes: Sender<Wish>,
    clock: Arc<dyn Clock>,
}

impl StatusServer {
    /// Makes one that does not answer yet, and the way that wishes take.
    pub(super) fn new(board: Arc<Board>, clock: Arc<dyn Clock>) -> (StatusServer, Receiver<Wish>) {
        let (wishes, wished) = unbounded();
        (StatusServer { path: None, server: None, board, wishes, clock }, wished)
    }

    /// Answers at `path` from now on, or nowhere.
    ///
    /// Without a socket the agent can do its work: that is only told in the log.
    pub(super) fn listen(&mut self, path: Option<PathBuf>) {
        if path == self.path {
            return;
        }
        // It takes its socket along.
        drop(self.server.take());
        self.path = path;
        let Some(path) = &self.path else { return };
        match self.start(path) {
            Ok(server) => self.server = Some(server),
            Err(error) => {
                log::warn!(target: "agent", "metric-agent status will not find this agent: {error}");
            }
        }
    }

    fn start(&self, path: &Path) -> Result<Server, SocketError> {
        let listener = listen_at(path)?;
        let failed = |source: io::Error| SocketError::Io { path: path.to_owned(), source };
        let (board, wishes, clock) = (self.board.clone(), self.wishes.clone(), self.clock.clone());
        let handler = move |request: &mut Incoming<'_>| {
            answer(&board, &wishes, clock.as_ref(), request.method(), &request.path())
        };
        let server = Server::start(listener, SETTINGS, None, handler, self.clock.clone());
        Ok(server.map_err(failed)?.with_grace(GRACE))
    }
}

/// Where the agent answers: as the flag says, else the setting, else in the folder that the service
/// manager gives.
pub(super) fn socket(flag: Option<&str>, setting: &str) -> Option<PathBuf> {
    match flag.unwrap_or(setting) {
        NONE => None,
        "" => folders::runtime().map(|folder| folder.join(SOCKET_FILE)),
        path => Some(PathBuf::from(path)),
    }
}

/// Where an agent is asked, if nothing else is said.
pub(super) fn socket_to_ask(flag: Option<&str>) -> PathBuf {
    flag.map_or_else(|| folders::usual_runtime().join(SOCKET_FILE), PathBuf::from)
}

fn answer(
    board: &Board,
    wishes: &Sender<Wish>,
    clock: &dyn Clock,
    method: &str,
    path: &str,
) -> Response {
    match (method, path) {
        ("GET" | "HEAD", "/status") => match board.snapshot().to_json() {
            Ok(json) => Response::with_body(200, "application/json", json),
            Err(error) => Response::line(500, &error.to_string()),
        },
        ("POST", "/reload") => reload(wishes, clock),
        (_, "/status") => Response::status_line(405).with_header("Allow", "GET, HEAD"),
        (_, "/reload") => Response::status_line(405).with_header("Allow", "POST"),
        _ => Response::status_line(404),
    }
    .with_header("Cache-Control", "no-store")
}

fn reload(wishes: &Sender<Wish>, clock: &dyn Clock) -> Response {
    let (sender, outcome) = bounded(1);
    let is_heard = wishes.send(Wish { outcome: sender }).is_ok();
    let ended = || Response::line(503, "the agent ends");
    if !is_heard {
        return ended();
    }
    select! {
        recv(outcome) -> outcome => match outcome {
            Ok(Ok(())) => Response::line(200, "the new configuration runs"),
            Ok(Err(reason)) => Response::line(409, &reason),
            Err(_) => ended(),
        },
        recv(clock.after(RELOAD_LIMIT)) -> _ => {
            Response::line(504, &format!("nothing has come of it in {} s", RELOAD_LIMIT.as_secs()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::Timestamp;
    use crate::plugin::Statistics;
    use crate::system::fake::FakeClock;
    use crate::system::thread::spawn;

    #[test]
    fn every_path_has_its_answer() {
        let clock = Arc::new(FakeClock::at(Timestamp::EPOCH));
        let board = Board::new(Statistics::default(), clock.clone());
        let (wishes, wished) = unbounded::<Wish>();
        let outcomes = [Ok(()), Err("a.conf: no".to_owned())];
        let agent = spawn("agent", move || {
            for outcome in outcomes {
                wished.recv().unwrap().outcome.send(outcome).unwrap();
            }
            // The last one is forgotten.
            drop(wished.recv());
        })
        .unwrap();
        for (method, path, status, body) in [
            ("GET", "/status", 200, "\"phase\": \"starting\""),
            ("POST", "/status", 405, ""),
            ("GET", "/reload", 405, ""),
            ("GET", "/", 404, ""),
            ("POST", "/reload", 200, "the new configuration runs"),
            ("POST", "/reload", 409, "a.conf: no"),
            ("POST", "/reload", 503, "the agent ends"),
        ] {
            let response = answer(&board, &wishes, clock.as_ref(), method, path);
            let text = String::from_utf8(response.body).unwrap();
            assert!(response.status == status && text.contains(body), "{method} {path}: {text}");
        }
        drop(agent);
        assert_eq!(answer(&board, &wishes, clock.as_ref(), "POST", "/reload").status, 503);
    }

    #[test]
    fn the_flag_beats_the_setting_and_both_can_want_none() {
        for (flag, setting, path) in [
            (Some("a"), "b", Some("a")),
            (None, "b", Some("b")),
            (Some("none"), "b", None),
            (None, "none", None),
        ] {
            assert_eq!(socket(flag, setting), path.map(PathBuf::from), "{flag:?} {setting}");
        }
        assert_eq!(socket_to_ask(Some("x")), Path::new("x"));
    }

    #[test]
    fn who_listens_at_a_new_place_leaves_the_old_one_and_disturbs_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let clock: Arc<dyn Clock> = Arc::new(crate::system::RealClock::new());
        let server = || {
            let board = Board::new(Statistics::default(), clock.clone());
            StatusServer::new(Arc::new(board), clock.clone()).0
        };
        let (mut first, mut second) = (server(), server());
        let (one, two) = (folder.path().join("one"), folder.path().join("two"));
        first.listen(Some(one.clone()));
        second.listen(Some(one.clone()));
        assert!(first.server.is_some() && second.server.is_none(), "it is another's");
        first.listen(Some(two.clone()));
        assert!(!one.exists() && two.exists());
        first.listen(None);
        assert!(!two.exists());
    }
}
