//! Asking a running sink.

use std::io::{self, ErrorKind};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::Snapshot;
use super::socket::ShortPath;
use crate::http::{Client, ClientSettings, Request, Url};
use crate::system::Clock;

/// How long a sink has to answer.
const LIMIT: Duration = Duration::from_secs(5);

/// What a sink has answered.
#[derive(Debug)]
pub struct Answer {
    /// As it came.
    pub json: String,
    /// What it says.
    pub snapshot: Snapshot,
}

/// Why a sink does not tell how it is.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// There is no socket.
    #[error(
        "no metric-sink is running there: {} does not exist; --output-dir names the folder that it writes to",
        path.display()
    )]
    Missing {
        /// Where the socket would be.
        path: PathBuf,
    },
    /// There is one that nobody listens at.
    #[error("no metric-sink is running any more: nobody listens at {}", path.display())]
    Dead {
        /// The socket.
        path: PathBuf,
    },
    /// The socket belongs to somebody else.
    #[error(
        "{} lets nobody ask but the user who runs the sink; run this as that user, or use --http",
        path.display()
    )]
    Denied {
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

/// Asks the sink that listens at a socket.
///
/// # Errors
/// If none does, or it does not answer within seconds.
pub fn ask(path: &Path, clock: &Arc<dyn Clock>) -> Result<Answer, AskError> {
    let failed = |reason: String| AskError::Failed { path: path.to_owned(), reason };
    let reached = reach(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => AskError::Missing { path: path.into() },
        ErrorKind::ConnectionRefused => AskError::Dead { path: path.into() },
        ErrorKind::PermissionDenied => AskError::Denied { path: path.into() },
        _ => failed(error.to_string()),
    })?;
    let Some(socket) = reached.path.to_str() else {
        return Err(failed("the path is not UTF-8".to_owned()));
    };
    let settings = ClientSettings {
        timeout: Some(LIMIT),
        unix_socket: Some(socket.to_owned()),
        ..ClientSettings::default()
    };
    let client = Client::new(settings, clock.clone()).map_err(|error| failed(error.to_string()))?;
    let url = Url::parse("http://metric-sink/status").map_err(|error| failed(error.to_string()))?;
    let response = client.send(&Request::new("GET", url, &[])).map_err(|error| {
        if error.is_timeout() {
            failed(format!("no answer within {} s", LIMIT.as_secs()))
        } else {
            failed(error.failure.to_string())
        }
    })?;
    if response.status != 200 {
        return Err(failed(format!("the answer is {}", response.status_line())));
    }
    let json = String::from_utf8(response.body).map_err(|error| failed(error.to_string()))?;
    let snapshot = serde_json::from_str(&json)
        .map_err(|error| failed(format!("the answer is not understood: {error}")))?;
    Ok(Answer { json, snapshot })
}

/// A path for the socket that is short enough, once somebody is known to listen there.
fn reach(path: &Path) -> io::Result<ShortPath> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| io::Error::new(ErrorKind::NotFound, "it names no socket"))?;
    let short = ShortPath::of(folder, name)?;
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
        ask(path, &clock).unwrap_err().to_string()
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
