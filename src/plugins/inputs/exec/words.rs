//! Splits a command line into words as a shell does.
//!
//! # References
//! POSIX shell, 2.2 Quoting. Nothing is expanded: no variables, no patterns, no braces.

/// Quotes or backslashes that do not end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SplitError {
    /// A single quote is missing.
    #[error("Unterminated single-quoted string")]
    SingleQuote,
    /// A double quote is missing.
    #[error("Unterminated double-quoted string")]
    DoubleQuote,
    /// The text ends with a backslash.
    #[error("Unterminated backslash-escape")]
    Escape,
}

/// Splits `line` at blanks that are not quoted.
pub(super) fn split(line: &str) -> Result<Vec<String>, SplitError> {
    let mut words = Vec::new();
    // None between words; an empty word is one that was only quotes.
    let mut word: Option<String> = None;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            ' ' | '\t' | '\n' => words.extend(word.take()),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next().ok_or(SplitError::SingleQuote)? {
                        '\'' => break,
                        c => word.push(c),
                    }
                }
            }
            '"' => double_quoted(&mut chars, word.get_or_insert_default())?,
            // A line end after a backslash is as if it were not there.
            '\\' => match chars.next().ok_or(SplitError::Escape)? {
                '\n' => {}
                c => word.get_or_insert_default().push(c),
            },
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Ok(words)
}

fn double_quoted(chars: &mut std::str::Chars<'_>, word: &mut String) -> Result<(), SplitError> {
    loop {
        match chars.next().ok_or(SplitError::DoubleQuote)? {
            '"' => return Ok(()),
            '\\' => match chars.next().ok_or(SplitError::DoubleQuote)? {
                '\n' => {}
                c @ ('$' | '`' | '"' | '\\') => word.push(c),
                c => word.extend(['\\', c]),
            },
            c => word.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn quotes_and_backslashes_keep_words_together() {
        for (line, words) in [
            ("", &[][..]),
            ("  a\tb\nc ", &["a", "b", "c"]),
            (r#"echo 'a b' "c d" e\ f"#, &["echo", "a b", "c d", "e f"]),
            (r#"a'b'"c"d"#, &["abcd"]),
            (r#"'' "" x"#, &["", "", "x"]),
            (r#"'a\b' "a\b\"\\\$\`""#, &[r"a\b", r#"a\b"\$`"#]),
            ("a\\\nb \\\n c \"d\\\ne\"", &["ab", "c", "de"]),
            ("*.sh {a,b} $HOME", &["*.sh", "{a,b}", "$HOME"]),
            ("żółw 'ż ó'", &["żółw", "ż ó"]),
        ] {
            assert_eq!(split(line).unwrap(), words, "{line}");
        }
    }

    #[test]
    fn what_does_not_end_is_refused() {
        assert_eq!(split("a 'b"), Err(SplitError::SingleQuote));
        assert_eq!(split("a \"b"), Err(SplitError::DoubleQuote));
        assert_eq!(split("a \"b\\"), Err(SplitError::DoubleQuote));
        assert_eq!(split("a \\"), Err(SplitError::Escape));
    }

    proptest! {
        #[test]
        fn words_in_single_quotes_come_back(words in prop::collection::vec("[^']{0,8}", 0..5)) {
            let line: Vec<_> = words.iter().map(|word| format!("'{word}'")).collect();
            prop_assert_eq!(split(&line.join(" ")).unwrap(), words);
        }
    }
}
