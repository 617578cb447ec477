//! What a server answers, and what that means for the metrics.

use serde::Deserialize;

use super::Failure;
use crate::http::Response;
use crate::plugin::PluginLog;

/// An error that the server tells.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.text())]
pub(super) struct ApiError {
    /// Code and words of the status.
    pub(super) title: String,
    /// What the body says.
    pub(super) description: String,
}

impl ApiError {
    fn new(response: &Response, description: impl Into<String>) -> ApiError {
        ApiError { title: response.status_line(), description: description.into() }
    }

    fn text(&self) -> String {
        match self.description.as_str() {
            "" => self.title.clone(),
            description => format!("{}: {description}", self.title),
        }
    }
}

#[derive(Deserialize)]
struct WriteAnswer {
    #[serde(default)]
    error: String,
}

#[derive(Deserialize)]
struct QueryAnswer {
    #[serde(default)]
    results: Vec<WriteAnswer>,
}

/// The body as JSON; nothing if it is empty.
fn json(body: &[u8]) -> Result<Option<serde_json::Value>, String> {
    if body.is_empty() {
        return Ok(None);
    }
    serde_json::from_slice(body).map(Some).map_err(|_| String::from_utf8_lossy(body).into_owned())
}

/// Whether a write has been taken; an answer that tells of points that were dropped counts as
/// taken, since which ones it does not tell.
pub(super) fn judge_write(
    response: &Response,
    server: &str,
    log: &PluginLog,
) -> Result<(), Failure> {
    if response.status == 204 {
        return Ok(());
    }
    let retry = |error: ApiError| Err(Failure::Retry(error.into()));
    let body = match json(&response.body) {
        Ok(body) => body,
        Err(text) => {
            return retry(ApiError::new(
                response,
                format!(
                    "An error response was received while attempting to write metrics. Error: \
                     {text}"
                ),
            ));
        }
    };
    let description = body
        .and_then(|body| serde_json::from_value::<WriteAnswer>(body).ok())
        .map(|answer| answer.error)
        .unwrap_or_default();
    let has = |text: &str| description.contains(text);
    if has("database not found") {
        return Err(Failure::DatabaseNotFound(ApiError::new(response, description)));
    }
    if (400..500).contains(&response.status) {
        return Err(Failure::Refused(format!(
            "Failed to write metric (will be dropped: {}): {description}",
            response.status_line()
        )));
    }
    if has("retention policy not found") {
        return Err(Failure::Refused(format!(
            "When writing to [{server}]: received error {description}"
        )));
    }
    if has("hinted handoff queue not empty") {
        // The cluster tells of its state; the points are taken.
        return Ok(());
    }
    if has("points beyond retention policy") {
        log.warn(format_args!("When writing to [{server}]: received error {description}"));
        return Ok(());
    }
    if has("partial write") || has("unable to parse") {
        log.error(format_args!(
            "When writing to [{server}]: received error {description}; discarding points"
        ));
        return Ok(());
    }
    retry(ApiError::new(response, description))
}

/// Whether a database has been created.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Created {
    /// It is there.
    Yes,
    /// It is not, and asking again would be refused again.
    Never(ApiError),
    /// It is not.
    No(ApiError),
}

/// Whether a query to create a database has done so.
pub(super) fn judge_creation(response: &Response, database: &str) -> Created {
    let body = match json(&response.body) {
        Ok(body) => body,
        Err(text) => {
            return Created::No(ApiError::new(
                response,
                format!(
                    "An error response was received while attempting to create the following \
                     database: {database}. Error: {text}"
                ),
            ));
        }
    };
    let Some(answer) = body.and_then(|body| serde_json::from_value::<QueryAnswer>(body).ok())
    else {
        return match response.status {
            200 => Created::Yes,
            _ => Created::No(ApiError::new(response, "")),
        };
    };
    let description = answer.results.into_iter().next().map(|r| r.error).unwrap_or_default();
    match response.status {
        200 if description.is_empty() => Created::Yes,
        403 => Created::Never(ApiError::new(response, description)),
        _ => Created::No(ApiError::new(response, description)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{Headers, reason};

    fn response(status: u16, body: &str) -> Response {
        Response {
            status,
            reason: reason(status).to_owned(),
            headers: Headers::new(),
            body: body.as_bytes().to_vec(),
        }
    }

    fn judged(status: u16, body: &str) -> String {
        match judge_write(&response(status, body), "URL", &PluginLog::new("outputs.influxdb")) {
            Ok(()) => "taken".to_owned(),
            Err(Failure::Retry(error)) => format!("retry: {error}"),
            Err(Failure::DatabaseNotFound(error)) => format!("missing: {error}"),
            Err(Failure::Refused(reason)) => format!("refused: {reason}"),
        }
    }

    #[test]
    fn answers_to_writes_mean_what_they_mean_to_telegraf() {
        for (status, body, expected) in [
            (204, "", "taken"),
            (200, "", "retry: 200 OK"),
            (500, "", "retry: 500 Internal Server Error"),
            (503, r#"{"error":"busy"}"#, "retry: 503 Service Unavailable: busy"),
            (
                400,
                r#"{"error":"unable to parse 'x': missing fields"}"#,
                "refused: Failed to write metric (will be dropped: 400 Bad Request): unable to \
                 parse 'x': missing fields",
            ),
            (
                413,
                "",
                "refused: Failed to write metric (will be dropped: 413 Request Entity Too Large): ",
            ),
            (
                404,
                r#"{"error":"database not found: \"telegraf\""}"#,
                "missing: 404 Not Found: database not found: \"telegraf\"",
            ),
            (
                404,
                "<html>",
                "retry: 404 Not Found: An error response was received while attempting to write \
                 metrics. Error: <html>",
            ),
            (
                500,
                r#"{"error":"retention policy not found: x"}"#,
                "refused: When writing to [URL]: received error retention policy not found: x",
            ),
            (500, r#"{"error":"write failed: hinted handoff queue not empty"}"#, "taken"),
            (
                500,
                r#"{"error":"partial write: points beyond retention policy dropped=1"}"#,
                "taken",
            ),
            (500, r#"{"error":"partial write: field type conflict"}"#, "taken"),
            (500, r#"{"error":"unable to parse"}"#, "taken"),
            (500, "[]", "retry: 500 Internal Server Error"),
        ] {
            assert_eq!(judged(status, body), expected);
        }
    }

    #[test]
    fn answers_to_creations_mean_what_they_mean_to_telegraf() {
        let no = |title: &str, description: &str| {
            Created::No(ApiError { title: title.into(), description: description.into() })
        };
        for (status, body, expected) in [
            (200, "", Created::Yes),
            (200, r#"{"results":[{"statement_id":0}]}"#, Created::Yes),
            (200, r#"{"results":[{"error":"no"}]}"#, no("200 OK", "no")),
            (
                401,
                r#"{"error":"unable to parse authentication credentials"}"#,
                no("401 Unauthorized", ""),
            ),
            (500, "", no("500 Internal Server Error", "")),
            (
                403,
                r#"{"results":[{"error":"not allowed"}]}"#,
                Created::Never(ApiError {
                    title: "403 Forbidden".into(),
                    description: "not allowed".into(),
                }),
            ),
            (
                502,
                "gone",
                no(
                    "502 Bad Gateway",
                    "An error response was received while attempting to create the following \
                     database: db. Error: gone",
                ),
            ),
        ] {
            assert_eq!(judge_creation(&response(status, body), "db"), expected);
        }
    }
}
