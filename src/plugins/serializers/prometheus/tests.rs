//! Tests of the serializer; what is expected here is what Telegraf 1.40 answered.

use proptest::prelude::*;

use super::PLUGIN;
use crate::metric::{Metric, Timestamp, ValueType};
use crate::plugins::tests::{metrics, serialized, serializer};

fn write(options: &str, lines: &str) -> String {
    serialized(&PLUGIN, options, lines).unwrap()
}

const COMPACT: &str = "prometheus_compact_encoding = true\n";

fn write_metrics(options: &str, metrics: &[Metric]) -> String {
    let mut out = Vec::new();
    let mut serializer = serializer(&PLUGIN, &format!("{COMPACT}{options}")).unwrap();
    serializer.serialize_batch(metrics, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn fields_become_samples_of_families() {
    let lines = "cpu,host=a\\ \"b,cpu-no=1,1x=y idle=1.5,user=2i,on=true,note=\"x\" 1500\n\
                 cpu,host=b idle=1e21\ncpu idle=5 2\ncpu idle=4 1\nprometheus x=1";
    assert_eq!(
        write("", lines).split("# HELP ").skip(1).collect::<Vec<_>>(),
        [
            "cpu_idle Telegraf collected metric\n# TYPE cpu_idle untyped\n\
             cpu_idle{x=\"y\",cpu_no=\"1\",host=\"a \\\"b\"} 1.5\n\
             cpu_idle{host=\"b\"} 1e+21\ncpu_idle 5\n",
            "cpu_user Telegraf collected metric\n# TYPE cpu_user untyped\n\
             cpu_user{x=\"y\",cpu_no=\"1\",host=\"a \\\"b\"} 2\n",
            "cpu_on Telegraf collected metric\n# TYPE cpu_on untyped\n\
             cpu_on{x=\"y\",cpu_no=\"1\",host=\"a \\\"b\"} 1\n",
            "x Telegraf collected metric\n# TYPE x untyped\nx 1\n",
        ]
    );
}

#[test]
fn samples_may_be_sorted_carry_times_and_have_strings_for_labels() {
    let options = "prometheus_compact_encoding = true\nprometheus_sort_metrics = true\n\
                   prometheus_export_timestamp = true\nprometheus_string_as_label = true\n";
    let lines = "m,z=1 b=1,note=\"x\",z=\"no\" 1999999\nm,a=2 b=2 -1999999\nm b=3 0\nm a=1 0";
    assert_eq!(
        write(options, lines),
        "# TYPE m_a untyped\nm_a 1 0\n# TYPE m_b untyped\nm_b 3 0\nm_b{a=\"2\"} 2 -1\n\
         m_b{note=\"x\",z=\"1\"} 1 1\n"
    );
}

#[test]
fn types_can_be_told_by_name() {
    let options = "prometheus_metric_types = { counter = [\"*_total\"], gauge = [\"m_g*\"] }";
    let lines = metrics("m n_total=1,g_total=2");
    assert_eq!(
        write_metrics(options, &lines),
        "# TYPE m_n_total counter\nm_n_total 1\n# TYPE m_g_total gauge\nm_g_total 2\n"
    );
}

#[test]
fn histograms_and_summaries_are_put_together() {
    let metric = |tag: &str, value: &str, field: &str, number: f64, value_type| {
        let metric = Metric::new("prometheus", Timestamp::EPOCH).with_type(value_type);
        let metric = if tag.is_empty() { metric } else { metric.with_tag(tag, value) };
        metric.with_tag("a", "1").with_field(field, number)
    };
    let histogram = ValueType::Histogram;
    let batch = [
        metric("", "", "h_sum", 7.5, histogram).with_field("h_count", 5_i64),
        metric("le", "1", "h_bucket", 2.0, histogram),
        metric("le", "2", "h_bucket", 3.0, histogram),
        metric("le", "x", "h_bucket", 3.0, histogram),
        metric("le", "1", "h_bucket", 4.0, histogram),
        metric("", "", "d_sum", 7.5, ValueType::Summary).with_field("d_count", 5_u64),
        metric("quantile", "0.5", "d", 2.0, ValueType::Summary),
    ];
    assert_eq!(
        write_metrics("", &batch),
        "# TYPE h histogram\nh_bucket{a=\"1\",le=\"1\"} 4\nh_bucket{a=\"1\",le=\"2\"} 3\n\
         h_bucket{a=\"1\",le=\"+Inf\"} 5\nh_sum{a=\"1\"} 7.5\nh_count{a=\"1\"} 5\n\
         # TYPE d summary\nd{a=\"1\",quantile=\"0.5\"} 2\nd_sum{a=\"1\"} 7.5\nd_count{a=\"1\"} 5\n"
    );
}

#[test]
fn names_outside_ascii_are_written_with_underscores() {
    let lines = "a.b,c-d=1 é=1";
    assert_eq!(
        write("prometheus_compact_encoding = true", lines),
        "# TYPE a_b untyped\na_b{c_d=\"1\"} 1\n"
    );
    assert_eq!(
        write(&format!("{COMPACT}prometheus_name_sanitization = \"utf8\""), lines),
        "# TYPE a_b__ untyped\na_b__{c_d=\"1\"} 1\n"
    );
    let error = serialized(&PLUGIN, "prometheus_name_sanitization = \"x\"", lines).unwrap_err();
    assert!(error.contains("must be \"legacy\" or \"utf8\""));
}

proptest! {
    #[test]
    fn no_metric_makes_it_panic(
        name in ".{0,6}", key in ".{0,6}", value in ".{0,6}", number in any::<f64>()
    ) {
        for value_type in [ValueType::Untyped, ValueType::Histogram, ValueType::Summary] {
            let metric = Metric::new(name.as_str(), Timestamp::EPOCH)
                .with_type(value_type)
                .with_tag(key.as_str(), value.as_str())
                .with_field(format!("{key}_count"), number)
                .with_field(key.as_str(), value.as_str());
            write_metrics("prometheus_name_sanitization = \"utf8\"", &[metric]);
        }
    }
}
