//! Methods that split strings.

use super::super::failure::{Outcome, fail};
use super::super::run::Machine;
use super::super::value::Value;
use super::call::{Call, want};
use super::strings::of;

/// `split` and `rsplit`.
pub(super) fn split(machine: &mut Machine, call: Call<'_>) -> Outcome {
    call.expect(0, 2)?;
    let text = of(&call);
    // Without a limit both ends come to the same.
    let most = usize::try_from(call.whole(1, -1)?).ok();
    let is_last = call.name == "rsplit";
    let parts: Vec<&str> = match call.get(0) {
        None | Some(Value::None) => match most {
            None => text.split_whitespace().collect(),
            Some(most) if is_last => split_space_from_end(&text, most),
            Some(most) => split_space(&text, most),
        },
        Some(Value::Str(separator)) if separator.is_empty() => {
            fail!("split: empty separator")
        }
        Some(Value::Str(separator)) => match most {
            None => text.split(&**separator).collect(),
            Some(most) if is_last => {
                let mut parts: Vec<&str> = text.rsplitn(most + 1, &**separator).collect();
                parts.reverse();
                parts
            }
            Some(most) => text.splitn(most + 1, &**separator).collect(),
        },
        Some(other) => fail!("split: got {} for separator, want string", other.type_name()),
    };
    let parts = parts.into_iter().map(Value::text).collect();
    Ok(machine.heap.new_list(parts))
}

/// Splits at blanks so often at most; the last part keeps the blanks that it has.
fn split_space(text: &str, most: usize) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        if parts.len() == most {
            parts.push(rest);
            break;
        }
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        parts.push(&rest[..end]);
        rest = rest[end..].trim_start();
    }
    parts
}

/// Splits at blanks from the end so often at most; the first part keeps the blanks that it has.
fn split_space_from_end(text: &str, most: usize) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text.trim_end();
    while !rest.is_empty() {
        if parts.len() == most {
            parts.push(rest);
            break;
        }
        let before = rest.trim_end_matches(|it: char| !it.is_whitespace());
        parts.push(&rest[before.len()..]);
        rest = before.trim_end();
    }
    parts.reverse();
    parts
}

pub(super) fn split_lines(machine: &mut Machine, call: Call<'_>) -> Outcome {
    call.expect(0, 1)?;
    let keeps_ends = match call.get(0) {
        None => false,
        Some(Value::Bool(keeps_ends)) => *keeps_ends,
        Some(other) => return Err(call.wrong(0, &want(other, "bool"))),
    };
    let text = of(&call);
    let lines = text.split_inclusive('\n').map(|line| {
        Value::text(if keeps_ends { line } else { line.strip_suffix('\n').unwrap_or(line) })
    });
    let lines = lines.collect();
    Ok(machine.heap.new_list(lines))
}
