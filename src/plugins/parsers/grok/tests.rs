//! Tests of the parser; what is expected here is what Telegraf 1.40 answered.

use proptest::prelude::*;

use super::{PLUGIN, integer};
use crate::plugins::tests::{parsed, parser};

#[test]
fn the_combined_format_of_web_servers_is_what_is_looked_for() {
    let line = "127.0.0.1 user-identifier frank [10/Oct/2000:13:55:36 -0700] \"GET /x.gif HTTP/1.0\" \
                200 2326 \"-\" \"Mozilla\"\n";
    assert_eq!(
        parsed(&PLUGIN, "", line).unwrap(),
        ["test,resp_code=200,verb=GET client_ip=\"127.0.0.1\",ident=\"user-identifier\",\
          auth=\"frank\",request=\"/x.gif\",http_version=1,resp_bytes=2326i,referrer=\"-\",\
          agent=\"Mozilla\" 971211336000000000"]
    );
}

#[test]
fn captures_have_the_types_that_are_asked_for() {
    let options = r#"
grok_patterns = ["%{TEST}", '%{WORD:kind:measurement} %{BASE16NUM:a:int} %{DATA:x:drop} %{DURATION:d:duration}$']
grok_custom_patterns = """
# a comment
  TEST at %{TS} %{NUMBER:f:float} %{WORD:t:tag}(?: %{WORD:rest})?$
  TS %{GREEDYDATA:ts:ts-"2006-01-02 15:04"};
"""
grok_unique_timestamp = "disable""#;
    let input = "at 2023-11-14 22:13; 1.5 a b\r\nat 2023-11-14 22:13; 2 a\ncpu 0x10 y 1.5ms\n\
                 no match\nat never; 1 a\n";
    assert_eq!(
        parsed(&PLUGIN, options, input).unwrap(),
        [
            "test,t=a f=1.5,rest=\"b\" 1699999980000000000",
            "test,t=a f=2 1699999980000000000",
            "cpu a=16i,d=1500000i 42000000000",
            "cpu,t=a f=1 42000000000",
        ]
    );
}

#[test]
fn times_of_many_kinds_are_read() {
    for (kind, text, nanos) in [
        ("ts-epoch", "1466004605.359052000", 1_466_004_605_359_052_000),
        ("ts-epoch", "5", 5_000_000_000),
        ("ts-epochmilli", "1568540909963", 1_568_540_909_963_000_000),
        ("ts-epochnano", "1466004605359052000", 1_466_004_605_359_052_000),
        ("ts-rfc3339", "2023-11-14T22:13:20Z", 1_700_000_000_000_000_000),
        ("ts-syslog", "Nov 14 22:13:20", 27_468_800_000_000_000),
        ("ts-\"02/Jan/06 15:04:05.000\"", "14/Nov/23 22:13:20,123", 1_700_000_000_123_000_000),
        ("ts", "14/Nov/2023:22:13:20 +0000", 1_700_000_000_000_000_000_i64),
    ] {
        let options = format!("grok_patterns = ['%{{GREEDYDATA:when:{kind}}};%{{INT:v:int}}']");
        assert_eq!(
            parsed(&PLUGIN, &options, &format!("{text};1\n")).unwrap(),
            [format!("test v=1i {nanos}")],
            "{kind}"
        );
    }
}

#[test]
fn of_groups_with_one_name_the_last_counts() {
    let options = "grok_patterns = [\"%{INT:a}-%{INT:a}\"]";
    assert_eq!(parsed(&PLUGIN, options, "1-2").unwrap(), ["test a=\"2\" 42000000000"]);
}

#[test]
fn several_lines_may_be_one_text() {
    let options = "grok_multiline = true\ngrok_patterns = [\"%{WORD:a} %{MULTILINEDATA:b}\"]";
    assert_eq!(
        parsed(&PLUGIN, options, "x y\nz\n").unwrap(),
        ["test a=\"x\",b=\"y\nz\n\" 42000000000"]
    );
}

#[test]
fn every_pattern_of_the_library_can_be_used() {
    let names = [super::library::COMMON, super::library::LOGS].concat();
    for line in names.lines().filter(|line| !line.starts_with('#')) {
        let name = line.split(' ').next().unwrap();
        let options = format!("grok_patterns = [\"%{{{name}:x}}\"]");
        assert_eq!(parser(&PLUGIN, &options).err(), None, "{name}");
    }
}

#[test]
fn patterns_that_make_no_sense_are_refused() {
    for (pattern, message) in [
        ("%{NOSUCH}", "no pattern found for %{NOSUCH}"),
        ("%{INT:a.b:x-y}", "invalid pattern %{INT:a.b:x-y}"),
        ("(", "grok: regex parse error"),
        ("%{INT:a:ts-epoch} %{INT:b:ts-epoch}", "logparser pattern compile error"),
        (" ", "pattern required"),
    ] {
        let error = parsed(&PLUGIN, &format!("grok_patterns = ['{pattern}']"), "").unwrap_err();
        assert!(error.starts_with(message), "{error}");
    }
    for custom in ["A %{B}\\nB %{A}", "A %{A}", "A"] {
        let options = format!("grok_custom_patterns = \"{custom}\"");
        assert!(parsed(&PLUGIN, &options, "").is_err(), "{custom}");
    }
}

#[test]
fn whole_numbers_are_read_to_any_base() {
    for (text, value) in
        [("0x1F", 31), ("-0b11", -3), ("017", 15), ("0o17", 15), ("0", 0), ("7", 7)]
    {
        assert_eq!(integer(text), Ok(value));
    }
    assert_eq!(integer("089").unwrap_err(), "strconv.ParseInt: parsing \"089\": invalid syntax");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn no_line_makes_it_panic(text in "[a-z0-9 \\[\\]\":/.\né-]{0,60}") {
        let options = "grok_patterns = ['%{GREEDYDATA:e:ts-epoch} %{DATA:i:int}:%{GREEDYDATA:d:duration}', '%{DATA:f:float}/%{GREEDYDATA:t:ts}']";
        let _ = parsed(&PLUGIN, options, &text);
    }

    #[test]
    fn no_pattern_makes_it_panic(pattern in r"[a-c%{}:()\[\]\\dwQE?P<>*+0-9,é-]{0,24}") {
        let _ = parsed(&PLUGIN, &format!("grok_patterns = ['%{{INT}}{pattern}']"), "abc 1");
    }
}
