//! Header fields, in the order in which they came or are to be sent.

use openssl::base64;

/// Header fields; names are compared without regard to case and sent in their canonical form.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Headers(Vec<(String, String)>);

impl Headers {
    /// Makes an empty list.
    pub fn new() -> Headers {
        Headers::default()
    }

    /// The first value of a field.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.get_all(name).next()
    }

    /// All values of a field.
    pub fn get_all<'h>(&'h self, name: &str) -> impl Iterator<Item = &'h str> {
        self.0
            .iter()
            .filter(move |(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// Whether one of the comma-separated words of a field is `word`.
    pub fn has_word(&self, name: &str, word: &str) -> bool {
        self.get_all(name)
            .flat_map(|value| value.split(','))
            .any(|other| other.trim().eq_ignore_ascii_case(word))
    }

    /// Sets a field, in the place of all values it may have had.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.remove(name);
        self.add(name, value);
    }

    /// Adds a field, beside values it may have already.
    pub fn add(&mut self, name: &str, value: impl Into<String>) {
        self.0.push((canonical(name), value.into()));
    }

    /// Removes a field with all its values.
    pub fn remove(&mut self, name: &str) {
        self.0.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
    }

    /// The fields in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Appends the fields as they go over the wire; a line break in a value becomes a blank, so
    /// that no value can make up a field of its own.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        for (name, value) in self.iter() {
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b": ");
            let value = value.trim_matches([' ', '\t', '\r', '\n']);
            out.extend(
                value.bytes().map(|b| if matches!(b, b'\r' | b'\n' | 0) { b' ' } else { b }),
            );
            out.extend_from_slice(b"\r\n");
        }
    }
}

/// The form of a field's name with each word in upper case at its beginning: `Content-Type`. Names
/// that are none stay as they are.
fn canonical(name: &str) -> String {
    let is_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if !name.bytes().all(is_token) {
        return name.to_owned();
    }
    let mut upper = true;
    name.chars()
        .map(|c| {
            let cased = if upper { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() };
            upper = c == '-';
            cased
        })
        .collect()
}

/// The value of `Authorization` for a name and its password.
pub fn basic_credentials(username: &str, password: &str) -> String {
    format!("Basic {}", base64::encode_block(format!("{username}:{password}").as_bytes()))
}

/// The name and the password in a value of `Authorization`, if it holds such.
pub(super) fn parse_basic_credentials(value: &str) -> Option<(String, String)> {
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(base64::decode_block(encoded.trim()).ok()?).ok()?;
    let (username, password) = text.split_once(':')?;
    Some((username.to_owned(), password.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_written_in_their_canonical_form_and_found_in_any() {
        let mut headers = Headers::new();
        headers.set("content-TYPE", "text/plain");
        headers.add("x-a", "1");
        headers.add("X-A", "2");
        headers.set("Content-type", "text/html");
        let mut out = Vec::new();
        headers.write(&mut out);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "X-A: 1\r\nX-A: 2\r\nContent-Type: text/html\r\n"
        );
        assert_eq!(headers.get("CONTENT-TYPE"), Some("text/html"));
        assert_eq!(headers.get_all("x-a").collect::<Vec<_>>(), ["1", "2"]);
    }

    #[test]
    fn a_value_cannot_make_up_a_field() {
        let mut headers = Headers::new();
        headers.set("X-A", " 1\r\nX-B: 2\n");
        let mut out = Vec::new();
        headers.write(&mut out);
        assert_eq!(out, b"X-A: 1  X-B: 2\r\n");
    }

    #[test]
    fn credentials_survive_the_way_there_and_back() {
        let value = basic_credentials("Aladdin", "open: sesame");
        assert_eq!(value, "Basic QWxhZGRpbjpvcGVuOiBzZXNhbWU=");
        let expected = Some(("Aladdin".to_owned(), "open: sesame".to_owned()));
        assert_eq!(parse_basic_credentials(&value), expected);
        for wrong in ["", "Basic", "Basic !!!", "Bearer QQ==", "Basic QUJD"] {
            assert_eq!(parse_basic_credentials(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn words_of_a_list_are_told_apart() {
        let mut headers = Headers::new();
        headers.set("Connection", "keep-alive, Upgrade");
        assert!(headers.has_word("connection", "upgrade"));
        assert!(!headers.has_word("connection", "close"));
    }
}
