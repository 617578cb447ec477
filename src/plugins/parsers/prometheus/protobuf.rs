//! Reads the binary form: families one after the other, each behind its length.
//!
//! # References
//! Prometheus' `io.prometheus.client.MetricFamily`; the encoding of Protocol Buffers.

use std::borrow::Cow;

use super::families::{Distribution, Family, Kind, Labels, Measured};

/// What can be wrong with the binary form, in the words of the original.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProtobufError {
    /// It ends within a message.
    #[error("unexpected EOF")]
    End,
    /// Something is no part of a message.
    #[error("proto: cannot parse invalid wire-format data")]
    Wire,
    /// A text is no UTF-8.
    #[error("proto: a text contains invalid UTF-8")]
    Text,
}

type Read<T> = Result<T, ProtobufError>;

/// Reads families; what has no samples is left out.
pub(super) fn read(input: &[u8]) -> Read<Vec<Family<'_>>> {
    let mut families = Vec::new();
    let mut cursor = Cursor(input);
    while !cursor.0.is_empty() {
        let length = cursor.number().map_err(|_| ProtobufError::End)?;
        let message = cursor.take(length).map_err(|_| ProtobufError::End)?;
        families.push(family(message)?);
    }
    families.retain(|family| !family.series.is_empty());
    Ok(families)
}

/// The bytes that are left of a message.
struct Cursor<'i>(&'i [u8]);

/// A value as the encoding tells it apart.
#[derive(Clone, Copy)]
enum Value<'i> {
    Number(u64),
    Eight([u8; 8]),
    Four,
    Bytes(&'i [u8]),
}

impl<'i> Cursor<'i> {
    /// A number in as many bytes as it needs, seven bits in each.
    fn number(&mut self) -> Read<u64> {
        let mut number = 0;
        for (at, byte) in self.0.iter().enumerate().take(10) {
            number |= u64::from(byte & 0x7f) << (7 * at);
            if byte & 0x80 == 0 {
                self.0 = &self.0[at + 1..];
                return Ok(number);
            }
        }
        Err(ProtobufError::Wire)
    }

    fn take(&mut self, length: u64) -> Read<&'i [u8]> {
        let length = usize::try_from(length).map_err(|_| ProtobufError::Wire)?;
        let (taken, rest) = self.0.split_at_checked(length).ok_or(ProtobufError::Wire)?;
        self.0 = rest;
        Ok(taken)
    }

    /// The next field: its number and its value.
    fn field(&mut self) -> Read<Option<(u64, Value<'i>)>> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let key = self.number()?;
        let value = match key & 7 {
            0 => Value::Number(self.number()?),
            1 => {
                let (bytes, rest) = self.0.split_first_chunk().ok_or(ProtobufError::Wire)?;
                self.0 = rest;
                Value::Eight(*bytes)
            }
            2 => {
                let length = self.number()?;
                Value::Bytes(self.take(length)?)
            }
            5 => {
                self.take(4)?;
                Value::Four
            }
            _ => return Err(ProtobufError::Wire),
        };
        Ok(Some((key >> 3, value)))
    }
}

/// Calls `take` with every field of a message; those of kinds that are not known are passed over.
fn each_field<'i>(message: &'i [u8], mut take: impl FnMut(u64, Value<'i>) -> Read<()>) -> Read<()> {
    let mut cursor = Cursor(message);
    while let Some((number, value)) = cursor.field()? {
        take(number, value)?;
    }
    Ok(())
}

fn text(bytes: &[u8]) -> Read<&str> {
    std::str::from_utf8(bytes).map_err(|_| ProtobufError::Text)
}

fn kind(number: u64) -> Kind {
    match number {
        0 => Kind::Counter,
        1 => Kind::Gauge,
        2 => Kind::Summary,
        4 => Kind::Histogram,
        5 => Kind::GaugeHistogram,
        _ => Kind::Untyped,
    }
}

fn family(message: &[u8]) -> Read<Family<'_>> {
    let mut family = Family::new("");
    // A type that is left out is the first one.
    family.kind = Some(Kind::Counter);
    let mut metrics = Vec::new();
    each_field(message, |number, value| {
        match (number, value) {
            (1, Value::Bytes(name)) => family.name = text(name)?,
            (3, Value::Number(number)) => family.kind = Some(kind(number)),
            (4, Value::Bytes(metric)) => metrics.push(metric),
            _ => {}
        }
        Ok(())
    })?;
    for message in metrics {
        metric(message, &mut family)?;
    }
    Ok(family)
}

fn metric<'i>(message: &'i [u8], family: &mut Family<'i>) -> Read<()> {
    let is_distribution = family.kind.and_then(Kind::point_label).is_some();
    let mut labels = Labels::new();
    let mut time_ms = None;
    let mut single = None;
    let mut distribution = Distribution::default();
    each_field(message, |number, value| {
        match (number, value) {
            (1, Value::Bytes(pair)) => labels.push(label(pair)?),
            // Gauge, counter and untyped are all a message with one number.
            (2 | 3 | 5, Value::Bytes(message)) => single = Some(one_number(message)?),
            (4, Value::Bytes(message)) => {
                read_distribution(message, &mut distribution, PointKind::Quantile)?;
            }
            (7, Value::Bytes(message)) => {
                read_distribution(message, &mut distribution, PointKind::Bucket)?;
            }
            (6, Value::Number(millis)) => time_ms = Some(millis.cast_signed()),
            _ => {}
        }
        Ok(())
    })?;
    let measured = match (is_distribution, single) {
        (true, _) => Measured::Distribution(distribution),
        (false, Some(value)) => Measured::Single(value),
        // A value of another type than its family's is none.
        (false, None) => return Ok(()),
    };
    family.push(labels, measured).time_ms = time_ms;
    Ok(())
}

