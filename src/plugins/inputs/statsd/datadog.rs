//! What Datadog adds to the protocol: tags, events and service checks.
//!
//! # References
//! Datadog's DogStatsD datagram format; where it is silent, Telegraf's reading of it.

use compact_str::CompactString;

use crate::metric::{Metric, Timestamp};
use crate::plugin::Quoted;

/// Tags of a line, each key once.
pub(super) type Tags = Vec<(CompactString, CompactString)>;

/// What is wrong with an event or a service check.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DatadogError {
    /// It has not the form of an event.
    #[error("invalid message format")]
    Format,
    /// The length of the title is no number.
    #[error("invalid message format, could not parse title.length: {}", Quoted::new(.0))]
    TitleLength(String),
    /// The length of the text is no number.
    #[error("invalid message format, could not parse text.length: {}", Quoted::new(.0))]
    TextLength(String),
    /// A length is below zero.
    #[error("invalid message format, title.length and text.length must be positive integer")]
    Negative,
    /// There is less than the lengths say.
    #[error("invalid message format, title.length and text.length exceed total message length")]
    TooShort,
    /// There is no title or no text.
    #[error("invalid event message format: empty 'title' or 'text' field")]
    Empty,
    /// There is nothing between two bars.
    #[error("too short metadata field")]
    ShortField,
    /// What follows a bar is nothing that is known.
    #[error("unknown metadata type: {}", Quoted::new(.0))]
    UnknownField(String),
    /// A service check has too few parts.
    #[error(
        "invalid service check format for {}; expected at least 3 parts (_sc|name|status)",
        Quoted::new(.0)
    )]
    FewParts(String),
    /// A service check has no name.
    #[error("invalid service check format for {}; empty check name", Quoted::new(.0))]
    NoName(String),
    /// The status is no number.
    #[error("invalid service check format: could not parse status {}", Quoted::new(.0))]
    Status(String),
    /// The number stands for no status.
    #[error("invalid service check format: status {0} out of range (0-3)")]
    StatusRange(i64),
}

/// Sets a tag, replacing the value it may have had.
pub(super) fn set(tags: &mut Tags, key: &str, value: &str) {
    match tags.iter_mut().find(|(known, _)| known == key) {
        Some((_, old)) => *old = value.into(),
        None => tags.push((key.into(), value.into())),
    }
}

/// Reads tags such as `country:china,beta`; those without a value are `true`.
pub(super) fn read_tags(tags: &mut Tags, text: &str) {
    let (mut key, mut start, mut in_value) = ("", 0, false);
    for (at, c) in text.char_indices() {
        match c {
            ',' if key.is_empty() => {
                // The key is kept, as Telegraf does it: a second one without a value is taken for
                // the value of the first.
                key = &text[start..at];
                set(tags, key, "true");
                start = at + 1;
            }
            ',' => {
                let value = &text[start..at];
                set(tags, key, if value.is_empty() { "true" } else { value });
                start = at + 1;
                (key, in_value) = ("", false);
            }
            ':' if !in_value => {
                key = &text[start..at];
                start = at + 1;
                in_value = true;
            }
            _ => {}
        }
    }
    let rest = &text[start..];
    match (key, rest) {
        ("", "") => {}
        ("", rest) => set(tags, rest, "true"),
        (key, "") => set(tags, key, "true"),
        (key, rest) => set(tags, key, rest),
    }
}

/// Where `host` is the word for the source, it takes its place: `host` is the agent's own tag.
fn rename_host(tags: &mut Tags) {
    if let Some(at) = tags.iter().position(|(key, _)| key == "host") {
        let (_, host) = tags.remove(at);
        set(tags, "source", &host);
    }
}

fn metric(name: &str, time: Timestamp, tags: Tags) -> Metric {
    let mut metric = Metric::new(name, time);
    tags.into_iter().for_each(|(key, value)| metric.set_tag(key, value));
    metric
}

