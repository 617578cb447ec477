//! Metrics as bytes that keep all of them, for the agent's own files.
//!
//! ```text
//! version     1 byte    1
//! value type  1 byte
//! time        8 bytes   nanoseconds since 1970, little-endian
//! name        text
//! tags        count, then key and value of each, as text
//! fields      count, then for each its key as text, a byte for the type, and the value
//! ```
//!
//! Counts, lengths and integers are LEB128 numbers, seven bits a byte and the lowest first; signed
//! ones are zigzag-coded. A text is its length in bytes and its bytes in UTF-8, a float its eight
//! bytes, and a boolean its type alone. What goes along with a metric is not kept.

use compact_str::CompactString;

use super::parts::Parts;
use super::{Companion, Field, Metric, Tag, Timestamp, Value, ValueType};

const VERSION: u8 = 1;

const FLOAT: u8 = 0;
const INTEGER: u8 = 1;
const UNSIGNED: u8 = 2;
const FALSE: u8 = 3;
const TRUE: u8 = 4;
const STRING: u8 = 5;

/// Why bytes are no metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BinaryError {
    /// They are of another version of the format.
    #[error("version {0} of the format is not known")]
    Version(u8),
    /// They end too early.
    #[error("the metric is not complete")]
    Incomplete,
    /// Something in them cannot be.
    #[error("the metric is damaged")]
    Damaged,
}

impl Metric {
    /// Appends the metric as bytes, which [`Metric::decode`] reads.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[VERSION, type_code(self.value_type)]);
        out.extend_from_slice(&self.time.nanos().to_le_bytes());
        push_text(out, &self.name);
        push_number(out, self.parts.tags.len() as u64);
        for tag in &self.parts.tags {
            push_text(out, &tag.key);
            push_text(out, &tag.value);
        }
        push_number(out, self.parts.fields.len() as u64);
        for field in &self.parts.fields {
            push_text(out, &field.key);
            push_value(out, &field.value);
        }
    }

    /// Reads the bytes that [`Metric::encode`] made.
    ///
    /// # Errors
    /// If they are no whole metric. Of bytes that were changed on the way not every change is
    /// noticed here: whoever keeps them has a checksum.
    pub fn decode(bytes: &[u8]) -> Result<Metric, BinaryError> {
        let mut reader = Reader { rest: bytes };
        match reader.byte()? {
            VERSION => {}
            other => return Err(BinaryError::Version(other)),
        }
        let value_type = value_type(reader.byte()?)?;
        let time = Timestamp::from_nanos(i64::from_le_bytes(reader.array()?));
        let name = reader.text()?;
        // A tag takes two bytes at least and a field three: no count makes room for more.
        let n_tags = reader.count(2)?;
        let mut tags: Vec<Tag> = Vec::with_capacity(n_tags);
        for _ in 0..n_tags {
            tags.push(Tag { key: reader.text()?, value: reader.text()? });
        }
        if !tags.is_sorted_by(|a, b| a.key < b.key) {
            return Err(BinaryError::Damaged);
        }
        let n_fields = reader.count(2)?;
        let mut fields = Vec::with_capacity(n_fields);
        for _ in 0..n_fields {
            fields.push(Field { key: reader.text()?, value: reader.value()? });
        }
        if !reader.rest.is_empty() {
            return Err(BinaryError::Damaged);
        }
        let parts = Parts { tags, fields };
        Ok(Metric { name, time, value_type, companion: Companion::default(), parts })
    }
}

fn type_code(value_type: ValueType) -> u8 {
    match value_type {
        ValueType::Untyped => 0,
        ValueType::Counter => 1,
        ValueType::Gauge => 2,
        ValueType::Summary => 3,
        ValueType::Histogram => 4,
    }
}

fn value_type(code: u8) -> Result<ValueType, BinaryError> {
    Ok(match code {
        0 => ValueType::Untyped,
        1 => ValueType::Counter,
        2 => ValueType::Gauge,
        3 => ValueType::Summary,
        4 => ValueType::Histogram,
        _ => return Err(BinaryError::Damaged),
    })
}

fn push_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn push_text(out: &mut Vec<u8>, text: &str) {
    push_number(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

fn push_value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Float(value) => {
            out.push(FLOAT);
            out.extend_from_slice(&value.to_bits().to_le_bytes());
        }
        Value::Integer(value) => {
            out.push(INTEGER);
            push_number(out, ((value << 1) ^ (value >> 63)) as u64);
        }
        Value::Unsigned(value) => {
            out.push(UNSIGNED);
            push_number(out, *value);
        }
        Value::Boolean(value) => out.push(if *value { TRUE } else { FALSE }),
        Value::String(value) => {
            out.push(STRING);
            push_text(out, value);
        }
    }
}

/// Bytes that are read from the front.
struct Reader<'b> {
    rest: &'b [u8],
}

