//! Programs that hand out credentials: `credential_process` of a profile.
//!
//! # References
//! "Process credential provider" of Amazon's SDK reference guide.

use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use crossbeam_channel::{bounded, select};
use rustix::process::{Pid, Signal, kill_process_group};
use serde::Deserialize;

use super::Credentials;
use super::credentials::AwsError;
use super::services::time;
use crate::system::thread::spawn;
use crate::system::{Clock, Secret};

/// How long a program may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// How much a program may say.
const MOST_BYTES: u64 = 64 * 1024;

/// What a program says.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Said {
    #[serde(default)]
    version: i64,
    #[serde(default)]
    access_key_id: String,
    #[serde(default)]
    secret_access_key: String,
    #[serde(default)]
    session_token: String,
    expiration: Option<String>,
}

/// Runs a command in a shell, and takes what it says for credentials.
///
/// # Errors
/// If it fails, takes longer than a minute, or says something else.
pub(super) fn ask_program(command: &str, clock: &dyn Clock) -> Result<Credentials, AwsError> {
    let failed =
        |reason: String| AwsError::Program(format!("error in credential_process: {reason}"));
    let (said, status) = run(command, clock).map_err(|error| failed(error.to_string()))?;
    if !status.success() {
        return Err(failed(status.to_string()));
    }
    credentials(&said).map_err(AwsError::Program)
}

fn run(command: &str, clock: &dyn Clock) -> io::Result<(Vec<u8>, ExitStatus)> {
    let mut child = Command::new("sh")
        .args(["-c", command])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .process_group(0)
        .spawn()?;
    let group = Pid::from_child(&child);
    let (ended, outcome) = bounded(1);
    let _reader = spawn("aws-credentials", move || {
        let mut said = Vec::new();
        let read = match child.stdout.take() {
            Some(stdout) => stdout.take(MOST_BYTES).read_to_end(&mut said),
            None => Ok(0),
        };
        // Nobody waits for it any more if it took too long.
        let _ = ended.send(read.and_then(|_| Ok((said, child.wait()?))));
    })?;
    select! {
        recv(outcome) -> outcome => outcome.unwrap_or_else(|_| Err(io::Error::other("it is gone"))),
        recv(clock.after(PATIENCE)) -> _ => {
            // It fails where the program has just ended.
            let _ = kill_process_group(group, Signal::KILL);
            Err(io::Error::other("credential process timed out"))
        }
    }
}

/// Credentials as a program says them; what it says is never told, as it may be a secret.
fn credentials(said: &[u8]) -> Result<Credentials, String> {
    let said: Said = serde_json::from_slice(said).map_err(|error| {
        format!("parse failed of process output: {error}; it is to be JSON with Version 1")
    })?;
    if said.version != 1 {
        return Err("wrong version in process output (not 1)".to_owned());
    }
    for (name, value) in
        [("AccessKeyId", &said.access_key_id), ("SecretAccessKey", &said.secret_access_key)]
    {
        if value.is_empty() {
            return Err(format!("missing {name} in process output"));
        }
    }
    Ok(Credentials {
        access_key: said.access_key_id,
        secret_key: Secret::new(said.secret_access_key),
        token: Secret::new(said.session_token),
        until: said.expiration.as_deref().and_then(time),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::Timestamp;
    use crate::system::System;

    fn ask(command: &str) -> Result<Credentials, String> {
        ask_program(command, &*System::real().clock).map_err(|error| error.to_string())
    }

    #[test]
    fn what_a_program_says_is_taken() {
        let said = r#"{"Version": 1, "AccessKeyId": "A B", "SecretAccessKey": "s",
                       "SessionToken": "t", "Expiration": "2015-08-30T18:00:00Z"}"#;
        let credentials = ask(&format!("printf '%s' '{said}'")).unwrap();
        assert_eq!(credentials.access_key, "A B");
        assert_eq!(credentials.token.expose(), "t");
        assert_eq!(credentials.until, Some(Timestamp::from_seconds(1_440_957_600)));
        let lasting =
            ask(r#"echo '{"Version":1,"AccessKeyId":"a","SecretAccessKey":"s"}'"#).unwrap();
        assert_eq!(lasting.until, None);
    }

    #[test]
    fn what_is_no_answer_is_told() {
        for (command, message) in [
            ("exit 3", "error in credential_process: exit status: 3"),
            ("/nonexistent 2>&-", "error in credential_process: exit status: 127"),
            ("echo secret", "parse failed of process output: "),
            ("echo '{}'", "wrong version in process output (not 1)"),
            (r#"echo '{"Version":1}'"#, "missing AccessKeyId in process output"),
            (
                r#"echo '{"Version":1,"AccessKeyId":"a"}'"#,
                "missing SecretAccessKey in process output",
            ),
        ] {
            let error = ask(command).unwrap_err();
            assert!(error.starts_with(message) && !error.contains("secret"), "{error}");
        }
    }
}
