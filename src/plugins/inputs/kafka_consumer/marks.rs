//! What the commit of an offset carries beside it: the marks that others have set on the partition.
//!
//! It is one line of text, `metric-agent/1` and then ` NAME=NUMBER` for each mark. Names are
//! written so that neither a space nor an equals sign stands in them.

use std::collections::BTreeMap;
use std::fmt::Write;

/// What the text begins with; the number is that of the form.
const FORM: &str = "metric-agent/1";

/// What brokers take with an offset unless they are told otherwise (`offset.metadata.max.bytes`).
pub(super) const MOST_BYTES: usize = 4096;

/// Writes marks down.
pub(super) fn written(marks: &BTreeMap<String, i64>) -> String {
    let mut text = FORM.to_owned();
    for (name, mark) in marks {
        text.push(' ');
        for c in name.chars() {
            match c {
                ' ' | '=' | '%' | '\0'..='\x1f' | '\x7f' => {
                    // Writing to memory never fails.
                    let _ = write!(text, "%{:02x}", u32::from(c));
                }
                c => text.push(c),
            }
        }
        let _ = write!(text, "={mark}");
    }
    text
}

/// Reads marks; of a text that somebody else has committed there are none.
pub(super) fn read(text: &str) -> BTreeMap<String, i64> {
    let mut words = text.split(' ');
    if words.next() != Some(FORM) {
        return BTreeMap::new();
    }
    let mark = |word: &str| {
        let (name, number) = word.split_once('=')?;
        Some((unescaped(name), number.parse().ok()?))
    };
    words.filter_map(mark).collect()
}

fn unescaped(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    let mut rest = name;
    while let Some(at) = rest.find('%') {
        text.push_str(&rest[..at]);
        let code = rest.get(at + 1..at + 3).and_then(|code| u8::from_str_radix(code, 16).ok());
        match code {
            Some(code) => {
                text.push(char::from(code));
                rest = &rest[at + 3..];
            }
            None => {
                text.push('%');
                rest = &rest[at + 1..];
            }
        }
    }
    text + rest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn marks_stand_in_one_line_of_text() {
        assert_eq!(written(&BTreeMap::new()), "metric-agent/1");
        let marks = BTreeMap::from([("processors.window::a b".to_owned(), 3), ("z=".into(), -1)]);
        assert_eq!(written(&marks), "metric-agent/1 processors.window::a%20b=3 z%3d=-1");
    }

    #[test]
    fn what_others_have_committed_holds_no_marks() {
        for text in ["", "sink/1 a=1", "metric-agent/2 a=1", "consumer a=1"] {
            assert_eq!(read(text), BTreeMap::new(), "{text}");
        }
        assert_eq!(read("metric-agent/1 a=1 b c=x d=2%").len(), 1);
    }

    proptest! {
        #[test]
        fn marks_are_read_as_they_were(marks in prop::collection::btree_map(any::<String>(), any::<i64>(), 0..5)) {
            let text = written(&marks);
            prop_assert!(!text.contains(['\n', '\0']));
            prop_assert_eq!(read(&text), marks);
        }

        #[test]
        fn any_text_can_be_read(text in ".{0,40}") {
            let _ = read(&format!("metric-agent/1 {text}"));
        }
    }
}
