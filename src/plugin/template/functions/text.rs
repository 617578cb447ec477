//! Sprig's functions of texts.

use std::borrow::Cow;

use super::super::data::{Data, Dict};
use super::super::print::shown;
use super::{Answer, Call, Function, takes, takes_any};
use crate::plugin::Quoted;

pub(super) const FUNCTIONS: &[Function] = &[
    takes(2, "abbrev", |call| Ok(Data::text(abbreviate(call.text(1)?, 0, call.int(0)?)))),
    takes(3, "abbrevboth", |call| {
        Ok(Data::text(abbreviate(call.text(2)?, call.int(0)?, call.int(1)?)))
    }),
    takes(2, "trunc", |call| Ok(Data::text(truncate(call.text(1)?, call.int(0)?)))),
    takes(1, "trim", |call| map(call, |text| text.trim().to_owned())),
    takes(1, "upper", |call| map(call, str::to_uppercase)),
    takes(1, "lower", |call| map(call, str::to_lowercase)),
    takes(1, "title", |call| map(call, |text| on_words(text, is_separator, char::to_uppercase))),
    takes(1, "untitle", |call| {
        map(call, |text| on_words(text, char::is_whitespace, char::to_lowercase))
    }),
    takes(3, "substr", |call| {
        let (text, start, end) = (call.text(2)?, call.int(0)?, call.int(1)?);
        let length = i64::try_from(text.len()).unwrap_or(i64::MAX);
        let end = if start >= 0 && !(0..=length).contains(&end) { length } else { end };
        part(text, start.max(0), end)
            .map(Data::text)
            .ok_or_else(|| call.failure("runtime error: slice bounds out of range"))
    }),
    takes(2, "repeat", |call| {
        const MOST_BYTES: usize = 1 << 24;
        let (count, text) = (call.int(0)?, call.text(1)?);
        let Ok(count) = usize::try_from(count) else {
            return Err(call.failure("strings: negative Repeat count"));
        };
        if count.saturating_mul(text.len()) > MOST_BYTES {
            return Err(call.failure("strings: Repeat output length overflow"));
        }
        Ok(Data::text(text.repeat(count)))
    }),
    takes(2, "trimall", trim_all),
    takes(2, "trimAll", trim_all),
    takes(2, "trimSuffix", |call| {
        let (suffix, text) = (call.text(0)?, call.text(1)?);
        Ok(Data::text(text.strip_suffix(suffix).unwrap_or(text).to_owned()))
    }),
    takes(2, "trimPrefix", |call| {
        let (prefix, text) = (call.text(0)?, call.text(1)?);
        Ok(Data::text(text.strip_prefix(prefix).unwrap_or(text).to_owned()))
    }),
    takes(1, "nospace", |call| map(call, |text| text.split_whitespace().collect())),
    takes(1, "initials", |call| {
        map(call, |text| text.split_whitespace().filter_map(|word| word.chars().next()).collect())
    }),
    takes(1, "randAlphaNum", |call| random(call, fastrand::Rng::alphanumeric)),
    takes(1, "randAlpha", |call| random(call, fastrand::Rng::alphabetic)),
    takes(1, "randAscii", |call| random(call, |random| char::from(random.u8(b' '..=b'~')))),
    takes(1, "randNumeric", |call| random(call, |random| random.digit(10))),
    takes(1, "shuffle", |call| {
        let mut chars: Vec<char> = call.text(0)?.chars().collect();
        call.world.random.borrow_mut().shuffle(&mut chars);
        Ok(Data::text(chars.into_iter().collect::<String>()))
    }),
    takes(0, "uuidv4", |call| {
        let bytes = call.world.random.borrow_mut().u128(..).to_ne_bytes();
        let uuid = uuid::Builder::from_random_bytes(bytes).into_uuid();
        Ok(Data::text(uuid.hyphenated().to_string()))
    }),
    takes(1, "swapcase", |call| map(call, |text| text.chars().flat_map(swap_case).collect())),
    takes(1, "snakecase", |call| map(call, |text| words_of(text).join("_"))),
    takes(1, "kebabcase", |call| map(call, |text| words_of(text).join("-"))),
    takes(1, "camelcase", |call| map(call, pascal_case)),
    takes(2, "wrap", |call| Ok(Data::text(wrap(call.text(1)?, call.int(0)?, "\n", Words::Whole)))),
    takes(3, "wrapWith", |call| {
        Ok(Data::text(wrap(call.text(2)?, call.int(0)?, call.text(1)?, Words::Cut)))
    }),
    takes(2, "contains", |call| Ok(Data::Boolean(call.text(1)?.contains(call.text(0)?)))),
    takes(2, "hasPrefix", |call| Ok(Data::Boolean(call.text(1)?.starts_with(call.text(0)?)))),
    takes(2, "hasSuffix", |call| Ok(Data::Boolean(call.text(1)?.ends_with(call.text(0)?)))),
    takes_any(0, "quote", |call| {
        Ok(joined(call, |value| Quoted::new(text_of(value).as_ref()).to_string()))
    }),
    takes_any(0, "squote", |call| Ok(joined(call, |value| format!("'{}'", shown(value))))),
    takes_any(0, "cat", |call| Ok(joined(call, shown))),
    takes(2, "indent", |call| Ok(Data::text(indent(call)?))),
    takes(2, "nindent", |call| Ok(Data::text(format!("\n{}", indent(call)?)))),
    takes(3, "replace", |call| Ok(Data::text(call.text(2)?.replace(call.text(0)?, call.text(1)?)))),
    takes(3, "plural", |call| {
        let text = call.text(if call.int(2)? == 1 { 0 } else { 1 })?;
        Ok(Data::text(text.to_owned()))
    }),
    takes(1, "toString", |call| Ok(Data::text(text_of(call.value(0)).into_owned()))),
    takes(2, "split", |call| {
        let (separator, text) = (call.text(0)?, call.text(1)?);
        Ok(numbered(split(text, separator, usize::MAX)))
    }),
    takes(2, "splitList", |call| {
        let (separator, text) = (call.text(0)?, call.text(1)?);
        Ok(Data::texts(split(text, separator, usize::MAX)))
    }),
    takes(3, "splitn", |call| {
        let (separator, text) = (call.text(0)?, call.text(2)?);
        // A negative number asks for all parts.
        let most = usize::try_from(call.int(1)?).unwrap_or(usize::MAX);
        Ok(numbered(split(text, separator, most)))
    }),
];