/// Reads an event: `_e{title.length,text.length}:title|text|…`.
pub(super) fn event(line: &str, now: Timestamp, source: &str) -> Result<Metric, DatadogError> {
    let (header, message) = line.split_once(':').ok_or(DatadogError::Format)?;
    if header.len() < 7 || message.len() < 3 {
        return Err(DatadogError::Format);
    }
    let lengths = header.get(3..).ok_or(DatadogError::Format)?;
    let (title_length, rest) = lengths.split_once(',').ok_or(DatadogError::Format)?;
    let title_bytes: i64 =
        title_length.parse().map_err(|_| DatadogError::TitleLength(title_length.to_owned()))?;
    let text_error = || DatadogError::TextLength(title_length.to_owned());
    let mut text_length = rest.chars();
    text_length.next_back().ok_or_else(text_error)?;
    let text_bytes: i64 = text_length.as_str().parse().map_err(|_| text_error())?;
    let (Ok(title_bytes), Ok(text_bytes)) =
        (usize::try_from(title_bytes), usize::try_from(text_bytes))
    else {
        return Err(DatadogError::Negative);
    };
    let text_start = title_bytes.saturating_add(1);
    let text_end = text_start.saturating_add(text_bytes);
    let parts = message.get(..title_bytes).zip(message.get(text_start..text_end));
    let (title, text) = parts.ok_or(DatadogError::TooShort)?;
    if title.is_empty() || text.is_empty() {
        return Err(DatadogError::Empty);
    }
    let mut tags = Tags::new();
    if !source.is_empty() {
        set(&mut tags, "source", source);
    }
    let mut fields = Metric::new("", now)
        .with_field("alert_type", "info")
        .with_field("text", text.replace("\\n", "\n"))
        .with_field("priority", "normal");
    let rest = &message[text_end..];
    for part in
        rest.get(1..).filter(|_| rest.len() >= 2).map(|rest| rest.split('|')).into_iter().flatten()
    {
        if part.len() < 2 {
            return Err(DatadogError::ShortField);
        }
        match part.split_once(':').map_or((part, ""), |(key, value)| (key, value)) {
            ("d", value) => {
                if let Ok(seconds) = value.parse::<i64>() {
                    fields.set_field("ts", seconds);
                }
            }
            ("p", "low") => fields.set_field("priority", "low"),
            ("p", _) => {}
            ("h", value) => set(&mut tags, "source", value),
            ("t", value @ ("error" | "warning" | "success" | "info")) => {
                fields.set_field("alert_type", value);
            }
            ("t", _) => {}
            ("k", value) => set(&mut tags, "aggregation_key", value),
            ("s", value) => fields.set_field("source_type_name", value),
            _ => match part.strip_prefix('#') {
                Some(list) => read_tags(&mut tags, list),
                None => return Err(DatadogError::UnknownField(part.to_owned())),
            },
        }
    }
    rename_host(&mut tags);
    let mut event = metric(title, now, tags);
    for field in fields.fields() {
        event.set_field(field.key.clone(), field.value.clone());
    }
    Ok(event)
}

