//! The module `json.star`.

use super::super::failure::{Failure, Outcome, fail};
use super::super::number::{FloatStyle, push_float};
use super::super::run::Machine;
use super::super::text::Str;
use super::super::value::Value;
use super::call::Call;
use super::json_decode::Decoder;
use super::{Builtin, Module, attribute_names, find};

/// This deep values may lie in each other.
const DEEPEST: usize = 500;

/// The module.
pub(super) static MODULE: Module = Module {
    name: "json",
    member: |name| find(FUNCTIONS, &format!("json.{name}")).map(Value::Builtin),
    names: &["decode", "encode", "encode_indent", "indent"],
};

/// Its functions, by name.
pub(super) static FUNCTIONS: &[Builtin] = &[
    Builtin { name: "json.decode", run: decode },
    Builtin { name: "json.encode", run: encode },
    Builtin { name: "json.encode_indent", run: encode_indent },
    Builtin { name: "json.indent", run: indent },
];

fn decode(machine: &mut Machine, call: Call<'_>) -> Outcome {
    let [text, default] = call.unpack(["x", "default?"])?;
    let text = call.named_text("x", text, "")?;
    if call.positional.is_empty() {
        fail!("{}: unexpected keyword argument x", call.name)
    }
    match (Decoder::new(&text).decode(&mut machine.heap), default) {
        (Ok(value), _) => Ok(value),
        (Err(_), Some(default)) => Ok(default),
        (Err(failure), None) => Err(failure),
    }
}

fn encode(machine: &mut Machine, call: Call<'_>) -> Outcome {
    call.expect(1, 1)?;
    encoded(machine, &call).map(Value::text)
}

fn encoded(machine: &mut Machine, call: &Call<'_>) -> Outcome<String> {
    let mut out = String::new();
    push(machine, &mut out, call.value(0), &mut Vec::new())
        .map_err(|failure| failure.within(call.name))?;
    Ok(out)
}

fn push(
    machine: &mut Machine,
    out: &mut String,
    value: &Value,
    around: &mut Vec<Value>,
) -> Outcome<()> {
    match value {
        Value::None => out.push_str("null"),
        Value::Bool(truth) => out.push_str(if *truth { "true" } else { "false" }),
        Value::Int(number) => out.push_str(itoa::Buffer::new().format(*number)),
        Value::Big(number) => out.push_str(&number.to_string()),
        Value::Float(number) if number.is_finite() => {
            push_float(out, *number, FloatStyle::Shortest);
        }
        Value::Float(_) => fail!("cannot encode non-finite float {}", machine.repr(value)),
        Value::Str(text) => push_text(out, text),
        _ => {
            let is_cycle = around.iter().any(|outer| match (outer, value) {
                (Value::List(outer), Value::List(id)) | (Value::Dict(outer), Value::Dict(id)) => {
                    outer == id
                }
                _ => false,
            });
            if is_cycle || around.len() == DEEPEST {
                fail!("cycle in JSON structure")
            }
            around.push(value.clone());
            push_nested(machine, out, value, around)?;
            around.pop();
        }
    }
    Ok(())
}

fn push_nested(
    machine: &mut Machine,
    out: &mut String,
    value: &Value,
    around: &mut Vec<Value>,
) -> Outcome<()> {
    let kind = value.type_name();
    if let Some(entries) = machine.entries(value) {
        let mut named: Vec<(Str, Value)> = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            match key {
                Value::Str(key) => named.push((key, value)),
                other => fail!("{kind} has {} key, want string", other.type_name()),
            }
        }
        named.sort_by(|(x, _), (y, _)| x.as_bytes().cmp(y.as_bytes()));
        return push_object(machine, out, named, around, |key| {
            format!("in {kind} key {}", super::super::syntax::quote(key))
        });
    }
    if machine.is_iterable(value) {
        out.push('[');
        for (at, element) in machine.elements(value)?.iter().enumerate() {
            if at > 0 {
                out.push(',');
            }
            push(machine, out, element, around)
                .map_err(|failure| failure.within(&format!("at {kind} index {at}")))?;
        }
        out.push(']');
        return Ok(());
    }
    let has_attributes =
        !matches!(value, Value::Function(_) | Value::Builtin(_) | Value::Method(_));
    if !has_attributes {
        fail!("cannot encode {kind} as JSON")
    }
    let mut named = Vec::new();
    for name in attribute_names(value) {
        named.push((Str::from(name), machine.attribute(value, &Str::from(name))?));
    }
    push_object(machine, out, named, around, |name| format!("in field .{name}"))
}

