//! Tests of the parser; what is expected here is what Telegraf 1.40 answered.

use proptest::prelude::*;

use super::PLUGIN;
use crate::metric::ValueType;
use crate::plugins::tests::{lines, parsed, parser};

const TEXT: &str = "# HELP up Whether \\\"it\\\" is up.\n# TYPE up gauge\nup 1\nup{a=\"x\",b=\"\"} 0 1500\n\n\
    # TYPE n_total counter\nn_total{le=\"a\\\"b\"} 1e3\nother +Inf\nnone NaN\n\
    # TYPE d summary\nd{quantile=\"0.5\",a=\"1\"} 2\nd{a=\"1\",quantile=\"0.9\"} NaN\nd_sum{a=\"1\"} 7.5\nd_count{a=\"1\"} 3\n\
    # TYPE h histogram\nh_bucket{le=\"0.1\"} 1\nh_bucket{le=\"+Inf\"} 4\nh_sum 9\nh_count 4\n";

#[test]
fn version_two_has_a_metric_for_each_series_bucket_and_quantile() {
    let expected = [
        "prometheus up=1 42000000000",
        "prometheus,a=x up=0 1500000000",
        "prometheus,le=a\"b n_total=1000 42000000000",
        "\"prometheus\": no serializable fields",
        "prometheus,a=1 d_count=3,d_sum=7.5 42000000000",
        "prometheus,a=1,quantile=0.5 d=2 42000000000",
        "\"prometheus,a=1,quantile=0.9\": no serializable fields",
        "prometheus h_count=4,h_sum=9 42000000000",
        "prometheus,le=0.1 h_bucket=1 42000000000",
        "prometheus,le=+Inf h_bucket=4 42000000000",
    ];
    assert_eq!(parsed(&PLUGIN, "", TEXT).unwrap(), expected);
    let options = "prometheus_metric_version = 2\nprometheus_ignore_timestamp = true";
    let lines = parsed(&PLUGIN, options, TEXT).unwrap();
    assert_eq!(lines[1], "prometheus,a=x up=0 42000000000");
}

#[test]
fn the_binary_form_is_read_where_that_is_said() {
    let binary = b"\x14\x0a\x01g\x18\x01\x22\x0d\x12\x09\x09\0\0\0\0\0\0\0\x40\x30\x05";
    let mut parser = parser(&PLUGIN, "prometheus_metric_version = 1").unwrap();
    for (content_type, is_read) in [
        ("application/vnd.google.protobuf", true),
        (
            "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; \
             encoding=delimited",
            true,
        ),
        ("application/vnd.google.protobuf;proto=other", false),
        ("application/vnd.google.protobuf; encoding=compact-text", false),
        ("text/plain; version=0.0.4", false),
    ] {
        parser.set_content_type(content_type);
        assert_eq!(parser.parse(binary).is_ok(), is_read, "{content_type}");
        assert_eq!(parser.parse(b"g 1\n").is_ok(), !is_read, "{content_type}");
    }
}

#[test]
fn version_one_has_a_metric_for_each_set_of_labels() {
    assert_eq!(
        parsed(&PLUGIN, "prometheus_metric_version = 1", TEXT).unwrap(),
        [
            "up gauge=1 42000000000",
            "up,a=x gauge=0 1500000000",
            "n_total,le=a\"b counter=1000 42000000000",
            "\"other\": no serializable fields",
            "d,a=1 count=3,sum=7.5,0.5=2 42000000000",
            "h count=4,sum=9,0.1=1,+Inf=4 42000000000",
        ]
    );
}

#[test]
fn metrics_have_the_type_that_is_told() {
    let metrics = parser(&PLUGIN, "").unwrap().parse(TEXT.as_bytes()).unwrap();
    let types: Vec<_> = metrics.iter().map(|metric| metric.value_type).collect();
    assert_eq!(types[0], ValueType::Gauge);
    assert_eq!(types[2], ValueType::Counter);
    assert_eq!(types[3], ValueType::Untyped);
    assert_eq!(types[4], ValueType::Summary);
    assert_eq!(types[9], ValueType::Histogram);
}

