//! Methods of strings.

use std::sync::Arc;

use memchr::memmem;

use super::super::failure::{Outcome, fail};
use super::super::run::{Machine, ends};
use super::super::text::Str;
use super::super::value::{Parts, PartsOf, Value};
use super::Builtin;
use super::call::Call;
use super::string_format::format;
use super::string_split::{split, split_lines};

/// The methods, by name.
pub(crate) static METHODS: &[Builtin] = &[
    Builtin { name: "capitalize", run: capitalize },
    Builtin { name: "codepoint_ords", run: parts },
    Builtin { name: "codepoints", run: parts },
    Builtin { name: "count", run: count },
    Builtin { name: "elem_ords", run: parts },
    Builtin { name: "elems", run: parts },
    Builtin { name: "endswith", run: starts_or_ends_with },
    Builtin { name: "find", run: find },
    Builtin { name: "format", run: format },
    Builtin { name: "index", run: find },
    Builtin { name: "isalnum", run: is_of },
    Builtin { name: "isalpha", run: is_of },
    Builtin { name: "isdigit", run: is_of },
    Builtin { name: "islower", run: is_cased },
    Builtin { name: "isspace", run: is_of },
    Builtin { name: "istitle", run: is_title },
    Builtin { name: "isupper", run: is_cased },
    Builtin { name: "join", run: join },
    Builtin { name: "lower", run: lower },
    Builtin { name: "lstrip", run: strip },
    Builtin { name: "partition", run: partition },
    Builtin { name: "removeprefix", run: remove_affix },
    Builtin { name: "removesuffix", run: remove_affix },
    Builtin { name: "replace", run: replace },
    Builtin { name: "rfind", run: find },
    Builtin { name: "rindex", run: find },
    Builtin { name: "rpartition", run: partition },
    Builtin { name: "rsplit", run: split },
    Builtin { name: "rstrip", run: strip },
    Builtin { name: "split", run: split },
    Builtin { name: "splitlines", run: split_lines },
    Builtin { name: "startswith", run: starts_or_ends_with },
    Builtin { name: "strip", run: strip },
    Builtin { name: "title", run: title },
    Builtin { name: "upper", run: upper },
];

/// The string that a method was taken from.
pub(super) fn of(call: &Call<'_>) -> Str {
    match call.receiver {
        Value::Str(text) => text.clone(),
        _ => Str::from(""),
    }
}

fn is_letter_with_case(character: char) -> bool {
    character.is_lowercase() || character.is_uppercase()
}

fn capitalize(_: &mut Machine, call: Call<'_>) -> Outcome {
    call.expect(0, 0)?;
    let text = of(&call);
    let mut characters = text.chars();
    let first = characters.next().map(char::to_uppercase);
    let capitalized: String =
        first.into_iter().flatten().chain(characters.flat_map(char::to_lowercase)).collect();
    Ok(Value::text(capitalized))
}

fn parts(_: &mut Machine, call: Call<'_>) -> Outcome {
    call.expect(0, 0)?;
    let part = match call.name {
        "elems" => PartsOf::Bytes,
        "elem_ords" => PartsOf::ByteNumbers,
        "codepoints" => PartsOf::Characters,
        _ => PartsOf::CharacterNumbers,
    };
    Ok(Value::Parts(Arc::new(Parts { text: of(&call), of: part })))
}

/// The bytes between the two last arguments, and where they begin.
fn between<'t>(call: &Call<'_>, text: &'t str) -> Outcome<(&'t [u8], usize)> {
    let bounds = [call.get(1).unwrap_or(&Value::None), call.get(2).unwrap_or(&Value::None)];
    let (start, end) = ends(bounds, text.len()).map_err(|failure| failure.within(call.name))?;
    Ok((text.as_bytes().get(start..end).unwrap_or_default(), start))
}

fn count(_: &mut Machine, call: Call<'_>) -> Outcome {
    call.expect(1, 3)?;
    let (text, part) = (of(&call), call.text(0)?);
    let (bytes, _) = between(&call, &text)?;
    let count = if part.is_empty() {
        String::from_utf8_lossy(bytes).chars().count() + 1
    } else {
        memmem::find_iter(bytes, part.as_bytes()).count()
    };
    Ok(Value::Int(count as i64))
}

/// `find`, `rfind`, and `index` and `rindex`, which fail where there is nothing.
fn find(_: &mut Machine, call: Call<'_>) -> Outcome {
    call.expect(1, 3)?;
    let (text, part) = (of(&call), call.text(0)?);
    let (bytes, start) = between(&call, &text)?;
    let found = if call.name.starts_with('r') {
        memmem::rfind(bytes, part.as_bytes())
    } else {
        memmem::find(bytes, part.as_bytes())
    };
    match found {
        Some(at) => Ok(Value::Int((start + at) as i64)),
        None if call.name.ends_with("index") => fail!("{}: substring not found", call.name),
        None => Ok(Value::Int(-1)),
    }
}

fn is_of(_: &mut Machine, call: Call<'_>) -> Outcome {
    call.expect(0, 0)?;
    let belongs: fn(char) -> bool = match call.name {
        "isalnum" => |it| it.is_alphabetic() || it.is_numeric(),
        "isalpha" => char::is_alphabetic,
        "isdigit" => char::is_numeric,
        _ => char::is_whitespace,
    };
    let text = of(&call);
    Ok(Value::Bool(!text.is_empty() && text.chars().all(belongs)))
}

