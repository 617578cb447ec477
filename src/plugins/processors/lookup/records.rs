//! Records of comma-separated values, with comments, and blanks before values left out.
//!
//! # References
//! RFC 4180; Go's package `encoding/csv` for comments, blanks and what is refused.

/// Why a line is no record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum RecordError {
    #[error("record on line {line}: wrong number of fields")]
    WrongLength { line: usize },
    #[error("parse error on line {line}: bare \" in non-quoted field")]
    BareQuote { line: usize },
    #[error("parse error on line {line}: extraneous or missing \" in quoted-field")]
    OpenQuote { line: usize },
}

/// Reads records one after the other; lines that are empty or begin with `#` are passed over.
pub(super) struct Records<'t> {
    rest: &'t str,
    /// The line that was begun last, from 1.
    line: usize,
    length: Length,
}

/// How many values records have.
enum Length {
    Any,
    /// As many as the first one.
    Equal(Option<usize>),
}

impl<'t> Records<'t> {
    pub(super) fn new(text: &'t str) -> Records<'t> {
        Records { rest: text, line: 0, length: Length::Any }
    }

    /// Refuses records of another length than the first.
    pub(super) fn of_equal_length(text: &'t str) -> Records<'t> {
        Records { length: Length::Equal(None), ..Records::new(text) }
    }

    fn next_line(&mut self) -> Option<&'t str> {
        if self.rest.is_empty() {
            return None;
        }
        self.line += 1;
        let (line, rest) = self.rest.split_once('\n').unwrap_or((self.rest, ""));
        self.rest = rest;
        Some(line.strip_suffix('\r').unwrap_or(line))
    }

    fn record(&mut self, mut line: &'t str) -> Result<Vec<String>, RecordError> {
        let begin = self.line;
        let mut values = Vec::new();
        loop {
            line = line.trim_start();
            let Some(quoted) = line.strip_prefix('"') else {
                let (value, rest) = match line.split_once(',') {
                    Some((value, rest)) => (value, Some(rest)),
                    None => (line, None),
                };
                if value.contains('"') {
                    return Err(RecordError::BareQuote { line: self.line });
                }
                values.push(value.to_owned());
                match rest {
                    Some(rest) => line = rest,
                    None => break,
                }
                continue;
            };
            let (value, rest) = self.quoted(quoted)?;
            values.push(value);
            match rest.strip_prefix(',') {
                Some(rest) => line = rest,
                None if rest.is_empty() => break,
                None => return Err(RecordError::OpenQuote { line: self.line }),
            }
        }
        if let Length::Equal(length) = &mut self.length
            && *length.get_or_insert(values.len()) != values.len()
        {
            return Err(RecordError::WrongLength { line: begin });
        }
        Ok(values)
    }

    /// Reads behind an opening quote, over line ends if need be; returns what follows the closing
    /// one.
    fn quoted(&mut self, mut line: &'t str) -> Result<(String, &'t str), RecordError> {
        let begin = self.line;
        let mut value = String::new();
        loop {
            match line.split_once('"') {
                Some((before, after)) => {
                    value.push_str(before);
                    let Some(rest) = after.strip_prefix('"') else { return Ok((value, after)) };
                    value.push('"');
                    line = rest;
                }
                None => {
                    value.push_str(line);
                    value.push('\n');
                    let unclosed = RecordError::OpenQuote { line: begin };
                    line = self.next_line().ok_or(unclosed)?;
                }
            }
        }
    }
}

impl Iterator for Records<'_> {
    type Item = Result<Vec<String>, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let line = self.next_line()?;
            if !line.is_empty() && !line.starts_with('#') {
                return Some(self.record(line));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_as_in_go() {
        let text = "# comment\r\na, b ,  \"c, \"\"d\"\"\"\r\n\n\"x\ny\",z,\n #no comment,1\n";
        let records: Result<Vec<_>, _> = Records::new(text).collect();
        assert_eq!(
            records.unwrap(),
            [vec!["a", "b ", "c, \"d\""], vec!["x\ny", "z", ""], vec!["#no comment", "1"]]
        );
    }

    #[test]
    fn what_go_refuses_is_refused() {
        for (text, error) in [
            ("a,b\"c", RecordError::BareQuote { line: 1 }),
            ("a\n\"b\"c,d", RecordError::OpenQuote { line: 2 }),
            ("a,\"b\nc", RecordError::OpenQuote { line: 1 }),
        ] {
            assert_eq!(Records::new(text).find_map(Result::err), Some(error));
        }
        let short = Records::of_equal_length("a,b\nc\n").find_map(Result::err);
        assert_eq!(short, Some(RecordError::WrongLength { line: 2 }));
    }
}
