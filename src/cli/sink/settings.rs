//! Settings from the configuration file and the flags.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration as Span;

use serde::Deserialize;

use super::file_options::{self, FileOptions, GivenOfFiles};
use crate::cli::flags::Parsed;
use crate::config::toml::parse as parse_toml;
use crate::http::ListenAddress;
use crate::kafka::Connection;
use crate::kafka::group::{GroupProtocol, StartOffset};
use crate::plugin::settings::SettingsError as OptionError;
use crate::plugin::settings::{Data, Duration, Position, Size, Table, Value};
use crate::sink::settings::{Fsync, Membership, Settings};

/// Properties that the sink's promises rest on, and why they cannot be set.
const RESERVED: [(&str, &str); 10] = [
    ("enable.auto.commit", "offsets are committed only after the data is on the disk"),
    ("enable.auto.offset.store", "offsets are committed only after the data is on the disk"),
    ("auto.offset.reset", "use --from"),
    ("bootstrap.servers", "use --brokers"),
    ("metadata.broker.list", "use --brokers"),
    ("group.id", "use --group"),
    ("group.instance.id", "use --static-membership; each thread needs its own"),
    ("client.id", "it names the thread"),
    ("session.timeout.ms", "use --session-timeout"),
    ("group.protocol", "use --group-protocol"),
];

/// A setting that is wrong.
#[derive(Debug, thiserror::Error)]
pub(super) enum SettingsError {
    #[error("reading {file}: {source}")]
    Read { file: String, source: std::io::Error },
    #[error("{0}")]
    File(String),
    #[error("{origin}: {reason}")]
    Value { origin: String, reason: String },
}

/// What the file, and after it the flags, may say; all of it is optional.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct Given {
    brokers: Option<List>,
    topic: Option<List>,
    threads: Option<usize>,
    from: Option<String>,
    read_ahead: Option<Size>,
    output_dir: Option<String>,
    fsync: Option<FsyncWord>,
    commit_interval: Option<Duration>,
    commit_bytes: Option<Size>,
    batch_records: Option<usize>,
    batch_bytes: Option<Size>,
    group: Option<String>,
    session_timeout: Option<Duration>,
    static_membership: Option<bool>,
    group_protocol: Option<ProtocolWord>,
    report_interval: Option<Duration>,
    http: Option<String>,
    properties: BTreeMap<String, String>,
}

