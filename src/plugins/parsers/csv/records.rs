//! Takes a text apart into records.
//!
//! The `csv` crate is of no use here: it takes quotes anywhere, knows delimiters of one byte only
//! and trims differently, while what the original refuses, and where, is part of its behaviour.
//!
//! # References
//! RFC 4180, and Go's `encoding/csv` for what is an error and how it is told.

use std::borrow::Cow;

/// How fields are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dialect {
    /// The character between fields.
    pub(super) delimiter: char,
    /// What a line begins with that is no record.
    pub(super) comment: Option<char>,
    /// What is done about blanks before fields.
    pub(super) blanks: Blanks,
}

/// What is done about blanks before fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Blanks {
    Keep,
    Skip,
}

/// What is wrong with a record, and where; lines and bytes count from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}parse error on line {line}, column {column}: {fault}", record_on(*.start_line, *.line))]
pub struct SyntaxError {
    /// The line that the record begins on.
    pub start_line: usize,
    /// The line at fault.
    pub line: usize,
    /// The byte in that line.
    pub column: usize,
    /// What is wrong there.
    pub fault: Fault,
}

/// What can be wrong with a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A quote within a field that has none around it.
    #[error("bare \" in non-quoted-field")]
    BareQuote,
    /// A quote that neither ends its field nor is doubled, or one that is missing at the end.
    #[error("extraneous or missing \" in quoted-field")]
    Quote,
}

fn record_on(start_line: usize, line: usize) -> String {
    if start_line == line { String::new() } else { format!("record on line {start_line}; ") }
}

/// How many bytes the records have that have come to their end; `None` if none has.
///
/// Quotes come in pairs: only where they are all closed is a line end one of a record.
pub(super) fn whole_records(text: &[u8], dialect: Dialect) -> Option<usize> {
    let mut quotes_before = memchr::memchr_iter(b'"', text).count();
    if quotes_before > 0 && dialect.comment.is_some() {
        // Quotes in comments are nobody's.
        return None;
    }
    for at in memchr::memchr2_iter(b'\n', b'"', text).rev() {
        match text[at] {
            b'"' => quotes_before -= 1,
            _ if quotes_before.is_multiple_of(2) => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// The fields of one record.
pub(super) type Record<'t> = Vec<Cow<'t, str>>;

/// Reads records off a text.
pub(super) struct Records<'t> {
    rest: &'t str,
    dialect: Dialect,
    /// The number of the line that was read last.
    line: usize,
}

impl<'t> Records<'t> {
    pub(super) fn new(text: &'t str, dialect: Dialect) -> Records<'t> {
        Records { rest: text, dialect, line: 0 }
    }

    /// Reads the next record in place of the one in `record`; false at the end of the text.
    ///
    /// Empty lines and comments are passed over.
    pub(super) fn read(&mut self, record: &mut Record<'t>) -> Result<bool, SyntaxError> {
        record.clear();
        let line = loop {
            let Some(line) = self.next_line() else { return Ok(false) };
            let is_comment = self.dialect.comment.is_some_and(|c| line.text.starts_with(c));
            if !is_comment && !line.text.is_empty() {
                break line;
            }
        };
        Reading { start_line: self.line, line, rest: line.text, records: self }.fields(record)?;
        Ok(true)
    }

    fn next_line(&mut self) -> Option<Line<'t>> {
        if self.rest.is_empty() {
            return None;
        }
        self.line += 1;
        let (text, rest, has_end) = match memchr::memchr(b'\n', self.rest.as_bytes()) {
            Some(end) => (&self.rest[..end], &self.rest[end + 1..], true),
            None => (self.rest, "", false),
        };
        self.rest = rest;
        Some(Line { text: text.strip_suffix('\r').unwrap_or(text), has_end })
    }
}

/// A line without its end.
#[derive(Clone, Copy)]
struct Line<'t> {
    text: &'t str,
    /// Whether there was an end, which the last line may lack.
    has_end: bool,
}

/// The reading of one record.
struct Reading<'r, 't> {
    records: &'r mut Records<'t>,
    start_line: usize,
    /// The line that is read, and what is left of it.
    line: Line<'t>,
    rest: &'t str,
}

impl<'t> Reading<'_, 't> {
    fn fields(&mut self, record: &mut Record<'t>) -> Result<(), SyntaxError> {
        loop {
            if self.records.dialect.blanks == Blanks::Skip {
                self.rest = self.rest.trim_start();
            }
            let field = match self.rest.strip_prefix('"') {
                Some(rest) => {
                    self.rest = rest;
                    self.quoted()?
                }
                None => Cow::Borrowed(self.plain()?),
            };
            record.push(field);
            match self.rest.strip_prefix(self.records.dialect.delimiter) {
                Some(rest) => self.rest = rest,
                None => return Ok(()),
            }
        }
    }

    /// Reads up to the next delimiter.
    fn plain(&mut self) -> Result<&'t str, SyntaxError> {
        let end = self.rest.find(self.records.dialect.delimiter).unwrap_or(self.rest.len());
        let (field, rest) = self.rest.split_at(end);
        if let Some(quote) = memchr::memchr(b'"', field.as_bytes()) {
            self.rest = &self.rest[quote..];
            return Err(self.error(Fault::BareQuote));
        }
        self.rest = rest;
        Ok(field)
    }

    /// Reads from behind the opening quote to behind the closing one; the text is copied only
    /// where it is not all of one piece.
    fn quoted(&mut self) -> Result<Cow<'t, str>, SyntaxError> {
        let mut field = Cow::Borrowed("");
        loop {
            let Some(quote) = memchr::memchr(b'"', self.rest.as_bytes()) else {
                append(&mut field, self.rest);
                self.continue_on_next_line(&mut field)?;
                continue;
            };
            append(&mut field, &self.rest[..quote]);
            let after = &self.rest[quote + 1..];
            if let Some(after) = after.strip_prefix('"') {
                append(&mut field, "\"");
                self.rest = after;
            } else if after.is_empty() || after.starts_with(self.records.dialect.delimiter) {
                self.rest = after;
                return Ok(field);
            } else {
                self.rest = &self.rest[quote..];
                return Err(self.error(Fault::Quote));
            }
        }
    }

    fn continue_on_next_line(&mut self, field: &mut Cow<'t, str>) -> Result<(), SyntaxError> {
        self.rest = "";
        if self.line.has_end {
            append(field, "\n");
        }
        match self.records.next_line() {
            Some(line) => {
                (self.line, self.rest) = (line, line.text);
                Ok(())
            }
            None => {
                let mut error = self.error(Fault::Quote);
                // The end of the line counts as a place in it.
                error.column += usize::from(self.line.has_end);
                Err(error)
            }
        }
    }

    /// The error at what is left of the line.
    fn error(&self, fault: Fault) -> SyntaxError {
        let column = self.line.text.len() - self.rest.len() + 1;
        SyntaxError { start_line: self.start_line, line: self.records.line, column, fault }
    }
}

