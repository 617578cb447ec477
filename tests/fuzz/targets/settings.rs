//! Files of configuration: their text, the variables in it, and the values of options.

use std::fs;

use metric_agent::config::environment::{Dialect, Handling, substitute};
use metric_agent::config::remote::{Attempts, FetchError, Remote};
use metric_agent::config::sources::Sources;
use metric_agent::config::{LoadOptions, Loader, Plugins, Purpose, toml};
use metric_agent::plugin::Statistics;
use metric_agent::plugin::settings::{Duration, Size, format_duration, parse_duration};

use super::{Run, Target, outcome, outcome_of, system};
use crate::corpus;

/// What a configuration may be fetched from.
struct NoServers;

impl Remote for NoServers {
    fn fetch(&self, url: &str, _attempts: Attempts) -> Result<Vec<u8>, FetchError> {
        Err(FetchError::Url(url.to_owned()))
    }
}

const TOKENS: &[&str] = &[
    "[[inputs.",
    "[[outputs.",
    "[[processors.",
    "[[aggregators.",
    "[agent]\n",
    "[global_tags]\n",
    "]]\n",
    "]",
    "[",
    "{",
    "}",
    " = ",
    ",",
    "\"",
    "'",
    "\"\"\"",
    "'''",
    "\\",
    "\\u0000",
    "#",
    "\n",
    "\r\n",
    ".",
    "true",
    "inf",
    "nan",
    "0x",
    "1979-05-27T07:32:00Z",
    "\"10s\"",
    "$",
    "${",
    "${A}",
    "$A",
    "$$",
    "namepass = [\"*\"]\n",
    "metricpass = \"",
    "alias = \"x\"\n",
    "interval = \"1ns\"\n",
    "data_format = \"csv\"\n",
    "order = -1\n",
    "[inputs.x.tags]\n",
    "_",
];

pub(super) fn targets() -> Vec<Target> {
    vec![configuration(), toml_text(), environment(), durations(), sizes()]
}

fn configurations() -> Vec<Vec<u8>> {
    let kinds = ["inputs", "outputs", "processors", "aggregators", "parsers", "serializers"];
    let cases = kinds.into_iter().flat_map(corpus::testcases_of_kind);
    let mut all: Vec<_> = cases.filter_map(|case| corpus::settings_of(&case)).collect();
    all.sort();
    all.dedup();
    all.into_iter().map(String::into_bytes).collect()
}

/// Whole files through the loader, plugins and all.
fn configuration() -> Target {
    let start = || -> Run {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("telegraf.conf");
        let files = vec![path.to_str().unwrap().to_owned()];
        let sources = Sources { files, directories: Vec::new() };
        let (system, plugins) = (system(), Plugins::all());
        Box::new(move |input| {
            // The folder lives as long as this does.
            let _ = &folder;
            fs::write(&path, input).unwrap();
            let handling =
                if input.len() % 2 == 0 { Handling::Strict } else { Handling::NonStrict };
            let options =
                LoadOptions { handling, purpose: Purpose::Check, ..LoadOptions::default() };
            let loader = Loader {
                options: &options,
                plugins: &plugins,
                environment: &|name| (name != "UNSET").then(|| "value".into()),
                system: &system,
                statistics: &Statistics::default(),
                remote: &NoServers,
            };
            outcome_of(loader.load(&sources), |loaded| loaded.plugins.len())
        })
    };
    // Plugins may compile a good deal, such as patterns and templates.
    Target { nanos_per_byte: 50_000, ..Target::new("config/file", configurations, TOKENS, start) }
}

fn toml_text() -> Target {
    Target::new("config/toml", configurations, TOKENS, || {
        Box::new(|input| {
            let text = String::from_utf8_lossy(input);
            match toml::parse("telegraf.conf", &text) {
                Ok(table) => table.entries().len() as u64,
                Err(errors) => {
                    assert!(!errors.is_empty(), "what is refused has a reason");
                    outcome(&errors[0])
                }
            }
        })
    })
}

fn environment() -> Target {
    const CORPUS: &[&str] = &[
        "plain",
        "$A ${B} $$",
        "${A:-x}",
        "${UNSET:-${A}}",
        "${UNSET-a${B:+c}}",
        "${A:?why}",
        "${1}",
        "${UNSET:?no ${A}}",
        "\"$A\" = '${B}'",
    ];
    const VARIABLES: &[&str] =
        &["$", "${", "}", "$$", ":-", ":+", ":?", "-", "+", "?", "A", "UNSET", "$A"];
    let lookup = |name: &str| (name != "UNSET").then(|| format!("<{name}>"));
    Target::of_text("config/environment", CORPUS, VARIABLES, move || {
        move |text| {
            let results = [Dialect::Current, Dialect::Old].map(|dialect| {
                let result = substitute(text, dialect, &lookup);
                if let Ok(result) = &result {
                    let unchanged = result.text == text;
                    assert!(result.changed || unchanged, "what was changed is said to be so");
                    assert!(unchanged || text.contains('$'), "without a sign nothing is changed");
                    // Values bring nothing in that would be replaced again.
                    assert!(result.text.len() <= text.len() * 8 + 64, "it does not explode");
                }
                outcome_of(
                    result.map_err(|(at, missing)| {
                        assert!(text.is_char_boundary(at));
                        missing
                    }),
                    |result| usize::from(result.changed),
                )
            });
            results[0] ^ results[1].rotate_left(9)
        }
    })
}

fn durations() -> Target {
    const CORPUS: &[&str] = &[
        "10s",
        "1h30m",
        "-1.5ms",
        "7d",
        "1µs",
        ".5h",
        "9223372036854775807ns",
        "'3s'",
        "10",
        "1e3s",
    ];
    const UNITS: &[&str] = &["ns", "us", "µs", "ms", "s", "m", "h", "d", ".", "-", "+", "'", "\""];
    Target::of_text("config/duration", CORPUS, UNITS, || {
        |text| {
            let parsed = parse_duration(text);
            if let Ok(nanos) = parsed {
                let shown = format_duration(nanos);
                assert_eq!(parse_duration(&shown), Ok(nanos), "{shown}");
                let _ = Duration::from_nanos(nanos).to_std();
            }
            outcome_of(parsed, |nanos| nanos.unsigned_abs() as usize)
        }
    })
}

fn sizes() -> Target {
    const CORPUS: &[&str] =
        &["64KiB", "1.5 MB", "10", "32mib", "1E", "-3k", "9223372036854775807B"];
    const UNITS: &[&str] = &["K", "Ki", "KiB", "M", "G", "T", "P", "E", "EiB", "B", ".", "-", " "];
    Target::of_text("config/size", CORPUS, UNITS, || {
        |text| {
            let line = format!("size = {text:?}");
            let Ok(table) = toml::parse("options", &line) else { return 0 };
            let read = table.read::<std::collections::BTreeMap<String, Size>>();
            outcome_of(read.map_err(|errors| errors[0].to_string()), |sizes| {
                sizes.values().map(|size| size.bytes() as usize).sum()
            })
        }
    })
}
