//! Asking a running program.

use std::io::{self, ErrorKind};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::socket::ShortPath;
use crate::http::{Client, ClientSettings, Request, Url};
use crate::system::Clock;

/// Where a program listens, and how people are told of it.
#[derive(Debug, Clone, Copy)]
pub struct Place<'p> {
    /// The program, such as `metric-sink`.
    pub program: &'static str,
    /// The socket.
    pub path: &'p Path,
    /// What names another socket, for who looks at the wrong place.
    pub hint: &'static str,
}

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub struct Question {
    /// The method of HTTP.
    pub method: &'static str,
    /// The path of the request, such as `/status`.
    pub path: &'static str,
    /// How long the answer may take.
    pub limit: Duration,
}

/// What a program has answered.
#[derive(Debug)]
pub struct Answer {
    /// The status of HTTP; 200 is good.
    pub status: u16,
    /// That with its words.
    pub status_line: String,
    /// What it says.
    pub text: String,
}

/// Why a program does not answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// There is no socket.
    #[error("no {program} is running there: {} does not exist; {hint}", path.display())]
    Missing {
        /// The program.
        program: &'static str,
        /// Where the socket would be.
        path: PathBuf,
        /// What names another one.
        hint: &'static str,
    },
    /// There is one that nobody listens at.
    #[error("no {program} is running any more: nobody listens at {}", path.display())]
    Dead {
        /// The program.
        program: &'static str,
        /// The socket.
        path: PathBuf,
    },
    /// The socket belongs to somebody else.
    #[error(
        "{} lets nobody ask but the user who runs {program}; run this as that user", path.display()
    )]
    Denied {
        /// The program.
        program: &'static str,
        /// The socket.
        path: PathBuf,
    },
    /// Anything else on the way there.
    #[error("asking at {}: {reason}", path.display())]
    Failed {
        /// The socket.
        path: PathBuf,
        /// What went wrong.
        reason: String,
    },
}

impl AskError {
    /// Makes the error of an answer that is no good.
    pub fn failed(path: &Path, reason: impl ToString) -> AskError {
        AskError::Failed { path: path.to_owned(), reason: reason.to_string() }
    }
}

/// Asks the program that listens at a socket.
///
/// # Errors
/// If none does, or it does not answer in time.
pub fn ask(
    place: &Place<'_>,
    question: &Question,
    clock: &Arc<dyn Clock>,
) -> Result<Answer, AskError> {
    let Place { program, path, hint } = *place;
    let reached = reach(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => {
            AskError::Missing { program, path: path.into(), hint }
        }
        ErrorKind::ConnectionRefused => AskError::Dead { program, path: path.into() },
        ErrorKind::PermissionDenied => AskError::Denied { program, path: path.into() },
        _ => AskError::failed(path, error),
    })?;
    let failed = |reason: &dyn ToString| AskError::failed(path, reason.to_string());
    let Some(socket) = reached.path.to_str() else {
        return Err(failed(&"the path is not UTF-8"));
    };
    let settings = ClientSettings {
        timeout: Some(question.limit),
        unix_socket: Some(socket.to_owned()),
        ..ClientSettings::default()
    };
    let client = Client::new(settings, clock.clone()).map_err(|error| failed(&error))?;
    let url = Url::parse(&format!("http://{program}{}", question.path));
    let url = url.map_err(|error| failed(&error))?;
    let response = client.send(&Request::new(question.method, url, &[])).map_err(|error| {
        if error.is_timeout() {
            failed(&format!("no answer within {} s", question.limit.as_secs()))
        } else {
            failed(&error.failure)
        }
    })?;
    let (status, status_line) = (response.status, response.status_line().to_string());
    let text = String::from_utf8(response.body).map_err(|error| failed(&error))?;
    Ok(Answer { status, status_line, text })
}

/// A path for the socket that is short enough, once somebody is known to listen there.
fn reach(path: &Path) -> io::Result<ShortPath> {
    let short = ShortPath::of(path)?;
    UnixStream::connect(&short.path)?;
    Ok(short)
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;
    use crate::system::RealClock;

    fn why_not(path: &Path) -> String {
        let clock: Arc<dyn Clock> = Arc::new(RealClock::new());
        let place = Place { program: "metric-test", path, hint: "--socket names another" };
        let limit = Duration::from_secs(5);
        let question = Question { method: "GET", path: "/status", limit };
        ask(&place, &question, &clock).unwrap_err().to_string()
    }

    #[test]
    fn who_is_not_there_is_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        assert!(why_not(&path).contains("does not exist"), "{}", why_not(&path));
        assert!(why_not(&path.join("below")).contains("does not exist"));
        drop(UnixListener::bind(&path).unwrap());
        assert!(why_not(&path).contains("nobody listens"), "{}", why_not(&path));
        let long = folder.path().join("y".repeat(200)).join("s");
        assert!(why_not(&long).contains("does not exist"), "{}", why_not(&long));
    }
}
