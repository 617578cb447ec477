//! The names of the files of keys: what a file name cannot hold is written as `%2F`.

use std::fmt::Write as _;

/// The end of the name of a file that is still written; no key has one with it.
pub(super) const UNFINISHED: &str = "%new";

/// The name of the file of a key; none if there can be no such file.
pub(super) fn of_key(key: &str) -> Option<String> {
    if matches!(key, "" | "." | "..") || key.contains('\0') {
        return None;
    }
    let mut name = String::with_capacity(key.len());
    for c in key.chars() {
        match c {
            // Writing to a string cannot fail.
            '%' | '/' => drop(write!(name, "%{:02X}", u32::from(c))),
            c => name.push(c),
        }
    }
    Some(name)
}

/// The key of a file.
pub(super) fn to_key(name: &str) -> String {
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let Some((&first, others)) = rest.split_first() {
        let escaped = match (first, others) {
            (b'%', &[high, low, ..]) => hex(high).zip(hex(low)),
            _ => None,
        };
        rest = match escaped {
            Some((high, low)) => {
                bytes.push(high << 4 | low);
                &others[2..]
            }
            None => {
                bytes.push(first);
                others
            }
        };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_those_of_telegraf() {
        for (key, name) in [("key_1", "key_1"), ("a/b%c", "a%2Fb%25c"), ("\u{e4} ", "\u{e4} ")] {
            assert_eq!(of_key(key).as_deref(), Some(name));
            assert_eq!(to_key(name), key);
        }
        assert_eq!(to_key("%zz%2"), "%zz%2");
    }

    proptest! {
        #[test]
        fn every_key_comes_back(key in "[^\0]{1,12}") {
            if let Some(name) = of_key(&key) {
                prop_assert!(!name.contains('/') && !name.ends_with(UNFINISHED));
                prop_assert_eq!(to_key(&name), key);
            }
        }
    }
}