fn label(message: &[u8]) -> Read<(&str, Cow<'_, str>)> {
    let (mut name, mut content) = ("", "");
    each_field(message, |number, value| {
        match (number, value) {
            (1, Value::Bytes(bytes)) => name = text(bytes)?,
            (2, Value::Bytes(bytes)) => content = text(bytes)?,
            _ => {}
        }
        Ok(())
    })?;
    Ok((name, Cow::Borrowed(content)))
}

fn one_number(message: &[u8]) -> Read<f64> {
    let mut found = 0.0;
    each_field(message, |number, value| {
        if let (1, Value::Eight(bytes)) = (number, value) {
            found = f64::from_le_bytes(bytes);
        }
        Ok(())
    })?;
    Ok(found)
}

/// What the points of a distribution are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PointKind {
    Quantile,
    Bucket,
}

/// Reads a summary or histogram, whose fields have the same numbers.
fn read_distribution(message: &[u8], into: &mut Distribution, points: PointKind) -> Read<()> {
    each_field(message, |number, value| {
        match (number, value) {
            (1, Value::Number(count)) => into.count = count as f64,
            (2, Value::Eight(bytes)) => into.sum = f64::from_le_bytes(bytes),
            (3, Value::Bytes(message)) => into.points.push(point(message, points)?),
            _ => {}
        }
        Ok(())
    })
}

/// A quantile is two numbers with a point, a bucket a whole one and then its bound; a bucket that
/// nothing is in may leave out the first.
fn point(message: &[u8], kind: PointKind) -> Read<(f64, f64)> {
    let (mut count, mut first, mut second) = (0.0, 0.0, 0.0);
    each_field(message, |number, value| {
        match (number, value) {
            (1, Value::Number(cumulative)) => count = cumulative as f64,
            (1, Value::Eight(bytes)) => first = f64::from_le_bytes(bytes),
            (2, Value::Eight(bytes)) => second = f64::from_le_bytes(bytes),
            _ => {}
        }
        Ok(())
    })?;
    Ok(match kind {
        PointKind::Bucket => (second, count),
        PointKind::Quantile => (first, second),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bytes of a field of this number that holds others.
    fn field(number: u8, content: &[u8]) -> Vec<u8> {
        let length = u8::try_from(content.len()).unwrap();
        assert!(length < 0x80);
        [&[number << 3 | 2, length][..], content].concat()
    }

    fn float(number: u8, value: f64) -> Vec<u8> {
        [&[number << 3 | 1][..], &value.to_le_bytes()].concat()
    }

    fn number(number: u8, value: u8) -> Vec<u8> {
        vec![number << 3, value]
    }

    fn message(name: &str, kind: u8, metric: &[Vec<u8>]) -> Vec<u8> {
        let content =
            [field(1, name.as_bytes()), number(3, kind), field(4, &metric.concat())].concat();
        [vec![u8::try_from(content.len()).unwrap()], content].concat()
    }

    #[test]
    fn families_are_read_one_after_the_other() {
        let label = field(1, &[field(1, b"l"), field(2, "ż".as_bytes())].concat());
        let quantile = field(3, &[float(1, 0.5), float(2, 7.0)].concat());
        let summary = field(4, &[number(1, 3), float(2, 1.5), quantile].concat());
        let buckets = [field(3, &[number(1, 2), float(2, 0.1)].concat()), field(3, &float(2, 0.2))];
        let histogram = field(7, &[number(1, 4), float(2, 2.5), buckets.concat()].concat());
        let input = [
            message("g", 1, &[label, field(2, &float(1, 2.0)), vec![6 << 3, 0xe8, 0x07]]),
            message("s", 2, &[summary]),
            message("h", 4, &[histogram]),
            message("nothing", 1, &[field(7, b"")]),
        ]
        .concat();
        let families = read(&input).unwrap();
        let names: Vec<_> = families.iter().map(|family| (family.name, family.kind)).collect();
        let kinds = [Kind::Gauge, Kind::Summary, Kind::Histogram].map(Some);
        assert_eq!(names, [("g", kinds[0]), ("s", kinds[1]), ("h", kinds[2])]);
        let gauge = &families[0].series[0];
        assert_eq!(gauge.labels, [("l", Cow::from("ż"))]);
        assert_eq!(gauge.time_ms, Some(1000));
        assert!(matches!(gauge.measured, Measured::Single(value) if value == 2.0));
        let told = |family: usize| match &families[family].series[0].measured {
            Measured::Distribution(d) => (d.count, d.sum, d.points.clone()),
            Measured::Single(_) => unreachable!(),
        };
        assert_eq!(told(1), (3.0, 1.5, vec![(0.5, 7.0)]));
        assert_eq!(told(2), (4.0, 2.5, vec![(0.1, 2.0), (0.2, 0.0)]));
    }

    #[test]
    fn what_is_cut_or_no_message_is_told() {
        let whole = message("g", 1, &[field(2, &float(1, 2.0))]);
        for length in 1..whole.len() {
            assert_eq!(read(&whole[..length]).err(), Some(ProtobufError::End), "{length}");
        }
        assert_eq!(read(&[0xff; 20]).err(), Some(ProtobufError::End));
        assert_eq!(read(&[2, 7, 7]).err(), Some(ProtobufError::Wire));
        assert_eq!(read(&[3, 0x0a, 1, 0xff]).err(), Some(ProtobufError::Text));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(input: Vec<u8>) {
            let _ = read(&input);
            let _ = family(&input).map(|family| family.series.len());
        }
    }
}
