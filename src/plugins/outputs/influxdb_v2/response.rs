//! What a server answers, and what that means for the metrics.

use std::time::Duration;

use serde::Deserialize;

use crate::http::Response;
use crate::plugin::settings::format_duration;

/// Longest wait before the next try that is thought up here.
const MOST_BACKOFF_SECONDS: f64 = 60.0;

/// Longest wait that a server may ask for.
const MOST_RETRY_AFTER_SECONDS: f64 = 600.0;

/// What is waited where a server asks for a wait that nobody understands.
const GUESSED_RETRY_AFTER_SECONDS: f64 = 10.0;

/// Why metrics were not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    /// There was no answer.
    #[error("{0}")]
    Unreachable(String),
    /// The server does not take them now.
    #[error("{0}")]
    Later(String),
    /// The server asks for some time without writes.
    #[error("{text}")]
    Throttled { text: String, wait: Duration },
    /// The server never takes so many at a time.
    #[error("{0}")]
    TooLarge(String),
    /// The server never takes them.
    #[error("{0}")]
    Never(String),
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Answer {
    code: String,
    message: String,
    line: Option<i32>,
    #[serde(rename = "maxLength")]
    max_length: Option<i32>,
}

impl Answer {
    fn text(&self) -> String {
        let line = self.line.map(|line| format!("line[{line}]"));
        let length = self.max_length.map(|length| format!("maxlen[{length}]"));
        let details: Vec<_> = line.into_iter().chain(length).collect();
        match details.is_empty() {
            true => format!("{}: {}", self.code, self.message),
            false => format!("{}: {} - {}", self.code, self.message, details.join(", ")),
        }
    }
}

/// Whether a write has been taken; `failures` is how many were refused for want of time just
/// before this one.
pub(super) fn judge(
    response: &Response,
    bucket: &str,
    n_bytes: usize,
    failures: u32,
) -> Result<(), Refusal> {
    let status = response.status_line();
    let answer: Option<Answer> = serde_json::from_slice(&response.body).ok();
    let said = answer.map(|answer| format!(": {}", answer.text())).unwrap_or_default();
    let never = || {
        Err(Refusal::Never(format!(
            "failed to write metrics to {bucket} (will be dropped: {status}){said}"
        )))
    };
    match response.status {
        200 | 201 | 202 | 204 | 206 | 207 | 208 => Ok(()),
        413 => Err(Refusal::TooLarge(format!(
            "Failed to write metrics with size {n_bytes} bytes to {bucket}, request was too large \
             (413)"
        ))),
        401 | 403 => {
            Err(Refusal::Later(format!("failed to write metrics to {bucket} ({status}){said}")))
        }
        429 | 502 | 503 | 504 => {
            let wait = wait(response.headers.get("Retry-After"), failures + 1);
            let shown = format_duration(i64::try_from(wait.as_nanos()).unwrap_or(i64::MAX));
            let text = format!("failed to write to {bucket}; will retry in {shown}. ({status})");
            Err(Refusal::Throttled { text, wait })
        }
        400..500 => never(),
        _ => {
            let said = match response.headers.get("X-Influx-Error") {
                Some(error) => format!(": {said}; {error}"),
                None => said,
            };
            Err(Refusal::Later(format!(
                "failed to write metrics to bucket {bucket:?}: {status}{said}"
            )))
        }
    }
}

/// How long to wait: as long as the server asks for, or longer each time it does not say.
fn wait(retry_after: Option<&str>, failures: u32) -> Duration {
    let backoff = (f64::from(failures).powi(2) / 40.0).min(MOST_BACKOFF_SECONDS);
    let asked_for = match retry_after {
        None | Some("") => 0.0,
        Some(text) => text
            .parse::<f64>()
            .ok()
            .filter(|seconds| !seconds.is_nan())
            .unwrap_or(GUESSED_RETRY_AFTER_SECONDS)
            .min(MOST_RETRY_AFTER_SECONDS),
    };
    Duration::from_millis((backoff.max(asked_for) * 1000.0) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{Headers, reason};

    fn judged(status: u16, headers: &[(&str, &str)], body: &str) -> Result<(), Refusal> {
        let mut all = Headers::new();
        headers.iter().for_each(|(name, value)| all.set(name, *value));
        let response = Response {
            status,
            reason: reason(status).to_owned(),
            headers: all,
            body: body.as_bytes().to_vec(),
        };
        judge(&response, "b", 7, 1)
    }

    #[test]
    fn answers_mean_what_they_mean_to_telegraf() {
        for status in [200, 201, 202, 204, 206, 207, 208] {
            assert_eq!(judged(status, &[], ""), Ok(()));
        }
        let body = r#"{"code":"invalid","message":"no","line":3,"maxLength":9}"#;
        for (status, body, expected) in [
            (
                400,
                body,
                Refusal::Never(
                    "failed to write metrics to b (will be dropped: 400 Bad Request): invalid: no \
                     - line[3], maxlen[9]"
                        .into(),
                ),
            ),
            (
                404,
                "<html>",
                Refusal::Never(
                    "failed to write metrics to b (will be dropped: 404 Not Found)".into(),
                ),
            ),
            (
                401,
                r#"{"code":"unauthorized","message":"who"}"#,
                Refusal::Later(
                    "failed to write metrics to b (401 Unauthorized): unauthorized: who".into(),
                ),
            ),
            (
                500,
                "",
                Refusal::Later(
                    "failed to write metrics to bucket \"b\": 500 Internal Server Error".into(),
                ),
            ),
            (
                413,
                "",
                Refusal::TooLarge(
                    "Failed to write metrics with size 7 bytes to b, request was too large (413)"
                        .into(),
                ),
            ),
        ] {
            assert_eq!(judged(status, &[], body), Err(expected));
        }
        let refusal = judged(500, &[("X-Influx-Error", "x")], "").unwrap_err();
        assert!(refusal.to_string().ends_with(": 500 Internal Server Error: ; x"), "{refusal}");
    }

    #[test]
    fn servers_are_left_alone_for_as_long_as_they_ask() {
        for (after, expected) in
            [("2", "2s"), ("0.5", "500ms"), ("soon", "10s"), ("9999", "10m0s"), ("", "100ms")]
        {
            let refusal = judged(503, &[("Retry-After", after)], "").unwrap_err();
            let text = format!(
                "failed to write to b; will retry in {expected}. (503 Service Unavailable)"
            );
            assert_eq!(refusal.to_string(), text);
        }
        assert_eq!(wait(None, 49), Duration::from_secs(60));
        assert_eq!(wait(Some("1"), 20), Duration::from_secs(10));
    }
}