fn append<'t>(field: &mut Cow<'t, str>, text: &'t str) {
    if field.is_empty() {
        *field = Cow::Borrowed(text);
    } else if !text.is_empty() {
        field.to_mut().push_str(text);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const COMMAS: Dialect = Dialect { delimiter: ',', comment: Some('#'), blanks: Blanks::Keep };

    fn read(text: &str, dialect: Dialect) -> Result<Vec<Vec<String>>, String> {
        let mut records = Records::new(text, dialect);
        let (mut record, mut all) = (Vec::new(), Vec::new());
        while records.read(&mut record).map_err(|error| error.to_string())? {
            all.push(record.iter().map(|field| field.to_string()).collect());
        }
        Ok(all)
    }

    #[test]
    fn fields_may_be_quoted_and_span_lines() {
        for (text, records) in [
            ("a,b\r\n\n#c\n,\"x\"\"y\",\n", vec![vec!["a", "b"], vec!["", "x\"y", ""]]),
            ("\"a\r\n\nb\",\"\"", vec![vec!["a\n\nb", ""]]),
            ("a\r", vec![vec!["a"]]),
            (" a, \tb ", vec![vec![" a", " \tb "]]),
            ("\"é,\",ł", vec![vec!["é,", "ł"]]),
            ("\n\n", vec![]),
        ] {
            assert_eq!(read(text, COMMAS).unwrap(), records, "{text:?}");
        }
        let skipping = Dialect { delimiter: 'ł', comment: None, blanks: Blanks::Skip };
        assert_eq!(read(" ał  \"b\"ł \n#", skipping).unwrap(), [vec!["a", "b", ""], vec!["#"]]);
    }

    #[test]
    fn errors_name_record_line_and_column() {
        for (text, message) in [
            ("a,b\"c\n", "parse error on line 1, column 4: bare \" in non-quoted-field"),
            (
                "a\n\"b\"c",
                "parse error on line 2, column 3: extraneous or missing \" in quoted-field",
            ),
            (
                "x,\"a\nb",
                "record on line 1; parse error on line 2, column 2: extraneous or missing \" in quoted-field",
            ),
            ("\"a\n", "parse error on line 1, column 4: extraneous or missing \" in quoted-field"),
            (
                "\"a\nb\"c",
                "record on line 1; parse error on line 2, column 2: extraneous or missing \" in quoted-field",
            ),
        ] {
            assert_eq!(read(text, COMMAS).unwrap_err(), message, "{text:?}");
        }
    }

    #[test]
    fn whole_records_end_with_the_last_line_that_no_quote_is_open_at() {
        let dialect = |comment| Dialect { comment, ..COMMAS };
        for (text, comment, records) in [
            ("a,b\nc", None, Some("a,b\n")),
            ("a,b", None, None),
            ("a\n\"b\nc\"\nd", None, Some("a\n\"b\nc\"\n")),
            ("a\n\"b\nc\"", None, Some("a\n")),
            ("a\n\"b\n", None, Some("a\n")),
            ("\"a\n\"\"\n", None, None),
            ("#\na\n", Some('#'), Some("#\na\n")),
            ("#\"\na\n", Some('#'), None),
        ] {
            let end = whole_records(text.as_bytes(), dialect(comment));
            assert_eq!(end.map(|end| &text[..end]), records, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[ab,\" \r\n#é]{0,40}") {
            let _ = read(&text, COMMAS);
            let _ = read(&text, Dialect { delimiter: 'é', comment: None, blanks: Blanks::Skip });
        }

        #[test]
        fn quoted_fields_read_back(fields in prop::collection::vec("[^\r]{0,6}", 1..5)) {
            let quoted: Vec<_> =
                fields.iter().map(|field| format!("\"{}\"", field.replace('"', "\"\""))).collect();
            prop_assert_eq!(read(&quoted.join(","), COMMAS).unwrap(), vec![fields]);
        }
    }
}
