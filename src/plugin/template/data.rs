//! What the parts of a template evaluate to.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use jiff::Zoned;
use jiff::tz::TimeZone;

use crate::metric::{Metric, Timestamp, Value};

/// A value with one of the types that Go's templates meet here.
#[derive(Debug, Clone)]
pub(super) enum Data<'a> {
    Nil,
    Boolean(bool),
    /// Go's `int`: what numbers in templates are, and lengths and indexes.
    Int(i64),
    /// Go's `int64`: what integer fields are.
    Integer(i64),
    /// Go's `uint64`.
    Unsigned(u64),
    /// Go's `uint8`: what indexing a string yields.
    Byte(u8),
    Float(f64),
    Text(Cow<'a, str>),
    List(List<'a>),
    Dict(Dict<'a>),
    Metric(&'a Metric),
    Metrics(&'a [Metric]),
    Time(Rc<Zoned>),
    /// Nanoseconds.
    Span(i64),
    /// From 1.
    Month(i8),
    /// From Sunday, 0.
    Weekday(i8),
}

/// Values in order.
#[derive(Debug, Clone)]
pub(super) struct List<'a> {
    pub(super) items: Rc<Vec<Data<'a>>>,
    pub(super) of: ListOf,
}

/// What a list holds, by its type in Go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ListOf {
    Any,
    Texts,
    Ints,
    Lists,
}

/// Values by key.
#[derive(Debug, Clone)]
pub(super) enum Dict<'a> {
    /// The tags of a metric.
    Tags(&'a Metric),
    /// The fields of a metric.
    Fields(&'a Metric),
    /// Texts, such as a function makes.
    Texts(Rc<BTreeMap<String, Data<'a>>>),
    /// Anything; the one kind that can be changed.
    Any(Rc<RefCell<BTreeMap<String, Data<'a>>>>),
}

impl<'a> Data<'a> {
    pub(super) fn text(text: impl Into<Cow<'a, str>>) -> Data<'a> {
        Data::Text(text.into())
    }

    pub(super) fn texts(texts: impl IntoIterator<Item = String>) -> Data<'a> {
        let items = texts.into_iter().map(Data::text).collect();
        Data::List(List { items: Rc::new(items), of: ListOf::Texts })
    }

    pub(super) fn list(items: Vec<Data<'a>>) -> Data<'a> {
        Data::List(List { items: Rc::new(items), of: ListOf::Any })
    }

    pub(super) fn dict(entries: BTreeMap<String, Data<'a>>) -> Data<'a> {
        Data::Dict(Dict::Any(Rc::new(RefCell::new(entries))))
    }

    pub(super) fn time(time: Zoned) -> Data<'a> {
        Data::Time(Rc::new(time))
    }

    pub(super) fn timestamp(time: Timestamp) -> Data<'a> {
        // Every number of nanoseconds that fits 64 bits is a time that jiff can hold.
        let time = jiff::Timestamp::from_nanosecond(i128::from(time.nanos()))
            .unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        Data::time(time.to_zoned(TimeZone::UTC))
    }

    /// What a text of JSON holds: numbers as Go's `int` where they are whole, and lists and objects
    /// that hold nothing but texts as such.
    pub(super) fn record(value: &'a serde_json::Value) -> Data<'a> {
        use serde_json::Value as Json;
        match value {
            Json::Null => Data::Nil,
            Json::Bool(value) => Data::Boolean(*value),
            Json::Number(number) => match (number.as_i64(), number.as_f64()) {
                (Some(value), _) => Data::Int(value),
                (None, value) => Data::Float(value.unwrap_or(f64::NAN)),
            },
            Json::String(text) => Data::text(text.as_str()),
            Json::Array(items) => {
                let of = match items.iter().all(Json::is_string) {
                    true => ListOf::Texts,
                    false => ListOf::Any,
                };
                let items = Rc::new(items.iter().map(Data::record).collect());
                Data::List(List { items, of })
            }
            Json::Object(entries) => {
                let is_of_texts = entries.values().all(Json::is_string);
                let entries: BTreeMap<_, _> =
                    entries.iter().map(|(key, value)| (key.clone(), Data::record(value))).collect();
                match is_of_texts {
                    true => Data::Dict(Dict::Texts(Rc::new(entries))),
                    false => Data::dict(entries),
                }
            }
        }
    }

    pub(super) fn field(value: &'a Value) -> Data<'a> {
        match value {
            Value::Float(value) => Data::Float(*value),
            Value::Integer(value) => Data::Integer(*value),
            Value::Unsigned(value) => Data::Unsigned(*value),
            Value::Boolean(value) => Data::Boolean(*value),
            Value::String(value) => Data::Text(Cow::Borrowed(value.as_str())),
        }
    }

    /// The name of its type in Go.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Data::Nil => "<nil>",
            Data::Boolean(_) => "bool",
            Data::Int(_) => "int",
            Data::Integer(_) => "int64",
            Data::Unsigned(_) => "uint64",
            Data::Byte(_) => "uint8",
            Data::Float(_) => "float64",
            Data::Text(_) => "string",
            Data::List(list) => match list.of {
                ListOf::Any => "[]interface {}",
                ListOf::Texts => "[]string",
                ListOf::Ints => "[]int",
                ListOf::Lists => "[][]interface {}",
            },
            Data::Dict(Dict::Tags(_) | Dict::Texts(_)) => "map[string]string",
            Data::Dict(Dict::Fields(_) | Dict::Any(_)) => "map[string]interface {}",
            Data::Metric(_) => "*telegraf.TemplateMetric",
            Data::Metrics(_) => "*[]telegraf.TemplateMetric",
            Data::Time(_) => "time.Time",
            Data::Span(_) => "time.Duration",
            Data::Month(_) => "time.Month",
            Data::Weekday(_) => "time.Weekday",
        }
    }

    /// What kind of type that is, in Go's words.
    pub(super) fn kind_name(&self) -> &'static str {
        match self {
            Data::Nil => "invalid",
            Data::List(_) | Data::Metrics(_) => "slice",
            Data::Dict(_) => "map",
            Data::Metric(_) => "ptr",
            Data::Time(_) => "struct",
            Data::Span(_) => "int64",
            Data::Month(_) | Data::Weekday(_) => "int",
            other => other.type_name(),
        }
    }

    /// Whether conditions take it for true: all but nil, zero, false and what is empty.
    pub(super) fn is_true(&self) -> bool {
        match self {
            Data::Nil => false,
            Data::Boolean(value) => *value,
            Data::Float(value) => *value != 0.0,
            Data::Metric(_) | Data::Time(_) => true,
            _ => match (self.length(), self.as_integer()) {
                (Some(length), _) => length > 0,
                (None, Some(value)) => value != 0,
                (None, None) => true,
            },
        }
    }

    /// How many elements or bytes it has, if that can be asked.
    pub(super) fn length(&self) -> Option<usize> {
        match self {
            Data::Text(text) => Some(text.len()),
            Data::List(list) => Some(list.items.len()),
            Data::Metrics(metrics) => Some(metrics.len()),
            Data::Dict(dict) => Some(dict.len()),
            _ => None,
        }
    }

    /// Its value if it is of any of the integer types.
    pub(super) fn as_integer(&self) -> Option<i128> {
        match self {
            Data::Int(value) | Data::Integer(value) | Data::Span(value) => Some((*value).into()),
            Data::Unsigned(value) => Some((*value).into()),
            Data::Byte(value) => Some((*value).into()),
            Data::Month(value) | Data::Weekday(value) => Some((*value).into()),
            _ => None,
        }
    }

    /// Its elements if it is a list.
    pub(super) fn as_list(&self) -> Option<Vec<Data<'a>>> {
        match self {
            Data::List(list) => Some(list.items.as_ref().clone()),
            Data::Metrics(metrics) => Some(metrics.iter().map(Data::Metric).collect()),
            _ => None,
        }
    }

    /// Whether both are of the same type and equal, as Go's `reflect.DeepEqual` sees it.
    pub(super) fn equals(&self, other: &Data<'a>) -> bool {
        if self.type_name() != other.type_name() {
            return false;
        }
        match (self, other) {
            (Data::Nil, Data::Nil) => true,
            (Data::Boolean(a), Data::Boolean(b)) => a == b,
            (Data::Float(a), Data::Float(b)) => a == b,
            (Data::Text(a), Data::Text(b)) => a == b,
            (Data::Metric(a), Data::Metric(b)) => a == b,
            (Data::Metrics(a), Data::Metrics(b)) => a == b,
            (Data::Time(a), Data::Time(b)) => a == b,
            (Data::List(a), Data::List(b)) => {
                a.items.len() == b.items.len()
                    && a.items.iter().zip(b.items.iter()).all(|(a, b)| a.equals(b))
            }
            (Data::Dict(a), Data::Dict(b)) => {
                let (a, b) = (a.entries(), b.entries());
                a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| a.0 == b.0 && a.1.equals(&b.1))
            }
            _ => self.as_integer() == other.as_integer(),
        }
    }
}

impl<'a> Dict<'a> {
    pub(super) fn len(&self) -> usize {
        match self {
            Dict::Tags(metric) => metric.tags().len(),
            Dict::Fields(metric) => metric.fields().len(),
            Dict::Texts(entries) => entries.len(),
            Dict::Any(entries) => entries.borrow().len(),
        }
    }

    pub(super) fn get(&self, key: &str) -> Option<Data<'a>> {
        match self {
            Dict::Tags(metric) => metric.tag(key).map(|value| Data::Text(Cow::Borrowed(value))),
            Dict::Fields(metric) => metric.field(key).map(Data::field),
            Dict::Texts(entries) => entries.get(key).cloned(),
            Dict::Any(entries) => entries.borrow().get(key).cloned(),
        }
    }

    /// Keys and values, sorted by key.
    pub(super) fn entries(&self) -> Vec<(Cow<'a, str>, Data<'a>)> {
        let owned = |(key, value): (&String, &Data<'a>)| (Cow::Owned(key.clone()), value.clone());
        match self {
            Dict::Tags(metric) => {
                let tags = metric.tags().iter();
                tags.map(|tag| (Cow::Borrowed(tag.key.as_str()), Data::text(tag.value.as_str())))
                    .collect()
            }
            Dict::Fields(metric) => {
                let fields = metric.fields().iter();
                let mut entries: Vec<_> = fields
                    .map(|field| (Cow::Borrowed(field.key.as_str()), Data::field(&field.value)))
                    .collect();
                entries.sort_by(|a, b| a.0.cmp(&b.0));
                entries
            }
            Dict::Texts(entries) => entries.iter().map(owned).collect(),
            Dict::Any(entries) => entries.borrow().iter().map(owned).collect(),
        }
    }

    /// Whether its values are texts alone, which makes it another type in Go.
    pub(super) fn is_of_texts(&self) -> bool {
        matches!(self, Dict::Tags(_) | Dict::Texts(_))
    }

    /// The same entries in a dictionary that can be changed and shared.
    pub(super) fn changeable(&self) -> Rc<RefCell<BTreeMap<String, Data<'a>>>> {
        match self {
            Dict::Any(entries) => entries.clone(),
            other => {
                let entries = other.entries().into_iter();
                let entries = entries.map(|(key, value)| (key.into_owned(), value)).collect();
                Rc::new(RefCell::new(entries))
            }
        }
    }
}
