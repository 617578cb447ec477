//! Tables of what differs and what does not.

use super::*;
use crate::plugin::Parser;
use crate::plugins::parsers::influx::Influx;
use crate::system::fake::FakeClock;
use std::sync::Arc;

/// Reads line protocol with times in seconds.
fn readings(lines: &str) -> Readings {
    let mut parser = Influx::new(Arc::new(FakeClock::at(Timestamp::EPOCH)));
    let mut readings = Readings::default();
    for line in lines.lines() {
        for metric in parser.parse(format!("{line}000000000").as_bytes()).unwrap() {
            readings.add(&metric);
        }
    }
    readings
}

fn rules(ignored: &[&str]) -> Rules {
    let glob = |pattern: &&str| Glob::new(pattern, "").unwrap();
    let ignored = ignored.iter().map(glob).collect();
    Rules { reach: Duration::from_secs(5), tolerance: 0.01, ignored }
}

fn compared(ours: &str, theirs: &str) -> Comparison {
    compare(readings(ours), readings(theirs), &rules(&[]))
}

/// What differs, in short.
fn found(comparison: &Comparison) -> Vec<String> {
    let name = |id: &SeriesId| id.measurement.to_string();
    let all = comparison.differences.iter();
    all.map(|each| format!("{} {:?}", name(&each.series), each.finding)).collect()
}

#[test]
fn what_has_to_be_the_same_is_told_where_it_is_not() {
    for (ours, theirs, expected) in [
        ("m,a=1 x=1i 10", "m,a=1 x=1i 10", &[][..]),
        ("m x=1i 10\nn x=1i 10", "m x=1i 10", &["n SeriesExtra"]),
        ("m x=1i 10", "m x=1i 10\nn x=1i 10", &["n SeriesMissing"]),
        ("m x=1i 10", "m x=1i,y=2 10", &["m FieldMissing { field: \"y\" }"]),
        ("m x=1i,y=2 10", "m x=1i 10", &["m FieldExtra { field: \"y\" }"]),
        (
            "m x=1i 10",
            "m x=1 10",
            &["m TypeDiffers { field: \"x\", ours: \"integer\", theirs: \"float\" }"],
        ),
        (
            "m x=1i 10",
            "m x=1u 10",
            &["m TypeDiffers { field: \"x\", ours: \"integer\", theirs: \"unsigned\" }"],
        ),
        (
            "m x=true 10",
            "m x=false 10",
            &["m ValueDiffers { field: \"x\", ours: Boolean(true), theirs: Boolean(false) }"],
        ),
        (
            "m x=\"a\" 10\nm x=\"a\" 20",
            "m x=\"b\" 10\nm x=\"b\" 20",
            &["m ValueDiffers { field: \"x\", ours: String(\"a\"), theirs: String(\"b\") }"],
        ),
        // One has seen the change a moment earlier.
        (
            "m x=\"a\" 10\nm x=\"b\" 20\nm x=\"b\" 30",
            "m x=\"a\" 10\nm x=\"a\" 20\nm x=\"b\" 30",
            &[],
        ),
        ("m x=1i 10", "m x=1i 1000", &["m TimesApart"]),
        (
            "m x=1i 10\nm x=1i 20\nm x=1i 30",
            "m x=1i 10",
            &["m CountDiffers { field: \"x\", ours: 3, theirs: 1 }"],
        ),
        ("m x=1i 10\nm x=1i 20", "m x=1i 10", &[]),
    ] {
        let found = found(&compared(ours, theirs));
        let fits = found.len() == expected.len()
            && found.iter().zip(expected).all(|(found, start)| found.starts_with(start));
        assert!(fits, "{ours:?} {theirs:?}: {found:?}");
    }
}

#[test]
fn numbers_differ_only_beyond_the_tolerance_and_their_own_movement() {
    let is_alike = |ours: &str, theirs: &str| compared(ours, theirs).n_differences == 0;
    assert!(is_alike("m x=1000i 10", "m x=1009i 10"), "within one in a hundred");
    assert!(!is_alike("m x=1000i 10", "m x=1020i 10"));
    assert!(
        is_alike("m x=0.5 10\nm x=0.7 20", "m x=0.6 10\nm x=0.2 20"),
        "it moves so far by itself"
    );
    assert!(is_alike("m x=5i 10\nm x=3i 20", "m x=5i 10\nm x=90i 20"), "one round is near");
    assert!(!is_alike("m x=5i 10\nm x=5i 20", "m x=5000i 10\nm x=5001i 20"), "another unit");
    assert!(!is_alike("m x=0i 10", "m x=3i 10"));
}

#[test]
fn series_that_differ_by_a_tag_are_one() {
    for (ours, theirs, expected) in [
        (
            "m,host=h x=1i 10",
            "m,host=h,mode=rw x=1i 10",
            &["m TagMissing { key: \"mode\", value: \"rw\" }"][..],
        ),
        (
            "m,host=h,mode=rw x=1i 10",
            "m,host=h x=1 10",
            &[
                "m TagExtra { key: \"mode\", value: \"rw\" }",
                "m TypeDiffers { field: \"x\", ours: \"integer\", theirs: \"float\" }",
            ],
        ),
        (
            "m,d=a,host=h x=1i 10\nm,d=b,host=h x=1i 10",
            "m,d=/b,host=h x=1i 10\nm,d=a,host=h x=1i 10",
            &["m TagDiffers { key: \"d\", ours: \"b\", theirs: \"/b\" }"],
        ),
        // Nothing in common: these are two series.
        (
            "m,a=1,b=2 x=1i 10\nm,a=2,b=2 x=1i 10",
            "m,c=3,d=4 y=1i 10",
            &["m SeriesMissing", "m SeriesExtra", "m SeriesExtra"],
        ),
    ] {
        assert_eq!(found(&compared(ours, theirs)), expected, "{ours:?} {theirs:?}");
    }
}

#[test]
fn what_is_ignored_is_left_out_of_everything() {
    let ours = "m,a=1,t=x v=1i,w=1i 10\nn v=1i 10";
    let theirs = "m,a=1,t=y v=1i,w=50i,z=1i 10\nn v=2 10";
    let ignored = ["n", "m.t", "m.w", "m.z"];
    let comparison = compare(readings(ours), readings(theirs), &rules(&ignored));
    assert_eq!(found(&comparison), [""; 0]);
    assert_eq!(comparison.measurements.len(), 1);
    assert_eq!(comparison.measurements["m"].fields.len(), 1);
}

#[test]
fn the_summary_tells_how_far_values_lie_apart() {
    let comparison = compared(
        "m,a=1 x=100i 10\nm,a=1 x=110i 20\nm,a=2 x=5i 10",
        "m,a=1 x=100i 10\nm,a=1 x=120i 21\nm,a=2 x=5i 10",
    );
    let summary = &comparison.measurements["m"].fields["x"];
    assert_eq!((summary.type_name, summary.n_pairs, summary.n_equal), ("integer", 3, 2));
    assert_eq!(summary.farthest.absolute, 10.0);
    assert_eq!((comparison.n_pairs, comparison.n_same_time), (3, 2));
}
