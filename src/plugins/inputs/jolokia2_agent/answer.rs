//! What an agent answers to reads.
//!
//! # References
//! Jolokia's protocol, "Responses" and "Reading attributes"; versions 1 and 2 place the target of a
//! proxied read differently.

use serde::Deserialize;
use serde_json::Value;

use crate::http::Response;

/// The status of an answer that holds a value.
const OK: i64 = 200;

/// The status of an answer about a bean or attribute that there is not.
const NOT_FOUND: i64 = 404;

/// The answer to one read.
#[derive(Debug, Deserialize)]
pub(super) struct Answer {
    /// What was asked for; absent where the agent could not even read that.
    #[serde(default)]
    pub(super) request: AnsweredRequest,
    #[serde(default)]
    pub(super) value: Value,
    #[serde(default)]
    status: i64,
    /// What went wrong, in the words of the agent.
    #[serde(default)]
    error: Option<String>,
}

/// What was asked for, as the agent repeats it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct AnsweredRequest {
    pub(super) mbean: String,
    #[serde(rename = "attribute")]
    pub(super) attributes: Attributes,
    pub(super) path: Option<String>,
    target: Option<Target>,
    options: Option<Options>,
}

/// None, one or several attributes.
#[derive(Debug, Default, Deserialize)]
#[serde(from = "Option<AttributesOnTheWire>")]
pub(super) struct Attributes(pub(super) Vec<String>);

#[derive(Deserialize)]
#[serde(untagged)]
enum AttributesOnTheWire {
    One(String),
    Several(Vec<String>),
}

impl From<Option<AttributesOnTheWire>> for Attributes {
    fn from(wire: Option<AttributesOnTheWire>) -> Attributes {
        Attributes(match wire {
            None => Vec::new(),
            Some(AttributesOnTheWire::One(attribute)) => vec![attribute],
            Some(AttributesOnTheWire::Several(attributes)) => attributes,
        })
    }
}

/// The machine that an agent asked in turn.
#[derive(Debug, Deserialize)]
struct Target {
    url: String,
}

#[derive(Debug, Deserialize)]
struct Options {
    target: Option<Target>,
}

impl AnsweredRequest {
    /// The machine that the agent asked in turn, if it is a proxy.
    pub(super) fn target(&self) -> Option<&str> {
        let of_version_2 = || self.options.as_ref()?.target.as_ref();
        self.target.as_ref().or_else(of_version_2).map(|target| target.url.as_str())
    }
}

/// Answers that are none.
#[derive(Debug, thiserror::Error)]
pub(super) enum AnswerError {
    /// What came is not the list of answers that was asked for.
    #[error("decoding the answer failed: {source}: {beginning}")]
    Malformed { source: serde_json::Error, beginning: String },
    /// The agent refuses everything.
    #[error("the agent answered with status {status}: {error}")]
    Refused { status: i64, error: String },
    /// The agent refuses one read, or fails in it.
    #[error("reading {mbean:?}{} failed with status {status}{}", from(.target), because(.error))]
    Failed { mbean: String, target: Option<String>, status: i64, error: Option<String> },
}

fn from(target: &Option<String>) -> String {
    target.as_ref().map(|target| format!(" of {target}")).unwrap_or_default()
}

fn because(error: &Option<String>) -> String {
    error.as_ref().map(|error| format!(": {error}")).unwrap_or_default()
}

/// How much of a body that makes no sense stands in the log.
const SHOWN_BYTES: usize = 200;

/// Reads the body of a response: a list of answers, or one that stands for them all.
///
/// # Errors
/// If it is neither, or the agent refused to answer.
pub(super) fn parse(body: &[u8]) -> Result<Vec<Answer>, AnswerError> {
    let malformed = |source| {
        let shown = body.get(..SHOWN_BYTES).unwrap_or(body);
        AnswerError::Malformed { source, beginning: String::from_utf8_lossy(shown).into_owned() }
    };
    match body.trim_ascii_start().first() {
        Some(b'{') => {
            let answer: Answer = serde_json::from_slice(body).map_err(malformed)?;
            let error = answer.error.unwrap_or_default();
            Err(AnswerError::Refused { status: answer.status, error })
        }
        _ => serde_json::from_slice(body).map_err(malformed),
    }
}