#[test]
fn a_histogram_without_an_infinite_bucket_gets_one() {
    let text = "# TYPE h histogram\nh_bucket{x=\"1\",le=\"2\",} 1\nh_count{x=\"1\"} 4\n";
    assert_eq!(
        parsed(&PLUGIN, "", text).unwrap()[1..],
        [
            "prometheus,le=2,x=1 h_bucket=1 42000000000",
            "prometheus,le=+Inf,x=1 h_bucket=4 42000000000"
        ]
    );
}

#[test]
fn names_may_stand_in_quotes_within_the_braces() {
    let mut parser = parser(&PLUGIN, "").unwrap();
    let text = "{\"up\",\"a\"=\"1\"} 5\n{ \"up\" } 6\n \t# any comment\n#\n";
    assert_eq!(
        lines(&parser.parse(text.as_bytes()).unwrap()),
        ["prometheus,a=1 up=5 42000000000", "prometheus up=6 42000000000"]
    );
}

#[test]
fn faults_are_told_in_the_words_of_the_original() {
    for (text, message) in [
        ("up 1", "line 1: unexpected end of input stream"),
        ("\n# x", "line 2: unexpected end of input stream"),
        ("1up 1\n", "line 1: invalid metric name"),
        ("{a=\"1\"} 1\n", "line 1: invalid metric name"),
        ("{\"a.b\"} 1\n", "line 1: invalid metric name \"a.b\""),
        ("{\"a\",\"b\"} 1\n", "line 1: multiple metric names for metric \"a\""),
        ("# HELP 1up x\n", "line 1: invalid metric name in comment"),
        ("# HELP up x\n# HELP up x\n", "line 2: second HELP line for metric name \"up\""),
        ("# HELP up \\x\n", "line 1: invalid escape sequence '\\x'"),
        ("# TYPE up info\n", "line 1: unknown metric type \"info\""),
        (
            "up 1\n# TYPE up gauge\n",
            "line 2: second TYPE line for metric name \"up\", or TYPE reported after samples",
        ),
        ("up{=\"1\"} 1\n", "line 1: invalid label name for metric \"up\""),
        ("up{a-b=\"1\"} 1\n", "line 1: expected '=' after label name, found '-'"),
        ("up{__name__=\"1\"} 1\n", "line 1: label name \"__name__\" is reserved"),
        ("up{\"a.b\"=\"1\"} 1\n", "line 1: invalid label name \"a.b\""),
        ("up{a=\"1\",a=\"1\"} 1\n", "line 1: duplicate label names for metric \"up\""),
        ("up{a=1} 1\n", "line 1: expected '\"' at start of label value, found '1'"),
        ("up{a=\"1\n", "line 1: label value \"1\" contains unescaped new-line"),
        ("up{a=\"\\t\"} 1\n", "line 1: invalid escape sequence '\\t'"),
        ("up{a=\"1\" b=\"2\"} 1\n", "line 1: unexpected end of label value \"1\""),
        ("up x\n", "line 1: expected float as value, got \"x\""),
        ("up 1_0\n", "line 1: expected float as value, got \"1_0\""),
        ("up 1 \n", "line 1: expected integer as timestamp, got \"\""),
        ("up 1 1.5\n", "line 1: expected integer as timestamp, got \"1.5\""),
        ("up 1 15 x\n", "line 1: spurious string after timestamp: \" x\""),
        (
            "# TYPE h histogram\nh_bucket{le=\"x\"} 1\n",
            "line 2: expected float as value for 'le' label, got \"x\"",
        ),
        ("# TYPE h histogram\nh_count -1\n", "line 2: negative count for histogram \"h\""),
        (
            "# TYPE h histogram\nh_bucket{le=\"1\"} -1\n",
            "line 2: negative bucket population for histogram \"h\"",
        ),
    ] {
        let expected = format!("decoding response failed: text format parsing error in {message}");
        assert_eq!(parsed(&PLUGIN, "", text).unwrap_err(), expected, "{text:?}");
    }
    assert_eq!(
        parsed(&PLUGIN, "prometheus_metric_version = 3", "").unwrap_err(),
        "unknown prometheus metric version 3; prometheus_metric_version is 1 or 2"
    );
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in r#"([ab_sumcount:"{}= ,\\\n0-9.é-]|# TYPE a |histogram|\n){0,40}"#) {
        for version in [1, 2] {
            let options = format!("prometheus_metric_version = {version}");
            let _ = parsed(&PLUGIN, &options, &text);
        }
    }
}

