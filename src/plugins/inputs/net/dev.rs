//! `/proc/net/dev`: what each network interface has carried.
//!
//! # References
//! proc_pid_net(5), "/proc/net/dev".

use crate::plugin::Quoted;

/// The columns of a line, counted behind the colon, with the fields they give.
const COLUMNS: [(usize, &str); FIELDS] = [
    (8, "bytes_sent"),
    (0, "bytes_recv"),
    (9, "packets_sent"),
    (1, "packets_recv"),
    (2, "err_in"),
    (10, "err_out"),
    (3, "drop_in"),
    (11, "drop_out"),
];

/// Lines with fewer columns are none.
const LEAST_COLUMNS: usize = 13;

/// How many counters an interface has.
pub(super) const FIELDS: usize = 8;

/// What one interface has carried since it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Interface<'a> {
    pub(super) name: &'a str,
    counters: [u64; FIELDS],
}

impl Interface<'_> {
    /// The counters with the names of their fields.
    pub(super) fn fields(&self) -> impl Iterator<Item = (&'static str, u64)> {
        COLUMNS.iter().map(|(_, name)| *name).zip(self.counters)
    }
}

/// Why the file cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum ParseError {
    /// Not even its head is there.
    #[error("malformed net/dev: expected at least 2 header lines, got {lines}")]
    Head {
        /// How many lines there are.
        lines: usize,
    },
    /// A column that should be a number is none.
    #[error("strconv.ParseUint: parsing {}: invalid syntax", Quoted::new(value.as_str()))]
    Number {
        /// What stands there.
        value: String,
    },
}

/// Parses the file; lines that are too short are passed over.
///
/// # Errors
/// The first column that is no number; then nothing of the file counts.
pub(super) fn parse(text: &str) -> Result<Vec<Interface<'_>>, ParseError> {
    let mut lines = text.lines();
    for seen in 0..2 {
        lines.next().ok_or(ParseError::Head { lines: seen })?;
    }
    let mut interfaces = Vec::new();
    for line in lines {
        // An alias such as eth0:1 has a colon in its name.
        let Some((name, columns)) = line.rsplit_once(':') else { continue };
        let name = name.trim();
        let mut values = [""; LEAST_COLUMNS];
        let found = columns.split_whitespace().zip(&mut values).map(|(text, at)| *at = text);
        if name.is_empty() || found.count() < LEAST_COLUMNS {
            continue;
        }
        let mut counters = [0; FIELDS];
        for (counter, (column, _)) in counters.iter_mut().zip(COLUMNS) {
            let value = values[column];
            *counter = value.parse().map_err(|_| ParseError::Number { value: value.to_owned() })?;
        }
        interfaces.push(Interface { name, counters });
    }
    Ok(interfaces)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEAD: &str = "Inter-|   Receive  |  Transmit\n face |bytes packets |bytes packets\n";

    fn parsed(lines: &str) -> Result<Vec<(String, [u64; FIELDS])>, String> {
        let text = format!("{HEAD}{lines}");
        let interfaces = parse(&text).map_err(|error| error.to_string())?;
        Ok(interfaces.iter().map(|each| (each.name.to_owned(), each.counters)).collect())
    }

    #[test]
    fn each_column_goes_to_its_field() {
        let parsed = parsed("eth0:1: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n").unwrap();
        assert_eq!(parsed, [("eth0:1".to_owned(), [9, 1, 10, 2, 3, 11, 4, 12])]);
    }

    #[test]
    fn lines_that_are_too_short_are_passed_over() {
        let parsed =
            parsed("a: 1 2 3 4 5 6 7 8 9 10 11 12\n\nno colon\n: 1 2 3 4 5 6 7 8 9 1 2 3 4");
        assert_eq!(parsed.unwrap(), []);
    }

    #[test]
    fn a_file_without_head_and_a_word_for_a_number_are_errors() {
        assert_eq!(parse("").unwrap_err(), ParseError::Head { lines: 0 });
        assert_eq!(parse("one line").unwrap_err(), ParseError::Head { lines: 1 });
        let error = parsed("eth0: 1 2 x 4 5 6 7 8 9 10 11 12 13").unwrap_err();
        assert_eq!(error, "strconv.ParseUint: parsing \"x\": invalid syntax");
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_without_a_panic(text in "(.|\n){0,200}") {
            let _ = parsed(&text);
        }
    }
}
