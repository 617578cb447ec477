//! A snapshot as text for people.

use std::fmt::Write as _;

use super::{InputStatus, LastError, OutputStatus, Snapshot};
use crate::status::{Span, UNKNOWN, columns};
use crate::system::UtcTime;

/// How much of an error stands in a table, in characters; the JSON has all of it.
const ERROR_CHARS: usize = 100;

/// Lays a snapshot out as lines and tables, problems first.
pub fn table(snapshot: &Snapshot) -> String {
    let mut text = String::new();
    let mut line = |args: std::fmt::Arguments<'_>| {
        // Writing to a text cannot fail.
        let _ = text.write_fmt(args);
    };
    line(format_args!(
        "metric-agent {}, process {}, up {}: {}, {}\n",
        snapshot.version,
        snapshot.pid,
        Span(snapshot.uptime_seconds),
        snapshot.phase.word(),
        if snapshot.healthy { "healthy" } else { "not healthy" }
    ));
    for problem in &snapshot.problems {
        line(format_args!("  {}\n", shortened(problem)));
    }
    let facts = [
        ("started", snapshot.started_at.to_string()),
        ("configured", time(snapshot.configured_at)),
        ("files", snapshot.configuration.join(", ")),
    ];
    for (name, value) in facts {
        line(format_args!("  {name:10} {value}\n"));
    }
    if let Some(reload) = &snapshot.last_reload {
        let how = reload.error.as_deref().map_or("taken".to_owned(), |error| {
            format!("refused, the one before keeps running: {}", shortened(error))
        });
        line(format_args!("  {:10} {} {how}\n", "reload", reload.ended_at));
    }
    text.push('\n');
    text.push_str(&inputs(&snapshot.inputs));
    text.push_str(&outputs(&snapshot.outputs));
    text
}

fn inputs(inputs: &[InputStatus]) -> String {
    let row = |input: &InputStatus| {
        vec![
            input.name.clone(),
            state(input.busy_seconds, "gathers"),
            input.gathered.to_string(),
            input.errors.to_string(),
            time(input.last_gather_at),
            error(input.last_error.as_ref()),
        ]
    };
    let head = ["INPUT", "STATE", "<GATHERED", "<ERRORS", "LAST GATHER", "LAST ERROR"];
    columns(head, inputs.iter().map(row).collect())
}

fn outputs(outputs: &[OutputStatus]) -> String {
    let row = |output: &OutputStatus| {
        vec![
            output.name.clone(),
            state(output.busy_seconds, "writes"),
            output.received.to_string(),
            output.written.to_string(),
            output.waiting.to_string(),
            output.in_flight.to_string(),
            dropped(output),
            time(output.last_success_at),
            error(output.last_error.as_ref()),
        ]
    };
    let head = [
        "OUTPUT",
        "STATE",
        "<RECEIVED",
        "<WRITTEN",
        "<WAITING",
        "<IN FLIGHT",
        "DROPPED",
        "LAST SUCCESS",
        "LAST ERROR",
    ];
    columns(head, outputs.iter().map(row).collect())
}

fn state(busy_seconds: Option<f64>, verb: &str) -> String {
    busy_seconds.map_or("waits".to_owned(), |seconds| format!("{verb} for {}", Span(seconds)))
}

fn dropped(output: &OutputStatus) -> String {
    let dropped = output.dropped.iter().filter(|(_, count)| **count > 0);
    let dropped: Vec<_> = dropped.map(|(reason, count)| format!("{count} {reason}")).collect();
    if dropped.is_empty() { "none".to_owned() } else { dropped.join(", ") }
}

fn time(time: Option<UtcTime>) -> String {
    time.map_or(UNKNOWN.to_owned(), |time| time.to_string())
}

fn error(error: Option<&LastError>) -> String {
    error.map_or(UNKNOWN.to_owned(), |error| format!("{} {}", error.at, shortened(&error.text)))
}

/// The first line of a text, as far as it fits.
fn shortened(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let mut short: String = line.chars().take(ERROR_CHARS).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}