impl<'b> Reader<'b> {
    fn byte(&mut self) -> Result<u8, BinaryError> {
        let (byte, rest) = self.rest.split_first().ok_or(BinaryError::Incomplete)?;
        self.rest = rest;
        Ok(*byte)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], BinaryError> {
        let (array, rest) = self.rest.split_first_chunk().ok_or(BinaryError::Incomplete)?;
        self.rest = rest;
        Ok(*array)
    }

    fn number(&mut self) -> Result<u64, BinaryError> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if bits << shift >> shift != bits {
                return Err(BinaryError::Damaged);
            }
            number |= bits << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(BinaryError::Damaged)
    }

    /// The number of things of which each takes so many bytes at least.
    fn count(&mut self, least_bytes: usize) -> Result<usize, BinaryError> {
        let count = usize::try_from(self.number()?).map_err(|_| BinaryError::Incomplete)?;
        if count > self.rest.len() / least_bytes { Err(BinaryError::Incomplete) } else { Ok(count) }
    }

    fn text(&mut self) -> Result<CompactString, BinaryError> {
        let length = self.count(1)?;
        let (text, rest): (&'b [u8], _) = self.rest.split_at(length);
        self.rest = rest;
        CompactString::from_utf8(text).map_err(|_| BinaryError::Damaged)
    }

    fn value(&mut self) -> Result<Value, BinaryError> {
        Ok(match self.byte()? {
            FLOAT => Value::Float(f64::from_bits(u64::from_le_bytes(self.array()?))),
            INTEGER => {
                let number = self.number()?;
                Value::Integer((number >> 1) as i64 ^ -((number & 1) as i64))
            }
            UNSIGNED => Value::Unsigned(self.number()?),
            FALSE => Value::Boolean(false),
            TRUE => Value::Boolean(true),
            STRING => Value::String(self.text()?),
            _ => return Err(BinaryError::Damaged),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn value() -> impl Strategy<Value = Value> {
        prop_oneof![
            any::<u64>().prop_map(|bits| Value::Float(f64::from_bits(bits))),
            prop_oneof![any::<i64>(), -70i64..70, Just(i64::MIN), Just(i64::MAX)]
                .prop_map(Value::Integer),
            prop_oneof![any::<u64>(), 0u64..300, Just(u64::MAX)].prop_map(Value::Unsigned),
            any::<bool>().prop_map(Value::Boolean),
            ".{0,40}".prop_map(Value::from),
        ]
    }

    fn metric() -> impl Strategy<Value = Metric> {
        let tags = prop::collection::vec((".{0,6}", ".{0,40}"), 0..6);
        let fields = prop::collection::vec((".{0,30}", value()), 0..8);
        (".{0,40}", any::<i64>(), 0u8..5, tags, fields).prop_map(
            |(name, time, code, tags, fields)| {
                let mut metric = Metric::new(name, Timestamp::from_nanos(time));
                metric.value_type = value_type(code).unwrap();
                tags.into_iter().for_each(|(key, value)| metric.set_tag(key, value));
                fields.into_iter().for_each(|(key, value)| metric.set_field(key, value));
                metric
            },
        )
    }

    /// The same as text, in which NaN equals itself.
    fn shown(metric: &Metric) -> String {
        let bits = metric.fields().iter().map(|field| match field.value {
            Value::Float(value) => value.to_bits(),
            _ => 0,
        });
        format!("{metric:?} {:?}", bits.collect::<Vec<_>>())
    }

    #[test]
    fn the_bytes_are_these() {
        let metric = Metric::new("m", Timestamp::from_nanos(258))
            .with_type(ValueType::Gauge)
            .with_tag("t", "v")
            .with_field("i", -2i64)
            .with_field("u", 300u64)
            .with_field("f", 1.0)
            .with_field("b", true)
            .with_field("s", "é");
        let mut bytes = Vec::new();
        metric.encode(&mut bytes);
        let mut expected = b"\x01\x02\x02\x01\0\0\0\0\0\0\x01m\x01\x01t\x01v\x05".to_vec();
        expected.extend_from_slice(b"\x01i\x01\x03\x01u\x02\xac\x02");
        expected.extend_from_slice(b"\x01f\0\0\0\0\0\0\0\xf0\x3f\x01b\x04\x01s\x05\x02\xc3\xa9");
        assert_eq!(bytes, expected);
        assert_eq!(Metric::decode(&bytes), Ok(metric));
        bytes[0] = 9;
        assert_eq!(Metric::decode(&bytes), Err(BinaryError::Version(9)));
    }

    proptest! {
        #[test]
        fn every_metric_is_read_as_it_was(metric in metric()) {
            let mut bytes = Vec::new();
            metric.encode(&mut bytes);
            prop_assert_eq!(shown(&Metric::decode(&bytes).unwrap()), shown(&metric));
            for size in 0..bytes.len() {
                prop_assert!(Metric::decode(&bytes[..size]).is_err());
            }
        }

        #[test]
        fn no_bytes_are_too_much(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let mut all = vec![VERSION, 0];
            all.extend(bytes);
            if let Ok(metric) = Metric::decode(&all) {
                prop_assert!(metric.tags().is_sorted_by(|a, b| a.key < b.key));
            }
        }
    }
}
