//! Strings in quotes.

/// What a backslash in a string means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Style {
    /// The beginning of an escape.
    #[default]
    Escaped,
    /// Itself.
    Raw,
}

/// Reads the string at the beginning of `text`, which is a quote, and tells how long it is there.
///
/// # Errors
/// What is wrong with it.
pub(super) fn read(text: &str, style: Style) -> Result<(String, usize), String> {
    let mark = if text.starts_with('"') { "\"" } else { "'" };
    let triple = mark.repeat(3);
    let quote = if text.starts_with(&triple) { triple.as_str() } else { mark };
    let mut out = String::new();
    let mut at = quote.len();
    loop {
        let rest = &text[at..];
        let Some(next) = rest.chars().next() else {
            return Err("unexpected EOF in string".to_owned());
        };
        if rest.starts_with(quote) {
            return Ok((out, at + quote.len()));
        }
        match next {
            '\n' if quote.len() == 1 => return Err("unexpected newline in string".to_owned()),
            // Lines of a script may end as those of Windows do; strings do not tell.
            '\r' if rest.starts_with("\r\n") => at += 1,
            '\\' => {
                let (escaped, len) = match style {
                    Style::Raw => raw_backslash(rest)?,
                    Style::Escaped => escape(rest)?,
                };
                out.push_str(&escaped);
                at += len;
            }
            _ => {
                out.push(next);
                at += next.len_utf8();
            }
        }
    }
}

/// A backslash in a raw string keeps a quote behind it from ending the string.
fn raw_backslash(text: &str) -> Result<(String, usize), String> {
    let next = text[1..].chars().next().ok_or("unexpected EOF in string")?;
    Ok((format!("\\{next}"), 1 + next.len_utf8()))
}

/// Reads an escape and tells how long it is.
fn escape(text: &str) -> Result<(String, usize), String> {
    let next = text[1..].chars().next().ok_or("unexpected EOF in string")?;
    let simple = match next {
        '\n' => return Ok((String::new(), 2)),
        '\r' if text[1..].starts_with("\r\n") => return Ok((String::new(), 3)),
        'a' => '\u{7}',
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\u{b}',
        '\\' | '\'' | '"' => next,
        '0'..='7' => {
            let digits: String =
                text[1..].chars().take(3).take_while(|digit| digit.is_digit(8)).collect();
            return coded(&digits, 8, &text[..=digits.len()]);
        }
        'x' => return hexadecimal(text, 2),
        'u' => return hexadecimal(text, 4),
        'U' => return hexadecimal(text, 8),
        _ => return Err(format!("invalid escape sequence \\{next}")),
    };
    Ok((simple.to_string(), 2))
}

fn hexadecimal(text: &str, len: usize) -> Result<(String, usize), String> {
    let digits: String = text[2..].chars().take(len).take_while(char::is_ascii_hexdigit).collect();
    let whole = &text[..2 + digits.len()];
    if digits.len() < len {
        return Err(format!("truncated escape sequence {whole}"));
    }
    coded(&digits, 16, whole)
}

fn coded(digits: &str, base: u32, whole: &str) -> Result<(String, usize), String> {
    let code = u32::from_str_radix(digits, base).unwrap_or(u32::MAX);
    let is_byte = !whole.starts_with("\\u") && !whole.starts_with("\\U");
    if is_byte && code > 127 {
        return Err(format!(
            "non-ASCII {} escape {whole} (use \\u{code:04X} for the UTF-8 encoding of U+{code:04X})",
            if base == 8 { "octal" } else { "hex" },
        ));
    }
    match char::from_u32(code) {
        Some(character) => Ok((character.to_string(), whole.len())),
        None if code > 0x10_ffff => {
            Err(format!("code point out of range: {whole} (max \\U0010ffff)"))
        }
        None => Err(format!("invalid Unicode code point U+{code:04X}")),
    }
}
