//! Files of dead letters, read back line by line.

use std::io::{self, BufRead, Read};
use std::marker::PhantomData;

use serde::de::DeserializeOwned;

/// How long a line can be: Kafka's largest records, most of them in base64, with room to spare.
const MOST_LINE_BYTES: u64 = 2 << 30;

/// The letters in a file, as far as they can be read; damaged lines are passed over.
pub struct Letters<R, L> {
    file: R,
    line: Vec<u8>,
    number: u64,
    most_bytes: u64,
    letters: PhantomData<L>,
}

/// A letter and the line that it stands in, counted from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Numbered<L> {
    /// The line.
    pub line: u64,
    /// The letter.
    pub letter: L,
}

/// Why a letter cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LettersError {
    /// The file cannot be read any further.
    #[error("reading it: {0}")]
    Read(#[from] io::Error),
    /// The last line does not end, and is no letter.
    #[error("line {line} is torn off: {reason}")]
    Torn {
        /// The line.
        line: u64,
        /// What is missing.
        reason: String,
    },
    /// A line is no letter.
    #[error("line {line} is damaged: {reason}")]
    Damaged {
        /// The line.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
}

impl<R: BufRead, L: DeserializeOwned> Letters<R, L> {
    /// Begins at the first line.
    pub fn new(file: R) -> Letters<R, L> {
        let most_bytes = MOST_LINE_BYTES;
        Letters { file, line: Vec::new(), number: 0, most_bytes, letters: PhantomData }
    }

    /// The line that was read last, as it stands in the file; empty if it was too long.
    pub fn line(&self) -> &[u8] {
        &self.line
    }

    /// Reads the next line; none at the end.
    fn read_line(&mut self) -> io::Result<Option<Line>> {
        self.line.clear();
        let most = self.most_bytes;
        let n_read = Read::take(&mut self.file, most).read_until(b'\n', &mut self.line)?;
        if n_read == 0 {
            return Ok(None);
        }
        self.number += 1;
        let is_whole = self.line.last() == Some(&b'\n');
        if is_whole {
            return Ok(Some(Line::Whole));
        }
        if (n_read as u64) < most {
            return Ok(Some(Line::Unended));
        }
        self.line.clear();
        self.skip_line()?;
        Ok(Some(Line::TooLong))
    }

    /// Goes to the end of the line.
    fn skip_line(&mut self) -> io::Result<()> {
        loop {
            let piece = self.file.fill_buf()?;
            if piece.is_empty() {
                return Ok(());
            }
            let end = memchr::memchr(b'\n', piece);
            let length = end.map_or(piece.len(), |end| end + 1);
            self.file.consume(length);
            if end.is_some() {
                return Ok(());
            }
        }
    }
}

enum Line {
    /// It ends with a line end.
    Whole,
    /// The file ends without one.
    Unended,
    /// No letter is that long.
    TooLong,
}

impl<R: BufRead, L: DeserializeOwned> Iterator for Letters<R, L> {
    type Item = Result<Numbered<L>, LettersError>;

    fn next(&mut self) -> Option<Result<Numbered<L>, LettersError>> {
        loop {
            let read = match self.read_line() {
                Ok(Some(read)) => read,
                Ok(None) => return None,
                Err(error) => return Some(Err(error.into())),
            };
            let line = self.number;
            if let Line::TooLong = read {
                let reason = format!("it has more than {} bytes", self.most_bytes);
                return Some(Err(LettersError::Damaged { line, reason }));
            }
            if self.line.trim_ascii().is_empty() {
                continue;
            }
            return Some(match (serde_json::from_slice(&self.line), read) {
                // An editor may have taken the last line end away.
                (Ok(letter), _) => Ok(Numbered { line, letter }),
                (Err(error), Line::Unended) => {
                    Err(LettersError::Torn { line, reason: in_line(&error) })
                }
                (Err(error), _) => Err(LettersError::Damaged { line, reason: in_line(&error) }),
            });
        }
    }
}

/// What is wrong, with the column only: to the parser each line is the first.
fn in_line(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(" at line ") {
        Some((reason, _)) => format!("{reason} at column {}", error.column()),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::letters::Bytes;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Letter {
        topic: String,
        #[serde(rename = "value")]
        _value: Bytes<'static>,
    }

    const GOOD: &str = r#"{"topic":"t","value":"v"}"#;

    fn read(file: &[u8]) -> Vec<String> {
        let letters: Letters<_, Letter> = Letters { most_bytes: 300, ..Letters::new(file) };
        letters
            .map(|letter| match letter {
                Ok(Numbered { line, letter }) => format!("{line}: {}", letter.topic),
                Err(error) => error.to_string(),
            })
            .collect()
    }

    #[test]
    fn what_cannot_be_read_is_told_by_its_line_and_keeps_nothing_else_back() {
        let long = "x".repeat(1000);
        let file = format!("{GOOD}\n\n{{\"topic\":1}}\n{long}\n{GOOD}\n{GOOD}");
        assert_eq!(
            read(file.as_bytes()),
            [
                "1: t",
                "line 3 is damaged: invalid type: integer `1`, expected a string at column 10",
                "line 4 is damaged: it has more than 300 bytes",
                "5: t",
                "6: t",
            ]
        );
        for end in 1..GOOD.len() {
            let found = read(format!("{GOOD}\n{}", &GOOD[..end]).as_bytes());
            assert_eq!(found[0], "1: t");
            assert!(found.len() == 2 && found[1].starts_with("line 2 is torn off: "), "{found:?}");
        }
        assert_eq!(read(b""), Vec::<String>::new());
    }

    #[test]
    fn letters_have_all_their_parts_and_no_others() {
        for (damaged, reason) in [
            (GOOD.replace("\"value\":\"v\"", "\"vlaue\":\"v\""), "unknown field `vlaue`"),
            (GOOD.replace(",\"value\":\"v\"", ""), "missing field `value`"),
            (GOOD.replace("\"v\"", "{\"base64\":\"*\"}"), "Invalid symbol 42"),
            (GOOD.replace("\"v\"", "{\"hex\":\"00\"}"), "unknown field `hex`"),
            (GOOD.replace("\"v\"", "{}"), "missing field `base64`"),
            (GOOD.replace("\"v\"", "5"), "expected a text or {\"base64\": …}"),
            (format!("{GOOD} {GOOD}"), "trailing characters"),
        ] {
            let found = read(format!("{damaged}\n").as_bytes());
            assert!(
                found[0].contains("line 1 is damaged") && found[0].contains(reason),
                "{found:?}"
            );
        }
    }

    #[test]
    fn a_file_that_cannot_be_read_says_so() {
        let folder = std::fs::OpenOptions::new().read(true).open("/").unwrap();
        let mut letters: Letters<_, Letter> = Letters::new(io::BufReader::new(folder));
        let error = letters.next().unwrap().unwrap_err();
        assert!(error.to_string().starts_with("reading it: "), "{error}");
    }
}
