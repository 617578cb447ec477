//! What the flags and the file say.

use super::*;
use crate::cli::flags::Stop;
use crate::cli::sink::flags::PROGRAM;
use crate::sink::files::keeping::Keep;
use crate::sink::files::packing::Packing;
use crate::sink::files::template::Template;
use crate::sink::rows::RowSettings;
use crate::sink::settings::Format;

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

#[test]
fn files_are_what_flags_and_file_say_together() {
    let (_folder, path) = file(
        "format = \"csv\"\ntime-zone = \"Europe/Berlin\"\nrotate-interval = \"1d\"\n\
         file-name = \"{date}\"\nkeep = [\"30d\", \"1TB\"]\n",
    );
    let settings = parse(&[
        "--config",
        &path,
        "--threads",
        "2",
        "--compress",
        "zstd",
        "--rotate-size",
        "1GiB",
        "--keep",
        "7",
    ])
    .unwrap();
    assert!(matches!(settings.format, Format::Csv(RowSettings { columns: None, .. })));
    let files = settings.files;
    assert_eq!(files.template, Template::parse("{date}.{measurement}").unwrap());
    assert_eq!(files.rotation.size, Some(1 << 30));
    assert!(files.rotation.interval.is_some() && files.rotation.idle.is_none());
    assert_eq!(files.packing, Some(Packing::Zstd));
    // Flags win over the file as a whole.
    assert_eq!(files.keep, Keep { files: Some(7), ..Keep::default() });
    assert_eq!(files.zone.iana_name(), Some("Europe/Berlin"));
}

#[test]
fn columns_put_all_measurements_into_one_file() {
    let settings = parse(&["--format", "csv", "--columns", "time,host,usage_idle"]).unwrap();
    let Format::Csv(rows) = settings.format else { panic!("{:?}", settings.format) };
    let columns = ["time", "host", "usage_idle"].map(str::to_owned);
    assert_eq!(rows.columns.as_deref(), Some(&columns[..]));
    assert_eq!(settings.files.template, Template::default());
}

#[test]
fn options_of_files_that_do_not_go_together_are_refused_with_the_reason() {
    for (arguments, message) in [
        (&["--columns", "a"][..], "--columns: this is about rows of CSV: it needs --format csv"),
        (&["--time-format", "unix"], "--time-format: this is about rows of CSV"),
        (&["--format", "csv", "--columns", "a,,b"], "--columns: a column has no name"),
        (&["--format", "csv", "--time-format", "x"], "--time-format: \"x\" is no form"),
        (&["--time-zone", "Mars/Olympus"], "--time-zone: unknown time zone Mars/Olympus"),
        (&["--file-name", "a/b"], "--file-name: \"a/b\" names a folder"),
        (&["--file-name", "{date}"], "--file-name: {date} needs files that end"),
        (&["--file-name", "{measurement}"], "--file-name: {measurement} needs --format csv"),
        (&["--file-name", "one"], "--file-name: without {thread} several threads"),
        (
            &["--rotate-size", "1MB", "--file-name", "{first}"],
            "--file-name: {first} needs {partition}",
        ),
        (
            &["--topic", "a", "--topic", "b", "--file-name", "{thread}{partition}"],
            "--file-name: {partition} needs {topic}",
        ),
        (&["--rotate-size", "0"], "--rotate-size: a file has to get larger"),
        (&["--rotate-interval", "25h"], "--rotate-interval: an interval is of whole seconds"),
        (&["--rotate-idle", "1ms"], "--rotate-idle: 1ms is too short"),
        (&["--compress", "gzip"], "--compress: this is about files that have ended"),
        (&["--keep", "10"], "--keep: this is about files that have ended"),
        (&["--keep", "many"], "--keep: \"many\" is neither a number of files"),
    ] {
        let found = wrong(arguments);
        assert!(found.contains(message), "{arguments:?}: {found}");
    }
    let fine = parse(&["--file-name", "one", "--threads", "1"]).unwrap();
    assert_eq!(fine.files.template, Template::parse("one").unwrap());
}
