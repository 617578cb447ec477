//! Asking a running sink.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::Snapshot;
use crate::status::{self, AskError, Place, Question};
use crate::system::Clock;

/// What a sink is asked, and how long it has to answer.
const QUESTION: Question =
    Question { method: "GET", path: "/status", limit: Duration::from_secs(5) };

/// What a sink has answered.
#[derive(Debug)]
pub struct Answer {
    /// As it came.
    pub json: String,
    /// What it says.
    pub snapshot: Snapshot,
}

/// Asks the sink that listens at a socket.
///
/// # Errors
/// If none does, or it does not answer within seconds.
pub fn ask(path: &Path, clock: &Arc<dyn Clock>) -> Result<Answer, AskError> {
    let hint = "--output-dir names the folder that it writes to";
    let place = Place { program: "metric-sink", path, hint };
    let answer = status::ask(&place, &QUESTION, clock)?;
    if answer.status != 200 {
        let reason = format!("the answer is {}", answer.status_line);
        return Err(AskError::failed(path, reason));
    }
    let snapshot = serde_json::from_str(&answer.text).map_err(|error| {
        AskError::failed(path, format!("the answer is not understood: {error}"))
    })?;
    Ok(Answer { json: answer.text, snapshot })
}
