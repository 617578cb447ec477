//! Where a line of a stream ends, before it is parsed: strings may hold line ends of their own.

/// How many bytes the first line has, its end counted; `None` if it has not come to its end.
pub fn first_line(stream: &[u8]) -> Option<usize> {
    let end = memchr::memchr(b'\n', stream)? + 1;
    if memchr::memchr(b'"', &stream[..end]).is_none() {
        return Some(end);
    }
    let is_comment =
        stream.iter().find(|byte| !matches!(byte, b' ' | b'\t')).is_some_and(|byte| *byte == b'#');
    if is_comment {
        return Some(end);
    }
    let mut at = end_of_series(stream)?;
    loop {
        at += memchr::memchr2(b'\n', b'"', &stream[at..])?;
        if stream[at] == b'\n' {
            return Some(at + 1);
        }
        // Elsewhere a quote is a byte as any other.
        at = if at > 0 && stream[at - 1] == b'=' { end_of_string(stream, at + 1)? } else { at + 1 };
    }
}

/// How many bytes the lines have that have come to their end; `None` if none has.
pub fn whole_lines(text: &[u8]) -> Option<usize> {
    if memchr::memchr(b'"', text).is_none() {
        return memchr::memrchr(b'\n', text).map(|end| end + 1);
    }
    let mut end = 0;
    while let Some(line) = first_line(&text[end..]) {
        end += line;
    }
    (end > 0).then_some(end)
}

/// The first blank or line end that no backslash stands before.
fn end_of_series(stream: &[u8]) -> Option<usize> {
    let mut at = stream.iter().position(|byte| !matches!(byte, b' ' | b'\t'))?;
    loop {
        at += memchr::memchr3(b' ', b'\n', b'\\', &stream[at..])?;
        match stream[at] {
            b'\\' => at += 2,
            _ => return Some(at),
        }
        if at > stream.len() {
            return None;
        }
    }
}

/// The byte after the quote that ends the string.
fn end_of_string(stream: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    loop {
        at += memchr::memchr2(b'"', b'\\', stream.get(at..)?)?;
        if stream[at] == b'"' {
            return Some(at + 1);
        }
        at += 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_ends_outside_of_strings() {
        for (stream, line) in [
            ("a v=1\nb v=1\n", Some("a v=1\n")),
            ("a v=1", None),
            ("", None),
            ("a v=\"x\ny\" 1\nb", Some("a v=\"x\ny\" 1\n")),
            ("a v=\"x\ny", None),
            ("a v=\"x\\\"\ny\",w=\"\n\"\n\n", Some("a v=\"x\\\"\ny\",w=\"\n\"\n")),
            ("a,t=\"x v=1\nb v=1\n", Some("a,t=\"x v=1\n")),
            ("a\\ ,t=\"x v=1\nb v=1\n", Some("a\\ ,t=\"x v=1\n")),
            ("# \"quoted\nb v=1\n", Some("# \"quoted\n")),
            ("  \t\"\nb v=1\n", Some("  \t\"\n")),
            ("a v=\"\\", None),
            ("a\\", None),
        ] {
            assert_eq!(first_line(stream.as_bytes()).map(|end| &stream[..end]), line, "{stream}");
        }
    }

    #[test]
    fn whole_lines_end_with_the_last_that_is_outside_of_strings() {
        for (text, lines) in [
            ("a v=1\nb v=1\nc v", Some("a v=1\nb v=1\n")),
            ("a v=\"x\"\nb v=\"\n", Some("a v=\"x\"\n")),
            ("a v=\"x\ny", None),
            ("a v=1", None),
            ("", None),
        ] {
            assert_eq!(whole_lines(text.as_bytes()).map(|end| &text[..end]), lines, "{text}");
        }
    }
}