fn push_object(
    machine: &mut Machine,
    out: &mut String,
    entries: Vec<(Str, Value)>,
    around: &mut Vec<Value>,
    place: impl Fn(&str) -> String,
) -> Outcome<()> {
    out.push('{');
    for (at, (key, value)) in entries.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        push_text(out, key);
        out.push(':');
        push(machine, out, value, around).map_err(|failure| failure.within(&place(key)))?;
    }
    out.push('}');
    Ok(())
}

/// Appends a string; one that is not all plain has what may mean something to HTML escaped too.
fn push_text(out: &mut String, text: &str) {
    let is_plain = text.bytes().all(|byte| (0x20..0x80).contains(&byte));
    out.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            // Go writes this one as it writes its own strings.
            '\u{7f}' if is_plain => out.push_str("\\x7f"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '<' | '>' | '&' if !is_plain => {
                out.push_str(&format!("\\u{:04x}", u32::from(character)));
            }
            '\0'..='\u{1f}' | '\u{2028}' | '\u{2029}' => {
                out.push_str(&format!("\\u{:04x}", u32::from(character)));
            }
            _ => out.push(character),
        }
    }
    out.push('"');
}

/// The prefix of lines and what they are indented by.
fn margins(call: &Call<'_>) -> Outcome<[Str; 2]> {
    let named = Call { positional: &[], ..*call };
    let [prefix, indent] = named.unpack(["prefix?", "indent?"])?;
    Ok([call.named_text("prefix?", prefix, "")?, call.named_text("indent?", indent, "\t")?])
}

fn encode_indent(machine: &mut Machine, call: Call<'_>) -> Outcome {
    let margins = margins(&call)?;
    let call = Call { named: &[], ..call };
    call.expect(1, 1)?;
    let text = encoded(machine, &call)?;
    Ok(Value::text(indented(&text, &margins)))
}

fn indent(machine: &mut Machine, call: Call<'_>) -> Outcome {
    let margins = margins(&call)?;
    let call = Call { named: &[], ..call };
    call.expect(1, 1)?;
    let text = call.text(0)?;
    // Only what can be read is written anew.
    Decoder::new(text)
        .decode(&mut machine.heap)
        .map_err(|failure| Failure::new(failure.message().replace("json.decode", call.name)))?;
    Ok(Value::text(indented(text, &margins)))
}

/// Writes JSON with a line for each value.
fn indented(text: &str, [prefix, indent]: &[Str; 2]) -> String {
    let mut out = String::with_capacity(2 * text.len());
    let (mut depth, mut is_in_text, mut is_escaped) = (0_usize, false, false);
    let line = |out: &mut String, depth: usize| {
        out.push('\n');
        out.push_str(prefix);
        out.push_str(&indent.repeat(depth));
    };
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        if is_in_text {
            out.push(character);
            is_in_text = is_escaped || character != '"';
            is_escaped = character == '\\' && !is_escaped;
            continue;
        }
        match character {
            ' ' | '\t' | '\n' | '\r' => {}
            '"' => {
                is_in_text = true;
                out.push('"');
            }
            '{' | '[' => {
                out.push(character);
                while characters.next_if(|next| next.is_ascii_whitespace()).is_some() {}
                match characters.next_if(|next| matches!(next, '}' | ']')) {
                    Some(end) => out.push(end),
                    None => {
                        depth += 1;
                        line(&mut out, depth);
                    }
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                line(&mut out, depth);
                out.push(character);
            }
            ',' => {
                out.push(',');
                line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            _ => out.push(character),
        }
    }
    out
}
