//! Settings from the configuration file and the flags.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration as Span;

use serde::Deserialize;

use crate::cli::flags::Parsed;
use crate::config::toml::parse as parse_toml;
use crate::http::ListenAddress;
use crate::kafka::Connection;
use crate::kafka::group::{GroupProtocol, StartOffset};
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
enum List {
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
    if let Some(file) = parsed.value("config") {
        apply(read_file(file)?, file, &mut settings)?;
    }
    apply(from_flags(parsed)?, "flags", &mut settings)?;
    Ok(settings)
}

/// What of the settings tells how to reach the cluster, for a command that has no other flags of
/// the sink: its brokers and properties.
///
/// # Errors
/// Everything that is wrong in the file, or the first flag that is wrong.
pub(super) fn connection(parsed: &Parsed) -> Result<Connection, SettingsError> {
    let mut settings = Settings::default();
    if let Some(file) = parsed.value("config") {
        apply(read_file(file)?, file, &mut settings)?;
    }
    let brokers = Some(parsed.values("brokers")).filter(|brokers| !brokers.is_empty());
    let properties = properties(parsed)?;
    let given = Given { brokers: brokers.map(List::Several), properties, ..Given::default() };
    apply(given, "flags", &mut settings)?;
    let mut connection = Connection::plain(settings.brokers, "metric-sink");
    connection.properties = settings.properties;
    Ok(connection)
}

fn read_file(file: &str) -> Result<Given, SettingsError> {
    let text = std::fs::read_to_string(Path::new(file))
        .map_err(|source| SettingsError::Read { file: file.to_owned(), source })?;
    let lines = |errors: Vec<String>| SettingsError::File(errors.join("\n"));
    let table = parse_toml(file, &text)
        .map_err(|errors| lines(errors.iter().map(|error| format!("{file}: {error}")).collect()))?;
    let given = table.read::<Given>();
    let mut errors: Vec<String> = table.unknown().iter().map(ToString::to_string).collect();
    match given {
        Ok(given) if errors.is_empty() => Ok(given),
        Ok(_) => Err(lines(errors)),
        Err(wrong) => {
            errors.extend(wrong.iter().map(ToString::to_string));
            Err(lines(errors))
        }
    }
}

