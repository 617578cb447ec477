//! Go's comparisons, which only compare what is of one kind.

use std::cmp::Ordering;

use super::super::data::Data;
use super::super::error::Reason;
use super::{Answer, Call, Function, takes, takes_any};

pub(super) const FUNCTIONS: &[Function] = &[
    takes_any(1, "eq", |call| {
        if call.values.len() < 2 {
            return Err(call.failure("missing argument for comparison"));
        }
        for other in call.rest(1) {
            if equal(call, call.value(0), other)? {
                return Ok(Data::Boolean(true));
            }
        }
        Ok(Data::Boolean(false))
    }),
    takes(2, "ne", |call| Ok(Data::Boolean(!equal(call, call.value(0), call.value(1))?))),
    takes(2, "lt", |call| ordered(call, |order| order == Ordering::Less)),
    takes(2, "le", |call| ordered(call, |order| order != Ordering::Greater)),
    takes(2, "gt", |call| ordered(call, |order| order == Ordering::Greater)),
    takes(2, "ge", |call| ordered(call, |order| order != Ordering::Less)),
];

fn equal<'a>(call: &Call<'_, 'a>, a: &Data<'a>, b: &Data<'a>) -> Result<bool, Reason> {
    if let (Some(a), Some(b)) = (a.as_integer(), b.as_integer()) {
        return Ok(a == b);
    }
    match (a, b) {
        (Data::Nil, Data::Nil) => Ok(true),
        (Data::Nil, _) | (_, Data::Nil) => Ok(false),
        (Data::Boolean(a), Data::Boolean(b)) => Ok(a == b),
        (Data::Float(a), Data::Float(b)) => Ok(a == b),
        (Data::Text(a), Data::Text(b)) => Ok(a == b),
        (Data::Time(_), Data::Time(_)) | (Data::Metric(_), Data::Metric(_)) => Ok(a.equals(b)),
        _ => {
            let (a, b) = (a.type_name(), b.type_name());
            Err(call.failure(format!("incompatible types for comparison: {a} and {b}")))
        }
    }
}

fn ordered<'a>(call: &Call<'_, 'a>, holds: fn(Ordering) -> bool) -> Answer<'a> {
    let (a, b) = (call.value(0), call.value(1));
    let order = match (a, b) {
        (Data::Text(a), Data::Text(b)) => Some(a.cmp(b)),
        // Nothing is less than NaN or equal to it; Go takes it for greater then.
        (Data::Float(a), Data::Float(b)) => Some(a.partial_cmp(b).unwrap_or(Ordering::Greater)),
        _ => match (a.as_integer(), b.as_integer()) {
            (Some(a), Some(b)) => Some(a.cmp(&b)),
            _ => None,
        },
    };
    let is_basic = |value: &Data<'_>| {
        value.as_integer().is_some()
            || matches!(value, Data::Boolean(_) | Data::Float(_) | Data::Text(_))
    };
    match order {
        Some(order) => Ok(Data::Boolean(holds(order))),
        None if is_basic(a) && is_basic(b) && a.type_name() != b.type_name() => {
            let (a, b) = (a.type_name(), b.type_name());
            Err(call.failure(format!("incompatible types for comparison: {a} and {b}")))
        }
        None => Err(call.failure("invalid type for comparison")),
    }
}