/// One text or several.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum List {
    One(String),
    Several(Vec<String>),
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum FsyncWord {
    Commit,
    Never,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ProtocolWord {
    Classic,
    Consumer,
}

/// Reads the file that the flags name, if any, and lets the flags win over it.
///
/// # Errors
/// Everything that is wrong in the file, or the first flag that is wrong.
pub(super) fn settings(parsed: &Parsed) -> Result<Settings, SettingsError> {
    let mut settings = Settings::default();
    let mut files = FileOptions::default();
    if let Some(file) = parsed.value("config") {
        let (given, of_files) = read_file(file)?;
        apply(given, file, &mut settings)?;
        files = of_files.said_in(file);
    }
    let (given, of_files) = from_flags(parsed)?;
    apply(given, "flags", &mut settings)?;
    files.overridden_by(of_files.said_in("flags")).apply(&mut settings)?;
    Ok(settings)
}

/// What of the settings tells how to reach the cluster, for a command that has no other flags of
/// the sink: its brokers and properties.
///
/// # Errors
/// Everything that is wrong in the file, or the first flag that is wrong.
pub(super) fn connection(parsed: &Parsed) -> Result<Connection, SettingsError> {
    reached(parsed, None).map(|(connection, _)| connection)
}

/// The same, and the name of the group, for a command that has that flag, too.
///
/// # Errors
/// Everything that is wrong in the file, or the first flag that is wrong.
pub(super) fn of_group(parsed: &Parsed) -> Result<(Connection, String), SettingsError> {
    reached(parsed, parsed.value("group").map(str::to_owned))
}

fn reached(parsed: &Parsed, group: Option<String>) -> Result<(Connection, String), SettingsError> {
    let mut settings = Settings::default();
    if let Some(file) = parsed.value("config") {
        apply(read_file(file)?.0, file, &mut settings)?;
    }
    let brokers = Some(parsed.values("brokers")).filter(|brokers| !brokers.is_empty());
    let properties = properties(parsed)?;
    let brokers = brokers.map(List::Several);
    let given = Given { brokers, group, properties, ..Given::default() };
    apply(given, "flags", &mut settings)?;
    let mut connection = Connection::plain(settings.brokers, "metric-sink");
    connection.properties = settings.properties;
    Ok((connection, settings.group))
}

fn read_file(file: &str) -> Result<(Given, GivenOfFiles), SettingsError> {
    let text = std::fs::read_to_string(Path::new(file))
        .map_err(|source| SettingsError::Read { file: file.to_owned(), source })?;
    let lines = |errors: Vec<String>| SettingsError::File(errors.join("\n"));
    let table = parse_toml(file, &text)
        .map_err(|errors| lines(errors.iter().map(|error| format!("{file}: {error}")).collect()))?;
    let given = table.read::<Given>();
    let of_files = table.read::<GivenOfFiles>();
    let mut errors: Vec<String> = table.unknown().iter().map(ToString::to_string).collect();
    match (given, of_files) {
        (Ok(given), Ok(of_files)) if errors.is_empty() => Ok((given, of_files)),
        (given, of_files) => {
            for wrong in [given.err(), of_files.err()].into_iter().flatten() {
                errors.extend(wrong.iter().map(ToString::to_string));
            }
            Err(lines(errors))
        }
    }
}

/// The flags as the same settings that a file holds, so that both are read by one reader.
fn from_flags(parsed: &Parsed) -> Result<(Given, GivenOfFiles), SettingsError> {
    let mut table = Table::new("flags".into(), "", Position::default());
    let at = |data| Value { position: Position::default(), data };
    // Marked as put in by a variable, a text converts to the type of its setting.
    let text = |text: &str| at(Data::String { text: text.to_owned(), substituted: true });
    for name in ["brokers", "topic", "keep"] {
        let values = parsed.values(name);
        if !values.is_empty() {
            let values = values.iter().map(|value| text(value)).collect();
            table.push(name, Position::default(), at(Data::Array(values)));
        }
    }
    for name in [
        "from",
        "read-ahead",
        "output-dir",
        "fsync",
        "commit-interval",
        "commit-bytes",
        "batch-bytes",
        "group",
        "session-timeout",
        "group-protocol",
        "report-interval",
        "http",
    ]
    .into_iter()
    .chain(file_options::VALUES)
    {
        if let Some(value) = parsed.value(name) {
            table.push(name, Position::default(), text(value));
        }
    }
    for name in ["threads", "batch-records"] {
        if let Some(number) = parsed.number(name) {
            table.push(name, Position::default(), at(Data::Integer(number)));
        }
    }
    if parsed.is_on("static-membership") {
        table.push("static-membership", Position::default(), at(Data::Boolean(true)));
    }
    let wrong = |errors: Vec<OptionError>| {
        let messages: Vec<_> = errors.iter().map(|error| format!("--{}", error.message)).collect();
        SettingsError::File(messages.join("\n"))
    };
    let given: Given = table.read().map_err(wrong)?;
    let of_files = table.read().map_err(wrong)?;
    Ok((Given { properties: properties(parsed)?, ..given }, of_files))
}

fn properties(parsed: &Parsed) -> Result<BTreeMap<String, String>, SettingsError> {
    let pair = |property: String| match property.split_once('=') {
        Some((key, value)) => Ok((key.to_owned(), value.to_owned())),
        // What was given stays out of it: it may be a password.
        None => {
            let reason = "expecting KEY=VALUE".to_owned();
            Err(SettingsError::Value { origin: "-X".to_owned(), reason })
        }
    };
    parsed.values("property").into_iter().map(pair).collect()
}

fn apply(given: Given, origin: &str, settings: &mut Settings) -> Result<(), SettingsError> {
    let wrong = |name: &str, reason: String| {
        let origin =
            if origin == "flags" { format!("--{name}") } else { format!("{origin}: {name}") };
        Err(SettingsError::Value { origin, reason })
    };
    let span = |duration: Duration| -> Span { duration.to_std() };
    if let Some(brokers) = given.brokers {
        settings.brokers = brokers
            .into_iter()
            .flat_map(|list| list.split(',').map(|one| one.trim().to_owned()).collect::<Vec<_>>())
            .filter(|broker| !broker.is_empty())
            .collect();
    }
    if let Some(topics) = given.topic {
        settings.topics = topics.into_iter().collect();
    }
    if settings.brokers.is_empty() || settings.topics.iter().any(String::is_empty) {
        return wrong("brokers", "brokers and topics cannot be empty".into());
    }
    match given.threads {
        Some(0) => return wrong("threads", "at least one thread is needed".into()),
        Some(threads) => settings.threads = threads,
        None => {}
    }
    if let Some(from) = given.from {
        match start_offset(&from) {
            Some(start) => settings.from = start,
            None => {
                return wrong(
                    "from",
                    format!(
                        "{from:?} is neither earliest nor latest nor a time such as \
                         2026-01-31T12:00:00Z or 1769860800000"
                    ),
                );
            }
        }
    }
    if let Some(size) = given.read_ahead {
        settings.read_ahead_bytes = bytes(size).max(1024);
    }
    if let Some(folder) = given.output_dir {
        settings.output_dir = folder.into();
    }
    match given.fsync {
        Some(FsyncWord::Commit) => settings.fsync = Fsync::Commit,
        Some(FsyncWord::Never) => settings.fsync = Fsync::Never,
        None => {}
    }
    if let Some(interval) = given.commit_interval {
        settings.commit_interval = span(interval);
    }
    if let Some(size) = given.commit_bytes {
        settings.commit_bytes = size.bytes();
    }
    match given.batch_records {
        Some(0) => return wrong("batch-records", "at least one record is needed".into()),
        Some(records) => settings.batch_records = records,
        None => {}
    }
    if let Some(size) = given.batch_bytes {
        settings.batch_bytes = bytes(size).max(1);
    }
    if let Some(group) = given.group {
        if group.is_empty() {
            return wrong("group", "a group needs a name".into());
        }
        settings.group = group;
    }
    if let Some(timeout) = given.session_timeout {
        if timeout < Duration::from_secs(1) {
            return wrong("session-timeout", format!("{timeout} is too short for any cluster"));
        }
        settings.session_timeout = span(timeout);
    }
    if given.static_membership == Some(true) {
        settings.membership = Membership::Static;
    }
    match given.group_protocol {
        Some(ProtocolWord::Classic) => settings.protocol = GroupProtocol::Classic,
        Some(ProtocolWord::Consumer) => settings.protocol = GroupProtocol::Consumer,
        None => {}
    }
    if let Some(interval) = given.report_interval {
        if interval < Duration::from_millis(100) {
            return wrong("report-interval", format!("{interval} is too short"));
        }
        settings.report_interval = span(interval);
    }
    if let Some(address) = given.http {
        match http_address(&address) {
            Ok(address) => settings.http = Some(address),
            Err(reason) => return wrong("http", reason),
        }
    }
    for (key, value) in given.properties {
        if let Some((_, reason)) = RESERVED.iter().find(|(reserved, _)| *reserved == key) {
            return wrong("property", format!("{key} cannot be set: {reason}"));
        }
        settings.properties.push((key, value));
    }
    Ok(())
}

impl IntoIterator for List {
    type Item = String;
    type IntoIter = std::vec::IntoIter<String>;

    fn into_iter(self) -> Self::IntoIter {
        match self {
            List::One(text) => vec![text],
            List::Several(texts) => texts,
        }
        .into_iter()
    }
}

/// An address to listen at; without a host it is one of this machine only.
fn http_address(text: &str) -> Result<ListenAddress, String> {
    let (host, port) = text.rsplit_once(':').unwrap_or(("", text));
    if port.parse::<u16>().is_err() {
        return Err(format!("{text:?} is neither a port nor HOST:PORT"));
    }
    let host = if host.is_empty() { "127.0.0.1" } else { host };
    Ok(ListenAddress::Tcp(format!("{host}:{port}")))
}

fn bytes(size: Size) -> usize {
    usize::try_from(size.bytes()).unwrap_or(usize::MAX)
}

fn start_offset(from: &str) -> Option<StartOffset> {
    match from {
        "earliest" => return Some(StartOffset::Earliest),
        "latest" => return Some(StartOffset::Latest),
        _ => {}
    }
    if let Ok(millis) = from.parse() {
        return Some(StartOffset::At { epoch_ms: millis });
    }
    let time: jiff::Timestamp = from.parse().ok()?;
    Some(StartOffset::At { epoch_ms: time.as_millisecond() })
}

#[cfg(test)]
mod tests;
