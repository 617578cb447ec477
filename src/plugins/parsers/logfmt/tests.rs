//! Tests of the parser; what is expected here is what Telegraf 1.40 answered.

use proptest::prelude::*;

use super::PLUGIN;
use crate::plugins::tests::{parsed, parser};

fn parse(options: &str, input: &str) -> Result<Vec<String>, String> {
    parsed(&PLUGIN, options, input)
}

#[test]
fn pairs_become_fields_of_the_type_that_they_look_like() {
    let input = "i=-5 f=1.5e3 t=true one=T s=word q=\"two \\\"words\\\"\\u00e9\" empty= alone\n\
                 \n  \n\tx=1 x=2\r\n";
    assert_eq!(
        parse("", input).unwrap(),
        [
            "test i=-5i,f=1500,t=true,one=true,s=\"word\",q=\"two \\\"words\\\"é\" 42000000000",
            "test x=2i 42000000000",
        ]
    );
    assert_eq!(parse("", "").unwrap(), [""; 0]);
}

#[test]
fn keys_that_are_asked_for_become_tags() {
    assert_eq!(
        parse("logfmt_tag_keys = [\"host\", \"x*\"]", "host=a xy=1 z=1\n").unwrap(),
        ["test,host=a,xy=1 z=1i 42000000000"]
    );
}

#[test]
fn errors_name_line_and_place() {
    for (input, message) in [
        ("a=1\nb=2 =3", "pos 5 on line 2: unexpected '='"),
        ("a=b=c", "pos 4 on line 1: unexpected '='"),
        ("a\"b", "pos 2 on line 1: unexpected '\"'"),
        ("a=1\"", "pos 4 on line 1: unexpected '\"'"),
        ("a=\"b", "pos 5 on line 1: unterminated quoted value"),
        ("a=\"b\\", "pos 6 on line 1: unterminated quoted value"),
        ("a=\"\\x\"", "pos 7 on line 1: invalid quoted value"),
        ("a\u{fffd}=1", "pos 5 on line 1: invalid key"),
    ] {
        let error = parse("", input).unwrap_err();
        assert_eq!(error, format!("logfmt syntax error at {message}"), "{input}");
    }
}

#[test]
fn escapes_are_those_of_json() {
    assert_eq!(
        parse("", r#"a="\b\f\n\r\t\/\'\\" b="\ud83d\ude00\ud83d""#).unwrap(),
        ["test a=\"\u{8}\u{c}\n\r\t/'\\\\\",b=\"😀\u{fffd}\" 42000000000"]
    );
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(input in r#"[a-c= "\\uéd0-9\r\n.]{0,40}"#) {
        let _ = parser(&PLUGIN, "").unwrap().parse(input.as_bytes());
    }
}
