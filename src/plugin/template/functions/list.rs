//! Sprig's functions of lists, and those that ask what a value is.

use super::super::data::{Data, List, ListOf};
use super::number::to_integer;
use super::text::text_of;
use super::{Answer, Call, Function, Run, takes, takes_any};

pub(super) const FUNCTIONS: &[Function] = &[
    takes_any(0, "list", |call| Ok(Data::list(call.values.to_vec()))),
    takes_any(0, "tuple", |call| Ok(Data::list(call.values.to_vec()))),
    takes(2, "append", push),
    takes(2, "push", push),
    takes(2, "mustAppend", push),
    takes(2, "mustPush", push),
    takes(2, "prepend", prepend),
    takes(2, "mustPrepend", prepend),
    takes(1, "first", first),
    takes(1, "mustFirst", first),
    takes(1, "last", last),
    takes(1, "mustLast", last),
    takes(1, "rest", rest),
    takes(1, "mustRest", rest),
    takes(1, "initial", initial),
    takes(1, "mustInitial", initial),
    takes(1, "reverse", reverse),
    takes(1, "mustReverse", reverse),
    takes(1, "uniq", unique),
    takes(1, "mustUniq", unique),
    takes_any(1, "without", without),
    takes_any(1, "mustWithout", without),
    takes(2, "has", has),
    takes(2, "mustHas", has),
    takes_any(1, "slice", slice),
    takes_any(1, "mustSlice", slice),
    takes_any(0, "concat", |call| {
        let lists = (0..call.values.len()).map(|at| call.list(at, "concat"));
        Ok(Data::list(lists.collect::<Result<Vec<_>, _>>()?.concat()))
    }),
    takes(2, "chunk", chunk),
    takes(2, "mustChunk", chunk),
    takes(1, "compact", compact),
    takes(1, "mustCompact", compact),
    takes(2, "join", |call| Ok(Data::text(texts(call.value(1)).join(call.text(0)?)))),
    takes(1, "toStrings", |call| Ok(Data::texts(texts(call.value(0))))),
    takes(1, "sortAlpha", |call| {
        let mut texts = match call.value(0).as_list() {
            Some(_) => texts(call.value(0)),
            None => vec![text_of(call.value(0)).into_owned()],
        };
        texts.sort_unstable();
        Ok(Data::texts(texts))
    }),
    takes_any(1, "default", |call| match call.value(1) {
        given if is_empty(given) => Ok(call.value(0).clone()),
        given => Ok(given.clone()),
    }),
    takes(1, "empty", |call| Ok(Data::Boolean(is_empty(call.value(0))))),
    takes_any(0, "coalesce", |call| {
        let found = call.values.iter().find(|value| !is_empty(value));
        Ok(found.cloned().unwrap_or(Data::Nil))
    }),
    takes_any(0, "all", |call| Ok(Data::Boolean(!call.values.iter().any(is_empty)))),
    takes_any(0, "any", |call| Ok(Data::Boolean(!call.values.iter().all(is_empty)))),
    takes(3, "ternary", |call| Ok(call.value(if call.boolean(2)? { 0 } else { 1 }).clone())),
    takes(1, "typeOf", |call| Ok(Data::text(call.value(0).type_name()))),
    takes(2, "typeIs", |call| Ok(Data::Boolean(call.text(0)? == call.value(1).type_name()))),
    takes(2, "typeIsLike", |call| {
        let (target, name) = (call.text(0)?, call.value(1).type_name());
        Ok(Data::Boolean(target.strip_prefix('*').unwrap_or(target) == name))
    }),
    takes(1, "kindOf", |call| Ok(Data::text(call.value(0).kind_name()))),
    takes(2, "kindIs", |call| Ok(Data::Boolean(call.text(0)? == call.value(1).kind_name()))),
    takes(2, "deepEqual", |call| Ok(Data::Boolean(call.value(0).equals(call.value(1))))),
    Function { name: "fail", least: 1, most: 1, run: Run::Eager(fail) },
    Function { name: "hello", least: 0, most: 0, run: Run::Eager(|_| Ok(Data::text("Hello!"))) },
];

