//! Metrics as bytes that keep all of them, for the agent's own files.
//!
//! ```text
//! version     1 byte    1, or 2 with a record
//! value type  1 byte
//! time        8 bytes   nanoseconds since 1970, little-endian
//! name        text
//! tags        count, then key and value of each, as text
//! fields      count, then for each its key as text, a byte for the type, and the value
//! ```
//!
//! The record that the metric was made of, if it was kept, follows in version 2:
//!
//! ```text
//! number      8 bytes   the same for all metrics of the record, little-endian
//! has         1 byte    1 for a key, 2 for a value, 4 for a time, added up
//! time        8 bytes   milliseconds since 1970, little-endian
//! key, value  bytes
//! headers     count, then for each its name as text, 1 or 0 for whether it has a value, and that
//! ```
//!
//! Counts, lengths and integers are LEB128 numbers, seven bits a byte and the lowest first; signed
//! ones are zigzag-coded. A text is its length in bytes and its bytes in UTF-8, a float its eight
//! bytes, and a boolean its type alone; bytes stand behind their length. Of what goes along with a
//! metric nothing else is kept.

use std::sync::Arc;

use compact_str::CompactString;

use super::parts::Parts;
use super::{
    Accompany, Companion, Field, Metric, OriginalRecord, Tag, Timestamp, Value, ValueType,
};

const VERSION: u8 = 1;
const WITH_RECORD: u8 = 2;

const HAS_KEY: u8 = 1;
const HAS_VALUE: u8 = 2;
const HAS_TIME: u8 = 4;

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
        let record = self.companion.record();
        let version = if record.is_some() { WITH_RECORD } else { VERSION };
        out.extend_from_slice(&[version, type_code(self.value_type)]);
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
        if let Some(record) = record {
            out.extend_from_slice(&self.companion.number().to_le_bytes());
            push_record(out, record);
        }
    }

    /// Reads the bytes that [`Metric::encode`] made.
    ///
    /// # Errors
    /// If they are no whole metric. Of bytes that were changed on the way not every change is
    /// noticed here: whoever keeps them has a checksum.
    pub fn decode(bytes: &[u8]) -> Result<Metric, BinaryError> {
        let mut reader = Reader { rest: bytes };
        let version = match reader.byte()? {
            version @ (VERSION | WITH_RECORD) => version,
            other => return Err(BinaryError::Version(other)),
        };
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
        let companion = match version {
            WITH_RECORD => {
                let number = u64::from_le_bytes(reader.array()?);
                Companion::new(Arc::new(StoredRecord { number, record: reader.record()? }))
            }
            _ => Companion::default(),
        };
        if !reader.rest.is_empty() {
            return Err(BinaryError::Damaged);
        }
        let parts = Parts { tags, fields };
        Ok(Metric { name, time, value_type, companion, parts })
    }
}

/// Goes along with a metric that was read from a file, in place of what went along with it before.
struct StoredRecord {
    number: u64,
    record: OriginalRecord,
}

impl Accompany for StoredRecord {
    fn record(&self) -> Option<&OriginalRecord> {
        Some(&self.record)
    }

