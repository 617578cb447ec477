//! Which values of a configuration are secrets, so that nothing that is shown holds them.
//!
//! Settings are told by their names, as people give them: rather one value too many is hidden than
//! one shown. References to secret stores, such as `@{store:key}`, hide nothing and stay.

use super::sections::Sections;
use crate::plugin::settings::{Data, Entry, Table, Value};

/// What stands in the place of a secret.
pub(super) const MASK: &str = "****";

/// Parts of names of settings, tags, headers and variables that hold secrets.
const SECRET_WORDS: [&str; 15] = [
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "secret",
    "token",
    "credential",
    "authorization",
    "api_key",
    "apikey",
    "access_key",
    "private_key",
    "connection_string",
    "dsn",
    "community",
];

/// Names that are secrets as a whole.
const SECRET_NAMES: [&str; 4] = ["cookie", "cookie_auth_body", "shared_key", "account_key"];

/// Ends of names that tell where something is to be found, or how, and not the thing itself.
const TELLING_ENDS: [&str; 9] =
    ["_url", "_urls", "_file", "_path", "_method", "_header", "_tag", "_renewal", "_expiry"];

/// Secrets shorter than this are not looked for in logs: too much else looks like them.
const SHORTEST_IN_LOG: usize = 5;

/// Whether the value under a name is a secret.
fn is_secret_name(name: &str) -> bool {
    let name = name.to_lowercase().replace('-', "_");
    let has_secret = SECRET_WORDS.iter().any(|word| name.contains(word))
        || SECRET_NAMES.contains(&name.as_str());
    has_secret && !TELLING_ENDS.iter().any(|end| name.ends_with(end))
}

/// Whether a text is nothing but references to secret stores.
fn is_reference(text: &str) -> bool {
    let mut rest = text;
    while let Some(inner) = rest.strip_prefix("@{") {
        let Some(end) = inner.find('}') else { return false };
        rest = &inner[end + 1..];
    }
    rest.is_empty()
}

/// The parts of a string value that are secrets, as ranges of bytes.
fn secrets_in(name: &str, text: &str) -> Vec<std::ops::Range<usize>> {
    if text.is_empty() || is_reference(text) {
        return Vec::new();
    }
    if is_secret_name(name) {
        return std::iter::once(0..text.len()).collect();
    }
    let mut found = Vec::new();
    if name == "environment"
        && let Some((variable, _)) = text.split_once('=')
        && is_secret_name(variable)
    {
        found.push(variable.len() + 1..text.len());
    }
    if let Some(range) = password_of_url(text) {
        found.push(range);
    }
    found.extend(secrets_of_query(text));
    found.retain(|range| !range.is_empty() && !is_reference(&text[range.clone()]));
    found.sort_by_key(|range| range.start);
    found
}

/// The password in `scheme://user:password@host`.
fn password_of_url(text: &str) -> Option<std::ops::Range<usize>> {
    let authority = text.find("://")? + 3;
    let end = text[authority..].find(['/', '?', '#']).map_or(text.len(), |end| authority + end);
    let at = authority + text[authority..end].rfind('@')?;
    let colon = authority + text[authority..at].find(':')?;
    Some(colon + 1..at)
}

/// The values of parameters such as `?token=…` of a URL.
fn secrets_of_query(text: &str) -> Vec<std::ops::Range<usize>> {
    let Some(query) = text.find("://").and_then(|_| text.find('?')) else { return Vec::new() };
    let mut found = Vec::new();
    let mut start = query + 1;
    for parameter in text[query + 1..].split(['&', '#']) {
        if let Some((name, _)) = parameter.split_once('=')
            && is_secret_name(name)
        {
            found.push(start + name.len() + 1..start + parameter.len());
        }
        start += parameter.len() + 1;
    }
    found
}

/// The text of a value with its secrets masked.
pub(super) fn masked(name: &str, text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut from = 0;
    for range in secrets_in(name, text) {
        if range.start < from {
            continue;
        }
        shown.push_str(&text[from..range.start]);
        shown.push_str(MASK);
        from = range.end;
    }
    shown.push_str(&text[from..]);
    shown
}

