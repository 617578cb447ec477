//! Tests of the parser.

use super::*;
use crate::metric::Value;
use crate::system::fake::FakeClock;

const NOW: Timestamp = Timestamp::from_seconds(7);

fn parser() -> Nagios {
    let clock = Arc::new(FakeClock::at(NOW));
    Nagios { figure: Regex::new(FIGURE).unwrap(), parts: Regex::new(PARTS).unwrap(), clock }
}

fn state(output: &str) -> Metric {
    Metric::new(STATE, NOW).with_field("service_output", output)
}

#[test]
fn thresholds_are_ranges() {
    let least = f64::from_bits(1);
    for (text, expected) in [
        ("10", Some((0.0, 10.0))),
        ("10:", Some((10.0, f64::MAX))),
        ("~:10", Some((least, 10.0))),
        ("10:20", Some((10.0, 20.0))),
        ("@10:20", Some((0.0, 20.0))),
        ("-1.5:2e1", Some((-1.5, 20.0))),
        ("", None),
        ("@5", None),
        (":", None),
        ("1:2:3", None),
        ("1:x", None),
    ] {
        assert_eq!(threshold(text), expected, "{text}");
    }
}

#[test]
fn figures_stand_behind_bars_and_in_all_lines_after_the_second() {
    let text = "OK - fine | a=1s;2;3;4;5 'b c'=2%\n\n more \nyet more | d=3\ne=4B\nnothing\n";
    let figure = |name: &str| Metric::new("nagios", NOW).with_tag("perfdata", name);
    let expected = [
        figure("a")
            .with_tag("unit", "s")
            .with_field("value", 1.0)
            .with_field("warning_lt", 0.0)
            .with_field("warning_gt", 2.0)
            .with_field("critical_lt", 0.0)
            .with_field("critical_gt", 3.0)
            .with_field("min", 4.0)
            .with_field("max", 5.0),
        figure("b c").with_tag("unit", "%").with_field("value", 2.0),
        figure("d").with_field("value", 3.0),
        figure("e").with_tag("unit", "B").with_field("value", 4.0),
        state("OK - fine").with_field("long_service_output", "more\nyet more"),
    ];
    assert_eq!(parser().parse(text.as_bytes()).unwrap(), expected);
    assert_eq!(parser().parse(b"").unwrap(), [state("")]);
    assert_eq!(parser().parse(b"a|b|c").unwrap_err().to_string(), "illegal output format");
}

#[test]
fn how_a_program_ended_is_the_state() {
    let ended = |output: &str, code: Result<i32, &str>| {
        let mut metrics = vec![state(output)];
        parser().add_exit(&ProgramExit { code, stderr: b"oops" }, &mut metrics);
        let field = |key| metrics[0].field(key).cloned();
        (field("state").unwrap(), field("service_output").unwrap())
    };
    assert_eq!(ended("x", Ok(2)), (Value::Integer(2), "x".into()));
    assert_eq!(ended("", Ok(0)), (Value::Integer(0), "".into()));
    assert_eq!(ended("", Ok(127)), (Value::Integer(3), "oops".into()));
    assert_eq!(ended("", Ok(3)), (Value::Integer(3), "oops".into()));
    assert_eq!(ended("x", Err("gone")), (Value::Integer(3), "x".into()));
    assert_eq!(ended("", Err("gone")), (Value::Integer(3), "gone".into()));
}