/// The flags as the same settings that a file holds, so that both are read by one reader.
fn from_flags(parsed: &Parsed) -> Result<Given, SettingsError> {
    let mut table = Table::new("flags".into(), "", Position::default());
    let at = |data| Value { position: Position::default(), data };
    // Marked as put in by a variable, a text converts to the type of its setting.
    let text = |text: &str| at(Data::String { text: text.to_owned(), substituted: true });
    for name in ["brokers", "topic"] {
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
    ] {
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
    let given: Given = table.read().map_err(|errors| {
        let messages: Vec<_> = errors.iter().map(|error| format!("--{}", error.message)).collect();
        SettingsError::File(messages.join("\n"))
    })?;
    Ok(Given { properties: properties(parsed)?, ..given })
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
mod tests {
    use super::*;
    use crate::cli::flags::Stop;
    use crate::cli::sink::flags::PROGRAM;

    fn parse(arguments: &[&str]) -> Result<Settings, SettingsError> {
        match PROGRAM.parse(arguments.iter().map(std::ffi::OsString::from)) {
            Ok(parsed) => settings(&parsed),
            Err(Stop::Help(_)) => panic!("help"),
            Err(Stop::Wrong { message, .. }) => panic!("{message}"),
        }
    }

    fn wrong(arguments: &[&str]) -> String {
        parse(arguments).unwrap_err().to_string()
    }

    fn file(text: &str) -> (tempfile::TempDir, String) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sink.toml");
        std::fs::write(&path, text).unwrap();
        let path = path.to_str().unwrap().to_owned();
        (folder, path)
    }

    #[test]
    fn the_defaults_are_the_tutorials() {
        let settings = parse(&[]).unwrap();
        assert_eq!(settings.brokers, ["127.0.0.1:9092"]);
        assert_eq!(settings.topics, ["my-computer-metric"]);
        assert_eq!(settings.group, "metric-consumers");
        assert_eq!((settings.threads, settings.from), (5, StartOffset::Earliest));
    }

    #[test]
    fn the_packages_settings_are_the_defaults_with_a_folder_of_their_own() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/packaging/metric-sink.toml");
        let packaged = parse(&["--config", path]).unwrap();
        let expected = parse(&["--output-dir", "/var/lib/metric-sink"]).unwrap();
        assert_eq!(format!("{packaged:?}"), format!("{expected:?}"));
    }

    #[test]
    fn flags_are_read_by_type() {
        let settings = parse(&[
            "-b",
            "a:1,b:2",
            "--brokers",
            "c:3",
            "-t",
            "x",
            "-topic=y",
            "--threads",
            "3",
            "--commit-interval",
            "250ms",
            "--commit-bytes",
            "2MiB",
            "-X",
            "security.protocol=ssl",
            "--fsync",
            "never",
            "--static-membership",
            "--group-protocol=consumer",
        ])
        .unwrap();
        assert_eq!(settings.brokers, ["a:1", "b:2", "c:3"]);
        assert_eq!(settings.topics, ["x", "y"]);
        assert_eq!(settings.commit_interval, Span::from_millis(250));
        assert_eq!(settings.commit_bytes, 2 * 1024 * 1024);
        assert_eq!(settings.properties, [("security.protocol".into(), "ssl".into())]);
        assert_eq!((settings.threads, settings.fsync), (3, Fsync::Never));
        assert_eq!(settings.membership, Membership::Static);
        assert_eq!(settings.protocol, GroupProtocol::Consumer);
    }

    #[test]
    fn a_start_can_be_a_time() {
        let at = |from: &str| parse(&["--from", from]).unwrap().from;
        assert_eq!(at("latest"), StartOffset::Latest);
        assert_eq!(at("1769860800000"), StartOffset::At { epoch_ms: 1_769_860_800_000 });
        assert_eq!(at("2026-01-31T12:00:00Z"), at("1769860800000"));
        assert!(wrong(&["--from", "yesterday"]).contains("\"yesterday\""));
    }

    #[test]
    fn a_port_alone_is_open_to_this_machine_only() {
        for (given, expected) in [
            ("8080", "127.0.0.1:8080"),
            (":8080", "127.0.0.1:8080"),
            ("0.0.0.0:80", "0.0.0.0:80"),
            ("[::]:80", "[::]:80"),
            ("sink.example:80", "sink.example:80"),
        ] {
            let address = parse(&["--http", given]).unwrap().http;
            assert_eq!(address, Some(ListenAddress::Tcp(expected.into())), "{given}");
        }
        let (_folder, path) = file("http = \":9\"\n");
        let address = parse(&["--config", &path]).unwrap().http;
        assert_eq!(address, Some(ListenAddress::Tcp("127.0.0.1:9".into())));
        for given in ["", "localhost", "localhost:http", ":70000"] {
            let message = wrong(&["--http", given]);
            assert!(message.contains("neither a port nor HOST:PORT"), "{message}");
        }
    }

    #[test]
    fn a_file_holds_the_same_settings_and_flags_win() {
        let (_folder, path) = file(
            "threads = 2\ntopic = \"a\"\nfrom = \"latest\"\n[properties]\n\"sasl.password\" = \"s\"\n",
        );
        let settings = parse(&["--config", &path, "--threads", "4"]).unwrap();
        assert_eq!((settings.threads, settings.from), (4, StartOffset::Latest));
        assert_eq!(settings.topics, ["a"]);
        assert_eq!(settings.properties.len(), 1);
    }

    #[test]
    fn every_mistake_in_a_file_is_told_with_its_place() {
        let (_folder, path) = file("thread = 2\ngroup = 5\n");
        let message = wrong(&["--config", &path]);
        assert!(message.contains(":1:1"), "{message}");
        assert!(message.contains("did you mean `threads`?"), "{message}");
        assert!(message.contains(":2:"), "{message}");
    }

    #[test]
    fn what_the_promises_rest_on_cannot_be_set() {
        for (key, reason) in RESERVED {
            let message = wrong(&["-X", &format!("{key}=x")]);
            assert!(message.contains(key) && message.contains(reason), "{message}");
        }
    }

    #[test]
    fn a_property_without_a_value_is_refused_without_repeating_it() {
        let message = wrong(&["-X", "sasl.password:secret"]);
        assert!(message.contains("KEY=VALUE") && !message.contains("secret"), "{message}");
    }

    #[test]
    fn values_without_sense_are_refused_by_name() {
        for (arguments, name) in [
            (["--threads", "0"], "--threads"),
            (["--batch-records", "0"], "--batch-records"),
            (["--session-timeout", "1ms"], "--session-timeout"),
            (["--commit-interval", "soon"], "--commit-interval"),
            (["--group", ""], "--group"),
            (["--threads", "-1"], "--threads"),
        ] {
            let message = wrong(&arguments);
            assert!(message.contains(name), "{message}");
        }
    }
}
