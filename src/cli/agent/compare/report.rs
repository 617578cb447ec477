//! What the comparison has come to: a table for people, JSON for programs.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value as Json, json};

use super::Settings;
use super::difference::{Comparison, Difference, FieldSummary, Finding, Measurement, compare};
use super::peer::Ended;
use super::readings::SeriesId;
use super::values::Distance;
use crate::metric::{Tag, Value};
use crate::plugin::settings::format_duration;

/// How many lines of one program's errors the table shows.
const SHOWN_ERRORS: usize = 5;

/// What both have written, and how they lie to each other.
pub(super) struct Report {
    peer: String,
    rounds: u32,
    interval: String,
    comparison: Comparison,
    sides: [Side; 2],
}

/// What else there is to say of one program.
struct Side {
    name: String,
    n_series: usize,
    n_left_out: u64,
    n_unreadable: u64,
    errors: Vec<String>,
    n_errors: u64,
}

impl Side {
    fn new(name: &str, ended: &Ended) -> Side {
        Side {
            name: name.to_owned(),
            n_series: ended.readings.series.len(),
            n_left_out: ended.readings.n_left_out,
            n_unreadable: ended.readings.n_unreadable,
            errors: ended.errors.clone(),
            n_errors: ended.n_errors,
        }
    }

    fn json(&self) -> Json {
        json!({
            "program": self.name,
            "series": self.n_series,
            "values_left_out": self.n_left_out,
            "lines_unreadable": self.n_unreadable,
            "errors_logged": self.n_errors,
            "errors": self.errors,
        })
    }
}

impl Report {
    /// Compares what the two have left.
    pub(super) fn new(settings: &Settings, ours: Ended, theirs: Ended) -> Report {
        let peer = settings.peer.display().to_string();
        let sides = [Side::new("metric-agent", &ours), Side::new(&peer, &theirs)];
        let nanos = i64::try_from(settings.interval.as_nanos()).unwrap_or(i64::MAX);
        Report {
            peer,
            rounds: settings.rounds,
            interval: format_duration(nanos),
            comparison: compare(ours.readings, theirs.readings, &settings.rules),
            sides,
        }
    }

    /// How many differences there are; lines that nobody can read count as such.
    pub(super) fn n_differences(&self) -> u64 {
        let [ours, theirs] = &self.sides;
        self.comparison.n_differences + u64::from(ours.n_unreadable != theirs.n_unreadable)
    }

    /// The report for programs.
    pub(super) fn json(&self) -> String {
        let Comparison { measurements, differences, n_pairs, n_same_time, .. } = &self.comparison;
        let measurements: serde_json::Map<String, Json> = measurements
            .iter()
            .map(|(name, measurement)| (name.to_string(), measurement_json(measurement)))
            .collect();
        let document = json!({
            "peer": self.peer,
            "rounds": self.rounds,
            "interval": self.interval,
            "alike": self.n_differences() == 0,
            "difference_count": self.n_differences(),
            "differences": differences.iter().map(difference_json).collect::<Vec<_>>(),
            "values_compared": n_pairs,
            "values_of_same_time": n_same_time,
            "measurements": measurements,
            "ours": self.sides[0].json(),
            "theirs": self.sides[1].json(),
        });
        format!("{document:#}\n")
    }

    /// The report for people.
    pub(super) fn table(&self) -> String {
        let mut text = format!(
            "metric-agent {} and {}, {} rounds of {}\n\n",
            env!("CARGO_PKG_VERSION"),
            self.peer,
            self.rounds,
            self.interval
        );
        self.push_measurements(&mut text);
        self.push_differences(&mut text);
        for side in &self.sides {
            side.push_remarks(&mut text);
        }
        let Comparison { n_pairs, n_same_time, .. } = self.comparison;
        let verdict = match self.n_differences() {
            0 => "no differences".to_owned(),
            1 => "1 difference".to_owned(),
            many => format!("{many} differences"),
        };
        let _ = writeln!(text, "\n{verdict}; {n_same_time} of {n_pairs} values have the same time");
        text
    }

