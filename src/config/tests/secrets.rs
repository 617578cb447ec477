//! Secret stores, and what refers to them.

use super::*;

const STORE: &str = "[[secretstores.vault]]\nid = 'v'\npassword = 'hush'\n";

fn secret(loaded: &Loaded, store: &str) -> String {
    let store = loaded.secret_stores.get(store).unwrap();
    store.get("key").unwrap().expose().to_owned()
}

#[test]
fn stores_are_there_before_whatever_refers_to_them() {
    let text = format!(
        "[[inputs.probe]]\npassword = '@{{v:key}}'\nheaders = {{X = 'a@{{v:pass}}'}}\n{STORE}"
    );
    let result = run(&text);
    assert_eq!(loaded(&result), "secretstores.vault inputs.probe inputs.probe outputs.hole");
    assert_eq!(result.secret_stores.ids().collect::<Vec<_>>(), ["v"]);
}

#[test]
fn a_store_may_refer_to_another_wherever_that_stands() {
    let text = format!("[[secretstores.vault]]\nid = 'w'\npassword = '<@{{v:key}}>'\n{STORE}");
    assert_eq!(secret(&run(&text), "w"), "<hush>");
}

#[test]
fn the_password_of_the_command_line_is_handed_to_stores() {
    let options = LoadOptions {
        purpose: Purpose::SecretStores,
        password: Secret::new("global"),
        ..LoadOptions::default()
    };
    // Nothing but stores is looked at, and no input nor output is missed.
    let text = "[[secretstores.vault]]\nid = 'v'\n[[inputs.nosuch]]\n";
    let result = load(&options, &[text]).unwrap_or_else(|errors| panic!("{errors:?}"));
    assert_eq!(
        (secret(&result, "v").as_str(), loaded(&result).as_str()),
        ("global", "secretstores.vault")
    );
}

#[test]
fn references_outside_of_secrets_are_plain_text() {
    run("[[inputs.probe]]\ntext = '@{nosuch:key}'\n");
}

#[test]
fn what_is_wrong_is_said_in_telegrafs_words_with_its_place() {
    let cases: [(&str, &[&str]); 9] = [
        (
            "[[secretstores.vault]]",
            &["error parsing vault, \"vault\" secret store without ID (0.conf:1:1)"],
        ),
        (
            "[[secretstores.vault]]\nid = 'a-b'",
            &["error parsing vault, invalid secret store ID \"a-b\", must only contain letters, \
               numbers or underscore (0.conf:2:1)"],
        ),
        (
            "[[secretstores.vault]]\nid = 'a'\n[[secretstores.vault]]\nid = 'a'",
            &["error parsing vault, duplicate ID \"a\" for secretstore \"vault\" (0.conf:4:1)"],
        ),
        (
            "[[secretstores.vault]]\nid = 'a'\ncount = -1",
            &["error parsing vault, error initializing secret store \"a\": count makes no sense \
               (0.conf:1:1)"],
        ),
        (
            "[[secretstores.vault]]\nid = 'a'\nnonsense = 1",
            &["plugin secretstores.vault: line 3: configuration specified the fields \
               [\"nonsense\"], but they were not used; this is either a typo or this config option \
               does not exist in this version (0.conf:3:1)"],
        ),
        (
            "[[secretstores.vault]]\nid = 'v'\n[[inputs.probe]]\npassword = '@{v:nosuch}'",
            &["retrieving resolver failed: linking secrets failed: resolving \"@{v:nosuch}\" \
               failed: not found (0.conf:4:12)"],
        ),
        (
            // What refers to a store that is at fault is not at fault itself.
            "[[secretstores.nosuch]]\nid = 'v'\n[[inputs.probe]]\npassword = '@{v:key}'",
            &[
                "error parsing nosuch, undefined but requested secretstores: nosuch (0.conf:1:1); this \
               version has the secretstores vault",
            ],
        ),
        (
            "[[inputs.probe]]\npassword = '@{a:key}@{b:key}'\nheaders = {X = '@{c:key}'}",
            &[
                "unknown secret store for \"@{a:key}\" (0.conf:2:12)",
                "unknown secret store for \"@{b:key}\" (0.conf:2:12)",
                "unknown secret store for \"@{c:key}\" (0.conf:3:16)",
            ],
        ),
        (
            "[[secretstores.vault]]\nid = 'a'\npassword = '@{b:key}'\n\
             [[secretstores.vault]]\nid = 'b'\npassword = '@{a:key}'",
            &["unknown secret store for \"@{b:key}\" (0.conf:3:12)"],
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(check(text), expected, "{text}");
    }
}
