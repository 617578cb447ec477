//! Sprig's functions of dictionaries.

use std::collections::BTreeMap;

use super::super::data::{Data, Dict};
use super::text::text_of;
use super::{Answer, Call, Function, dict_of, takes, takes_any};

pub(super) const FUNCTIONS: &[Function] = &[
    takes_any(0, "dict", |call| {
        let pairs = call.values.chunks(2);
        Ok(dict_of(pairs.filter_map(|pair| {
            let key = text_of(pair.first()?).into_owned();
            Some((key, pair.get(1).cloned().unwrap_or_else(|| Data::text(""))))
        })))
    }),
    takes(2, "get", |call| {
        let found = call.dict(0)?.get(call.text(1)?);
        Ok(found.unwrap_or_else(|| Data::text("")))
    }),
    takes(3, "set", |call| {
        let (entries, key) = (call.dict(0)?.changeable(), call.text(1)?);
        entries.borrow_mut().insert(key.to_owned(), call.value(2).clone());
        Ok(Data::Dict(Dict::Any(entries)))
    }),
    takes(2, "unset", |call| {
        let (entries, key) = (call.dict(0)?.changeable(), call.text(1)?);
        entries.borrow_mut().remove(key);
        Ok(Data::Dict(Dict::Any(entries)))
    }),
    takes(2, "hasKey", |call| Ok(Data::Boolean(call.dict(0)?.get(call.text(1)?).is_some()))),
    takes_any(1, "pluck", |call| {
        let key = call.text(0)?;
        let mut found = Vec::new();
        for at in 1..call.values.len() {
            found.extend(call.dict(at)?.get(key));
        }
        Ok(Data::list(found))
    }),
    takes_any(0, "keys", |call| {
        let mut keys = Vec::new();
        for at in 0..call.values.len() {
            keys.extend(call.dict(at)?.entries().into_iter().map(|(key, _)| key.into_owned()));
        }
        Ok(Data::texts(keys))
    }),
    takes(1, "values", |call| {
        let entries = call.dict(0)?.entries().into_iter();
        Ok(Data::list(entries.map(|(_, value)| value).collect()))
    }),
    takes_any(1, "pick", |call| select(call, |is_named| is_named)),
    takes_any(1, "omit", |call| select(call, |is_named| !is_named)),
    takes_any(1, "merge", |call| merge(call, Precedence::First)),
    takes_any(1, "mustMerge", |call| merge(call, Precedence::First)),
    takes_any(1, "mergeOverwrite", |call| merge(call, Precedence::Last)),
    takes_any(1, "mustMergeOverwrite", |call| merge(call, Precedence::Last)),
    takes(1, "deepCopy", |call| Ok(copy(call.value(0)))),
    takes(1, "mustDeepCopy", |call| Ok(copy(call.value(0)))),
    takes_any(3, "dig", dig),
];

fn select<'a>(call: &Call<'_, 'a>, keep: fn(bool) -> bool) -> Answer<'a> {
    let mut names = Vec::new();
    for at in 1..call.values.len() {
        names.push(call.text(at)?);
    }
    let entries = call.dict(0)?.entries().into_iter();
    Ok(dict_of(
        entries
            .filter(|(key, _)| keep(names.contains(&key.as_ref())))
            .map(|(key, value)| (key.into_owned(), value)),
    ))
}

/// Whose value stays where two dictionaries have a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Precedence {
    First,
    Last,
}

fn merge<'a>(call: &Call<'_, 'a>, precedence: Precedence) -> Answer<'a> {
    let target = call.dict(0)?.changeable();
    for at in 1..call.values.len() {
        let source = call.dict(at)?.entries();
        merge_into(&mut target.borrow_mut(), source, precedence);
    }
    Ok(Data::Dict(Dict::Any(target)))
}

fn merge_into<'a>(
    target: &mut BTreeMap<String, Data<'a>>,
    source: Vec<(std::borrow::Cow<'a, str>, Data<'a>)>,
    precedence: Precedence,
) {
    for (key, value) in source {
        match target.get(key.as_ref()) {
            Some(Data::Dict(Dict::Any(inner))) if matches!(value, Data::Dict(_)) => {
                // Dictionaries are merged in turn; a copy, for one may hold the other.
                let mut merged = inner.borrow().clone();
                if let Data::Dict(value) = value {
                    merge_into(&mut merged, value.entries(), precedence);
                }
                target.insert(key.into_owned(), Data::dict(merged));
            }
            Some(known) if precedence == Precedence::First && known.is_true() => {}
            Some(_) if !value.is_true() => {}
            _ => {
                target.insert(key.into_owned(), value);
            }
        }
    }
}

/// A copy that shares nothing which could be changed.
fn copy<'a>(value: &Data<'a>) -> Data<'a> {
    match value {
        Data::Dict(dict) if !dict.is_of_texts() => {
            let entries = dict.entries().into_iter();
            dict_of(entries.map(|(key, value)| (key.into_owned(), copy(&value))))
        }
        Data::List(list) => Data::list(list.items.iter().map(copy).collect()),
        other => other.clone(),
    }
}

/// Follows keys into dictionaries; the last but one argument stands in for what is not there.
fn dig<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    let last = call.values.len() - 1;
    let mut found = call.value(last).clone();
    for at in 0..last - 1 {
        let key = call.text(at)?;
        let inner = match &found {
            Data::Dict(dict) => dict.get(key),
            other => {
                let kind = other.type_name();
                return Err(call.failure(format!(
                    "interface conversion: interface {{}} is {kind}, not map[string]interface {{}}"
                )));
            }
        };
        match inner {
            Some(inner) => found = inner,
            None => return Ok(call.value(last - 1).clone()),
        }
    }
    Ok(found)
}