    fn push_measurements(&self, text: &mut String) {
        let titles = ["measurement", "series", "missing", "extra", "fields", "values", "equal"];
        let mut rows = vec![titles.map(str::to_owned).to_vec()];
        rows[0].push("farthest apart".to_owned());
        for (name, measurement) in &self.comparison.measurements {
            let sum =
                |of: fn(&FieldSummary) -> u64| measurement.fields.values().map(of).sum::<u64>();
            let farthest = measurement
                .fields
                .iter()
                .max_by(|a, b| a.1.farthest.relative.total_cmp(&b.1.farthest.relative))
                .filter(|(_, summary)| summary.farthest.absolute > 0.0)
                .map(|(field, summary)| format!("{field} {}", shown_distance(summary.farthest)));
            rows.push(vec![
                name.to_string(),
                measurement.n_both.to_string(),
                measurement.n_missing.to_string(),
                measurement.n_extra.to_string(),
                measurement.fields.len().to_string(),
                sum(|summary| summary.n_pairs).to_string(),
                sum(|summary| summary.n_equal).to_string(),
                farthest.unwrap_or_default(),
            ]);
        }
        let width =
            |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..titles.len()).map(width).collect();
        for row in &rows {
            let _ = write!(text, "{:<1$}", row[0], widths[0]);
            for column in 1..titles.len() {
                let _ = write!(text, "  {:>1$}", row[column], widths[column]);
            }
            let _ = writeln!(text, "  {}", row[titles.len()]);
            while text.ends_with(" \n") {
                text.truncate(text.len() - 2);
                text.push('\n');
            }
        }
    }

    /// One line for what is the same in several series.
    fn push_differences(&self, text: &mut String) {
        let mut groups: BTreeMap<(&str, u8, String), (u64, &Difference)> = BTreeMap::new();
        for difference in &self.comparison.differences {
            let (rank, subject) = subject(&difference.finding);
            let key = (difference.series.measurement.as_str(), rank, subject);
            groups.entry(key).or_insert((0, difference)).0 += 1;
        }
        if groups.is_empty() {
            return;
        }
        text.push_str(
            "\ndifferences (missing: only the other has it, extra: only metric-agent has it)\n",
        );
        for ((measurement, _, subject), (count, example)) in groups {
            let details = details(&example.finding);
            let series = shown_series(&example.series);
            let among = if count == 1 { String::new() } else { format!(" and {} more", count - 1) };
            let _ = writeln!(text, "  {measurement}: {subject}{details}, in {series}{among}");
        }
        let kept = self.comparison.differences.len() as u64;
        if self.comparison.n_differences > kept {
            let more = self.comparison.n_differences - kept;
            let _ = writeln!(text, "  and {more} more that are not listed");
        }
    }
}

impl Side {
    fn push_remarks(&self, text: &mut String) {
        let Side { name, n_left_out, n_unreadable, errors, n_errors, .. } = self;
        if *n_left_out > 0 {
            let _ =
                writeln!(text, "\n{name} has written {n_left_out} values more than are compared");
        }
        if *n_unreadable > 0 {
            let _ = writeln!(text, "\n{name} has written {n_unreadable} lines that are no metrics");
        }
        if *n_errors > 0 {
            let _ = writeln!(text, "\n{name} has logged {n_errors} errors");
            for line in errors.iter().take(SHOWN_ERRORS) {
                let _ = writeln!(text, "  {line}");
            }
        }
    }
}

/// What a difference is about, and where it stands among those of its measurement.
fn subject(finding: &Finding) -> (u8, String) {
    match finding {
        Finding::SeriesMissing => (0, "series missing".to_owned()),
        Finding::SeriesExtra => (1, "series extra".to_owned()),
        Finding::TagMissing { key, .. } => (2, format!("tag `{key}` missing")),
        Finding::TagExtra { key, .. } => (3, format!("tag `{key}` extra")),
        Finding::TagDiffers { key, .. } => (4, format!("tag `{key}` differs")),
        Finding::FieldMissing { field } => (5, format!("field `{field}` missing")),
        Finding::FieldExtra { field } => (6, format!("field `{field}` extra")),
        Finding::TypeDiffers { field, .. } => (7, format!("type of `{field}` differs")),
        Finding::ValueDiffers { field, .. } => (8, format!("value of `{field}` differs")),
        Finding::TooFarApart { field, .. } => (9, format!("values of `{field}` too far apart")),
        Finding::TimesApart { field, .. } => (10, format!("times of `{field}` too far apart")),
        Finding::CountDiffers { field, .. } => {
            (11, format!("number of values of `{field}` differs"))
        }
    }
}

/// What both sides have to show.
fn details(finding: &Finding) -> String {
    match finding {
        Finding::SeriesMissing
        | Finding::SeriesExtra
        | Finding::FieldMissing { .. }
        | Finding::FieldExtra { .. } => String::new(),
        Finding::TagMissing { value, .. } | Finding::TagExtra { value, .. } => {
            format!(" ({value:?})")
        }
        Finding::TagDiffers { ours, theirs, .. } => format!(" (ours {ours:?}, theirs {theirs:?})"),
        Finding::TypeDiffers { ours, theirs, .. } => format!(" (ours {ours}, theirs {theirs})"),
        Finding::ValueDiffers { ours, theirs, .. } => {
            format!(" (ours {}, theirs {})", shown(ours), shown(theirs))
        }
        Finding::TooFarApart { ours, theirs, distance, .. } => {
            let distance = shown_distance(*distance);
            format!(" (ours {}, theirs {}: {distance})", shown(ours), shown(theirs))
        }
        Finding::TimesApart { ours, theirs, .. } => {
            format!(" (ours from {}, theirs from {})", ours.nanos(), theirs.nanos())
        }
        Finding::CountDiffers { ours, theirs, .. } => format!(" (ours {ours}, theirs {theirs})"),
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Float(value) => value.to_string(),
        Value::Integer(value) => value.to_string(),
        Value::Unsigned(value) => value.to_string(),
        Value::Boolean(value) => value.to_string(),
        Value::String(text) => format!("{text:?}"),
    }
}

