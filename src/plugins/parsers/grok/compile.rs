//! Patterns made ready for matching.

use std::sync::LazyLock;

use compact_str::CompactString;
use regex::{CaptureLocations, Regex, RegexBuilder};

use super::library::{Library, PatternError};
use super::translate::{Translated, translate};
use crate::plugin::TimeFormat;

/// How large a compiled pattern may be; those for addresses are large.
const SIZE_LIMIT_BYTES: usize = 64 << 20;

/// A pattern ready for matching.
pub(super) struct Compiled {
    regex: Regex,
    locations: CaptureLocations,
    groups: Vec<Group>,
}

/// What is done with what a group captures.
pub(super) struct Group {
    /// Its number in the expression.
    index: usize,
    pub(super) key: CompactString,
    pub(super) role: Role,
}

/// What becomes of a captured text.
pub(super) enum Role {
    Measurement,
    Integer,
    Float,
    Duration,
    Tag,
    Text,
    Drop,
    /// Seconds since 1970, with a part or without.
    Epoch,
    /// So many nanoseconds since 1970 each.
    EpochUnits(i64),
    /// A time of this layout, which the text names so.
    Time(TimeFormat, String),
    /// The same, but commas stand for points.
    LaxTime(TimeFormat, String),
    /// A time of any known layout.
    AnyTime,
}

static MODIFIER: LazyLock<Result<Regex, regex::Error>> = LazyLock::new(|| {
    Regex::new(r#"%\{[0-9A-Za-z_]+:([0-9A-Za-z_]+):(ts-".+"|t?s?-?[0-9A-Za-z_]+)\}"#)
});

/// The names that layouts have.
const LAYOUTS: [(&str, &str); 11] = [
    ("ts-ansic", "Mon Jan _2 15:04:05 2006"),
    ("ts-unix", "Mon Jan _2 15:04:05 MST 2006"),
    ("ts-ruby", "Mon Jan 02 15:04:05 -0700 2006"),
    ("ts-rfc822", "02 Jan 06 15:04 MST"),
    ("ts-rfc822z", "02 Jan 06 15:04 -0700"),
    ("ts-rfc850", "Monday, 02-Jan-06 15:04:05 MST"),
    ("ts-rfc1123", "Mon, 02 Jan 2006 15:04:05 MST"),
    ("ts-rfc1123z", "Mon, 02 Jan 2006 15:04:05 -0700"),
    ("ts-rfc3339", "2006-01-02T15:04:05Z07:00"),
    ("ts-rfc3339nano", "2006-01-02T15:04:05.999999999Z07:00"),
    ("ts-httpd", "02/Jan/2006:15:04:05 -0700"),
];

/// All layouts that a time without one is tried with.
pub(super) fn known_layouts() -> impl Iterator<Item = &'static str> {
    LAYOUTS.iter().map(|(_, layout)| *layout)
}

/// Names of captures and the types that stand behind them.
type Types = Vec<(String, String)>;

/// Takes the types out of a pattern.
pub(super) fn take_types(pattern: &str) -> Result<(String, Types), PatternError> {
    let regex = MODIFIER.as_ref().map_err(|error| PatternError::Expression(error.clone()))?;
    let mut types: Types = Vec::new();
    let mut untyped = String::with_capacity(pattern.len());
    let mut from = 0;
    for found in regex.captures_iter(pattern) {
        let (Some(name), Some(modifier)) = (found.get(1), found.get(2)) else { continue };
        let is_time = |text: &str| text.starts_with("ts");
        if is_time(modifier.as_str()) && types.iter().any(|(_, known)| is_time(known)) {
            return Err(PatternError::TwoTimes(pattern.to_owned()));
        }
        types.push((name.as_str().to_owned(), modifier.as_str().to_owned()));
        // Without the colon before the type.
        untyped.push_str(&pattern[from..modifier.start() - 1]);
        from = modifier.end();
    }
    untyped.push_str(&pattern[from..]);
    Ok((untyped, types))
}

impl Role {
    fn of(modifier: &str) -> Role {
        let layout = |text: &str| (TimeFormat::new(text), text.to_owned());
        match modifier {
            "measurement" => Role::Measurement,
            "int" => Role::Integer,
            "float" => Role::Float,
            "duration" => Role::Duration,
            "tag" => Role::Tag,
            "string" => Role::Text,
            "drop" => Role::Drop,
            "ts" | "GENERIC_TIMESTAMP" => Role::AnyTime,
            "ts-epoch" | "EPOCH" => Role::Epoch,
            "ts-epochmilli" | "EPOCH_MILLI" => Role::EpochUnits(1_000_000),
            "ts-epochnano" | "EPOCH_NANO" => Role::EpochUnits(1),
            "ts-syslog" | "SYSLOG_TIMESTAMP" => {
                Role::Time(TimeFormat::new("Jan _2 15:04:05"), "SYSLOG_TIMESTAMP".into())
            }
            modifier => {
                let named = LAYOUTS.iter().find(|(name, _)| *name == modifier);
                let quoted = modifier.strip_prefix("ts-\"").unwrap_or(modifier);
                let text = named.map_or(quoted.trim_end_matches('"'), |(_, layout)| layout);
                let (format, text) = layout(text);
                Role::LaxTime(format, text)
            }
        }
    }
}

impl Compiled {
    pub(super) fn new(pattern: &str, library: &Library) -> Result<Compiled, PatternError> {
        let (untyped, types) = take_types(&library.with_plain_uses(pattern, None))?;
        let Translated { expression, names } = translate(&library.expand(&untyped)?);
        let regex = RegexBuilder::new(&expression).size_limit(SIZE_LIMIT_BYTES).build()?;
        let mut groups: Vec<Group> = Vec::new();
        for (at, name) in names.into_iter().enumerate() {
            let of_name = |(known, _): &&(String, String)| *known == name;
            // The last type of two for a name counts, and so does the last group.
            let role = match types.iter().rev().find(of_name) {
                Some((_, modifier)) => Role::of(modifier),
                None => Role::Text,
            };
            groups.retain(|group| group.key != name);
            groups.push(Group { index: at + 1, key: name.into(), role });
        }
        Ok(Compiled { locations: regex.capture_locations(), regex, groups })
    }

    /// The groups and what they capture in a text, empty where they capture nothing; none if the
    /// text does not match, or there is nothing to capture.
    pub(super) fn captures<'t>(
        &mut self,
        text: &'t str,
    ) -> Option<impl Iterator<Item = (&Group, &'t str)>> {
        if self.groups.is_empty() {
            return None;
        }
        self.regex.captures_read(&mut self.locations, text)?;
        let locations = &self.locations;
        Some(self.groups.iter().map(move |group| {
            let range = locations.get(group.index);
            (group, range.map_or("", |(start, end)| &text[start..end]))
        }))
    }
}
