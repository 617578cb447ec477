//! Tests of the serializer; what is expected here is what Telegraf 1.40 answered.

use proptest::prelude::*;

use super::PLUGIN;
use crate::plugins::tests::serialized;

const LINE: &str = "cpu,host=a.b,dc=x/1,core=cpu0 usage=1.5,value=2i,on=true,text=\"x\" 1500000000";

fn write(options: &str, lines: &str) -> String {
    serialized(&PLUGIN, options, lines).unwrap()
}

#[test]
fn names_are_made_of_host_tags_measurement_and_field() {
    assert_eq!(
        write("", LINE),
        "a_b.cpu0.x-1.cpu.usage 1.5 1\na_b.cpu0.x-1.cpu 2 1\na_b.cpu0.x-1.cpu.on 1 1\n"
    );
    assert_eq!(write("", "m value=1 -1500000000"), ".m 1 -1\n");
}

#[test]
fn templates_say_what_names_are_made_of() {
    let options = "prefix = \"p\"\ntemplate = \"none\"\n\
                   templates = [\"c*u dc.field.measurement.dc\", \"host.measurement.tags.field\"]";
    assert_eq!(
        write(options, &format!("{LINE}\nmem,a=1,host=h free=1 0")),
        "p.x-1.usage.cpu 1.5 1\np.x-1.cpu 2 1\np.x-1.on.cpu 1 1\np.h.mem.1.free 1 0\n"
    );
    assert_eq!(write("template = \"none\"", LINE), "");
}

#[test]
fn tags_may_stand_behind_the_name() {
    let lines = "cpu,host=~a\\ b;c,name=x@y*,k!~=1 usage\\\\..x=1.5,value=2i 1500000000";
    assert_eq!(
        write("graphite_tag_support = true\nprefix = \"p\"\ngraphite_separator = \"_\"", lines),
        "p_cpu_usage.x;_name=x-y-;host=_a_b_c;k__=1 1.5 1\n\
         p_cpu;_name=x-y-;host=_a_b_c;k__=1 2 1\n"
    );
    assert_eq!(
        write("graphite_tag_support = true\ngraphite_tag_sanitize_mode = \"compatible\"", lines),
        "cpu.usage.x;_name=x@y*;host=a b_c;k_~=1 1.5 1\ncpu;_name=x@y*;host=a b_c;k_~=1 2 1\n"
    );
}

#[test]
fn what_cannot_be_in_names_can_be_set() {
    assert_eq!(
        write("graphite_strict_sanitize_regex = '[^a-z.]'", "cpu-1 a_b=1 0"),
        ".cpu__.a_b 1 0\n"
    );
    for (options, message) in [
        ("graphite_strict_sanitize_regex = '['", "invalid regex provided \"[\": "),
        ("templates = [\"\"]", "missing template at position: 0"),
        ("templates = [\"a b c\"]", "invalid template format: \"a b c\""),
    ] {
        assert!(serialized(&PLUGIN, options, "").unwrap_err().starts_with(message));
    }
}

proptest! {
    #[test]
    fn every_line_has_three_words(key in "[^\\\\ ,=\n\r\t]{1,6}", value in "[^\\\\ ,=\n\r\t]{1,6}") {
        let lines = format!("m,{key}={value} {key}=1");
        if let Ok(text) = std::panic::catch_unwind(|| write("graphite_tag_support = true", &lines)) {
            for line in text.lines() {
                prop_assert_eq!(line.split(' ').count(), 3);
            }
        }
    }
}