/// Hides the secrets of a configuration in texts that others write, such as the log of a program
/// that was given it.
#[derive(Debug, Default)]
pub struct Mask {
    /// The longest first: one may be part of another.
    secrets: Vec<String>,
}

impl Mask {
    pub(super) fn of<'s>(parts: impl IntoIterator<Item = &'s Sections>) -> Mask {
        let mut secrets = Vec::new();
        for sections in parts {
            sections.plugins.iter().for_each(|section| collect(&section.table, &mut secrets));
            sections.agent.iter().for_each(|table| collect(table, &mut secrets));
        }
        secrets.retain(|secret| secret.len() >= SHORTEST_IN_LOG);
        secrets.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        secrets.dedup();
        Mask { secrets }
    }

    /// The text without the secrets.
    pub fn hide(&self, text: &str) -> String {
        self.secrets.iter().fold(text.to_owned(), |text, secret| {
            if text.contains(secret.as_str()) { text.replace(secret.as_str(), MASK) } else { text }
        })
    }
}

fn collect(table: &Table, secrets: &mut Vec<String>) {
    for Entry { key, value, .. } in table.entries() {
        collect_from(key, value, secrets);
    }
}

fn collect_from(name: &str, value: &Value, secrets: &mut Vec<String>) {
    match &value.data {
        Data::String { text, .. } => {
            secrets.extend(secrets_in(name, text).into_iter().map(|range| text[range].to_owned()));
        }
        Data::Array(values) => {
            values.iter().for_each(|value| collect_from(name, value, secrets));
        }
        Data::Table(table) => collect(table, secrets),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::config::{sections, toml};

    #[test]
    fn values_of_settings_that_are_secrets_are_masked() {
        for (name, text, shown) in [
            ("password", "geheim", "****"),
            ("sasl_password", "geheim", "****"),
            ("token", "abc", "****"),
            ("tls_key_pwd", "abc", "****"),
            ("Authorization", "Basic abc", "****"),
            ("X-Api-Key", "abc", "****"),
            ("bearer_token_string", "abc", "****"),
            ("password", "@{store:key}", "@{store:key}"),
            ("password", "@{store:user}@{store:key}", "@{store:user}@{store:key}"),
            ("password", "x@{store:key}", "****"),
            ("password", "", ""),
            ("token_url", "https://host/token", "https://host/token"),
            ("token_file", "/run/token", "/run/token"),
            ("tls_key", "/etc/key.pem", "/etc/key.pem"),
            ("routing_key", "host", "host"),
            ("username", "anna", "anna"),
            ("urls", "http://anna:geheim@host:80/a?b=c", "http://anna:****@host:80/a?b=c"),
            ("urls", "http://anna:@{s:k}@host", "http://anna:@{s:k}@host"),
            ("urls", "http://host:80/a@b:c", "http://host:80/a@b:c"),
            ("url", "https://h/x?a=1&api_key=geheim&b=2#f", "https://h/x?a=1&api_key=****&b=2#f"),
            ("environment", "DB_PASSWORD=geheim", "DB_PASSWORD=****"),
            ("environment", "LANG=C", "LANG=C"),
        ] {
            assert_eq!(masked(name, text), shown, "{name} = {text:?}");
        }
    }

    #[test]
    fn secrets_are_hidden_in_what_others_write() {
        let text = "[[outputs.http]]\nurl = 'http://u:longer-geheim@h'\npassword = 'geheim'\n\
                    token = 'abc'\n[outputs.http.headers]\nAuthorization = 'Bearer xyz'";
        let mut errors = Vec::new();
        let file: Arc<str> = "a.conf".into();
        let split = sections::split(&file, toml::parse("a.conf", text).unwrap(), &mut errors);
        let mask = Mask::of([&split]);
        assert_eq!(
            mask.hide("E! longer-geheim refused, geheim too; Bearer xyz; abc"),
            "E! **** refused, **** too; ****; abc",
            "what is too short is not looked for"
        );
    }

    proptest! {
        #[test]
        fn no_text_panics(name in "(password|url|environment)", text in "[a-z:/@?=&{}#ż]{0,30}") {
            masked(&name, &text);
        }
    }
}