/// Reads a service check: `_sc|name|status|…`.
pub(super) fn service_check(
    line: &str,
    now: Timestamp,
    source: &str,
) -> Result<Metric, DatadogError> {
    const STATUSES: [&str; 4] = ["ok", "warning", "critical", "unknown"];
    let mut parts = line.split('|').skip(1);
    let (Some(name), Some(status)) = (parts.next(), parts.next()) else {
        return Err(DatadogError::FewParts(line.to_owned()));
    };
    if name.is_empty() {
        return Err(DatadogError::NoName(line.to_owned()));
    }
    let number: i64 = status.parse().map_err(|_| DatadogError::Status(status.to_owned()))?;
    let words = usize::try_from(number).ok().and_then(|at| STATUSES.get(at));
    let words = *words.ok_or(DatadogError::StatusRange(number))?;
    let mut tags = Tags::new();
    set(&mut tags, "check_name", name);
    if !source.is_empty() {
        set(&mut tags, "source", source);
    }
    let mut time = now;
    let mut message = None;
    for part in parts {
        if let Some(list) = part.strip_prefix('#') {
            read_tags(&mut tags, list);
        } else if let Some(seconds) = part.strip_prefix("d:") {
            time = seconds.parse().map_or(time, Timestamp::from_seconds);
        } else if let Some(host) = part.strip_prefix("h:") {
            set(&mut tags, "source", host);
        } else if let Some(text) = part.strip_prefix("m:") {
            message = Some(text.replace("\\n", "\n"));
        }
    }
    rename_host(&mut tags);
    let mut check = metric("statsd_service_check", time, tags)
        .with_field("status", number)
        .with_field("status_text", words);
    if let Some(message) = message {
        check.set_field("message", message);
    }
    Ok(check)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(metric: &Metric) -> String {
        let tags: Vec<_> =
            metric.tags().iter().map(|tag| format!(",{}={}", tag.key, tag.value)).collect();
        let mut fields: Vec<_> = metric
            .fields()
            .iter()
            .map(|field| format!("{}={:?}", field.key, field.value))
            .collect();
        fields.sort();
        format!("{}{} {} {}", metric.name, tags.concat(), fields.join(","), metric.time.seconds())
    }

    #[test]
    fn tags_are_read_as_telegraf_reads_them() {
        for (text, expected) in [
            ("", &[][..]),
            ("a:b", &[("a", "b")]),
            ("a:b:c,d:e", &[("a", "b:c"), ("d", "e")]),
            ("a", &[("a", "true")]),
            ("a:,b", &[("a", "true"), ("b", "true")]),
            ("a,b:c", &[("a", "true"), ("b", "c")]),
            ("a,b,c", &[("a", "b"), ("c", "true")]),
            ("a,", &[("a", "true")]),
            ("ż:ó,ł", &[("ż", "ó"), ("ł", "true")]),
        ] {
            let mut tags = Tags::new();
            read_tags(&mut tags, text);
            let tags: Vec<_> = tags.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
            assert_eq!(tags, expected, "{text}");
        }
    }

    #[test]
    fn events_become_metrics_named_by_their_titles() {
        let now = Timestamp::from_seconds(9);
        let read = |line: &str| event(line, now, "1.2.3.4").map(|metric| shown(&metric));
        assert_eq!(
            read("_e{5,4}:title|te\\n").unwrap(),
            "title,source=1.2.3.4 alert_type=String(\"info\"),priority=String(\"normal\"),\
             text=String(\"te\\n\") 9"
        );
        assert_eq!(
            read("_e{1,1}:a|b|d:21|p:low|h:there|t:warning|k:key|s:app|#x:y,host:other").unwrap(),
            "a,aggregation_key=key,source=other,x=y alert_type=String(\"warning\"),\
             priority=String(\"low\"),source_type_name=String(\"app\"),text=String(\"b\"),\
             ts=Integer(21) 9"
        );
        for (line, words) in [
            ("_e{1,1}", "invalid message format"),
            ("_e{a,1}:a|b", "invalid message format, could not parse title.length: \"a\""),
            ("_e{1,b}:a|b", "invalid message format, could not parse text.length: \"1\""),
            (
                "_e{1,9}:a|b",
                "invalid message format, title.length and text.length exceed total message length",
            ),
            (
                "_e{-1,1}:a|b",
                "invalid message format, title.length and text.length must be positive integer",
            ),
            ("_e{0,1}:|bc", "invalid event message format: empty 'title' or 'text' field"),
            ("_e{1,1}:a|b|x:y", "unknown metadata type: \"x:y\""),
            ("_e{1,1}:a|b|x", "too short metadata field"),
        ] {
            assert_eq!(read(line).unwrap_err().to_string(), words, "{line}");
        }
    }

    #[test]
    fn service_checks_become_metrics() {
        let now = Timestamp::from_seconds(9);
        let read = |line: &str| service_check(line, now, "").map(|metric| shown(&metric));
        assert_eq!(
            read("_sc|db|1|d:5|h:there|#a:b|m:slow").unwrap(),
            "statsd_service_check,a=b,check_name=db,source=there message=String(\"slow\"),\
             status=Integer(1),status_text=String(\"warning\") 5"
        );
        assert!(read("_sc|db").unwrap_err().to_string().contains("at least 3 parts"));
        assert!(read("_sc||1").unwrap_err().to_string().contains("empty check name"));
        assert!(read("_sc|a|x").unwrap_err().to_string().contains("could not parse status \"x\""));
        assert!(read("_sc|a|4").unwrap_err().to_string().contains("status 4 out of range (0-3)"));
    }
}
