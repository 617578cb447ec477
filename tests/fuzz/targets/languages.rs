//! Languages that users write in their settings: templates, conditions, paths, layouts of times.

use std::sync::Arc;

use jiff::tz::TimeZone;
use metric_agent::agent::metricpass::Condition;
use metric_agent::metric::{Metric, Timestamp};
use metric_agent::plugin::go::{
    decode_base64, parse_bool, parse_float, parse_integer, parse_unsigned,
};
use metric_agent::plugin::json_path::JsonPath;
use metric_agent::plugin::template::{Library, Template};
use metric_agent::plugin::{PluginLog, TimeFormat, TimeLayout, WrittenTime};
use metric_agent::system::fake::FakeClock;

use super::{Target, outcome, outcome_of, system};

pub(super) fn targets() -> Vec<Target> {
    vec![templates(), conditions(), json_paths(), layouts(), numbers()]
}

fn metric() -> Metric {
    Metric::new("cpu", Timestamp::from_seconds(1_700_000_000))
        .with_tag("host", "a b")
        .with_tag("n", "12")
        .with_field("float", 1.5)
        .with_field("integer", i64::MIN)
        .with_field("unsigned", u64::MAX)
        .with_field("text", "Text, \"quoted\"")
        .with_field("truth", true)
}

fn templates() -> Target {
    const CORPUS: &[&str] = &[
        "{{ .Name }} {{ .Tag \"host\" }}",
        "{{ range $k, $v := .Fields }}{{ $k }}={{ $v }}{{ end }}",
        "{{ if eq .Name \"cpu\" }}a{{ else if true }}b{{ else }}c{{ end }}",
        "{{- with .Field \"float\" -}}{{ printf \"%08.3f|%x|%q\" . 5 \"a\" }}{{ end }}",
        "{{ define \"t\" }}{{ . }}{{ end }}{{ template \"t\" 1 }}",
        "{{ block \"b\" . }}{{ .Time }}{{ end }}",
        "{{ $x := list 1 2 3 }}{{ index $x 1 }}{{ len $x }}{{ slice $x 1 2 }}",
        "{{ .Name | upper | trunc 3 | quote }}",
        "{{ dict \"a\" 1 | toJson }}",
        "{{ .Time.UTC.Format \"2006\" }}",
        "{{ range until 5 }}{{ if eq . 3 }}{{ break }}{{ end }}{{ . }}{{ end }}",
        "{{ repeat 3 \"x\" }}{{ seq 1 2 9 }}{{ add 1 2 | mul 3 }}",
        "{{ regexReplaceAll \"a+\" \"caat\" \"${0}\" }}",
        "{{ splitList \",\" \"a,b\" | join \"-\" }}{{ b64enc \"x\" | b64dec }}{{/* note */}}",
        "{{ untilStep 0 10 3 }}{{ dateInZone \"15:04\" .Time \"UTC\" }}{{ ago .Time }}",
        "{{ indent 4 \"a\\nb\" }}{{ substr 0 1 \"abc\" }}{{ wrap 2 \"a b c\" }}{{ abbrev 5 \"abcdefgh\" }}",
        "{{ sha256sum \"a\" }}{{ uuidv4 | len }}{{ randAlphaNum 3 | len }}{{ chunk 2 (list 1 2 3) }}",
    ];
    const TOKENS: &[&str] = &[
        "{{",
        "}}",
        "{{-",
        "-}}",
        "{{ end }}",
        "{{ else }}",
        "range ",
        "if ",
        "with ",
        "define \"t\"",
        "template \"t\" .",
        "block \"t\" .",
        "break",
        "continue",
        "$",
        ":=",
        "=",
        "|",
        "(",
        ")",
        ".",
        ",",
        ".Name",
        ".Fields",
        ".Tags",
        ".Time",
        ".Tag ",
        ".Field ",
        "printf ",
        "\"%",
        "%*d",
        "%[3]*.[2]*[1]f",
        "%1000000000d",
        "repeat 1000000000 ",
        "until 1000000000",
        "untilStep 0 1000000000 1 ",
        "seq 0 1 ",
        "1000000000000 ",
        "-1 ",
        "nil",
        "list ",
        "dict ",
        "index ",
        "slice ",
        "len ",
        "add ",
        "div 1 0",
        "mod ",
        "substr ",
        "trunc ",
        "indent 100000000 ",
        "nindent ",
        "regexMatch ",
        "toJson ",
        "fromJson ",
        "0x",
        "'a'",
        "`",
        "/*",
        "*/",
        "1e400",
        "1i",
        "html ",
        "js ",
        "urlquery ",
        "call ",
        "and ",
        "or ",
        "not ",
        "eq ",
        "lt ",
    ];
    let target = Target::of_text("languages/template", CORPUS, TOKENS, || {
        let (system, metric) = (system(), metric());
        move |source| {
            let mut outcomes = 0_u64;
            for library in [Library::Standard, Library::Sprig] {
                let outcome = match Template::new("t", source, library, &system) {
                    Err(error) => outcome(error),
                    Ok(template) => {
                        let mut out = String::new();
                        outcome_of(template.fill(&metric, &mut out), |()| out.len())
                    }
                };
                outcomes = outcomes.rotate_left(9) ^ outcome;
            }
            outcomes
        }
    });
    Target { nanos_per_byte: 100_000, ..target }
}

