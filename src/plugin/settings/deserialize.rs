//! Reads tables into structs through serde, converting by the type of the field.

use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{self, DeserializeSeed, Deserializer, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;

use super::secret::SECRET;
use super::{Data, Entry, Position, Table, Value};

/// Why a value could not be read, and the entry of the outermost table it came from.
#[derive(Debug)]
pub(super) struct ReadError {
    pub message: String,
    pub hint: Option<String>,
    pub position: Option<Position>,
    pub entry: Option<usize>,
}

impl ReadError {
    fn at(mut self, entry: &Entry) -> ReadError {
        self.position.get_or_insert(entry.value.position);
        self.message = match self.message.strip_prefix('\u{0}') {
            // A key of a nested table already names itself; the outer key goes before it.
            Some(rest) => format!("\u{0}{}.{rest}", entry.key),
            None => format!("\u{0}{}: {}", entry.key, self.message),
        };
        self
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ReadError {}

impl de::Error for ReadError {
    fn custom<T: fmt::Display>(message: T) -> ReadError {
        ReadError { message: message.to_string(), hint: None, position: None, entry: None }
    }

    fn invalid_value(value: de::Unexpected<'_>, expected: &dyn de::Expected) -> ReadError {
        de::Error::custom(match value {
            // Serde would name Rust's types, which nobody but us knows.
            de::Unexpected::Signed(number) => format!("value {number} is out of range"),
            de::Unexpected::Unsigned(number) => format!("value {number} is out of range"),
            value => format!("invalid value {value}, expected {expected}"),
        })
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> ReadError {
        let hint = super::error::did_you_mean(variant, expected.iter().copied())
            .map(|name| format!("did you mean {name:?}?"));
        let choices: Vec<_> = expected
            .iter()
            // The empty text stands for the option left out.
            .filter(|name| !name.is_empty())
            .map(|name| format!("{name:?}"))
            .collect();
        let message = format!("invalid value {variant:?}, expecting one of {}", choices.join(", "));
        ReadError { message, hint, position: None, entry: None }
    }
}

/// Deserializes a table, leaving out the entries at `skipped`.
pub(super) struct TableDeserializer<'t> {
    table: &'t Table,
    skipped: &'t [usize],
}

impl<'t> TableDeserializer<'t> {
    pub(super) fn new(table: &'t Table, skipped: &'t [usize]) -> TableDeserializer<'t> {
        TableDeserializer { table, skipped }
    }

    fn access(&self, fields: Option<&'static [&'static str]>) -> EntryAccess<'t> {
        let wanted = self.table.entries().iter().enumerate().filter(|(at, entry)| {
            !self.skipped.contains(at)
                && fields.is_none_or(|fields| fields.contains(&entry.key.as_str()))
        });
        EntryAccess { rest: wanted.collect::<Vec<_>>().into_iter(), current: None }
    }
}

impl<'de> Deserializer<'de> for TableDeserializer<'_> {
    type Error = ReadError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.table.entries().iter().for_each(Entry::mark_all_read);
        unwrap_name(visitor.visit_map(self.access(None)))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        self.table.note_known(fields);
        for entry in self.table.entries() {
            if fields.contains(&entry.key.as_str()) {
                entry.mark_read();
            }
        }
        unwrap_name(visitor.visit_map(self.access(Some(fields))))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        option unit unit_struct newtype_struct seq tuple tuple_struct map enum identifier
    }
}

/// Takes away the mark by which nested keys were put together.
fn unwrap_name<T>(result: Result<T, ReadError>) -> Result<T, ReadError> {
    result.map_err(|mut error| {
        if let Some(message) = error.message.strip_prefix('\u{0}') {
            error.message = message.to_owned();
        }
        error
    })
}