/// What an agent says at the end of a plain text why it refuses all reads, after a colon: one name
/// of a bean that is none is enough.
pub(super) fn last_words(response: &Response) -> String {
    let content_type = response.headers.get("Content-Type").unwrap_or_default();
    let text = String::from_utf8_lossy(&response.body);
    match text.trim_end().lines().next_back() {
        Some(line) if content_type.starts_with("text/plain") => {
            format!(": {}", line.chars().take(SHOWN_BYTES).collect::<String>())
        }
        _ => String::new(),
    }
}

impl Answer {
    /// Whether there is a value; not if the bean or the attribute does not exist, which is no
    /// failure: what one broker has another may lack.
    ///
    /// # Errors
    /// If the read failed.
    pub(super) fn has_value(&self) -> Result<bool, AnswerError> {
        match self.status {
            OK => Ok(true),
            NOT_FOUND => Ok(false),
            status => Err(AnswerError::Failed {
                mbean: self.request.mbean.clone(),
                target: self.request.target().map(str::to_owned),
                status,
                error: self.error.clone(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> Answer {
        parse(format!("[{text}]").as_bytes()).unwrap().pop().unwrap()
    }

    #[test]
    fn attributes_are_absent_one_or_a_list() {
        let cases: [(&str, &[&str]); 4] = [
            ("{}", &[]),
            (r#"{"attribute":null}"#, &[]),
            (r#"{"attribute":"A"}"#, &["A"]),
            (r#"{"attribute":["A","B"]}"#, &["A", "B"]),
        ];
        for (request, expected) in cases {
            let answer = one(&format!(r#"{{"request":{request},"status":200}}"#));
            assert_eq!(answer.request.attributes.0, expected, "{request}");
        }
    }

    #[test]
    fn the_target_stands_where_version_1_or_version_2_puts_it() {
        let cases = [
            ("{}", None),
            (r#"{"target":{"url":"one"}}"#, Some("one")),
            (r#"{"options":{"target":{"url":"two"}}}"#, Some("two")),
            (r#"{"options":{}}"#, None),
            (r#"{"target":{"url":"one"},"options":{"target":{"url":"two"}}}"#, Some("one")),
        ];
        for (request, expected) in cases {
            let answer = one(&format!(r#"{{"request":{request},"status":200}}"#));
            assert_eq!(answer.request.target(), expected, "{request}");
        }
    }

    #[test]
    fn what_is_not_there_has_no_value_and_what_fails_is_told() {
        let status = |status: i64, more: &str| {
            let request = r#"{"mbean":"d:k=v","target":{"url":"u"}}"#;
            one(&format!(r#"{{"request":{request},"status":{status}{more}}}"#)).has_value()
        };
        assert!(status(200, "").unwrap());
        assert!(!status(404, "").unwrap());
        assert_eq!(
            status(403, r#","error":"not allowed""#).unwrap_err().to_string(),
            "reading \"d:k=v\" of u failed with status 403: not allowed"
        );
        assert_eq!(
            status(500, "").unwrap_err().to_string(),
            "reading \"d:k=v\" of u failed with status 500"
        );
    }

    #[test]
    fn a_body_that_holds_no_answers_is_told_with_its_beginning() {
        let error = |body: &str| parse(body.as_bytes()).unwrap_err().to_string();
        assert_eq!(
            error(r#" {"status":403,"error":"no access"}"#),
            "the agent answered with status 403: no access"
        );
        let html = error("<html>gone</html>");
        assert!(html.starts_with("decoding the answer failed: expected value"), "{html}");
        assert!(html.ends_with(": <html>gone</html>"), "{html}");
        assert!(error(&"x".repeat(1000)).len() < 300);
        assert!(error("").starts_with("decoding the answer failed: EOF"));
    }
}
