//! Go's own functions, without the comparisons.

use super::super::data::{Data, List};
use super::super::error::Reason;
use super::super::print::{push_value, shown};
use super::super::printf::sprintf;
use super::{Answer, Call, Function, MANY, Run, takes, takes_any};

pub(super) const FUNCTIONS: &[Function] = &[
    Function { name: "and", least: 1, most: MANY, run: Run::And },
    Function { name: "or", least: 1, most: MANY, run: Run::Or },
    takes(1, "not", |call| Ok(Data::Boolean(!call.value(0).is_true()))),
    takes_any(1, "call", |call| {
        let kind = call.value(0).type_name();
        Err(call.failure(format!("non-function of type {kind}")))
    }),
    takes_any(0, "html", |call| Ok(Data::text(escape_html(&printed(call.values))))),
    takes_any(1, "index", index),
    takes_any(1, "slice", slice),
    takes_any(0, "js", |call| Ok(Data::text(escape_script(&printed(call.values))))),
    takes(1, "len", |call| {
        let value = call.value(0);
        let length = value.length().and_then(|length| i64::try_from(length).ok());
        let reason = || call.failure(format!("len of type {}", value.type_name()));
        length.map(Data::Int).ok_or_else(reason)
    }),
    takes_any(0, "print", |call| Ok(Data::text(printed(call.values)))),
    takes_any(1, "printf", |call| Ok(Data::text(sprintf(call.text(0)?, call.rest(1))))),
    takes_any(0, "println", |call| {
        let texts: Vec<_> = call.values.iter().map(shown).collect();
        Ok(Data::text(texts.join(" ") + "\n"))
    }),
    takes_any(0, "urlquery", |call| Ok(Data::text(escape_query(&printed(call.values))))),
];

/// The values as `print` joins them: with a blank between two of which none is a text.
fn printed(values: &[Data<'_>]) -> String {
    let mut out = String::new();
    let mut was_text = true;
    for value in values {
        let is_text = matches!(value, Data::Text(_));
        if !was_text && !is_text {
            out.push(' ');
        }
        was_text = is_text;
        push_value(&mut out, value);
    }
    out
}

fn index<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    let mut item = call.value(0).clone();
    if matches!(item, Data::Nil) {
        return Err(call.failure("index of untyped nil"));
    }
    for at in call.rest(1) {
        item = match &item {
            Data::Dict(dict) => match at {
                Data::Text(key) => dict
                    .get(key)
                    .unwrap_or_else(|| if dict.is_of_texts() { Data::text("") } else { Data::Nil }),
                Data::Nil => {
                    return Err(call.failure("value is nil; should be of type string"));
                }
                other => {
                    let kind = other.type_name();
                    return Err(call.failure(format!("value has type {kind}; should be string")));
                }
            },
            Data::Text(text) => {
                let at = place(call, at, text.len())?;
                match text.as_bytes().get(at) {
                    Some(byte) => Data::Byte(*byte),
                    None => return Err(call.failure(format!("index out of range: {at}"))),
                }
            }
            other => match other.as_list() {
                Some(items) => {
                    let at = place(call, at, items.len())?;
                    let reason = || call.failure(format!("index out of range: {at}"));
                    items.get(at).cloned().ok_or_else(reason)?
                }
                None if matches!(other, Data::Nil) => {
                    return Err(call.failure("index of nil pointer"));
                }
                None => {
                    let kind = other.type_name();
                    return Err(call.failure(format!("can't index item of type {kind}")));
                }
            },
        };
    }
    Ok(item)
}

fn place(call: &Call<'_, '_>, at: &Data<'_>, most: usize) -> Result<usize, Reason> {
    let Some(value) = at.as_integer() else {
        return Err(call.failure(match at {
            Data::Nil => "cannot index slice/array with nil".to_owned(),
            other => format!("cannot index slice/array with type {}", other.type_name()),
        }));
    };
    let reason = || call.failure(format!("index out of range: {value}"));
    usize::try_from(value).ok().filter(|at| *at <= most).ok_or_else(reason)
}

/// `slice x 1 2`, which is `x[1:2]`.
fn slice<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    let value = call.value(0);
    let length = match value {
        Data::Text(_) | Data::List(_) | Data::Metrics(_) => value.length().unwrap_or(0),
        Data::Nil => return Err(call.failure("slice of untyped nil")),
        other => {
            let kind = other.type_name();
            return Err(call.failure(format!("can't slice item of type {kind}")));
        }
    };
    let indexes = call.rest(1);
    if indexes.len() > 3 {
        return Err(call.failure(format!("too many slice indexes: {}", indexes.len())));
    }
    let start = indexes.first().map_or(Ok(0), |at| place(call, at, length))?;
    let end = indexes.get(1).map_or(Ok(length), |at| place(call, at, length))?;
    if start > end {
        return Err(call.failure(format!("invalid slice index: {start} > {end}")));
    }
    Ok(match value {
        Data::Text(text) => {
            Data::text(String::from_utf8_lossy(&text.as_bytes()[start..end]).into_owned())
        }
        Data::Metrics(metrics) => Data::Metrics(&metrics[start..end]),
        Data::List(list) => {
            let items = list.items[start..end].to_vec();
            Data::List(List { items: items.into(), of: list.of })
        }
        other => other.clone(),
    })
}

fn escape_html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' => out.push_str("&#34;"),
            '\'' => out.push_str("&#39;"),
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\0' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

fn escape_script(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\'' => out.push_str("\\'"),
            '"' => out.push_str("\\\""),
            '<' | '>' | '&' | '=' | '\0'..='\x1f' => {
                out.push_str(&format!("\\u{:04X}", u32::from(c)));
            }
            c => out.push(c),
        }
    }
    out
}

fn escape_query(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(char::from(byte));
            }
            b' ' => out.push('+'),
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
