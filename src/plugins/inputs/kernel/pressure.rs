//! How long tasks had to wait for a resource: the files in `/proc/pressure`.
//!
//! # References
//! The kernel's `Documentation/accounting/psi.rst`.

/// How many of the tasks had to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// At least one of them.
    Some,
    /// All that had anything to do.
    Full,
}

impl Kind {
    /// The word for it in the file and in the tag.
    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::Some => "some",
            Kind::Full => "full",
        }
    }
}

/// One line of such a file.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Pressure {
    /// The shares of the last 10, 60 and 300 seconds, in percent.
    pub(super) averages: [f64; 3],
    /// The time since boot, in microseconds.
    pub(super) total_us: u64,
}

/// A line in another form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not in the form \"some avg10=0.00 avg60=0.00 avg300=0.00 total=0\"")]
pub(super) struct ParseError(String);

/// Parses a file; lines of other kinds are passed over.
///
/// # Errors
/// The first line of a known kind that is in another form.
pub(super) fn parse(text: &[u8]) -> Result<Vec<(Kind, Pressure)>, ParseError> {
    let text = String::from_utf8_lossy(text);
    let mut lines = Vec::with_capacity(2);
    for line in text.lines() {
        let kind = match line.split(' ').next() {
            Some("some") => Kind::Some,
            Some("full") => Kind::Full,
            _ => continue,
        };
        let pressure = parse_line(line).ok_or_else(|| ParseError(line.to_owned()))?;
        lines.push((kind, pressure));
    }
    Ok(lines)
}

fn parse_line(line: &str) -> Option<Pressure> {
    let mut words = line.split_ascii_whitespace().skip(1);
    let mut word = |key: &str| words.next()?.strip_prefix(key)?.strip_prefix('=');
    let averages = [word("avg10")?, word("avg60")?, word("avg300")?];
    let total_us = word("total")?.parse().ok()?;
    let [avg10, avg60, avg300] = averages.map(|average| average.parse().ok());
    Some(Pressure { averages: [avg10?, avg60?, avg300?], total_us })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn both_kinds_are_read_and_others_passed_over() {
        let text = b"some avg10=1.50 avg60=0.20 avg300=0.01 total=18446744073709551615\nidle x\nfull avg10=0 avg60=0 avg300=0 total=3\n";
        let some = Pressure { averages: [1.5, 0.2, 0.01], total_us: u64::MAX };
        let full = Pressure { averages: [0.0; 3], total_us: 3 };
        assert_eq!(parse(text).unwrap(), [(Kind::Some, some), (Kind::Full, full)]);
    }

    #[test]
    fn a_line_in_another_form_is_shown() {
        for line in ["some avg10=1", "full avg60=0 avg10=0 avg300=0 total=0", "some avg10=x"] {
            let error = parse(line.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with(&format!("{line:?} is not in the form")), "{error}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "((some|full)? ?(avg10|avg60|total)?=?[0-9.x]{0,5}\n?){0,6}") {
            let _ = parse(text.as_bytes());
        }
    }
}