fn conditions() -> Target {
    const CORPUS: &[&str] = &[
        "name == 'cpu'",
        "tags.host.startsWith('a') && fields.float > 1.0",
        "time > timestamp('2020-01-01T00:00:00Z')",
        "has(tags.x) ? true : fields.integer in [1, 2]",
        "tags.exists(k, k.matches('^h'))",
        "now() - time < duration('24h')",
        "fields['text'].size() % 2 == 0 || !fields.truth",
        "name.lowerAscii().replace('a', 'b') in {'a': 1}",
        "[1, 2].all(x, x > 0) && {'a': 'b'}.map(k, k).size() == 1",
        "math.greatest(1, 2) > 1 && base64.encode(b'a') != ''",
        "'\\u0041' + \"\"\"a\"\"\" == r'A'",
    ];
    const TOKENS: &[&str] = &[
        "name",
        "tags",
        "fields",
        "time",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        ".",
        ",",
        "?",
        ":",
        "==",
        "!=",
        "<",
        "&&",
        "||",
        "!",
        "-",
        "+",
        "*",
        "/ 0",
        "% 0",
        " in ",
        "'",
        "\"",
        "\"\"\"",
        "b'",
        "r'",
        "9223372036854775807",
        "18446744073709551615u",
        "1e999",
        ".size()",
        ".matches('",
        ".all(x, ",
        ".map(x, ",
        ".exists(x, ",
        "has(",
        "timestamp('",
        "duration('",
        "int(",
        "uint(",
        "string(",
        "double(",
        "dyn(",
        "type(",
        "null",
        "true",
        ".format([",
        ".substring(-1)",
        ".charAt(99)",
        ".split('')",
        ".join(",
        ".getFullYear('",
        "optional.of(",
    ];
    let target = Target::of_text("languages/condition", CORPUS, TOKENS, || {
        let clock = Arc::new(FakeClock::at(Timestamp::from_seconds(1_700_000_000)));
        let metric = metric();
        move |expression| {
            let log = PluginLog::new("inputs.test");
            let condition = Condition::new(expression, clock.clone(), log);
            outcome_of(condition, |condition| usize::from(condition.passes(&metric)))
        }
    });
    Target { most_bytes: 4 << 10, nanos_per_byte: 1_000_000, ..target }
}

/// The path in the first line, and the document in the others.
fn json_paths() -> Target {
    const DOCUMENT: &str = "{\"a\": {\"b\": [1, {\"c\": \"d\\u00e9\"}, null], \"x.y\": true}, \"n\": [[1, 2], [3]], \
        \"people\": [{\"age\": 30, \"name\": \"A\"}, {\"age\": 4.5e1, \"name\": \"B\"}]}";
    const PATHS: &[&str] = &[
        "a.b.1.c",
        "a.b.#",
        "people.#.name",
        "people.#(age>40).name",
        "people.#(age>1)#|0",
        "a.x\\.y",
        "n|@flatten",
        "a.*",
        "n.#.#",
        "@this",
        "people.@reverse.0",
        "people.#(name%\"A*\")#.age",
        "@keys",
        "a.b.1|c",
        "@pretty",
        "{x:a.b,\"y\":n}",
        "[a,n.0]",
        "n.@join",
        "!\"text\"",
        "a.@tostr|@fromstr",
        "..#",
        "@valid",
        "@ugly",
    ];
    const TOKENS: &[&str] = &[
        ".",
        "|",
        "#",
        "#(",
        ")#",
        "(",
        ")",
        "@",
        "@this",
        "@reverse",
        "@flatten",
        "@pretty",
        "@join",
        "@keys",
        "@values",
        "@group",
        "@tostr",
        ":{\"",
        "*",
        "?",
        "\\",
        "==",
        "!=",
        "<",
        ">=",
        "%",
        "!%",
        "~",
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\n",
        "a",
        "b",
        "n",
        "people",
        "age",
        "0",
        "-1",
        "999999999999",
        "!",
        "..",
    ];
    let corpus = || PATHS.iter().map(|path| format!("{path}\n{DOCUMENT}").into_bytes()).collect();
    let target = Target::new("languages/json-path", corpus, TOKENS, || {
        Box::new(|input| {
            let text = String::from_utf8_lossy(input);
            let (path, json) = text.split_once('\n').unwrap_or((&text, ""));
            outcome_of(JsonPath::new(path), |path| match path.find(json) {
                Some(found) => 2 + found.raw.len().min(7),
                None => 1,
            })
        })
    });
    Target { most_bytes: 16 << 10, nanos_per_byte: 100_000, ..target }
}

