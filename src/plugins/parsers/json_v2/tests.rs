//! Tests of the parser; the expected outputs of the testcases are Telegraf's own.

use proptest::prelude::*;

use super::PLUGIN;
use crate::plugins::tests::parsed;

#[test]
fn lists_are_combined_with_all_others() {
    let options = "[[json_v2]]\n[[json_v2.tag]]\npath = \"id\"\n[[json_v2.field]]\npath = \"a\"\n\
                   type = \"int\"\n[[json_v2.field]]\npath = \"b.#.c\"\nrename = \"x y\"";
    let json = r#"{"id": 7, "a": [1, "2"], "b": [{"c": true}, {"c": null}, {}]}"#;
    assert_eq!(
        parsed(&PLUGIN, options, json).unwrap(),
        [
            "test,id=7 a=1i,x_y=true 42000000000",
            "test,id=7 a=1i 42000000000",
            "test,id=7 a=2i,x_y=true 42000000000",
            "test,id=7 a=2i 42000000000",
        ]
    );
}

#[test]
fn objects_are_taken_with_all_their_keys() {
    let options = "[[json_v2]]\nmeasurement_name = \"m\"\n[[json_v2.object]]\npath = \"l\"\n\
                   tags = [\"n\"]\nexcluded_keys = [\"z\"]\ntimestamp_key = \"t\"\n\
                   timestamp_format = \"unix\"\n[json_v2.object.renames]\no_p = \"q\"\n\
                   [json_v2.object.fields]\no_p = \"uint\"";
    let json = r#"{"l": [{"n": "a b", "t": 5, "v w": 1.5, "z": 1, "o": {"p": 3}}, {"v": "x"}]}"#;
    assert_eq!(
        parsed(&PLUGIN, options, json).unwrap(),
        ["m,n=a\\ b v_w=1.5,q=3u 5000000000", "m v=\"x\" 42000000000"]
    );
}

#[test]
fn what_is_wrong_is_told() {
    for (options, json, message) in [
        ("", "{}", "no configuration provided"),
        ("[[json_v2]]", "{", "invalid JSON provided, unable to parse: {"),
        ("[[json_v2]]\n[[json_v2.field]]\npath = \"a\"", "{}", "the path \"a\" doesn't exist"),
        ("[[json_v2]]\n[[json_v2.field]]\nrename = \"a\"", "{}", "the GJSON path is required"),
        ("[[json_v2]]\ntimestamp_path = \"t\"", "{}", "the timestamp path \"t\" returned NULL"),
        (
            "[[json_v2]]\ntimestamp_path = \"t\"",
            "{\"t\":1}",
            "use of 'timestamp_path' requires 'timestamp_format'",
        ),
        (
            "[[json_v2]]\ntimestamp_path = \"t\"\ntimestamp_format = \"unix\"",
            "{\"t\":\"x\"}",
            "unable to parse timestamp \"x\": invalid number",
        ),
        (
            "[[json_v2]]\n[[json_v2.field]]\npath = \"a\"\ntype = \"int\"",
            "{\"a\":\"x\"}",
            "unable to convert field \"a\" to type int: strconv.ParseInt: parsing \"x\": invalid \
             syntax",
        ),
        (
            "[[json_v2]]\n[[json_v2.field]]\npath = \"a\"\ntype = \"bool\"",
            "{\"a\":2}",
            "unable to convert field \"a\" to type bool",
        ),
    ] {
        let error = parsed(&PLUGIN, options, json).unwrap_err();
        assert!(error.starts_with(message), "{error}");
    }
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    assert!(parsed(&PLUGIN, "[[json_v2]]", &deep).unwrap_err().contains("nested"));
}

proptest! {
    #[test]
    fn no_document_makes_it_panic(json in r#"([{}\[\],:0-9]|"[ab]":?|null|true){0,30}"#) {
        let options = "[[json_v2]]\n[[json_v2.field]]\npath = \"a\"\noptional = true\n\
                       [[json_v2.object]]\npath = \"@this\"\n[[json_v2.object.field]]\n\
                       path = \"#.a\"\noptional = true";
        let _ = parsed(&PLUGIN, options, &json);
    }
}