fn fail<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    Err(call.failure(call.text(0)?))
}

/// Whether a value is the zero of its type; points in time never are.
fn is_empty(value: &Data<'_>) -> bool {
    !value.is_true()
}

/// Go's `strings.Join`, whose arguments stand the other way round.
pub(super) const STRINGS_JOIN: &[Function] =
    &[takes(2, "join", |call| Ok(Data::text(texts(call.value(0)).join(call.text(1)?))))];

/// The elements as texts, without those that are nil.
pub(super) fn texts(value: &Data<'_>) -> Vec<String> {
    match value.as_list() {
        Some(items) => {
            let present = items.iter().filter(|item| !matches!(item, Data::Nil));
            present.map(|item| text_of(item).into_owned()).collect()
        }
        None if matches!(value, Data::Nil) => Vec::new(),
        None => vec![text_of(value).into_owned()],
    }
}

fn push<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    let mut items = call.list(0, "push on")?;
    items.push(call.value(1).clone());
    Ok(Data::list(items))
}

fn prepend<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    let mut items = call.list(0, "prepend on")?;
    items.insert(0, call.value(1).clone());
    Ok(Data::list(items))
}

fn first<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    Ok(call.list(0, "find first on")?.first().cloned().unwrap_or(Data::Nil))
}

fn last<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    Ok(call.list(0, "find last on")?.last().cloned().unwrap_or(Data::Nil))
}

fn rest<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    let items = call.list(0, "find rest on")?;
    Ok(Data::list(items.get(1..).unwrap_or_default().to_vec()))
}

fn initial<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    let mut items = call.list(0, "find initial on")?;
    items.pop();
    Ok(Data::list(items))
}

fn reverse<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    let mut items = call.list(0, "find reverse on")?;
    items.reverse();
    Ok(Data::list(items))
}

fn unique<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    let mut kept: Vec<Data<'a>> = Vec::new();
    for item in call.list(0, "find uniq on")? {
        if !kept.iter().any(|known| known.equals(&item)) {
            kept.push(item);
        }
    }
    Ok(Data::list(kept))
}

fn without<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    let mut items = call.list(0, "find without on")?;
    items.retain(|item| !call.rest(1).iter().any(|left_out| left_out.equals(item)));
    Ok(Data::list(items))
}

fn has<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    if matches!(call.value(1), Data::Nil) {
        return Ok(Data::Boolean(false));
    }
    let items = call.list(1, "find has on")?;
    Ok(Data::Boolean(items.iter().any(|item| item.equals(call.value(0)))))
}

fn slice<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    let value = call.value(0);
    let Some(items) = value.as_list() else {
        let kind = value.kind_name();
        let reason = format!("list should be type of slice or array but {kind}");
        return Err(call.failure(reason));
    };
    if items.is_empty() {
        return Ok(Data::Nil);
    }
    let place = |at: usize, otherwise: usize| match call.values.get(at) {
        Some(value) => usize::try_from(to_integer(value)).unwrap_or(usize::MAX),
        None => otherwise,
    };
    let (start, end) = (place(1, 0), place(2, items.len()));
    match (items.get(start..end), value) {
        (Some(part), Data::List(list)) => {
            Ok(Data::List(List { items: part.to_vec().into(), of: list.of }))
        }
        (Some(part), _) => Ok(Data::list(part.to_vec())),
        (None, _) => Err(call.failure("reflect.Value.Slice: slice index out of bounds")),
    }
}

fn chunk<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    let size = usize::try_from(call.int(0)?).unwrap_or(0);
    let items = call.list(1, "chunk")?;
    if size == 0 {
        return Err(call.failure("size must be above zero"));
    }
    let chunks = items.chunks(size).map(|chunk| Data::list(chunk.to_vec())).collect::<Vec<_>>();
    Ok(Data::List(List { items: chunks.into(), of: ListOf::Lists }))
}

fn compact<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    let mut items = call.list(0, "compact on")?;
    items.retain(|item| !is_empty(item));
    Ok(Data::list(items))
}