/// A value as a text: a text itself, all else as it is printed.
pub(super) fn text_of<'d>(value: &'d Data<'_>) -> Cow<'d, str> {
    match value {
        Data::Text(text) => Cow::Borrowed(text),
        other => Cow::Owned(shown(other)),
    }
}

fn map<'a>(call: &Call<'_, 'a>, change: impl FnOnce(&str) -> String) -> Answer<'a> {
    Ok(Data::text(change(call.text(0)?)))
}

/// All arguments but nil, with blanks between them.
fn joined<'a>(call: &Call<'_, 'a>, write: impl Fn(&Data<'_>) -> String) -> Data<'a> {
    let present = call.values.iter().filter(|value| !matches!(value, Data::Nil));
    Data::text(present.map(write).collect::<Vec<_>>().join(" "))
}

/// The bytes of a part; what it cuts through is replaced.
fn part(text: &str, start: i64, end: i64) -> Option<String> {
    let (start, end) = (usize::try_from(start).ok()?, usize::try_from(end).ok()?);
    text.as_bytes().get(start..end).map(|bytes| String::from_utf8_lossy(bytes).into_owned())
}

fn truncate(text: &str, count: i64) -> String {
    let length = i64::try_from(text.len()).unwrap_or(i64::MAX);
    let cut = if count < 0 && length + count > 0 {
        part(text, length + count, length)
    } else if (0..length).contains(&count) {
        part(text, 0, count)
    } else {
        None
    };
    cut.unwrap_or_else(|| text.to_owned())
}

/// Shortens a text to a width, three points standing for what is left out.
fn abbreviate(text: &str, offset: i64, width: i64) -> String {
    let length = i64::try_from(text.len()).unwrap_or(i64::MAX);
    if width < 4 || (offset > 0 && width < 7) || length <= width {
        return text.to_owned();
    }
    let offset = offset.clamp(0, length).min(length - (width - 3));
    let cut = |start, end| part(text, start, end).unwrap_or_default();
    if offset <= 4 {
        return cut(0, width - 3) + "...";
    }
    if offset + width - 3 < length {
        return format!("...{}", abbreviate(&cut(offset, length), 0, width - 3));
    }
    format!("...{}", cut(length - (width - 3), length))
}

fn trim_all<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    let (cut, text) = (call.text(0)?, call.text(1)?);
    Ok(Data::text(text.trim_matches(|c| cut.contains(c)).to_owned()))
}

/// What stands between words for `title`.
fn is_separator(c: char) -> bool {
    if c.is_ascii() {
        return !c.is_ascii_alphanumeric() && c != '_';
    }
    c.is_whitespace()
}

/// Changes the first character of each word.
fn on_words<C: Iterator<Item = char>>(
    text: &str,
    is_between: fn(char) -> bool,
    change: fn(char) -> C,
) -> String {
    let mut out = String::with_capacity(text.len());
    let mut is_start = true;
    for c in text.chars() {
        if is_start {
            out.extend(change(c));
        } else {
            out.push(c);
        }
        is_start = is_between(c);
    }
    out
}

fn swap_case(c: char) -> impl Iterator<Item = char> {
    let (upper, lower) = match c.is_uppercase() {
        true => (None, Some(c.to_lowercase())),
        false => (Some(c.to_uppercase()), None),
    };
    upper.into_iter().flatten().chain(lower.into_iter().flatten())
}