    fn number(&self) -> Option<u64> {
        Some(self.number)
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

fn push_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    push_number(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn push_record(out: &mut Vec<u8>, record: &OriginalRecord) {
    let OriginalRecord { key, value, headers, timestamp_ms } = record;
    let flag = |has: bool, flag: u8| if has { flag } else { 0 };
    let has_time = flag(timestamp_ms.is_some(), HAS_TIME);
    out.push(flag(key.is_some(), HAS_KEY) | flag(value.is_some(), HAS_VALUE) | has_time);
    out.extend_from_slice(&timestamp_ms.unwrap_or_default().to_le_bytes());
    for bytes in [key, value].into_iter().flatten() {
        push_bytes(out, bytes);
    }
    push_number(out, headers.len() as u64);
    for (name, value) in headers {
        push_text(out, name);
        out.push(u8::from(value.is_some()));
        if let Some(value) = value {
            push_bytes(out, value);
        }
    }
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

    fn bytes(&mut self) -> Result<&'b [u8], BinaryError> {
        let length = self.count(1)?;
        let (bytes, rest): (&'b [u8], _) = self.rest.split_at(length);
        self.rest = rest;
        Ok(bytes)
    }

    fn text(&mut self) -> Result<CompactString, BinaryError> {
        CompactString::from_utf8(self.bytes()?).map_err(|_| BinaryError::Damaged)
    }

    fn record(&mut self) -> Result<OriginalRecord, BinaryError> {
        let has = self.byte()?;
        let timestamp_ms = i64::from_le_bytes(self.array()?);
        let key = if has & HAS_KEY != 0 { Some(self.bytes()?.into()) } else { None };
        let value = if has & HAS_VALUE != 0 { Some(self.bytes()?.into()) } else { None };
        let n_headers = self.count(2)?;
        let mut headers = Vec::with_capacity(n_headers);
        for _ in 0..n_headers {
            let name = self.text()?.into();
            let value = if self.byte()? != 0 { Some(self.bytes()?.into()) } else { None };
            headers.push((name, value));
        }
        let timestamp_ms = (has & HAS_TIME != 0).then_some(timestamp_ms);
        Ok(OriginalRecord { key, value, headers, timestamp_ms })
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

    struct Made(OriginalRecord);

    impl Accompany for Made {
        fn record(&self) -> Option<&OriginalRecord> {
            Some(&self.0)
        }
    }

    fn record() -> impl Strategy<Value = OriginalRecord> {
        fn bytes() -> impl Strategy<Value = Option<Box<[u8]>>> {
            prop::option::of(prop::collection::vec(any::<u8>(), 0..200).prop_map(Into::into))
        }
        let headers = prop::collection::vec((".{0,9}".prop_map(Into::into), bytes()), 0..4);
        (bytes(), bytes(), headers, any::<Option<i64>>()).prop_map(
            |(key, value, headers, timestamp_ms)| OriginalRecord {
                key,
                value,
                headers,
                timestamp_ms,
            },
        )
    }

    /// The metric as it is after it was in a file.
    fn stored(metric: &Metric) -> Metric {
        let mut bytes = Vec::new();
        metric.encode(&mut bytes);
        Metric::decode(&bytes).unwrap()
    }

    #[test]
    fn metrics_of_one_record_are_known_as_such_after_they_were_in_a_file() {
        let made = || Companion::new(Arc::new(Made(OriginalRecord::default())));
        let of = |companion: &Companion| {
            let mut metric = Metric::new("m", Timestamp::EPOCH).with_field("n", 1i64);
            metric.companion = companion.clone();
            metric
        };
        let (one, other) = (made(), made());
        let [first, second, third] = [&one, &one, &other].map(|it| stored(&of(it)).companion);
        assert!(first.is_same(&second) && first.is_same(&first));
        assert!(!first.is_same(&third), "records that look the same are not");
        assert!(!first.is_same(&one) && !first.is_same(&Companion::default()));
        let again = stored(&stored(&of(&one))).companion;
        assert!(again.is_same(&first));
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
        fn every_record_is_read_as_it_was(record in record(), metric in metric()) {
            let mut metric = metric;
            metric.companion = Companion::new(Arc::new(Made(record)));
            let mut bytes = Vec::new();
            metric.encode(&mut bytes);
            let read = Metric::decode(&bytes).unwrap();
            prop_assert_eq!(shown(&read), shown(&metric));
            prop_assert_eq!(read.companion.record(), metric.companion.record());
            for size in 0..bytes.len() {
                prop_assert!(Metric::decode(&bytes[..size]).is_err());
            }
        }

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
        fn no_bytes_are_too_much(
            version in VERSION..=WITH_RECORD,
            bytes in prop::collection::vec(any::<u8>(), 0..60),
        ) {
            let mut all = vec![version, 0];
            all.extend(bytes);
            if let Ok(metric) = Metric::decode(&all) {
                prop_assert!(metric.tags().is_sorted_by(|a, b| a.key < b.key));
            }
        }
    }
}
