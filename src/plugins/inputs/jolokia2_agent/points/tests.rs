//! Tests of the names and values that become of answers.

use proptest::prelude::*;
use serde_json::json;

use super::super::selection::{Defaults, MetricConfig};
use super::*;
use crate::config::toml;
use crate::plugins::tests::lines;

/// A selection out of the options of a table `metric`; the separator is a dot if none is given.
fn selection(options: &str) -> Selection {
    let table = toml::parse("test", &format!("name = 'm'\n{options}")).unwrap();
    let config: MetricConfig = table.read().unwrap();
    let (tag_prefix, field_prefix) = (String::new(), String::new());
    let defaults = Defaults { tag_prefix, field_prefix, field_separator: ".".into() };
    Selection::new(1, config, &defaults).unwrap()
}

/// Points as lines without what is the same in all of them, sorted.
fn metrics_of(points: Points) -> Vec<String> {
    let metrics: Vec<_> = points.into_metrics("m", Timestamp::EPOCH, ("~url", "u")).collect();
    let bare = |line: String| line.replace("m,", "").replace("~url=u ", "").replace(" 0", "");
    let mut lines: Vec<_> = lines(&metrics).into_iter().map(bare).collect();
    lines.sort();
    lines
}

/// What a selection makes of one value.
fn points(options: &str, attributes: &[&str], path: &str, value: Json) -> Vec<String> {
    let attributes: Vec<_> = attributes.iter().map(|a| (*a).to_owned()).collect();
    let mut points = Points::default();
    let read = Read { attributes: &attributes, path, target: None, value: &value };
    points.add(&selection(options), read).unwrap();
    metrics_of(points)
}

#[test]
fn values_are_named_by_attribute_path_and_key() {
    let mbean = "mbean = 'd:k=v'";
    let cases: [(&[&str], &str, Json, &str); 11] = [
        (&["A"], "", json!(1), "A=1"),
        (&["A"], "", json!("text"), "A=\"text\""),
        (&["A"], "", json!(true), "A=true"),
        (&["A"], "b/c", json!(1.5), "A.b.c=1.5"),
        (&["A"], "", json!({"b": 1, "c": {"d": 2}}), "A.b=1,A.c.d=2"),
        (&["A"], "b", json!({"c": 1}), "A.b.c=1"),
        (&["A", "B"], "", json!({"A": 1, "B": {"c": 2}, "C": 3}), "A=1,B.c=2"),
        (&[], "", json!({"A": 1, "B": {"c": 2}}), "A=1,B.c=2"),
        (&[], "", json!(7), "value=7"),
        (&[], "", json!({"A": [1, 2], "B": {"c": [3], "d": 4}, "E": null}), "B.d=4"),
        (&["A"], "", json!(9_007_199_254_740_993_u64), "A=9007199254740992"),
    ];
    for (attributes, path, value, expected) in cases {
        let shown = value.to_string();
        assert_eq!(points(mbean, attributes, path, value), [expected], "{attributes:?} {shown}");
    }
    for nothing in [json!(null), json!([1]), json!({}), json!({"b": null})] {
        assert_eq!(points(mbean, &["A"], "", nothing), [""; 0]);
    }
}

#[test]
fn prefixes_separators_and_names_of_fields_are_put_in() {
    let cases: [(&str, &[&str], &str, Json, &str); 8] = [
        ("field_prefix = 'p_'", &["A"], "", json!(1), "p_A=1"),
        ("field_prefix = 'p_'", &[], "", json!({"A": {"b": 1}}), "p_A.b=1"),
        ("field_prefix = 'p_'", &[], "", json!(1), "p_value=1"),
        ("field_separator = '-'", &["A"], "b/c", json!({"d": 1}), "A-b-c-d=1"),
        ("field_separator = ''", &["A"], "", json!({"b": 1}), "Ab=1"),
        ("field_name = 'n'", &["A"], "b", json!(1), "n=1"),
        ("field_name = 'n'\nfield_prefix = 'p_'", &["A"], "", json!({"b": 1}), "p_n=1"),
        ("field_name = ''", &["A"], "", json!(1), "A=1"),
    ];
    for (options, attributes, path, value, expected) in cases {
        let options = format!("mbean = 'd:k=v'\n{options}");
        assert_eq!(points(&options, attributes, path, value), [expected], "{options}");
    }
}