fn random<'a>(call: &Call<'_, 'a>, draw: impl Fn(&mut fastrand::Rng) -> char) -> Answer<'a> {
    const MOST: i64 = 1 << 20;
    let random = &mut *call.world.random.borrow_mut();
    Ok(Data::text((0..call.int(0)?.min(MOST)).map(|_| draw(random)).collect::<String>()))
}

/// The words of a name in lower case: parted by `_`, `-` and blanks, where a capital
/// letter follows a small one, before the last capital of several, and before a number that is
/// followed by small letters.
fn words_of(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    for (at, &c) in chars.iter().enumerate() {
        if matches!(c, '_' | '-') || c.is_whitespace() {
            words.push(std::mem::take(&mut word));
            continue;
        }
        let before = at.checked_sub(1).and_then(|before| chars.get(before)).copied();
        let after = chars.get(at + 1).copied();
        let behind_number = chars[at..].iter().find(|c| !c.is_ascii_digit()).copied();
        let is_lower = |c: Option<char>| c.is_some_and(char::is_lowercase);
        let begins = match before {
            _ if word.is_empty() => false,
            Some(before) if c.is_uppercase() => !before.is_uppercase() || is_lower(after),
            Some(before) if c.is_ascii_digit() => {
                let begins_with_digit = word.starts_with(|c: char| c.is_ascii_digit());
                !before.is_ascii_digit() && is_lower(behind_number) && !begins_with_digit
            }
            _ => false,
        };
        if begins {
            words.push(std::mem::take(&mut word));
        }
        word.extend(c.to_lowercase());
    }
    words.push(word);
    words
}

/// Joins the words of a name, each with a capital letter; `_` at both ends and of several stay.
fn pascal_case(text: &str) -> String {
    let is_connector = |c: char| matches!(c, '_' | '-') || c.is_whitespace();
    let has_lower = text.chars().any(char::is_lowercase);
    let mut out = String::with_capacity(text.len());
    let mut waiting = 0_usize;
    for c in text.chars() {
        if is_connector(c) {
            if waiting > 0 || out.is_empty() {
                out.push(c);
            }
            waiting += 1;
            continue;
        }
        if waiting > 0 || out.is_empty() {
            out.extend(c.to_uppercase());
        } else if has_lower {
            out.push(c);
        } else {
            out.extend(c.to_lowercase());
        }
        waiting = 0;
    }
    if waiting > 0 && !out.ends_with(is_connector) {
        out.push('_');
    }
    out
}

/// What becomes of words that are longer than a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Words {
    Whole,
    Cut,
}

/// Breaks a text into lines of at most so many characters, at blanks.
fn wrap(text: &str, width: i64, newline: &str, words: Words) -> String {
    let chars: Vec<char> = text.chars().collect();
    let width = usize::try_from(width).unwrap_or(0).max(1);
    let mut out = String::with_capacity(text.len() + text.len() / width);
    let mut at = 0;
    while chars.len() - at > width {
        if chars[at] == ' ' {
            at += 1;
            continue;
        }
        let line = &chars[at..at + width + 1];
        let space = line.iter().rposition(|c| *c == ' ').or_else(|| {
            let further = || chars[at + width..].iter().position(|c| *c == ' ');
            (words == Words::Whole).then(further).flatten().map(|found| found + width)
        });
        let (end, next) = match (space, words) {
            (Some(space), _) => (at + space, at + space + 1),
            (None, Words::Cut) => (at + width, at + width),
            (None, Words::Whole) => break,
        };
        out.extend(&chars[at..end]);
        out.push_str(newline);
        at = next;
    }
    out.extend(&chars[at..]);
    out
}

fn indent(call: &Call<'_, '_>) -> Result<String, super::super::error::Reason> {
    let spaces = usize::try_from(call.int(0)?).unwrap_or(0).min(1 << 16);
    let padding = " ".repeat(spaces);
    Ok(format!("{padding}{}", call.text(1)?.replace('\n', &format!("\n{padding}"))))
}

/// The parts of a text; an empty separator parts all characters, as in Go.
fn split(text: &str, separator: &str, most: usize) -> Vec<String> {
    if !separator.is_empty() {
        return text.splitn(most, separator).map(str::to_owned).collect();
    }
    let mut parts: Vec<String> = text.chars().map(String::from).collect();
    if parts.len() > most && most > 0 {
        let rest = parts.split_off(most - 1).concat();
        parts.push(rest);
    }
    parts
}

/// A dictionary of `_0`, `_1` and so on.
fn numbered<'a>(parts: Vec<String>) -> Data<'a> {
    let entries = parts.into_iter().enumerate();
    let entries = entries.map(|(at, part)| (format!("_{at}"), Data::text(part)));
    Data::Dict(Dict::Texts(std::rc::Rc::new(entries.collect())))
}