fn is_cased(_: &mut Machine, call: Call<'_>) -> Outcome {
    call.expect(0, 0)?;
    let text = of(&call);
    let unchanged = match call.name {
        "islower" => text.to_lowercase(),
        _ => text.to_uppercase(),
    };
    Ok(Value::Bool(text.chars().any(is_letter_with_case) && unchanged == *text))
}

fn is_title(_: &mut Machine, call: Call<'_>) -> Outcome {
    call.expect(0, 0)?;
    let (mut is_behind_letter, mut has_letters) = (false, false);
    for character in of(&call).chars() {
        if character.is_uppercase() && is_behind_letter
            || character.is_lowercase() && !is_behind_letter
        {
            return Ok(Value::Bool(false));
        }
        is_behind_letter = is_letter_with_case(character);
        has_letters |= is_behind_letter;
    }
    Ok(Value::Bool(has_letters))
}

fn title(_: &mut Machine, call: Call<'_>) -> Outcome {
    call.expect(0, 0)?;
    let mut out = String::new();
    let mut is_behind_letter = false;
    for character in of(&call).chars() {
        if is_behind_letter {
            out.extend(character.to_lowercase());
        } else {
            out.extend(character.to_uppercase());
        }
        is_behind_letter = is_letter_with_case(character);
    }
    Ok(Value::text(out))
}

fn lower(_: &mut Machine, call: Call<'_>) -> Outcome {
    call.expect(0, 0)?;
    Ok(Value::text(of(&call).to_lowercase()))
}

fn upper(_: &mut Machine, call: Call<'_>) -> Outcome {
    call.expect(0, 0)?;
    Ok(Value::text(of(&call).to_uppercase()))
}

fn join(machine: &mut Machine, call: Call<'_>) -> Outcome {
    call.expect(1, 1)?;
    let separator = of(&call);
    let mut out = String::new();
    for (at, value) in call.elements(machine, 0)?.iter().enumerate() {
        let Value::Str(text) = value else {
            fail!("join: in list, want string, got {}", value.type_name())
        };
        if at > 0 {
            out.push_str(&separator);
        }
        out.push_str(text);
    }
    Ok(Value::text(out))
}

fn strip(_: &mut Machine, call: Call<'_>) -> Outcome {
    call.expect(0, 1)?;
    let text = of(&call);
    let characters = match call.get(0) {
        Some(_) => Some(call.text(0)?),
        None => None,
    };
    let is_taken = |character: char| match characters {
        Some(characters) if !characters.is_empty() => characters.contains(character),
        _ => character.is_whitespace(),
    };
    let stripped = match call.name {
        "lstrip" => text.trim_start_matches(is_taken),
        "rstrip" => text.trim_end_matches(is_taken),
        _ => text.trim_matches(is_taken),
    };
    Ok(Value::text(stripped))
}

fn partition(_: &mut Machine, call: Call<'_>) -> Outcome {
    call.expect(1, 1)?;
    let (text, separator) = (of(&call), call.text(0)?);
    if separator.is_empty() {
        fail!("{}: empty separator", call.name)
    }
    let is_last = call.name == "rpartition";
    let parts =
        if is_last { text.rsplit_once(&**separator) } else { text.split_once(&**separator) };
    let whole = &*text;
    let parts = match parts {
        Some((before, behind)) => [before, separator, behind],
        None if is_last => ["", "", whole],
        None => [whole, "", ""],
    };
    Ok(Value::tuple(parts.map(Value::text)))
}

fn remove_affix(_: &mut Machine, call: Call<'_>) -> Outcome {
    call.expect(1, 1)?;
    let (text, affix) = (of(&call), call.text(0)?);
    let left = match call.name {
        "removeprefix" => text.strip_prefix(&**affix),
        _ => text.strip_suffix(&**affix),
    };
    Ok(Value::text(left.unwrap_or(&text)))
}

fn replace(_: &mut Machine, call: Call<'_>) -> Outcome {
    call.expect(2, 3)?;
    let (text, old, new) = (of(&call), call.text(0)?, call.text(1)?);
    let count = call.whole(2, -1)?;
    Ok(Value::text(match usize::try_from(count) {
        Ok(count) => text.replacen(&**old, new, count),
        Err(_) => text.replace(&**old, new),
    }))
}

/// `startswith` and `endswith`, with one text or a tuple of them.
fn starts_or_ends_with(_: &mut Machine, call: Call<'_>) -> Outcome {
    call.expect(1, 3)?;
    let text = of(&call);
    let (bytes, _) = between(&call, &text)?;
    let is_there = |part: &Str| match call.name {
        "startswith" => bytes.starts_with(part.as_bytes()),
        _ => bytes.ends_with(part.as_bytes()),
    };
    match call.value(0) {
        Value::Str(part) => Ok(Value::Bool(is_there(part))),
        Value::Tuple(parts) => {
            for (at, part) in parts.iter().enumerate() {
                match part {
                    Value::Str(part) if is_there(part) => return Ok(Value::Bool(true)),
                    Value::Str(_) => {}
                    other => fail!(
                        "{}: want string, got {}, for element {at}",
                        call.name,
                        other.type_name()
                    ),
                }
            }
            Ok(Value::Bool(false))
        }
        other => {
            fail!("{}: got {}, want string or tuple of string", call.name, other.type_name())
        }
    }
}