const OPENMETRICS: &str = "\
# TYPE fails counter
# HELP fails help
fails_total{a=\"b\"} 8 123 # {a=\"b\"} 0.5
# TYPE wait_seconds gaugehistogram
# UNIT wait_seconds seconds
wait_seconds_bucket{v=\"GET\",le=\"0.5\"} 3
wait_seconds_bucket{v=\"GET\",le=\"1e+06\"} 4
wait_seconds_gsum{v=\"GET\"} 2.5
wait_seconds_gcount{v=\"GET\"} 4
# TYPE version info
version_info{os=\"x\",none=\"\"} 1
# TYPE door stateset
door{at=\"home\",door=\"is open\"} 1
door{at=\"home\",door=\"shut\"} 0
# TYPE took summary
took{quantile=\"0.5\"} 7
took{quantile=\"0.9\"} NaN
took_created 1705509488.5
took_sum 9
took_count 2
# TYPE load unknown
load{p=\"1\"} 1.5
load{p=\"2\"} NaN
# EOF
";

fn of_openmetrics(options: &str) -> Vec<String> {
    let mut parser = parser(&PLUGIN, options).unwrap();
    parser.set_content_type("application/openmetrics-text; version=1.0.0; charset=utf-8");
    lines(&parser.parse(OPENMETRICS.as_bytes()).unwrap())
}

#[test]
fn openmetrics_has_a_metric_for_each_series_in_version_one() {
    assert_eq!(
        of_openmetrics("prometheus_metric_version = 1"),
        [
            "fails,a=b counter=8 123000000000",
            "wait_seconds,unit=seconds,v=GET count=4,sum=2.5,0.5=3,1e+06=4 42000000000",
            "version,os=x info=1u 42000000000",
            "door,at=home is_open=true,shut=false 42000000000",
            "took count=2,sum=9,created=1705509488.5,0.5=7 42000000000",
            "load,p=1 value=1.5 42000000000",
        ]
    );
}

#[test]
fn openmetrics_has_a_field_for_each_series_in_version_two() {
    assert_eq!(
        of_openmetrics(""),
        [
            "openmetric,a=b fails=8 123000000000",
            "openmetric,unit=seconds,v=GET wait_seconds_count=4,wait_seconds_sum=2.5 42000000000",
            "openmetric,le=0.5,unit=seconds,v=GET wait_seconds_bucket=3 42000000000",
            "openmetric,le=1e+06,unit=seconds,v=GET wait_seconds_bucket=4 42000000000",
            "openmetric,le=+Inf,unit=seconds,v=GET wait_seconds_bucket=4 42000000000",
            "openmetric,os=x version_info=1u 42000000000",
            "openmetric,at=home door_is_open=true 42000000000",
            "openmetric,at=home door_shut=false 42000000000",
            "openmetric took_count=2,took_sum=9,took_created=1705509488.5 42000000000",
            "openmetric,quantile=0.5 took=7 42000000000",
            "\"openmetric,quantile=0.9\": no serializable fields",
            "openmetric,p=1 load=1.5 42000000000",
        ]
    );
    let lines = of_openmetrics("prometheus_ignore_timestamp = true");
    assert_eq!(lines[0], "openmetric,a=b fails=8 42000000000");
}
