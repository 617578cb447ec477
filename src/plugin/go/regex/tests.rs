//! Tests of expressions and replacements against what Go makes of them.

use proptest::prelude::*;

use super::{Regex, Replacer};

fn replaced(pattern: &str, template: &str, text: &str) -> String {
    let mut replacer = Replacer::new(Regex::new(pattern).unwrap(), template);
    replacer.replace_all(text).map_or_else(|| format!("no match in {text}"), Into::into)
}

#[test]
fn expressions_mean_what_they_mean_in_go() {
    for (pattern, text, expected) in [
        (r"^\d+$", "123", true),
        (r"^\d+$", "١٢٣", false),
        (r"\w", "é", false),
        (r"\W", "é", true),
        (r"^\s$", "\u{b}", false),
        (r"^\S$", "\u{b}", true),
        (r"^\s$", "\u{a0}", false),
        (r"^[[:space:]]$", "\u{b}", true),
        (r"é\b", "é ", false),
        (r"a\bé", "aé", true),
        (r"é\B", "é", true),
        (r"^[a[]$", "[", true),
        (r"^[a&&b]+$", "a&b", true),
        (r"^[a-c--z~~]+$", "-~b", true),
        (r"^[]a]+$", "]a", true),
        (r"^[^]a]$", "b", true),
        (r"^[^]a]$", "]", false),
        (r"^[a-]+$", "-a", true),
        (r"^[-a]+$", "-a", true),
        (r"^[\d-z]+$", "1-z", true),
        (r"^[\D]$", "x", true),
        (r"^[^\D]$", "5", true),
        (r"^[\w.]+$", "a_1.", true),
        (r"^[[:^alpha:]x]+$", "1x", true),
        (r"^a{,2}$", "a{,2}", true),
        (r"^a{$", "a{", true),
        (r"^{foo}$", "{foo}", true),
        (r"^a{2,}$", "aaa", true),
        (r"^a{02}$", "a{02}", true),
        (r"^\Qa.b*\E+$", "a.b**", true),
        (r"^\Qa.b", "a.b", true),
        (r"^\101\0$", "A\0", true),
        (r"^\x41\x{1F600}$", "A😀", true),
        (r"^\_\<\>\-\%\/$", "_<>-%/", true),
        (r"^\pL\p{Greek}\P{^Lu}$", "xαX", true),
        (r"^\p{^L}$", "1", true),
        (r"(?i)^straße$", "STRAßE", true),
        (r"(?i)^k$", "\u{212a}", true),
        (r"(?i)^\w$", "\u{17f}", true),
        (r"(?ii)a(?-i)b", "Ab", true),
        (r"(?ii)a(?-i)b", "AB", false),
        (r"(?)a", "a", true),
        (r"(?i-s:A.)", "a\n", false),
        (r"(?s)^.$", "\n", true),
        (r"^[^a]$", "\n", true),
        (r"(?m)^b$", "a\nb\nc", true),
        (r"b$", "b\n", false),
        (r"(?P<1>a)(?<b>b)", "ab", true),
        (r"(|a)+", "", true),
        (r"^*", "", true),
        ("a#b c", "a#b c", true),
    ] {
        let regex = Regex::new(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
        assert_eq!(regex.is_match(text), expected, "{pattern} {text:?}");
    }
}

#[test]
fn what_go_refuses_is_refused_in_its_words() {
    for (pattern, message) in [
        ("(", "missing closing ): `(`"),
        ("a)", "unexpected ): `a)`"),
        ("[a", "missing closing ]: `[a`"),
        ("[]", "missing closing ]: `[]`"),
        ("a**", "invalid nested repetition operator: `**`"),
        ("a*?+", "invalid nested repetition operator: `*?+`"),
        ("a++", "invalid nested repetition operator: `++`"),
        ("*", "missing argument to repetition operator: `*`"),
        ("a|*", "missing argument to repetition operator: `*`"),
        ("(+)", "missing argument to repetition operator: `+`"),
        ("a{1001}", "invalid repeat count: `{1001}`"),
        ("a{3,2}", "invalid repeat count: `{3,2}`"),
        (r"\1", r"invalid escape sequence: `\1`"),
        (r"\8", r"invalid escape sequence: `\8`"),
        (r"\Z", r"invalid escape sequence: `\Z`"),
        (r"\é", r"invalid escape sequence: `\é`"),
        (r"[\b]", r"invalid escape sequence: `\b`"),
        (r"\x{110000}", r"invalid escape sequence: `\x{110000}`"),
        (r"a\", "trailing backslash at end of expression: ``"),
        ("(?=a)", "invalid or unsupported Perl syntax: `(?=`"),
        ("(?x)a", "invalid or unsupported Perl syntax: `(?x`"),
        ("(?i-)", "invalid or unsupported Perl syntax: `(?i-)`"),
        ("(?P<a-b>x)", "invalid named capture: `(?P<a-b>`"),
        ("(?P<>x)", "invalid named capture: `(?P<>`"),
        ("(?P<x", "invalid named capture: `(?P<x`"),
        ("[z-a]", "invalid character class range: `z-a`"),
        ("[[:foo:]]", "invalid character class range: `[:foo:]`"),
        (r"\p{Foo}", r"invalid character class range: `\p{Foo}`"),
    ] {
        let error = Regex::new(pattern).unwrap_err().to_string();
        assert_eq!(error, format!("error parsing regexp: {message}"), "{pattern}");
    }
}

#[test]
fn templates_name_groups_by_the_longest_name() {
    for (pattern, template, text, expected) in [
        (r"^(\d)\d\d$", "${1}xx", "200", "2xx"),
        (r"^(\d)\d\d$", "$1xx", "200", ""),
        (r"(a)(b)", "$2$1", "xaby", "xbay"),
        (r"(?P<first>a)", "<$first>", "banana", "b<a>n<a>n<a>"),
        (r"(?P<first>a)", "$firsts|${first}s", "a", "|as"),
        ("a", "$$1$", "a", "$1$"),
        ("a", "${1", "a", "${1"),
        ("a", "${}$ ${a b}", "a", "${}$ ${a b}"),
        ("(a)", "$0$01$9${999999999999}", "a", "a"),
        ("(?P<x>a)|(?P<x>b)", "<$x>", "ab", "<a><b>"),
        ("(?P<é_1>a)?", "$é", "b", "invalid"),
        ("b*", "-", "abc", "-a-c-"),
        ("", "é", "aü", "éaéüé"),
        ("x*", "-", "", "-"),
        (r"\b", "|", "ab cd", "|ab| |cd|"),
        ("a", "", "banana", "bnn"),
    ] {
        if expected == "invalid" {
            assert!(Regex::new(pattern).is_err());
            continue;
        }
        assert_eq!(replaced(pattern, template, text), expected, "{pattern} {template}");
    }
    assert_eq!(replaced("x", "y", "abc"), "no match in abc");
}

#[test]
fn groups_of_the_first_match_are_told_by_number() {
    let regex = Regex::new(r"(?P<a>\w)(x)?(?P<b>\w)").unwrap();
    assert_eq!(regex.group_names(), ["a", "", "b"]);
    assert_eq!(regex.groups("pqrs").unwrap().collect::<Vec<_>>(), ["p", "", "q"]);
    assert!(regex.groups("-").is_none());
}

proptest! {
    #[test]
    fn no_expression_and_no_text_make_it_panic(
        pattern in r"[-ab\\\[\]\^\$\.\|\?\*\+\(\)\{\}&~,:0-9QEdwsbBpPxiUém<>]{0,24}",
        template in r"[a\$\{\}0-9é]{0,8}",
        text in "[ab0-9é]{0,12}",
    ) {
        if let Ok(regex) = Regex::new(&pattern) {
            let _ = Replacer::new(regex, &template).replace_all(&text);
        }
    }

    #[test]
    fn quoted_text_stands_for_itself(text in r"[ -\[\]-~é]{0,12}") {
        let regex = Regex::new(&format!(r"^\Q{text}\E$")).unwrap();
        prop_assert!(regex.is_match(&text));
    }
}
