//! What is read back of files with rows: their header, and where their last whole row ends.

use std::io::{self, BufRead, Read};

/// How long a header can be.
const MOST_HEADER_BYTES: u64 = 1 << 20;

/// Why names of columns cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ColumnsError {
    /// They are not one row of CSV.
    #[error("{0:?} is no list of names separated by commas")]
    List(String),
    /// A name is missing between two commas.
    #[error("a column has no name in {0:?}")]
    NoName(String),
    /// Two columns have one name.
    #[error("the column {0:?} is named twice")]
    Double(String),
}

/// Takes a list of names of columns apart; names with commas stand in quotes.
///
/// # Errors
/// If it is none, or names cannot be told apart.
pub fn parse_columns(list: &str) -> Result<Vec<String>, ColumnsError> {
    let names = first_row(list.as_bytes())
        .filter(|_| !list.contains(['\n', '\r']))
        .ok_or_else(|| ColumnsError::List(list.to_owned()))?;
    let names: Vec<_> = names.iter().map(|name| name.trim().to_owned()).collect();
    for (at, name) in names.iter().enumerate() {
        if name.is_empty() {
            return Err(ColumnsError::NoName(list.to_owned()));
        }
        if names[..at].contains(name) {
            return Err(ColumnsError::Double(name.clone()));
        }
    }
    Ok(names)
}

/// The names in the first row of a file; none if it does not begin with a whole row of UTF-8.
///
/// # Errors
/// Whatever reading fails with.
pub fn header_of(mut file: impl BufRead) -> io::Result<Option<Vec<String>>> {
    let mut header = Vec::new();
    let mut file = Read::take(&mut file, MOST_HEADER_BYTES);
    let mut n_quotes = 0;
    loop {
        let n_read = file.read_until(b'\n', &mut header)?;
        let line = &header[header.len() - n_read..];
        n_quotes += line.iter().filter(|byte| **byte == b'"').count();
        if n_read == 0 || header.last() != Some(&b'\n') {
            return Ok(None);
        }
        // A line end between two quotes belongs to a name.
        if n_quotes % 2 == 0 {
            return Ok(first_row(&header));
        }
    }
}

/// Where the last whole row ends, in bytes. A line end inside of quotes ends no row, which only
/// those know who have read from the beginning.
///
/// # Errors
/// Whatever reading fails with.
pub fn end_of_last_row(mut file: impl BufRead) -> io::Result<u64> {
    let (mut end, mut place, mut is_quoted) = (0, 0, false);
    loop {
        let piece = file.fill_buf()?;
        if piece.is_empty() {
            return Ok(end);
        }
        for at in memchr::memchr2_iter(b'"', b'\n', piece) {
            if piece[at] == b'"' {
                is_quoted = !is_quoted;
            } else if !is_quoted {
                end = place + at as u64 + 1;
            }
        }
        let length = piece.len();
        file.consume(length);
        place += length as u64;
    }
}

fn first_row(text: &[u8]) -> Option<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text);
    let row = reader.records().next()?.ok()?;
    Some(row.iter().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::cell::row_of;
    use super::*;

    #[test]
    fn a_header_is_read_back_unless_it_is_torn() {
        for (file, header) in [
            ("time,measurement,a\n1,m,2\n", Some(vec!["time", "measurement", "a"])),
            ("time,\"a,\nb\",\"\"\"\"\n", Some(vec!["time", "a,\nb", "\""])),
            ("time,meas", None),
            ("time,\"meas\n", None),
            ("", None),
        ] {
            let header = header.map(|names| names.into_iter().map(str::to_owned).collect());
            assert_eq!(header_of(file.as_bytes()).unwrap(), header, "{file:?}");
        }
        assert_eq!(header_of(b"time,\xff\n".as_slice()).unwrap(), None);
        assert_eq!(header_of(b"\"\n".repeat(1 << 20).as_slice()).unwrap().map(|_| ()), Some(()));
        assert_eq!(header_of(b"x".repeat(2 << 20).as_slice()).unwrap(), None);
        // Lines in a name do not cost more the more there are.
        let lines = [b"\"".as_slice(), &b"\n".repeat(2 << 20)].concat();
        assert_eq!(header_of(lines.as_slice()).unwrap(), None);
    }

    #[test]
    fn names_of_columns_are_a_row_of_csv() {
        let names = parse_columns("time, host,\"a,b\"").unwrap();
        assert_eq!(names, ["time", "host", "a,b"]);
        for (list, message) in [
            ("", "is no list"),
            ("a\nb", "is no list"),
            ("a,,b", "has no name"),
            ("a,b,a", "\"a\" is named twice"),
        ] {
            let error = parse_columns(list).unwrap_err().to_string();
            assert!(error.contains(message), "{list:?}: {error}");
        }
    }

    proptest! {
        #[test]
        fn after_any_cut_whole_rows_are_found(
            rows in prop::collection::vec(prop::collection::vec("[a\",\n\r]{0,4}", 1..4), 0..8),
            cut in 0_usize..200,
            piece in 1_usize..9,
        ) {
            let mut file = Vec::new();
            let mut ends = vec![0];
            for row in &rows {
                file.extend(row_of(row.iter().map(String::as_str)));
                ends.push(file.len());
            }
            let cut = cut.min(file.len());
            let expected = ends.iter().rev().find(|end| **end <= cut).unwrap();
            let reader = io::BufReader::with_capacity(piece, &file[..cut]);
            prop_assert_eq!(end_of_last_row(reader).unwrap(), *expected as u64);
        }
    }
}
