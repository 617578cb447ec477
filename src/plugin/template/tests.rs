//! Tests of templates; `cases.txt` holds what Go's `text/template` with sprig makes of them.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::metric::Timestamp;
use crate::system::fake::FakeClock;
use crate::system::{Host, HostRoots, Random};

fn system() -> System {
    System {
        clock: Arc::new(FakeClock::at(Timestamp::from_seconds(1_700_000_100))),
        host: Arc::new(Host::new(HostRoots::from_variables(|_| None))),
        random: Random::from_seed(1),
    }
}

fn metric() -> Metric {
    Metric::new("cpu", Timestamp::from_nanos(1_700_000_000_120_000_000))
        .with_tag("host", "a")
        .with_tag("region", "eu west")
        .with_field("words", "Hello big world")
        .with_field("f", 1.5)
        .with_field("large", 1e6)
        .with_field("small", -2.5e-7)
        .with_field("i", -3i64)
        .with_field("u", 7u64)
        .with_field("b", true)
        .with_field("s", "text")
}

fn fill(template: &str, library: Library) -> Result<String, String> {
    let template =
        Template::new("t", template, library, &system()).map_err(|error| error.to_string())?;
    let mut out = String::new();
    template.fill(&metric(), &mut out).map_err(|error| error.to_string())?;
    Ok(out)
}

/// What an error says behind the place it is at.
fn reason(message: &str) -> &str {
    message.split_once(">: ").map_or(message, |(_, reason)| reason)
}

#[test]
fn records_are_asked_for_their_parts() {
    let record = serde_json::json!({
        "Node": "n1", "ServicePort": 80, "ServiceTags": ["a", "b"], "ServiceAddress": "",
        "Address": "10.0.0.1", "ServiceMeta": {"metrics_path": "m"}, "None": null,
        "Weights": {"Passing": 1},
    });
    for (source, expected) in [
        ("{{.Node}}:{{.ServicePort}}", "n1:80"),
        (
            "{{if ne .ServiceAddress \"\"}}{{.ServiceAddress}}{{else}}{{.Address}}{{end}}",
            "10.0.0.1",
        ),
        ("{{with .ServiceMeta.metrics_path}}{{.}}{{else}}metrics{{end}}", "m"),
        ("{{with .ServiceMeta.other}}{{.}}{{else}}metrics{{end}}", "metrics"),
        ("{{join .ServiceTags \",\"}}{{index .ServiceTags 1}}{{.Weights.Passing}}", "a,bb1"),
        ("{{range .None}}x{{end}}{{eq .ServicePort 80}}", "true"),
    ] {
        let template = Template::new("t", source, Library::Joining, &System::real()).unwrap();
        let mut out = String::new();
        template.fill_record(&record, &mut out).unwrap();
        assert_eq!(out, expected, "{source}");
    }
}

#[test]
fn templates_fill_as_in_go() {
    let cases: Vec<_> = include_str!("cases.txt").lines().collect();
    let mut wrong = Vec::new();
    for case in cases.chunks(2) {
        let [template, expected] = case else { panic!("a template without its result") };
        let template = template.replace('⏎', "\n");
        let expected = expected.replace('⏎', "\n");
        let filled = fill(&template, Library::Sprig);
        let is_right = match (&filled, expected.split_at(2)) {
            (Ok(filled), ("= ", expected)) => filled == expected,
            (Err(error), ("! ", expected)) => reason(error) == reason(expected),
            _ => false,
        };
        if !is_right {
            wrong.push(format!("{template}\n  expected {expected}\n  got      {filled:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn errors_name_the_place() {
    let error = fill("line\n  {{ .Foo }}", Library::Standard).unwrap_err();
    assert_eq!(
        error,
        "template: t:2:5: executing \"t\" at <.Foo>: can't evaluate field Foo in type \
         *telegraf.TemplateMetric"
    );
    let error = fill("a\n{{ foo }}", Library::Standard).unwrap_err();
    assert_eq!(error, "template: t:2: function \"foo\" not defined");
}

#[test]
fn the_standard_library_lacks_sprig() {
    assert_eq!(fill("{{ slice \"abcdef\" 1 3 }}", Library::Standard).unwrap(), "bc");
    let error = fill("{{ .Name | upper }}", Library::Standard).unwrap_err();
    assert_eq!(error, "template: t:1: function \"upper\" not defined");
}

#[test]
fn functions_without_use_on_metrics_say_so() {
    let error = fill("{{ genCA \"a\" 1 }}", Library::Sprig).unwrap_err();
    assert_eq!(error, "template: t:1: function \"genCA\" is not supported by this version");
}

#[test]
fn a_batch_is_ranged_over() {
    let template =
        Template::new("t", "{{ range . }}{{ .Name }};{{ end }}", Library::Standard, &system());
    let mut out = String::new();
    template.unwrap().fill_all(&[metric(), metric()], &mut out).unwrap();
    assert_eq!(out, "cpu;cpu;");
}

#[test]
fn what_needs_clock_and_chance_gets_them() {
    assert_eq!(fill("{{ ago .Time }}", Library::Sprig).unwrap(), "1m40s");
    assert_eq!(fill("{{ len (randAlphaNum 5) }}", Library::Sprig).unwrap(), "5");
    assert_eq!(fill("{{ now.Unix }}", Library::Sprig).unwrap(), "1700000100");
    assert_eq!(fill("{{ len uuidv4 }}", Library::Sprig).unwrap(), "36");
}

#[test]
fn templates_that_call_themselves_end() {
    let error = fill(
        "{{ define \"a\" }}{{ template \"a\" . }}{{ end }}{{ template \"a\" . }}",
        Library::Standard,
    );
    assert!(error.unwrap_err().ends_with("exceeded maximum template depth (200)"));
    let nested = format!("{{{{ {}1{} }}}}", "(".repeat(5_000), ")".repeat(5_000));
    assert!(fill(&nested, Library::Standard).unwrap_err().contains("max expression depth"));
}

proptest! {
    #[test]
    fn no_text_panics(text in "(\\{\\{|\\}\\}|-| |[.$()|\"'`:=,a-z0-9\\\\é]|if|end|range|else|printf|%|Tag|Name){0,40}") {
        let _ = fill(&text, Library::Sprig);
    }

    #[test]
    fn no_format_panics(format in "(%|[-+# 0-9.*\\[\\]vTtbcdoOxXUeEfFgGsqé]){0,20}") {
        let _ = fill(&format!("{{{{ printf `{format}` 5 .Fields.f \"x\" nil }}}}"), Library::Sprig);
    }
}

#[test]
fn long_chains_of_conditions_are_no_nesting_to_fear() {
    let branches: String =
        (0..250).map(|at| format!("{{{{ else if eq .Fields.i {at} }}}}{at}")).collect();
    let template = format!("{{{{ if false }}}}{branches}{{{{ else }}}}none{{{{ end }}}}");
    assert_eq!(fill(&template, Library::Standard).unwrap(), "none");
}