/// The layout in the first line, and the time in the second.
fn layouts() -> Target {
    const CORPUS: &[&str] = &[
        "2006-01-02T15:04:05Z07:00\n2023-11-14T22:13:20+01:00",
        "unix\n1700000000.5",
        "unix_ms\n-1",
        "RFC3339Nano\n2023-11-14T22:13:20.123456789Z",
        "Mon Jan _2 15:04:05 MST 2006\nTue Nov 14 22:13:20 CET 2023",
        "Jan 2 15:04:05.000\nNov 14 22:13:20.001",
        "02/Jan/2006:15:04:05 -0700\n14/Nov/2023:22:13:20 +0000",
        "3:04PM\n1:02AM",
        "2006-002\n2023-318",
        "06-1-2 3:4:5 pm .999,000\n23-1-2 3:4:5 am .1,200",
        "unix_ns\n1e18",
        "timestamp_tz\n1700000000",
        "ANSIC\nTue Nov 14 22:13:20 2023",
    ];
    const TOKENS: &[&str] = &[
        "2006",
        "06",
        "01",
        "1",
        "Jan",
        "January",
        "02",
        "_2",
        "2",
        "002",
        "__2",
        "Mon",
        "Monday",
        "15",
        "03",
        "3",
        "04",
        "4",
        "05",
        "5",
        "PM",
        "pm",
        "MST",
        "Z0700",
        "Z07:00",
        "-0700",
        "-07",
        "-07:00:00",
        ".000",
        ",999",
        ".000000000",
        "\n",
        "-",
        ":",
        "unix",
        "99999",
        "UTC",
        "GMT+3",
        "February 30",
        "24:60:60",
        "+99:99",
    ];
    Target::of_text("languages/time-layout", CORPUS, TOKENS, || {
        let zones = [TimeZone::UTC, TimeZone::get("Europe/Berlin").unwrap_or(TimeZone::UTC)];
        let now = Timestamp::from_seconds(1_700_000_000);
        move |input| {
            let (layout, text) = input.split_once('\n').unwrap_or((input, ""));
            let format = TimeFormat::new(layout);
            let mut all = 0;
            for zone in &zones {
                let texts = [WrittenTime::Text(text), WrittenTime::Text(layout)];
                let float = WrittenTime::Float(text.trim().parse().unwrap_or(f64::NAN));
                let integer = WrittenTime::Integer(text.trim().parse().unwrap_or(i64::MIN));
                for value in texts.into_iter().chain([float, integer]) {
                    let result = format.read(value, zone, now);
                    if let Ok(time) = result {
                        TimeLayout::new_or_named(layout).format_utc(time);
                    }
                    let outcome = outcome_of(result, |time| time.nanos().unsigned_abs() as usize);
                    all = outcome ^ u64::rotate_left(all, 5);
                }
            }
            all
        }
    })
}

fn numbers() -> Target {
    const CORPUS: &[&str] = &[
        "1",
        "-1.5e3",
        "0x1p-3",
        "+Inf",
        "nan",
        "1_000",
        "0b101",
        "0o17",
        "TRUE",
        "dGV4dA==",
        "18446744073709551615",
    ];
    const TOKENS: &[&str] = &[
        "0x", "p", "_", "e", "E-", ".", "-", "+", "inf", "infinity", "nan", "0b", "0o", "=", "\n",
    ];
    Target::of_text("languages/number", CORPUS, TOKENS, || {
        |text| {
            let float = parse_float(text);
            if let (Ok(found), Ok(expected)) = (&float, text.parse::<f64>()) {
                let same =
                    found.to_bits() == expected.to_bits() || (found.is_nan() && expected.is_nan());
                assert!(same, "{text:?} is {expected}, not {found}");
            }
            for base in [2, 10, 16] {
                let (signed, unsigned) = (parse_integer(text, base), parse_unsigned(text, base));
                if let (Ok(signed @ 0..), Ok(unsigned)) = (&signed, &unsigned) {
                    assert_eq!(*signed as u64, *unsigned);
                }
            }
            let other = outcome_of(decode_base64(text), |bytes| bytes.len());
            let truth = outcome_of(parse_bool(text), usize::from);
            outcome_of(float, |value| usize::from(value.is_finite()))
                ^ other.rotate_left(9)
                ^ truth.rotate_left(5)
        }
    })
}