#[test]
fn beans_of_a_pattern_are_points_by_their_tags() {
    let value = || json!({"d:name=x,type=T": {"A": 1}, "d:name=\"y,z=1\",type=T": {"A": 2}});
    let of = |options: &str| {
        points(
            options,
            &["A"],
            "",
            json!({
                "d:name=x,type=T": 1, "d:name='y',type=T": 2,
            }),
        )
    };
    let mbean = "mbean = 'd:name=*,type=*'";
    assert_eq!(of(&format!("{mbean}\ntag_keys = ['name']")), ["name=x,A=1", "name=y,A=2"]);
    assert_eq!(
        of(&format!("{mbean}\ntag_keys = ['type', 'name']\ntag_prefix = 't_'")),
        ["t_name=x,t_type=T,A=1", "t_name=y,t_type=T,A=2"]
    );
    // Without tags that tell them apart they are one point.
    assert_eq!(of(mbean), ["A=1"]);
    assert_eq!(of(&format!("{mbean}\nfield_prefix = '$1_'")), ["'y'_A=2,x_A=1"]);
    // A comma in a quoted property ends it nevertheless.
    assert_eq!(
        points("mbean = 'd:name=*,type=*'\ntag_keys = ['name', 'z']", &[], "", value()),
        ["name=x,A=1", "name=y,z=1,A=2"]
    );
}

#[test]
fn placeholders_stand_for_the_properties_that_are_left_open() {
    let value = json!({"d:a=x,b=y,type=T": {"C": 1}});
    let cases = [
        ("field_prefix = '$1.'", "x.C=1"),
        ("field_prefix = '$2-$1.'", "y-x.C=1"),
        ("field_name = '$2'\nfield_prefix = '$1.'", "x.y=1"),
        ("field_prefix = '$3.'", "$3.C=1"),
    ];
    for (options, expected) in cases {
        let options = format!("mbean = 'd:a=*,b=*,type=T'\n{options}");
        assert_eq!(points(&options, &[], "", value.clone()), [expected], "{options}");
    }
}

#[test]
fn points_with_the_same_tags_become_one() {
    let mut points = Points::default();
    let (attributes, path, target) = (["A".to_owned()], "", None);
    for (mbean, value) in [("d:k=v", json!(1)), ("d:k=w", json!(2)), ("d:k=v,l=m", json!(3))] {
        let selection = selection(&format!("mbean = '{mbean}'\ntag_keys = ['k']"));
        let read = Read { attributes: &attributes, path, target, value: &value };
        points.add(&selection, read).unwrap();
        let other = Read { attributes: &["B".to_owned()], ..read };
        points.add(&selection, other).unwrap();
    }
    assert_eq!(metrics_of(points), ["k=v,A=3,B=3", "k=w,A=2,B=2"]);
}

#[test]
fn the_machine_behind_a_proxy_is_the_one_in_the_tag() {
    let mut points = Points::default();
    let read = Read { attributes: &[], path: "", target: Some("behind"), value: &json!(1) };
    points.add(&selection("mbean = 'd:k=v'"), read).unwrap();
    let more = (super::super::URL_TAG, "agent");
    let metrics: Vec<_> = points.into_metrics("m", Timestamp::EPOCH, more).collect();
    assert_eq!(lines(&metrics), ["m,jolokia_agent_url=behind value=1 0"]);
}

#[test]
fn a_pattern_is_answered_with_beans() {
    let read = Read { attributes: &[], path: "", target: None, value: &json!(1) };
    let error = Points::default().add(&selection("mbean = 'd:k=*'"), read).unwrap_err();
    assert_eq!(error.to_string(), "the answer for the pattern \"d:k=*\" holds no beans");
}

/// Any value that an agent can answer with.
fn any_value() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<f64>().prop_map(Json::from),
        "[a-z$1*]{0,4}".prop_map(Json::from),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        let key = "[A-C]|d:[a-c]=[x$1]?";
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
            proptest::collection::btree_map(key, inner, 0..4)
                .prop_map(|members| Json::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    /// Nothing that comes back can end the program, and every metric has fields.
    #[test]
    fn any_value_makes_metrics_with_fields_or_none(
        value in any_value(),
        attributes in proptest::collection::vec("[A-C]", 0..3),
        pattern in prop_oneof![Just("d:a=*"), Just("d:a=x"), Just("d")],
    ) {
        let options = format!("mbean = '{pattern}'\nfield_prefix = '$1.'\ntag_keys = ['a', 'b']");
        let mut points = Points::default();
        let read = Read { attributes: &attributes, path: "", target: None, value: &value };
        let is_list = value.is_object() || value.is_null();
        prop_assert_eq!(
            points.add(&selection(&options), read).is_ok(),
            is_list || !pattern.contains('*')
        );
        let metrics: Vec<_> = points.into_metrics("m", Timestamp::EPOCH, ("~url", "u")).collect();
        prop_assert!(metrics.iter().all(|metric| !metric.fields().is_empty()));
    }
}