/// A distance with as many digits as say something.
fn shown_distance(distance: Distance) -> String {
    let Distance { absolute, relative } = distance;
    let absolute = match absolute {
        whole if whole.fract() == 0.0 => format!("{whole}"),
        small if small < 0.001 => format!("{small:.1e}"),
        other => format!("{other:.3}"),
    };
    let percent = relative * 100.0;
    let digits = if percent < 0.1 { 3 } else { 1 };
    format!("{absolute} ({percent:.digits$} %)")
}

fn shown_series(series: &SeriesId) -> String {
    let tags = series.tags.iter().map(|Tag { key, value }| format!(",{key}={value}"));
    format!("{}{}", series.measurement, tags.collect::<String>())
}

fn measurement_json(measurement: &Measurement) -> Json {
    let fields: serde_json::Map<String, Json> = measurement
        .fields
        .iter()
        .map(|(name, field)| {
            let FieldSummary { type_name, n_pairs, n_equal, farthest } = field;
            let summary = json!({
                "type": type_name,
                "values": n_pairs,
                "equal": n_equal,
                "farthest_absolute": farthest.absolute,
                "farthest_relative": farthest.relative,
            });
            (name.to_string(), summary)
        })
        .collect();
    json!({
        "series": measurement.n_both,
        "series_missing": measurement.n_missing,
        "series_extra": measurement.n_extra,
        "fields": fields,
    })
}

fn difference_json(difference: &Difference) -> Json {
    let Difference { series, finding } = difference;
    let tags: serde_json::Map<String, Json> =
        series.tags.iter().map(|tag| (tag.key.to_string(), tag.value.as_str().into())).collect();
    let value = |value: &Value| match value {
        Value::Float(value) => json!(value),
        Value::Integer(value) => json!(value),
        Value::Unsigned(value) => json!(value),
        Value::Boolean(value) => json!(value),
        Value::String(text) => json!(text.as_str()),
    };
    let mut found = match finding {
        Finding::SeriesMissing => json!({ "kind": "series missing" }),
        Finding::SeriesExtra => json!({ "kind": "series extra" }),
        Finding::TagMissing { key, value } => {
            json!({ "kind": "tag missing", "tag": key.as_str(), "theirs": value.as_str() })
        }
        Finding::TagExtra { key, value } => {
            json!({ "kind": "tag extra", "tag": key.as_str(), "ours": value.as_str() })
        }
        Finding::TagDiffers { key, ours, theirs } => json!({
            "kind": "tag differs",
            "tag": key.as_str(),
            "ours": ours.as_str(),
            "theirs": theirs.as_str(),
        }),
        Finding::FieldMissing { field } => {
            json!({ "kind": "field missing", "field": field.as_str() })
        }
        Finding::FieldExtra { field } => json!({ "kind": "field extra", "field": field.as_str() }),
        Finding::TypeDiffers { field, ours, theirs } => json!({
            "kind": "type differs", "field": field.as_str(), "ours": ours, "theirs": theirs,
        }),
        Finding::ValueDiffers { field, ours, theirs } => json!({
            "kind": "value differs",
            "field": field.as_str(),
            "ours": value(ours),
            "theirs": value(theirs),
        }),
        Finding::TooFarApart { field, ours, theirs, distance } => json!({
            "kind": "too far apart",
            "field": field.as_str(),
            "ours": value(ours),
            "theirs": value(theirs),
            "absolute": distance.absolute,
            "relative": distance.relative,
        }),
        Finding::TimesApart { field, ours, theirs } => json!({
            "kind": "times apart",
            "field": field.as_str(),
            "ours": ours.nanos(),
            "theirs": theirs.nanos(),
        }),
        Finding::CountDiffers { field, ours, theirs } => json!({
            "kind": "count differs", "field": field.as_str(), "ours": ours, "theirs": theirs,
        }),
    };
    if let Json::Object(found) = &mut found {
        found.insert("measurement".to_owned(), series.measurement.as_str().into());
        found.insert("tags".to_owned(), Json::Object(tags));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_have_the_digits_that_say_something() {
        for (absolute, relative, shown) in [
            (3.0, 0.5, "3 (50.0 %)"),
            (0.25, 0.000_01, "0.250 (0.001 %)"),
            (0.000_012, 0.2, "1.2e-5 (20.0 %)"),
        ] {
            assert_eq!(shown_distance(Distance { absolute, relative }), shown);
        }
    }
}