struct EntryAccess<'t> {
    rest: std::vec::IntoIter<(usize, &'t Entry)>,
    current: Option<(usize, &'t Entry)>,
}

impl<'de> de::MapAccess<'de> for EntryAccess<'_> {
    type Error = ReadError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, ReadError> {
        self.current = self.rest.next();
        let Some((_, entry)) = self.current else { return Ok(None) };
        let key: StrDeserializer<'_, ReadError> = entry.key.as_str().into_deserializer();
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, ReadError> {
        let Some((at, entry)) = self.current else {
            return Err(de::Error::custom("a value was asked for before its key"));
        };
        seed.deserialize(ValueDeserializer(&entry.value, Some(entry))).map_err(|error| {
            let mut error = error.at(entry);
            error.entry = Some(at);
            error
        })
    }
}

/// Deserializes a value, which may be that of an entry.
struct ValueDeserializer<'t>(&'t Value, Option<&'t Entry>);

impl<'t> ValueDeserializer<'t> {
    fn mismatch(&self, wanted: &str) -> ReadError {
        ReadError {
            message: match &self.0.data {
                Data::String { text, substituted: true } => {
                    format!("cannot unmarshal {text:?} into {wanted}")
                }
                data => format!("cannot unmarshal TOML {} into {wanted}", data.type_name()),
            },
            hint: (wanted == "array" && matches!(self.0.data, Data::String { .. }))
                .then(|| "a list has brackets around it: [\"…\", \"…\"]".to_owned()),
            position: Some(self.0.position),
            entry: None,
        }
    }

    fn integer(&self) -> Result<i64, ReadError> {
        match &self.0.data {
            Data::Integer(value) => Ok(*value),
            Data::String { text, substituted: true } => {
                text.trim().parse().map_err(|_| self.mismatch("integer"))
            }
            _ => Err(self.mismatch("integer")),
        }
    }

    fn float(&self) -> Result<f64, ReadError> {
        match &self.0.data {
            Data::Float(value) => Ok(*value),
            Data::Integer(value) => Ok(*value as f64),
            Data::String { text, substituted: true } => {
                text.trim().parse().map_err(|_| self.mismatch("float"))
            }
            _ => Err(self.mismatch("float")),
        }
    }

    fn boolean(&self) -> Result<bool, ReadError> {
        match &self.0.data {
            Data::Boolean(value) => Ok(*value),
            // The spellings of Go's strconv.ParseBool, which Telegraf uses on strings.
            Data::String { text, substituted: true } => match text.trim() {
                "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
                "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
                _ => Err(self.mismatch("bool")),
            },
            _ => Err(self.mismatch("bool")),
        }
    }

    fn text(&self) -> Result<&'t str, ReadError> {
        match &self.0.data {
            Data::String { text, .. } => Ok(text),
            _ => Err(self.mismatch("string")),
        }
    }

    fn array(&self) -> Result<&'t [Value], ReadError> {
        match &self.0.data {
            Data::Array(values) => Ok(values),
            _ => Err(self.mismatch("array")),
        }
    }

    fn table(&self) -> Result<TableDeserializer<'t>, ReadError> {
        match &self.0.data {
            Data::Table(table) => Ok(TableDeserializer::new(table, &[])),
            _ => Err(self.mismatch("table")),
        }
    }
}

struct ArrayAccess<'t>(std::slice::Iter<'t, Value>);

impl<'de> de::SeqAccess<'de> for ArrayAccess<'_> {
    type Error = ReadError;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, ReadError> {
        let Some(value) = self.0.next() else { return Ok(None) };
        let placed = |mut error: ReadError| {
            error.position.get_or_insert(value.position);
            error
        };
        seed.deserialize(ValueDeserializer(value, None)).map(Some).map_err(placed)
    }
}

impl<'de> Deserializer<'de> for ValueDeserializer<'_> {
    type Error = ReadError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match &self.0.data {
            Data::String { text, .. } | Data::Datetime(text) => visitor.visit_str(text),
            Data::Integer(value) => visitor.visit_i64(*value),
            Data::Float(value) => visitor.visit_f64(*value),
            Data::Boolean(value) => visitor.visit_bool(*value),
            Data::Array(values) => visitor.visit_seq(ArrayAccess(values.iter())),
            Data::Table(table) => TableDeserializer::new(table, &[]).deserialize_any(visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_bool(self.boolean()?)
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_i64(self.integer()?)
    }

    fn deserialize_i8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_i64(visitor)
    }

    fn deserialize_i16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_i64(visitor)
    }

    fn deserialize_i32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_i64(visitor)
    }

    fn deserialize_u8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_i64(visitor)
    }

    fn deserialize_u16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_i64(visitor)
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_i64(visitor)
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_i64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_f64(self.float()?)
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_str(self.text()?)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_seq(ArrayAccess(self.array()?.iter()))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.table()?.deserialize_map(visitor).map_err(keep_name)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        self.table()?.deserialize_struct(name, fields, visitor).map_err(keep_name)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        if let Some(entry) = self.1.filter(|_| name == SECRET) {
            entry.mark_secret();
        }
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        let name: StrDeserializer<'_, ReadError> = self.text()?.into_deserializer();
        visitor.visit_enum(name)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.0.mark_all_read();
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        i128 u128 char bytes byte_buf unit unit_struct tuple tuple_struct
    }
}

/// Marks a message of a nested table as beginning with a key, so that the outer key joins it.
fn keep_name(mut error: ReadError) -> ReadError {
    error.message.insert(0, '\u{0}');
    error
}
